"""A province's own log beside what the nation holds of it: asked for before anything is taken in, and mended from there.

A log that was restored from an old backup is shorter than what the nation witnessed. If it went on growing from there, two
signed logs would contradict one another for ever. So a province asks the nation when it starts and every minute after, and
appends nothing while it knows that it is behind or forked: what is acknowledged on the wrong history would be lost with it,
and what is not acknowledged waits safely with its provider. A nation that is away stops nobody: it is asked again until it
answers. Each cosigned head that comes back is compared as well.

What is missing is fetched from the nation, which holds every entry's exact bytes, each run is verified against the
checkpoint that this regulator itself signed for it, and it is applied as it was the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from regulator_node.log import RegisterLog, read_log
from regulator_node.log_proofs import StoredTree
from regulator_node.lost_history import is_lost
from regulator_node.nation_witness import keep_missed
from regulator_node.replication import LogCopy
from shared.alarms import LOG_BEHIND, LOG_FORKED, Alarms
from shared.channel import Peer, RemoteError, translated
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.errors import FailedPrecondition, Unavailable
from shared.evidence.checkpoints import Checkpoint, verify_checkpoint
from shared.evidence.forks import TreeParts, fork_file, proven
from shared.evidence.hashing import ProofError
from shared.evidence.names import log_origin
from shared.evidence.own_log import LogStanding, standing_of
from shared.joining import check_signing_key
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    entry_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    witness_service_pb2,
    witness_service_pb2_grpc,
)
from shared.provisions.regions import NATION

ASK_SECONDS: Final = 5.0
"""How long the nation may take to say what it holds, while this node starts."""

FETCH_SECONDS: Final = 60.0
"""How long the nation may take to send a page of the log."""

AGAIN_SECONDS: Final = 5.0
"""How long after an answer that did not come the nation is asked again."""

WATCH_SECONDS: Final = 60.0
"""How long after an answer the nation is asked again: a second history may have been made elsewhere with this node's key."""

MENDS: Final = {
    LogStanding.BEHIND: (
        "LOG_BEHIND",
        "this log was put back to an earlier state, another regulator holds more of it: stop the node and run"
        " regulator-node recover",
    ),
    LogStanding.FORKED: (
        "LOG_FORKED",
        "this log and what another regulator holds of it contradict one another: keep a copy of the folder, put back a"
        " backup that was made before, and run regulator-node recover",
    ),
}
"""Reason and mend of each standing in which nothing enters the log."""

LOST_MEND: Final = (
    "LOG_FORKED",
    "that head is of a history of this log that was lost: have its regulator accept the new one with log accept",
)
"""Reason and mend for whoever holds a head of a lost history."""

log = structlog.get_logger(__name__)


class OwnLogGuard:
    """Lets nothing into the own log while it is behind what others hold of it, or contradicts that.

    Args:
        database: the register.
        register_log: the own log.
        view: the documents held.
        peer: opens the channel to the nation.
        alarms: of this node.
    """

    def __init__(
        self,
        database: Database,
        register_log: RegisterLog,
        view: NetworkView,
        peer: Callable[[], Peer],
        alarms: Alarms,
    ) -> None:
        self._database = database
        self._log = register_log
        self._view = view
        self._peer = peer
        self._alarms = alarms
        self._answered = False

    async def ask(self) -> None:
        """Asks the nation once what it holds, and holds the log back where that is more, or other."""
        peer = self._peer()
        try:
            request = witness_service_pb2.FetchLogRequest(head_only=True)
            answer = await _fetch(peer, request, ASK_SECONDS)
            await self.judge(answer.checkpoint)
        except RemoteError as error:
            log.info("own_log_not_compared", reason=error.reason)
            return
        except ProofError as error:
            log.warning("own_log_not_compared", reason=str(error))
            return
        finally:
            await peer.close()
        self._answered = True

    async def judge(self, note: bytes) -> LogStanding:
        """Compares the own log with a head of it that somebody else holds, and acts on what comes of it.

        Args:
            note: a signed note; empty where nothing is held.

        Returns:
            How the own log stands.

        Raises:
            ProofError: this regulator did not sign it.
        """
        witnessed = own_checkpoint(note, self._log, self._view)
        standing, own_note, parts = await self._database.read(
            lambda transaction: compared(transaction, self._log.jurisdiction, witnessed)
        )
        mend = MENDS.get(standing)
        if mend is not None and self._log.held_back != mend:
            log.error("own_log_held_back", reason=mend[0], witnessed=witnessed.size if witnessed else 0)
        if mend is not None or self._log.jurisdiction != NATION:
            # What one province holds of the nation's log does not take back what another showed.
            self._log.held_back = mend
        if mend is not None:
            await asyncio.to_thread(self._raise, standing, note, own_note, parts)
        return standing

    async def shown(self, note: bytes) -> None:
        """Compares the nation's log with a head of it that a provider shows, and keeps the largest that the log lacks.

        A province's log is judged by the nation's copy of it alone, out of which it is recovered.

        Args:
            note: a signed note.

        Raises:
            Unavailable: CHECKPOINT_UNKNOWN, no key that this node knows of itself signed it.
        """
        if self._log.jurisdiction != NATION:
            return
        try:
            standing = await self.judge(note)
        except ProofError as error:
            message = f"known_checkpoint is no head of this log by a key that this node holds: {error}"
            raise Unavailable(message, "CHECKPOINT_UNKNOWN") from error
        if standing in MENDS:
            await self._database.write(lambda transaction: keep_missed(transaction, note))

    def missed(self, size: int) -> None:
        """Is told that another regulator saw more entries of this log than it has, by its word alone."""
        detail = f"another regulator saw {size} entries of it, more than it has: it was put back to an earlier state"
        self._alarms.raise_alarm(LOG_BEHIND, self._log.jurisdiction, detail)

    def _raise(self, standing: LogStanding, note: bytes, own_note: bytes, parts: TreeParts) -> None:
        own = self._log.jurisdiction
        if standing is LogStanding.BEHIND:
            detail = "it has fewer entries than it signed: it was put back to an earlier state"
            self._alarms.raise_alarm(LOG_BEHIND, own, detail, fork_file(note, own_note))
            return
        proof = proven(note, own_note, self._view.key_ring(), parts)
        detail = "this node signed two heads of its log that cannot both be true"
        self._alarms.raise_alarm(LOG_FORKED, own, detail, proof, proven=proof is not None)

    async def ask_for_ever(self) -> None:
        """Asks until the nation answered, and from then on now and then, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS if self._answered else AGAIN_SECONDS)
            await self.ask()


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many entries were recovered, and how many the log has now."""

    entries: int
    size: int


async def recover(
    database: Database, register_log: RegisterLog, view: NetworkView, peer: Peer, clock: Clock
) -> Recovered:
    """Brings the own log to where the nation holds it; nobody else writes to it meanwhile.

    Can be begun again after any failure: each page is stored whole or not at all.

    Args:
        database: the register.
        register_log: the own log.
        view: the documents held; brought up to date first, because newer keys verify newer entries.
        peer: to the nation.
        clock: tells the time.

    Raises:
        RemoteError: the nation could not be reached, or refused.
        FailedPrecondition: LOG_FORKED, what is here and what the nation holds contradict one another; SIGNING_KEY_UNKNOWN;
            nothing was changed.
    """
    await renew_documents(view, peer)
    check_signing_key(view, register_log.node_name, register_log.key)
    answer = await _fetch(peer, witness_service_pb2.FetchLogRequest(head_only=True), FETCH_SECONDS)
    own = register_log.jurisdiction
    try:
        witnessed = own_checkpoint(answer.checkpoint, register_log, view)
    except ProofError as error:
        raise FailedPrecondition(f"the nation's answer does not prove itself: {error}", "CHECKPOINT_WRONG") from error
    standing, _, _ = await database.read(lambda transaction: compared(transaction, own, witnessed))
    if standing is LogStanding.FORKED:
        raise forked()
    copy = LogCopy(database, own, lambda: view.directory, clock, feed_regions=False)
    before = size = await copy.size()
    while size < answer.size:
        page = await _fetch(peer, witness_service_pb2.FetchLogRequest(from_index=size), FETCH_SECONDS)
        if not page.runs:
            # The nation holds no run that begins where this log ends.
            raise forked()
        try:
            size += await copy.store(follow_service_pb2.FollowLogResponse(runs=page.runs, head_size=page.size))
        except ProofError as error:
            raise forked() from error
    await database.write(lambda transaction: _settle(transaction, own, before))
    return Recovered(size - before, size)


async def renew_documents(view: NetworkView, peer: Peer) -> None:
    """Takes over the documents of the nation that another regulator holds and that are newer than those held here.

    Raises:
        RemoteError: it could not be reached, or refused.
        ProofError: one is not signed by the nation, or does not follow what is held.
    """
    stub = peer.stub(follow_service_pb2_grpc.FollowServiceStub)
    before = None
    while before != view.versions:
        directory, policy = before = view.versions
        request = follow_service_pb2.FollowDocumentsRequest(directory_version=directory, policy_version=policy)
        stream = stub.FollowDocuments(request, timeout=FETCH_SECONDS)
        page = await translated(stream.read())
        stream.cancel()
        await view.install(page.documents)


async def _fetch(
    peer: Peer, request: witness_service_pb2.FetchLogRequest, seconds: float
) -> witness_service_pb2.FetchLogResponse:
    stub = peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
    answer: witness_service_pb2.FetchLogResponse = await translated(stub.FetchLog(request, timeout=seconds))
    return answer


def own_checkpoint(note: bytes, register_log: RegisterLog, view: NetworkView) -> Checkpoint | None:
    """Reads a checkpoint that this regulator signed itself, which alone is believed."""
    keys = view.directory.keys_of(register_log.node_name)
    return verify_checkpoint(note, log_origin(register_log.jurisdiction), keys) if note else None


def compared(transaction: Transaction, own: str, witnessed: Checkpoint | None) -> tuple[LogStanding, bytes, TreeParts]:
    """Compares the own log with a witnessed head; with its own head and, where it forked, the tree that shows it."""
    size, note = read_log(transaction, own)
    tree = StoredTree(transaction, own)
    standing = standing_of(size, tree.root_at, witnessed)
    if witnessed is not None and standing is LogStanding.FORKED and is_lost(transaction, own, witnessed.size):
        standing = LogStanding.LOST
    if witnessed is None or standing is not LogStanding.FORKED:
        return standing, note, TreeParts()
    return standing, note, tree.parts_at(witnessed.size, size) if witnessed.size < size else TreeParts()


def _settle(transaction: Transaction, own: str, from_index: int) -> None:
    """Restores what intake keeps beside the log: when the log last grew, and how far each stream was answered."""
    rows = transaction.execute(
        "SELECT origin, entry FROM log_entry WHERE jurisdiction = ? AND log_index >= ? AND origin LIKE 'provider/%'"
        " AND entry <> ?",
        (own, from_index, b""),
    )
    positions: dict[str, int] = {}
    for origin, raw in rows:
        positions[origin] = max(positions.get(origin, 0), entry_pb2.Entry.FromString(bytes(raw)).sequence)
    transaction.executemany(
        "INSERT INTO stream_position (jurisdiction, origin, sequence) VALUES (?, ?, ?)"
        " ON CONFLICT (jurisdiction, origin) DO UPDATE SET sequence = excluded.sequence"
        " WHERE excluded.sequence > stream_position.sequence",
        [(own, origin, sequence) for origin, sequence in sorted(positions.items())],
    )
    transaction.execute(
        "UPDATE log SET contact_time = (SELECT MAX(filed_time) FROM run WHERE jurisdiction = ?)"
        " WHERE jurisdiction = ? AND size > 0",
        (own, own),
    )


def forked() -> FailedPrecondition:
    """Returns the refusal to mend a log that contradicts what is held of it."""
    reason, mend = MENDS[LogStanding.FORKED]
    return FailedPrecondition(mend, reason)
