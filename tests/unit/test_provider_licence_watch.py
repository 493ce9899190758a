"""Art. 4: a provider is told before its licence lapses, and what to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from provider_node.licence_watch import licence_warning, renewal_due, watch_licence
from provider_node.standing import Standing
from shared.changes import Changes
from shared.provisions.filings import ProviderState
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.policy import initial_policy

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def standing(ends_in: timedelta = 400 * DAY, state: LicenceState = LicenceState.VALID) -> Standing:
    """A provider whose licence ends after a while."""
    licence = Licence("33320240001", NOW - 600 * DAY, NOW + ends_in, state)
    return Standing("provider/wave", "330000", licence, ProviderState.ACTIVE, (initial_policy(),))


@pytest.mark.parametrize(
    ("ends_in", "state", "rule"),
    [
        (400 * DAY, LicenceState.VALID, None),
        (31 * DAY, LicenceState.VALID, None),
        (30 * DAY, LicenceState.VALID, "LICENCE_RENEWAL_DUE"),
        (DAY, LicenceState.VALID, "LICENCE_RENEWAL_DUE"),
        (-DAY, LicenceState.VALID, "LICENCE_LAPSED"),
        (400 * DAY, LicenceState.SUSPENDED, "LICENCE_SUSPENDED"),
        (400 * DAY, LicenceState.REVOKED, "LICENCE_REVOKED"),
    ],
)
def test_art_4_warning_comes_in_time(ends_in: timedelta, state: LicenceState, rule: str | None) -> None:
    """Renewal is due from the day that the policy sets; a licence that does not hold is said as a regulator would."""
    warning = licence_warning(standing(ends_in, state), NOW)
    assert rule == (warning.rule if warning is not None else None)


def test_renewal_stays_due_after_the_end() -> None:
    """Whoever looks late still reads that renewal is due; a provider without licence, or without policy, has none."""
    ends = (31 * DAY, 30 * DAY, -DAY)
    assert [False, True, True] == [renewal_due(standing(ends_in), NOW) for ends_in in ends]
    none = replace(standing(), licence=None), replace(standing(-DAY), policies=())
    assert [False, False] == [renewal_due(each, NOW) for each in none]


async def test_node_warns_again_when_something_changed() -> None:
    """The warning is in the log at the start and after each change of the directory, and gone after the renewal."""
    changes, ends, reads = Changes(), [DAY, DAY, 400 * DAY], asyncio.Queue[None]()

    def read() -> Standing:
        reads.put_nowait(None)
        return standing(ends.pop(0))

    with capture_logs() as logs:
        watching = asyncio.create_task(watch_licence(read, changes, lambda: NOW))
        for _ in range(3):
            await reads.get()
            changes.notify()
        watching.cancel()
    assert ["LICENCE_RENEWAL_DUE"] * 2 == [line["reason"] for line in logs]
