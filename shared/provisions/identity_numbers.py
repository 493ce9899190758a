"""Numbers of identity cards and residence permits: what GB 11643 says a number must be, and nothing of who holds it.

Three families share the 18 characters: resident identity cards, residence permits of Hong Kong, Macao and Taiwan
residents (regions 81, 82, 83) and the permanent residence cards of foreigners (a leading 9, then the province that
issued it). An error says what is wrong with the form and never repeats the number.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Final

from shared.errors import InvalidInput, Violation
from shared.provisions.regions import PROVINCES

_FORM: Final = re.compile(r"[0-9]{17}[0-9Xx]")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS: Final = "10X98765432"
_EARLIEST_BIRTH: Final = datetime.date(1800, 1, 1)
_PREFIXES: Final = {code[:2]: code for code in PROVINCES if code != "100000"} | {"83": "710000"}


@dataclass(frozen=True, slots=True, repr=False)
class IdNumber:
    """What a well-formed number tells. It has no repr, so that no log can show it by accident."""

    region: str
    birth_date: datetime.date
    foreign: bool


def check_character(digits: str) -> str:
    """Returns the MOD 11-2 check character (ISO 7064) of 17 digits: "0" to "9" or "X"."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return _CHECK_CHARACTERS[total % 11]


def is_id_number(text: str) -> bool:
    """Tells whether text is a number that a card could carry: form, region, a real date and the check character."""
    return _fault(text) is None


def check_id_number(text: str, today: datetime.date | None = None) -> IdNumber:
    """Reads an identity card or residence permit number (GB 11643).

    Args:
        text: 18 characters; a final x may be small.
        today: where given, a birth date after it is refused.

    Returns:
        Region (GB/T 2260 province of issue), birth date, and whether it is a foreigner's permanent residence card.

    Raises:
        InvalidInput: ID_NUMBER_WRONG with one violation that names the wrong part, never the number.
    """
    fault = _fault(text)
    if fault is None:
        birth_date = _birth_date(text)
        if birth_date is not None and (today is None or birth_date <= today):
            foreign = text[0] == "9"
            return IdNumber(_PREFIXES[text[1:3] if foreign else text[:2]], birth_date, foreign)
        fault = "the birth date lies in the future; copy the number from the document again"
    raise InvalidInput(
        "the identity number does not hold", "ID_NUMBER_WRONG", [Violation("id_number", "ID_NUMBER_WRONG", fault)]
    )


def _fault(text: str) -> str | None:
    if _FORM.fullmatch(text) is None:
        return "give 18 characters: 17 digits, then a digit or X"
    if (text[1:3] if text[0] == "9" else text[:2]) not in _PREFIXES:
        return "the first digits name no province; copy the number from the document again"
    if _birth_date(text) is None:
        return "digits 7 to 14 are no date of birth; copy the number from the document again"
    if check_character(text[:17]) != text[17].upper():
        return "the check character does not fit; copy the number from the document again"
    return None


def _birth_date(text: str) -> datetime.date | None:
    try:
        date = datetime.date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return None
    return date if date >= _EARLIEST_BIRTH else None
