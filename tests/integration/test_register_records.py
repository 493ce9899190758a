"""Records of a regulator and their end (Art. 8(2)), on both databases: words, assignments and the trail go, the log stays."""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from regulator_node.audit import Audit
from regulator_node.case_queries import CaseFilter, CaseView
from regulator_node.conservation import audit_conservation
from regulator_node.public_servicer import NewComplaint, TakenComplaint
from regulator_node.record_sources import record_sources
from regulator_node.stored_runs import read_runs
from shared.clock import micros
from shared.database import sqlite_url
from shared.errors import InvalidInput, NotFound
from shared.evidence.disposals import VerifiedDisposal, verify_disposal
from shared.evidence.ranges import CompactRange
from shared.evidence.runs import read_runs as runs_in_file
from shared.evidence.runs import verify_run, write_run
from shared.identifiers import id_text, new_account_id
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.provisions.policy import initial_policy
from shared.provisions.retention import SCOPES_OF_REGULATOR, Hold, HoldScope, RecordClass
from shared.records.disposal import UPKEEP, Disposals
from shared.trust.callers import Caller, Role
from tests.integration.case_samples import Provinces, provinces
from tests.integration.filing_samples import JURISDICTION, REGULATOR

WORDS = "这个公众号发布的消息不真实"
ITEM = "https://wave.example/items/1"
DESK = "desk-1"
SEVEN_MONTHS = timedelta(days=215)


def disposals_of(both: Provinces) -> Disposals:
    """The disposals of the province."""
    register, policies = both.register, (initial_policy(),)
    sources = record_sources(JURISDICTION)
    key, clock = register.key, lambda: register.now
    return Disposals(register.database, REGULATOR, key, lambda: policies, sources, SCOPES_OF_REGULATOR, clock)


async def test_art_8_2_a_clock_that_was_set_disposes_of_nothing_for_a_day(both: Provinces) -> None:
    """Art. 8(2): years ahead by a wrong clock, nothing is gone; put right again, or believed after a day, all goes on."""
    passed = [0.0]
    register, policies, sources = both.register, (initial_policy(),), record_sources(JURISDICTION)
    disposals = Disposals(
        register.database,
        REGULATOR,
        register.key,
        lambda: policies,
        sources,
        SCOPES_OF_REGULATOR,
        lambda: register.now,
        monotonic=lambda: passed[0],
    )
    _, case = await complained(both)
    await dismissed(both, case)
    for jump in (timedelta(days=3 * 365), timedelta(days=-3 * 365)):
        both.register.now += jump
        await disposals.upkeep()
        assert (ITEM, WORDS) == await both.office.complaints.words_of(case.file)
    both.register.now += timedelta(days=215)
    for _ in range(24):
        await disposals.upkeep()
        assert (ITEM, WORDS) == await both.office.complaints.words_of(case.file)
        both.register.now += timedelta(hours=1)
        passed[0] += 3600.0
    await disposals.upkeep()
    assert ("", "") == await both.office.complaints.words_of(case.file)


async def complained(both: Provinces) -> tuple[TakenComplaint, CaseView]:
    """A complaint on an account of its own, and its case."""
    known = {each.file.case_id for each in (await both.cases.search(CaseFilter())).cases}
    new = NewComplaint(str(uuid.uuid4()), await both.file(), 7, ITEM, "", WORDS)
    taken = await both.office.complaints.submit(new)
    (case,) = [each for each in (await both.cases.search(CaseFilter())).cases if each.file.case_id not in known]
    return taken, case


async def dismissed(both: Provinces, case: CaseView) -> CaseView:
    """The case assigned and dismissed."""
    case_id = id_text(case.file.case_id)
    assigned = await both.office.desk.assign(case_id, DESK)
    both.register.now += timedelta(minutes=1)
    return (await both.decide(assigned, pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")).case


async def verified(both: Provinces, disposals: Disposals, number: int) -> VerifiedDisposal:
    """A certificate, verified as anybody would."""
    return verify_disposal((await disposals.proof(number)).SerializeToString(), both.register.ring.lookup)


async def log_verifies(both: Provinces) -> tuple[int, bytes]:
    """Verifies the whole log of the province as `filing-verify log` does; returns its size and root."""
    runs = await both.register.database.read(lambda transaction: read_runs(transaction, JURISDICTION, 0, 1_000, 2**30))
    file = io.BytesIO()
    for run in runs:
        write_run(file, run)
    file.seek(0)
    held, ring = CompactRange(), both.register.ring
    for run in runs_in_file(file):
        held = verify_run(run, held, ring.lookup, ring.keys_of(REGULATOR))
    return held.size, held.root()


async def count(both: Provinces, table: str) -> int:
    """Rows of a table at the province."""
    query = f"SELECT COUNT(*) FROM {table}"
    return int((await both.register.database.read(lambda transaction: transaction.execute(query)))[0][0])


async def test_art_8_2_a_complainants_words_go_after_the_case_is_over(both: Provinces) -> None:
    """Art. 8(2): six months after the case was over the sealed words and the code are gone; an open case keeps them."""
    disposals = disposals_of(both)
    taken, case = await complained(both)
    waiting, open_case = await complained(both)
    await dismissed(both, case)
    both.register.now += timedelta(days=180)
    assert [] == await disposals.dispose(UPKEEP)
    assert (ITEM, WORDS) == await both.office.complaints.words_of(case.file)
    both.register.now += timedelta(days=35)
    due = {each.record_class: each.due for each in await disposals.due() if not each.record_class.of_log}
    assert {RecordClass.COMPLAINT: 1, RecordClass.CASE: 1, RecordClass.QUERY_AUDIT: 0} == due
    made = await disposals.dispose(UPKEEP)
    assert [RecordClass.COMPLAINT, RecordClass.CASE] == [each.record_class for each in made]
    assert ("", "") == await both.office.complaints.words_of(case.file)
    assert (ITEM, WORDS) == await both.office.complaints.words_of(open_case.file)
    with pytest.raises(NotFound):
        await both.office.complaints.get(taken.tracking_code)
    assert (await both.office.complaints.get(waiting.tracking_code)).state in ("open", "at_nation")
    (record,) = (await verified(both, disposals, 2)).records
    assert id_text(case.file.case_id) == record.record_id


async def test_art_8_2_to_whom_a_case_was_assigned_goes_and_the_case_stays(both: Provinces) -> None:
    """Art. 8(2): what the log holds of a case shows as before; whose desk it lay on does not."""
    disposals = disposals_of(both)
    _, case = await complained(both)
    before = await dismissed(both, case)
    assert DESK == before.standing.assignee
    both.register.now += SEVEN_MONTHS
    await disposals.dispose(UPKEEP, RecordClass.CASE)
    after = await both.cases.get(JURISDICTION, id_text(case.file.case_id))
    assert ("", before.standing.shown, before.standing.outcome) == (
        after.standing.assignee,
        after.standing.shown,
        after.standing.outcome,
    )
    assert ["OPEN", "DISMISS"] == [each.event.name for each in after.happened]
    assert 0 == await count(both, "case_event WHERE source = 'desk'")
    assert 0 == await count(both, f"case_file WHERE assignee = '{DESK}'")
    assert [] == await disposals.dispose(UPKEEP, RecordClass.CASE)


async def test_art_8_2_the_trail_of_queries_goes_line_by_line(both: Provinces, monkeypatch: pytest.MonkeyPatch) -> None:
    """Art. 8(2): a line older than its period goes with a certificate, a younger one stays; a hold on the class keeps all."""
    disposals = disposals_of(both)
    audit = Audit(both.register.database, JURISDICTION, lambda: both.register.now)
    monkeypatch.setattr("regulator_node.audit.current_caller", lambda: Caller(DESK, Role.READER, JURISDICTION))
    for days in (0, 100, 115):
        both.register.now += timedelta(days=days)
        await audit.record("/service/Method", f"after {days} days")
    hold = Hold(new_account_id(), HoldScope.CLASS, RecordClass.QUERY_AUDIT)
    await disposals.place(hold, "inspection", DESK)
    assert [] == await disposals.dispose(UPKEEP)
    await disposals.lift(hold.hold_id, "inspected", DESK)
    (made,) = await disposals.dispose(UPKEEP)
    assert (RecordClass.QUERY_AUDIT, 1) == (made.record_class, made.records)
    entries, _ = await audit.page(0, "")
    assert ["after 115 days", "after 100 days"] == [entry.detail for entry in entries]


@pytest.mark.parametrize("scope", [HoldScope.CASE, HoldScope.ACCOUNT, HoldScope.ESCALATION])
async def test_art_8_2_a_hold_on_a_case_bites_at_the_regulator(both: Provinces, scope: HoldScope) -> None:
    """Art. 8(2): a case, its account or its escalation under hold keeps the words and the assignment; the next goes."""
    disposals = disposals_of(both)
    _, held = await complained(both)
    await dismissed(both, held)
    _, free = await complained(both)
    await dismissed(both, free)
    both.register.now += SEVEN_MONTHS
    targets: Mapping[HoldScope, bytes] = {
        HoldScope.CASE: held.file.case_id,
        HoldScope.ACCOUNT: held.file.account_id,
        HoldScope.ESCALATION: held.file.escalation_id,
    }
    hold = Hold(new_account_id(), scope, target=id_text(targets[scope]))
    await disposals.place(hold, "court_order", DESK)
    made = await disposals.dispose(UPKEEP)
    assert [1, 1] == [each.records for each in made]
    assert (ITEM, WORDS) == await both.office.complaints.words_of(held.file)
    assert ("", "") == await both.office.complaints.words_of(free.file)
    considered = (await verified(both, disposals, 1)).certificate.holds
    assert [(hold.hold_id, 1)] == [(each.hold_id, each.kept) for each in considered]
    await disposals.lift(hold.hold_id, "court_done", DESK)
    assert [1, 1] == [each.records for each in await disposals.dispose(UPKEEP)]


async def test_art_8_2_the_whole_log_verifies_after_a_disposal(both: Provinces) -> None:
    """Art. 8(2): size, root and every signature of the log are as before, its copies follow, and no report is lost."""
    disposals = disposals_of(both)
    _, case = await complained(both)
    await dismissed(both, case)
    _, open_case = await complained(both)
    before = await log_verifies(both)
    balance = await audit_conservation(both.register.database, micros(both.register.now))
    both.register.now += SEVEN_MONTHS
    assert 2 == len(await disposals.dispose(UPKEEP))
    assert before == await log_verifies(both)
    after = await audit_conservation(both.register.database, micros(both.register.now))
    assert ([], balance.reports) == (after.findings, after.reports)
    # The nation that follows only now sees the same case, and the log goes on.
    copied = await both.at_nation(await both.cases.get(JURISDICTION, id_text(case.file.case_id)))
    assert case.file.case_id == copied.file.case_id
    assert "not_verified" == copied.standing.outcome
    await both.file()
    assert before[0] < (await log_verifies(both))[0]
    assert open_case.file.case_id != case.file.case_id


async def test_art_8_2_a_regulator_keeps_no_records_of_providers(both: Provinces) -> None:
    """Art. 8(2): a class of the other kind of node is named as wrong."""
    with pytest.raises(InvalidInput) as refused:
        await disposals_of(both).dispose(UPKEEP, RecordClass.REPORT)
    assert "RECORD_CLASS_ELSEWHERE" == refused.value.reason


async def test_art_8_2_disposed_words_are_in_no_file_of_a_regulator(tmp_path: Path) -> None:
    """Art. 8(2): not sealed either: whoever holds the key of complaints finds nothing to open."""
    async with provinces(sqlite_url(tmp_path / "node.db"), tmp_path) as both:
        disposals = disposals_of(both)
        for _ in range(12):
            _, case = await complained(both)
            await dismissed(both, case)
        query = "SELECT sealed_statement FROM complaint"
        rows: list[Any] = await both.register.database.read(lambda transaction: transaction.execute(query))
        sealed = [bytes(words) for (words,) in rows]
        assert all(words in _files(tmp_path, "node.db*") for words in sealed)
        both.register.now += SEVEN_MONTHS
        await disposals.dispose(UPKEEP)
        left = _files(tmp_path, "node.db*")
        assert [] == [words for words in sealed if words in left or words[12:40] in left]


def _files(folder: Path, pattern: str) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(pattern))
