"""Holds that regulators place on this provider's records (Arts. 8(2), 9): taken with proof, kept, and acknowledged.

A directive is taken once, in the transaction that stores the page with which it came: from then on no disposal touches
what it covers. The same transaction queues its acknowledgement, which happens by itself, so that a directive that was taken
is acknowledged, and none is that was not. Nobody at the provider can lift such a hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from provider_node.directives import Directive
from provider_node.standing import ReadStanding
from shared.clock import Clock, micros
from shared.database import Transaction
from shared.delivery.outbox import enqueue
from shared.mapping.record_hold import hold_answer_to_wire, hold_directive_from_wire
from shared.provisions.record_holds import HoldAction, HoldDirective
from shared.provisions.retention import Hold
from shared.provisions.spans import FOREVER
from shared.records.disposal import RECORDS_LOCK
from shared.records.hold_rows import StoredHold, acknowledge_hold, delete_hold, insert_hold, lift_hold, read_hold

RECORD_HOLD: Final = "record_hold"
"""The field of an entry's body whose directives are taken here."""

log = structlog.get_logger(__name__)


class RegulatorHolds:
    """Takes directives on holds.

    Args:
        standing: reads the provider's standing.
        clock: tells the time.
        on_queued: called after an acknowledgement was queued.
    """

    def __init__(self, standing: ReadStanding, clock: Clock, on_queued: Callable[[], None]) -> None:
        self._standing = standing
        self._clock = clock
        self._on_queued = on_queued

    def store(self, transaction: Transaction, directives: Sequence[Directive]) -> None:
        """Stores directives that were proven and are for this provider, each once, and acknowledges them.

        Args:
            transaction: the write that stores the page they came with.
            directives: in the order in which they came.
        """
        transaction.lock(RECORDS_LOCK)
        for directive in directives:
            entry_id = directive.entry.entry_id.lower()
            if not transaction.execute("SELECT 1 FROM record_hold_directive WHERE entry_id = ?", (entry_id,)):
                self._take(transaction, directive, entry_id)

    def stored(self, directives: Sequence[Directive]) -> None:
        """Wakes the sender of what was queued."""
        del directives
        self._on_queued()

    def _take(self, transaction: Transaction, directive: Directive, entry_id: str) -> None:
        told, now = hold_directive_from_wire(directive.entry.record_hold), self._clock()
        taken = _place if told.action is HoldAction.PLACE else _lift
        answer_id = ""
        if taken(transaction, told, directive.entry.origin):
            standing = self._standing()
            (queued,) = enqueue(
                transaction,
                destination=standing.regulator,
                jurisdiction=standing.jurisdiction,
                origin=standing.name,
                now=now,
                # What is refused of one hold parks nothing else.
                bodies=[(told.hold_id, "record_hold_answer", hold_answer_to_wire(entry_id, told.hold_id, micros(now)))],
            )
            answer_id = queued.entry_id
            acknowledge_hold(transaction, told.hold_id, entry_id, told.acknowledge_by, micros(now))
        row = (entry_id, told.hold_id, "", directive.receipt, answer_id)
        columns = ("entry_id", "hold_id", "account_id", "receipt", "answer_entry_id")
        transaction.insert_many("record_hold_directive", columns, [row])


def _place(transaction: Transaction, told: HoldDirective, regulator: str) -> bool:
    known = read_hold(transaction, told.hold_id)
    if known is not None and known.regulator:
        log.warning("hold_placed_again", hold_id=told.hold_id)
        return False
    # Of two under one id the regulator's counts: nobody at the provider keeps it out by guessing its id.
    delete_hold(transaction, told.hold_id)
    hold = Hold(told.hold_id, told.scope, told.record_class, told.target, told.start_time, FOREVER, told.end_time)
    insert_hold(transaction, StoredHold(hold, told.reason, regulator, regulator=regulator))
    return True


def _lift(transaction: Transaction, told: HoldDirective, regulator: str) -> bool:
    known = read_hold(transaction, told.hold_id)
    if known is None or not known.regulator:
        log.warning("hold_lifted_that_is_not_held", hold_id=told.hold_id)
        return False
    if known.hold.lifted_time == FOREVER:
        at = max(told.directed_time, known.hold.placed_time)
        lift_hold(transaction, told.hold_id, at, regulator, told.reason)
    return True
