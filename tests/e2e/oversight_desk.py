"""What people do in a network in simulated time: organisations filed, reports made, orders given, and what nodes say then."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from shared.client.officer import OfficerClient
from shared.client.officer_case_types import Case, CaseFilter, CaseKind, CaseState
from shared.client.provider import Account, ProviderClient
from shared.client.public import LabelStanding, PublicClient
from shared.client.report_types import Order, SubmittedReport
from shared.cluster import made_up
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.cluster.wire import entries_at, parse_entries
from shared.errors import NotFound
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.publication import PublicationAct
from shared.provisions.subjects import SubjectKind
from tests.e2e.filing_desk import CATEGORY, NUMBERS

PROVINCE: Final = "330000"
DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
SECONDS: Final = 60.0


async def file_organisation(backend: ProviderClient, kind: SubjectKind) -> Account:
    """Files an account of the next made-up organisation."""
    number = next(NUMBERS)
    name = f"样例单位{number}"
    subject = await backend.register_organisation(
        made_up.organisation(number, name, kind, PROVINCE),
        kind=kind,
        nickname=name,
        agreement=await backend.agreement(),
    )
    account = await backend.open_account(subject.reference, display_name=name, category=CATEGORY)
    return await backend.review_account(account.account_id, passed=True)


async def report(backend: ProviderClient, account: Account) -> SubmittedReport:
    """Somebody reports an item of an account that no report was about before."""
    url = f"https://example.org/items/{next(NUMBERS)}"
    digest = hashlib.sha256(url.encode()).digest()
    return await backend.submit_report(account.account_id, baseline=7, item_url=url, item_digest=digest)


async def case_of(cluster: Cluster, officer: OfficerClient, account: Account, state: CaseState, kind: CaseKind) -> Case:
    """Waits until an officer sees a case about an account in a state."""
    found: list[Case] = []

    async def there() -> bool:
        cases = officer.cases(CaseFilter(state=state, kind=kind))
        found[:] = [case async for case in cases if case.account_id == account.account_id]
        return bool(found)

    await cluster.wait_until(there, f"a {kind.name.lower()} is {state.name.lower()}", SECONDS)
    return found[0]


def told_of(node: Node, account: Account) -> list[escalation_pb2.Escalation]:
    """Everything that a regulator's logs tell of a public account under supervision."""
    entries = parse_entries(entries_at(node.folder))
    escalations = [entry.escalation for entry in entries if entry.HasField("escalation")]
    return [each for each in escalations if each.account_id == account.account_id]


async def gate(backend: ProviderClient, account: Account) -> str:
    """Why the gate lets the account reprint current-political news now, or does not."""
    return (await backend.check_publication(account.account_id, PublicationAct.REPRINT, is_news=True)).reason


async def gate_says(cluster: Cluster, backend: ProviderClient, account: Account, reason: str) -> None:
    """Waits until the gate gives a reason."""

    async def so() -> bool:
        return await gate(backend, account) == reason

    await cluster.wait_until(so, f"the gate says {reason}", SECONDS)


async def told(cluster: Cluster, account: Account, standing: LabelStanding) -> None:
    """Waits until anybody who asks the nation is told how a label stands."""
    async with cluster.nation.public() as anybody:

        async def so() -> bool:
            return (await anybody.check_label(account.account_id)).standing == standing

        await cluster.wait_until(so, f"the label is told as {standing.name.lower()}", SECONDS)


async def standing(public: PublicClient, code: str) -> tuple[str, str]:
    """Where a complaint or a report stands, asked by a code and nothing else; the nation may not have heard of it yet."""
    try:
        found = await public.get_complaint(code)
    except NotFound:
        return ("", "")
    return found.state, found.outcome


async def order_for(cluster: Cluster, backend: ProviderClient, account: Account) -> Order:
    """Waits until the provider has an order about an account."""
    found: list[Order] = []

    async def there() -> bool:
        found[:] = [each async for each in backend.orders() if each.account_id == account.account_id]
        return bool(found)

    await cluster.wait_until(there, "the provider has the order", SECONDS)
    return found[0]
