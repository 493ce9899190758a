"""The licence of a provider (Art. 4): what its number says, and whether it holds.

A public information service needs the internet news information service licence. Which classes of it let a provider
file is policy; this module reads the number and judges dates and state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from typing import Final

from shared.errors import InvalidInput, Violation
from shared.provisions.regions import PROVINCES

# The year of a licence is one of China's; `shared.provisions.policy` has the same zone and builds on this module.
_CHINA_STANDARD_TIME: Final = timezone(timedelta(hours=8))
_FORM: Final = re.compile(r"[1-8][0-9][123]20[0-9]{2}[0-9]{4}")


class LicenceClass(IntEnum):
    """The class of a licence, the third digit of its number."""

    PUBLISH = 1
    REPRINT = 2
    PLATFORM = 3


class LicenceState(IntEnum):
    """The state of a licence, with the numbers of the wire."""

    UNSPECIFIED = 0
    VALID = 1
    SUSPENDED = 2
    REVOKED = 3


@dataclass(frozen=True, slots=True)
class LicenceNumber:
    """The parts of a licence number: issuing jurisdiction (GB/T 2260, 6 digits), class, year and serial."""

    jurisdiction: str
    licence_class: LicenceClass
    year: int
    serial: int


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence: its number, from when and until when (exclusive) it holds, in aware UTC, and its state."""

    number: str
    start_time: datetime
    end_time: datetime
    state: LicenceState


@lru_cache(maxsize=4096)
def parse_licence_number(text: str) -> LicenceNumber:
    """Reads the number of an internet news information service licence, as published numbers are built.

    Args:
        text: 11 digits: jurisdiction (2, where 10 is the nation), class, year (4), serial (4).

    Returns:
        Its parts.

    Raises:
        InvalidInput: LICENCE_NUMBER_WRONG.
    """
    jurisdiction = f"{text[:2]}0000"
    if _FORM.fullmatch(text) is None or jurisdiction not in PROVINCES:
        mend = "give 11 digits: jurisdiction (2), class 1, 2 or 3, year (4), serial (4)"
        raise InvalidInput(
            "the licence number does not hold",
            "LICENCE_NUMBER_WRONG",
            [Violation("licence.number", "LICENCE_NUMBER_WRONG", mend)],
        )
    return LicenceNumber(jurisdiction, LicenceClass(int(text[2])), int(text[3:7]), int(text[7:]))


def judge_licence(licence: Licence) -> Iterator[Violation]:
    """Yields why a licence cannot be one at all, whatever its state: judged where it is entered in the directory (Art. 4).

    Args:
        licence: a provider's.

    Yields:
        LICENCE_NUMBER_WRONG: a jurisdiction, class or form that no licence has. LICENCE_YEAR_WRONG: it begins before
        the year of its number. LICENCE_DATES_WRONG: it ends before it starts.
    """
    try:
        number = parse_licence_number(licence.number)
    except InvalidInput as error:
        yield from error.violations
    else:
        if number.year > licence.start_time.astimezone(_CHINA_STANDARD_TIME).year:
            mend = "copy number and dates again: a licence does not begin before the year of its number"
            yield Violation("licence.number", "LICENCE_YEAR_WRONG", mend)
    if licence.end_time <= licence.start_time:
        yield Violation("licence.end_time", "LICENCE_DATES_WRONG", "let the licence end after its start")


def licence_refusal(licence: Licence | None, at: datetime) -> Violation | None:
    """Says why a licence does not let its provider file at a time (Art. 4).

    Args:
        licence: the provider's licence; None where it has none.
        at: the time, aware.

    Returns:
        None where the licence holds, else LICENCE_MISSING, LICENCE_REVOKED, LICENCE_SUSPENDED, LICENCE_NOT_STARTED or
        LICENCE_LAPSED.
    """
    if licence is None:
        return Violation("licence", "LICENCE_MISSING", "have the nation enter the provider's licence in the directory")
    if licence.state == LicenceState.REVOKED:
        return Violation(
            "licence.state", "LICENCE_REVOKED", "a revoked licence does not come back; apply for a new one"
        )
    if licence.state != LicenceState.VALID:
        return Violation(
            "licence.state", "LICENCE_SUSPENDED", "have the authority lift the suspension, then send again"
        )
    if at < licence.start_time:
        return Violation("licence.start_time", "LICENCE_NOT_STARTED", "wait until the licence begins, then send again")
    if at >= licence.end_time:
        return Violation("licence.end_time", "LICENCE_LAPSED", "renew the licence, then send again")
    return None
