"""Checks a register from bytes to tables, and mends the tables by replaying the logs.

Bytes of entries lead to leaf hashes, these to the tree, the tree to the signed heads; and the entries, replayed in the
order in which they were filed into a scratch database, lead to the very rows that the register has. A node may run
meanwhile: the check reads only, and goes on until the logs stood still while the tables were compared.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from regulator_node.directive_feed import pass_on
from regulator_node.fsck_derived import (
    FEEDS,
    Derived,
    check_cases,
    check_complaints,
    check_text_rows,
    compare_feeds,
    read_feed,
    read_names,
    read_terms,
    rows_of_term,
    text_difference,
)
from regulator_node.fsck_log import CheckedRun, LogCheck, PlacedRun, Problem, runs_in_order
from regulator_node.fsck_tables import KEYS, Difference, Row, columns_of, compare, mend, pages_of, read_rows
from regulator_node.register import apply_entries
from shared.database import Database, Transaction, open_database, sqlite_url
from shared.errors import FailedPrecondition, Unavailable
from shared.evidence.keyring import KeyRing
from shared.identifiers import id_bytes
from shared.mapping.times import micros_of
from shared.network import NetworkView
from shared.provisions.regions import NATION

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
        derived: what does not follow from what is stored elsewhere.
        mended: whether what can be mended was.
        disposed: how many of each log's entries were disposed of under a certificate.
    """

    logs: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    derived: list[Derived] = field(default_factory=list)
    mended: bool = False
    disposed: dict[str, int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong, or nothing any more."""
        left = [each for each in self.derived if each.mend is None or not self.mended]
        return not self.problems and not left and (not self.differences or self.mended)

    def rows(self) -> list[dict[str, object]]:
        """Returns every finding as a row to print."""
        others: list[Difference | Derived] = [*self.differences, *self.derived]
        found = [*self.problems, *(Problem(each.table, each.row, each.problem) for each in others)]
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
        self._nation = False

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
        derived = await self._check_derived([jurisdiction for (jurisdiction,) in logs])
        findings = Findings(self._sizes(), self._logs.problems, differences, derived, disposed=self._logs.disposed)
        if repair and (differences or derived) and not findings.problems:
            await self._database.write(lambda transaction: _mend(transaction, findings, columns))
            findings.mended = True
        return findings

    async def _check_derived(self, jurisdictions: Sequence[str]) -> list[Derived]:
        read = self._database.read
        found = await read(check_complaints)
        for jurisdiction in jurisdictions:
            found += await read(partial(_check_cases, jurisdiction))
        for table in FEEDS:
            stored, replayed = [await each.read(partial(_read_feed, table)) for each in (self._database, self._scratch)]
            found += compare_feeds(table, stored, replayed)
        if self._database.dialect == "sqlite":
            return found + await self._check_index()
        for jurisdiction in jurisdictions:
            found += await self._check_text(jurisdiction)
        return found

    async def _check_index(self) -> list[Derived]:
        stored, replayed = [await each.read(read_terms) for each in (self._database, self._scratch)]
        rows: set[int] = set()
        for term in {*stored, *replayed}:
            if stored.get(term) != replayed.get(term):
                read = partial(_rows_of_term, term)
                rows |= await self._database.read(read) ^ await self._scratch.read(read)
        return text_difference(rows)

    async def _check_text(self, jurisdiction: str) -> list[Derived]:
        found: list[Derived] = []
        after = -1
        while page := await self._scratch.read(partial(_read_names, jurisdiction, after)):
            found += await self._database.read(partial(_check_text_rows, page))
            after = page[-1][1]
        return found

    async def _replay(self) -> None:
        # How a case stands, and so which reports join it, follows from the policies too; they were verified when they came.
        policies = await self._database.read(_read_policies)
        await self._scratch.write(partial(_keep_policies, policies))
        self._nation = self._nation or bool(await self._database.read(_nation_log))
        remaining = iter(await self._database.read(lambda transaction: runs_in_order(transaction, self._last)))
        # What came down from the nation is replayed among the runs: an answer to an order follows the order.
        forwarded = in_order(await self._database.read(self._check_receipts))
        while some := list(islice(remaining, RUNS_AT_ONCE)):
            runs = await self._database.read(partial(_check_runs, self._logs, some))
            before = bisect_right(forwarded, runs[-1].filed_time, key=_time)
            among, forwarded = forwarded[:before], forwarded[before:]
            placed = [*((run.filed_time, run, False) for run in runs), *((time, run, True) for time, run in among)]
            placed.sort(key=lambda each: each[0])
            await self._scratch.write(partial(_apply, placed, feed_regions=self._nation))
            self._last.update({place.jurisdiction: place.first_index for place in some})
            self._advance(sum(len(run.entries) for run in runs))
        rest = [(time, run, True) for time, run in forwarded]
        await self._scratch.write(partial(_apply, rest, feed_regions=False))

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
                filed_time = _told_time(transaction, jurisdiction, index) or micros_of(entry.created_time)
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


def _apply(placed: Sequence[tuple[int, CheckedRun, bool]], scratch: Transaction, *, feed_regions: bool) -> None:
    """Applies runs of logs that are held, and entries that the nation forwarded out of others."""
    for _, run, forwarded in placed:
        if forwarded:
            for index, entry in run.entries:
                pass_on(scratch, run.jurisdiction, index, entry)
        elif feed_regions:
            _keep_entries(scratch, run)
        fed = feed_regions and not forwarded
        apply_entries(scratch, run.jurisdiction, run.entries, run.filed_time, feed_regions=fed)


def in_order(forwarded: Sequence[CheckedRun]) -> list[tuple[int, CheckedRun]]:
    """Places forwarded entries in time, each log's in its own order whatever the times that were told of them."""
    last: dict[str, int] = {}
    placed = []
    for run in forwarded:
        last[run.jurisdiction] = max(run.filed_time, last.get(run.jurisdiction, 0))
        placed.append((last[run.jurisdiction], run))
    return sorted(placed, key=_time)


def _time(placed: tuple[int, CheckedRun]) -> int:
    return placed[0]


def _keep_entries(scratch: Transaction, run: CheckedRun) -> None:
    """Keeps who stated what, of which the history that is fed when a provider moves is read."""
    columns = ("jurisdiction", "log_index", "origin", "entry_id", "entry")
    rows = [(run.jurisdiction, index, entry.origin, id_bytes(entry.entry_id), b"") for index, entry in run.entries]
    scratch.insert_many("log_entry", columns, rows)


def _nation_log(transaction: Transaction) -> list[tuple[Any, ...]]:
    # A province holds its own log alone; the nation's is its own from the start, also before its first run.
    return transaction.execute("SELECT 1 FROM log WHERE jurisdiction = ?", (NATION,))


def _read_policies(transaction: Transaction) -> list[tuple[Any, ...]]:
    return transaction.execute("SELECT kind, version, signed FROM document WHERE kind = 'policy'")


def _keep_policies(policies: Sequence[tuple[Any, ...]], scratch: Transaction) -> None:
    scratch.executemany(
        "INSERT INTO document (kind, version, signed) VALUES (?, ?, ?) ON CONFLICT (kind, version) DO NOTHING", policies
    )


def _mend(transaction: Transaction, findings: Findings, columns: Mapping[str, Sequence[str]]) -> None:
    mend(transaction, findings.differences, columns)
    for each in findings.derived:
        if each.mend is not None:
            each.mend(transaction)
    # How a case stands follows from what was just written of it.
    for jurisdiction in sorted({str(each.key[0]) for each in findings.differences if each.table.startswith("case_")}):
        for case in check_cases(transaction, jurisdiction):
            assert case.mend is not None
            case.mend(transaction)


def _check_cases(jurisdiction: str, transaction: Transaction) -> list[Derived]:
    return check_cases(transaction, jurisdiction)


def _read_feed(table: str, transaction: Transaction) -> dict[tuple[str, str], list[int]]:
    return read_feed(transaction, table)


def _rows_of_term(term: str, transaction: Transaction) -> set[int]:
    return rows_of_term(transaction, term)


def _read_names(jurisdiction: str, after: int, transaction: Transaction) -> list[tuple[str, int, str, str]]:
    return read_names(transaction, jurisdiction, after)


def _check_text_rows(page: Sequence[tuple[str, int, str, str]], transaction: Transaction) -> list[Derived]:
    return check_text_rows(transaction, page)


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
    yield from ("filing", "label", "duty_profile", "order_answer", "account_entry")
