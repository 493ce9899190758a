"""A province's own log beside what the nation holds of it: asked for before anything is taken in, and mended from there.

A log that was restored from an old backup is shorter than what the nation witnessed. If it went on growing from there, two
signed logs would contradict one another for ever. So a province asks the nation when it starts, and appends nothing while
it knows that it is behind. A nation that is away stops nobody: it is asked again until it answers.

What is missing is fetched from the nation, which holds every entry's exact bytes, each run is verified against the
checkpoint that this regulator itself signed for it, and it is applied as it was the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from regulator_node.log import RegisterLog, acknowledgement_of, log_size
from regulator_node.replication import LogCopy
from shared.channel import Peer, RemoteError, translated
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.errors import FailedPrecondition, NotFound
from shared.evidence.checkpoints import Checkpoint, verify_checkpoint
from shared.evidence.hashing import ProofError
from shared.evidence.names import log_origin
from shared.evidence.notes import parse_note
from shared.evidence.own_log import LogStanding, standing_of
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    entry_pb2,
    evidence_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    witness_service_pb2,
    witness_service_pb2_grpc,
)

ASK_SECONDS: Final = 5.0
"""How long the nation may take to say what it holds, while this node starts."""

FETCH_SECONDS: Final = 60.0
"""How long the nation may take to send a page of the log."""

AGAIN_SECONDS: Final = 5.0
"""How long after an answer that did not come the nation is asked again."""

MENDS: Final = {
    LogStanding.BEHIND: (
        "LOG_BEHIND",
        "this log was put back to an earlier state, the nation holds more of it: stop the node and run regulator-node recover",
    ),
    LogStanding.FORKED: (
        "LOG_FORKED",
        "this log and what the nation holds of it contradict one another: keep a copy of the folder, put back a backup that"
        " was made before, and run regulator-node recover",
    ),
}
"""Reason and mend of each standing in which nothing enters the log."""

log = structlog.get_logger(__name__)


class OwnLogGuard:
    """Lets nothing into the own log while it is behind what the nation holds of it.

    Args:
        database: the register.
        register_log: the own log.
        view: the documents held.
        peer: opens the channel to the nation.
    """

    def __init__(
        self, database: Database, register_log: RegisterLog, view: NetworkView, peer: Callable[[], Peer]
    ) -> None:
        self._database = database
        self._log = register_log
        self._view = view
        self._peer = peer
        self._answered = False

    async def ask(self) -> None:
        """Asks the nation once what it holds, and holds the log back where that is more, or other."""
        peer = self._peer()
        try:
            request = witness_service_pb2.FetchLogRequest(head_only=True)
            answer = await _fetch(peer, request, ASK_SECONDS)
            witnessed = _checkpoint(answer.checkpoint, self._log, self._view)
        except RemoteError as error:
            log.info("own_log_not_compared", reason=error.reason)
            return
        except ProofError as error:
            log.warning("own_log_not_compared", reason=str(error))
            return
        finally:
            await peer.close()
        standing = await self._database.read(
            lambda transaction: _standing(transaction, self._log.jurisdiction, witnessed)
        )
        self._log.held_back = MENDS.get(standing)
        self._answered = True
        if self._log.held_back is not None:
            log.error("own_log_held_back", reason=self._log.held_back[0], witnessed=answer.size)

    async def ask_until_answered(self) -> None:
        """Asks until the nation answered once, then rests until cancelled."""
        while not self._answered:
            await asyncio.sleep(AGAIN_SECONDS)
            await self.ask()
        await asyncio.Event().wait()


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
        FailedPrecondition: LOG_FORKED, what is here and what the nation holds contradict one another; nothing was changed.
    """
    await _renew_documents(view, peer)
    answer = await _fetch(peer, witness_service_pb2.FetchLogRequest(head_only=True), FETCH_SECONDS)
    own = register_log.jurisdiction
    try:
        witnessed = _checkpoint(answer.checkpoint, register_log, view)
    except ProofError as error:
        raise FailedPrecondition(f"the nation's answer does not prove itself: {error}", "CHECKPOINT_WRONG") from error
    if await database.read(lambda transaction: _standing(transaction, own, witnessed)) is LogStanding.FORKED:
        raise _forked()
    copy = LogCopy(database, own, lambda: view.directory, clock, feed_regions=False)
    before = size = await copy.size()
    while size < answer.size:
        page = await _fetch(peer, witness_service_pb2.FetchLogRequest(from_index=size), FETCH_SECONDS)
        if not page.runs:
            # The nation holds no run that begins where this log ends.
            raise _forked()
        try:
            size += await copy.store(follow_service_pb2.FollowLogResponse(runs=page.runs, head_size=page.size))
        except ProofError as error:
            raise _forked() from error
    await database.write(lambda transaction: _settle(transaction, own, before))
    return Recovered(size - before, size)


async def _renew_documents(view: NetworkView, peer: Peer) -> None:
    directory, policy = view.versions
    stub = peer.stub(follow_service_pb2_grpc.FollowServiceStub)
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


def _checkpoint(note: bytes, register_log: RegisterLog, view: NetworkView) -> Checkpoint | None:
    """Reads a checkpoint that this regulator signed itself, which alone is believed."""
    keys = view.directory.keys_of(register_log.node_name)
    return verify_checkpoint(note, log_origin(register_log.jurisdiction), keys) if note else None


def _standing(transaction: Transaction, own: str, witnessed: Checkpoint | None) -> LogStanding:

    def root_at(size: int) -> bytes | None:
        try:
            first, entries, acknowledgement = acknowledgement_of(transaction, own, size - 1)
        except NotFound:
            return None
        note = evidence_pb2.Acknowledgement.FromString(acknowledgement).checkpoint
        return Checkpoint.decode(parse_note(note).text).root if first + entries == size else None

    return standing_of(log_size(transaction, own), root_at, witnessed)


def _settle(transaction: Transaction, own: str, from_index: int) -> None:
    """Restores what intake keeps beside the log: when the log last grew, and how far each stream was answered."""
    rows = transaction.execute(
        "SELECT origin, entry FROM log_entry WHERE jurisdiction = ? AND log_index >= ? AND origin LIKE 'provider/%'",
        (own, from_index),
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


def _forked() -> FailedPrecondition:
    reason, mend = MENDS[LogStanding.FORKED]
    return FailedPrecondition(mend, reason)
