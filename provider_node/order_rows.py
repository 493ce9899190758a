"""What regulators decided on this provider's escalations, and what they ordered, as the node's database knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.database import Transaction
from shared.errors import NotFound
from shared.provisions.account_history import Order
from shared.provisions.directives import DecisionRecord


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order with what its regulator said with it. Times are microseconds.

    Attributes:
        order: as the rules see it.
        regulator: node name of who ordered.
        account_id: of the account.
        reason: code.
        note: for people.
        decided_time: when the officer decided.
        answer_by_time: until when, exclusive, it is to be answered.
    """

    order: Order
    regulator: str
    account_id: str
    reason: str
    note: str
    decided_time: int
    answer_by_time: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was proven: its entry, who signed it, its place in the log, and the proof itself."""

    entry_id: str
    regulator: str
    record: DecisionRecord
    note: str
    log_index: int
    receipt: bytes


_ORDER: Final = "entry_id, escalation_id, measure, baseline, gravity, days, overturns, answer"
_STORED: Final = f"{_ORDER}, regulator, account_id, reason, note, decided_time, answer_by_time"
_ORDER_COLUMNS: Final = 8


def is_stored(transaction: Transaction, entry_id: str) -> bool:
    """Tells whether a decision was stored before."""
    return bool(transaction.execute("SELECT 1 FROM escalation_decision WHERE entry_id = ?", (entry_id,)))


def insert_decision(transaction: Transaction, decided: Decided, order: Order | None) -> None:
    """Stores a decision with its proof, and the order in it."""
    record = decided.record
    transaction.execute(
        "INSERT INTO escalation_decision (entry_id, regulator, account_id, escalation_id, outcome, ordered, measure,"
        " baseline, gravity, days, overturns, reason, note, decided_time, answer_by_time, answer, log_index, receipt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
        (
            decided.entry_id,
            decided.regulator,
            record.account_id,
            record.escalation_id,
            int(record.outcome),
            int(order is not None),
            int(record.ordered_measure),
            record.baseline,
            int(record.gravity),
            record.days,
            order.overturns if order else "",
            record.reason,
            decided.note,
            record.decided_time,
            record.answer_by,
            decided.log_index,
            decided.receipt,
        ),
    )


def set_answer(transaction: Transaction, order: Order) -> None:
    """Stores the newest answer to an order."""
    transaction.execute(
        "UPDATE escalation_decision SET answer = ? WHERE entry_id = ?", (int(order.answer), order.order_entry_id)
    )


def read_orders_of(transaction: Transaction, account_id: str) -> list[Order]:
    """Reads every order about an account."""
    rows = transaction.execute(
        f"SELECT {_ORDER} FROM escalation_decision WHERE account_id = ? AND ordered = 1",  # noqa: S608 - fixed text
        (account_id,),
    )
    return [Order(*row) for row in rows]


def read_order(transaction: Transaction, order_entry_id: str) -> StoredOrder:
    """Reads an order.

    Raises:
        NotFound: ORDER_NOT_FOUND.
    """
    rows = transaction.execute(
        f"SELECT {_STORED} FROM escalation_decision WHERE entry_id = ? AND ordered = 1",  # noqa: S608 - fixed text
        (order_entry_id.lower(),),
    )
    if not rows:
        raise NotFound("no regulator gave an order under this id", "ORDER_NOT_FOUND")
    return _stored(rows[0])


def list_orders(
    transaction: Transaction, after: tuple[int, str], limit: int, *, answered_too: bool
) -> list[StoredOrder]:
    """Lists orders, those first that are due first.

    Args:
        transaction: a read.
        after: due time in microseconds and entry id of the order before the first.
        limit: the most orders.
        answered_too: False for those that still want an answer.
    """
    wanted = "" if answered_too else " AND answer < 2"
    rows = transaction.execute(
        f"SELECT {_STORED} FROM escalation_decision WHERE ordered = 1{wanted}"  # noqa: S608 - fixed text
        " AND (answer_by_time, entry_id) > (?, ?) ORDER BY answer_by_time, entry_id LIMIT ?",
        (*after, limit),
    )
    return [_stored(row) for row in rows]


def _stored(row: tuple[Any, ...]) -> StoredOrder:
    return StoredOrder(Order(*row[:_ORDER_COLUMNS]), *row[_ORDER_COLUMNS:])
