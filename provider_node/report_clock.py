"""The clock of reports and measures (Arts. 5(3) and 8): what is due leaves by itself, at its minute and once.

The worker holds nothing: what is due is a column of the database, computed by the rules when the report changed, and is
judged again in the transaction that lets it leave. So a restart forgets nothing, a crash repeats nothing, and a clock
that jumps lets nothing leave twice. It waits until the next due time, is woken by every change that may bring one
nearer, and looks at the clock at least twice a minute, so that a clock that was set is noticed within the minute.
"""

from __future__ import annotations

from typing import Final

from provider_node.gated_writes import GatedWrites
from provider_node.measures import EXPIRIES_TOGETHER, Measures
from provider_node.report_departures import leave_all_due, set_leave_times_anew
from provider_node.report_rows import next_departure
from provider_node.standing import ReadStanding
from shared.changes import Changes
from shared.clock import Clock, micros
from shared.provisions.spans import FOREVER

LONGEST_WAIT_SECONDS: Final = 30.0
"""The clock is looked at this often, because it may be set while nothing else changes."""

REPORTS_TOGETHER: Final = 200
"""Reports that leave in one transaction."""

_MICROSECONDS: Final = 1_000_000


class ReportClock:
    """Lets reports leave and tells of measures that ran out.

    Args:
        writes: commits changes.
        measures: tells of measures that ran out.
        standing: reads the provider's standing and the policies.
        changes: told when a due time may have changed.
        clock: tells the time.
    """

    def __init__(
        self, writes: GatedWrites, measures: Measures, standing: ReadStanding, changes: Changes, clock: Clock
    ) -> None:
        self._writes = writes
        self._measures = measures
        self._standing = standing
        self._changes = changes
        self._clock = clock
        self._policies_seen = 0

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            ticket = self._changes.ticket()
            await self._changes.wait(ticket, await self.tick())

    async def tick(self) -> float:
        """Lets everything leave that is due now.

        Returns:
            After how many seconds to look again, if nothing changes: at most LONGEST_WAIT_SECONDS.
        """
        await self._follow_policies()
        while await self._let_leave():
            pass
        while await self._measures.expire_due() == EXPIRIES_TOGETHER:
            pass
        now = micros(self._clock())
        leaves = await self._writes.database.read(lambda transaction: next_departure(transaction, now))
        due = min(leaves, await self._measures.next_expiry(now))
        if due == FOREVER:
            return LONGEST_WAIT_SECONDS
        return min(max(due - now, 0) / _MICROSECONDS, LONGEST_WAIT_SECONDS)

    async def _let_leave(self) -> bool:
        now, standing = self._clock(), self._standing()
        due = await self._writes.database.read(lambda transaction: next_departure(transaction))
        if due > micros(now):
            return False
        looked_at, stay = await self._writes.database.write(
            lambda transaction: leave_all_due(transaction, standing, now, REPORTS_TOGETHER)
        )
        if looked_at > stay:
            self._writes.sent()
        return looked_at == REPORTS_TOGETHER and not stay

    async def _follow_policies(self) -> None:
        """Sets the due times of open reports anew where a policy came that holds from before they were received."""
        policies = self._standing().policies
        if len(policies) == self._policies_seen:
            return
        received = min((policy.effective_micros for policy in policies[self._policies_seen :]), default=0)
        after = ""
        while True:
            after = await self._writes.database.write(
                lambda transaction, last=after: set_leave_times_anew(  # type: ignore[misc]
                    transaction, policies, received, last, REPORTS_TOGETHER
                )
            )
            if not after:
                break
        self._policies_seen = len(policies)
