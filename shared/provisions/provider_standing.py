"""Whether a provider may state anything to a regulator (Arts. 3, 4, 8(2)), and while when its licence holds.

Filing accounts and granting labels needs a licence that holds. Telling of reports, measures, orders and revocations
does
not: a provider whose licence lapsed still owes the authority its records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final, NamedTuple

from shared.clock import from_micros, micros
from shared.errors import InvalidInput, Violation
from shared.provisions.licences import Licence, LicenceState, licence_refusal, parse_licence_number
from shared.provisions.policy import Policy
from shared.provisions.spans import FOREVER


class ProviderState(IntEnum):
    """Whether a provider may take part, with the numbers of NodeState on the wire."""

    UNSPECIFIED = 0
    ACTIVE = 1
    SUSPENDED = 2
    DENIED = 3


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """What is known of a provider where it is judged.

    Attributes:
        licence: its licence; None where it has none.
        state: its state in the directory; None where the directory does not know it.
        jurisdiction: its jurisdiction by the directory, GB/T 2260.
        regulator_jurisdiction: of the regulator that judges, or that the provider is about to send to.
    """

    licence: Licence | None
    state: ProviderState | None
    jurisdiction: str
    regulator_jurisdiction: str


class LicenceSpan(NamedTuple):
    """When a provider's licence holds, in microseconds: from start_time until end_time; equal where it does not hold
    at all.

    finding says why it does not hold at all, LICENCE_MISSING, LICENCE_SUSPENDED or LICENCE_REVOKED; else it is empty.
    """

    start_time: int
    end_time: int
    finding: str = ""

    def finding_at(self, at: int) -> str:
        """Returns why the licence does not hold at a time, as `licence_refusal` names it; empty where it holds."""
        if self.start_time <= at < self.end_time:
            return ""
        lapsed = self.end_time <= max(at, self.start_time)
        return self.finding or ("LICENCE_LAPSED" if lapsed else "LICENCE_NOT_STARTED")


ALWAYS_LICENSED: Final = LicenceSpan(0, FOREVER)
"""A licence without a limit, for where the provider's own licence is not in question."""


def licence_span(licence: Licence | None) -> LicenceSpan:
    """Returns when a provider's licence holds, from its dates and its state in the directory (Art. 4)."""
    if licence is not None and licence.state == LicenceState.VALID:
        return LicenceSpan(micros(licence.start_time), micros(licence.end_time))
    refusal = licence_refusal(licence, from_micros(0))
    return LicenceSpan(0, 0, "LICENCE_MISSING" if refusal is None else refusal.rule)


def judge_filing_provider(standing: ProviderStanding, at: datetime) -> Iterator[Violation]:
    """Yields why a provider may not file or grant (Arts. 3 and 4).

    Args:
        standing: the provider.
        at: the time of judging, aware.

    Yields:
        PROVIDER_UNKNOWN, PROVIDER_SUSPENDED, JURISDICTION_WRONG, and what `licence_refusal` says.
    """
    if standing.state is None:
        yield _UNKNOWN
    elif standing.state != ProviderState.ACTIVE:
        yield Violation("origin", "PROVIDER_SUSPENDED", "have the nation lift the suspension, then send again")
    yield from _judge_jurisdiction(standing)
    refusal = licence_refusal(standing.licence, at)
    if refusal is not None:
        yield refusal


def judge_reporting_provider(standing: ProviderStanding) -> Iterator[Violation]:
    """Yields why a provider may not report, answer or revoke (Arts. 3 and 8(2)): no licence is asked for.

    Yields:
        PROVIDER_UNKNOWN, PROVIDER_DENIED, JURISDICTION_WRONG.
    """
    if standing.state is None:
        yield _UNKNOWN
    elif standing.state not in (ProviderState.ACTIVE, ProviderState.SUSPENDED):
        yield Violation("origin", "PROVIDER_DENIED", "have the nation let the provider back in, then send again")
    yield from _judge_jurisdiction(standing)


def judge_licence_class(licence: Licence | None, policy: Policy) -> Iterator[Violation]:
    """Yields why a provider's licence is not of a class that the policy asks for (Art. 4).

    Yields:
        LICENCE_NUMBER_WRONG, LICENCE_CLASS_WRONG; nothing for a missing licence, which is a violation of its own.
    """
    if licence is None:
        return
    try:
        found = int(parse_licence_number(licence.number).licence_class)
    except InvalidInput as error:
        yield from error.violations
        return
    if found not in policy.provider_licence_classes:
        yield licence_class_wrong(policy)


def licence_class_wrong(policy: Policy) -> Violation:
    """Returns the violation of a provider whose licence is of a class that the policy does not take."""
    classes = ", ".join(str(number) for number in sorted(policy.provider_licence_classes))
    return Violation("licence.number", "LICENCE_CLASS_WRONG", f"a provider needs a licence of class {classes}")


def _judge_jurisdiction(standing: ProviderStanding) -> Iterator[Violation]:
    if standing.jurisdiction != standing.regulator_jurisdiction:
        yield Violation("jurisdiction", "JURISDICTION_WRONG", "file with the regulator of the provider's jurisdiction")


_UNKNOWN: Final = Violation("origin", "PROVIDER_UNKNOWN", "join the network, then send again")
