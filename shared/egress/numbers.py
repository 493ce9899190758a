"""Which numbers of people a folded text holds, and which numbers only look like them.

Digits in one unbroken run form a group; groups with at most five marks between them form a chain. A number is looked
for where groups begin and end, never in the middle of one, because digits glued to other digits are an order number far
more often than a person's:

- An identity number (18 characters) is whole groups, or either end of one longer group. Its region, date and check
  character are proof enough for any marks between its digits, and for other digits glued to one end of it.
- A mobile number and an identity number of the old form (15 digits, no check character) are whole groups, joined by
  spaces, hyphens, dots, slashes, underscores or seams. Other marks join only single digits (1,3,8,…) and the ways in
  which a mobile number is usually written (3-4-4 and 3-8, with or without 86 in front).
- A passport or travel permit is its letter or letters and exactly its count of digits. A capital may be glued to
  what stands before it; a small letter must stand alone, because slugs and hexadecimal are written small.

Letters and words of any language may be glued to either side. What is known to be something else is taken out before
mobile numbers, old identity numbers and passports are looked for: credit codes with a valid check character, UUIDs,
digests, IPv4 addresses, 400 and 800 hotlines, dates, spans of years, and rows of prices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final

from shared.egress.disguises import APART, OTHER, SEAM
from shared.provisions.credit_codes import kinds_of_uscc
from shared.provisions.identity_numbers import is_id_number
from shared.provisions.regions import NATION, PROVINCES

FEWEST_DIGITS: Final = 7
"""No number that the guard knows has fewer digits."""

_JOIN: Final = rf"[- ./_{SEAM}]"
_MARK: Final = rf"[- ./_{SEAM}{APART}']"
_GAP: Final = 5  # most marks between two groups of one number

_CHAIN: Final = re.compile(rf"[0-9](?:{_MARK}{{0,{_GAP}}}+[0-9Xx])++")
_GROUP: Final = re.compile(rf"([0-9]+|[Xx])({_MARK}*)")
_JOINED: Final = re.compile(rf"{_JOIN}*")
_MOBILE: Final = re.compile(r"(?:(?:00)?86)?0?1[3-9][0-9]{9}")
_USUAL_GROUPS: Final = frozenset({(3, 4, 4), (3, 8), (5, 4, 4), (5, 8)})
_ID_CHAIN: Final = re.compile(rf"[0-9](?:{_MARK}{{0,{_GAP}}}+[0-9Xx])++")
_ID_GROUP: Final = re.compile("[0-9]+|[Xx]")
_DATE: Final = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_ID_SHAPE: Final = re.compile(rf"[1-9][0-9]{{5}}(?:18|19|20)[0-9]{{2}}{_DATE}[0-9]{{3}}[0-9Xx]")
# Cards of the old form were never issued to residents of Hong Kong, Macao and Taiwan.
_OLD_REGIONS: Final = "|".join(code[:2] for code in PROVINCES if code != NATION and code[0] in "123456")
_OLD_ID: Final = re.compile(rf"(?:{_OLD_REGIONS})(?!0000)[0-9]{{6}}{_DATE}[0-9]{{3}}")


def _digits(count: int) -> str:
    return rf"[0-9](?:{_JOIN}{{0,3}}[0-9]){{{count - 1}}}(?![0-9])"


# Ordinary passports E, G, E with a letter; diplomatic, service and public affairs D, S, P, with or without E; permits
# to Hong Kong and Macao C; permits of their residents H, M. Never I or O as the second letter, and CN begins patents.
_SERIES: Final = (
    ("[CDEGHMPS]", 8),
    ("[DPS]", 7),
    ("(?:E[A-HJ-NP-Za-hj-np-z]|[DPS]E|C[A-HJ-MP-Z])", 7),
    ("[HM]", 10),
)
_PASSPORT_START: Final = re.compile(rf"[CDEGHMPScdeghmps](?=[A-Za-z]?{_JOIN}{{0,3}}[0-9])")
_PASSPORTS: Final = tuple(
    re.compile(pattern)
    for letters, count in _SERIES
    for pattern in (
        # A capital at its digits, whatever stands before; apart from them only where the letters stand alone.
        rf"{letters}{_digits(count)}",
        rf"(?<![A-Za-z])(?<![A-Za-z]\.){letters}{_JOIN}{{1,3}}{_digits(count)}",
        # Small letters: alone, or after the word; not apart by / or _ as in paths, not after 's or e. as in e.g.
        rf"(?i:(?<![0-9a-z])|(?<=passport)|(?<=huzhao)){letters.lower()}{_digits(count)}(?![A-Za-z])",
        rf"(?<![0-9A-Za-z'])(?<![A-Za-z]\.){letters.lower()}[- .]{{1,3}}{_digits(count)}(?![A-Za-z])",
    )
)

_YEAR: Final = "(?:18|19|20)[0-9]{2}"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PRICE: Final = r"(?:0|[1-9][0-9]{0,5})\.[0-9]{2}"
_HEX_START: Final = r"(?<![0-9A-Za-z])(?=(?:[-0-9]*[A-Fa-f]){3})"  # three letters at least tell it from digits
_KNOWN: Final = (
    # A UUID of RFC 9562.
    rf"{_HEX_START}(?i:[0-9a-f]{{8}}-[0-9a-f]{{4}}-[1-8][0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}})(?![0-9A-Za-z])",
    # A digest, by its bits.
    *(rf"{_HEX_START}(?i:[0-9a-f]){{{bits // 4}}}(?![0-9A-Za-z])" for bits in (128, 160, 224, 256, 384, 512)),
    # An IPv4 address, without leading zeros.
    rf"(?<![0-9]\.){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?[0-9])",
    # A hotline: 400 or 800 and seven digits.
    r"(?<![0-9][- ./_])[48]00[- ]?(?:[0-9]{3}[- ]?[0-9]{4}|[0-9]{4}[- ]?[0-9]{3})(?![- ./_]?[0-9])",
    # A date with both zeros.
    rf"{_YEAR}([-./])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])(?![0-9])",
    # A date without them, and a span of years, unless the same mark joins them to more digits.
    *(
        rf"(?<![0-9]{mark}){_YEAR}{mark}(?:[1-9]|1[0-2]){mark}(?:[1-9]|[12][0-9]|3[01])(?!{mark}?[0-9])"
        for mark in ("-", r"\.", "/")
    ),
    rf"(?<![0-9]-){_YEAR}-{_YEAR}(?!-?[0-9])",
    # Two prices or more.
    rf"(?<![0-9]\.){_PRICE}(?:[- /]{{1,3}}{_PRICE})+(?!\.?[0-9])",
)
_HARMLESS: Final = re.compile(f"(?<![0-9])(?=[0-9A-Fa-f])(?:{'|'.join(_KNOWN)})")
_CREDIT_CODE: Final = re.compile("(?<![0-9])(?=([1-9ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10})(?![0-9]))")


def holds_identity_number(plain: str) -> bool:
    """Tells whether a folded text holds an identity number of 18 characters (GB 11643)."""
    return any(_holds_id(chain[0]) for chain in _ID_CHAIN.finditer(plain))


def without_harmless(plain: str) -> str:
    """Returns a folded text with OTHER in place of numbers that are known to be something else."""
    for found in list(_CREDIT_CODE.finditer(plain)):
        # Past the cache: what is tried here may be anybody's number, and a cache would keep it.
        if kinds_of_uscc.__wrapped__(found[1]):
            plain = plain[: found.start()] + OTHER * len(found[1]) + plain[found.start() + len(found[1]) :]
    return _HARMLESS.sub(OTHER, plain)


def holds_number(masked: str) -> tuple[bool, bool]:
    """Tells of a text without its harmless numbers whether it holds an old identity number, and a mobile number."""
    old_id = mobile = False
    for chain in _CHAIN.finditer(masked):
        for digits in _joined_groups(chain[0]):
            old_id = old_id or _OLD_ID.fullmatch(digits) is not None
            mobile = mobile or _MOBILE.fullmatch(digits) is not None
    return old_id, mobile


def holds_passport(masked: str) -> bool:
    """Tells whether a text without its harmless numbers holds the number of a passport or a travel permit."""
    starts = (found.start() for found in _PASSPORT_START.finditer(masked))
    return any(passport.match(masked, start) for start in starts for passport in _PASSPORTS)


def _holds_id(chain: str) -> bool:
    groups = _ID_GROUP.findall(chain)
    return any(
        _ID_SHAPE.fullmatch(candidate) is not None and is_id_number(candidate) for candidate in _id_candidates(groups)
    )


def _id_candidates(groups: list[str]) -> Iterator[str]:
    """Yields every row of whole groups of 18 characters, and both ends of longer groups, with the X that may follow."""
    joined = "".join(groups)
    starts = list(accumulate(map(len, groups), initial=0))
    bounds = frozenset(starts)
    for start, end in pairwise(starts):
        if start + _ID_LENGTH in bounds or start + _ID_LENGTH <= end:
            yield joined[start : start + _ID_LENGTH]
        if end - start > _ID_LENGTH:
            yield joined[end - _ID_LENGTH : end]
        if end - start >= _ID_LENGTH and joined[end : end + 1] in {"X", "x"}:
            yield joined[end - _ID_LENGTH + 1 : end + 1]


def _joined_groups(chain: str) -> Iterator[str]:
    """Yields the digits of every row of whole groups in a chain that may be one number."""
    groups = _GROUP.findall(chain)
    for first in range(len(groups)):
        digits, lengths, joined = "", [], True
        for group, marks in groups[first:]:
            digits += group
            if len(digits) > _LONGEST:
                break
            lengths.append(len(group))
            if len(digits) >= 11 and (joined or max(lengths) == 1 or tuple(lengths) in _USUAL_GROUPS):
                yield digits
            joined = joined and _JOINED.fullmatch(marks) is not None
