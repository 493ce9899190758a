"""Leaving a regulator for another (Art. 3): nothing on the way is lost, and nothing is filed twice.

From the moment at which the provider hears of its transfer, whatever is new is queued for the new regulator. What was on
its way to the old one still arrives there. When nothing is, the departure follows: the provider's last entry in that
log, by which the nation hands the history to the new regulator, complete. What the old regulator refused, and what waits
behind it, is in no log and is then readdressed, once, in the transaction that settles the departure.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto

from provider_node.standing import Standing
from shared.database import Transaction
from shared.delivery.outbox import PROVIDER_ITSELF, OutboxState, enqueue, mark_departed, readdress
from shared.evidence.names import regulator_of
from shared.pb.filingnet.network.v1 import departure_pb2


class Progress(Enum):
    """How far a departure is."""

    DRAINING = auto()
    """Something is still on its way to the regulator that is left."""
    QUEUED = auto()
    """The departure was just queued."""
    SETTLED = auto()
    """Nothing is left to do there."""


def close_former(transaction: Transaction, standing: Standing) -> None:
    """Lets nothing more be queued for the regulators that the provider no longer files with."""
    mark_departed(transaction, standing.left, standing.regulator)


def unsettled(transaction: Transaction, standing: Standing) -> list[int]:
    """Reads the numbers of the transfers with something left to do at the regulator that was left, in order."""
    settled = {number for (number,) in transaction.execute("SELECT number FROM departure WHERE settled = 1")}
    return [number for number in range(1, len(standing.former) + 1) if number not in settled]


def advance(transaction: Transaction, standing: Standing, number: int, now: datetime) -> Progress:
    """Takes a departure a step further, where it can go.

    Args:
        transaction: a write.
        standing: the provider.
        number: of the transfer, from 1; those before it are settled.
        now: when an entry is made.
    """
    jurisdictions = (*standing.former, standing.jurisdiction)
    here, to = jurisdictions[number - 1], jurisdictions[number]
    left = regulator_of(here)
    on_the_way = transaction.execute(
        "SELECT 1 FROM outbox WHERE destination = ? AND state = ? LIMIT 1", (left, OutboxState.QUEUED)
    )
    if on_the_way:
        return Progress.DRAINING
    rows = transaction.execute(
        "SELECT o.state FROM departure d JOIN outbox o ON o.entry_id = d.entry_id WHERE d.number = ?", (number,)
    )
    if not rows:
        departure = departure_pb2.Departure(number=number, to_jurisdiction=to)
        (queued,) = enqueue(
            transaction,
            destination=left,
            jurisdiction=here,
            origin=standing.name,
            now=now,
            bodies=[(PROVIDER_ITSELF, "departure", departure)],
            last=True,
        )
        transaction.insert_many("departure", ("number", "entry_id", "settled"), [(number, queued.entry_id, 0)])
        return Progress.QUEUED
    if rows[0][0] != OutboxState.DELIVERED:
        return Progress.DRAINING
    readdress(transaction, left, regulator_of(to), to)
    transaction.execute("UPDATE departure SET settled = 1 WHERE number = ?", (number,))
    return Progress.SETTLED
