"""The guard itself: reads one text and says which kinds of identity data it holds, never which.

It fails closed: a text that it cannot read, and a failure of its own, are findings like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.egress.disguises import HAN_DIGITS, MAX_ROUNDS, EncodedTooOften, folded, readings
from shared.egress.harmless import without_harmless
from shared.egress.numbers import holds_identity_number, holds_mobile_number, holds_old_identity_number
from shared.egress.passports import holds_passport

FEWEST_DIGITS: Final = 7
"""No number that the guard knows has fewer digits."""
MAX_CHARACTERS: Final = 16384
"""The longest text that is read; a longer one is refused."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of identity data in a text: the rule it breaks and how to mend it. It never holds the value."""

    rule: str
    mend: str


_MENDS: Final = {
    "IDENTITY_NUMBER": "take the identity number out; identity data stays with the provider",
    "MOBILE_NUMBER": "take the mobile number, or the digits that read like one, out; a landline or a hotline may stay",
    "PASSPORT_NUMBER": "take the number of the passport or travel permit out; identity data stays with the provider",
    "UNREADABLE_TEXT": f"give at most {MAX_CHARACTERS} characters of Unicode, encoded at most {MAX_ROUNDS} times over",
    "GUARD_FAILED": "give plain text; the guard could not read this and lets nothing pass that it has not read",
}
_FINDINGS: Final = {rule: Finding(rule, mend) for rule, mend in _MENDS.items()}

# What is known to hide no digit is passed over quickly; any other character is looked at closely.
_DIGITS: Final = "0-9" + "".join(HAN_DIGITS)
_IDEOGRAPHS: Final = "".join(each for each in map(chr, range(ord("丁"), 0xA000)) if not folded(each).isdigit())
_PLAIN: Final = rf"[\t\n\r -$'-/:-\[\]-~À-ÖØ-öø-ÿ、。《》「」『』【】（）“”‘’！？：；，·—…ぁ-ゖァ-ヺ{_IDEOGRAPHS}]"
_CLEAN: Final = re.compile(rf"(?:{_PLAIN}*+[{_DIGITS}]){{0,{FEWEST_DIGITS - 1}}}+{_PLAIN}*+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def findings(text: str) -> list[Finding]:
    """Returns the kinds of identity data in a text, in any disguise that `shared.egress` lists.

    Args:
        text: any text, however short or odd.

    Returns:
        One finding for each kind, empty where the text is clean. IDENTITY_NUMBER, MOBILE_NUMBER and PASSPORT_NUMBER
        name what was found; UNREADABLE_TEXT says that the text is too long, not Unicode or encoded over and over;
        GUARD_FAILED that reading it failed. It never raises.
    """
    try:
        if len(text) > MAX_CHARACTERS:
            return [_FINDINGS["UNREADABLE_TEXT"]]
        if _CLEAN.fullmatch(text) is not None:
            return []
        broken = _rules_broken(text)
        return [finding for rule, finding in _FINDINGS.items() if rule in broken]
    except Exception:  # noqa: BLE001 - fails closed, and tells nothing of an error that may quote the text
        return [_FINDINGS["GUARD_FAILED"]]


def _rules_broken(text: str) -> set[str]:
    broken = {"UNREADABLE_TEXT"} if _SURROGATE.search(text) is not None else set()
    try:
        for reading in readings(text):
            broken |= _rules_broken_by(folded(reading))
    except EncodedTooOften:
        broken.add("UNREADABLE_TEXT")
    return broken


def _rules_broken_by(plain: str) -> set[str]:
    if sum(map(plain.count, "0123456789")) < FEWEST_DIGITS:
        return set()
    masked = without_harmless(plain)
    broken = {
        "IDENTITY_NUMBER": holds_identity_number(plain) or holds_old_identity_number(masked),
        "MOBILE_NUMBER": holds_mobile_number(masked),
        "PASSPORT_NUMBER": holds_passport(masked),
    }
    return {rule for rule, is_broken in broken.items() if is_broken}
