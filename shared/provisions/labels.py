"""Whether a statement on a label may enter the register (Art. 7(2) and 7(3)): one pure judgement for both ends of the
wire.

A grant follows what was stated of it before, never gives more than its basis and its licence allow, never outlives the
licence, and is the only one of its account that holds. A revocation is taken from whoever may report at all: nothing
may stand in the way of closing a right.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.clock import from_micros, micros
from shared.errors import InvalidInput, Violation
from shared.provisions.label_rights import (
    Grant,
    LabelAction,
    LabelBasis,
    LabelRecord,
    LabelScope,
    LabelStanding,
    Reminder,
    Rights,
    grant_after,
    grant_rights,
    is_within,
    label_standing,
    reminders_due,
    revoked,
    rights_of,
    widest_scope,
)
from shared.provisions.licences import LicenceClass, LicenceNumber, parse_licence_number
from shared.provisions.policy import CHINA_STANDARD_TIME, SPECIAL_APPROVAL_LONGEST, Policy, period_end_micros
from shared.provisions.provider_standing import (
    ProviderStanding,
    judge_filing_provider,
    judge_licence_class,
    judge_reporting_provider,
)
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.spans import overlap
from shared.provisions.statements import judge_created_time, judge_revision, policy_of_entry
from shared.provisions.subjects import SubjectKind

__all__ = [
    "Approval",
    "Grant",
    "LabelAction",
    "LabelBasis",
    "LabelContext",
    "LabelRecord",
    "LabelScope",
    "LabelStanding",
    "LabelledAccount",
    "Reminder",
    "Rights",
    "grant_after",
    "grant_rights",
    "is_within",
    "judge_label",
    "label_standing",
    "reminders_due",
    "revoked",
    "rights_of",
    "widest_scope",
]


@dataclass(frozen=True, slots=True)
class LabelledAccount:
    """The account of a grant.

    Attributes:
        filed: whether a filing of it stands in the register, or at the provider is on its way there.
        withdrawn: whether it was withdrawn.
        closed: whether a measure closes it.
        subject_kind: the number of the SubjectKind filed.
    """

    filed: bool
    withdrawn: bool = False
    closed: bool = False
    subject_kind: int = SubjectKind.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Approval:
    """A regulator's special approval: the entry that gave it, the grant, the scope, and until when, exclusive."""

    entry_id: str
    grant_id: str
    scope: int
    end_time: int


@dataclass(frozen=True, slots=True)
class LabelContext:
    """What a statement on a label is judged against.

    Attributes:
        standing: the provider.
        policies: in the order of their versions.
        now: the time of judging, aware.
        account: the account of the grant.
        previous: the last statement on the grant that entered the log; None before the first.
        ended: whether a regulator revoked the grant or refused what was asked for.
        objected: whether a regulator's objection to the last statement stands.
        approval: the approval that the statement names; None where there is no such decision.
        others: the account's other grants.
    """

    standing: ProviderStanding
    policies: Sequence[Policy]
    now: datetime.datetime
    account: LabelledAccount
    previous: LabelRecord | None = None
    ended: bool = False
    objected: bool = False
    approval: Approval | None = None
    others: Sequence[Grant] = ()


_FIRST: Final = (LabelAction.ASK, LabelAction.GRANT)
_FOLLOWING: Final[dict[int, tuple[LabelAction, ...]]] = {
    LabelAction.ASK: (LabelAction.GRANT, LabelAction.REVOKE),
    LabelAction.GRANT: (LabelAction.RENEW, LabelAction.NARROW, LabelAction.REVOKE),
    LabelAction.RENEW: (LabelAction.RENEW, LabelAction.NARROW, LabelAction.REVOKE),
    LabelAction.NARROW: (LabelAction.RENEW, LabelAction.NARROW, LabelAction.REVOKE),
    LabelAction.REVOKE: (),
}


def judge_label(record: LabelRecord, context: LabelContext) -> Refusal | None:
    """Judges one statement on a label, at the provider before it is sent and at the regulator when it arrives.

    Args:
        record: the statement.
        context: its provider, account, history, the policies and the time.

    Returns:
        None where the statement may enter the register, else the refusal. Reasons about the provider: those of
        `judge_filing`; of a revocation only PROVIDER_UNKNOWN, PROVIDER_DENIED and JURISDICTION_WRONG. About the
        account: ACCOUNT_NOT_FILED, ACCOUNT_WITHDRAWN, ACCOUNT_CLOSED, SUBJECT_KIND_WRONG. About what came before:
        REVISION_OUT_OF_ORDER, ACTION_WRONG, GRANT_CHANGED, GRANT_ENDED, GRANT_LAPSED, GRANT_OBJECTED, NOT_LATER,
        NOT_NARROWER, GRANTS_OVERLAP. About the right: LICENCE_NUMBER_WRONG, LICENCE_CLASS_WRONG, LICENCE_YEAR_WRONG,
        LICENCE_DATES_WRONG, LICENCE_MISSING, LICENCE_GAP, SCOPE_TOO_WIDE, APPROVAL_MISSING, APPROVAL_EXCEEDED,
        APPROVAL_TOO_LONG, REASON_UNKNOWN. About times: TIME_IN_FUTURE, TIME_TOO_EARLY, END_BEFORE_START, END_PASSED,
        BEFORE_LICENCE, OUTLIVES_LICENCE.
    """
    policy = policy_of_entry(context.policies, record.created_time)
    if isinstance(policy, Violation):
        return refusal_of([policy])
    judged = _judge_revocation if record.action == LabelAction.REVOKE else _judge_grant
    made = judge_created_time(record.created_time, micros(context.now), policy)
    return refusal_of((*judged(record, context, policy), *made))


def _judge_revocation(record: LabelRecord, context: LabelContext, policy: Policy) -> Iterator[Violation]:
    yield from judge_reporting_provider(context.standing)
    yield from _judge_sequence(record, context)
    yield from _judge_reason(record, policy)


def _judge_grant(record: LabelRecord, context: LabelContext, policy: Policy) -> Iterator[Violation]:
    yield from judge_filing_provider(context.standing, context.now)
    yield from judge_licence_class(context.standing.licence, policy)
    yield from _judge_account(record, context.account)
    yield from _judge_sequence(record, context)
    yield from _judge_following(record, context)
    yield from _judge_right(record, context, policy)
    yield from _judge_times(record, policy)
    yield from _judge_others(record, context)


def _judge_account(record: LabelRecord, account: LabelledAccount) -> Iterator[Violation]:
    if not account.filed:
        yield Violation("label_grant.account_id", "ACCOUNT_NOT_FILED", "file the account, then grant its label")
    elif account.withdrawn:
        yield Violation(
            "label_grant.account_id", "ACCOUNT_WITHDRAWN", "grant no label to an account that was withdrawn"
        )
    if account.closed:
        yield Violation("label_grant.account_id", "ACCOUNT_CLOSED", "grant no label to an account that is closed")
    if record.basis != LabelBasis.SPECIAL_APPROVAL and account.subject_kind == SubjectKind.PERSON:
        mend = "only an organisation holds a licence; ask for a special approval"
        yield Violation("label_grant.basis", "SUBJECT_KIND_WRONG", mend)


def _judge_sequence(record: LabelRecord, context: LabelContext) -> Iterator[Violation]:
    previous = context.previous
    yield from judge_revision("label_grant", record.revision, previous.revision if previous else 0)
    allowed = _FIRST if previous is None else _FOLLOWING.get(previous.action, ())
    if record.action not in allowed:
        names = " or ".join(action.name.lower() for action in allowed) or "nothing: make a new grant"
        yield Violation("label_grant.action", "ACTION_WRONG", f"what may follow is {names}")
    if previous is None:
        return
    if record.account_id != previous.account_id:
        yield Violation("label_grant.account_id", "GRANT_CHANGED", "keep the account; make a new grant for another")
    if record.basis != previous.basis:
        yield Violation("label_grant.basis", "GRANT_CHANGED", "keep the basis; make a new grant for another")
    if context.ended and record.action != LabelAction.REVOKE:
        yield Violation("label_grant.grant_id", "GRANT_ENDED", "a regulator ended this grant; make a new one")


def _judge_following(record: LabelRecord, context: LabelContext) -> Iterator[Violation]:
    previous = context.previous
    if previous is None or record.action not in (LabelAction.RENEW, LabelAction.NARROW):
        return
    if record.created_time >= previous.end_time:
        yield Violation("label_grant.grant_id", "GRANT_LAPSED", "the grant has ended; make a new one")
    if record.start_time != previous.start_time:
        yield Violation("label_grant.start_time", "GRANT_CHANGED", "keep the start of the grant")
    if not is_within(record.scope, previous.scope):
        yield Violation(
            "label_grant.scope", "GRANT_CHANGED", "keep or narrow the scope; make a new grant for a wider one"
        )
    if record.action == LabelAction.RENEW:
        if record.end_time <= previous.end_time:
            yield Violation("label_grant.end_time", "NOT_LATER", "renew until a later time, or narrow the grant")
        if context.objected:
            mend = "a regulator objected: narrow or revoke the grant, or have the objection taken back"
            yield Violation("label_grant.grant_id", "GRANT_OBJECTED", mend)
    elif record.end_time > previous.end_time or (record.scope, record.end_time) == (previous.scope, previous.end_time):
        yield Violation("label_grant.end_time", "NOT_NARROWER", "narrow the scope or set an earlier end")


def _judge_right(record: LabelRecord, context: LabelContext, policy: Policy) -> Iterator[Violation]:
    if record.basis == LabelBasis.SPECIAL_APPROVAL:
        yield from _judge_approval(record, context.approval, policy)
        return
    number = _licence_number(record)
    if isinstance(number, Violation):
        yield number
        return
    yield from _judge_class(record, number)
    if record.licence_end_time <= record.licence_start_time:
        yield Violation("label_grant.licence_end_time", "LICENCE_DATES_WRONG", "let the licence end after its start")
    year = from_micros(record.licence_start_time).astimezone(CHINA_STANDARD_TIME).year
    if number.year > year:
        mend = "copy number and dates again: a licence does not begin before the year of its number"
        yield Violation("label_grant.licence_number", "LICENCE_YEAR_WRONG", mend)
    if record.end_time > record.licence_end_time:
        yield Violation("label_grant.end_time", "OUTLIVES_LICENCE", "end the label with the licence or before")
    previous = context.previous
    if record.action == LabelAction.GRANT and record.start_time < record.licence_start_time:
        yield Violation("label_grant.start_time", "BEFORE_LICENCE", "begin the label with the licence or later")
    elif previous is not None and record.licence_start_time > previous.end_time:
        yield Violation("label_grant.licence_start_time", "LICENCE_GAP", "the label lapses between; make a new grant")


def _licence_number(record: LabelRecord) -> LicenceNumber | Violation:
    field = "label_grant.licence_number"
    if not record.licence_number:
        return Violation(field, "LICENCE_MISSING", "name the subject's own licence, or ask for a special approval")
    try:
        return parse_licence_number(record.licence_number)
    except InvalidInput as error:
        return Violation(field, error.reason, error.violations[0].mend)


def _judge_class(record: LabelRecord, number: LicenceNumber) -> Iterator[Violation]:
    widest = widest_scope(record.basis, record.licence_number)
    if not widest:
        mend = "a news unit or news website needs a licence of class 1, another unit one of class 1 or 2"
        if number.licence_class == LicenceClass.PLATFORM:
            mend = "a licence of class 3 is for platforms and gives no label"
        yield Violation("label_grant.licence_number", "LICENCE_CLASS_WRONG", mend)
    elif not is_within(record.scope, widest):
        yield Violation("label_grant.scope", "SCOPE_TOO_WIDE", f"basis and licence allow {widest.name.lower()}")


def _judge_approval(record: LabelRecord, approval: Approval | None, policy: Policy) -> Iterator[Violation]:
    if record.licence_number:
        mend = "name no licence with a special approval"
        yield Violation("label_grant.licence_number", "LICENCE_NUMBER_WRONG", mend)
    if record.action == LabelAction.ASK:
        begins = max(record.start_time, record.created_time)
        if record.end_time > period_end_micros(policy, SPECIAL_APPROVAL_LONGEST, begins):
            mend = f"ask for an earlier end: {SPECIAL_APPROVAL_LONGEST} of policy {policy.version} is the longest"
            yield Violation("label_grant.end_time", "APPROVAL_TOO_LONG", mend)
        return
    if approval is None or (approval.entry_id, approval.grant_id) != (record.approval_entry_id, record.grant_id):
        mend = "name the decision by which a regulator approved this grant"
        yield Violation("label_grant.approval_entry_id", "APPROVAL_MISSING", mend)
        return
    if not is_within(record.scope, approval.scope):
        yield Violation("label_grant.scope", "APPROVAL_EXCEEDED", "keep within the scope that was approved")
    if record.end_time > approval.end_time:
        yield Violation("label_grant.end_time", "APPROVAL_EXCEEDED", "end the label when the approval ends or before")


def _judge_times(record: LabelRecord, policy: Policy) -> Iterator[Violation]:
    if record.end_time <= record.start_time:
        yield Violation("label_grant.end_time", "END_BEFORE_START", "let the label end after its start")
    elif record.end_time <= record.created_time:
        yield Violation(
            "label_grant.end_time", "END_PASSED", "a label that has ended gives no right; revoke it instead"
        )
    if record.start_time > record.created_time + policy.effective_time_ahead_micros:
        yield Violation("label_grant.start_time", "TIME_IN_FUTURE", "grant the label nearer to its start")
    if record.start_time < policy.earliest_micros:
        mend = f"no label begins before {policy.earliest_time.date().isoformat()}"
        yield Violation("label_grant.start_time", "TIME_TOO_EARLY", mend)


def _judge_others(record: LabelRecord, context: LabelContext) -> Iterator[Violation]:
    if record.action == LabelAction.ASK:
        return
    for other in context.others:
        end = min(other.end_time, other.revoked_time)
        if other.grant_id != record.grant_id and overlap(record.start_time, record.end_time, other.start_time, end):
            mend = f"an account has one label at a time; revoke grant {other.grant_id} or begin when it ends"
            yield Violation("label_grant.start_time", "GRANTS_OVERLAP", mend)


def _judge_reason(record: LabelRecord, policy: Policy) -> Iterator[Violation]:
    if record.reason not in policy.label_reason_codes:
        mend = f"give a label reason of policy {policy.version}, which was in force when the entry was made"
        yield Violation("label_grant.reason", "REASON_UNKNOWN", mend)
