"""A table to write to, and what the tests of the database do with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.database import Transaction

PLANTED = "planted-value-8341"
"""Stands for a value that no error may show."""

NOTES = '''
def up(migrator, db):
    """Creates the tables of these tests."""
    blob = "BLOB" if "Sqlite" in str(type(db).__mro__) else "BYTEA"
    db.execute_sql(f"CREATE TABLE note (number BIGINT NOT NULL PRIMARY KEY, text TEXT, data {blob}, flag SMALLINT)")
    db.execute_sql("CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)")
'''


def write_migrations(folder: Path) -> Path:
    """Makes a folder with one migration, which creates the table `note`, and returns the folder."""
    migrations = folder / "migrations"
    migrations.mkdir()
    (migrations / "0001_notes.py").write_text(NOTES)
    return migrations


def insert(number: int, text: str = "") -> Callable[[Transaction], None]:
    """Returns a work that stores one note."""
    return lambda transaction: transaction.insert_many("note", ("number", "text"), [(number, text)])


def numbers(transaction: Transaction) -> list[int]:
    """Reads the numbers of all notes, in order."""
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


def overwrite(file: Path, start: int) -> None:
    """Overwrites a file from a byte on."""
    size = file.stat().st_size
    assert size > start
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xa5" * (size - start))
