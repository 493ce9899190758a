"""Orders of regulators (Art. 9): taken with their decision, acknowledged by the node itself, carried out, answered.

A decision on an escalation is stored once, under the id of its entry, with its proof: pages that come twice, late or
out of order change nothing, and neither does a decision about what this provider never sent. In the transaction that
stores an order its acknowledgement is queued; where an appeal was granted, the measure is undone and the order answered
in the same transaction. Everything else the backend carries out, and answers by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from provider_node.directives import Directive
from provider_node.escalation_statements import Teller
from provider_node.gated_writes import GatedWrites
from provider_node.measure_rows import find_appeal, history_of, read_history, read_measure, update_appeal
from provider_node.measures import restate
from provider_node.order_rows import (
    Decided,
    StoredOrder,
    insert_decision,
    is_stored,
    list_orders,
    read_order,
    set_answer,
)
from provider_node.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from provider_node.report_decisions import report_decided
from provider_node.standing import ReadStanding
from shared.clock import Clock, micros
from shared.database import Transaction
from shared.errors import FailedPrecondition, InvalidInput, NotFound
from shared.mapping.escalation import escalation_decision_from_wire
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.account_history import AccountHistory, Order
from shared.provisions.appeals import appeal_decided
from shared.provisions.directives import EscalationOutcome, OrderAnswer, OrderAnswerRecord, order_after, order_of
from shared.provisions.measure_kinds import MeasureAction

FIRST: Final = (-1, "")
ESCALATION_DECISION: Final = "escalation_decision"
"""The field of an entry's body whose directives are taken here."""

log = structlog.get_logger(__name__)


class Orders:
    """Takes decisions on escalations, and answers the orders in them.

    Args:
        writes: commits changes and brings them to the gate.
        standing: reads the provider's standing.
        clock: tells the time.
    """

    def __init__(self, writes: GatedWrites, standing: ReadStanding, clock: Clock) -> None:
        self._writes = writes
        self._standing = standing
        self._clock = clock

    def store(self, transaction: Transaction, directives: Sequence[Directive]) -> None:
        """Stores decisions that were proven and are for this provider, each once; acknowledges the orders in them.

        Args:
            transaction: the write that stores the page they came with.
            directives: in the order in which they came.
        """
        now = self._clock()
        for decided in map(_decided, directives):
            transaction.lock(f"account {decided.record.account_id}")
            if not is_stored(transaction, decided.entry_id):
                self._take(transaction, decided, now)

    def stored(self, directives: Sequence[Directive]) -> None:
        """Lets the gate know of the accounts decided on, and wakes the senders of what was queued."""
        self._writes.announce([_decision(each).account_id for each in directives])

    async def list_page(self, page_size: int, token: str, *, answered_too: bool) -> tuple[list[StoredOrder], str]:
        """Lists orders, those first that are due first.

        Args:
            page_size: the most orders; 0 for 100.
            token: from the page before; empty for the first.
            answered_too: False for those that still want an answer.

        Returns:
            A page, and the token of the next; empty after the last.
        """
        of_list, size = f"orders {answered_too}", page_size or DEFAULT_PAGE_SIZE
        due, last = position_of(of_list, token, FIRST)
        found = await self._writes.database.read(
            lambda transaction: list_orders(transaction, (int(due), str(last)), size + 1, answered_too=answered_too)
        )
        if len(found) <= size:
            return found, ""
        page = found[:size]
        return page, page_token(of_list, (page[-1].answer_by_time, page[-1].order.order_entry_id))

    async def answer(self, order_entry_id: str, answer: OrderAnswer, reason: str) -> StoredOrder:
        """Answers an order: carried out, or impossible.

        Args:
            order_entry_id: the order.
            answer: DONE or IMPOSSIBLE.
            reason: code of an answer reason where it is impossible; else empty.

        Raises:
            NotFound: there is no such order.
            InvalidInput: REASON_UNKNOWN.
            FailedPrecondition: ORDER_ANSWERED before, ORDER_NOT_CARRIED_OUT.
        """
        now = self._clock()

        def work(transaction: Transaction) -> StoredOrder:
            transaction.lock(f"account {read_order(transaction, order_entry_id).account_id}")
            stored = read_order(transaction, order_entry_id)
            teller = Teller(transaction, self._standing(), now)
            history = _history(transaction, stored.account_id)
            _answer(transaction, teller, stored.order, stored.account_id, history, answer, reason, now)
            return read_order(transaction, order_entry_id)

        return await self._writes.write(work)

    def _take(self, transaction: Transaction, decided: Decided, now: datetime) -> None:
        record = decided.record
        appeal = find_appeal(transaction, record.escalation_id)
        known = appeal is not None and _account_of(transaction, appeal.measure_id) == record.account_id
        order = order_of(record, decided.entry_id, appeal.measure_id if appeal is not None and known else "")
        insert_decision(transaction, decided, order)
        granted = record.outcome == EscalationOutcome.APPEAL_GRANTED
        if appeal is not None and known and (granted or record.outcome == EscalationOutcome.APPEAL_REFUSED):
            update_appeal(transaction, appeal_decided(appeal, record.decided_time, granted=granted))
        report_decided(transaction, decided, now)
        if order is not None:
            self._acknowledge(transaction, order, record.account_id, now)

    def _acknowledge(self, transaction: Transaction, order: Order, account_id: str, now: datetime) -> None:
        teller = Teller(transaction, self._standing(), now)
        history = _history(transaction, account_id)
        try:
            order = _answer(transaction, teller, order, account_id, history, OrderAnswer.ACKNOWLEDGED, "", now)
            if order.overturns:
                _undo(transaction, teller, order, account_id, now)
        except (FailedPrecondition, InvalidInput) as error:
            # The order stays listed, and whoever runs the node answers it.
            log.warning("order_not_answered_by_itself", order_entry_id=order.order_entry_id, reason=error.reason)


def _decision(directive: Directive) -> escalation_pb2.EscalationDecision:
    return directive.entry.escalation_decision


def _decided(directive: Directive) -> Decided:
    record = escalation_decision_from_wire(_decision(directive))
    record.account_id, record.escalation_id = record.account_id.lower(), record.escalation_id.lower()
    entry = directive.entry
    note = _decision(directive).note
    return Decided(entry.entry_id.lower(), entry.origin, record, note, directive.log_index, directive.receipt)


def _undo(transaction: Transaction, teller: Teller, order: Order, account_id: str, now: datetime) -> None:
    stored = read_measure(transaction, order.overturns)
    restate(transaction, teller, stored, _history(transaction, account_id), MeasureAction.OVERTURN)
    _answer(transaction, teller, order, account_id, _history(transaction, account_id), OrderAnswer.DONE, "", now)


def _answer(
    transaction: Transaction,
    teller: Teller,
    order: Order,
    account_id: str,
    history: AccountHistory,
    answer: OrderAnswer,
    reason: str,
    now: datetime,
) -> Order:
    record = OrderAnswerRecord(
        escalation_id=order.escalation_id,
        account_id=account_id,
        revision=0,
        created_time=0,
        order_entry_id=order.order_entry_id,
        answer=answer,
        reason=reason,
        answered_time=micros(now),
    )
    teller.tell(record, history)
    answered = order_after(record, order)
    set_answer(transaction, answered)
    return answered


def _history(transaction: Transaction, account_id: str) -> AccountHistory:
    try:
        return read_history(transaction, account_id)
    except NotFound:
        # A regulator may name an account that is not of this provider: the order is answered all the same.
        return history_of(transaction, account_id, filed=False, withdrawn=False)


def _account_of(transaction: Transaction, measure_id: str) -> str:
    return read_measure(transaction, measure_id).account_id
