"""Identity numbers and mobile numbers in a folded text.

Digits in one unbroken run form a group; groups with at most five marks between them form a chain. A number is looked
for where groups begin and end, never in the middle of one, because digits glued to other digits are an order number far
more often than a person's:

- An identity number (18 characters) is whole groups, or either end of one longer group. Its region, date and check
  character are proof enough for any marks between its digits, and for other digits glued to one end of it.
- A mobile number and an identity number of the old form (15 digits, no check character) are whole groups, joined by
  spaces, hyphens, dots, slashes, underscores or seams. Other marks join only single digits (1,3,8,…) and the ways in
  which a mobile number is usually written (3-4-4 and 3-8, with or without 86 in front).

Letters and words of any language may be glued to either side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from shared.egress.disguises import APART, JOIN, SEAM
from shared.provisions.identity_numbers import is_id_number
from shared.provisions.regions import NATION, PROVINCES

_MARK: Final = rf"[- ./_{SEAM}{APART}']"
# Eleven characters at least, which is the shortest number that is looked for.
_CHAIN: Final = re.compile(rf"[0-9](?:{_MARK}{{0,5}}+[0-9Xx]){{10,}}+")
_GROUP: Final = re.compile(rf"([0-9]+|[Xx])({_MARK}*)")
_JOINED: Final = re.compile(rf"{JOIN}*")

_DATE: Final = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_ID_LENGTH: Final = 18
_ID_SHAPE: Final = re.compile(rf"[1-9][0-9]{{5}}(?:18|19|20)[0-9]{{2}}{_DATE}[0-9]{{3}}[0-9Xx]")
# Cards of the old form were never issued to residents of Hong Kong, Macao and Taiwan.
_OLD_REGIONS: Final = "|".join(code[:2] for code in PROVINCES if code != NATION and code[0] in "123456")
_OLD_ID: Final = re.compile(rf"(?:{_OLD_REGIONS})(?!0000)[0-9]{{6}}{_DATE}[0-9]{{3}}")
_MOBILE: Final = re.compile("(?:(?:00)?86)?0?1[3-9][0-9]{9}")
_USUAL_GROUPS: Final = frozenset({(3, 4, 4), (3, 8), (5, 4, 4), (5, 8)})


@dataclass(frozen=True, slots=True, repr=False)
class _Chain:
    """A chain without its marks, where in it groups begin (and the chain ends), and the marks after each group."""

    characters: str
    bounds: list[int]
    marks: list[str]


def holds_identity_number(plain: str) -> bool:
    """Tells whether a folded text holds an identity number of 18 characters (GB 11643)."""
    return any(
        _ID_SHAPE.fullmatch(candidate) is not None and is_id_number(candidate)
        for chain in _chains(plain)
        for candidate in _id_candidates(chain)
    )


def holds_old_identity_number(masked: str) -> bool:
    """Tells whether a text without its harmless numbers holds an identity number of 15 digits."""
    return any(_holds_joined(_OLD_ID, chain) for chain in _chains(masked))


def holds_mobile_number(masked: str) -> bool:
    """Tells whether a text without its harmless numbers holds a mainland mobile number."""
    return any(_holds_joined(_MOBILE, chain) for chain in _chains(masked))


def _chains(plain: str) -> Iterator[_Chain]:
    for found in _CHAIN.finditer(plain):
        groups = _GROUP.findall(found[0])
        bounds = list(accumulate((len(group) for group, _ in groups), initial=0))
        yield _Chain("".join(group for group, _ in groups), bounds, [marks for _, marks in groups])


def _id_candidates(chain: _Chain) -> Iterator[str]:
    """Yields every row of whole groups of 18 characters, and both ends of longer groups, with the X that may follow."""
    characters, bounds = chain.characters, frozenset(chain.bounds)
    for start, end in pairwise(chain.bounds):
        if start + _ID_LENGTH in bounds:
            yield characters[start : start + _ID_LENGTH]
        if end - start > _ID_LENGTH:
            yield characters[start : start + _ID_LENGTH]
            yield characters[end - _ID_LENGTH : end]
        if end - start >= _ID_LENGTH and characters[end : end + 1] in {"X", "x"}:
            yield characters[end - _ID_LENGTH + 1 : end + 1]


def _holds_joined(number: re.Pattern[str], chain: _Chain) -> bool:
    places = {bound: place for place, bound in enumerate(chain.bounds)}
    found = ((first, number.match(chain.characters, start)) for start, first in places.items())
    return any(
        match is not None and match.end() in places and _is_joined(chain, first, places[match.end()])
        for first, match in found
    )


def _is_joined(chain: _Chain, first: int, last: int) -> bool:
    """Tells whether the groups from first to before last may be one number, by the marks between them."""
    lengths = tuple(end - start for start, end in pairwise(chain.bounds[first : last + 1]))
    if max(lengths) == 1 or lengths in _USUAL_GROUPS:
        return True
    return all(_JOINED.fullmatch(marks) is not None for marks in chain.marks[first : last - 1])
