"""What goes wrong under a database, by real means: full disks, locks, damaged files, killed processes.

Each fault has its own error that says the mend, nobody is told of success that is not stored, and the node goes on by
itself once the fault is gone.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from shared.database import Database, Transaction, open_database, sqlite_url
from shared.errors import Exhausted, FailedPrecondition, FilingnetError, Internal, Unavailable
from tests.faults.injected import Fault, Point, Strace
from tests.integration.note_samples import PLANTED, child, insert, numbers, overwrite, write_migrations

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
    return write_migrations(tmp_path)


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


@pytest.fixture
async def database(sqlite: Path, migrations: Path) -> AsyncIterator[Database]:
    opened = open_database(sqlite_url(sqlite), migrations, busy_seconds=0.1)
    yield opened
    await opened.close()


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


@pytest.mark.parametrize(
    ("call", "number"),
    [("openat", 2), ("openat", 3), ("ftruncate", 1), ("pwrite64", 1)],
    ids=["log", "index-of-the-log", "index-emptied", "index-grown"],
)
async def test_a_log_that_could_not_be_opened_is_opened_anew(
    sqlite: Path, migrations: Path, tmp_path: Path, call: str, number: int
) -> None:
    """Guards: no room to open the log or its index for writing is said as such; the next write opens it, without a restart."""
    of_others = {thread.native_id for thread in threading.enumerate()}
    database = open_database(sqlite_url(sqlite), migrations, busy_seconds=0.1)
    threads = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("database-writer")}
    (writer,) = threads - of_others
    assert writer is not None
    with Strace(tmp_path / "calls", {"writer": writer}, Fault(Point("writer", call, number), "ENOSPC")) as strace:
        with pytest.raises(FailedPrecondition) as refused:
            await database.write(insert(1))
        assert strace.fired
        assert "STORAGE_CANNOT_OPEN" == refused.value.reason
        assert "room" in refused.value.message
        await database.write(insert(2))
    assert [2] == await database.read(numbers)
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
    await database.write(lambda t: t.execute("PRAGMA max_page_count = 12"))

    def work(transaction: Transaction) -> None:
        try:
            transaction.executemany(
                "INSERT INTO note (number, text) VALUES (?, ?)", ((n, "x" * 4_000) for n in range(100))
            )
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


@pytest.mark.parametrize("name", ["missing/node.db", "."])
def test_a_path_that_cannot_hold_a_file_is_refused(name: str, tmp_path: Path, migrations: Path) -> None:
    """Guards: a missing folder, or a folder in the file's place, is refused at the start with the mend."""
    with pytest.raises(FailedPrecondition) as refused:
        open_database(sqlite_url(tmp_path / name), migrations)
    assert "STORAGE_CANNOT_OPEN" == refused.value.reason
    assert "folder" in refused.value.message


@pytest.mark.parametrize("sought", [f'"{PLANTED}', "planted8341:x"])
async def test_a_quoted_value_is_left_out(database: Database, sought: str) -> None:
    """Guards: where SQLite's own sentence quotes a value, ours does not."""
    await database.write(lambda t: t.execute("CREATE VIRTUAL TABLE words USING fts5(word)"))
    with pytest.raises(Internal) as refused:
        await database.read(lambda t: t.execute("SELECT * FROM words WHERE words MATCH ?", (sought,)))
    assert "8341" not in f"{refused.value} {refused.value.__cause__!r} {refused.value.__context__!r}"
