"""Promise 2: what the nation forwards to a region is applied once, whatever became of the nation's log meanwhile."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from structlog.testing import capture_logs

from regulator_node.follow_servicer import read_region
from shared.database import Transaction, sqlite_url
from tests.integration.entry_disposal_samples import copied
from tests.integration.test_entry_disposal import region


async def test_an_entry_is_known_by_its_bytes_and_a_place_keeps_what_came_first(tmp_path: Path) -> None:
    """The same entry at another place is no second one; another entry at a place that is held is left out, and told."""
    async with copied(sqlite_url(tmp_path / "node.db"), tmp_path) as both:
        await both.life()
        await both.life(withdrawn=False)
        feed = "INSERT INTO region_feed SELECT '440000', log_index + 1, jurisdiction, log_index FROM log_entry"
        await both.register.database.write(lambda transaction: transaction.execute(feed))
        told = await both.register.database.read(partial(read_region, region="440000", cursor=0))
        async with region(both, tmp_path / "region.db") as (database, copy, _):
            await copy.store(told)
            counts = "SELECT COUNT(*) FROM foreign_receipt UNION ALL SELECT COUNT(*) FROM filing"
            before = await both.select(counts, at=database)

            def as_of_a_lost_history(transaction: Transaction) -> None:
                """What it holds it holds at other places than the nation has it now; one of them meets another entry."""
                for table in ("foreign_receipt", "filing", "label", "account_entry"):
                    transaction.execute(f"UPDATE {table} SET log_index = log_index + 1000")
                transaction.execute("UPDATE foreign_receipt SET log_index = 1 WHERE log_index = 1000")

            await database.write(as_of_a_lost_history)
            with capture_logs() as logged:
                await copy.store(told)
            assert before == await both.select(counts, at=database)
            assert [1] == [line["log_index"] for line in logged if line["event"] == "forwarded_entry_left_out"]
