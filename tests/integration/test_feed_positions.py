"""A province that resumes by its cursor misses nothing of a nation that was put back to an older backup."""

from __future__ import annotations

from pathlib import Path

from regulator_node.feed_positions import last_position
from shared.database import Database, Transaction, open_database, sqlite_url
from tests.integration.filing_samples import MIGRATIONS

REGION = "440000"


async def fed(database: Database, count: int) -> list[int]:
    """Feeds the region so many entries, one at a time; returns their positions."""

    def feed(transaction: Transaction) -> int:
        position = last_position(transaction, REGION) + 1
        row = (REGION, position, "330000", position)
        transaction.insert_many("region_feed", ("region", "position", "jurisdiction", "log_index"), [row])
        return position

    return [await database.write(feed) for _ in range(count)]


async def test_what_is_fed_after_a_restore_stands_behind_all_that_was_fed_before(tmp_path: Path) -> None:
    """Promise 4: positions grow, and those of a register that begins again from less are new to whoever read the other."""
    lived, restored = (open_database(sqlite_url(tmp_path / name), MIGRATIONS) for name in ("lived.db", "restored.db"))
    try:
        read = await fed(lived, 50)
        assert read == sorted(set(read))
        assert read[-1] < (await fed(restored, 1))[0]
    finally:
        await lived.close()
        await restored.close()
