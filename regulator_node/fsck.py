"""Checks a register from bytes to tables, and mends the tables by replaying the logs.

Bytes of entries lead to leaf hashes, these to the tree, the tree to the signed heads; and the entries, replayed in the
order in which they were filed into a scratch database, lead to the very rows that the register has. A node may run
meanwhile: the check reads only, and goes on until the logs stood still while the tables were compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from regulator_node.fsck_log import CheckedRun, LogCheck, PlacedRun, Problem, runs_in_order
from regulator_node.fsck_tables import KEYS, Difference, Row, columns_of, compare, mend, pages_of, read_rows
from regulator_node.register import apply_entries
from shared.database import Database, Transaction, open_database, sqlite_url
from shared.errors import FailedPrecondition, Unavailable
from shared.evidence.keyring import KeyRing
from shared.network import NetworkView

RUNS_AT_ONCE: Final = 100
ROUNDS: Final = 5
"""How often the tables are compared anew because a log grew meanwhile."""

Advance = Callable[[int], None]


@dataclass
class Findings:
    """What a check came to.

    Attributes:
        logs: entries of each log that were checked.
        problems: what is wrong with the logs themselves, which nothing here mends.
        differences: rows that are not what the logs say.
        mended: whether these were replaced.
    """

    logs: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    mended: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        return not self.problems and (not self.differences or self.mended)

    def rows(self) -> list[dict[str, object]]:
        """Returns every finding as a row to print."""
        found = [*self.problems, *(Problem(each.table, each.row, each.problem) for each in self.differences)]
        return [{"table": each.table, "row": each.row, "problem": each.problem} for each in found]


async def read_keys(database: Database) -> KeyRing:
    """Reads the keys of the network's nodes out of the newest directory that a register holds.

    Raises:
        FailedPrecondition: NOT_JOINED, there is none.
    """
    view = NetworkView(database)
    await view.load()
    if not view.joined:
        raise FailedPrecondition("the register holds no directory, and so no keys: run init first", "NOT_JOINED")
    return view.key_ring()


async def check_register(
    database: Database,
    migrations: Path,
    keys: KeyRing,
    *,
    repair: bool = False,
    advance: Advance = lambda steps: None,
) -> Findings:
    """Checks a register.

    Args:
        database: the register.
        migrations: of a register, for the scratch database.
        keys: of every node.
        repair: whether rows that are not what the logs say are replaced; nothing else may write meanwhile.
        advance: told how many entries were checked since.

    Returns:
        What was found.

    Raises:
        Unavailable: REGISTER_BUSY, the logs never stood still.
    """
    with tempfile.TemporaryDirectory(prefix="filingnet-fsck-") as folder:
        scratch = open_database(sqlite_url(Path(folder) / "replayed.db"), migrations)
        try:
            return await check_against(database, scratch, keys, repair=repair, advance=advance)
        finally:
            await scratch.close()


async def check_against(
    database: Database,
    scratch: Database,
    keys: KeyRing,
    *,
    repair: bool = False,
    advance: Advance = lambda steps: None,
) -> Findings:
    """Checks a register by replaying its logs into a register that is empty; see `check_register`."""
    return await _Check(database, scratch, LogCheck(keys), advance).run(repair=repair)


class _Check:
    def __init__(self, database: Database, scratch: Database, logs: LogCheck, advance: Advance) -> None:
        self._database = database
        self._scratch = scratch
        self._logs = logs
        self._advance = advance
        self._foreign: set[tuple[str, int]] = set()
        self._last: dict[str, int] = {}

    async def run(self, *, repair: bool) -> Findings:
        for _ in range(ROUNDS):
            await self._replay()
            differences, columns = await self._compare()
            if self._last == await self._database.read(_last_runs):
                break
        else:
            raise Unavailable(
                "the register grows too fast to be checked: stop the node, or check a copy", "REGISTER_BUSY"
            )
        logs = await self._database.read(lambda transaction: transaction.execute("SELECT jurisdiction FROM log"))
        for (jurisdiction,) in logs:
            await self._database.read(partial(_check_head, self._logs, jurisdiction))
        findings = Findings(self._sizes(), self._logs.problems, differences)
        if repair and differences and not findings.problems:
            await self._database.write(lambda transaction: mend(transaction, differences, columns))
            findings.mended = True
        return findings

    async def _replay(self) -> None:
        remaining = iter(await self._database.read(lambda transaction: runs_in_order(transaction, self._last)))
        while some := list(islice(remaining, RUNS_AT_ONCE)):
            runs = await self._database.read(partial(_check_runs, self._logs, some))
            await self._scratch.write(partial(_apply, runs))
            self._last.update({place.jurisdiction: place.first_index for place in some})
            self._advance(sum(len(run.entries) for run in runs))
        forwarded = await self._database.read(self._check_receipts)
        await self._scratch.write(partial(_apply, forwarded))

    def _check_receipts(self, transaction: Transaction) -> list[CheckedRun]:
        found = []
        for jurisdiction, index, receipt in transaction.execute(
            "SELECT jurisdiction, log_index, receipt FROM foreign_receipt ORDER BY jurisdiction, log_index"
        ):
            if (jurisdiction, index) in self._foreign:
                continue
            self._foreign.add((jurisdiction, index))
            entry = self._logs.check_receipt(jurisdiction, index, bytes(receipt))
            if entry is not None:
                filed_time = _told_time(transaction, jurisdiction, index)
                found.append(CheckedRun(jurisdiction, [(index, entry)], filed_time))
        return found

    async def _compare(self) -> tuple[list[Difference], dict[str, list[str]]]:
        columns = await self._scratch.read(lambda scratch: {table: columns_of(scratch, table) for table in KEYS})
        sizes = self._sizes()
        jurisdictions = sorted({*sizes, *(jurisdiction for jurisdiction, _ in self._foreign)})
        differences: list[Difference] = []
        for table in KEYS:
            for jurisdiction in jurisdictions:
                for where, values in pages_of(jurisdiction, table, sizes.get(jurisdiction, 0)):
                    read = partial(_read, table, columns[table], where, values)
                    stored, replayed = await self._database.read(read), await self._scratch.read(read)
                    differences += compare(table, columns[table], stored, replayed)
        return differences, columns

    def _sizes(self) -> dict[str, int]:
        return {jurisdiction: held.size for jurisdiction, held in self._logs.held.items()}


def _last_runs(transaction: Transaction) -> dict[str, int]:
    return dict(transaction.execute("SELECT jurisdiction, MAX(first_index) FROM run GROUP BY jurisdiction"))


def _check_runs(logs: LogCheck, places: Sequence[PlacedRun], transaction: Transaction) -> list[CheckedRun]:
    return [logs.check_run(transaction, place) for place in places]


def _check_head(logs: LogCheck, jurisdiction: str, transaction: Transaction) -> None:
    logs.check_head(transaction, jurisdiction)


def _apply(runs: Sequence[CheckedRun], scratch: Transaction) -> None:
    for run in runs:
        apply_entries(scratch, run.jurisdiction, run.entries, run.filed_time, feed_regions=False)


def _read(table: str, columns: Sequence[str], where: str, values: Row, transaction: Transaction) -> dict[Row, Row]:
    return read_rows(transaction, table, columns, where, values)


def _told_time(transaction: Transaction, jurisdiction: str, index: int) -> int:
    """Reads when a forwarded entry was filed: told beside its receipt and kept with its row alone, so not checked."""
    for table in _with_filed_time():
        rows = transaction.execute(
            f"SELECT filed_time FROM {table} WHERE jurisdiction = ? AND log_index = ?",  # noqa: S608
            (jurisdiction, index),
        )
        if rows:
            return int(rows[0][0])
    return 0


def _with_filed_time() -> Iterator[str]:
    yield from ("filing", "label", "duty_profile", "order_answer")
