"""What a class of records has to offer so that it can be disposed of: what is over, and how it is removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from shared.database import Transaction
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.policy import Policy
from shared.provisions.retention import RecordClass, RetainedRecord

Position: TypeAlias = tuple[Any, ...]
"""Where a page ended, for the source that made it alone."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Records that are over, and where the next page begins; None after the last."""

    records: Sequence[RetainedRecord]
    following: Position | None


class RecordSource(ABC):
    """The records of one class at one node."""

    record_class: RecordClass
    """The class."""

    @abstractmethod
    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists records that ceased to matter, and no other; the oldest first, as far as the tables tell.

        Args:
            transaction: a read or a write.
            policies: in the order of their versions.
            until: only those that ceased to matter until then, in microseconds.
            after: where the page before ended; None for the first.
            limit: the most rows to look at.
        """

    @abstractmethod
    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes records for good, in the transaction that stores their certificate."""

    def lock(self, transaction: Transaction) -> None:
        """Keeps others from changing what `ended` reads until the transaction ends, where the class needs it."""
        del transaction

    def certified(
        self, transaction: Transaction, number: int, signed: disposal_pb2.SignedDisposal, leaves: Sequence[bytes]
    ) -> None:
        """Is told of a certificate, in its transaction, where the class keeps something of it beside the records.

        Args:
            transaction: the write.
            number: of the certificate.
            signed: the certificate.
            leaves: its records, in order.
        """
        del transaction, number, signed, leaves
