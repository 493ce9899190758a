"""What a regulator states of its own: in its log and in its tables, by one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import Message

from regulator_node.log import OwnEntries, RegisterLog
from regulator_node.register import apply_entries
from shared.database import Transaction


def state_facts(
    transaction: Transaction,
    log: RegisterLog,
    bodies: Sequence[tuple[str, Message]],
    now: datetime,
    *,
    feed_regions: bool,
) -> OwnEntries:
    """Appends facts to this regulator's log and applies them.

    Args:
        transaction: a write.
        log: this regulator's.
        bodies: pairs of the Entry body field's name and the message, at most 1,000.
        now: when they are stated.
        feed_regions: whether this is the nation, which feeds the provinces (Art. 3).

    Returns:
        What was stated.
    """
    stated = log.append_own(transaction, bodies, now)
    entries = list(zip(stated.indexes, stated.entries, strict=True))
    apply_entries(transaction, log.jurisdiction, entries, stated.filed_time, feed_regions=feed_regions)
    return stated
