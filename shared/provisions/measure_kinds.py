"""The measures of Art. 8(1) by gravity, and the words that records of them use, with the numbers of the wire."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class MeasureKind(IntEnum):
    """What a measure is; a higher number is graver."""

    UNSPECIFIED = 0
    WARN = 1
    RESTRICT_PUBLISHING = 2
    SUSPEND_UPDATES = 3
    CLOSE = 4


class Gravity(IntEnum):
    """How grave the act was: how far a measure may go beyond the next step of the ladder."""

    UNSPECIFIED = 0
    ORDINARY = 1
    SERIOUS = 2
    GRAVE = 3


class MeasureAction(IntEnum):
    """What a record of a measure states."""

    UNSPECIFIED = 0
    APPLY = 1
    LIFT = 2
    EXPIRE = 3
    OVERTURN = 4


LADDER: Final = (
    MeasureKind.WARN,
    MeasureKind.RESTRICT_PUBLISHING,
    MeasureKind.SUSPEND_UPDATES,
    MeasureKind.CLOSE,
)
"""The kinds in the order of Art. 8(1), lightest first. How long each may last is policy."""
