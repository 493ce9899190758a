"""The two files of the vault and the one thread that touches them.

`keys.db` holds the wrapped data keys, `vault.db` the ciphertexts. They are apart so that a backup of one is worth
nothing without the other, and one connection holds both, so that a transaction changes both or neither (SQLite commits
attached files through a super-journal, which needs rollback journals, not WAL). `secure_delete` overwrites what is
deleted and the journal goes with each commit: a shredded key is in no live file afterwards, and so in no later backup.

What is waiting is committed as one transaction, with a savepoint for each work: an fsync serves many.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from shared.durable_files import make_folder
from shared.errors import FailedPrecondition
from shared.storage.sqlite_faults import sqlite_fault, system_fault

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

MOST_WORKS_TOGETHER = 256
BUSY_TIMEOUT_MILLISECONDS = 5_000

KEYS_SCHEMA = """
CREATE TABLE IF NOT EXISTS main.root(
    version INTEGER PRIMARY KEY, master_version INTEGER NOT NULL, wrapped BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS main.data_key(
    reference BLOB NOT NULL, key_version INTEGER NOT NULL, master_version INTEGER NOT NULL, wrapped BLOB NOT NULL,
    PRIMARY KEY(reference, key_version)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS main.data_key_master ON data_key(master_version);
"""
VAULT_SCHEMA = """
CREATE TABLE IF NOT EXISTS vault.identity(
    reference BLOB NOT NULL, key_version INTEGER NOT NULL, kind TEXT NOT NULL, real_name BLOB NOT NULL,
    id_number BLOB NOT NULL, phone BLOB NOT NULL, organisation_name BLOB, uscc BLOB,
    PRIMARY KEY(reference, key_version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vault.blind_index(
    token BLOB NOT NULL, reference BLOB NOT NULL, key_version INTEGER NOT NULL,
    PRIMARY KEY(token, reference, key_version)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vault.blind_index_reference ON blind_index(reference);
CREATE TABLE IF NOT EXISTS vault.unsettled(reference BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vault.audit(
    number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, action TEXT NOT NULL, reference BLOB NOT NULL,
    purpose TEXT NOT NULL, reader TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS vault.audit_reference ON audit(reference);
"""


def open_keys(folder: Path) -> apsw.Connection:
    """Opens `keys.db` in a folder, creating both (modes 0600 and 0700)."""
    make_folder(folder)
    connection = _private(folder / "keys.db")
    _set_up(connection, "main", KEYS_SCHEMA)
    return connection


def attach_vault(connection: apsw.Connection, folder: Path, key: bytes) -> None:
    """Attaches `vault.db`, encrypted as a whole under a key of 32 bytes.

    Raises:
        FailedPrecondition: The file belongs to other keys.
    """
    path = folder / "vault.db"
    if not path.exists():
        _private(path).close()
    try:
        connection.execute("ATTACH DATABASE ? AS vault KEY ?", (str(path), f"raw:{key.hex()}"))
        _set_up(connection, "vault", VAULT_SCHEMA)
    except apsw.NotADBError:
        raise FailedPrecondition(
            f"{path} does not open with the keys in keys.db: the two files are not of the same vault",
            reason="VAULT_FILES_DIFFER",
        ) from None


def _private(path: Path) -> apsw.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise system_fault(error) from None
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MILLISECONDS)
    return connection


def _set_up(connection: apsw.Connection, schema: str, tables: str) -> None:
    try:
        for pragma in ("secure_delete=ON", "journal_mode=DELETE", "synchronous=EXTRA"):
            connection.execute(f"PRAGMA {schema}.{pragma}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(tables)
    except (apsw.IOError, apsw.CantOpenError) as error:
        raise sqlite_fault(error, connection.system_errno) from None


class VaultThread:
    """Runs works on the vault's connection, one after the other, and commits those that wait together.

    Args:
        connection: The connection with both files; the thread owns it from now on and closes it.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="vault", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """Runs a work in a transaction over both files and returns its result once that is durable.

        Raises:
            Exception: What the work raised; only its own changes are rolled back.
        """
        waiting = _Waiting(work, asyncio.get_running_loop())
        self._waiting.put(waiting)
        result: T = await waiting.future
        return result

    async def close(self) -> None:
        """Finishes what is waiting and closes the files."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while True:
            together, last = self._take()
            if together:
                self._commit(together)
            if last:
                self._connection.close()
                return

    def _take(self) -> tuple[list[_Waiting], bool]:
        together: list[_Waiting] = []
        waiting = self._waiting.get()
        while waiting is not None:
            together.append(waiting)
            if len(together) == MOST_WORKS_TOGETHER:
                return together, False
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                return together, False
        return together, True

    def _commit(self, together: list[_Waiting]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for waiting in together:
                self._try(waiting)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be told that the work was done
            fault = sqlite_fault(error, self._connection.system_errno)
            if not self._connection.get_autocommit():
                self._connection.execute("ROLLBACK")
            for waiting in together:
                waiting.error = fault
        for waiting in together:
            waiting.release()

    def _try(self, waiting: _Waiting) -> None:
        self._connection.execute("SAVEPOINT work")
        try:
            waiting.result = waiting.work(self._connection)
        except Exception as error:
            if self._connection.get_autocommit():
                # SQLite gave up the whole transaction, so that nobody's work is in.
                raise
            waiting.error = sqlite_fault(error, self._connection.system_errno)
            self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")


class _Waiting:
    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.future: asyncio.Future[Any] = loop.create_future()
        self._loop = loop

    def release(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)
