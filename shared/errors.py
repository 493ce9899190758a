"""The catalogue of errors: what domain code raises, and what it becomes on a wire.

An error has a stable reason in capitals for programs and a plain sentence for people that says how to mend it; field
violations say it field by field. None of them ever holds an identity value. `shared.status` says which status each kind
becomes, `shared.server` sends it, and `shared.channel` turns it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with one field: its path, the rule it breaks, and how to mend it."""

    field: str
    rule: str
    mend: str


class FilingnetError(Exception):
    """The base of all errors that a caller can act on.

    Args:
        message: one plain sentence that says the mend; never an identity value.
        reason: stable, in capitals, e.g. "LICENCE_LAPSED".
        violations: what is wrong, field by field.
    """

    def __init__(self, message: str, reason: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)


class InvalidInput(FilingnetError):  # noqa: N818 - named for what the caller gave
    """What was given breaks a rule whatever the state is."""


class Unauthenticated(FilingnetError):  # noqa: N818
    """Who calls is not known: no certificate or token, or one that ended."""


class PermissionDenied(FilingnetError):  # noqa: N818
    """Who calls is known and may not do this."""


class NotFound(FilingnetError):  # noqa: N818
    """What was asked for is not here."""


class AlreadyExists(FilingnetError):  # noqa: N818
    """What should be made is there already."""


class Conflict(FilingnetError):  # noqa: N818
    """Somebody else changed it first: read it again."""


class FailedPrecondition(FilingnetError):  # noqa: N818
    """The state does not allow it; it must be mended before another try."""


class Exhausted(FilingnetError):  # noqa: N818
    """A limit is reached: a disk, a rate, a size."""


class Unavailable(FilingnetError):  # noqa: N818
    """It cannot be done now and may pass by itself."""


class Internal(FilingnetError):  # noqa: N818
    """The node is broken: a bug or damaged data."""
