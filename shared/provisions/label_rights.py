"""News labels (Art. 7): what a grant lets an account do, and for how long. Derived at every question, never stored.

What an account may do with current-political news follows from the basis of its grant, the class read out of its
licence number, the scope and the dates; there is no flag that anybody could set. The right opens and closes by itself
at its moment, and all rights of a provider end with the provider's own licence. Whether a grant may be stated at all
is judged in `shared.provisions.labels`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from shared.clock import from_micros, micros
from shared.errors import InvalidInput
from shared.provisions.licences import LicenceClass, parse_licence_number
from shared.provisions.policy import LABEL_FIRST_REMINDER, LABEL_SECOND_REMINDER, Policy, period_before
from shared.provisions.provider_standing import LicenceSpan
from shared.provisions.reasoning import Step
from shared.provisions.spans import FOREVER


class LabelAction(IntEnum):
    """What a label grant does, with the numbers of the wire."""

    UNSPECIFIED = 0
    ASK = 1
    GRANT = 2
    RENEW = 3
    NARROW = 4
    REVOKE = 5


class LabelBasis(IntEnum):
    """Why a label is granted (Art. 7(2)), with the numbers of the wire."""

    UNSPECIFIED = 0
    NEWS_UNIT = 1
    NEWS_WEBSITE = 2
    LICENSED_NON_NEWS_UNIT = 3
    SPECIAL_APPROVAL = 4


class LabelScope(IntEnum):
    """What a label lets an account do with current-political news, with the numbers of the wire."""

    UNSPECIFIED = 0
    PUBLISH_AND_REPRINT = 1
    REPRINT = 2


class LabelStanding(IntEnum):
    """What the public is told of an account's label (Art. 7(3)), with the numbers of the wire."""

    UNSPECIFIED = 0
    NONE = 1
    GENUINE = 2
    LAPSED = 3
    REVOKED = 4


@dataclass(slots=True)
class LabelRecord:
    """A statement on a grant as the rules see it: the fields of LabelGrant with the created_time of its entry.

    Times are microseconds since the epoch, UTC; an unset one is 0. action, basis and scope are the numbers of
    LabelAction, LabelBasis and LabelScope.
    """

    grant_id: str
    account_id: str
    revision: int
    action: int
    basis: int
    licence_number: str
    licence_start_time: int
    licence_end_time: int
    scope: int
    start_time: int
    end_time: int
    reason: str
    approval_entry_id: str
    created_time: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant as it stands after its newest statement: what rights are derived from.

    Attributes:
        end_time: exclusive, not after the end of the subject's licence.
        revoked_time: when the provider or a regulator revoked it; FOREVER where nobody did.
    """

    grant_id: str
    basis: int
    licence_number: str
    scope: int
    start_time: int
    end_time: int
    revoked_time: int = FOREVER


class Rights(NamedTuple):
    """What an account may do with current-political news at a moment.

    Attributes:
        until: the next moment, in microseconds, at which it changes by itself; FOREVER where it does not.
        chain: from the article to the grant and its licence.
    """

    may_publish: bool
    may_reprint: bool
    until: int
    chain: tuple[Step, ...]

    @property
    def scope(self) -> LabelScope:
        """The label that shows these rights; UNSPECIFIED for none."""
        if self.may_publish:
            return LabelScope.PUBLISH_AND_REPRINT
        return LabelScope.REPRINT if self.may_reprint else LabelScope.UNSPECIFIED


class Reminder(NamedTuple):
    """A reminder before the end of a label: the period of the policy, its days, and from when it is due, in microseconds."""

    period: str
    days: int
    due_time: int


ARTICLE: Final = "Art. 7(2)"
_SCOPES: Final = (LabelScope.PUBLISH_AND_REPRINT, LabelScope.REPRINT)
_NEWS_BASES: Final = (LabelBasis.NEWS_UNIT, LabelBasis.NEWS_WEBSITE)
_WIDEST: Final[dict[tuple[int, int], LabelScope]] = {
    **{(basis, LicenceClass.PUBLISH): LabelScope.PUBLISH_AND_REPRINT for basis in _NEWS_BASES},
    # A licence to publish may include reprinting, so that it serves a unit that only reprints as well.
    (LabelBasis.LICENSED_NON_NEWS_UNIT, LicenceClass.PUBLISH): LabelScope.REPRINT,
    (LabelBasis.LICENSED_NON_NEWS_UNIT, LicenceClass.REPRINT): LabelScope.REPRINT,
}


def widest_scope(basis: int, licence_number: str) -> LabelScope:
    """Returns the most that a basis and a licence allow (Art. 7(2)).

    Args:
        basis: the number of a LabelBasis.
        licence_number: the subject's; empty for a special approval.

    Returns:
        The widest scope; UNSPECIFIED where they allow nothing: a platform's licence, a number that does not hold, a
        licence to reprint in the hands of a news unit.
    """
    if basis == LabelBasis.SPECIAL_APPROVAL:
        return LabelScope.PUBLISH_AND_REPRINT if not licence_number else LabelScope.UNSPECIFIED
    try:
        number = parse_licence_number(licence_number)
    except InvalidInput:
        return LabelScope.UNSPECIFIED
    return _WIDEST.get((basis, number.licence_class), LabelScope.UNSPECIFIED)


def is_within(scope: int, widest: int) -> bool:
    """Tells whether a scope is a scope, and goes no further than another."""
    return scope in _SCOPES and widest in _SCOPES and scope >= widest


def rights_of(basis: int, licence_number: str, scope: int, start: int, end: int, at: int, grant_id: str = "") -> Rights:
    """Derives the rights of a grant at a moment (Art. 7(2)).

    Args:
        basis: the number of a LabelBasis.
        licence_number: the subject's, out of which its class and jurisdiction are read; empty for a special approval.
        scope: the number of a LabelScope.
        start: from when, in microseconds.
        end: until when, exclusive.
        at: the moment.
        grant_id: named in the chain.

    Returns:
        The rights: the scope where it lies within what basis and licence allow, else what they allow of it; nothing
        before start and from end on.
    """
    if not start <= at < end:
        lapsed = end <= max(at, start)
        finding = "LAPSED" if lapsed else "NOT_STARTED"
        until = FOREVER if lapsed else start
        return Rights(False, False, until, (Step(ARTICLE, "grant", grant_id, finding),))
    may_publish, may_reprint, finding, source = _derive(basis, licence_number, scope)
    return Rights(may_publish, may_reprint, end, (Step(ARTICLE, "grant", grant_id, finding), source))


def grant_rights(grant: Grant, at: int) -> Rights:
    """Derives the rights of a grant at a moment, its revocation included."""
    if at >= grant.revoked_time:
        return Rights(False, False, FOREVER, (Step(ARTICLE, "grant", grant.grant_id, "REVOKED"),))
    rights = rights_of(
        grant.basis, grant.licence_number, grant.scope, grant.start_time, grant.end_time, at, grant.grant_id
    )
    if rights.until <= grant.revoked_time:
        return rights
    # Revoked before it ends, or before it would have begun.
    return rights._replace(until=grant.revoked_time)


def label_standing(grants: Sequence[Grant], licence: LicenceSpan, at: int) -> LabelStanding:
    """Says what the public is told when it checks an account's label (Art. 7(3)).

    Args:
        grants: the account's, the newest last.
        licence: when the provider's own licence holds.
        at: the moment, in microseconds.

    Returns:
        GENUINE where a grant gives a right and the provider's licence holds; else what became of the newest grant that
        had begun; NONE where there was none.
    """
    found = LabelStanding.NONE
    for grant in grants:
        if grant_rights(grant, at).may_reprint:
            return LabelStanding.LAPSED if licence.finding_at(at) else LabelStanding.GENUINE
        if min(at, grant.revoked_time) >= grant.start_time:
            revoked = grant.revoked_time <= min(at, grant.end_time)
            found = LabelStanding.REVOKED if revoked else LabelStanding.LAPSED
    return found


def grant_after(record: LabelRecord, earlier: Grant | None) -> Grant | None:
    """Returns how a grant stands after a statement that `judge_label` let pass.

    Args:
        record: the statement.
        earlier: the grant before it; None before the first statement.

    Returns:
        The grant; None after a special approval was only asked for.
    """
    if record.action == LabelAction.ASK:
        return None
    if record.action == LabelAction.REVOKE:
        return None if earlier is None else revoked(earlier, record.created_time)
    return Grant(
        record.grant_id,
        record.basis,
        record.licence_number,
        record.scope,
        record.start_time,
        record.end_time,
        FOREVER if earlier is None else earlier.revoked_time,
    )


def revoked(grant: Grant, at: int) -> Grant:
    """Returns a grant that somebody revoked at a moment; one that was revoked before stays so."""
    return Grant(
        grant.grant_id,
        grant.basis,
        grant.licence_number,
        grant.scope,
        grant.start_time,
        grant.end_time,
        min(grant.revoked_time, at),
    )


def reminders_due(policy: Policy, end: int, now: int) -> tuple[Reminder, ...]:
    """Returns the reminders of a label's end that are due, the most pressing last.

    Args:
        policy: the policy in force.
        end: when the label ends, in microseconds.
        now: the moment.

    Returns:
        The reminders whose time has come; none once the label has ended.
    """
    if now >= end:
        return ()
    moment = from_micros(end)
    reminders = []
    for period in (LABEL_FIRST_REMINDER, LABEL_SECOND_REMINDER):
        due = period_before(policy, period, moment)
        reminders.append(Reminder(period, -((due - moment) // datetime.timedelta(days=1)), micros(due)))
    return tuple(reminder for reminder in reminders if reminder.due_time <= now)


@lru_cache(maxsize=4096)
def _derive(basis: int, licence_number: str, scope: int) -> tuple[bool, bool, str, Step]:
    # Kept, because the gate asks it at every post; it depends on nothing else.
    widest = widest_scope(basis, licence_number)
    may_publish = scope == LabelScope.PUBLISH_AND_REPRINT and widest == LabelScope.PUBLISH_AND_REPRINT
    may_reprint = may_publish or (scope in _SCOPES and widest in _SCOPES)
    finding = "MAY_PUBLISH_AND_REPRINT" if may_publish else "MAY_REPRINT" if may_reprint else "MAY_NOTHING"
    return may_publish, may_reprint, finding, _source(licence_number)


def _source(licence_number: str) -> Step:
    if not licence_number:
        return Step(ARTICLE, "approval", "", "SPECIAL_APPROVAL")
    try:
        number = parse_licence_number(licence_number)
    except InvalidInput:
        return Step(ARTICLE, "licence", licence_number, "LICENCE_NUMBER_WRONG")
    return Step(ARTICLE, "licence", licence_number, f"CLASS_{number.licence_class}_OF_{number.jurisdiction}")
