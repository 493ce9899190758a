"""What the tests of the whole network do at a provider, and how they look at what arrived: made-up people only."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator

from shared.client.provider import Account, ImportRow, ProviderClient, Subject
from shared.clock import system_clock
from shared.cluster import made_up
from shared.cluster.nodes import Node
from shared.cluster.wire import entries_at, parse_entries
from shared.pb.filingnet.network.v1 import entry_pb2

NUMBERS: Iterator[int] = itertools.count(20_000)
"""Numbers of made-up people, each for one registration."""

CATEGORY = "education"


async def register(backend: ProviderClient) -> Subject:
    """Registers the next made-up person."""
    number = next(NUMBERS)
    agreement = (await backend.agreement()).signed_at(system_clock())
    return await backend.register_person(made_up.person(number), nickname=f"样例{number}", agreement=agreement)


async def file_account(backend: ProviderClient, subject: Subject | None = None) -> Account:
    """Opens and files an account of a subject, or of the next made-up person."""
    owner = subject or await register(backend)
    name = f"样例单个账号{next(NUMBERS)}"
    account = await backend.open_account(owner.reference, display_name=name, category=CATEGORY)
    return await backend.review_account(account.account_id, passed=True)


async def import_accounts(backend: ProviderClient, subject: Subject, count: int, import_id: str = "") -> None:
    """Opens and files so many accounts of one subject at once; none may be refused."""
    reviewed = system_clock()
    rows = [
        ImportRow(number, subject.reference, f"样例批量账号{number}", CATEGORY, reviewed)
        for number in range(1, count + 1)
    ]
    result = await backend.import_accounts(import_id or str(uuid.uuid4()), rows)
    assert (count, 0) == (result.imported + result.already_imported, result.failed)


async def entry_ids(backend: ProviderClient) -> list[str]:
    """Returns the entry of each account's newest filing, as the provider tells it."""
    return [account.filing.entry_id async for account in backend.accounts() if account.filing is not None]


def filings_at(regulator: Node, origin: str = "") -> list[entry_pb2.Entry]:
    """Returns the filings in a regulator's own file, each log in its order: all, or those of one provider."""
    entries = parse_entries(entries_at(regulator.folder))
    return [entry for entry in entries if entry.HasField("filing") and origin in ("", entry.origin)]
