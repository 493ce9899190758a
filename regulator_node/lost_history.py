"""What is kept for ever of a history that a log lost: its largest head, where the log was resumed, and the proof of both."""

from __future__ import annotations

from dataclasses import dataclass

from shared.clock import micros, system_clock
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class LostHistory:
    """A history of a log that is not its history any more.

    Attributes:
        jurisdiction: whose log.
        kept_size: entries that the log held before it was resumed; 0 at a node that does not know it.
        resumed_size: entries that it held when it was resumed, more than were ever signed of the lost history.
        head: the largest head of the lost history that is known, a signed note.
        proof: the file that proves both histories (`shared.evidence.forks`); empty where this node could not make it.
    """

    jurisdiction: str
    kept_size: int
    resumed_size: int
    head: bytes
    proof: bytes


def keep_lost(transaction: Transaction, lost: LostHistory) -> None:
    """Keeps a lost history, once."""
    transaction.execute(
        "INSERT INTO lost_history (jurisdiction, resumed_size, kept_size, head, proof, resumed_time)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (jurisdiction, resumed_size) DO NOTHING",
        (
            lost.jurisdiction,
            lost.resumed_size,
            lost.kept_size,
            lost.head,
            lost.proof,
            micros(system_clock()),
        ),
    )


def is_lost(transaction: Transaction, jurisdiction: str, size: int) -> bool:
    """Tells whether a head of so many entries that contradicts the log can be one of a history that is known to be lost."""
    return bool(
        transaction.execute(
            "SELECT 1 FROM lost_history WHERE jurisdiction = ? AND resumed_size > ? LIMIT 1", (jurisdiction, size)
        )
    )
