"""Reports and complaints that meet at a regulator: one case and one outcome, whoever came first, on both databases."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from datetime import timedelta

import pytest

from regulator_node.case_fold import ShownState
from regulator_node.case_mapping import case_to_wire
from regulator_node.case_queries import CaseFilter, CaseView
from regulator_node.conservation import audit_conservation
from regulator_node.figures import FigureReader
from regulator_node.public_servicer import NewComplaint
from shared.database import Database
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.provisions.escalations import CaseKind
from tests.integration.case_samples import REPORT_CODE, Provinces, at, made_up_answer, made_up_report
from tests.integration.filing_samples import NOW, PROVIDER

SECOND_CODE = REPORT_CODE[::-1]
HOUR = timedelta(hours=1)


def digest(code: str) -> bytes:
    """The digest by which a code travels."""
    return hashlib.sha256(code.encode()).digest()


async def complain(both: Provinces, account: str, code: str, *, nation: bool = False) -> str:
    """Has somebody complain under a provider's code; returns the code of the complaint."""
    office = both.nation_office if nation else both.office
    complaint = NewComplaint(str(uuid.uuid4()), account, 7, "", code, "没有答复")
    return (await office.complaints.submit(complaint)).tracking_code


async def open_cases(both: Provinces, *, nation: bool = False) -> list[CaseView]:
    """The cases that are not over, in the order in which they came in."""
    queries = both.nation_cases if nation else both.cases
    found = (await queries.search(CaseFilter())).cases
    still = [case for case in found if case.standing.shown is not ShownState.CLOSED]
    return sorted(still, key=lambda case: case.file.received_time)


async def events(case: CaseView) -> list[str]:
    """What happened to a case."""
    return [each.event.name for each in case.happened]


def joined(account: str, revision: int, escalation_id: str, *codes: str) -> pb.Escalation:
    """The statement that further reporters are joined in a report."""
    escalation = pb.Escalation(escalation_id=escalation_id, account_id=account, revision=revision)
    escalation.report_joined.tracking_digests.extend(digest(code) for code in codes)
    return escalation


async def states(both: Provinces, *codes: str) -> list[tuple[str, str]]:
    """What complainants are told by their codes."""
    told = [await both.office.complaints.get(code) for code in codes]
    return [(each.state, each.outcome) for each in told]


async def test_answer_2_a_report_joins_the_complaint_that_waits_for_it(both: Provinces) -> None:
    """The report that comes later joins the complaint's case, which keeps its id, clock and officer; one decision ends both."""
    account = await both.file()
    code = await complain(both, account, REPORT_CODE)
    (waiting,) = await open_cases(both)
    await both.office.desk.assign(id_text(waiting.file.case_id), "review-desk-2")
    both.register.now = NOW + HOUR
    report = made_up_report(account)
    await both.tell(report)
    (case,) = await open_cases(both)
    assert (waiting.file.case_id, waiting.standing.due_time, ShownState.ASSIGNED, "review-desk-2") == (
        case.file.case_id,
        case.standing.due_time,
        case.standing.shown,
        case.standing.assignee,
    )
    assert ["OPEN", "ASSIGN", "JOIN"] == await events(case)
    wire = case_to_wire(case)
    assert (report.escalation_id, PROVIDER, report.report.cause) == (wire.escalation_id, wire.provider, wire.cause)
    await both.decide(case, pb.ESCALATION_OUTCOME_VERIFIED, "false_information")
    (directive,) = await both.directives()
    assert report.escalation_id == directive.escalation_decision.escalation_id
    await both.tell(made_up_answer(case, 2, directive.entry_id, pb.ORDER_ANSWER_DONE, both.register.now))
    assert [("closed", "false_information")] == await states(both, code)
    copy = await both.at_nation(case)
    assert (ShownState.CLOSED, [ShownState.CLOSED]) == (
        copy.standing.shown,
        [each.standing.shown for each in (await both.nation_cases.search(CaseFilter())).cases],
    )


async def test_answer_2_a_report_and_complaints_at_once_are_one_case(both: Provinces) -> None:
    """Of a report and two complaints under its code that arrive at one moment, one case is made, and one outcome told."""
    for _ in range(3):
        account, other_code = await both.file(), uuid.uuid4().hex.upper()[:26].replace("I", "1")
        report = made_up_report(account, other_code)
        first, _, second = await asyncio.gather(
            complain(both, account, other_code), both.tell(report), complain(both, account, other_code)
        )
        (case,) = await open_cases(both)
        assert report.escalation_id == case_to_wire(case).escalation_id
        await both.decide(case, pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
        assert [("dismissed", "not_verified")] * 2 == await states(both, first, second)
    balance = await audit_conservation(both.register.database, at(both.register.now))
    assert [] == balance.findings


async def test_answer_2_a_report_joins_once(both: Provinces) -> None:
    """The same report again changes nothing, and a second report under the same code has a case of its own."""
    account = await both.file()
    await complain(both, account, REPORT_CODE)
    raw = await both.tell(made_up_report(account))
    await both.register.submit(raw)
    (case,) = await open_cases(both)
    await both.tell(made_up_report(account))
    first, _ = await open_cases(both)
    assert (case.etag, ["OPEN", "JOIN"]) == (first.etag, await events(first))


@pytest.mark.parametrize("later", [False, True])
async def test_answer_2_every_joined_reporter_may_complain(both: Provinces, later: bool) -> None:
    """Each reporter joined in a report follows its case by the own code, also where the code was told after it left."""
    account = await both.file()
    report = made_up_report(account, reports=2)
    if not later:
        report.report.joined_digests.append(digest(SECOND_CODE))
    await both.tell(report)
    if later:
        await both.tell(joined(account, 2, report.escalation_id, SECOND_CODE))
    codes = [await complain(both, account, each) for each in (SECOND_CODE, REPORT_CODE)]
    (case,) = await open_cases(both)
    await both.decide(case, pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
    assert [("dismissed", "not_verified")] * 2 == await states(both, *codes)


async def test_answer_2_a_reporter_may_ask_by_the_providers_code_alone(both: Provinces) -> None:
    """Who was given a code by the provider hears at the regulator, and at the nation, what became of the report."""
    account = await both.file()
    report = made_up_report(account, reports=2)
    report.report.joined_digests.append(digest(SECOND_CODE))
    await both.tell(report)
    assert [("open", "")] * 2 == await states(both, REPORT_CODE, SECOND_CODE)
    await both.decide(await both.case_of(report), pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
    assert [("dismissed", "not_verified")] * 2 == await states(both, REPORT_CODE, SECOND_CODE)
    await both.follow()
    told = await both.nation_office.complaints.get(SECOND_CODE)
    received = (await both.case_of(report)).file.received_time
    assert ("dismissed", "not_verified", received) == (told.state, told.outcome, told.received_time)


@pytest.mark.parametrize("later", [False, True])
async def test_answer_2_complaints_of_joined_reporters_become_one_case(both: Provinces, later: bool) -> None:
    """Two complaints that nobody could know to be of one report are one case once the report is here, at every copy."""
    account = await both.file()
    codes = [await complain(both, account, REPORT_CODE)]
    both.register.now = NOW + HOUR
    codes.append(await complain(both, account, SECOND_CODE))
    first, second = await open_cases(both)
    report = made_up_report(account, reports=2)
    if later:
        await both.tell(report)
        await both.tell(joined(account, 2, report.escalation_id, SECOND_CODE))
    else:
        report.report.joined_digests.append(digest(SECOND_CODE))
        await both.tell(report)
    (case,) = await open_cases(both)
    assert first.file.case_id == case.file.case_id
    gone = await both.cases.get(second.file.jurisdiction, id_text(second.file.case_id))
    assert (ShownState.CLOSED, "joined", "") == (gone.standing.shown, gone.standing.outcome, gone.responsible)
    await both.decide(case, pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
    assert [("dismissed", "not_verified")] * 2 == await states(both, *codes)
    await both.follow()
    assert [] == await open_cases(both, nation=True)
    for database in (both.register.database, both.nation):
        balance = await audit_conservation(database, at(both.register.now))
        assert (3, {"nobody": 3}, []) == (balance.reports, balance.parties, balance.findings)


async def test_answer_2_a_complaint_at_the_nation_joins_the_report_of_a_province(both: Provinces) -> None:
    """Who went straight to the nation is told of the province's case, once the nation's copy has the report."""
    account = await both.file()
    await both.follow()
    code = await complain(both, account, REPORT_CODE, nation=True)
    report = made_up_report(account)
    await both.tell(report)
    case = await both.at_nation(await both.case_of(report))
    (still,) = await open_cases(both, nation=True)
    assert case.file.case_id == still.file.case_id
    await both.decide(await both.case_of(report), pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
    await both.follow()
    told = await both.nation_office.complaints.get(code)
    assert ("dismissed", "not_verified") == (told.state, told.outcome)


async def test_answer_2_what_was_decided_stays_decided(both: Provinces) -> None:
    """A complaint that was decided before its report came is joined by nothing: the report has a case of its own."""
    account = await both.file()
    code = await complain(both, account, REPORT_CODE)
    (case,) = await open_cases(both)
    await both.decide(case, pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
    report = made_up_report(account)
    await both.tell(report)
    (own,) = await open_cases(both)
    assert (CaseKind.REPORT, report.escalation_id) == (own.file.kind, id_text(own.file.escalation_id))
    assert [("dismissed", "not_verified")] == await states(both, code)


async def test_answer_2_a_report_of_another_account_joins_nothing(both: Provinces) -> None:
    """A complaint about one account is not joined by a report about another, whatever code was named."""
    await complain(both, await both.file(), REPORT_CODE)
    await both.tell(made_up_report(await both.file()))
    assert [CaseKind.REPORT, CaseKind.COMPLAINT] == sorted(case.file.kind for case in await open_cases(both))


async def test_answer_2_a_joined_report_that_nobody_decides_rises_as_one(both: Provinces) -> None:
    """The clock of the case is the complaint's; at the nation it is the same one case, which the nation then decides."""
    account = await both.file()
    await complain(both, account, REPORT_CODE)
    both.register.now = NOW + HOUR
    await both.tell(made_up_report(account))
    both.register.now = NOW + timedelta(days=30)
    (case,) = await open_cases(both)
    risen = await both.at_nation(case)
    assert (ShownState.AT_NATION, case.standing.risen_time) == (risen.standing.shown, risen.standing.risen_time)
    assert 1 == len(await open_cases(both, nation=True))


async def test_art_5_1_a_joined_report_counts_as_escalated(both: Provinces) -> None:
    """A report that left because its time was up counts for its provider, also where it joined a complaint."""
    account = await both.file()
    await complain(both, account, REPORT_CODE)
    await both.tell(made_up_report(account))
    (figures,) = await FigureReader(both.register.database, lambda: NOW).read()
    assert 1 == figures.escalated


async def test_answer_2_a_report_that_joins_a_lost_case_is_found(both: Provinces) -> None:
    """The audit names both the complaint and the report that had joined it, when their case is gone from the tables."""
    account = await both.file()
    await complain(both, account, REPORT_CODE)
    await both.tell(made_up_report(account))
    await delete(both.register.database, "case_file")
    broken = await audit_conservation(both.register.database, at(NOW))
    assert ["CASE_MISSING"] * 2 == [finding.rule for finding in broken.findings]


async def delete(database: Database, table: str) -> None:
    """Empties a table by hand."""
    await database.write(lambda transaction: transaction.execute(f"DELETE FROM {table}"))
