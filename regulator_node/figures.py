"""Figures of each provider (Arts. 5(1), 5(3), 8 and 9): its duties, what left it, how it answers orders, its measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from regulator_node.register_duties import read_duty_profiles
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.provisions.duties import DutyProfileRecord
from shared.provisions.measure_kinds import LADDER, MeasureAction
from shared.provisions.reports import EscalationCause

_ORDERS: Final = (
    "SELECT d.provider, d.answer_by, MIN(a.filed_time) FROM escalation_decision d LEFT JOIN order_answer a"
    " ON a.provider = d.provider AND a.order_entry_id = d.entry_id AND a.answer >= 2"
    " WHERE d.outcome IN (1, 4) AND (d.provider = ? OR ? = '') GROUP BY d.jurisdiction, d.log_index, d.provider, d.answer_by"
)


@dataclass(slots=True)
class ProviderFigures:
    """One provider's figures.

    Attributes:
        provider: node name.
        duties: the newest duty profile; None before the first.
        escalated: reports that left it because its time was up.
        orders_in_time: orders answered in time.
        orders_late: orders answered late, or not yet though due.
        measures: taken, by kind, in the order of the ladder.
        overturned: measures overturned.
    """

    provider: str
    duties: DutyProfileRecord | None = None
    escalated: int = 0
    orders_in_time: int = 0
    orders_late: int = 0
    measures: list[int] = field(default_factory=lambda: [0] * len(LADDER))
    overturned: int = 0


class FigureReader:
    """Counts over every log that this node holds.

    Args:
        database: the register.
        clock: tells the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def read(self, provider: str = "") -> list[ProviderFigures]:
        """Counts, for one provider or, where none is named, for each that stated anything; by name."""
        now = micros(self._clock())
        return await self._database.read(lambda transaction: _count(transaction, provider, now))


def _count(transaction: Transaction, provider: str, now: int) -> list[ProviderFigures]:
    figures: dict[str, ProviderFigures] = {}

    def of(name: str) -> ProviderFigures:
        return figures.setdefault(name, ProviderFigures(name))

    for (jurisdiction,) in transaction.execute("SELECT jurisdiction FROM log"):
        for name, profile in read_duty_profiles(transaction, jurisdiction).items():
            if provider in ("", name):
                of(name).duties = profile
    overdue = (EscalationCause.FIRST_ANSWER_OVERDUE, EscalationCause.SETTLEMENT_OVERDUE)
    for name, count in transaction.execute(
        "SELECT provider, COUNT(*) FROM case_file WHERE cause IN (?, ?) AND (provider = ? OR ? = '') GROUP BY provider",
        (*map(int, overdue), provider, provider),
    ):
        of(name).escalated = count
    for name, kind, action, count in transaction.execute(
        "SELECT provider, kind, action, COUNT(*) FROM measure WHERE provider = ? OR ? = ''"
        " GROUP BY provider, kind, action",
        (provider, provider),
    ):
        of(name).measures[kind - 1] += count
        of(name).overturned += count if action == MeasureAction.OVERTURN else 0
    for name, answer_by, answered in transaction.execute(_ORDERS, (provider, provider)):
        in_time = answered is not None and answered < answer_by
        of(name).orders_in_time += in_time
        of(name).orders_late += not in_time and min(now if answered is None else answered, now) >= answer_by
    return [figures[name] for name in sorted(figures)]
