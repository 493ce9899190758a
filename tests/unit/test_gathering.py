"""What arrives while a group is under way is done as the next group, and each piece gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.gathering import Gathering


class Served:
    """Serves groups of numbers one at a time, each once it is let go: the double of an even one, an error for an odd one."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.let_go = asyncio.Semaphore(0)
        self.begun = asyncio.Semaphore(0)

    async def serve(self, numbers: Sequence[int]) -> list[int | Exception]:
        """Waits until it is let go."""
        self.groups.append(list(numbers))
        self.begun.release()
        await self.let_go.acquire()
        if 13 in numbers:
            raise ValueError("the whole group")
        return [ValueError(str(number)) if number % 2 else 2 * number for number in numbers]


async def test_what_waits_is_one_group_and_each_is_answered() -> None:
    """The first goes alone; what came meanwhile goes together, in order and within the bound."""
    served = Served()
    gathering: Gathering[int, int] = Gathering(served.serve, most=3, groups=1)
    first = asyncio.create_task(gathering.add(0))
    await served.begun.acquire()
    others = [asyncio.create_task(gathering.add(number)) for number in (2, 3, 4, 6)]
    served.let_go.release()
    await served.begun.acquire()
    served.let_go.release()
    await served.begun.acquire()
    served.let_go.release()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert [[0], [2, 3, 4], [6]] == served.groups
    assert [0, 4, "3", 8, 12] == [str(answer) if isinstance(answer, ValueError) else answer for answer in answers]


async def test_a_group_that_fails_fails_for_each_and_the_next_goes_on() -> None:
    """What `serve` raises is everybody's error, and nobody else's."""
    served = Served()
    gathering: Gathering[int, int] = Gathering(served.serve, most=3, groups=1)
    served.let_go.release()
    with pytest.raises(ValueError, match="the whole group"):
        await gathering.add(13)
    served.let_go.release()
    assert await gathering.add(4) == 8


async def test_a_caller_that_left_holds_nobody_up() -> None:
    """Its piece is done all the same, and its neighbours are answered."""
    served = Served()
    gathering: Gathering[int, int] = Gathering(served.serve, most=3, groups=1)
    gone, stays = asyncio.create_task(gathering.add(2)), asyncio.create_task(gathering.add(4))
    await served.begun.acquire()
    gone.cancel()
    served.let_go.release()
    assert await stays == 8
    assert [[2, 4]] == served.groups
