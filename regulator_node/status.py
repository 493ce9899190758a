"""What this node says about itself: how far its log and its copies are, and how many filings the register holds."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from regulator_node.log import log_size, read_checkpoint
from regulator_node.replication import Replica, read_replicas
from shared.database import Transaction
from shared.provisions.regions import PROVINCES


@dataclass(frozen=True, slots=True)
class RegisterStatus:
    """The register at a moment: the own log's size and newest checkpoint, copies of others, and filings of all."""

    log_size: int
    checkpoint: bytes
    replicas: tuple[Replica, ...]
    filings: int


class StatusReader:
    """Reads the state of one register.

    Filings are never removed and enter in the order of their log, so that only those after the last reading are
    counted: asking a register of millions again costs nothing.

    Args:
        jurisdiction: this regulator's.
    """

    def __init__(self, jurisdiction: str) -> None:
        self._jurisdiction = jurisdiction
        self._counted: dict[str, tuple[int, int]] = {}
        self._lock = Lock()

    def read(self, transaction: Transaction) -> RegisterStatus:
        """Reads the state.

        Args:
            transaction: a read.

        Returns:
            The state.
        """
        return RegisterStatus(
            log_size=log_size(transaction, self._jurisdiction),
            checkpoint=read_checkpoint(transaction, self._jurisdiction),
            replicas=tuple(read_replicas(transaction, self._jurisdiction)),
            filings=self._count(transaction),
        )

    def _count(self, transaction: Transaction) -> int:
        with self._lock:
            for jurisdiction in PROVINCES:
                index, count = self._counted.get(jurisdiction, (-1, 0))
                ((newer, last),) = transaction.execute(
                    "SELECT COUNT(*), MAX(log_index) FROM filing WHERE jurisdiction = ? AND log_index > ?",
                    (jurisdiction, index),
                )
                if newer:
                    self._counted[jurisdiction] = (last, count + newer)
            return sum(count for _, count in self._counted.values())
