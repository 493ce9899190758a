"""A grant as the register shows it: what was stated of it last, or at one revision, and where it stands at a moment.

The state is derived at every question from what was stated, what was decided and the time; there is one expression for
it, which the database evaluates, so that a filter by state and what is shown can never differ.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Any, Final, NamedTuple

from shared.identifiers import id_text
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction
from shared.provisions.spans import FOREVER


class LabelState(IntEnum):
    """Where a grant stands, with the numbers of the wire."""

    UNSPECIFIED = 0
    ASKED = 1
    GRANTED = 2
    OBJECTED = 3
    LAPSED = 4
    REVOKED = 5
    REFUSED = 6
    APPROVED = 7


class RegisteredLabel(NamedTuple):
    """A grant, or one revision of it. Times are microseconds since 1970 UTC.

    Attributes:
        log_index: of the statement in the log of its jurisdiction.
        reason: of the decision on it, or of its revocation.
        etag: changes with every change of the grant; empty for an earlier revision.
    """

    jurisdiction: str
    log_index: int
    provider: str
    account_id: str
    grant_id: str
    revision: int
    action: int
    basis: int
    licence_number: str
    scope: int
    start_time: int
    end_time: int
    filed_time: int
    reason: str
    note: str
    display_name: str
    state: int
    etag: str


STATE: Final = (
    f"CASE WHEN g.outcome = {int(LabelOutcome.REFUSED)} THEN {int(LabelState.REFUSED)}"
    f" WHEN g.revoked_time <> {FOREVER} AND g.revoked_time <= g.end_time THEN {int(LabelState.REVOKED)}"
    f" WHEN g.end_time <= ? THEN {int(LabelState.LAPSED)}"
    f" WHEN g.granted = 0 AND g.outcome = {int(LabelOutcome.APPROVED)} THEN {int(LabelState.APPROVED)}"
    f" WHEN g.granted = 0 THEN {int(LabelState.ASKED)}"
    f" WHEN g.outcome = {int(LabelOutcome.OBJECTED)} THEN {int(LabelState.OBJECTED)}"
    f" ELSE {int(LabelState.GRANTED)} END"
)
"""Where a row g of label_grant stands; its one parameter is the moment, in microseconds."""

COLUMNS: Final = (
    "g.jurisdiction, g.log_index, g.provider, g.account_id, g.grant_id, g.revision, g.action, g.basis,"
    " g.licence_number, g.scope, g.start_time, g.end_time, g.filed_time, g.reason, g.note, g.outcome, g.decided_time,"
    " g.revoked_time"
)
"""What `label_of_row` reads of a grant, before the public name of its account and its state."""

_OUTCOME_STATES: Final[dict[int, LabelState]] = {
    LabelOutcome.APPROVED: LabelState.APPROVED,
    LabelOutcome.REFUSED: LabelState.REFUSED,
    LabelOutcome.OBJECTED: LabelState.OBJECTED,
    LabelOutcome.REVOKED: LabelState.REVOKED,
}


def label_of_row(row: tuple[Any, ...]) -> RegisteredLabel:
    """Makes a grant of COLUMNS, the public name of its account and its state."""
    jurisdiction, index, provider, account, grant, revision, *terms = row
    *stated, outcome, decided_time, revoked_time, display_name, state = terms
    etag = etag_of(revision, outcome, decided_time, revoked_time)
    place = (jurisdiction, index, provider, id_text(bytes(account)), id_text(bytes(grant)), revision)
    return RegisteredLabel._make((*place, *stated, display_name or "", state, etag))


def state_at_revision(action: int, outcome: int) -> LabelState:
    """Returns where a grant stood after an earlier revision and the decision on it; outcome is 0 for none."""
    if action == LabelAction.REVOKE:
        return LabelState.REVOKED
    asked = action == LabelAction.ASK
    if outcome == LabelOutcome.APPROVED and not asked:
        return LabelState.GRANTED
    return _OUTCOME_STATES.get(outcome, LabelState.ASKED if asked else LabelState.GRANTED)


def etag_of(revision: int, outcome: int, decided_time: int, revoked_time: int) -> str:
    """Returns the etag of a grant (RFC 9110, strong): 16 hexadecimal digits."""
    return hashlib.sha256(f"{revision}/{outcome}/{decided_time}/{revoked_time}".encode()).hexdigest()[:16]
