"""A provider that disposes of reports until it is killed; prints its reports, then each number of certified ones."""

from __future__ import annotations

from pathlib import Path

from shared import telemetry
from shared.records.disposal import UPKEEP
from tests.integration.record_samples import disposals_over, plain_database, plant_reports, report_ids

TOGETHER = 20


async def main(folder: str) -> None:
    """Disposes of a few at a time."""
    telemetry.configure("ERROR")
    database, ids = plain_database(Path(folder)), report_ids(4_000)
    await database.write(lambda transaction: plant_reports(transaction, ids))
    print(*ids, flush=True)  # noqa: T201 - read by the test
    disposals, certified = disposals_over(database, together=TOGETHER), 0
    while True:
        for made in await disposals.dispose(UPKEEP, most=1):
            certified += made.records
        print(certified, flush=True)  # noqa: T201 - read by the test
