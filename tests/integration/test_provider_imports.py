"""Imports: each row by itself, exactly once, whatever breaks in between."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from provider_node.account_servicer import AccountServicer
from provider_node.import_stream import receive
from provider_node.imports import ImportResult, ImportRow
from provider_node.subject_rows import Subject
from shared.calls import ServedCall
from shared.calls import serving as serving_call
from shared.client.provider import ImportRow as SentRow
from shared.client.provider import ProviderClient
from shared.clock import system_clock
from shared.cluster.made_up import person
from shared.cluster.process import Command, NodeProcess
from shared.database import Transaction
from shared.errors import FailedPrecondition, InvalidInput, Unauthenticated
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.pb.filingnet.provider.v1 import account_service_pb2
from shared.provisions.account_states import FilingState
from shared.trust.callers import Caller, Role
from tests.integration.filing_samples import NOW
from tests.integration.provider_samples import (
    MadeUpNetwork,
    MadeUpProvider,
    database_of,
    joined_folder,
    made_up_provider,
)

IMPORT = "8d7c0000-0000-4000-8000-00000000000a"


@pytest.fixture
async def provider(tmp_path: Path, network: MadeUpNetwork, database_url: str) -> AsyncIterator[MadeUpProvider]:
    """The provider, on both engines."""
    async with made_up_provider(tmp_path / "wave", network, database_url) as made:
        yield made


@pytest.fixture
async def subject(provider: MadeUpProvider) -> Subject:
    """A registered person."""
    return await provider.registered()


def rows(subject: Subject, *numbers: int, category: str = "lifestyle") -> list[ImportRow]:
    """Good rows of these numbers."""
    return [ImportRow(number, subject.reference, f"样例{number}", category, NOW) for number in numbers]


async def sent(provider: MadeUpProvider, *messages: Sequence[ImportRow], finish: bool = True) -> ImportResult | None:
    """Sends rows as one stream, which may break before its end."""
    stream = provider.imports.begin(IMPORT)
    for message in messages:
        await stream.add(message)
    return await stream.finish() if finish else None


async def whole(provider: MadeUpProvider) -> tuple[int, int, int, int]:
    """How many accounts, filings, queued entries and imported rows there are: the same, or something was lost."""
    return (
        await provider.count("account"),
        await provider.count("filing"),
        await provider.count("outbox"),
        await provider.count("import_row"),
    )


async def test_rows_are_opened_reviewed_and_filed(provider: MadeUpProvider, subject: Subject) -> None:
    """Each row becomes a reviewed account with its filing on the way, however many there are."""
    result = await sent(provider, rows(subject, *range(1, 1200)), rows(subject, *range(1200, 2502)))
    assert ImportResult(2501, 0, (), 0, 2501) == result
    assert (2501,) * 4 == await whole(provider)
    assert provider.woken


async def test_imported_accounts_are_listed_in_order(provider: MadeUpProvider, subject: Subject) -> None:
    """Accounts that were opened together are listed in the order of their rows, and are delivered."""
    await sent(provider, rows(subject, *range(1, 51)))
    await provider.deliver()
    found, _ = await provider.accounts.list_page(FilingState.RECEIVED, 100, "")
    assert [f"样例{number}" for number in range(1, 51)] == [account.display_name for account in found]


async def test_bad_rows_fail_no_other(provider: MadeUpProvider, subject: Subject) -> None:
    """A row in no category, of nobody, or with identity data in its name is refused by its number; the rest goes in."""
    good, *bad = rows(subject, 1, 2, 3, 4)
    result = await sent(
        provider,
        [
            good,
            replace(bad[0], category="poetry"),
            replace(bad[1], reference=bytes(16)),
            replace(bad[2], display_name="电话 13800001234"),
            *rows(subject, 5),
        ],
    )
    assert result is not None
    assert (2, 3, 5) == (result.imported, result.failed, result.resume_row)
    assert [(2, "CATEGORY_UNKNOWN"), (3, "SUBJECT_NOT_FOUND"), (4, "IDENTITY_DATA")] == [
        (each.number, each.reason) for each in result.failures
    ]
    assert "13800001234" not in repr(result)
    assert (2,) * 4 == await whole(provider)


async def test_contract_is_checked_row_by_row(provider: MadeUpProvider, subject: Subject) -> None:
    """A row that breaks the contract is refused by itself, with the field named."""

    async def messages() -> AsyncIterator[account_service_pb2.ImportAccountsRequest]:
        good = account_service_pb2.ImportRow(
            row=1, subject_reference=subject.reference, display_name="样例", category="lifestyle"
        )
        good.reviewed_time.FromDatetime(NOW)
        bad = account_service_pb2.ImportRow(row=2, subject_reference=b"short", display_name="样例", category="X")
        far = account_service_pb2.ImportRow(
            row=3, subject_reference=subject.reference, display_name="样例", category="lifestyle"
        )
        far.reviewed_time.seconds = 10**15
        yield account_service_pb2.ImportAccountsRequest(import_id=IMPORT, rows=[good, bad, far])

    result = await receive(messages(), provider.imports)
    assert (1, 2) == (result.imported, result.failed)
    assert {"subject_reference", "category", "reviewed_time"} == {each.field for each in result.failures[0].violations}


async def test_stream_ends_with_its_caller(provider: MadeUpProvider) -> None:
    """Promise 7: an import whose backend's certificate ends while it goes on is refused at the next message."""
    taken: list[int] = []

    async def messages() -> AsyncIterator[account_service_pb2.ImportAccountsRequest]:
        for number in range(3):
            taken.append(number)
            yield account_service_pb2.ImportAccountsRequest(import_id=IMPORT)

    def recheck() -> None:
        if len(taken) == 2:
            raise Unauthenticated("the certificate has ended: renew it", "CERTIFICATE_EXPIRED")

    servicer = AccountServicer(provider.accounts, provider.imports)
    call = ServedCall("ImportAccounts", Caller("backend", Role.BACKEND, "330000"), recheck)
    with serving_call(call), pytest.raises(Unauthenticated):
        await servicer.ImportAccounts(messages(), None)
    assert [0, 1] == taken


async def test_broken_stream_goes_on(provider: MadeUpProvider, subject: Subject) -> None:
    """Promise 2: a stream that broke is sent again, from the beginning or from anywhere, and each row goes in once."""
    await sent(provider, rows(subject, *range(1, 1001)), rows(subject, *range(1001, 1501)), finish=False)
    empty = await sent(provider)
    assert ImportResult(0, 0, (), 0, 1000) == empty
    again = await sent(provider, rows(subject, *range(501, 1701)))
    assert ImportResult(700, 500, (), 0, 1700) == again
    assert (1700,) * 4 == await whole(provider)
    assert ImportResult(0, 1700, (), 0, 1700) == await sent(provider, rows(subject, *range(1, 1701)))


async def test_skipped_rows_are_not_lost(provider: MadeUpProvider, subject: Subject) -> None:
    """A row that an earlier stream left out goes in when it comes, although later ones are in already."""
    await sent(provider, rows(subject, 1, 2, 5))
    assert ImportResult(2, 3, (), 0, 5) == await sent(provider, rows(subject, 1, 2, 3, 4, 5))


async def test_mended_row_goes_in(provider: MadeUpProvider, subject: Subject) -> None:
    """A refused row, mended and sent again under its number, goes in, and is no failure any longer."""
    await sent(provider, [*rows(subject, 1), *rows(subject, 2, category="poetry")])
    assert ImportResult(1, 1, (), 0, 2) == await sent(provider, rows(subject, 1, 2))


async def test_same_import_at_once_goes_in_once(provider: MadeUpProvider, subject: Subject) -> None:
    """Two streams of one import at the same time import each row once."""
    results = await asyncio.gather(*(sent(provider, rows(subject, *range(1, 301))) for _ in range(2)))
    assert 300 == sum(result.imported for result in results if result is not None)
    assert (300,) * 4 == await whole(provider)


async def test_numbers_must_rise(provider: MadeUpProvider, subject: Subject) -> None:
    """Rows whose numbers do not rise could not be told apart later: the stream ends and says so."""
    with pytest.raises(InvalidInput) as refused:
        await sent(provider, rows(subject, 1, 3, 2))
    assert "ROWS_NOT_RISING" == refused.value.reason


async def test_provider_that_may_not_file_imports_nothing(
    provider: MadeUpProvider, network: MadeUpNetwork, subject: Subject
) -> None:
    """Art. 4: what is wrong with the provider itself is no fault of a row: the stream ends and goes on once mended."""
    await provider.view.install([network.directory(state=directory_pb2.NODE_STATE_SUSPENDED)])
    with pytest.raises(FailedPrecondition) as refused:
        await sent(provider, rows(subject, 1, 2))
    assert ("PROVIDER_SUSPENDED", (0,) * 4, 0) == (
        refused.value.reason,
        await whole(provider),
        await provider.count("import_failure"),
    )
    await provider.view.install([network.directory()])
    assert ImportResult(2, 0, (), 0, 2) == await sent(provider, rows(subject, 1, 2))


async def test_stream_names_one_import(provider: MadeUpProvider) -> None:
    """An empty stream, a name that is none, and a second name are refused."""

    async def messages(*names: str) -> AsyncIterator[account_service_pb2.ImportAccountsRequest]:
        for name in names:
            yield account_service_pb2.ImportAccountsRequest(import_id=name)

    for names in ((), ("import one",), (IMPORT, str(uuid.uuid4()))):
        with pytest.raises(InvalidInput) as refused:
            await receive(messages(*names), provider.imports)
        assert "IMPORT_ID_WRONG" == refused.value.reason


@pytest.mark.cluster
async def test_killed_node_resumes_exactly(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Promise 1: a node killed in the middle of an import has each row whole or not at all; the client goes on."""
    settings = await joined_folder(tmp_path / "wave", network)
    arguments = ("provider_node", "serve", "--data", str(settings.folder))
    node = NodeProcess(Command.module("provider/wave", arguments, tmp_path / "wave.log", {}))
    await node.start()
    async with ProviderClient(settings.local_api) as client:
        agreement = await client.agreement()
        subject = await client.register_person(person(1), nickname="样例", agreement=agreement)
        reviewed = system_clock()

        async def accounts() -> AsyncIterator[SentRow]:
            for number in range(1, 20_001):
                yield SentRow(number, subject.reference, f"样例{number}", "lifestyle", reviewed)

        importing = asyncio.create_task(client.import_accounts(IMPORT, accounts()))
        while (await client.status()).accounts < 12_000:
            assert not importing.done()
        await node.kill()
        await node.start()
        result = await importing
        status = await client.status()
    await node.stop()
    assert result.already_imported > 0
    assert (20_000, 0, 20_000) == (result.imported + result.already_imported, result.failed, result.resume_row)
    assert (20_000, [20_000]) == (status.accounts, [each.queued for each in status.destinations])
    database = await database_of(settings)
    counts = await database.read(_counts)
    await database.close()
    assert [20_000, 20_000, 20_000, 20_000, 1, 20_000] == counts


def _counts(transaction: Transaction) -> list[int]:
    tables = ("account", "filing", "outbox", "import_row")
    counts = [transaction.execute(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables]
    return [*counts, *transaction.execute("SELECT MIN(sequence), MAX(sequence) FROM outbox")[0]]
