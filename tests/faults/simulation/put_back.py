"""What putting a regulator's disk back to an earlier image is, whichever regulator's: when, how, and what is told of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.errors import FilingnetError
from tests.faults.simulation.checks import Checks, Entries
from tests.faults.simulation.nodes import Node, RegulatorNode
from tests.faults.simulation.plans import Plan

FOUND_SECONDS: Final = 30.0
"""Within so many seconds after everything healed the regulator knows."""

LOOK_SECONDS: Final = 0.2
LOOKS: Final = 100

Answer = TypeVar("Answer")


class PutBack:
    """What is done to the regulator that the plan names, if it names one.

    Args:
        plan: of the run.
        node: whose disk it is; None for nobody's.
        checks: told of it.
        chance: decides when.

    Attributes:
        done: how many disks were put back.
        found: of these, how many were found.
        broken: what was not as promised.
    """

    def __init__(self, plan: Plan, node: RegulatorNode | None, checks: Checks, chance: random.Random) -> None:
        self._plan = plan
        self._node = node
        self._checks = checks
        self._chance = chance
        self._image = b""
        self._witnessed: Entries = {}
        self.done = 0
        self.found = 0
        self.broken: list[str] = []

    async def put_back(self) -> None:
        """Puts the disk back, if others ever hold what the image does not."""
        node = self._node
        if node is None:
            return
        await asyncio.sleep(self._chance.uniform(0.0, self._plan.seconds / 2))
        self._image, size = node.disk.image(), len(self._held(node))
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_SECONDS)
            if node.up and self._is_witnessed(node, size):
                break
        else:
            return
        self.done, self._witnessed = 1, self._held(node)
        self._checks.put_back.add(node.name)
        node.crash()
        node.disk.put_back(self._image)
        await asyncio.sleep(self._chance.uniform(0.01, 2.0))
        if not node.up:
            node.start()

    async def mended(self) -> bool:
        """Waits until it is found, and mends it where that can be done; returns whether everything has to be well then."""
        raise NotImplementedError

    def _is_witnessed(self, node: RegulatorNode, size: int) -> bool:
        """Whether others hold what an image of a log of so many entries lacks."""
        raise NotImplementedError

    async def _reason(self, node: RegulatorNode) -> str:
        """Waits until the regulator knows; returns what it says, empty where it never does."""
        for _ in range(int(FOUND_SECONDS / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            if node.parts is not None and node.parts.log.held_back is not None:
                return node.parts.log.held_back[0]
        return ""

    def _still_there(self, node: RegulatorNode) -> bool:
        """Whether all that it lost was sent again, so that nothing is wrong with a log that nobody finds wrong."""
        held = self._held(node)
        if {index: held.get(index) for index in self._witnessed} != self._witnessed:
            self.broken.append(f"{node.name} was put back to an earlier state, and nobody knows")
            return False
        self.done = 0
        self._checks.put_back.discard(node.name)
        return True

    def _held(self, holder: Node) -> Entries:
        """The entries of the regulator's log that somebody holds."""
        assert self._node is not None
        query = "SELECT log_index, entry FROM log_entry WHERE jurisdiction = ?"
        return dict(holder.disk.rows(query, self._node.jurisdiction))


async def until_heard(command: Callable[[], Awaitable[Answer]]) -> Answer:
    """Runs a command again while the other side is just being started, as an operator does."""
    for _ in range(LOOKS):
        try:
            return await command()
        except FilingnetError as error:
            if error.reason not in ("PROVINCE_AWAY", "PEER_UNREACHABLE"):
                raise
            await asyncio.sleep(LOOK_SECONDS)
    raise AssertionError("the other side is away for good")
