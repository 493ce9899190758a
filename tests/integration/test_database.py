"""One contract, two engines: what `shared.database` promises, on a SQLite file and on a PostgreSQL server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import peewee
import pytest

from shared.database import Database, Transaction, open_database
from shared.errors import Conflict, FilingnetError, Internal, Unavailable
from tests.integration.note_samples import PLANTED, insert, numbers, write_migrations


class Note(peewee.Model):
    """The table of these tests, as an unbound model."""

    number = peewee.BigIntegerField(primary_key=True)
    text = peewee.TextField(null=True)
    data = peewee.BlobField(null=True)
    flag = peewee.SmallIntegerField(null=True)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    return write_migrations(tmp_path)


@pytest.fixture
async def database(database_url: str, migrations: Path) -> AsyncIterator[Database]:
    opened = open_database(database_url, migrations)
    yield opened
    await opened.close()


class Gate:
    """Holds a work in its thread until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, transaction: Transaction) -> None:
        self.reached.set()
        assert self.opened.wait(30)

    async def wait_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 30)


async def test_a_read_sees_what_a_write_has_returned(database: Database) -> None:
    """Guards: a read that begins after a write returned sees it, whichever connection it gets."""
    for number in range(40):
        await database.write(insert(number))
        assert list(range(number + 1)) == await database.read(numbers)


async def test_a_failing_work_is_undone_alone(database: Database) -> None:
    """Guards: in a shared commit a work that raises undoes only its own changes, and only its caller is told."""

    def failing(number: int) -> Callable[[Transaction], None]:
        def work(transaction: Transaction) -> None:
            insert(number)(transaction)
            raise LookupError(str(number))

        return work

    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await gate.wait_reached()
    writes = [database.write(failing(n) if n % 3 == 0 else insert(n)) for n in range(30)]
    others = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(0)
    gate.opened.set()
    outcomes = await others
    await first
    stored = [number for number in range(30) if number % 3]
    assert stored == await database.read(numbers)
    assert stored == [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert [str(n) for n in range(0, 30, 3)] == [str(outcome) for outcome in outcomes if outcome is not None]


async def test_the_first_of_a_commit_may_fail(database: Database) -> None:
    """Guards: when the work that began the transaction raises, those behind it are stored all the same."""
    gate = Gate()

    def failing(transaction: Transaction) -> None:
        insert(1)(transaction)
        gate(transaction)
        raise LookupError

    first = asyncio.create_task(database.write(failing))
    await gate.wait_reached()
    second = asyncio.create_task(database.write(insert(2)))
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(LookupError):
        await first
    await second
    assert [2] == await database.read(numbers)


async def test_a_read_keeps_its_snapshot(database: Database) -> None:
    """Guards: all statements of one read see the same state, whatever commits meanwhile."""
    gate = Gate()

    def work(transaction: Transaction) -> tuple[list[int], list[int]]:
        before = numbers(transaction)
        gate(transaction)
        return before, numbers(transaction)

    await database.write(insert(1))
    reading = asyncio.create_task(database.read(work))
    await gate.wait_reached()
    await database.write(insert(2))
    gate.opened.set()
    assert ([1], [1]) == await reading
    assert [1, 2] == await database.read(numbers)


async def test_reads_run_while_a_write_is_open(database: Database) -> None:
    """Guards: a read neither waits for an open write nor sees what it has not committed."""
    gate = Gate()

    def work(transaction: Transaction) -> None:
        insert(1)(transaction)
        gate(transaction)

    writing = asyncio.create_task(database.write(work))
    await gate.wait_reached()
    assert [] == await database.read(numbers)
    gate.opened.set()
    await writing
    assert [1] == await database.read(numbers)


async def test_close_finishes_what_waits(database_url: str, migrations: Path) -> None:
    """Guards: works that were taken in before `close` are stored, and later ones are refused."""
    database = open_database(database_url, migrations)
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await gate.wait_reached()
    waiting = [asyncio.create_task(database.write(insert(number))) for number in range(20)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(first, closing, *waiting)
    with pytest.raises(Unavailable) as refused:
        await database.write(insert(99))
    assert "STORAGE_CLOSED" == refused.value.reason
    again = open_database(database_url, migrations)
    assert list(range(20)) == await again.read(numbers)
    await again.close()


async def test_an_abandoned_work_is_not_begun(database: Database) -> None:
    """Guards: a call that was cancelled while it waited has no effect."""
    gates = [Gate() for _ in range(8)]
    holding = [asyncio.create_task(database.write(gate)) for gate in gates]
    await gates[0].wait_reached()
    abandoned = asyncio.create_task(database.write(insert(1)))
    await asyncio.sleep(0)
    abandoned.cancel()
    for gate in gates:
        gate.opened.set()
    await asyncio.gather(*holding)
    await database.write(insert(2))
    assert [2] == await database.read(numbers)


VALUES = [
    (1, "名称 𠮷 ünïcode", b"\x00\xff\\", 1),
    (2, "tab\t, newline\n, return\r, backslash \\N \\. 'quotes\" %s ? %%", b"", 0),
    (3, None, None, None),
    (4, "\\N", bytes(range(256)), True),
    (2**63 - 1, "", b"x" * 100_000, False),
    (-(2**63), "null", None, -32768),
]


@pytest.mark.parametrize("repeat", [1, 20])
async def test_insert_many_keeps_every_value(database: Database, repeat: int) -> None:
    """Guards: values come back as they were given, by the way for few rows and by the way for many."""
    others = [(1000 + number, str(number), None, None) for number in range(repeat)]
    await database.write(lambda t: t.insert_many("note", ("number", "text", "data", "flag"), [*VALUES, *others]))
    rows = await database.read(lambda t: t.execute("SELECT number, text, data, flag FROM note ORDER BY number"))
    assert sorted([*VALUES, *others]) == rows


async def test_executemany_runs_for_each_row(database: Database) -> None:
    """Guards: executemany takes any iterable of rows and runs its statement once for each."""
    rows = ((number, f"note {number}") for number in range(1000))
    await database.write(lambda t: t.executemany("INSERT INTO note (number, text) VALUES (?, ?)", rows))
    await database.write(lambda t: t.executemany("UPDATE note SET text = ? WHERE number = ?", [("x", 1), ("y", 2)]))
    found = await database.read(
        lambda t: t.execute("SELECT text FROM note WHERE number BETWEEN ? AND ? ORDER BY number", (0, 3))
    )
    assert [("note 0",), ("x",), ("y",), ("note 3",)] == found


async def test_question_marks_in_quotes_are_not_parameters(database: Database) -> None:
    """Guards: one spelling of a statement serves both engines, with quotes, comments and percent signs in it."""
    sql = """SELECT ?, '?', 'it''s %s ?', 5 % 3, text AS "what?" -- and this? 100 %
        FROM note /* or ? */ WHERE text LIKE '%?%' AND number = ?"""
    await database.write(insert(7, "why? 100 %"))
    assert [("a", "?", "it's %s ?", 2, "why? 100 %")] == await database.read(lambda t: t.execute(sql, ("a", 7)))
    bare = "SELECT '?', 5 % 3 FROM note WHERE text LIKE '%?%'"
    assert [("?", 2)] == await database.read(lambda t: t.execute(bare))


async def test_sums_and_truths_are_the_same_numbers(database: Database) -> None:
    """Guards: a sum of whole numbers is a whole number and a truth is 0 or 1, on both engines."""
    await database.write(lambda t: t.insert_many("note", ("number", "flag"), [(1, True), (2, False)]))
    sql = "SELECT SUM(number), SUM(flag), COUNT(*), AVG(number), EXISTS (SELECT 1 FROM note) FROM note WHERE flag <= ?"
    ((total, flags, count, mean, exists),) = await database.read(lambda t: t.execute(sql, (True,)))
    assert (3, 1, 2, 1.5, 1) == (total, flags, count, mean, exists)
    assert {int, float, bool} >= {type(total), type(flags), type(count), type(mean), type(exists)}


async def test_peewee_queries_over_unbound_models(database: Database) -> None:
    """Guards: the same peewee query runs on both engines on the transaction's own connection."""

    def work(transaction: Transaction) -> list[tuple[object, ...]]:
        transaction.query(Note.insert(number=1, text="first", data=b"\x00", flag=0))
        transaction.query(Note.insert_many([{"number": 2, "text": "50 %?"}, {"number": 3, "text": "third"}]))
        upsert = Note.insert(number=3, text="changed").on_conflict(conflict_target=[Note.number], preserve=[Note.text])
        transaction.query(upsert)
        transaction.query(Note.update(flag=Note.flag + 1).where(Note.number == 1))
        transaction.query(Note.delete().where(Note.text == "50 %?"))
        returned = transaction.query(Note.update(flag=5).where(Note.number == 3).returning(Note.number, Note.flag))
        assert [(3, 5)] == returned
        return transaction.query(Note.select(Note.number, Note.text, Note.data, Note.flag).order_by(Note.number.desc()))

    assert [(3, "changed", None, 5), (1, "first", b"\x00", 1)] == await database.write(work)


async def test_a_key_twice_is_a_conflict(database: Database) -> None:
    """Guards: the same error for a key that is there already; it names the constraint and no value."""
    await database.write(lambda t: t.execute("INSERT INTO counter VALUES (?, 1)", (PLANTED,)))
    with pytest.raises(Conflict) as refused:
        await database.write(lambda t: t.execute("INSERT INTO counter VALUES (?, 2)", (PLANTED,)))
    assert "STORAGE_CONFLICT" == refused.value.reason
    assert "counter" in refused.value.message
    assert PLANTED not in refused.value.message


@pytest.mark.parametrize(
    ("sql", "parameters", "reason"),
    [
        ("INSERT INTO counter VALUES (?, NULL)", (PLANTED,), "STORAGE_CONSTRAINT"),
        ("INSERT INTO nowhere VALUES (?)", (PLANTED,), "STORAGE_FAILED"),
        ("SELECT CAST(? AS BIGINT) / zero FROM note", (PLANTED,), "STORAGE_FAILED"),
    ],
)
async def test_a_wrong_statement_is_the_programs_fault(
    database: Database, sql: str, parameters: tuple[object, ...], reason: str
) -> None:
    """Guards: a refused statement is an internal error without any value, and the connection goes on."""
    for run in (database.write, database.read) if sql.startswith("SELECT") else (database.write,):
        with pytest.raises(Internal) as refused:
            await run(lambda t: t.execute(sql, parameters))
        assert reason == refused.value.reason
        assert PLANTED not in f"{refused.value.message} {refused.value.__cause__} {refused.value.__context__}"
    await database.write(insert(1))
    assert [1] == await database.read(numbers)


async def test_a_read_cannot_write(database: Database) -> None:
    """Guards: a change in a read is refused and not stored."""
    with pytest.raises(FilingnetError):
        await database.read(insert(1))
    assert [] == await database.read(numbers)


async def test_a_transaction_ends_with_its_work(database: Database) -> None:
    """Guards: a transaction that was kept cannot be used once its work has returned."""
    kept = await database.write(lambda transaction: transaction)
    with pytest.raises(RuntimeError):
        kept.execute("SELECT 1")


async def test_a_lock_orders_writers_of_several_processes(database_url: str, migrations: Path) -> None:
    """Guards: what is read under a lock and written back is never lost, though several nodes share the database."""
    databases = [open_database(database_url, migrations) for _ in range(2)]
    await databases[0].write(lambda t: t.execute("INSERT INTO counter VALUES ('hits', 0)"))

    def count(transaction: Transaction) -> int:
        transaction.lock("counter/hits")
        ((value,),) = transaction.execute("SELECT value FROM counter WHERE name = ?", ("hits",))
        transaction.execute("UPDATE counter SET value = ? WHERE name = ?", (value + 1, "hits"))
        return int(value) + 1

    counted = await asyncio.gather(*(databases[turn % 2].write(count) for turn in range(100)))
    assert list(range(1, 101)) == sorted(counted)
    for database in databases:
        await database.close()
