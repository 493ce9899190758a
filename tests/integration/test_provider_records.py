"""Records of a provider and their end (Art. 8(2)): kept, held, disposed of with a certificate, and gone from the files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from provider_node.measure_rows import MeasureState
from provider_node.record_sources import record_sources
from shared.clock import micros
from shared.database import Database
from shared.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from shared.evidence.disposals import VerifiedDisposal, verify_disposal
from shared.evidence.keyring import KeyRing
from shared.identifiers import new_account_id
from shared.provisions.retention import SCOPES_OF_PROVIDER, Hold, HoldScope, RecordClass
from shared.records import erasure
from shared.records.disposal import UPKEEP, Disposals
from tests.integration.filing_samples import NOW, PROVIDER
from tests.integration.oversight_samples import ACTOR, DAY, WARN, Supervised, refusal
from tests.integration.provider_samples import MadeUpProvider
from tests.integration.record_samples import (
    disposals_over,
    plain_database,
    plant_reports,
    record_id_of,
    report_ids,
    words_of,
)

WORDS = "样例举报之言"
SEVEN_MONTHS = 215 * DAY


def disposals_of(provider: MadeUpProvider) -> Disposals:
    """The disposals of a provider."""
    return Disposals(
        provider.database,
        PROVIDER,
        provider.network.register.provider_key,
        lambda: provider.view.policies,
        record_sources(),
        SCOPES_OF_PROVIDER,
        provider.clock,
    )


async def settled(made: Supervised, statement: str = WORDS) -> tuple[str, str]:
    """A report that was answered and settled: its id, and its tracking code."""
    told, code, _ = await made.report(statement=statement)
    await made.oversight.reports.answer(told.report.report_id, ACTOR, "已经收到", "")
    await made.oversight.reports.settle(told.report.report_id, ACTOR, "no_violation", "")
    return told.report.report_id, code


async def appealed(made: Supervised) -> str:
    """A measure that the owner appealed against in vain; its id."""
    stored = await made.take(WARN)
    await made.oversight.appeals.submit(stored.measure.measure_id, "不是事实")
    await made.oversight.appeals.decide(stored.measure.measure_id, overturned=False, actor=ACTOR, etag="")
    return stored.measure.measure_id


async def verified(disposals: Disposals, ring: KeyRing, number: int, record_id: str = "") -> VerifiedDisposal:
    """A certificate, verified as anybody would."""
    return verify_disposal((await disposals.proof(number, record_id)).SerializeToString(), ring.lookup)


async def hold(disposals: Disposals, scope: HoldScope, target: str = "", record_class: int = 0) -> str:
    """Places a hold; its id."""
    placed = await disposals.place(
        Hold(new_account_id(), scope, RecordClass(record_class), target), "court_order", ACTOR
    )
    return placed.hold.hold_id


async def test_art_8_2_a_settled_report_is_kept_six_months_and_then_goes(made: Supervised) -> None:
    """Art. 8(2): not a day before its period is over; then words, answer, handling and codes are gone, with a certificate."""
    disposals = disposals_of(made.provider)
    report_id, code = await settled(made)
    open_id = (await made.report(item_digest=b"j" * 32))[0].report.report_id
    made.later(180 * DAY)
    assert [] == await disposals.dispose(UPKEEP)
    assert "no_violation" == (await made.oversight.reports.outcome(code)).report.outcome
    made.later(35 * DAY)
    (standing, *_) = await disposals.due()
    assert (RecordClass.REPORT, 1, 0, [report_id]) == (
        standing.record_class,
        standing.due,
        standing.held,
        [each.record_id for each in standing.records],
    )
    (summary,) = await disposals.dispose(UPKEEP)
    assert (1, RecordClass.REPORT, 1, UPKEEP) == (
        summary.number,
        summary.record_class,
        summary.records,
        summary.actor,
    )
    assert "TRACKING_CODE_UNKNOWN" == await refusal(made.oversight.reports.outcome(code))
    assert "REPORT_NOT_FOUND" == await refusal(made.oversight.reports.read_words(report_id, "court", ACTOR))
    for table in ("report", "report_event", "report_code", "report_statement"):
        left = await made.provider.count(f"{table} WHERE report_id = '{report_id}'")
        assert (table, 0) == (table, left)
    assert 1 == await made.provider.count(f"report WHERE report_id = '{open_id}'")
    found = await verified(disposals, made.provider.ring, 1)
    assert [report_id] == [each.record_id for each in found.records]
    assert micros(made.now) == found.certificate.disposed_time.ToMicroseconds()
    assert [] == await disposals.dispose(UPKEEP)


async def test_art_8_2_of_a_measure_go_the_reasons_and_of_its_appeal_the_words(made: Supervised) -> None:
    """Art. 8(2): what was done and why as a code stays, as the ladder needs it; what was written to and by the owner goes."""
    measure_id = await appealed(made)
    disposals = disposals_of(made.provider)
    made.later(SEVEN_MONTHS)
    made_of = {each.record_class: each for each in await disposals.dispose(ACTOR)}
    assert {RecordClass.MEASURE, RecordClass.APPEAL} == set(made_of)
    stored = await made.oversight.measures.get(measure_id)
    assert ("", "false_information", "") == (
        stored.reasons,
        stored.measure.reason,
        stored.appeal.decided_by if stored.appeal else None,
    )
    assert 1 == await made.provider.count("appeal WHERE LENGTH(sealed) = 0")
    assert [] == await disposals.dispose(ACTOR)


async def test_art_8_2_a_hold_bites_until_it_is_lifted(made: Supervised) -> None:
    """Art. 8(2): a report, an account or a class under hold is kept, and the certificate of the others says so."""
    disposals = disposals_of(made.provider)
    held, code = await settled(made)
    free, _ = await settled(made)
    made.later(SEVEN_MONTHS)
    of_report = await hold(disposals, HoldScope.ESCALATION, held.upper())
    (summary,) = await disposals.dispose(UPKEEP, RecordClass.REPORT)
    found = await verified(disposals, made.provider.ring, summary.number)
    assert ([free], [(of_report, 1)]) == (
        [each.record_id for each in found.records],
        [(each.hold_id, each.kept) for each in found.certificate.holds],
    )
    of_account = await hold(disposals, HoldScope.ACCOUNT, made.account.account_id)
    of_class = await hold(disposals, HoldScope.CLASS, record_class=RecordClass.REPORT)
    for each in (of_report, of_account):
        await disposals.lift(each, "court_done", "desk-4")
        assert [] == await disposals.dispose(UPKEEP)
        assert (0, 1) == ((await disposals.due())[0].due, (await disposals.due())[0].held)
    assert "no_violation" == (await made.oversight.reports.outcome(code)).report.outcome
    await disposals.lift(of_class, "court_done", "desk-4")
    assert 1 == len(await disposals.dispose(UPKEEP))
    trail = await disposals.holds((2**63 - 1, ""), 10, lifted_too=True)
    assert {("court_order", ACTOR, "court_done", "desk-4")} == {
        (each.reason, each.placed_by, each.lift_reason, each.lifted_by) for each in trail
    }
    assert {micros(made.now)} == {each.hold.lifted_time for each in trail}
    assert [] == await disposals.holds((2**63 - 1, ""), 10, lifted_too=False)


async def test_art_8_2_a_hold_is_placed_once_and_says_what_is_wrong(made: Supervised) -> None:
    """Art. 8(2): the same request is one hold; what this node does not keep, and an unknown hold, are plain errors."""
    disposals, hold_id = disposals_of(made.provider), new_account_id()
    asked = Hold(hold_id, HoldScope.ACCOUNT, target=made.account.account_id)
    first = await disposals.place(asked, "court_order", ACTOR)
    made.later(DAY)
    assert first == await disposals.place(asked, "court_order", ACTOR)
    with pytest.raises(AlreadyExists):
        await disposals.place(asked, "other_order", ACTOR)
    for wrong in (
        Hold(new_account_id(), HoldScope.CASE, target=new_account_id()),
        Hold(new_account_id(), HoldScope.CLASS, RecordClass.COMPLAINT),
    ):
        with pytest.raises(InvalidInput) as refused:
            await disposals.place(wrong, "court_order", ACTOR)
        assert "HOLD_SCOPE_WRONG" == refused.value.reason
    with pytest.raises(NotFound):
        await disposals.lift(new_account_id(), "court_done", ACTOR)
    with pytest.raises(InvalidInput):
        await disposals.dispose(ACTOR, RecordClass.COMPLAINT)
    with pytest.raises(NotFound):
        await disposals.proof(1)


async def test_art_8_2_certificates_are_chained_and_prove_one_record_alone(made: Supervised) -> None:
    """Art. 8(2): each names the one before it; one record's disposal is proven without the others."""
    disposals = disposals_of(made.provider)
    first = [(await settled(made))[0] for _ in range(3)]
    made.later(SEVEN_MONTHS)
    await disposals.dispose(UPKEEP)
    await settled(made)
    made.later(SEVEN_MONTHS)
    await disposals.dispose(UPKEEP)
    one, two = [await verified(disposals, made.provider.ring, number) for number in (1, 2)]
    assert (b"", one.digest) == (one.certificate.previous_digest, two.certificate.previous_digest)
    alone = await verified(disposals, made.provider.ring, 1, first[1].upper())
    assert ([first[1]], False) == ([each.record_id for each in alone.records], alone.whole)
    with pytest.raises(NotFound):
        await disposals.proof(2, first[1])
    assert [2, 1] == [each.number for each in await disposals.certificates(2**63 - 1, 10)]
    assert [1] == [each.number for each in await disposals.certificates(2, 10)]


async def test_art_8_2_two_at_once_dispose_of_nothing_twice(made: Supervised) -> None:
    """Art. 8(2): the upkeep and a command at the same moment make one certificate of each record, numbered without gaps."""
    disposals, others = disposals_of(made.provider), disposals_of(made.provider)
    ids = [(await settled(made))[0] for _ in range(5)]
    made.later(SEVEN_MONTHS)
    both = await asyncio.gather(disposals.dispose(UPKEEP), others.dispose(ACTOR), disposals.dispose(ACTOR))
    numbers = sorted(each.number for one in both for each in one)
    assert [*range(1, len(numbers) + 1)] == numbers
    gone = [
        record.record_id
        for number in numbers
        for record in (await verified(disposals, made.provider.ring, number)).records
    ]
    assert sorted(ids) == sorted(gone)


async def test_art_8_2_a_node_disposes_by_itself(made: Supervised) -> None:
    """Art. 8(2): nobody has to ask: the upkeep of a node finds what is due, and its certificate says that it was the node."""
    await settled(made)
    made.later(SEVEN_MONTHS)
    disposals = disposals_of(made.provider)
    upkeep = asyncio.create_task(disposals.run())
    async with asyncio.timeout(60):
        while not (found := await disposals.certificates(2**63 - 1, 10)):
            pass
    upkeep.cancel()
    assert [(1, UPKEEP)] == [(each.number, each.actor) for each in found]


async def test_art_8_2_the_log_verifies_after_a_disposal(made: Supervised) -> None:
    """Art. 8(2): what was told of a report and a measure stays in the log, and its receipt holds, after both are gone."""
    told, _, _ = await made.report()
    await made.oversight.reports.hand_over(told.report.report_id, ACTOR, "")
    await made.oversight.reports.settle(told.report.report_id, ACTOR, "no_violation", "")
    await appealed(made)
    await made.provider.deliver()
    said, before = await made.told(), await made.provider.count("outbox WHERE state = 1")
    made.later(SEVEN_MONTHS)
    assert 3 == len(await disposals_of(made.provider).dispose(UPKEEP))
    await made.oversight.clock.tick()
    await made.provider.deliver()
    assert said == (await made.told())[: len(said)]
    assert before <= await made.provider.count("outbox WHERE state = 1")
    (measure, *_) = (await made.oversight.measures.list_page("", MeasureState.UNSPECIFIED, 10, ""))[0]
    assert measure.report is not None
    assert "RECEIVED" == measure.report.state.name
    # A decision on the report that comes after its disposal is taken and changes nothing.
    await made.receive(await made.decide(told.report.report_id))
    assert 0 == await made.provider.count("report")


async def test_art_8_2_what_was_disposed_of_is_in_no_file_any_more(tmp_path: Path) -> None:
    """Art. 8(2): not even sealed: neither in the database file, in a free or a split page, nor in its write-ahead log."""
    database, ids = plain_database(tmp_path), report_ids(3_000)
    over, fresh = ids[:1_000], ids[1_000:]
    await database.write(lambda transaction: plant_reports(transaction, over))
    await database.write(lambda transaction: plant_reports(transaction, fresh, NOW))
    disposals = disposals_over(database)
    await hold(disposals, HoldScope.ESCALATION, over[7])
    assert ids == found_in(tmp_path, ids)
    assert 999 == sum(each.records for each in await disposals.dispose(UPKEEP))
    left = found_in(tmp_path, ids)
    await database.close()
    assert sorted([over[7], *fresh]) == sorted(left)


async def test_art_8_2_the_words_are_overwritten_where_they_lay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Art. 8(2): a file too large to be rewritten each time keeps no row of what was disposed of, free pages included."""
    monkeypatch.setattr(erasure, "COMPACT_BYTES", 0)
    database, ids = plain_database(tmp_path), report_ids(12)
    await database.write(lambda transaction: plant_reports(transaction, ids))
    await disposals_over(database).dispose(UPKEEP)
    left = found_in(tmp_path, ids)
    await database.close()
    assert [] == left


async def test_art_8_2_a_disposal_that_could_not_clean_the_file_does_it_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Art. 8(2): a reader that holds the file up holds up the cleaning and not the disposal."""
    monkeypatch.setattr(erasure, "BUSY_SECONDS", 0.1)
    database, ids = plain_database(tmp_path), report_ids(50)
    await database.write(lambda transaction: plant_reports(transaction, ids))
    disposals = disposals_over(database)
    reader = apsw.Connection(str(tmp_path / "plain.db"))
    reader.execute("BEGIN").execute("SELECT COUNT(*) FROM report").fetchall()
    assert 1 == len(await disposals.dispose(UPKEEP))
    assert ids == found_in(tmp_path, ids)
    with pytest.raises(Unavailable):
        await disposals.dispose(UPKEEP, compact=True)
    assert 1 == len(await disposals.certificates(2**63 - 1, 10))
    reader.close()
    assert [] == await disposals.dispose(UPKEEP)
    left = found_in(tmp_path, ids)
    await database.close()
    assert [] == left


async def test_art_8_2_killed_in_a_disposal_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Art. 8(2): a provider that is killed while it disposes holds each record, or a certificate of it, and never both."""
    program = (
        f"import asyncio; from tests.integration.disposals_under_fire import main; asyncio.run(main({str(tmp_path)!r}))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, limit=1_000_000
    )
    assert process.stdout is not None
    ids = (await process.stdout.readline()).decode().split()
    certified = [int(await process.stdout.readline()) for _ in range(10)][-1]
    process.kill()
    await process.wait()
    database = plain_database(tmp_path)
    kept = {report_id for (report_id,) in await rows_of(database, "SELECT report_id FROM report")}
    words = {report_id for (report_id,) in await rows_of(database, "SELECT report_id FROM report_statement")}
    gone = [record_id_of(bytes(record)) for (record,) in await rows_of(database, "SELECT record FROM disposed_record")]
    counts = await rows_of(database, "SELECT number, records FROM disposal_certificate ORDER BY number")
    await database.close()
    assert kept == words
    assert sorted(ids) == sorted([*kept, *gone])
    assert certified <= len(gone) == sum(count for _, count in counts) < len(ids)
    assert [*range(1, len(counts) + 1)] == [number for number, _ in counts]


def found_in(folder: Path, ids: Sequence[str]) -> list[str]:
    """The reports of which some of the words lie in a file of a folder."""
    everything = b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())
    return [report_id for report_id in ids if words_of(report_id)[:34] in everything]


async def rows_of(database: Database, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return await database.read(lambda transaction: transaction.execute(query))
