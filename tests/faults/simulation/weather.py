"""What the network does to calls, drawn from the seed: delays, losses either way, resets, doubles, and lines that are cut.

Until `heal` it is as bad as the seed says; from then on nothing is lost and everything takes milliseconds.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

KEEPALIVE_SECONDS: Final = 30.0
"""After which a connection that hears nothing is given up (shared/wire.py: pings each 20 seconds, answered within 10)."""


class Fate(Enum):
    """What becomes of a call with one answer."""

    ARRIVES = auto()
    REQUEST_LOST = auto()
    ANSWER_LOST = auto()
    RESET_BEFORE = auto()
    RESET_AFTER = auto()
    DOUBLED = auto()


class Line(Enum):
    """How a line that is cut behaves: calls fail at once, or nothing is ever heard."""

    REFUSES = auto()
    SILENT = auto()


_BAD: Final = (Fate.REQUEST_LOST, Fate.ANSWER_LOST, Fate.RESET_BEFORE, Fate.RESET_AFTER, Fate.DOUBLED)


@dataclass
class Lost:
    """How often what happened."""

    calls: int = 0
    messages_lost: int = 0
    resets: int = 0
    doubled: int = 0
    cuts: int = 0
    pages: int = 0


@dataclass
class Weather:
    """The network's.

    Attributes:
        chance: draws.
        badness: the share of calls that meets something bad.
        slowest: seconds that a message takes at most, usually.
        lost: counts.
    """

    chance: random.Random
    badness: float
    slowest: float
    lost: Lost = field(default_factory=Lost)
    healed: bool = False
    _cut: dict[frozenset[str], Line] = field(default_factory=dict)
    _healing: asyncio.Event = field(default_factory=asyncio.Event)
    _mended: dict[frozenset[str], asyncio.Event] = field(default_factory=dict)

    def heal(self) -> None:
        """Ends everything bad."""
        self.healed = True
        for pair in list(self._cut):
            self.mend(pair)
        self._healing.set()

    def cut(self, pair: frozenset[str], line: Line) -> None:
        """Cuts the line between two nodes."""
        self.lost.cuts += 1
        self._cut[pair] = line
        self._mended.setdefault(pair, asyncio.Event())

    def mend(self, pair: frozenset[str]) -> None:
        """Mends a line."""
        self._cut.pop(pair, None)
        if event := self._mended.pop(pair, None):
            event.set()

    def line(self, one: str, other: str) -> Line | None:
        """Tells how a line is cut; None where it is not."""
        return self._cut.get(frozenset((one, other))) if self._cut else None

    async def wait_mended(self, one: str, other: str) -> None:
        """Waits while a line is silent, as packets that are sent again do."""
        while self.line(one, other) is Line.SILENT:
            await self._mended[frozenset((one, other))].wait()

    async def silence(self, seconds: float) -> None:
        """Waits for an answer that never comes, until the connection is given up or everything is well again."""
        if self.healed:
            return
        try:
            async with asyncio.timeout(min(seconds, KEEPALIVE_SECONDS)):
                await self._healing.wait()
        except TimeoutError:
            return

    def delay(self) -> float:
        """Draws how long a message takes, in seconds."""
        if self.healed:
            return 0.001 + self.chance.random() * 0.004
        draw = self.chance.random()
        return 0.001 + self.slowest * draw * draw

    def fate(self) -> Fate:
        """Draws what becomes of a call."""
        self.lost.calls += 1
        if self.healed or self.chance.random() >= self.badness:
            return Fate.ARRIVES
        return self.chance.choice(_BAD)

    def resets_stream(self) -> bool:
        """Draws whether a stream ends with the page that is being sent."""
        self.lost.pages += 1
        return not self.healed and self.chance.random() < self.badness / 2
