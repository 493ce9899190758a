"""Reports, orders and cases over a whole network of processes: what has to leave leaves, what is late is seen, all adds up.

The policy of this network counts in minutes what the first policy counts in days, so that its clocks run out while the
test looks on.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import apsw
import pytest

from shared.client.officer import NodeState, OfficerClient
from shared.client.officer_case_types import Case, CaseState, CaseVerdict, EscalationOutcome
from shared.client.provider import Account, FilingState, ProviderClient
from shared.client.public import PublicClient
from shared.client.report_types import Order, ReportState
from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.policy import Period, PeriodUnit, initial_policy
from tests.e2e.filing_desk import file_account

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DESK = "review-desk-2"
MINUTE = {"report_first_answer", "escalation_decision", "directive_acknowledgement"}
SECONDS = 120.0


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """The nation and a province with two providers."""
    return filing_cluster_factory(providers={"wave": "330000", "harbour": "330000"})


async def publish_minutes(cluster: Cluster) -> None:
    """Publishes a policy with periods of a minute, and waits until every node holds it."""
    first = initial_policy()
    periods = tuple(
        Period(each.name, 1, PeriodUnit.MINUTES, each.provenance) if each.name in MINUTE else each
        for each in first.periods
    )
    effective = system_clock() + timedelta(seconds=2)
    async with cluster.nation.client() as nation:
        await nation.publish_policy(replace(first, version=2, effective_time=effective, periods=periods))

    async def held() -> bool:
        versions = []
        for regulator in cluster.regulators[1:]:
            async with regulator.client() as officer:
                versions.append((await officer.status()).policy_version)
        for provider in cluster.providers:
            async with provider.client() as backend:
                versions.append((await backend.status()).policy_version)
        return set(versions) == {2} and system_clock() > effective

    await cluster.wait_until(held, "every node holds the policy, and it is in force")


async def report(backend: ProviderClient, account: Account, **changes: Any) -> tuple[str, str]:
    """Has somebody report an account as a whole; returns the report's id and the tracking code."""
    taken = await backend.submit_report(account.account_id, baseline=7, statement="样例举报之言", **changes)
    return taken.report.report_id, taken.tracking_code


async def case_of(officer: OfficerClient, report_id: str) -> Case | None:
    """Reads the case of a report; None while there is none."""
    found = [case async for case in officer.cases() if case.escalation_id == report_id]
    return found[0] if found else None


async def arrived(cluster: Cluster, officer: OfficerClient, report_id: str) -> Case:
    """Waits for the case of a report."""
    found: list[Case] = []

    async def is_there() -> bool:
        case = await case_of(officer, report_id)
        found.extend([case] if case is not None else [])
        return bool(found)

    await cluster.wait_until(is_there, "the report has a case", SECONDS)
    return found[0]


async def until_case(
    cluster: Cluster, officer: OfficerClient, case: Case, holds: Callable[[Case], bool], what: str
) -> Case:
    """Waits until something holds of a case."""
    seen: list[Case] = []

    async def looked() -> bool:
        seen.append((await officer.case(case.jurisdiction, case.case_id)).case)
        return holds(seen[-1])

    await cluster.wait_until(looked, what, SECONDS)
    return seen[-1]


async def ordered(cluster: Cluster, backend: ProviderClient) -> Order:
    """Waits for the only order that wants an answer."""
    found: list[Order] = []

    async def is_there() -> bool:
        found[:] = [order async for order in backend.orders()]
        return bool(found)

    await cluster.wait_until(is_there, "the provider has the order", SECONDS)
    (order,) = found
    return order


def order_warning(case: Case) -> CaseVerdict:
    """Verifies a case and orders a warning of a week."""
    return CaseVerdict(
        case.case_id,
        EscalationOutcome.VERIFIED,
        "false_information",
        MeasureKind.WARN,
        Gravity.ORDINARY,
        7,
        etag=case.etag,
    )


async def outcome(backend: ProviderClient, code: str) -> tuple[ReportState, str]:
    """What a reporter is told at the provider."""
    told = await backend.report_outcome(code)
    return told.state, told.outcome


def audit(node: RegulatorNode) -> tuple[int, dict[str, Any]]:
    """Runs the audit of conservation at a node; returns its exit code and what it says."""
    command = [sys.executable, "-m", "regulator_node", "audit", "conservation", "--data", str(node.folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


async def test_art_9_reports_orders_and_cases_travel_and_add_up(cluster: Cluster) -> None:
    """Art. 9, answer 2: an order is heard, acknowledged, carried out and seen; what is late is flagged, leaves or rises."""
    await publish_minutes(cluster)
    wave, harbour, province = cluster.provider("wave"), cluster.provider("harbour"), cluster.regulator("330000")
    async with (
        wave.client() as backend,
        harbour.client() as other,
        province.client() as officer,
        cluster.nation.client() as nation,
    ):
        account, foreign = await file_account(backend), await file_account(other)
        await cluster.wait_until_delivered("wave")
        # Nobody answers the first one; nobody decides the second; the order on the third does not arrive.
        silent, silent_code = await report(backend, account)
        undecided, undecided_code = await report(backend, await file_account(backend))
        await backend.hand_over_report(undecided, actor="desk-1")
        unheard, unheard_code = await report(other, foreign)
        await other.hand_over_report(unheard, actor="desk-1")
        left_open = await arrived(cluster, officer, undecided)
        away = await arrived(cluster, officer, unheard)
        cluster.cut("provider/harbour", "regulator/330000")
        late = (await officer.decide_case(order_warning(away))).case
        assert (CaseState.ORDERED, False) == (late.state, late.overdue)

        await orders_are_carried_out(cluster, backend, officer)

        risen = await until_case(
            cluster, officer, left_open, lambda case: case.state is CaseState.AT_NATION, "the case rises"
        )
        assert "regulator/100000" == risen.responsible
        late = await until_case(cluster, officer, late, lambda case: case.overdue, "the acknowledgement is overdue")
        assert (CaseState.ORDERED, "provider/harbour") == (late.state, late.responsible)
        assert "FIRST_ANSWER_OVERDUE" == (await arrived(cluster, officer, silent)).cause.name
        cluster.heal("provider/harbour", "regulator/330000")
        await until_case(
            cluster, officer, late, lambda case: case.state is CaseState.ACKNOWLEDGED, "it is acknowledged"
        )
        await cluster.wait_until(lambda: held(nation, risen), "the nation has the case")
        with pytest.raises(Exception, match="the nation has the case"):
            await officer.decide_case(order_warning(risen))
        await nation.decide_case(CaseVerdict(risen.case_id, EscalationOutcome.DISMISSED, "not_verified"))
        await cluster.wait_until(
            lambda: is_told(backend, undecided_code, (ReportState.DECIDED, "dismissed")), "the reporter is told"
        )
        await cluster.wait_until(
            lambda: is_told(other, unheard_code, (ReportState.DECIDED, "verified")), "the reporter is told"
        )
        assert (ReportState.ESCALATED, "") == await outcome(backend, silent_code)


async def orders_are_carried_out(cluster: Cluster, backend: ProviderClient, officer: OfficerClient) -> None:
    """From two reports that are joined over the complaint and the order to its answer, by API and by command."""
    account = await file_account(backend)
    filed, first_code = await report(backend, account)
    joined, second_code = await report(backend, account)
    assert filed == joined
    province = cluster.regulator("330000")
    async with PublicClient(province.public_address, ca=province.ca_pem(), server_name=province.name) as public:
        await cluster.wait_until_delivered("wave")
        waiting = await public.submit_complaint(account.account_id, baseline=7, report_code=second_code)
        await backend.hand_over_report(filed, actor="desk-1")
        case = await arrived(cluster, officer, filed)
        follows = await public.submit_complaint(account.account_id, baseline=7, report_code=first_code)
        assert (False, True) == (waiting.joined, follows.joined)
        assert [case.case_id] == [
            each.case_id async for each in officer.cases() if each.account_id == account.account_id
        ]
        case = await officer.assign_case(case.case_id, DESK)
        await officer.decide_case(order_warning(case))
        order = await ordered(cluster, backend)
        acknowledged = await until_case(
            cluster, officer, case, lambda each: each.state is CaseState.ACKNOWLEDGED, "the order is acknowledged"
        )
        assert (False, "provider/wave") == (acknowledged.overdue, acknowledged.responsible)
        assert (OrderAnswer.ACKNOWLEDGED, account.account_id) == (order.answer, order.account_id)
        data = ("--data", str(cluster.provider("wave").folder))
        (listed,) = json.loads(await cluster.provider("wave").run("provider_node", "orders", "list", *data, "--json"))
        assert order.order_entry_id == listed["order_entry_id"]
        await backend.apply_measure(
            account.account_id,
            MeasureKind.WARN,
            baseline=7,
            reason="false_information",
            gravity=Gravity.ORDINARY,
            order_entry_id=order.order_entry_id,
        )
        await cluster.provider("wave").run("provider_node", "orders", "answer", *data, order.order_entry_id, "--done")
        closed = await until_case(
            cluster, officer, case, lambda each: each.state is CaseState.CLOSED, "the order is answered"
        )
        actions = [event.action for event in closed.events]
        assert ["open", "join", "assign", "direct", "acknowledge", "complete"] == actions
        for code in (waiting.tracking_code, follows.tracking_code):
            told = await public.get_complaint(code)
            assert ("closed", "false_information") == (told.state, told.outcome)
    for code in (first_code, second_code):
        assert (ReportState.DECIDED, "verified") == await outcome(backend, code)


async def held(nation: OfficerClient, case: Case) -> bool:
    """Says whether the nation has a case that rose to it."""
    return any([each.case_id == case.case_id async for each in nation.cases()])


async def is_told(backend: ProviderClient, code: str, expected: tuple[ReportState, str]) -> bool:
    """Says whether a reporter is told something."""
    return expected == await outcome(backend, code)


async def test_art_8_2_a_suspended_provider_reports_and_files_nothing(cluster: Cluster) -> None:
    """Art. 8(2), promise 1: its reports arrive while it is suspended; its filings wait, and arrive once it is let in again."""
    async with (
        cluster.provider("harbour").client() as backend,
        cluster.regulator("330000").client() as officer,
        cluster.nation.client() as nation,
    ):
        account = await file_account(backend)
        await cluster.wait_until_delivered("harbour")
        cluster.cut("provider/harbour", "regulator/330000")
        waiting = await file_account(backend)
        version = (await nation.set_node_state("provider/harbour", NodeState.SUSPENDED)).directory_version

        async def has_heard() -> bool:
            return (await officer.status()).directory_version >= version

        await cluster.wait_until(has_heard, "the province has heard of the suspension")
        cluster.heal("provider/harbour", "regulator/330000")
        reported, _ = await report(backend, account)
        await backend.hand_over_report(reported, actor="desk-1")
        assert "provider/harbour" == (await arrived(cluster, officer, reported)).provider
        (place,) = (await backend.status()).destinations
        assert (1, 0, "NODE_SUSPENDED") == (place.queued, place.parked, place.last_error.partition(":")[0])
        await nation.set_node_state("provider/harbour", NodeState.ACTIVE)
        await cluster.wait_until_delivered("harbour")
        filing = (await backend.get_account(waiting.account_id)).filing
        assert filing is not None
        assert filing.state in (FilingState.RECEIVED, FilingState.FINAL)


async def test_answer_2_the_audit_proves_a_network_and_names_what_was_taken_from_it(cluster: Cluster) -> None:
    """Answer 2: over all logs every report is with one party; a row deleted by hand in a stopped node's file is named."""
    province = cluster.regulator("330000")
    async with cluster.provider("wave").client() as backend, cluster.nation.client() as nation:
        reported, _ = await report(backend, await file_account(backend))
        await backend.hand_over_report(reported, actor="desk-1")
        await arrived(cluster, nation, reported)
    code, sound = await asyncio.to_thread(audit, cluster.nation)
    assert (0, []) == (code, sound["findings"])
    assert sound["reports"] == sum(sound["parties"].values()) > 0
    await province.stop()
    register_file = apsw.Connection(str(province.folder / "register.db"))
    deleted = register_file.execute(
        "DELETE FROM case_file WHERE escalation_id = ?", (uuid.UUID(reported).bytes,)
    ).connection.changes()
    register_file.close()
    code, broken = await asyncio.to_thread(audit, province)
    named = [(each["escalation_id"], each["rule"]) for each in broken["findings"]]
    assert (1, 1, [(reported, "CASE_MISSING")]) == (deleted, code, named)
    assert 0 == (await asyncio.to_thread(audit, cluster.nation))[0]
    await province.start()
