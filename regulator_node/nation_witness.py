"""A province witnesses the nation's log, of which it holds no copy: each newest head is proven to continue the last one.

The head that was cosigned last is kept, and replaced by compare-and-swap before the cosignature is made: a province never
cosigns two heads of which neither continues the other. A nation that cannot prove it is not cosigned, and the log of this
node says so; following goes on, because documents are verified by themselves.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import structlog

from regulator_node.witness import Witness
from shared.channel import Peer, translated
from shared.database import Database, Transaction
from shared.errors import FilingnetError
from shared.evidence.checkpoints import Checkpoint, verify_head
from shared.evidence.hashing import ProofError
from shared.evidence.merkle import EMPTY_ROOT, verify_consistency
from shared.evidence.notes import parse_note
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from shared.pb.filingnet.network.v1 import witness_service_pb2_grpc
from shared.provisions.regions import NATION

CALL_SECONDS: Final = 10.0
SIZE_AHEAD: Final = "SIZE_AHEAD"
"""Reason of a regulator whose log is shorter than one that it signed."""

log = structlog.get_logger(__name__)


async def witness_nation(
    database: Database, view: NetworkView, witness: Witness, peer: Peer, heard: asyncio.Event
) -> None:
    """Cosigns the nation's newest head whenever the nation was heard, until cancelled.

    Args:
        database: the register.
        view: the documents held; the nation's keys are in its directory.
        witness: cosigns.
        peer: the nation.
        heard: set when a page came from the nation, heartbeats included.
    """
    handed = ""
    while True:
        await heard.wait()
        heard.clear()
        try:
            handed = await cosign_newest(database, view, witness, peer, handed)
        except FilingnetError as error:
            # Whatever it is, it is tried again: a nation that is away, a full disk here.
            # A nation that has fewer entries than it signed says so by itself: it was put back, or rewrote its log.
            tell = log.error if error.reason == SIZE_AHEAD else log.info
            tell("nation_not_cosigned", reason=error.reason)
        except ProofError as error:
            log.error("nation_log_not_continued", reason=str(error), mend="keep both heads and ask the nation's office")


async def cosign_newest(database: Database, view: NetworkView, witness: Witness, peer: Peer, handed: str = "") -> str:
    """Cosigns the nation's newest head and hands it back, if it continues the one that was cosigned last.

    A head that was cosigned and did not reach the nation is handed back again, however long its log does not grow.

    Args:
        database: the register.
        view: the documents held.
        witness: cosigns.
        peer: the nation.
        handed: what this returned the last time; empty where that is not known.

    Returns:
        The head that was handed back last.

    Raises:
        ProofError: it does not; nothing is cosigned.
        RemoteError: the nation did not answer, or has fewer entries than it signed.
    """
    stub = peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
    held = await database.read(read_witnessed)
    answer = await translated(stub.GetHead(wire.GetHeadRequest(old_size=_size(held)), timeout=CALL_SECONDS))
    head = verify_head(answer.checkpoint, NATION, view.key_ring().keys_of).checkpoint
    old = Checkpoint.decode(parse_note(held).text) if held else None
    root = old.root if old is not None else EMPTY_ROOT
    verify_consistency(_size(held), head.size, list(answer.consistency_path), root, head.root)
    if head.encode() == handed or not head.size:
        return handed
    newer = old is None or head.size > old.size
    if newer and not await database.write(partial(replace_witnessed, held, answer.checkpoint)):
        return handed
    note = witness.cosigned(answer.checkpoint)
    await translated(stub.SubmitCosignature(wire.SubmitCosignatureRequest(checkpoint=note), timeout=CALL_SECONDS))
    return head.encode()


def read_witnessed(transaction: Transaction) -> bytes:
    """Reads the head of the nation's log that was cosigned last, a signed note; empty before the first."""
    rows = transaction.execute("SELECT checkpoint FROM witnessed_head WHERE jurisdiction = ?", (NATION,))
    return bytes(rows[0][0]) if rows else b""


def replace_witnessed(held: bytes, newer: bytes, transaction: Transaction) -> bool:
    """Replaces the head that was cosigned last, if it is still the one that the newer was proven to continue.

    Args:
        held: what was read; empty before the first.
        newer: the newer head.
        transaction: a write.

    Returns:
        Whether it was replaced; if not, another process of this node did.
    """
    transaction.lock("witness of the nation")
    if read_witnessed(transaction) != held:
        return False
    transaction.execute(
        "INSERT INTO witnessed_head (jurisdiction, checkpoint) VALUES (?, ?)"
        " ON CONFLICT (jurisdiction) DO UPDATE SET checkpoint = excluded.checkpoint",
        (NATION, newer),
    )
    return True


def _size(note: bytes) -> int:
    return Checkpoint.decode(parse_note(note).text).size if note else 0
