"""The plan of a run, drawn from its seed: who takes part, how bad everything is, and when which accident happens."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

from tests.faults.simulation.founded import NATION, PROVIDERS, PROVINCES

LONGEST_SECONDS: Final = 20.0
"""How long people act and accidents happen, in virtual seconds."""


@dataclass(frozen=True, slots=True)
class Accident:
    """What happens to a node at a moment: "crash", "full" (its disk), "cut" or "silent" (its line to another one)."""

    at: float
    kind: str
    node: str
    seconds: float
    other: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before a run begins.

    Attributes:
        providers: that take part.
        seconds: how long people act.
        acts: how often a backend does something.
        decisions: how often an officer does.
        badness: of the network.
        slowest: seconds of a slow message.
        skews: by how many seconds each clock is wrong.
        accidents: in order.
        max_entries: in a batch, so that several are under way at once.
        put_back: the regulator whose disk is put back to an earlier image; empty for none.
    """

    providers: tuple[str, ...]
    seconds: float
    acts: int
    decisions: int
    badness: float
    slowest: float
    skews: dict[str, float]
    accidents: tuple[Accident, ...]
    max_entries: int
    put_back: str

    @property
    def nodes(self) -> tuple[str, ...]:
        """Everybody."""
        return (NATION, *PROVINCES, *self.providers)


def with_old_nation(plan: Plan) -> Plan:
    """Returns a plan in which the nation's disk is put back, and somebody files with it."""
    files = next(name for name, jurisdiction in PROVIDERS.items() if jurisdiction == "100000")
    return replace(
        plan,
        providers=tuple(sorted({*plan.providers, files})),
        skews={files: 0.0, **plan.skews},
        put_back=NATION,
    )


def plan_of(chance: random.Random) -> Plan:
    """Draws a plan."""
    providers = tuple(sorted(chance.sample(sorted(PROVIDERS), chance.randint(1, 3))))
    seconds = chance.uniform(LONGEST_SECONDS / 3, LONGEST_SECONDS)
    nodes = [NATION, *PROVINCES, *providers]
    return Plan(
        providers=providers,
        seconds=seconds,
        acts=chance.randint(6, 18),
        decisions=chance.randint(0, 5),
        badness=chance.choice((0.0, 0.05, 0.15, 0.4)),
        slowest=chance.choice((0.01, 0.1, 1.0)),
        skews={name: chance.choice((0.0, chance.uniform(-60, 60))) for name in nodes},
        accidents=_accidents(chance, nodes, seconds),
        max_entries=chance.choice((1, 2, 3, 1000)),
        put_back=chance.choice(PROVINCES) if chance.random() < 0.1 else "",
    )


def _accidents(chance: random.Random, nodes: list[str], seconds: float) -> tuple[Accident, ...]:
    accidents = [
        Accident(chance.uniform(0, seconds), "crash", chance.choice(nodes), chance.uniform(0.01, 5))
        for _ in range(chance.randint(0, 5))
    ]
    for _ in range(chance.randint(0, 3)):
        one, other = chance.sample(nodes, 2)
        kind = chance.choice(("cut", "silent"))
        accidents.append(Accident(chance.uniform(0, seconds), kind, one, chance.uniform(0.1, 10), other))
    if chance.random() < 0.2:
        accidents.append(Accident(chance.uniform(0, seconds), "full", chance.choice(nodes), chance.uniform(0.1, 4)))
    return tuple(sorted(accidents, key=lambda each: each.at))
