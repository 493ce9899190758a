"""A check of a register finds each kind of damage, names the row, and mends what the log can mend, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from regulator_node.fsck import Findings, check_register, in_order
from regulator_node.fsck_log import CheckedRun
from regulator_node.fsck_tables import KEYS
from regulator_node.log import RegisterLog
from regulator_node.settings import MIGRATIONS
from regulator_node.text_index import row_number
from shared.database import Transaction, open_database, sqlite_url
from shared.evidence.checkpoints import Checkpoint, sign_checkpoint
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2
from shared.provisions.label_rights import LabelAction, LabelScope
from tests.integration import test_joined_cases as joined
from tests.integration import test_register_cases as cases
from tests.integration.case_samples import Provinces, provinces
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    REGULATOR,
    Register,
    made_up_entry,
    made_up_filing,
)
from tests.integration.label_samples import DAY, LabelOffice, body_entry, made_up_grant, made_up_request, new_id
from tests.integration.test_intake_kinds import duty_profile, warning


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[LabelOffice]:
    """A register with entries of every kind: runs of several and of parts of a batch, revisions and decisions."""
    office = LabelOffice(await Register.open(database_url))
    account, second, grant = new_id(), new_id(), new_id()
    await office.register.submit(
        made_up_entry(made_up_filing(account)),
        made_up_entry(made_up_filing(second, category="no_such_category"), sequence=2),
        body_entry("label_grant", made_up_grant(account, grant), sequence=3),
        body_entry("escalation", warning(account), sequence=4),
        body_entry("duty_profile", duty_profile(), sequence=5),
    )
    await office.file(second)
    await office.register.submit(made_up_entry(made_up_filing(account, 2, display_name="样例改名号")))
    asked = made_up_request(second)
    await office.state(asked)
    await office.approve(asked, LabelScope.REPRINT, NOW + 90 * DAY)
    await office.state(made_up_grant(account, grant, 2, action=LabelAction.REVOKE, reason="owner_request"))
    yield office
    await office.register.database.close()


async def check(office: LabelOffice, *, repair: bool = False, keys: KeyRing | None = None) -> Findings:
    """Checks the register."""
    return await check_register(office.register.database, MIGRATIONS, keys or office.register.ring, repair=repair)


async def damage(office: LabelOffice, sql: str, *values: object) -> None:
    """Changes the database behind the register's back."""

    def work(transaction: Transaction) -> None:
        transaction.execute(sql, values)

    await office.register.database.write(work)


async def test_a_whole_register_is_whole(office: LabelOffice) -> None:
    """Nothing is found where nothing is wrong; every kind of entry was replayed."""
    found = await check(office)
    assert ([], True) == (found.rows(), found.whole)
    assert found.logs[JURISDICTION] >= 8


@pytest.mark.parametrize(
    ("sql", "values", "table", "row", "problem"),
    [
        ("UPDATE log_entry SET entry = ? WHERE log_index = 1", (b"\x0a\x01x",), "log_entry", "330000/1", "bytes"),
        ("DELETE FROM log_entry WHERE log_index = 2", (), "log_entry", "330000/2", "missing"),
        ("UPDATE log_entry SET origin = 'provider/delta' WHERE log_index = 0", (), "log_entry", "330000/0", "columns"),
        ("DELETE FROM run WHERE first_index = 4", (), "run", "330000/4", "no run holds"),
        ("DELETE FROM run WHERE first_index > 4", (), "log", "330000", "its size is"),
        ("UPDATE run SET acknowledgement = ? WHERE first_index = 4", (b"\xff",), "run", "330000/4", "cannot be read"),
        ("UPDATE run SET batch_signature = ? WHERE first_index = 4", (bytes(64),), "run", "330000/4", "signature"),
        ("UPDATE run SET size = 9 WHERE first_index = 4", (), "run", "330000/4", "its size is 9"),
        ("UPDATE log SET size = size - 1", (), "log", "330000", "its size is"),
        ("UPDATE log SET frontier = ?", (bytes(32),), "log", "330000", "frontier"),
        ("UPDATE log SET checkpoint = ?", (b"x\n\n",), "log", "330000", "checkpoint"),
    ],
)
async def test_damage_of_the_log_is_named_and_never_repaired(
    office: LabelOffice, sql: str, values: tuple[object, ...], table: str, row: str, problem: str
) -> None:
    """Bytes, runs, signatures, heads: each is found, with its row; --repair leaves all as it is."""
    await damage(office, sql, *values)
    found = await check(office, repair=True)
    assert not found.whole
    assert not found.mended
    named = [each for each in found.problems if (each.table, each.row) == (table, row)]
    assert any(problem in each.problem for each in named), found.rows()


async def test_a_head_of_another_log_is_found(office: LabelOffice) -> None:
    """A checkpoint that the regulator did sign, and that is not this log's."""
    size = (await check(office)).logs[JURISDICTION]
    other = sign_checkpoint(Checkpoint(f"filingnet/log/{JURISDICTION}", size, bytes(32)), office.register.key)
    await damage(office, "UPDATE log SET checkpoint = ?", other)
    found = await check(office)
    assert ["its checkpoint signs another log"] == [each.problem[:32] for each in found.problems]


async def test_keys_that_are_not_the_networks_verify_nothing(office: LabelOffice) -> None:
    """With another regulator's key no head holds."""
    stranger = SigningKey.generate().verifying_key
    keys = KeyRing({"regulator/330000": [stranger], "provider/wave": [stranger]})
    assert not (await check(office, keys=keys)).whole


@pytest.mark.parametrize(
    ("sql", "table", "problem"),
    [
        ("UPDATE filing SET category = 'sports' WHERE log_index = 0", "filing", "not what the log says: category"),
        ("UPDATE filing SET superseded_time = NULL WHERE log_index = 0", "filing", "superseded_time"),
        ("DELETE FROM filing WHERE log_index = 4", "filing", "missing"),
        ("UPDATE label SET scope = scope + 1 WHERE log_index = 1", "label", "scope"),
        ("UPDATE label_grant SET end_time = end_time + 1", "label_grant", "end_time"),
        ("DELETE FROM label_grant", "label_grant", "missing"),
        ("UPDATE label_decision SET note = '样例'", "label_decision", "note"),
        ("DELETE FROM directive", "directive", "missing"),
        ("UPDATE measure SET gravity = 9", "measure", "gravity"),
        ("DELETE FROM escalation_thread", "escalation_thread", "missing"),
        ("UPDATE duty_profile SET staff = 1", "duty_profile", "staff"),
        (
            "INSERT INTO directive (jurisdiction, addressee, log_index) VALUES ('330000', 'provider/delta', 1)",
            "directive",
            "no entry",
        ),
    ],
)
async def test_rows_that_the_log_does_not_say_are_named_and_replayed(
    office: LabelOffice, sql: str, table: str, problem: str
) -> None:
    """Changed, missing and made-up rows are named; --repair makes them what the log says, and the check is clean again."""
    await damage(office, sql)
    found = await check(office)
    assert ([], False) == (found.problems, found.whole)
    assert {table} == {each.table for each in found.differences}
    assert all(problem in each.problem for each in found.differences)
    mended = await check(office, repair=True)
    assert (True, True) == (mended.mended, mended.whole)
    again = await check(office)
    assert ([], True) == (again.rows(), again.whole)


async def test_no_value_is_told(office: LabelOffice) -> None:
    """What is wrong is told by table, key and column; what stands there is nobody's business."""
    await damage(office, "UPDATE filing SET display_name = '样例不该说' WHERE log_index = 0")
    assert "样例不该说" not in repr((await check(office)).rows())


@pytest.mark.parametrize(
    "story",
    [
        cases.test_art_9_an_order_is_directed_acknowledged_and_carried_out,
        cases.test_art_9_an_order_that_cannot_be_carried_out_is_decided_again,
        cases.test_art_8_2_a_granted_appeal_has_the_measure_undone,
    ],
)
async def test_cases_leave_no_difference(
    database_url: str, tmp_path: Path, story: Callable[[Provinces], Awaitable[None]]
) -> None:
    """Orders, answers, measures and appeals are replayed to the very rows; a changed one is named and mended."""
    async with provinces(database_url, tmp_path) as both:
        await story(both)
        database, ring = both.register.database, both.register.ring
        found = await check_register(database, MIGRATIONS, ring)
        assert ([], True) == (found.rows(), found.whole)

        def spoil(transaction: Transaction) -> None:
            for table in ("escalation_decision", "order_answer"):
                transaction.execute(f"UPDATE {table} SET reason = 'x'")

        await database.write(spoil)
        found = await check_register(database, MIGRATIONS, ring, repair=True)
        assert {"escalation_decision", "order_answer"} == {each.table for each in found.differences}
        assert (await check_register(database, MIGRATIONS, ring)).whole


@pytest.mark.parametrize(
    "story",
    [
        cases.test_art_9_an_assigned_case_is_decided_as_it_was_seen,
        joined.test_answer_2_a_report_and_complaints_at_once_are_one_case,
        joined.test_answer_2_a_joined_report_that_nobody_decides_rises_as_one,
        joined.test_answer_2_a_complaint_at_the_nation_joins_the_report_of_a_province,
    ],
)
async def test_officers_and_complainants_leave_no_difference(
    database_url: str, tmp_path: Path, story: Callable[[Provinces], Awaitable[None]]
) -> None:
    """What is assigned, joined, merged and complained of is none of the log's, and no damage."""
    async with provinces(database_url, tmp_path) as both:
        await story(both)
        found = await check_register(both.register.database, MIGRATIONS, both.register.ring)
        assert ([], True) == (found.rows(), found.whole)


@pytest.mark.parametrize(
    ("sql", "table", "problem"),
    [
        ("UPDATE case_file SET due_time = due_time + 1", "case_file", "not what follows from its events: due_time"),
        ("UPDATE case_file SET shown_state = 9, assignee = 'x'", "case_file", "shown_state, assignee"),
        ("UPDATE case_file SET baseline = 1", "case_file", "not what the log says: baseline"),
        ("DELETE FROM case_file", "case_file", "missing"),
        ("DELETE FROM case_event WHERE source = '330000'", "case_event", "missing"),
        ("UPDATE case_event SET reason = 'x' WHERE source = '330000'", "case_event", "reason"),
        ("DELETE FROM case_code", "case_code", "missing"),
    ],
)
async def test_a_damaged_case_is_named_and_stands_again(
    database_url: str, tmp_path: Path, sql: str, table: str, problem: str
) -> None:
    """What logs say of a case is replayed; how it stands follows from that and from what officers did, who keep it."""
    async with provinces(database_url, tmp_path) as both:
        _, view = await cases.reported(both)
        case_id = id_text(view.file.case_id)
        before = await both.office.desk.assign(case_id, "review-desk-2", view.etag)
        database, ring = both.register.database, both.register.ring
        await database.write(lambda transaction: transaction.execute(sql))
        found = await check_register(database, MIGRATIONS, ring)
        assert any(row["table"] == table and problem in str(row["problem"]) for row in found.rows()), found.rows()
        assert (await check_register(database, MIGRATIONS, ring, repair=True)).whole
        assert ([], True) == ((again := await check_register(database, MIGRATIONS, ring)).rows(), again.whole)
        after = await both.cases.get(JURISDICTION, case_id)
        assert (before.standing, before.happened) == (after.standing, after.happened)


async def test_a_complaint_without_its_case_is_named(database_url: str, tmp_path: Path) -> None:
    """Complaints are in no log: one whose case is not there is told, and stays."""
    async with provinces(database_url, tmp_path) as both:
        await joined.test_answer_2_a_report_and_complaints_at_once_are_one_case(both)
        database, ring = both.register.database, both.register.ring
        await database.write(lambda transaction: transaction.execute("UPDATE complaint SET account_id = case_id"))
        found = await check_register(database, MIGRATIONS, ring, repair=True)
        assert {"complaint"} == {row["table"] for row in found.rows()}
        assert not found.whole


async def test_names_that_the_index_does_not_hold_are_found(office: LabelOffice) -> None:
    """A filing that is not found by its name, or by another's: named, and indexed anew, on both engines."""
    database, at = office.register.database, row_number(JURISDICTION, 0)

    def spoil(transaction: Transaction) -> None:
        if transaction.dialect == "sqlite":
            transaction.execute("INSERT INTO filing_text (rowid, tokens) VALUES (?, '样例 另外')", (at,))
        else:
            transaction.execute("UPDATE filing_text SET tokens = ARRAY['另外'] WHERE log_index = 0")

    await database.write(spoil)
    found = await check(office)
    assert [("filing_text", "330000/0")] == [(row["table"], row["row"]) for row in found.rows()]
    assert (await check(office, repair=True)).whole
    assert (await check(office)).whole


async def test_a_feed_lacks_nothing_and_repeats_nothing(office: LabelOffice) -> None:
    """At the nation: what a province was not fed is added at the end, what is none of its is taken out, nothing is moved."""
    register, key = office.register, SigningKey.generate()
    nation = RegisterLog("regulator/100000", "100000", key)
    decision = decision_pb2.FilingDecision(provider="provider/wave", revision=1)

    def found_nation(transaction: Transaction) -> None:
        nation.create(transaction, NOW)
        nation.append_own(transaction, [("filing_decision", decision)], NOW)

    def positions(transaction: Transaction) -> list[int]:
        return [
            int(position) for (position,) in transaction.execute("SELECT position FROM region_feed ORDER BY position")
        ]

    await register.database.write(found_nation)
    await register.submit(made_up_entry(made_up_filing(new_id(), subject_region="440000"), sequence=9))
    await register.submit(made_up_entry(made_up_filing(new_id(), subject_region="440000"), sequence=10))
    others = {PROVIDER: [register.provider_key.verifying_key], REGULATOR: [register.key.verifying_key]}
    keys = KeyRing({**others, "regulator/100000": [key.verifying_key]})
    missing = await check(office, keys=keys)
    fed = [row["row"] for row in missing.rows() if row["table"] == "region_feed"]
    assert 2 == len(fed)
    assert (await check(office, repair=True, keys=keys)).whole
    assert (await check(office, keys=keys)).whole
    before = await register.database.read(positions)
    await damage(
        office, "UPDATE region_feed SET log_index = 0 WHERE position = (SELECT MIN(position) FROM region_feed)"
    )
    found = await check(office, keys=keys)
    assert ["it is missing", "no entry of the log makes such a row"] == [row["problem"] for row in found.rows()]
    assert (await check(office, repair=True, keys=keys)).whole
    after = await register.database.read(positions)
    assert 2 == len(after)
    assert before[-1] == after[0]
    # Its readers have read it in this order, and it is told, not moved.
    assert ["the order is not that of the log; whoever read it has it so"] == [
        row["problem"] for row in (await check(office, keys=keys)).rows()
    ]


def test_what_was_forwarded_is_replayed_in_the_order_of_its_log() -> None:
    """A decision follows its filing, whatever a clock that was behind said of it; other logs keep their own times."""
    told = [("330000", 0, 50), ("330000", 1, 40), ("440000", 7, 45), ("330000", 2, 60)]
    runs = [CheckedRun(log, [(index, entry_pb2.Entry())], time) for log, index, time in told]
    placed = [(time, run.jurisdiction, run.entries[0][0]) for time, run in in_order(runs)]
    assert [(45, "440000", 7), (50, "330000", 0), (50, "330000", 1), (60, "330000", 2)] == placed


async def test_every_key_is_the_tables_own(tmp_path: Path) -> None:
    """Rows are compared by primary key: the list of keys is that of the migrations."""
    file = tmp_path / "register.db"
    await open_database(sqlite_url(file), MIGRATIONS).close()
    connection = apsw.Connection(str(file))
    for table, key in KEYS.items():
        columns = connection.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk")
        assert [name for (name,) in columns] == list(key), table
