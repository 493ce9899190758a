"""Changes of one subject never cross; those of others do not wait."""

from __future__ import annotations

import asyncio

from provider_node.keyed_locks import KeyedLocks


async def test_one_at_a_time_for_each_key() -> None:
    """The second change of a subject begins after the first has ended, another subject's at once."""
    locks, order = KeyedLocks(), list[str]()
    release = asyncio.Event()

    async def change(key: bytes, name: str) -> None:
        async with locks.holding(key):
            order.append(f"{name} begins")
            if name == "first":
                await release.wait()
            order.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        group.create_task(change(b"a", "first"))
        await asyncio.sleep(0)
        group.create_task(change(b"a", "second"))
        await group.create_task(change(b"b", "other"))
        release.set()
    assert ["first begins", "other begins", "other ends", "first ends", "second begins", "second ends"] == order


async def test_nothing_is_left_behind() -> None:
    """A lock goes with its last user, so that a node of years holds no list of everyone it ever changed."""
    locks = KeyedLocks()
    async with locks.holding(b"a"), locks.holding(b"b"):
        pass
    assert ({}, {}) == (locks._locks, locks._users)
