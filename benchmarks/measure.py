"""A figure, its floor and their ratio: measured in turns, told as median and spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """Rates measured in several rounds, per second."""

    rates: Sequence[float]

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.rates)

    def __str__(self) -> str:
        """Median, then the lowest and the highest."""
        return f"{self.middle:,.0f}/s ({min(self.rates):,.0f} to {max(self.rates):,.0f})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured against its floor.

    Attributes:
        name: what it is.
        detail: sizes and conditions.
        figure: what the product does.
        floor: what the floor does.
        floor_name: what the floor is.
        wanted: the ratio that is asked for.
    """

    name: str
    detail: str
    figure: Figure
    floor: Figure
    floor_name: str
    wanted: float

    @property
    def ratio(self) -> float:
        """Median over median."""
        return self.figure.middle / self.floor.middle

    def as_json(self) -> dict[str, object]:
        """All of it, for the results file."""
        return {
            "name": self.name,
            "detail": self.detail,
            "rates_per_second": [round(rate, 1) for rate in self.figure.rates],
            "floor": self.floor_name,
            "floor_rates_per_second": [round(rate, 1) for rate in self.floor.rates],
            "ratio": round(self.ratio, 3),
            "wanted": self.wanted,
        }
