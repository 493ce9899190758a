"""A province witnesses the nation's log, of which it holds no copy: each newest head is proven to continue the last one.

The head that was cosigned last is kept, and replaced by compare-and-swap before the cosignature is made: a province never
cosigns two heads of which neither continues the other. A nation that cannot prove it is not cosigned, and an alarm is
raised (`log_watch`); following goes on, because documents are verified by themselves.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from regulator_node.log_watch import RegulatorWatch
from regulator_node.witness import Witness
from shared.channel import Peer, translated
from shared.database import Database, Transaction
from shared.errors import FilingnetError
from shared.evidence.checkpoints import Checkpoint, verify_head
from shared.evidence.forks import size_of
from shared.evidence.hashing import EMPTY_ROOT, ProofError, UnusableProof
from shared.evidence.merkle import verify_consistency
from shared.evidence.notes import parse_note
from shared.log_watch import Sighting
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import evidence_pb2, witness_service_pb2_grpc
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from shared.provisions.regions import NATION

CALL_SECONDS: Final = 10.0
SIZE_AHEAD: Final = "SIZE_AHEAD"
"""Reason of a regulator whose log is shorter than one that it signed."""

log = structlog.get_logger(__name__)


async def witness_nation(
    database: Database,
    view: NetworkView,
    witness: Witness,
    peer: Peer,
    heard: asyncio.Event,
    watch: RegulatorWatch,
) -> None:
    """Cosigns the nation's newest head whenever the nation was heard, until cancelled; see `NationWitness`."""
    await NationWitness(database, view, witness, peer, watch).run(heard)


class NationWitness:
    """Cosigns the nation's log as one province does.

    Args:
        database: the register.
        view: the documents held; the nation's keys are in its directory.
        witness: cosigns.
        peer: the nation.
        watch: told of a head that does not continue the last one.
    """

    def __init__(
        self, database: Database, view: NetworkView, witness: Witness, peer: Peer, watch: RegulatorWatch | None = None
    ) -> None:
        self._database = database
        self._view = view
        self._witness = witness
        self._peer = peer
        self._watch = watch
        self._handed = ""

    async def run(self, heard: asyncio.Event) -> None:
        """Cosigns the nation's newest head whenever the nation was heard, until cancelled.

        Args:
            heard: set when a page came from the nation, heartbeats included.
        """
        while True:
            await heard.wait()
            heard.clear()
            try:
                await self.cosign_newest()
            except FilingnetError as error:
                # Whatever it is, it is tried again: a nation that is away, a full disk here.
                # A nation that has fewer entries than it signed says so by itself: it was put back, or rewrote its log.
                if error.reason == SIZE_AHEAD:
                    await self._suspect("it has fewer entries than it signed: it was put back to an earlier state")
                log.info("nation_not_cosigned", reason=error.reason)
            except UnusableProof as error:
                log.info("nation_not_cosigned", reason=str(error))
            except ProofError as error:
                await self._suspect(str(error))

    async def cosign_newest(self) -> None:
        """Cosigns the nation's newest head and hands it back, if it continues the one that was cosigned last.

        Raises:
            ProofError: it does not; nothing is cosigned.
            RemoteError: the nation did not answer, or has fewer entries than it signed.
        """
        held = await self._database.read(read_witnessed)
        answer = await self._head(size_of(held) if held else 0)
        head = verify_head(answer.checkpoint, NATION, self._view.key_ring().keys_of).checkpoint
        old = Checkpoint.decode(parse_note(held).text) if held else Checkpoint(head.origin, 0, EMPTY_ROOT)
        verify_consistency(old.size, head.size, list(answer.consistency_path), old.root, head.root)
        if head.encode() == self._handed or not head.size:
            return
        newer = not held or head.size > old.size
        if newer and not await self._database.write(partial(replace_witnessed, held, answer.checkpoint)):
            return
        # Also where that head was kept before: what was cosigned may not have arrived.
        note = self._witness.cosigned(answer.checkpoint)
        stub = self._peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
        await translated(stub.SubmitCosignature(wire.SubmitCosignatureRequest(checkpoint=note), timeout=CALL_SECONDS))
        self._handed = head.encode()

    async def _head(self, old_size: int) -> wire.GetHeadResponse:
        stub = self._peer.stub(witness_service_pb2_grpc.WitnessServiceStub)
        answer: wire.GetHeadResponse = await translated(
            stub.GetHead(wire.GetHeadRequest(old_size=old_size), timeout=CALL_SECONDS)
        )
        return answer

    async def _suspect(self, problem: str) -> None:
        if self._watch is None:
            return
        held = await self._database.read(read_witnessed)
        shown = b""
        with suppress(FilingnetError):
            shown = (await self._head(0)).checkpoint
        await self._watch.witnessed(Sighting(NATION, held, shown, problem), self._peer)


def read_witnessed(transaction: Transaction) -> bytes:
    """Reads the head of the nation's log that was cosigned last, a signed note; empty before the first.

    At the nation, where nobody cosigns the own log, the one that `keep_missed` kept.
    """
    rows = transaction.execute("SELECT checkpoint FROM witnessed_head WHERE jurisdiction = ?", (NATION,))
    return bytes(rows[0][0]) if rows else b""


def read_known(transaction: Transaction) -> tuple[bytes, bytes]:
    """Reads the head of the nation's log that was cosigned last, and a larger one that came with a decision or a filing.

    These come down as they are made, a little ahead of the cosigning. Where the log was put back meanwhile the two can be of
    two histories, so that neither stands for the other.

    Returns:
        Two signed notes; empty where there is none.
    """
    cosigned = read_witnessed(transaction)
    rows = transaction.execute(
        "SELECT receipt FROM foreign_receipt WHERE jurisdiction = ? ORDER BY log_index DESC LIMIT 1", (NATION,)
    )
    for (receipt,) in rows:
        newest = evidence_pb2.Receipt.FromString(bytes(receipt)).checkpoint
        if not cosigned or size_of(newest) > size_of(cosigned):
            return cosigned, newest
    return cosigned, b""


def keep_missed(transaction: Transaction, note: bytes) -> None:
    """Keeps, at the nation itself, the largest head that a provider showed and that its log lacks, until `recover`.

    Args:
        transaction: a write.
        note: the head.
    """
    held = read_witnessed(transaction)
    if not held or size_of(note) > size_of(held):
        replace_witnessed(held, note, transaction)


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
