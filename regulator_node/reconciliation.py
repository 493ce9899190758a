"""Reconciles a log with the other regulator that holds it, from a node's folder, and mends this side from that one.

What is mended are bytes that are not what this log's own regulator signed: a run is fetched again, verified against the
log before it and the signed head at its end, and stored in the place of the damaged one; then the tables are replayed
from the logs (`fsck`). Signed history is never changed: where the two sides have different ones, an alarm is raised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from regulator_node.fsck import check_register, read_keys
from regulator_node.log import NewRun, StoredRun, read_log, store_runs
from regulator_node.log_proofs import StoredTree
from regulator_node.parts import Parts, open_parts
from regulator_node.range_roots import read_range_roots
from regulator_node.reconcile import HERE, RUN, Comparison, Side, compare_logs
from regulator_node.replication import read_entry
from regulator_node.settings import MIGRATIONS, RegulatorSettings
from shared.alarms import Alarms
from shared.channel import Peer, translated
from shared.clock import system_clock
from shared.database import Transaction
from shared.errors import FailedPrecondition
from shared.evidence.acknowledgements import build_acknowledgement
from shared.evidence.batches import SignedBatch
from shared.evidence.hashing import ProofError, leaf_hashes_of, split_hashes
from shared.evidence.names import regulator_of
from shared.evidence.runs import verify_run
from shared.folder_lock import FolderLock
from shared.identifiers import id_bytes
from shared.log_watch import LogWatch, Sighting
from shared.membership import Membership
from shared.pb.filingnet.network.v1 import (
    evidence_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    witness_service_pb2,
    witness_service_pb2_grpc,
)
from shared.provisions.regions import NATION
from shared.range_roots import Range, ask_roots

FETCH_SECONDS: Final = 60.0
"""How long the other side may take to send a page of the log."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of it.

    Attributes:
        jurisdiction: whose log.
        comparison: what differed.
        entry_ids: of the entries that differ, as they are held here.
        runs: how many were fetched again.
        rows: how many rows of the tables were replayed from the logs.
    """

    jurisdiction: str
    comparison: Comparison
    entry_ids: Mapping[int, str] = field(default_factory=dict)
    runs: int = 0
    rows: int = 0

    @property
    def whole(self) -> bool:
        """Whether both sides hold the same now, as far as both hold it."""
        return self.comparison.same or self.runs > 0


async def reconcile(
    settings: RegulatorSettings,
    jurisdiction: str,
    *,
    repair: bool = False,
    advance: Callable[[int], None] = lambda steps: None,
) -> Reconciled:
    """Compares a log with what the other regulator holds of it: the nation a province's, a province its own.

    Args:
        settings: of this node.
        jurisdiction: whose log; at a province its own.
        repair: whether damage here is mended from there; the node has to be down.
        advance: told how many entries were compared since.

    Returns:
        What differed, and what was mended.

    Raises:
        FailedPrecondition: LOG_ELSEWHERE, that log is not held by both; RUN_NOT_PROVEN, what was fetched does not verify;
            FOLDER_IN_USE.
        RemoteError: the other side did not answer.
    """
    nation = settings.is_nation
    if (jurisdiction == NATION) if nation else (jurisdiction != settings.jurisdiction):
        mend = "at the nation name a province, at a province its own log"
        raise FailedPrecondition(f"that log is not held on both sides: {mend}", "LOG_ELSEWHERE")
    async with _opened(settings, regulator_of(jurisdiction) if nation else regulator_of(NATION), repair) as (
        parts,
        peer,
    ):
        there = _Other(peer, callers_log=not nation)
        found = await compare_logs(await _here(parts, jurisdiction), await there.side(), advance)
        if found.forked:
            await _alarm(parts, jurisdiction, there)
        damaged = [entry.log_index for entry in found.entries if entry.wrong in (HERE, RUN)]
        ids = await parts.database.read(partial(_ids_of, jurisdiction, [entry.log_index for entry in found.entries]))
        if not repair or not damaged or found.forked or len(damaged) < found.differing:
            return Reconciled(jurisdiction, found, ids)
        runs = await _fetch_again(parts, jurisdiction, damaged, there)
        replayed = await check_register(parts.database, MIGRATIONS, await read_keys(parts.database), repair=True)
        return Reconciled(jurisdiction, found, ids, runs, len(replayed.differences))


@asynccontextmanager
async def _opened(settings: RegulatorSettings, name: str, alone: bool) -> AsyncIterator[tuple[Parts, Peer]]:
    async with AsyncExitStack() as stack:
        if alone:
            stack.enter_context(closing(FolderLock(settings.folder, "data of a regulator")))
        parts = await open_parts(settings, system_clock)
        stack.push_async_callback(parts.database.close)
        peer = Membership(parts.view, parts.credentials).peer(name)
        stack.push_async_callback(peer.close)
        yield parts, peer


async def _here(parts: Parts, jurisdiction: str) -> Side:
    async def read(ranges: Sequence[Range], *, from_entries: bool) -> Sequence[bytes]:
        return await parts.database.read(
            lambda transaction: read_range_roots(transaction, jurisdiction, ranges, from_entries=from_entries)
        )

    size, checkpoint = await parts.database.read(lambda transaction: read_log(transaction, jurisdiction))
    return Side(size, checkpoint, partial(read, from_entries=True), partial(read, from_entries=False))


class _Other:
    """The other regulator: a province with its own log, or the nation with its copy of the caller's."""

    def __init__(self, peer: Peer, *, callers_log: bool) -> None:
        self._peer = peer
        self._callers_log = callers_log

    async def side(self) -> Side:
        answer = await ask_roots(self._peer, [], callers_log=self._callers_log)
        stored = partial(self.roots, from_entries=True)
        return Side(answer.size, answer.checkpoint, stored, partial(self.roots, from_entries=False))

    async def roots(self, ranges: Sequence[Range], *, from_entries: bool) -> Sequence[bytes]:
        answer = await ask_roots(self._peer, ranges, callers_log=self._callers_log, from_entries=from_entries)
        return answer.roots

    async def runs(self, first: int) -> Sequence[evidence_pb2.Run]:
        """Fetches runs from an index on, where one begins."""
        if self._callers_log:
            witness = self._peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
            request = witness_service_pb2.FetchLogRequest(from_index=first)
            answer: witness_service_pb2.FetchLogResponse = await translated(
                witness.FetchLog(request, timeout=FETCH_SECONDS)
            )
            return answer.runs
        follow = self._peer.stub(follow_service_pb2_grpc.FollowServiceStub)
        stream = follow.FollowLog(follow_service_pb2.FollowLogRequest(from_index=first), timeout=FETCH_SECONDS)
        try:
            page: follow_service_pb2.FollowLogResponse = await translated(stream.read())
            return page.runs
        finally:
            stream.cancel()


def _ids_of(jurisdiction: str, indexes: Sequence[int], transaction: Transaction) -> dict[int, str]:
    query = "SELECT entry_id FROM log_entry WHERE jurisdiction = ? AND log_index = ?"
    found = {index: transaction.execute(query, (jurisdiction, index)) for index in indexes}
    return {index: str(UUID(bytes=bytes(rows[0][0]))) for index, rows in found.items() if rows}


async def _alarm(parts: Parts, jurisdiction: str, there: _Other) -> None:
    alarms = Alarms(parts.settings.folder, system_clock)
    here, other = await _here(parts, jurisdiction), await there.side()
    met = Sighting(jurisdiction, here.checkpoint, other.checkpoint, "what the two sides acknowledged is not the same")
    watch = LogWatch(parts.view.key_ring, alarms)
    await watch.judge(met, read_held=here.acknowledged, read_shown=other.acknowledged)


async def _fetch_again(parts: Parts, jurisdiction: str, damaged: Sequence[int], there: _Other) -> int:
    """Fetches the runs that hold damaged entries and stores them anew; returns how many."""
    count, done = 0, -1
    for index in damaged:
        while done <= index:
            first = await parts.database.read(partial(_place_of, jurisdiction, index))
            runs = await there.runs(first)
            if not runs or runs[0].first_index != first:
                raise _not_proven("the other side has no run that begins where this one does")
            await parts.database.write(partial(_restore, parts, runs[0]))
            count, done = count + 1, first + len(runs[0].entries)
    return count


def _place_of(jurisdiction: str, index: int, transaction: Transaction) -> int:
    """Finds where the run begins that covers an index, or the first run that is missing before it."""
    rows = transaction.execute(
        "SELECT first_index, size FROM run WHERE jurisdiction = ? AND first_index <= ? ORDER BY first_index DESC LIMIT 1",
        (jurisdiction, index),
    )
    if not rows:
        return 0
    first, size = rows[0]
    return int(first if index < first + size else first + size)


def _restore(parts: Parts, run: evidence_pb2.Run, transaction: Transaction) -> None:
    """Stores a run in the place of a damaged one, verified against the log around it."""
    jurisdiction, first, end = run.jurisdiction, run.first_index, run.first_index + len(run.entries)
    transaction.lock(f"log/{jurisdiction}")
    ring = parts.view.key_ring()
    before = StoredTree(transaction, jurisdiction).range_at(first)
    try:
        after = verify_run(run, before, ring.lookup, ring.keys_of(regulator_of(jurisdiction)))
        entries = [read_entry(raw) for raw in run.entries]
    except ProofError as error:
        raise _not_proven(str(error)) from error
    following = transaction.execute(
        "SELECT acknowledgement FROM run WHERE jurisdiction = ? AND first_index = ?", (jurisdiction, end)
    )
    for (acknowledgement,) in following:
        if evidence_pb2.Acknowledgement.FromString(bytes(acknowledgement)).before != after.to_bytes():
            raise _not_proven("the log that follows here does not continue it")
    for table, column in (("run", "first_index"), ("log_entry", "log_index")):
        transaction.execute(
            f"DELETE FROM {table} WHERE jurisdiction = ? AND {column} >= ? AND {column} < ?",  # noqa: S608
            (jurisdiction, first, end),
        )
    signed = run.batch.signed_header
    new = NewRun(
        entries[0].origin,
        run.entries,
        [id_bytes(entry.entry_id) for entry in entries],
        SignedBatch(signed.header, signed.signature, split_hashes(run.batch.leaf_hashes)),
        list(run.batch_indexes) or None,
    )
    acknowledgement = build_acknowledgement(jurisdiction, before, leaf_hashes_of(run.entries), run.checkpoint)
    store_runs(transaction, jurisdiction, [StoredRun(new, first, acknowledgement, run.filed_time.ToMicroseconds())])


def _not_proven(problem: str) -> FailedPrecondition:
    message = f"a run that the other side sent does not fit this log, and nothing of it was stored: {problem}"
    return FailedPrecondition(message, "RUN_NOT_PROVEN")
