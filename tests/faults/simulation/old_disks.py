"""A province whose disk is put back to an earlier image, which rewrites history that the nation witnessed: it has to be found.

It is put back when the nation holds all that it lost. Then its log is behind, or, where it took something in before the
nation could be asked, forked. What is behind is recovered, and nothing is lost; what forked is told at both ends, and the
nation keeps what it holds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from shared.errors import FailedPrecondition, FilingnetError
from tests.faults.simulation.checks import Checks, Entries
from tests.faults.simulation.founded import NATION
from tests.faults.simulation.nodes import Node, RegulatorNode
from tests.faults.simulation.plans import Plan

FOUND_SECONDS: Final = 30.0
"""Within so many seconds after everything healed the province knows."""

LOOK_SECONDS: Final = 0.2
LOOKS: Final = 100

Answer = TypeVar("Answer")


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


class OldDisk:
    """What is done to the province that the plan names.

    Args:
        plan: of the run.
        nodes: by name.
        checks: told of it.
        chance: decides when.

    Attributes:
        done: how many disks were put back.
        found: of these, how many were found.
        broken: what was not as promised.
    """

    def __init__(self, plan: Plan, nodes: Mapping[str, Node], checks: Checks, chance: random.Random) -> None:
        self._plan = plan
        self._nation = nodes[NATION]
        node = nodes.get(plan.put_back)
        self._node = node if isinstance(node, RegulatorNode) else None
        self._checks = checks
        self._chance = chance
        self._witnessed: Entries = {}
        self.done = 0
        self.found = 0
        self.broken: list[str] = []

    async def put_back(self) -> None:
        """Puts the disk back, if the nation ever holds all of a log that grew."""
        node = self._node
        if node is None:
            return
        await asyncio.sleep(self._chance.uniform(0.0, self._plan.seconds / 2))
        image, size = node.disk.image(), len(self._held(node))
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_SECONDS)
            held = self._held(node)
            if node.up and len(held) > size and held == self._held(self._nation):
                break
        else:
            return
        self.done, self._witnessed = 1, held
        self._checks.put_back.add(node.name)
        node.crash()
        node.disk.put_back(image)
        await asyncio.sleep(self._chance.uniform(0.01, 2.0))
        if not node.up:
            node.start()

    async def mended(self) -> bool:
        """Waits until it is found, and mends it where that can be done; returns whether all is as if it had not been."""
        node = self._node
        if node is None or not self.done:
            return True
        reason = await self._reason(node)
        if not reason:
            return await self._grown_back(node)
        self.found = 1
        if not await self._told_by_nation(node):
            self.broken.append(f"{node.name} rewrote its log, and the nation says nothing of it")
        if reason == "LOG_BEHIND" and await self._recovered(node):
            self._checks.put_back.discard(node.name)
            return True
        if self._held(self._nation) != self._witnessed:
            self.broken.append(f"the nation took over what {node.name} rewrote")
        return False

    async def _grown_back(self, node: RegulatorNode) -> bool:
        """Looks at a log that nobody finds wrong: nothing may be missing, because all that it lost was sent again.

        That is so where no acknowledgement of it had arrived. Its entries may be in other runs than those that the nation
        copied; then copying stops, and the nation says so.
        """
        held = self._held(node)
        if {index: held.get(index) for index in self._witnessed} != self._witnessed:
            self.broken.append(f"{node.name} was put back to an earlier state, and nobody knows")
            return False
        self.done = 0
        self._checks.put_back.discard(node.name)
        if self._held(self._nation) == held:
            return True
        if not await self._told_by_nation(node):
            self.broken.append(f"the nation copies the log of {node.name} no further, and says nothing of it")
        return False

    async def _reason(self, node: RegulatorNode) -> str:
        for _ in range(int(FOUND_SECONDS / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            if node.parts is not None and node.parts.log.held_back is not None:
                return node.parts.log.held_back[0]
        return ""

    async def _told_by_nation(self, node: RegulatorNode) -> bool:
        sizes = "SELECT size, last_error FROM log WHERE jurisdiction = ?"
        for _ in range(int(FOUND_SECONDS / LOOK_SECONDS)):
            ((size, told),) = self._nation.disk.rows(sizes, node.jurisdiction)
            ((own, _),) = node.disk.rows(sizes, node.jurisdiction)
            # A log that is just as long shows nothing new: the province alone knows, and adds nothing to it.
            if told.startswith("EVIDENCE_REFUSED") or own == size:
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def _recovered(self, node: RegulatorNode) -> bool:
        try:
            await until_heard(node.recover)
        except FailedPrecondition as error:
            if error.reason != "LOG_FORKED":
                raise
            return False
        finally:
            if not node.up:
                node.start()
        return True

    def _held(self, holder: Node) -> Entries:
        assert self._node is not None
        query = "SELECT log_index, entry FROM log_entry WHERE jurisdiction = ?"
        return dict(holder.disk.rows(query, self._node.jurisdiction))
