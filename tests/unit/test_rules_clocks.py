"""Clocks by policy: when they end, what a pause takes from them, and whether a moment is too late."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import micros
from shared.provisions.clocks import ClockRule, Pause, due_time, would_be_late
from shared.provisions.policy import (
    CHINA_STANDARD_TIME,
    REPORT_FIRST_ANSWER,
    REPORT_PAUSE_LONGEST,
    REPORT_SETTLEMENT,
    CalendarOverride,
    period_end_micros,
)
from shared.provisions.spans import FOREVER
from shared.provisions.working_days import is_working_day
from tests.unit.rule_samples import AT, DAY, HOUR, POLICY


def local(*parts: int) -> int:
    """A time in China Standard Time, in microseconds."""
    return micros(datetime(*parts, tzinfo=CHINA_STANDARD_TIME))  # type: ignore[arg-type, misc]


def settlement(*pauses: Pause, start: int = local(2026, 3, 2, 9), longest_pause: str = "") -> ClockRule:
    """The clock of a settlement, three working days from Monday, 2 March 2026, 9:00, with pauses."""
    return ClockRule(POLICY, REPORT_SETTLEMENT, start, pauses, longest_pause)


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ((), local(2026, 3, 6)),
        ((Pause(local(2026, 3, 3, 10), local(2026, 3, 3, 16)),), local(2026, 3, 6, 6)),
        # From Thursday into the weekend: with half a day left it is due on Monday at noon.
        ((Pause(local(2026, 3, 5, 12), local(2026, 3, 7, 12)),), local(2026, 3, 9, 12)),
        (
            (Pause(local(2026, 3, 3, 10), local(2026, 3, 3, 16)), Pause(local(2026, 3, 6, 1), local(2026, 3, 6, 2))),
            local(2026, 3, 6, 7),
        ),
        (
            (Pause(local(2026, 3, 3, 10), local(2026, 3, 3, 16)), Pause(local(2026, 3, 3, 12), local(2026, 3, 3, 17))),
            local(2026, 3, 6, 7),
        ),
        ((Pause(local(2026, 3, 6), local(2026, 3, 6, 16)),), local(2026, 3, 6)),
        ((Pause(local(2026, 3, 1), local(2026, 3, 2, 10)),), local(2026, 3, 6, 1)),
        ((Pause(local(2026, 3, 3)),), FOREVER),
    ],
)
def test_pause_moves_the_end_by_what_it_took_of_working_days(pauses: tuple[Pause, ...], expected: int) -> None:
    """Days off take nothing from a period of working days, so that a pause over them gives nothing either."""
    assert expected == due_time(settlement(*pauses))


def test_override_decides_what_a_pause_takes() -> None:
    """The override table says which days a pause takes something of, as it says which days count."""
    saturday = replace(POLICY, calendar_overrides=(CalendarOverride(date(2026, 3, 7), working=True),))
    rule = settlement(Pause(local(2026, 3, 5, 12), local(2026, 3, 7, 12)))
    assert local(2026, 3, 8) == due_time(replace(rule, policy=saturday))


def test_pause_of_a_period_by_the_clock_counts_whole() -> None:
    """A period of hours stands still for every moment of a pause, whatever the day."""
    start = local(2026, 3, 6, 20)
    rule = ClockRule(POLICY, REPORT_FIRST_ANSWER, start, (Pause(start + HOUR, start + 30 * HOUR),))
    assert start + 53 * HOUR == due_time(rule)


def test_no_pause_stops_a_clock_for_ever() -> None:
    """From the first pause on there is a last moment for all of them; afterwards the clock runs, paused or not."""
    limit = period_end_micros(POLICY, REPORT_PAUSE_LONGEST, local(2026, 3, 3))
    assert local(2026, 3, 18) == limit
    forever = settlement(Pause(local(2026, 3, 3)), longest_pause=REPORT_PAUSE_LONGEST)
    assert local(2026, 3, 21) == due_time(forever)
    again = (Pause(local(2026, 3, 3), local(2026, 3, 17)), Pause(local(2026, 3, 19)))
    ended = settlement(Pause(local(2026, 3, 3), local(2026, 3, 17)), longest_pause=REPORT_PAUSE_LONGEST)
    assert due_time(ended) == due_time(settlement(*again, longest_pause=REPORT_PAUSE_LONGEST))


def test_would_be_late_from_the_due_moment_on() -> None:
    """A clock is late at its due moment and not before; what was done in time is never late, what was not always was."""
    rule = settlement()
    due = due_time(rule)
    assert [False, True] == [would_be_late(rule, at) for at in (due - 1, due)]
    assert not would_be_late(replace(rule, done_time=due - 1), due + DAY)
    assert [False, True] == [would_be_late(replace(rule, done_time=due), at) for at in (due - 1, due)]


def counted(start: int, end: int) -> int:
    """How many hours of a span lie on working days, hour by hour."""
    hours = (datetime.fromtimestamp(at // 1_000_000, CHINA_STANDARD_TIME) for at in range(start, end, HOUR))
    return sum(is_working_day(hour.date(), {}) for hour in hours)


STARTS = st.integers(0, 24 * 60).map(lambda hours: AT // HOUR * HOUR + hours * HOUR)
LENGTHS = st.integers(0, 24 * 12).map(lambda hours: hours * HOUR)
PAUSES = st.lists(st.tuples(LENGTHS, LENGTHS), max_size=3)


@given(STARTS, PAUSES)
def test_paused_clock_gets_exactly_its_working_time(start: int, steps: list[tuple[int, int]]) -> None:
    """Compared hour by hour: with any pauses, the working time in which a clock ran is that of the period without."""
    pauses, at = [], start
    for running, standing in steps:
        pauses.append(Pause(at + running, at + running + standing))
        at += running + standing
    due, plain = due_time(settlement(*pauses, start=start)), due_time(settlement(start=start))
    stood = sum(counted(pause.start_time, min(pause.end_time, due)) for pause in pauses if pause.start_time < due)
    assert counted(start, plain) == counted(start, due) - stood
    assert plain <= due


@given(STARTS, PAUSES)
def test_order_of_pauses_changes_nothing(start: int, steps: list[tuple[int, int]]) -> None:
    """Pauses are read as times, not as a list: whatever the order, the clock ends at the same moment."""
    pauses = [Pause(start + begin, start + begin + length) for begin, length in steps]
    shuffled = sorted(pauses, key=lambda pause: (-pause.end_time, pause.start_time))
    assert due_time(settlement(*pauses, start=start)) == due_time(settlement(*shuffled, start=start))
