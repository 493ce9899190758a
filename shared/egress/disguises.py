"""What a text says once its disguises are off: every digit of every script as 0 to 9, and nothing invisible.

`folded` turns each character into one of a few: digits, Latin letters, the marks that group a number (space - . / _
and `SEAM`), `APART` for other punctuation and pictures, `OTHER` for everything else. It decomposes as NFKC does and
takes the marks off as well, so that an accent hides no letter. `readings` yields the text and what it says with
percent-encoding, character references and escapes undone.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

SEAM: Final = "\x1f"
"""Stands, without width, where one kind of digits meets another: 第一 in front of 138, or the frame of a keycap."""
APART: Final = ","
"""Any mark that does not usually group a number."""
OTHER: Final = "#"
"""Any letter that is not Latin, and what says nothing."""
JOIN: Final = rf"[- ./_{SEAM}]"
"""Any of the marks that group a number, as a regular expression."""
HAN_DIGITS: Final[dict[str, int]] = {
    character: value
    for value, characters in enumerate(
        (
            "〇零○◯洞",
            "一壹壱弌幺么",
            "二贰貳貮弐弍两兩",
            "三叁叄参參弎",
            "四肆",
            "五伍",
            "六陆陸",
            "七柒漆拐",
            "八捌",
            "九玖勾",
        )
    )
    for character in characters
}
"""Chinese digits: simple, formal, traditional, and as they are said over the telephone."""
MAX_ROUNDS: Final = 4
"""How many times a text may be encoded on top of an encoding."""

# Each kind of digit has its own ten private characters until the seams are known.
_OTHER_SCRIPT: Final = "\ue000\ue001\ue002\ue003\ue004\ue005\ue006\ue007\ue008\ue009"
_HAN: Final = "\ue010\ue011\ue012\ue013\ue014\ue015\ue016\ue017\ue018\ue019"
_ENCLOSED: Final = "\ue020\ue021\ue022\ue023\ue024\ue025\ue026\ue027\ue028\ue029"
_ANY_KIND: Final = _OTHER_SCRIPT + _HAN + _ENCLOSED
_UNKIND: Final = str.maketrans(_ANY_KIND, "0123456789" * 3)
_RUNS: Final = "|".join(f"[{digits}]++" for digits in ("0-9", _OTHER_SCRIPT, _HAN, _ENCLOSED))
_BEFORE_SEAM: Final = re.compile(f"({_RUNS})(?=[0-9{_ANY_KIND}])")
_HAS_KIND: Final = re.compile(f"[{_ANY_KIND}]")

# Zeros of the digits that Unicode added after 14.0, which is all that Python 3.11 knows.
_NEWER_ZEROS: Final = (
    (0x10D40, 0x116D0, 0x116DA, 0x11BF0, 0x11DE0, 0x11F50, 0x16130, 0x16D70, 0x1CCF0, 0x1E4F0, 0x1E5F1)
)  # fmt: skip
# First letters of alphabets that Unicode does not decompose: negative circled, negative squared, flags, outlined.
_FRAMED_ALPHABETS: Final = (0x1F150, 0x1F170, 0x1F1E6, 0x1CCD6)
_LOOKALIKES: Final = {
    "X": "ХΧ×✕✖✗✘╳⨯⨉☓❌Ⅹメ乂叉十Ⲭ𐌢",
    "x": "хχⅹ",
    "C": "СϹᴄ",
    "D": "ᴅ",
    "E": "ЕΕᴇ",
    "G": "Ԍɢ",
    "H": "НΗʜ",
    "M": "МΜᴍ",
    "I": "ІΙ",
    "O": "ОΟ",
    "P": "РΡᴘ",
    "S": "Ѕꜱ",
    "c": "сϲ",
    "e": "е",
    "o": "оο",
    "p": "р",
    "s": "ѕ",
    "-": "~\u00af\u02c9\u02d7\u203e\u2043\u2212\u2500\u2501\u2504\u2505\u2508\u2509\u254c\u254d\u2574\u2576\u30fc➖",
    ".": ".·•‧∙⋅・。․",
    "/": "/\\⁄∕⧵⧸",
    " ": "\u2800",
    "'": "'‘’ʼ`´",
    "": "\u115f\u1160\u3164\uffa0\ufffc",
    SEAM: "\u20e3",
}
_EXPLICIT: Final[dict[int, str]] = (
    {ord(character): meant for meant, characters in _LOOKALIKES.items() for character in characters}
    | {ord(character): _HAN[value] for character, value in HAN_DIGITS.items()}
    | {zero + value: _OTHER_SCRIPT[value] for zero in _NEWER_ZEROS for value in range(10)}
    | {first + place: chr(ord("A") + place) for first in _FRAMED_ALPHABETS for place in range(26)}
    | {0x1F51F: _ENCLOSED[1] + _ENCLOSED[0]}  # keycap ten
)
# O for 0 and I or l for 1 count only in a word that is otherwise digits, seven at least.
_WITH_LETTERS: Final = re.compile(
    "(?<![0-9A-Za-z])(?=[0-9]*[OoIl])(?=(?:[OoIl]*[0-9]){7})[0-9OoIl]{11,17}[0-9OoIlXx]?(?![0-9A-Za-z])"
)
_LETTERS: Final = str.maketrans("OoIl", "0011")
_ESCAPE: Final = re.compile(r"[\\%]u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\U(000[0-9A-Fa-f]{5}|0010[0-9A-Fa-f]{4})")


class EncodedTooOften(ValueError):  # noqa: N818 - named for what was done to the text
    """After MAX_ROUNDS there is still something to decode."""


class _Fold(dict[int, str]):
    """A table for str.translate that works a character out when it first meets it."""

    def __missing__(self, code_point: int) -> str:
        meant = _meaning(chr(code_point))
        if code_point < 0x10000:  # keeps the table below 65,536 rows whatever is sent
            self[code_point] = meant
        return meant


def folded(text: str) -> str:
    """Returns a text in few characters: digits, Latin letters in their case, grouping marks, SEAM, APART and OTHER."""
    plain = text.translate(_FOLD)
    if _HAS_KIND.search(plain) is not None:
        plain = _BEFORE_SEAM.sub(rf"\1{SEAM}", plain).translate(_UNKIND)
    return _WITH_LETTERS.sub(lambda found: found[0].translate(_LETTERS), plain)


def readings(text: str) -> Iterator[str]:
    """Yields a text and what it says decoded, round after round.

    Args:
        text: as it was sent; it may mix percent-encoding (UTF-8 or GB 18030), character references and escapes.

    Yields:
        The text, then each decoding that differs from the one before.

    Raises:
        EncodedTooOften: after MAX_ROUNDS there is still something to decode.
    """
    yield text
    for _ in range(MAX_ROUNDS):
        decoded = _decoded(text, "utf-8")
        if decoded == text:
            return
        if "\ufffd" in decoded:
            yield _decoded(text, "gb18030")
        yield decoded
        text = decoded
    if _decoded(text, "utf-8") != text:
        raise EncodedTooOften


def _decoded(text: str, encoding: str) -> str:
    if "\\" in text or "%u" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), text)
        # Escapes of UTF-16 come in pairs.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return html.unescape(unquote(text, encoding))


def _meaning(character: str) -> str:
    code_point = ord(character)
    if code_point in _EXPLICIT:
        return _EXPLICIT[code_point]
    if character.isascii() and character.isalnum():
        return character
    category = unicodedata.category(character)
    value = unicodedata.numeric(character, -1.0)
    if 0 <= value < 100 and value.is_integer():
        kind = _OTHER_SCRIPT if category == "Nd" else _ENCLOSED
        return "".join(kind[int(digit)] for digit in str(int(value)))
    decomposed = unicodedata.normalize("NFKD", character)
    if decomposed != character:
        return "".join(_meaning(part) for part in decomposed)
    return _meaning_of_category(character, category)


def _meaning_of_category(character: str, category: str) -> str:
    if character.isspace():
        return " "
    # Tags and other selectors that no version has assigned are as invisible as those it has.
    if category in {"Cc", "Cf", "Mn", "Me", "Mc"} or 0xE0000 <= ord(character) <= 0xE0FFF:
        return ""
    if category == "Pd":
        return "-"
    if category == "Pc":
        return "_"
    return APART if category[0] in "PS" or category == "Cn" else OTHER


_FOLD: Final = _Fold()
