"""Opening a database: its URL, its migrations, its file, and the library under it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.database import open_database, sqlite_url
from shared.errors import FailedPrecondition, FilingnetError, Internal
from shared.storage.sqlite_faults import check_version
from tests.integration.note_samples import insert, write_migrations

ROOT = Path(__file__).parents[2]


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    return write_migrations(tmp_path)


async def test_migrations_are_applied_once_and_in_order(database_url: str, migrations: Path) -> None:
    """Guards: opening again applies only what is new, after what is there."""
    await open_database(database_url, migrations).close()
    (migrations / "0002_label.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('ALTER TABLE note ADD COLUMN label TEXT')\n"
    )
    for _ in range(2):
        await open_database(database_url, migrations).close()
    database = open_database(database_url, migrations)
    names = await database.read(lambda t: t.execute("SELECT name FROM schema_migration ORDER BY id"))
    assert [("0001_notes",), ("0002_label",)] == names
    await database.write(lambda t: t.execute("INSERT INTO note (number, label) VALUES (1, 'x')"))
    await database.close()


async def test_a_failing_migration_leaves_nothing(database_url: str, migrations: Path) -> None:
    """Guards: all missing migrations are applied together or none."""
    script = (
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE half (x INTEGER)')\n    db.execute_sql('nonsense')\n"
    )
    (migrations / "0002_half.py").write_text(script)
    with pytest.raises(Internal) as refused:
        open_database(database_url, migrations)
    assert "STORAGE_FAILED" == refused.value.reason
    (migrations / "0002_half.py").write_text(script.replace("nonsense", "CREATE TABLE whole (x INTEGER)"))
    database = open_database(database_url, migrations)
    assert [] == await database.read(lambda t: t.execute("SELECT half.x, whole.x FROM half, whole"))
    await database.close()


async def test_a_newer_database_is_refused(database_url: str, migrations: Path) -> None:
    """Guards: a program does not use tables of a version that it does not know."""
    (migrations / "0002_label.py").write_text("def up(migrator, db):\n    pass\n")
    await open_database(database_url, migrations).close()
    (migrations / "0002_label.py").unlink()
    with pytest.raises(FailedPrecondition) as refused:
        open_database(database_url, migrations)
    assert "DATABASE_TOO_NEW" == refused.value.reason
    assert "0002_label" in refused.value.message


async def test_opening_at_once_migrates_once(database_url: str, migrations: Path) -> None:
    """Guards: nodes that start together on one database do not both migrate it."""
    with ThreadPoolExecutor(4) as threads:
        databases = list(threads.map(lambda _: open_database(database_url, migrations), range(4)))
    applied = await databases[0].read(lambda t: t.execute("SELECT COUNT(*) FROM schema_migration"))
    assert [(1,)] == applied
    for database in databases:
        await database.close()


@pytest.mark.parametrize("node", ["regulator_node", "provider_node"])
async def test_the_nodes_tables_are_the_same_on_both(node: str, tmp_path: Path, postgresql_url: str) -> None:
    """Guards: the nodes' own migrations apply on both engines and make the same tables with the same columns."""
    sqlite = open_database(sqlite_url(tmp_path / "node.db"), ROOT / node / "migrations")
    server = open_database(postgresql_url, ROOT / node / "migrations")
    on_sqlite = await sqlite.read(
        lambda t: t.execute(
            "SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table'"
        )
    )
    on_server = await server.read(
        lambda t: t.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        )
    )
    # The text index is an engine's own way.
    of_both = [{row for row in rows if not row[0].startswith("filing_text")} for rows in (on_sqlite, on_server)]
    assert of_both[0] == of_both[1]
    assert len(of_both[0]) > 50
    await sqlite.close()
    await server.close()


@pytest.mark.parametrize("url", ["sqlite:relative.db", "sqlite://host/x.db", "mysql://host/x", "", "postgresql://[/x"])
def test_a_wrong_url_is_refused(url: str, migrations: Path) -> None:
    """Guards: a URL that means nothing is refused with the right spelling."""
    with pytest.raises(FailedPrecondition) as refused:
        open_database(url, migrations)
    assert "DATABASE_URL_WRONG" == refused.value.reason


async def test_the_file_is_private_and_any_name_will_do(tmp_path: Path, migrations: Path) -> None:
    """Guards: nobody else on the machine can read the database, and its path may hold any character."""
    folder = tmp_path / "数据 100%?#&"
    folder.mkdir()
    path = folder / "node.db"
    path.touch(mode=0o666)
    database = open_database(sqlite_url(path), migrations)
    await database.write(insert(1))
    assert {0o600} == {file.stat().st_mode & 0o777 for file in folder.iterdir()}
    await database.close()
    assert [path] == list(folder.iterdir())


def holding(folder: Path, text: str) -> list[str]:
    """The files of a folder that hold a text."""
    return sorted(file.name for file in folder.glob("*.db*") if text.encode() in file.read_bytes())


@pytest.mark.parametrize("key", [None, b"k" * 32])
async def test_a_key_hides_all_that_is_stored(key: bytes | None, tmp_path: Path, migrations: Path) -> None:
    """Guards: with a key neither the file nor its journal shows a word of it; without one both do."""
    path = tmp_path / "node.db"
    database = open_database(sqlite_url(path), migrations, key=key)
    await database.write(lambda t: t.insert_many("note", ("number", "text"), [(1, "planted word")]))
    assert ["node.db-wal"] * (key is None) == holding(tmp_path, "planted word")
    await database.close()
    assert ["node.db"] * (key is None) == holding(tmp_path, "planted word")
    again = open_database(sqlite_url(path), migrations, key=key)
    assert [("planted word",)] == await again.read(lambda t: t.execute("SELECT text FROM note"))
    await again.close()


@pytest.mark.parametrize(("first", "second"), [(b"k" * 32, b"l" * 32), (b"k" * 32, None), (None, b"k" * 32)])
async def test_another_key_opens_nothing(
    first: bytes | None, second: bytes | None, tmp_path: Path, migrations: Path
) -> None:
    """Guards: a file is opened with its own key or not at all, and is left alone; the refusal does not tell a key."""
    path = tmp_path / "node.db"
    await open_database(sqlite_url(path), migrations, key=first).close()
    before = path.read_bytes()
    with pytest.raises(FilingnetError, match="put back a backup") as refused:
        open_database(sqlite_url(path), migrations, key=second)
    assert ("STORAGE_CORRUPT" if second is None else "STORAGE_KEY_WRONG") == refused.value.reason
    assert (before, False) == (path.read_bytes(), (b"l" * 32).hex() in f"{refused.value!r}")


async def test_a_server_needs_no_key(postgresql_url: str, migrations: Path) -> None:
    """Guards: PostgreSQL takes no notice of a key, so that who moves there loses nothing."""
    await open_database(postgresql_url, migrations, key=b"k" * 32).close()
    await open_database(postgresql_url, migrations).close()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.17"])
def test_an_old_sqlite_is_refused(version: str) -> None:
    """Guards: a SQLite with the WAL-reset bug is not used."""
    with pytest.raises(FailedPrecondition) as refused:
        check_version(version)
    assert "SQLITE_TOO_OLD" == refused.value.reason


@pytest.mark.parametrize("version", ["3.51.3", "3.54.0", "4.0.0"])
def test_a_fixed_sqlite_is_used(version: str) -> None:
    """Guards: every SQLite from the fix on is taken."""
    check_version(version)
