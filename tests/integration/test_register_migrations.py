"""A register that an older program made, with entries in it, is brought up to date to what the newest would have made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from regulator_node.follow_servicer import read_region
from shared.clock import micros
from shared.database import Database, Transaction, open_database, sqlite_url
from tests.conftest import fresh_database
from tests.integration.entry_disposal_samples import copied
from tests.integration.filing_samples import MIGRATIONS
from tests.integration.filing_samples import NOW as MADE
from tests.integration.test_entry_disposal import region

COLUMNS = {
    "sqlite": "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    " AND m.name NOT LIKE 'filing_text%' ORDER BY m.name, c.cid",
    "postgresql": "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = 'public' AND table_name <> 'filing_text' ORDER BY table_name, ordinal_position",
}
"""Tables with their columns; the index of names, which no migration here changes, left out."""
NOW = micros(MADE)
OF_MIGRATIONS = "schema_migration"


def migrations_until(folder: Path, last: str) -> Path:
    """A folder with the migrations that an older program had."""
    folder.mkdir()
    for script in sorted(MIGRATIONS.glob("[0-9]*.py")):
        if script.name[:4] <= last:
            shutil.copy(script, folder)
    return folder


def columns_of(transaction: Transaction) -> dict[str, list[str]]:
    """The columns of each table."""
    found: dict[str, list[str]] = {}
    for table, column in transaction.execute(COLUMNS[transaction.dialect]):
        found.setdefault(table, []).append(column)
    return found


def rows_of(transaction: Transaction, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    """The rows of a table, with what the engine gives for bytes as bytes."""
    rows = transaction.execute(f"SELECT {', '.join(columns)} FROM {table}")
    return sorted(
        (tuple(bytes(each) if isinstance(each, memoryview) else each for each in row) for row in rows), key=repr
    )


async def made_by_0010(source: Database, url: str, folder: Path) -> None:
    """Makes a database as migration 0010 left it, with all rows of another that its tables can hold."""
    old = open_database(url, migrations_until(folder, "0010"))
    tables = await old.read(columns_of)
    assert not {"account_entry", "disposed_entry"} & set(tables)
    for table, columns in tables.items():
        if table != OF_MIGRATIONS:
            rows = await source.read(partial(rows_of, table=table, columns=columns))
            await old.write(_filling(table, columns, rows))
    await old.close()


def _filling(table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        transaction.execute(f"DELETE FROM {table}")
        transaction.insert_many(table, columns, rows)

    return work


@contextmanager
def empty_database(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[str]:
    """The URL of one more empty database."""
    if engine == "sqlite":
        yield sqlite_url(folder / "old.db")
    else:
        with fresh_database(request.getfixturevalue("postgresql_server")) as url:
            yield url


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("holder", ["province", "nation", "region"])
async def test_entries_that_are_there_are_found_by_their_account(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, holder: str
) -> None:
    """Art. 8(2): what an older program stored of an account is placed as a new entry is, in each log and what came by a
    region's feed, which is known by its id."""
    async with copied(sqlite_url(tmp_path / "node.db"), tmp_path) as both:
        await both.life()
        await both.life(withdrawn=False)
        await both.follow()
        feed = "INSERT INTO region_feed SELECT '440000', log_index + 1, jurisdiction, log_index FROM log_entry"
        await both.register.database.write(lambda transaction: transaction.execute(feed))
        told = await both.register.database.read(partial(read_region, region="440000", cursor=0))
        async with region(both, tmp_path / "region.db") as (database, copy, _):
            await copy.store(told)
            source = {"province": both.register.database, "nation": both.nation, "region": database}[holder]
            with empty_database(request, engine, tmp_path) as url:
                await made_by_0010(source, url, tmp_path / "until_0010")
                brought = open_database(url, MIGRATIONS)
                try:
                    newest = await brought.read(columns_of)
                    read = partial(rows_of, table="account_entry", columns=newest["account_entry"])
                    wanted, found = await source.read(read), await brought.read(read)
                    came = partial(rows_of, table="foreign_receipt", columns=newest["foreign_receipt"])
                    assert await source.read(came) == await brought.read(came)
                finally:
                    await brought.close()
    assert 8 == len(found)
    assert [row[:-1] for row in wanted] == [row[:-1] for row in found]
    # Of what came by a feed only some rows say when it was filed; of the others it is known when they were made.
    assert all(NOW <= mine[-1] <= theirs[-1] for mine, theirs in zip(found, wanted, strict=True))
    assert holder == "region" or wanted == found
