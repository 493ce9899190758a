"""Checks the logs of a register from their bytes up: entries, leaf hashes, tree, signatures, stored heads.

Each run is checked against the log before it and then taken as it was acknowledged, so that one that is damaged hides
nothing of those that follow. What is wrong is named by table and row.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from regulator_node.stored_runs import read_runs
from shared.database import Transaction
from shared.evidence.checkpoints import verify_checkpoint, verify_head
from shared.evidence.disposed_entries import record_of
from shared.evidence.hashing import ProofError, leaf_hashes_of, split_hashes
from shared.evidence.keyring import KeyRing
from shared.evidence.names import log_origin, regulator_of
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import verify_receipt
from shared.evidence.runs import verify_run
from shared.identifiers import id_bytes
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it must be: in which table, which row, and what about it."""

    table: str
    row: str
    problem: str


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """Where a run is: when it entered its log (microseconds), whose log, and its first index."""

    filed_time: int
    jurisdiction: str
    first_index: int


@dataclass(frozen=True, slots=True)
class CheckedRun:
    """The entries of a run that can be read, with their indexes, and when they entered the log."""

    jurisdiction: str
    entries: Sequence[tuple[int, entry_pb2.Entry]]
    filed_time: int


@dataclass
class LogCheck:
    """Checks the logs of one register, run after run.

    Attributes:
        keys: of the newest directory.
        held: each log as it was acknowledged so far.
        problems: what was found.
        roots: of each log at the end of each of its runs that a stored head could name.
        disposed: how many entries of each log were disposed of under a certificate.
    """

    keys: KeyRing
    held: dict[str, CompactRange] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    roots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    disposed: dict[str, int] = field(default_factory=dict)

    def check_run(self, transaction: Transaction, place: PlacedRun) -> CheckedRun:
        """Checks the next run of a log.

        Args:
            transaction: a read.
            place: the run.

        Returns:
            Its entries, to be replayed.
        """
        jurisdiction, first = place.jurisdiction, place.first_index
        before = self.held.get(jurisdiction, CompactRange())
        ((count, data),) = transaction.execute(
            "SELECT size, acknowledgement FROM run WHERE jurisdiction = ? AND first_index = ?", (jurisdiction, first)
        )
        try:
            acknowledged = evidence_pb2.Acknowledgement.FromString(bytes(data))
            leaves = split_hashes(acknowledged.leaf_hashes)
            stated = CompactRange.from_bytes(acknowledged.first_index, acknowledged.before)
            (run,) = read_runs(transaction, jurisdiction, first, 1, 1)
        except (DecodeError, ProofError) as error:
            self._found("run", jurisdiction, first, f"it cannot be read ({type(error).__name__})")
            return CheckedRun(jurisdiction, (), place.filed_time)
        if first != before.size:
            self._found("run", jurisdiction, before.size, f"no run holds the entries from here to {first - 1}")
        elif stated != before:
            self._found("run", jurisdiction, first, "the log before it is not the one that was acknowledged")
        found, sound = len(self.problems), self._sound_entries(transaction, run, count, leaves)
        if len(self.problems) == found:
            try:
                verify_run(run, stated, self.keys.lookup, self.keys.keys_of(regulator_of(jurisdiction)))
            except ProofError as error:
                self._found("run", jurisdiction, first, str(error))
        after = stated.copy()
        after.extend(leaves)
        self.held[jurisdiction] = after
        self.roots[jurisdiction, after.size] = after.root()
        return CheckedRun(jurisdiction, sound, place.filed_time)

    def check_head(self, transaction: Transaction, jurisdiction: str) -> None:
        """Checks what is stored beside a log against the log: size, frontier, newest and cosigned head."""
        ((size, frontier, note, cosigned_size, cosigned),) = transaction.execute(
            "SELECT size, frontier, checkpoint, cosigned_size, cosigned_checkpoint FROM log WHERE jurisdiction = ?",
            (jurisdiction,),
        )
        held = self.held.get(jurisdiction, CompactRange())
        if size != held.size:
            self._found("log", jurisdiction, None, f"its size is {size}, and its runs hold {held.size} entries")
        elif bytes(frontier) != held.to_bytes():
            self._found("log", jurisdiction, None, "its frontier is not that of its runs")
        ((entries,),) = transaction.execute("SELECT COUNT(*) FROM log_entry WHERE jurisdiction = ?", (jurisdiction,))
        if entries != held.size:
            self._found("log", jurisdiction, None, f"{entries} entries are stored, and its runs hold {held.size}")
        if note:
            try:
                head = verify_checkpoint(
                    bytes(note), log_origin(jurisdiction), self.keys.keys_of(regulator_of(jurisdiction))
                )
                self._check_root(jurisdiction, "checkpoint", head.size, head.root, size)
            except ProofError as error:
                self._found("log", jurisdiction, None, f"its checkpoint: {error}")
        if cosigned:
            try:
                cosigned_head = verify_head(bytes(cosigned), jurisdiction, self.keys.keys_of).checkpoint
                self._check_root(
                    jurisdiction, "cosigned checkpoint", cosigned_head.size, cosigned_head.root, cosigned_size
                )
            except ProofError as error:
                self._found("log", jurisdiction, None, f"its cosigned checkpoint: {error}")

    def check_receipt(self, jurisdiction: str, index: int, receipt: bytes) -> entry_pb2.Entry | None:
        """Checks the receipt of an entry of another log of which no copy is held; returns the entry if it is proven."""
        try:
            proven = verify_receipt(receipt, self.keys)
        except ProofError as error:
            self._found("foreign_receipt", jurisdiction, index, str(error))
            return None
        if (proven.head.checkpoint.jurisdiction, proven.log_index) != (jurisdiction, index):
            self._found("foreign_receipt", jurisdiction, index, "it proves an entry at another place")
            return None
        return proven.entry

    def _sound_entries(
        self, transaction: Transaction, run: evidence_pb2.Run, count: int, leaves: Sequence[bytes]
    ) -> list[tuple[int, entry_pb2.Entry]]:
        """Compares stored entries with the leaf hashes that were acknowledged; returns those that are what they were."""
        sound = []
        rows = transaction.execute(
            "SELECT log_index, origin, entry_id, entry FROM log_entry WHERE jurisdiction = ? AND log_index >= ?"
            " AND log_index < ? ORDER BY log_index",
            (run.jurisdiction, run.first_index, run.first_index + max(count, len(leaves))),
        )
        stored = {index: (origin, bytes(entry_id), bytes(entry)) for index, origin, entry_id, entry in rows}
        for index, leaf in enumerate(leaves, run.first_index):
            if index not in stored:
                self._found("log_entry", run.jurisdiction, index, "it is missing")
                continue
            origin, entry_id, entry = stored[index]
            if not entry:
                self._check_disposed(run, index, leaf, entry_id)
                continue
            if leaf_hashes_of([entry]) != [leaf]:
                self._found("log_entry", run.jurisdiction, index, "its bytes are not those that were acknowledged")
                continue
            parsed = entry_pb2.Entry.FromString(entry)
            sound.append((index, parsed))
            if (origin, entry_id) != (parsed.origin, id_bytes(parsed.entry_id)):
                self._found("log_entry", run.jurisdiction, index, "its columns are not those of its bytes")
        if count != len(leaves):
            self._found("run", run.jurisdiction, run.first_index, f"its size is {count}, and it holds {len(leaves)}")
        return sound

    def _check_disposed(self, run: evidence_pb2.Run, index: int, leaf: bytes, entry_id: bytes) -> None:
        """Checks what stands for an entry without bytes; `verify_run` verifies its certificate."""
        records = [record_of(each) for each in run.disposed if run.first_index + each.offset == index]
        if not records:
            self._found("log_entry", run.jurisdiction, index, "its bytes are gone, and no certificate says why")
        elif records[0].leaf_hash != leaf:
            self._found("disposed_entry", run.jurisdiction, index, "its certificate covers another entry")
        elif id_bytes(records[0].record_id) != entry_id:
            self._found("log_entry", run.jurisdiction, index, "its id is not the one of its certificate")
        else:
            self.disposed[run.jurisdiction] = self.disposed.get(run.jurisdiction, 0) + 1

    def _check_root(self, jurisdiction: str, what: str, size: int, root: bytes, stored_size: int) -> None:
        if size != stored_size:
            self._found(
                "log", jurisdiction, None, f"its {what} covers {size} entries, and {stored_size} are stored of it"
            )
        elif size and self.roots.get((jurisdiction, size)) != root:
            self._found("log", jurisdiction, None, f"its {what} signs another log of {size} entries than this one")

    def _found(self, table: str, jurisdiction: str, index: int | None, problem: str) -> None:
        row = jurisdiction if index is None else f"{jurisdiction}/{index}"
        self.problems.append(Problem(table, row, problem))


def runs_in_order(transaction: Transaction, after: Mapping[str, int]) -> list[PlacedRun]:
    """Lists the runs of all logs from where each is to go on, in the order in which they were filed.

    Args:
        transaction: a read.
        after: first index of the last run that is not wanted any more, by jurisdiction.
    """
    by_log: dict[str, list[PlacedRun]] = {}
    for jurisdiction, first, filed_time in transaction.execute(
        "SELECT jurisdiction, first_index, filed_time FROM run ORDER BY jurisdiction, first_index"
    ):
        if first > after.get(jurisdiction, -1):
            by_log.setdefault(jurisdiction, []).append(PlacedRun(filed_time, jurisdiction, first))
    return list(heapq.merge(*by_log.values(), key=lambda place: place.filed_time))
