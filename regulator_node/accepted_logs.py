"""A province accepts the nation's log from a new start: after an older backup of the nation was put back, and never by itself.

The head from which it goes on is told to the operator over another channel. It is accepted only where the nation's log, as it
is shown, begins with that very head and contradicts the one that this province cosigned last. The old head and the proof that
the log has two histories are kept for ever, in the register and in `alarms/closed`; the trail says who accepted what.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from regulator_node.audit import record_command
from regulator_node.lost_history import LostHistory, keep_lost
from regulator_node.nation_witness import read_witnessed, replace_witnessed
from shared.alarms import LOG_FORKED, LOG_PUT_BACK, Alarms
from shared.channel import Peer, translated
from shared.clock import system_clock
from shared.database import Database, Transaction
from shared.errors import FailedPrecondition
from shared.evidence.checkpoints import verify_head
from shared.evidence.forks import find_fork, size_of
from shared.evidence.hashing import ProofError
from shared.evidence.merkle import verify_consistency
from shared.log_watch import FORKED
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from shared.pb.filingnet.network.v1 import witness_service_pb2_grpc
from shared.provisions.regions import NATION
from shared.range_roots import read_roots
from shared.told_head import ToldHead

CALL_SECONDS: Final = 60.0
"""How long the nation may take to show its head."""

COMMAND: Final = "regulator-node log accept"


async def accept_log(
    database: Database, view: NetworkView, peer: Peer, alarms: Alarms, own_jurisdiction: str, told: ToldHead
) -> None:
    """Accepts the nation's log from a head on; it is cosigned again from then on. All or nothing.

    Args:
        database: the province's register; its node is stopped.
        view: the documents held; the nation's keys are in its directory.
        peer: the nation.
        alarms: of this node; those about the nation's log are closed.
        own_jurisdiction: this province's.
        told: the head.

    Raises:
        FailedPrecondition: NOTHING_TO_ACCEPT, the log continues what was cosigned; HEAD_NOT_SHOWN, it does not begin with
            that head, or the head is smaller than the one that was cosigned.
        RemoteError: the nation could not be reached, or refused.
    """
    held = await database.read(read_witnessed)
    if not held:
        raise FailedPrecondition(
            "nothing of that log was cosigned here: there is nothing to accept", "NOTHING_TO_ACCEPT"
        )
    shown = await _shown(view, peer, told)
    proof = await find_fork(held, shown, view.key_ring(), partial(read_roots, peer))
    if proof is None:
        raise FailedPrecondition(
            "that log continues the head that was cosigned last: there is nothing to accept", "NOTHING_TO_ACCEPT"
        )
    if told.size < size_of(held):
        # It would be where the two histories are one still, and say nothing of the new one.
        raise _not_shown(f"{size_of(held)} entries of it were cosigned here, and the head that you give has fewer")
    # The files first: a crash leaves an alarm too many and no evidence too little.
    alarms.raise_alarm(LOG_FORKED, NATION, FORKED, proof, proven=True)

    def work(transaction: Transaction) -> bool:
        if not replace_witnessed(held, shown, transaction):
            return False
        keep_lost(transaction, LostHistory(NATION, 0, told.size, held, proof))
        detail = f"log of {NATION} from {told.size} entries, root {told.root.hex()}, instead of {size_of(held)} entries"
        record_command(transaction, own_jurisdiction, system_clock(), COMMAND, detail)
        return True

    if not await database.write(work):
        raise FailedPrecondition("another process of this node cosigned that log just now: stop it", "NODE_RUNS")
    for alarm in alarms.open():
        if alarm.jurisdiction == NATION and alarm.reason in (LOG_FORKED, LOG_PUT_BACK):
            alarms.close(alarm.name)


async def _shown(view: NetworkView, peer: Peer, told: ToldHead) -> bytes:
    """Fetches the newest head of the nation's log, verified to begin with the one that was told."""
    stub = peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
    answer = await translated(stub.GetHead(wire.GetHeadRequest(old_size=told.size), timeout=CALL_SECONDS))
    try:
        head = verify_head(answer.checkpoint, NATION, view.key_ring().keys_of).checkpoint
        verify_consistency(told.size, head.size, list(answer.consistency_path), told.root, head.root)
    except ProofError as error:
        raise _not_shown(str(error)) from error
    return bytes(answer.checkpoint)


def _not_shown(why: str) -> FailedPrecondition:
    message = (
        f"the nation's log does not go on from that head ({why}): compare it with what the nation's office told you"
    )
    return FailedPrecondition(message, "HEAD_NOT_SHOWN")
