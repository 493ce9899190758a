"""Numbers that are known to be something else than a person's, although they look like one.

They are taken out of a folded text before mobile numbers, old identity numbers and passports are looked for: credit
codes with a valid check character, UUIDs, digests, IPv4 addresses, 400 and 800 hotlines, dates, spans of years, and
rows of prices. Identity numbers with a check character are looked for in the whole text.
"""

from __future__ import annotations

import re
from typing import Final

from shared.egress.disguises import OTHER, SEAM
from shared.provisions.credit_codes import kinds_of_uscc

_YEAR: Final = "(?:18|19|20)[0-9]{2}"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PRICE: Final = r"(?:0|[1-9][0-9]{0,5})\.[0-9]{2}"
_HEX_START: Final = r"(?<![0-9A-Za-z])(?=(?:[-0-9]*[A-Fa-f]){3})"  # three letters at least tell it from digits
_KNOWN: Final = (
    # A UUID of RFC 9562.
    rf"{_HEX_START}(?i:[0-9a-f]{{8}}-[0-9a-f]{{4}}-[1-8][0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}})(?![0-9A-Za-z])",
    # A digest of 128, 160, 224, 256, 384 or 512 bits, by its digits.
    *(rf"{_HEX_START}(?i:[0-9a-f]){{{digits}}}(?![0-9A-Za-z])" for digits in (32, 40, 56, 64, 96, 128)),
    # An IPv4 address, without leading zeros.
    rf"(?<![A-Za-z])(?<![0-9][-./_]){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?[0-9])",
    # A date with both zeros.
    rf"{_YEAR}([-./])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])(?![0-9])",
    # A date without them, and a span of years, unless the same mark joins them to more digits.
    *(
        rf"(?<![0-9]{mark}){_YEAR}{mark}(?:[1-9]|1[0-2]){mark}(?:[1-9]|[12][0-9]|3[01])(?!{mark}?[0-9])"
        for mark in ("-", r"\.", "/")
    ),
    rf"(?<![0-9]-){_YEAR}-{_YEAR}(?!-?[0-9])",
    # Two prices or more.
    rf"(?<![0-9][-./_]){_PRICE}(?:[- /]{{1,3}}{_PRICE})+(?!\.?[0-9])",
)
# A hotline: 400 or 800 and seven digits. It alone may follow a seam: 统一400. Behind an H or an M it may be a permit.
_HOTLINE: Final = (
    r"(?<![0-9HMhm][- ./_])(?<![HMhm])[48]00[- ]?(?:[0-9]{3}[- ]?[0-9]{4}|[0-9]{4}[- ]?[0-9]{3})(?![- ./_]?[0-9])"
)
_HARMLESS: Final = re.compile(rf"(?<![0-9])(?=[0-9A-Fa-f])(?:(?<!{SEAM})(?:{'|'.join(_KNOWN)})|{_HOTLINE})(?!{SEAM})")
_CREDIT_CODE: Final = re.compile("(?<![0-9])(?=([1-9ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10})(?![0-9]))")


def without_harmless(plain: str) -> str:
    """Returns a folded text with OTHER in place of numbers that are known to be something else."""
    for found in list(_CREDIT_CODE.finditer(plain)):
        # Past the cache: what is tried here may be anybody's number, and a cache would keep it.
        if kinds_of_uscc.__wrapped__(found[1]):
            plain = plain[: found.start()] + OTHER * len(found[1]) + plain[found.start() + len(found[1]) :]
    return _HARMLESS.sub(OTHER, plain)
