"""What an account has gone through, as both ends of the wire know it: measures, appeals against them, orders of
regulators.

Everything here is folded out of statements that were taken, in their order, by the functions named …_after; nothing of
it is a fact of its own, so that provider and regulator hold the same once they hold the same statements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.provisions.measure_kinds import MeasureAction, MeasureKind
from shared.provisions.spans import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure as it stands after its newest statement. Times are microseconds since the epoch, UTC.

    Attributes:
        measure_id: the escalation id under which it was reported.
        kind: the number of a MeasureKind.
        baseline: that the act broke, 1 to 7.
        reason: code of the act.
        gravity: the number of a Gravity.
        start_time: from when it holds.
        end_time: until when, exclusive; FOREVER for closing.
        order_entry_id: of the regulator's order that it carries out; empty for the provider's own.
        stopped_time: when it was lifted or overturned; FOREVER where it was not.
        action: the number of the MeasureAction stated last.
        revision: of the newest statement.
    """

    measure_id: str
    kind: int
    baseline: int
    reason: str
    gravity: int
    start_time: int
    end_time: int
    order_entry_id: str = ""
    stopped_time: int = FOREVER
    action: int = MeasureAction.APPLY
    revision: int = 1

    @property
    def overturned(self) -> bool:
        """Whether it was undone on appeal: as if it had not been."""
        return self.action == MeasureAction.OVERTURN

    def in_force(self, at: int) -> bool:
        """Tells whether it is in force at a moment: from its start until its end, or until it was lifted or overturned."""
        return self.start_time <= at < self.end_time and at < self.stopped_time


@dataclass(frozen=True, slots=True)
class Appeal:
    """An owner's appeal as it stands. Times are microseconds; FOREVER for what has not happened.

    Attributes:
        appeal_id: the escalation id under which it was told.
        measure_id: of the measure.
        revision: of the newest statement; 0 while it only lies at the provider.
        appealed_time: at the provider.
        decided_time: when the provider decided.
        overturned: whether the provider overturned the measure.
        regulator_appealed_time: when the owner went on to the regulator.
        regulator_decided_time: when the regulator decided.
        granted: whether the regulator overturned the measure.
    """

    appeal_id: str
    measure_id: str
    revision: int
    appealed_time: int
    decided_time: int = FOREVER
    overturned: bool = False
    regulator_appealed_time: int = FOREVER
    regulator_decided_time: int = FOREVER
    granted: bool = False

    @property
    def won(self) -> bool:
        """Whether the measure is to be undone, by the provider's decision or the regulator's."""
        return self.overturned or self.granted


@dataclass(frozen=True, slots=True)
class Order:
    """A regulator's order, out of an EscalationDecision.

    Attributes:
        order_entry_id: of the decision.
        escalation_id: that the decision decided.
        measure: the number of the MeasureKind ordered; UNSPECIFIED where none is.
        baseline: of the measure ordered; 0 where none is.
        gravity: of the measure ordered.
        days: for which the measure ordered lasts; 0 for closing or none.
        overturns: the measure that a granted appeal undoes; empty for every other order.
        answer: the number of the OrderAnswer given last; 0 before the first.
    """

    order_entry_id: str
    escalation_id: str
    measure: int = MeasureKind.UNSPECIFIED
    baseline: int = 0
    gravity: int = 0
    days: int = 0
    overturns: str = ""
    answer: int = 0


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """An account and what it has gone through.

    Attributes:
        filed: whether a filing of it stands in the register, or at the provider is on its way there.
        withdrawn: whether it was withdrawn.
        measures: every measure ever taken on it.
        appeals: every appeal against one of them.
        orders: every order of a regulator about it.
    """

    filed: bool = True
    withdrawn: bool = False
    measures: Sequence[Measure] = ()
    appeals: Sequence[Appeal] = ()
    orders: Sequence[Order] = ()

    def measure(self, measure_id: str) -> Measure | None:
        """Returns the measure of that id, None where there is none."""
        return next((measure for measure in self.measures if measure.measure_id == measure_id), None)

    def appeal_against(self, measure_id: str) -> Appeal | None:
        """Returns the appeal against a measure, None where there is none."""
        return next((appeal for appeal in self.appeals if appeal.measure_id == measure_id), None)

    def order(self, order_entry_id: str) -> Order | None:
        """Returns the order of that entry, None where there is none."""
        return next((order for order in self.orders if order.order_entry_id == order_entry_id), None)

    def stated(self) -> AccountHistory:
        """Returns the history as the other end of the wire knows it: without an appeal that only lies at the provider."""
        told = [appeal for appeal in self.appeals if appeal.revision]
        return self if len(told) == len(self.appeals) else replace(self, appeals=tuple(told))

    def carried_out(self, order_entry_id: str) -> Measure | None:
        """Returns the measure that carries out an order, None where there is none."""
        return next((measure for measure in self.measures if measure.order_entry_id == order_entry_id), None)

    def closed_at(self, at: int) -> bool:
        """Tells whether a measure closes the account at a moment."""
        return any(measure.kind == MeasureKind.CLOSE and measure.in_force(at) for measure in self.measures)

    def with_measure(self, measure: Measure) -> AccountHistory:
        """Returns the history with a measure in place of the one of its id, or added."""
        others = [each for each in self.measures if each.measure_id != measure.measure_id]
        return replace(self, measures=(*others, measure))

    def with_appeal(self, appeal: Appeal) -> AccountHistory:
        """Returns the history with an appeal in place of the one against the same measure, or added."""
        others = [each for each in self.appeals if each.measure_id != appeal.measure_id]
        return replace(self, appeals=(*others, appeal))
