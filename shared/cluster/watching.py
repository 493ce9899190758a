"""Waiting for what a cluster does by itself, by following what its nodes say of themselves; and saying who is behind.

Nodes push no state to officers, so their status is asked for again and again, in steps that are short at first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from shared.client.officer import RegulatorStatus
from shared.cluster.nodes import ProviderNode, RegulatorNode
from shared.errors import FilingnetError, Unavailable

_FIRST_STEP_SECONDS: Final = 0.02
_LAST_STEP_SECONDS: Final = 0.25


async def wait_until(
    holds: Callable[[], Awaitable[bool]], seconds: float, failure: Callable[[], Awaitable[FilingnetError]]
) -> None:
    """Asks again and again until something holds.

    Args:
        holds: asks once.
        seconds: how long at most.
        failure: makes what is raised where it never held.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    step = _FIRST_STEP_SECONDS
    while not await holds():
        if clock() >= end:
            raise await failure()
        await asyncio.sleep(step)
        step = min(2 * step, _LAST_STEP_SECONDS)


async def wait_until_holds(holds: Callable[[], Awaitable[bool]], what: str, seconds: float) -> None:
    """Asks again and again until something holds; see Cluster.wait_until."""

    async def failure() -> FilingnetError:
        return Unavailable(f"after {seconds:g} s it is still not so: {what}", "WAITED_IN_VAIN")

    await wait_until(holds, seconds, failure)


async def wait_until_failing(provider: ProviderNode, seconds: float) -> str:
    """Waits until a provider says why it cannot deliver, and returns that; see Cluster.wait_until_failing."""
    errors: list[str] = []

    async def failing() -> bool:
        errors[:] = [place.last_error for place in (await client.status()).destinations if place.last_error]
        return bool(errors)

    async with provider.client() as client:
        await wait_until_holds(failing, f"{provider.name} names an error of its delivery", seconds)
    return errors[0]


async def wait_until_delivered(provider: ProviderNode, seconds: float) -> None:
    """Waits until a provider has nothing queued; see Cluster.wait_until_delivered."""

    async def delivered() -> bool:
        return not any(place.queued for place in (await client.status()).destinations)

    async def failure() -> FilingnetError:
        causes = "; ".join(await _waiting(provider))
        return Unavailable(f"{provider.name} did not deliver within {seconds:g} s: {causes}", "NOT_DELIVERED")

    async with provider.client() as client:
        await wait_until(delivered, seconds, failure)


async def wait_until_nation_has(
    nation: RegulatorNode,
    providers: Iterable[ProviderNode],
    filings: int,
    seconds: float,
    on_change: Callable[[int], None] | None,
) -> None:
    """Waits until the nation's register holds so many filings; see Cluster.wait_until_nation_has."""
    told = -1

    async with nation.client() as client:

        async def holds() -> bool:
            nonlocal told
            held = (await client.status()).filings
            if held != told and on_change is not None:
                on_change(held)
            told = held
            return held >= filings

        async def failure() -> FilingnetError:
            held = await client.status()
            causes = [*_behind(held), *[cause for node in providers for cause in await _waiting(node)]]
            return Unavailable(
                f"the nation holds {held.filings} of {filings} filings after {seconds:g} s: "
                f"{'; '.join(causes) or 'nobody has more for it'}",
                "FILINGS_MISSING",
            )

        await wait_until(holds, seconds, failure)


def _behind(status: RegulatorStatus) -> list[str]:
    """Says which copies are not whole, and why."""
    return [
        f"its copy of {replica.jurisdiction} has {replica.size} of {replica.head_size} entries"
        + (f" ({replica.last_error})" if replica.last_error else "")
        for replica in status.replicas
        if replica.size < replica.head_size or replica.last_error
    ]


async def _waiting(node: ProviderNode) -> list[str]:
    """Says what a provider has not delivered, and why."""
    if not node.running:
        return [f"{node.name} is down"]
    try:
        async with node.client() as client:
            status = await client.status()
    except FilingnetError as error:
        return [f"{node.name} cannot be asked ({error.message})"]
    return [
        f"{node.name} has {place.queued} queued and {place.parked} parked for {place.name}"
        + (f" ({place.last_error})" if place.last_error else "")
        for place in status.destinations
        if place.queued or place.parked
    ]
