"""Working days of the official calendar: weekends, public holidays and the weekend days that make up for them.

The State Council announces each year's holidays late in the year before. Until the holidays package carries them, and
where it errs, the policy's overrides decide: they come first.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from holidays import country_holidays

_DAY: Final = datetime.timedelta(days=1)
_SATURDAY: Final = 5


@lru_cache(maxsize=64)
def _calendar(year: int) -> tuple[frozenset[datetime.date], frozenset[datetime.date]]:
    # The next year is read as well: a day in December can make up for a holiday in January.
    calendar = country_holidays("CN", years=(year, year + 1), expand=False)
    return frozenset(calendar), frozenset(calendar.weekend_workdays)


def is_working_day(day: datetime.date, overrides: Mapping[datetime.date, bool]) -> bool:
    """Tells whether a day is a working day.

    Args:
        day: a day in China Standard Time.
        overrides: days that differ from the official calendar, and whether each is a working day.

    Returns:
        True for a working day.
    """
    override = overrides.get(day)
    if override is not None:
        return override
    holidays, made_up = _calendar(day.year)
    return day in made_up or (day.weekday() < _SATURDAY and day not in holidays)


def add_working_days(start: datetime.date, days: int, overrides: Mapping[datetime.date, bool]) -> datetime.date:
    """Returns the last day of a period counted in working days.

    Args:
        start: the day on which the period begins; it is not counted itself (Civil Code, Art. 201).
        days: how many working days, at least 1.
        overrides: days that differ from the official calendar, and whether each is a working day.

    Returns:
        The working day on which the period ends, that day included.
    """
    day = start
    while days > 0:
        day += _DAY
        if is_working_day(day, overrides):
            days -= 1
    return day
