"""Has providers file where the policy in force says (Art. 3), by transfers. On the nation's node.

It holds nothing: at each look it compares the policy with the directory and transfers who files elsewhere, so that a
restart forgets nothing and a crash repeats nothing. A provider that is still on its way from a transfer before is
transferred once its departure has arrived. It looks when the log grows, which both policies and departures make it do,
and when the next policy begins.
"""

from __future__ import annotations

from typing import Final

import structlog

from regulator_node.national import NationalOffice
from shared.changes import Changes
from shared.clock import Clock
from shared.errors import FailedPrecondition, Unavailable
from shared.network import NetworkView
from shared.provisions.routing import routes_away

LONGEST_WAIT_SECONDS: Final = 30.0
"""The clock is looked at this often, because it may be set while nothing else changes."""

log = structlog.get_logger(__name__)


class Router:
    """Transfers routed providers.

    Args:
        office: transfers them.
        view: the documents held.
        changes: told when a log in the register grew, or the clock was moved.
        clock: tells the time.
    """

    def __init__(self, office: NationalOffice, view: NetworkView, changes: Changes, clock: Clock) -> None:
        self._office = office
        self._view = view
        self._changes = changes
        self._clock = clock
        self._reasons: dict[str, str] = {}

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            ticket = self._changes.ticket()
            await self._changes.wait(ticket, await self.tick())

    async def tick(self) -> float:
        """Transfers everybody whom the policy in force routes elsewhere and who can be transferred now.

        Returns:
            After how many seconds to look again, if nothing changes: at most LONGEST_WAIT_SECONDS.
        """
        now = self._clock()
        policy = self._view.policy_at(now)
        if policy.routes:
            nodes = self._view.directory.nodes
            jurisdictions = {name: nodes[name].jurisdiction for name in policy.routed if name in nodes}
            for route in routes_away(policy, jurisdictions):
                await self._transfer(route.provider, route.jurisdiction, policy.version)
        begins = (each.effective_time for each in self._view.policies if each.effective_time > now)
        return min([LONGEST_WAIT_SECONDS, *((time - now).total_seconds() for time in begins)])

    async def _transfer(self, provider: str, to: str, version: int) -> None:
        told = {"provider": provider, "regulator": f"regulator/{to}", "policy": version}
        try:
            await self._office.transfer(provider, to)
        except (FailedPrecondition, Unavailable) as error:
            # Another process of this node was first, or its time has not come: it is tried again at the next look.
            if self._reasons.get(provider) != error.reason:
                self._reasons[provider] = error.reason
                log.info("route_waits", reason=error.reason, **told)
            return
        self._reasons.pop(provider, None)
        log.info("provider_routed", **told)
