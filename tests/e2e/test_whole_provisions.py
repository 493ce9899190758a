"""The provisions through a whole network of processes: labels, reports, orders, measures and appeals, in simulated time.

What each node does by itself is tried elsewhere. Here nothing is handed over by hand: what a provider states travels to
its province and on to the nation, what a province decides travels back, and the time moves for all of them at once.
The tests share one network and run in the order in which its time moves on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.client.label_types import SubjectLicence
from shared.client.officer import FilingFilter, OfficerClient, OfficerRole
from shared.client.officer import FilingState as RegisterState
from shared.client.officer_case_types import CaseKind, CaseState, CaseVerdict, EscalationOutcome
from shared.client.officer_label_types import LabelFilter, LabelOutcome, LabelVerdict
from shared.client.officer_label_types import LabelState as HeldState
from shared.client.provider import ProviderClient
from shared.client.public import LabelStanding, PublicClient
from shared.client.report_types import AppealState, MeasureState, ReportState
from shared.clock import system_clock
from shared.cluster import made_up
from shared.cluster.demo_audit import audit_all
from shared.cluster.network import Cluster
from shared.errors import FailedPrecondition
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.directives import OrderAnswer
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.licences import LicenceClass
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.subjects import SubjectKind
from tests.e2e.filing_desk import file_account
from tests.e2e.oversight_desk import (
    DAY,
    MINUTE,
    PROVINCE,
    SECONDS,
    case_of,
    file_organisation,
    gate,
    gate_says,
    order_for,
    report,
    standing,
    told,
    told_of,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A nation, a province and a provider, whose time can be moved."""
    return filing_cluster_factory(provinces=(PROVINCE,), providers={"wave": PROVINCE}, simulated_time=True)


@pytest.fixture
async def backend(cluster: Cluster) -> AsyncIterator[ProviderClient]:
    """The provider's backend."""
    async with cluster.provider("wave").client() as client:
        yield client


@pytest.fixture
async def officer(cluster: Cluster) -> AsyncIterator[OfficerClient]:
    """A reviewer of the province."""
    async with await cluster.regulator(PROVINCE).officer(OfficerRole.REVIEWER) as client:
        yield client


@pytest.fixture
async def nation(cluster: Cluster) -> AsyncIterator[OfficerClient]:
    """A reviewer of the nation."""
    async with await cluster.nation.officer(OfficerRole.REVIEWER) as client:
        yield client


async def test_every_node_says_that_its_time_is_simulated(
    cluster: Cluster, backend: ProviderClient, nation: OfficerClient
) -> None:
    """Nobody takes such a network for one that serves: status and log say what its time is."""
    for status in (await backend.status(), await nation.status()):
        assert status.simulated_time is not None
        assert abs(status.simulated_time - cluster.now()) < MINUTE
    for node in cluster.nodes.values():
        assert "time_is_simulated" in node.log_text()
        assert "simulated" in await node.run(node.plan.module, "status", "--data", str(node.folder))


async def test_art_7_labels_are_granted_by_basis_and_end_everywhere(
    cluster: Cluster, backend: ProviderClient, officer: OfficerClient
) -> None:
    """A label travels to the nation; a province revokes one, another lapses: gate, province and public agree."""
    units = [await file_organisation(backend, SubjectKind.ENTERPRISE) for _ in range(2)]
    end = cluster.now() + 20 * DAY
    start = end.replace(year=end.year - 1)
    number = made_up.licence_number(PROVINCE, 1, LicenceClass.PUBLISH, start.year)
    licence = SubjectLicence(number, start, end)
    for unit in units:
        label = await backend.grant_label(unit.account_id, LabelBasis.NEWS_WEBSITE, licence=licence)
        assert LabelScope.PUBLISH_AND_REPRINT == label.scope
        assert "MAY_REPRINT" == await gate(backend, unit)
        await told(cluster, unit, LabelStanding.GENUINE)
    (held,) = [each async for each in officer.search_labels(LabelFilter(account_id=units[0].account_id))]
    (result,) = await officer.decide_labels([LabelVerdict.against(held, LabelOutcome.REVOKED, "licence_mismatch")])
    assert "" == result.error_reason
    await gate_says(cluster, backend, units[0], "NO_RIGHT_TO_REPRINT_NEWS")
    await told(cluster, units[0], LabelStanding.REVOKED)
    cluster.advance(end - cluster.now() - MINUTE)
    assert "MAY_REPRINT" == await gate(backend, units[1])
    cluster.advance(MINUTE)
    # Asked once: what is asked after the time moved is judged by the new time.
    assert "NO_RIGHT_TO_REPRINT_NEWS" == await gate(backend, units[1])
    await told(cluster, units[1], LabelStanding.LAPSED)
    states = {each.account_id: each.state async for each in officer.search_labels()}
    assert [HeldState.REVOKED, HeldState.LAPSED] == [states[unit.account_id] for unit in units]


async def test_art_5_3_a_report_that_is_settled_in_time_never_leaves(cluster: Cluster, backend: ProviderClient) -> None:
    """The time to settle it passes, and no regulator hears of it; the reporter does, by the tracking code."""
    account = await file_account(backend)
    taken = await report(backend, account)
    await backend.settle_report(taken.report.report_id, "item_removed", actor="desk-1")
    assert taken.report.settle_due_time is not None
    cluster.advance(taken.report.settle_due_time - cluster.now() + DAY)
    # What is queued after it arrives before this returns, and it would have been queued before.
    later = await file_account(backend)
    await cluster.wait_until_delivered("wave", SECONDS)
    assert later.account_id != account.account_id
    assert [] == told_of(cluster.regulator(PROVINCE), account)
    outcome = await backend.report_outcome(taken.tracking_code)
    assert (ReportState.SETTLED, "item_removed") == (outcome.state, outcome.outcome)


async def test_art_5_3_an_overdue_report_leaves_by_itself_and_once(
    cluster: Cluster, backend: ProviderClient, officer: OfficerClient, nation: OfficerClient
) -> None:
    """Its node is killed and is down when the time is up; it leaves after the start, and never again."""
    account = await file_account(backend)
    taken = await report(backend, account)
    due = taken.report.settle_due_time
    assert due is not None
    await cluster.provider("wave").kill()
    cluster.advance(due - cluster.now() + MINUTE)
    await cluster.provider("wave").start()
    case = await case_of(cluster, officer, account, CaseState.OPEN, CaseKind.REPORT)
    for _ in range(2):
        cluster.advance(hours=6)
        await cluster.provider("wave").restart()
        await file_account(backend)
        await cluster.wait_until_delivered("wave", SECONDS)
    assert ["report"] == [each.WhichOneof("matter") for each in told_of(cluster.regulator(PROVINCE), account)]
    assert f"regulator/{PROVINCE}" == case.responsible
    await case_of(cluster, nation, account, CaseState.OPEN, CaseKind.REPORT)
    undecided = await audit_all(cluster, "undecided")
    assert [[], []] == [balance.findings for balance in undecided.balances]
    assert [1, 1] == [balance.parties["province"] for balance in undecided.balances]


async def test_art_9_an_order_is_carried_out_appealed_and_overturned(
    cluster: Cluster, backend: ProviderClient, officer: OfficerClient, nation: OfficerClient
) -> None:
    """From the case to the closed gate, to the owner's appeal, to the open gate; and every register tells the same."""
    account = await file_account(backend)
    taken = await report(backend, account)
    await backend.hand_over_report(taken.report.report_id, actor="desk-1")
    case = await case_of(cluster, officer, account, CaseState.OPEN, CaseKind.REPORT)
    kind, gravity = MeasureKind.SUSPEND_UPDATES, Gravity.GRAVE
    await officer.decide_case(
        CaseVerdict(case.case_id, EscalationOutcome.VERIFIED, "false_information", kind, gravity, 30, etag=case.etag)
    )
    await case_of(cluster, officer, account, CaseState.ACKNOWLEDGED, CaseKind.REPORT)
    (order,) = [each async for each in backend.orders() if each.account_id == account.account_id]
    measure = await backend.apply_measure(
        account.account_id,
        order.ordered_measure,
        baseline=order.baseline,
        reason=order.reason,
        gravity=order.gravity,
        order_entry_id=order.order_entry_id,
    )
    assert "UPDATES_SUSPENDED" == await gate(backend, account)
    await backend.answer_order(order.order_entry_id, OrderAnswer.DONE)
    await case_of(cluster, nation, account, CaseState.CLOSED, CaseKind.REPORT)
    cluster.advance(DAY)
    await backend.submit_appeal(measure.measure_id, "样例申诉")
    with pytest.raises(FailedPrecondition) as refused:
        await backend.decide_appeal(measure.measure_id, overturned=True, actor="desk-1")
    assert "MEASURE_ORDERED" in str(refused.value.violations)
    await backend.decide_appeal(measure.measure_id, overturned=False, actor="desk-1")
    await backend.appeal_to_regulator(measure.measure_id)
    appeal = await case_of(cluster, officer, account, CaseState.OPEN, CaseKind.APPEAL)
    await officer.decide_case(
        CaseVerdict(appeal.case_id, EscalationOutcome.APPEAL_GRANTED, "disproportionate", etag=appeal.etag)
    )
    await gate_says(cluster, backend, account, "NO_RIGHT_TO_REPRINT_NEWS")
    stands = await backend.get_measure(measure.measure_id)
    assert (MeasureState.OVERTURNED, AppealState.OVERTURNED) == (stands.state, stands.appeal)
    await case_of(cluster, nation, account, CaseState.CLOSED, CaseKind.APPEAL)
    outcome = await backend.report_outcome(taken.tracking_code)
    assert (ReportState.DECIDED, "verified") == (outcome.state, outcome.outcome)
    (figures,) = await nation.figures("provider/wave")
    assert (2, 0, 1) == (figures.orders_in_time, figures.orders_late, figures.overturned)


async def test_answer_2_what_a_province_leaves_undecided_is_decided_by_the_nation(
    cluster: Cluster, backend: ProviderClient, officer: OfficerClient, nation: OfficerClient
) -> None:
    """An overdue case rises by itself, and what the nation orders reaches the provider by way of its province."""
    account = await file_account(backend)
    taken = await report(backend, account)
    await backend.hand_over_report(taken.report.report_id, actor="desk-1")
    case = await case_of(cluster, officer, account, CaseState.OPEN, CaseKind.REPORT)
    await case_of(cluster, nation, account, CaseState.OPEN, CaseKind.REPORT)
    assert case.due_time is not None
    cluster.advance(case.due_time - cluster.now() + MINUTE)
    risen = await officer.case(case.jurisdiction, case.case_id)
    assert (CaseState.AT_NATION, "regulator/100000") == (risen.case.state, risen.case.responsible)
    overdue = await audit_all(cluster, "overdue")
    assert [(0, []), (0, [])] == [(each.parties.get("province", 0), each.findings) for each in overdue.balances]
    assert all(each.parties["nation"] >= 1 for each in overdue.balances)
    with pytest.raises(FailedPrecondition) as refused:
        await officer.decide_case(CaseVerdict(case.case_id, EscalationOutcome.DISMISSED, "no_violation"))
    assert "CASE_ELSEWHERE" == refused.value.reason
    await nation.decide_case(CaseVerdict(case.case_id, EscalationOutcome.DISMISSED, "no_violation"))

    async def heard() -> bool:
        return (await backend.report_outcome(taken.tracking_code)).state == ReportState.DECIDED

    await cluster.wait_until(heard, "the provider hears what the nation decided", SECONDS)
    audit = await audit_all(cluster, "in the end")
    assert [[], []] == [balance.findings for balance in audit.balances]


async def test_answer_2_who_gets_no_answer_goes_to_a_regulator_and_hears_by_both_codes(
    cluster: Cluster, backend: ProviderClient, officer: OfficerClient
) -> None:
    """The provider leaves a report alone; the reporter complains, the report joins, the regulator orders, both codes tell."""
    province, account = cluster.regulator(PROVINCE), await file_account(backend)
    await cluster.wait_until_delivered("wave", SECONDS)
    taken = await report(backend, account)
    answer_due, settle_due = taken.report.answer_due_time, taken.report.settle_due_time
    assert answer_due is not None
    assert settle_due is not None
    cluster.advance(answer_due - cluster.now() + MINUTE)
    async with province.public() as reporter, cluster.nation.public() as asks_the_nation:
        complaint = await reporter.submit_complaint(
            account.account_id, baseline=7, statement="样例投诉", report_code=taken.tracking_code
        )
        case = await case_of(cluster, officer, account, CaseState.OPEN, CaseKind.COMPLAINT)
        assert ("open", "") == await standing(reporter, complaint.tracking_code)
        cluster.advance(settle_due - cluster.now() + MINUTE)

        async def joined() -> bool:
            found = await officer.case(case.jurisdiction, case.case_id)
            return ["open", "join"] == [event.action for event in found.case.events]

        await cluster.wait_until(joined, "the overdue report joins the complaint", SECONDS)
        assert "样例投诉" == (await officer.case(case.jurisdiction, case.case_id, purpose="hearing")).statement
        await officer.decide_case(
            CaseVerdict(
                case.case_id,
                EscalationOutcome.VERIFIED,
                "false_information",
                MeasureKind.WARN,
                Gravity.ORDINARY,
                30,
            )
        )
        order = await order_for(cluster, backend, account)
        await backend.apply_measure(
            account.account_id,
            order.ordered_measure,
            baseline=order.baseline,
            reason=order.reason,
            gravity=order.gravity,
            order_entry_id=order.order_entry_id,
        )
        await backend.answer_order(order.order_entry_id, OrderAnswer.DONE)
        for public in (reporter, asks_the_nation):

            async def closed(public: PublicClient = public) -> bool:
                return ("closed", "false_information") == await standing(public, taken.tracking_code)

            await cluster.wait_until(closed, "the reporter hears by the provider's code", SECONDS)
        assert ("closed", "false_information") == await standing(reporter, complaint.tracking_code)
    outcome = await backend.report_outcome(taken.tracking_code)
    assert (ReportState.DECIDED, "verified") == (outcome.state, outcome.outcome)


async def test_a_measure_ends_by_itself_at_its_minute_and_the_register_hears_of_it(
    cluster: Cluster, backend: ProviderClient
) -> None:
    """Art. 8(1): the provider's own measure runs out; the gate opens, and the regulator is told, without anybody's hand."""
    account = await file_account(backend)
    measure = await backend.apply_measure(
        account.account_id,
        MeasureKind.SUSPEND_UPDATES,
        baseline=7,
        reason="false_information",
        gravity=Gravity.GRAVE,
        end_time=cluster.now() + 7 * DAY,
    )
    assert "UPDATES_SUSPENDED" == await gate(backend, account)
    cluster.advance(7 * DAY + MINUTE)
    assert "NO_RIGHT_TO_REPRINT_NEWS" == await gate(backend, account)
    assert MeasureState.EXPIRED == (await backend.get_measure(measure.measure_id)).state

    async def register_knows() -> bool:
        stated = [each.measure.action for each in told_of(cluster.regulator(PROVINCE), account)]
        return stated == [escalation_pb2.MEASURE_ACTION_APPLY, escalation_pb2.MEASURE_ACTION_EXPIRE]

    await cluster.wait_until(register_knows, "the register holds the measure and its end", SECONDS)


async def test_trust_stays_on_the_machines_time(cluster: Cluster, backend: ProviderClient) -> None:
    """Certificates of 30 days and tokens of 12 hours outlive months of simulated time, also for a node that joins then."""
    async with await cluster.regulator(PROVINCE).officer(OfficerRole.REVIEWER) as officer:
        before = await officer.status()
        cluster.advance(60 * DAY)
        await cluster.provider("wave").restart()
        await file_account(backend)
        await cluster.wait_until_delivered("wave", SECONDS)
        after = await officer.status()
    assert before.certificate_expire_time == after.certificate_expire_time < system_clock() + 31 * DAY
    assert after.simulated_time is not None
    assert after.simulated_time > after.certificate_expire_time
    late = await cluster.add_provider("harbour", PROVINCE)
    async with late.client() as joined:
        account = await file_account(joined)
        assert (await joined.status()).certificate_expire_time < system_clock() + 31 * DAY
    await cluster.wait_until_delivered("harbour", SECONDS)
    async with cluster.regulator(PROVINCE).client() as officer:
        filed = FilingFilter(provider="provider/harbour", state=RegisterState.FILED)
        assert [account.account_id] == [each.account_id async for each in officer.search(filed)]


async def test_art_4_with_the_providers_licence_every_right_of_its_accounts_ends(
    cluster: Cluster, backend: ProviderClient
) -> None:
    """The labels close at that moment, and the node warns by itself, though it would look at its licence once a day."""
    account = await file_organisation(backend, SubjectKind.PARTY_OR_GOVERNMENT)
    end = (await backend.status()).licence_end_time
    assert end is not None
    start = datetime(end.year - 1, 1, 1, tzinfo=UTC)
    number = made_up.licence_number(PROVINCE, 2, LicenceClass.REPRINT, start.year)
    licence = SubjectLicence(number, start, end + 365 * DAY)
    cluster.advance(start + DAY - cluster.now() if cluster.now() < start + DAY else timedelta(0))
    await backend.grant_label(account.account_id, LabelBasis.LICENSED_NON_NEWS_UNIT, licence=licence)
    assert "MAY_REPRINT" == await gate(backend, account)
    assert "LICENCE_LAPSED" not in cluster.provider("wave").log_text()
    cluster.advance(end - cluster.now())
    assert "PROVIDER_LICENCE" == await gate(backend, account)

    async def warned() -> bool:
        return "LICENCE_LAPSED" in cluster.provider("wave").log_text()

    await cluster.wait_until(warned, "the node warns that its licence lapsed", SECONDS)
