"""Numbers of passports and of the permits to travel between the mainland, Hong Kong and Macao.

Such a number is its letter or letters and exactly its count of digits, which spaces, hyphens, dots, slashes,
underscores or seams may part. A capital may be glued to what stands before it. A small letter must stand alone,
because slugs and hexadecimal are written small, and a letter that stands apart from its digits must be no end of a
word.
"""

from __future__ import annotations

import re
from typing import Final

from shared.egress.disguises import JOIN


def _digits(count: int) -> str:
    return rf"[0-9](?:{JOIN}{{0,3}}[0-9]){{{count - 1}}}(?![0-9])"


# Ordinary passports E, G, E with a letter; diplomatic, service and public affairs D, S, P, with or without E; permits
# to Hong Kong and Macao C; permits of their residents H, M. Never I or O as the second letter, and CN begins patents.
_SERIES: Final = (
    ("[CDEGHMPS]", 8),
    ("[DPS]", 7),
    ("(?:E[A-HJ-NP-Za-hj-np-z]|[DPS]E|C[A-HJ-MP-Z])", 7),
    ("[HM]", 10),
)
_PASSPORT_START: Final = re.compile(rf"[CDEGHMPScdeghmps](?=(?:{JOIN}{{0,3}}[A-Za-z])?{JOIN}{{0,3}}[0-9])")
# Two letters that stand apart from one another as well, as in a number that is spelt out.
_SPELT: Final = (
    re.compile(
        rf"(?<![A-Za-z])(?<![A-Za-z]\.)(?:E{JOIN}{{1,3}}[A-HJ-NP-Z]|[DPS]{JOIN}{{1,3}}E|C{JOIN}{{1,3}}[A-HJ-MP-Z])"
        rf"{JOIN}{{0,3}}{_digits(7)}"
    ),
)
_PASSPORTS: Final = _SPELT + tuple(
    re.compile(pattern)
    for letters, count in _SERIES
    for pattern in (
        # A capital at its digits, whatever stands before; apart from them only where the letters stand alone.
        rf"{letters}{_digits(count)}",
        rf"(?<![A-Za-z])(?<![A-Za-z]\.){letters}{JOIN}{{1,3}}{_digits(count)}",
        # Small letters: alone, or after the word; not apart by / or _ as in paths, not after 's or e. as in e.g.
        rf"(?i:(?<![0-9a-z])|(?<=passport)|(?<=huzhao)){letters.lower()}{_digits(count)}(?![A-Za-z])",
        rf"(?<![0-9A-Za-z'])(?<![A-Za-z]\.){letters.lower()}[- .]{{1,3}}{_digits(count)}(?![A-Za-z])",
    )
)


def holds_passport(masked: str) -> bool:
    """Tells whether a text without its harmless numbers holds the number of a passport or a travel permit."""
    starts = (found.start() for found in _PASSPORT_START.finditer(masked))
    return any(passport.match(masked, start) for start in starts for passport in _PASSPORTS)
