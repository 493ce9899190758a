"""Tells the provider in good time that its licence is about to lapse, or that it does not hold (Art. 4).

A regulator refuses every filing of a provider whose licence has lapsed; renewing takes longer than a day. So the node
warns in its log from the day that the policy sets: at its start, once a day, and when the directory changes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog

from provider_node.standing import ReadStanding, Standing
from shared.changes import Changes
from shared.clock import Clock, micros
from shared.errors import Violation
from shared.provisions.licences import licence_refusal
from shared.provisions.policy import licence_renewal_due, policy_at_micros

DAY_SECONDS: Final = 86_400.0

log = structlog.get_logger(__name__)


def renewal_due(standing: Standing, now: datetime) -> bool:
    """Says whether it is time to ask for the renewal of a provider's licence: from the day that the policy sets.

    Args:
        standing: the provider's, with the policies.
        now: aware.

    Returns:
        True also after the licence lapsed; False where there is none, or no policy yet.
    """
    policy = policy_at_micros(standing.policies, micros(now))
    return policy is not None and standing.licence is not None and now >= licence_renewal_due(policy, standing.licence)


def licence_warning(standing: Standing, now: datetime) -> Violation | None:
    """Says what a provider has to do about its licence.

    Args:
        standing: the provider's, with the policies.
        now: aware.

    Returns:
        None where the licence holds for long enough; the refusal that a regulator would give where it does not hold;
        LICENCE_RENEWAL_DUE where it is time to ask for its renewal.
    """
    refusal = licence_refusal(standing.licence, now)
    if refusal is not None or standing.licence is None or not renewal_due(standing, now):
        return refusal
    mend = f"ask for its renewal now: it ends {standing.licence.end_time:%Y-%m-%d}, and nothing can be filed after that"
    return Violation("licence.end_time", "LICENCE_RENEWAL_DUE", mend)


async def watch_licence(standing: ReadStanding, changes: Changes, clock: Clock) -> None:
    """Warns in the log until cancelled.

    Args:
        standing: reads the provider's standing.
        changes: told when the directory or the policy changed.
        clock: tells the time.
    """
    while True:
        ticket = changes.ticket()
        warning = licence_warning(standing(), clock())
        if warning is not None:
            log.warning("licence_needs_attention", reason=warning.rule, mend=warning.mend)
        await changes.wait(ticket, DAY_SECONDS)
