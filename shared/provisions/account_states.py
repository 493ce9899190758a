"""How an account stands at its provider: what the review came to, and where a filing is. Numbers are the contract's."""

from __future__ import annotations

from enum import IntEnum


class FilingState(IntEnum):
    """Where a filing is on its way."""

    UNSPECIFIED = 0
    """None, or all."""
    QUEUED = 1
    """In the outbox."""
    RECEIVED = 2
    """In the regulator's log; its receipt is at hand and checked."""
    FINAL = 3
    """In the log, and cosigned by another jurisdiction."""
    ACCEPTED = 4
    """Accepted by an officer."""
    RETURNED = 5
    """Returned by an officer for correction."""
    REJECTED = 6
    """Refused on arrival; parked with the later ones of the account."""
    CONFLICT = 7
    """The regulator holds other bytes under the same entry id."""
    PARKED = 8
    """Waits behind a refused filing of the same account."""
    SUPERSEDED = 9
    """Replaced before it was accepted into the log."""


class ReviewOutcome(IntEnum):
    """What the provider's review came to."""

    UNSPECIFIED = 0
    """Not reviewed yet."""
    PASSED = 1
    """Passed."""
    FAILED = 2
    """Failed; a reason is given."""
