"""One answer to a regulator's order at either end of the wire (Art. 9), whatever comes in between, and once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import from_micros
from shared.provisions.account_history import AccountHistory, Order
from shared.provisions.directives import OrderAnswer, OrderAnswerRecord, judge_order_answer, order_after
from shared.provisions.measures import Gravity, MeasureKind, MeasureRecord, measure_after
from shared.provisions.statements import Matter, Thread
from tests.unit.rule_samples import (
    ACCOUNT,
    CREATED,
    ORDER,
    POLICY,
    REPORT,
    history,
    judged,
    taken,
)

ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["ack", "done", "impossible", "measure"]), st.integers(0, 2), st.booleans(), st.integers(0, 3)
    ),
    max_size=10,
)


@dataclass
class OrderEnds:
    """An order as its provider knows it and as its regulator does."""

    provider: AccountHistory
    regulator: AccountHistory
    threads: list[Thread | None] = field(default_factory=lambda: [Thread(Matter.REPORT, ACCOUNT, 1)] * 2)
    taken: list[int] = field(default_factory=list)

    def answer(self, record: OrderAnswerRecord) -> None:
        """Judges an answer at both ends, which have to agree; folds it into both where it is taken."""
        pasts = (self.provider, self.regulator)
        found = [judge_order_answer(record, self.threads[at], past, POLICY) for at, past in enumerate(pasts)]
        assert found[0] == found[1]
        if found[0] is None:
            self.taken.append(record.answer)
            self.threads = [Thread(Matter.REPORT, ACCOUNT, record.revision)] * 2
            self.provider, self.regulator = (answered(past, record) for past in pasts)

    def take(self, record: MeasureRecord) -> None:
        """Takes a measure that carries the order out, where both ends let it."""
        found = [
            judged(record, past, None, now=from_micros(record.created_time)) for past in (self.provider, self.regulator)
        ]
        assert found[0] == found[1]
        if found[0] is None:
            self.provider, self.regulator = (
                past.with_measure(measure_after(record, None)) for past in (self.provider, self.regulator)
            )


def answered(past: AccountHistory, record: OrderAnswerRecord) -> AccountHistory:
    """A history after an answer that was taken."""
    orders = tuple(
        order_after(record, order) if order.order_entry_id == record.order_entry_id else order for order in past.orders
    )
    return replace(past, orders=orders)


@settings(max_examples=300)
@given(ANSWERS, st.booleans())
def test_art_9_directives_are_answered_alike_and_once(steps: list[tuple[str, int, bool, int]], measured: bool) -> None:
    """Art. 9: acknowledged once at most, answered once at most, done only when it is, whatever is tried at either end."""
    order = Order(ORDER, REPORT, MeasureKind.WARN, 7, Gravity.GRAVE, 7) if measured else Order(ORDER, REPORT)
    ends = OrderEnds(history(orders=(order,)), history(orders=(order,)))
    names = {"ack": OrderAnswer.ACKNOWLEDGED, "done": OrderAnswer.DONE, "impossible": OrderAnswer.IMPOSSIBLE}
    for number, (action, skew, known, _) in enumerate(steps):
        thread = ends.threads[0]
        assert thread is not None
        if action == "measure":
            changes: dict[str, Any] = {"gravity": Gravity.GRAVE, "escalation_id": f"measure-{number}"}
            ends.take(taken(order_entry_id=ORDER if known else "", **changes))
            continue
        answer = names[action]
        reason = "legal_obstacle" if answer is OrderAnswer.IMPOSSIBLE and known else ""
        revision = thread.revision + 1 + (skew if not known else 0)
        ends.answer(OrderAnswerRecord(REPORT, ACCOUNT, revision, CREATED, ORDER, answer, reason, CREATED))
        assert ends.provider == ends.regulator
    assert ends.taken.count(OrderAnswer.ACKNOWLEDGED) <= 1
    assert sum(answer in (OrderAnswer.DONE, OrderAnswer.IMPOSSIBLE) for answer in ends.taken) <= 1
    if OrderAnswer.DONE in ends.taken and measured:
        assert ends.regulator.carried_out(ORDER) is not None
