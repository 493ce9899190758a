"""What the register holds of accounts: measures, appeals, orders, and what was stated under each escalation id.

Read for the judge of an entry and for whoever applies it. A nation's order reaches the copy of a province beside the
province's own, so that the orders of an account are read out of every log that holds one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from regulator_node.register_departures import logs_of, marks
from shared.database import Transaction
from shared.identifiers import id_text
from shared.provisions.account_history import AccountHistory, Appeal, Measure, Order
from shared.provisions.directives import DecisionRecord, order_of
from shared.provisions.statements import Matter, Thread

MEASURE_COLUMNS: Final = (
    "kind",
    "baseline",
    "reason",
    "gravity",
    "start_time",
    "end_time",
    "order_entry_id",
    "stopped_time",
    "action",
    "revision",
)
APPEAL_COLUMNS: Final = (
    "revision",
    "appealed_time",
    "decided_time",
    "overturned",
    "regulator_appealed_time",
    "regulator_decided_time",
    "granted",
)
_ORDER_COLUMNS: Final = (
    "d.escalation_id, d.outcome, d.ordered_measure, d.baseline, d.gravity, d.days, d.reason, d.decided_time,"
    " d.acknowledge_by, d.answer_by"
)


def read_histories(
    transaction: Transaction, jurisdiction: str, provider: str, accounts: Collection[bytes]
) -> dict[str, AccountHistory]:
    """Reads what accounts have gone through; whether they are filed or withdrawn is filled in by the caller.

    Args:
        transaction: a read.
        jurisdiction: whose log it is in; of a provider that moved, its earlier logs count as well.
        provider: the provider's node name.
        accounts: their ids, 16 bytes each.

    Returns:
        The histories by account, in text form; none for an account to which nothing happened.
    """
    if not accounts:
        return {}
    histories: dict[str, AccountHistory] = {}
    logs = logs_of(transaction, jurisdiction, provider)
    among = f"jurisdiction IN ({marks(logs)}) AND provider = ? AND account_id IN ({marks(accounts)})"
    place = (*logs, provider, *accounts)
    rows = transaction.execute(
        f"SELECT account_id, measure_id, {', '.join(MEASURE_COLUMNS)} FROM measure"  # noqa: S608
        f" WHERE {among} ORDER BY start_time, log_index",
        place,
    )
    for account, measure_id, *values in rows:
        history = histories.get(id_text(bytes(account)), AccountHistory())
        histories[id_text(bytes(account))] = history.with_measure(Measure(id_text(bytes(measure_id)), *values))
    rows = transaction.execute(
        f"SELECT account_id, appeal_id, measure_id, {', '.join(APPEAL_COLUMNS)} FROM appeal"  # noqa: S608
        f" WHERE {among}",
        place,
    )
    for account, *values in rows:
        history = histories.get(id_text(bytes(account)), AccountHistory())
        histories[id_text(bytes(account))] = history.with_appeal(appeal_of(values))
    for account_id, order in _read_orders(transaction, provider, accounts):
        history = histories.get(account_id, AccountHistory())
        histories[account_id] = replace(history, orders=(*history.orders, order))
    return histories


def read_threads(
    transaction: Transaction, jurisdiction: str, provider: str, escalations: Collection[bytes]
) -> dict[str, Thread]:
    """Reads what was stated under escalation ids.

    Args:
        transaction: a read.
        jurisdiction: whose log it is in; of a provider that moved, its earlier logs count as well.
        provider: the provider's node name.
        escalations: their ids, 16 bytes each.

    Returns:
        The threads by escalation id, in text form; none for an id that is new.
    """
    if not escalations:
        return {}
    logs = logs_of(transaction, jurisdiction, provider)
    rows = transaction.execute(
        "SELECT escalation_id, matter, account_id, revision FROM escalation_thread"  # noqa: S608
        f" WHERE jurisdiction IN ({marks(logs)}) AND provider = ? AND escalation_id IN ({marks(escalations)})",
        (*logs, provider, *escalations),
    )
    return {
        id_text(bytes(escalation)): Thread(Matter(matter), id_text(bytes(account)), revision)
        for escalation, matter, account, revision in rows
    }


def provider_of_account(transaction: Transaction, jurisdiction: str, account_id: bytes) -> tuple[str, str] | None:
    """Finds where an account is on file: in the log of a jurisdiction, else in any that this node holds.

    Returns:
        The jurisdiction and the provider's node name; None where it is on file nowhere here.
    """
    held = [name for (name,) in transaction.execute("SELECT jurisdiction FROM log ORDER BY jurisdiction")]
    for place in (jurisdiction, *(name for name in held if name != jurisdiction)):
        # Walks from provider to provider along the index of accounts instead of reading a jurisdiction's filings.
        rows = transaction.execute(
            "WITH RECURSIVE filer (name) AS (SELECT MIN(provider) FROM filing WHERE jurisdiction = ? UNION ALL"
            " SELECT (SELECT MIN(provider) FROM filing WHERE jurisdiction = ? AND provider > filer.name)"
            " FROM filer WHERE filer.name IS NOT NULL) SELECT filer.name FROM filer WHERE EXISTS (SELECT 1 FROM filing"
            " WHERE jurisdiction = ? AND provider = filer.name AND account_id = ?) ORDER BY filer.name LIMIT 1",
            (place, place, place, account_id),
        )
        if rows:
            return place, str(rows[0][0])
    return None


def _read_orders(transaction: Transaction, provider: str, accounts: Collection[bytes]) -> list[tuple[str, Order]]:
    rows = transaction.execute(
        f"SELECT d.entry_id, d.account_id, d.measure_id, (SELECT MAX(a.answer) FROM order_answer a"  # noqa: S608
        f" WHERE a.provider = d.provider AND a.order_entry_id = d.entry_id), {_ORDER_COLUMNS}"
        f" FROM escalation_decision d WHERE d.provider = ? AND d.account_id IN ({', '.join('?' * len(accounts))})"
        " ORDER BY d.decided_time, d.log_index",
        (provider, *accounts),
    )
    orders = []
    for entry_id, account, measure_id, answer, escalation, *values in rows:
        account_id = id_text(bytes(account))
        decision = DecisionRecord(provider, account_id, id_text(bytes(escalation)), *values)
        order = order_of(decision, entry_id, measure_id)
        if order is not None:
            orders.append((account_id, replace(order, answer=answer or 0)))
    return orders


def appeal_of(values: Sequence[Any]) -> Appeal:
    """Returns the appeal of a row: appeal_id, measure_id and APPEAL_COLUMNS."""
    appeal_id, measure_id, revision, appealed, decided, overturned, to_regulator, regulator_decided, granted = values
    return Appeal(
        id_text(bytes(appeal_id)),
        id_text(bytes(measure_id)),
        revision,
        appealed,
        decided,
        bool(overturned),
        to_regulator,
        regulator_decided,
        bool(granted),
    )
