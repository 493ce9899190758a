"""What a policy is made of: terms of closed lists, named periods, days, the agreement, the steps of the ladder."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from shared.provisions.measure_kinds import MeasureKind


class Provenance(IntEnum):
    """Where a rule comes from, with the numbers of the wire."""

    UNSPECIFIED = 0
    STATUTORY = 1
    ADMINISTRATIVE = 2


class PeriodUnit(IntEnum):
    """How a period is counted, with the numbers of the wire."""

    UNSPECIFIED = 0
    HOURS = 1
    WORKING_DAYS = 2
    DAYS = 3
    MONTHS = 4
    MINUTES = 5


FIXED_UNITS: Final = {
    PeriodUnit.MINUTES: datetime.timedelta(minutes=1),
    PeriodUnit.HOURS: datetime.timedelta(hours=1),
    PeriodUnit.DAYS: datetime.timedelta(days=1),
}
"""The units that have a length whatever the start."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a closed list, with the code that entries carry and its titles."""

    code: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class CategorySuccessor:
    """Which category of the policy takes the place of one, by its code, that is gone."""

    code: str
    successor: str


@dataclass(frozen=True, slots=True)
class Route:
    """The jurisdiction whose regulator a provider, by node name, files with by policy (Art. 3)."""

    provider: str
    jurisdiction: str


@dataclass(frozen=True, slots=True)
class Period:
    """A named period. A statutory one names its article, an administrative one has an empty article."""

    name: str
    amount: int
    unit: PeriodUnit
    provenance: Provenance
    article: str = ""

    @property
    def fixed_length(self) -> datetime.timedelta | None:
        """The length where the unit has one whatever the start: minutes, hours and days; else None."""
        unit = FIXED_UNITS.get(self.unit)
        return None if unit is None else self.amount * unit


@dataclass(frozen=True, slots=True)
class CalendarOverride:
    """A day, in China Standard Time, that differs from the official calendar."""

    day: datetime.date
    working: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """A version of the agreement with its seven baselines, in order (Art. 6(2))."""

    version: int
    baselines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One step of the ladder of measures, with the most days it may last; 0 for closing, which has no end (Art. 8(1))."""

    kind: MeasureKind
    longest_days: int
