"""Fetches the proofs that what the regulator acknowledged is final, run by run, and keeps them.

A provider holds its own runs of the log and not those of others, so that the regulator has to say what lies between a run
and a checkpoint that another regulator cosigned: a few hashes. They are believed when they lead from the acknowledged run
to the very root that was cosigned, and kept, so that every receipt shows by itself that its filing is final.

Filings go first: while some wait to be sent, proofs are asked for at most every half minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from provider_node.directives import REGULATOR
from shared.database import Database, Transaction
from shared.delivery.worker import nobody_told
from shared.errors import FilingnetError
from shared.evidence.checkpoints import SignedHead, verify_head
from shared.evidence.forks import Contradiction
from shared.evidence.grown_trees import GrownTree
from shared.evidence.hashing import ProofError, split_hashes
from shared.evidence.keyring import KeyRing
from shared.evidence.names import is_node_name, regulator_of
from shared.evidence.ranges import CompactRange
from shared.pb.filingnet.network.v1 import evidence_pb2, witness_service_pb2

PAGE_RUNS: Final = 100
WHILE_BUSY: Final = 30.0
"""Seconds between questions while filings wait to be sent."""

AskForProofs = Callable[[witness_service_pb2.ProveFinalRequest], Awaitable[witness_service_pb2.ProveFinalResponse]]
"""Asks the regulator for proofs; raises RemoteError where it does not answer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that was acknowledged: the log before it, its leaf hashes, and the signed checkpoint at its end."""

    first_index: int
    before: CompactRange
    leaf_hashes: Sequence[bytes]
    checkpoint: bytes

    @property
    def end(self) -> int:
        return self.first_index + len(self.leaf_hashes)


class FinalityProofs:
    """Fetches and keeps the proofs of one regulator.

    Args:
        database: the node's own.
        jurisdiction: the regulator's.
        key_ring: reads the keys of the newest directory.
        monotonic: tells seconds that pass, whatever the clock is set to.
        contradicted: told when what was cosigned is not what was acknowledged.
    """

    def __init__(
        self,
        database: Database,
        jurisdiction: str,
        key_ring: Callable[[], KeyRing],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        contradicted: Callable[[Contradiction], Awaitable[None]] = nobody_told,
    ) -> None:
        self._contradicted = contradicted
        self._database = database
        self._jurisdiction = jurisdiction
        self._regulator = regulator_of(jurisdiction)
        self._key_ring = key_ring
        self._monotonic = monotonic
        self._heard = asyncio.Event()
        self._last_page = monotonic() - WHILE_BUSY

    def heard(self) -> None:
        """Is told that the regulator was heard: something may have become final."""
        self._heard.set()

    async def run(self, ask: AskForProofs) -> None:
        """Fetches what is missing whenever the regulator was heard, until cancelled.

        Args:
            ask: asks the regulator.
        """
        while True:
            await self._heard.wait()
            self._heard.clear()
            try:
                while await self.fetch_page(ask):
                    pass
            except Contradiction as error:
                await self._contradicted(error)
            except (FilingnetError, ProofError) as error:
                log.info("finality_not_proven", regulator=self._regulator, reason=str(error))

    async def fetch_page(self, ask: AskForProofs) -> bool:
        """Fetches one page of what is missing, verifies it and keeps it.

        Args:
            ask: asks the regulator.

        Returns:
            Whether there may be more.

        Raises:
            ProofError: something in the answer is not proven; nothing of it is kept.
            RemoteError: the regulator did not answer.
        """
        busy, runs = await self._database.read(self._missing)
        if not runs or (busy and self._monotonic() < self._last_page + WHILE_BUSY):
            return False
        self._last_page = self._monotonic()
        answer = await ask(witness_service_pb2.ProveFinalRequest(sizes=[run.end for run in runs]))
        head = self._cosigned(answer.checkpoint)
        if len(answer.beyond) != len(runs):
            raise ProofError("The regulator proved other runs than it was asked about.")
        for run, beyond in zip(runs, answer.beyond, strict=True):
            tree = GrownTree(run.before, run.leaf_hashes, split_hashes(beyond.hashes), head.checkpoint.size)
            if tree.root() != head.checkpoint.root:
                message = "What was cosigned is not the log that was acknowledged: keep both checkpoints."
                raise Contradiction(message, run.checkpoint, answer.checkpoint)
        rows = [
            (self._regulator, run.first_index, head.checkpoint.size, answer.checkpoint, beyond.hashes)
            for run, beyond in zip(runs, answer.beyond, strict=True)
        ]
        await self._database.write(lambda transaction: _insert(transaction, rows))
        return len(runs) == PAGE_RUNS

    def _missing(self, transaction: Transaction) -> tuple[bool, list[_Run]]:
        waiting = transaction.execute(
            "SELECT 1 FROM outbox WHERE destination = ? AND state = 0 LIMIT 1", (self._regulator,)
        )
        rows = transaction.execute(
            "SELECT d.acknowledgement, t.final_size FROM destination t JOIN delivered_run d ON d.destination = t.name"
            " WHERE t.name = ? AND d.first_index < t.final_size AND NOT EXISTS (SELECT 1 FROM final_run f"
            " WHERE f.destination = d.destination AND f.first_index = d.first_index)"
            " ORDER BY d.first_index LIMIT ?",
            (self._regulator, PAGE_RUNS),
        )
        runs = [(_run_of(bytes(acknowledgement)), size) for acknowledgement, size in rows]
        return bool(waiting), [run for run, size in runs if run.end <= size]

    def _cosigned(self, note: bytes) -> SignedHead:
        head = verify_head(note, self._jurisdiction, self._key_ring().keys_of)
        if not any(each.name.startswith(REGULATOR) and is_node_name(each.name) for each in head.cosignatures):
            raise ProofError("No other regulator cosigned the checkpoint that was sent as final.")
        return head


def _run_of(acknowledgement: bytes) -> _Run:
    run = evidence_pb2.Acknowledgement.FromString(acknowledgement)
    before = CompactRange.from_bytes(run.first_index, run.before)
    return _Run(run.first_index, before, split_hashes(run.leaf_hashes), run.checkpoint)


def _insert(transaction: Transaction, rows: Sequence[tuple[object, ...]]) -> None:
    for row in rows:
        transaction.execute(
            "INSERT INTO final_run (destination, first_index, size, checkpoint, beyond) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (destination, first_index) DO NOTHING",
            row,
        )
