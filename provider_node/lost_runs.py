"""A provider that files with the nation itself accepts its log from a new start, and files again what that lost.

After an older backup of the nation was put back, what it acknowledged since is in no register any more, and nobody else
holds it. The provider does: every entry as it was signed. The head from which the log goes on is told to the operator over
another channel. Which acknowledgements are of the lost history follows from the log as it is shown, which is verified to
begin with that very head; they are kept for ever, and their entries wait in the outbox again, in their old order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from provider_node.label_rows import fold_all_again
from shared.channel import Peer
from shared.clock import micros, system_clock
from shared.database import Database, Transaction
from shared.delivery.outbox import OutboxState, replay
from shared.errors import FailedPrecondition
from shared.evidence.checkpoints import Checkpoint, verify_checkpoint
from shared.evidence.forks import TreeParts, began_with, parts_needed
from shared.evidence.hashing import ProofError
from shared.evidence.names import log_origin, regulator_of
from shared.evidence.notes import parse_note
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import evidence_pb2
from shared.provisions.regions import NATION
from shared.range_roots import ask_roots
from shared.told_head import ToldHead

_NATION = regulator_of(NATION)


async def accept_log(database: Database, view: NetworkView, peer: Peer, told: ToldHead) -> int:
    """Queues again what the nation acknowledged in a history that it lost; all or nothing.

    Args:
        database: the provider's own; its node is stopped.
        view: the documents held; the nation's keys are in its directory.
        peer: the nation.
        told: the head from which its log goes on.

    Returns:
        How many entries wait again.

    Raises:
        FailedPrecondition: NOTHING_TO_ACCEPT, all that it acknowledged is in its log; HEAD_NOT_SHOWN, its log does not begin
            with that head.
        RemoteError: the nation could not be reached, or refused.
    """
    shown = await _Shown.ask(view, peer)
    if shown.head.size < told.size or await shown.root_at(told.size) != told.root:
        message = "the nation's log does not begin with that head: compare it with what the nation's office told you"
        raise FailedPrecondition(message, "HEAD_NOT_SHOWN")
    firsts = await database.read(lambda transaction: _runs_below(transaction, told.size))
    begin, end = 0, len(firsts)
    # The two histories begin alike: from the first run that is not in the log on, none is.
    while begin < end:
        middle = (begin + end) // 2
        signed = await database.read(lambda transaction, first=firsts[middle]: _head_of(transaction, first))  # type: ignore[misc]
        if await shown.root_at(signed.size) == signed.root:
            begin = middle + 1
        else:
            end = middle
    if begin == len(firsts):
        raise FailedPrecondition("all that the nation acknowledged is in its log", "NOTHING_TO_ACCEPT")
    return await database.write(lambda transaction: queue_again(transaction, firsts[begin], told.size, system_clock()))


class _Shown:
    """The nation's log as it shows it.

    Args:
        peer: the nation.
        head: its newest head, verified.
    """

    def __init__(self, peer: Peer, head: Checkpoint) -> None:
        self._peer = peer
        self.head = head

    @classmethod
    async def ask(cls, view: NetworkView, peer: Peer) -> _Shown:
        """Asks for the newest head."""
        note = (await ask_roots(peer, [])).checkpoint
        keys = view.key_ring().keys_of(_NATION)
        try:
            return cls(peer, verify_checkpoint(note, log_origin(NATION), keys))
        except ProofError as error:
            raise FailedPrecondition(f"the nation shows no head of its log: {error}", "HEAD_NOT_SHOWN") from error

    async def root_at(self, size: int) -> bytes:
        """Asks for the root that the log had with so many entries, verified against the head; empty where it never had."""
        if size > self.head.size:
            return b""
        parts = TreeParts()
        if size < self.head.size:
            before, beyond = parts_needed(size, self.head.size)
            roots = (await ask_roots(self._peer, [*before, *beyond])).roots
            parts = TreeParts(tuple(roots[: len(before)]), tuple(roots[len(before) :]))
        try:
            return began_with(size, self.head, parts)
        except ProofError as error:
            raise FailedPrecondition(f"the nation does not show its log: {error}", "HEAD_NOT_SHOWN") from error


def _runs_below(transaction: Transaction, size: int) -> Sequence[int]:
    rows = transaction.execute(
        "SELECT first_index FROM delivered_run WHERE destination = ? AND first_index < ? ORDER BY first_index",
        (_NATION, size),
    )
    return [int(first) for (first,) in rows]


def _head_of(transaction: Transaction, first: int) -> Checkpoint:
    ((data,),) = transaction.execute(
        "SELECT acknowledgement FROM delivered_run WHERE destination = ? AND first_index = ?", (_NATION, first)
    )
    # It was verified before it was stored.
    note = evidence_pb2.Acknowledgement.FromString(bytes(data)).checkpoint
    return Checkpoint.decode(parse_note(note).text)


def queue_again(transaction: Transaction, first: int, resumed: int, now: datetime) -> int:
    """Keeps the lost acknowledgements apart and queues their entries again, and what was refused for want of them.

    Args:
        transaction: a write.
        first: index of the first run that was lost.
        resumed: size of the log from which it goes on.
        now: by the node's clock.

    Returns:
        The number of entries that wait again.
    """
    lost = (_NATION, first, resumed)
    where = "WHERE destination = ? AND first_index >= ? AND first_index < ?"
    transaction.execute(
        "INSERT INTO lost_run (destination, first_index, resumed_size, acknowledgement, accepted_time)"  # noqa: S608
        f" SELECT destination, first_index, ?, acknowledgement, ? FROM delivered_run {where}",
        (resumed, micros(system_clock()), *lost),
    )
    for table in ("delivered_run", "final_run"):
        transaction.execute(f"DELETE FROM {table} {where}", lost)  # noqa: S608
    rows = transaction.execute(
        "UPDATE outbox SET state = ?, log_index = NULL, run_first_index = NULL, batch_id = NULL, batch_index = NULL"
        " WHERE destination = ? AND state = ? AND run_first_index >= ? AND run_first_index < ? RETURNING account_id",
        (OutboxState.QUEUED, _NATION, OutboxState.DELIVERED, first, resumed),
    )
    accounts = sorted({account for (account,) in rows if account})
    refused = [account for account in accounts if _refused_since(transaction, account, first)]
    again = sum(replay(transaction, account, now) for account in refused)
    fold_all_again(transaction, refused)
    return len(rows) + again


def _refused_since(transaction: Transaction, account_id: str, first: int) -> bool:
    """Tells whether an entry of an account was refused by a log that may have lacked what came before it."""
    signed = transaction.execute(
        "SELECT rejection FROM outbox WHERE destination = ? AND account_id = ? AND state = ? AND rejection IS NOT NULL",
        (_NATION, account_id, OutboxState.REJECTED),
    )
    return any(_size_at_refusal(bytes(rejection)) >= first for (rejection,) in signed)


def _size_at_refusal(signed: bytes) -> int:
    rejection = evidence_pb2.SignedRejection.FromString(signed).rejection
    return evidence_pb2.Rejection.FromString(rejection).log_size
