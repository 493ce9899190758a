"""Whether a category filing may enter the register (Arts. 3, 4, 6 and 7(1)): one pure judgement for both ends of the wire.

A provider judges before it queues and a regulator when it receives, by the policy in force when the entry was made. A good
filing passes one chain of cheap comparisons, because bulk filing calls this for every row; only a bad one is looked at field
by field, so that its provider gets everything there is to mend at once.

Being late is no ground to refuse: see `shared.provisions.policy.filing_due`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from shared.clock import micros
from shared.errors import InvalidInput, Violation
from shared.provisions.credit_codes import kinds_of_uscc
from shared.provisions.licences import Licence, parse_licence_number
from shared.provisions.policy import Policy, policy_at_micros
from shared.provisions.provider_standing import (
    ProviderStanding,
    ProviderState,
    judge_filing_provider,
    licence_class_wrong,
)
from shared.provisions.refusals import Refusal
from shared.provisions.regions import PROVINCES
from shared.provisions.subjects import SubjectKind

__all__ = [
    "FilingAction",
    "FilingContext",
    "FilingRecord",
    "ProviderState",
    "Refusal",
    "SubjectKind",
    "WithdrawalReason",
    "judge_filing",
]


class FilingAction(IntEnum):
    """What a filing does to the record of its account, with the numbers of the wire."""

    UNSPECIFIED = 0
    OPEN = 1
    AMEND = 2
    WITHDRAW = 3


class WithdrawalReason(IntEnum):
    """Why an account is withdrawn, with the numbers of the wire."""

    UNSPECIFIED = 0
    OWNER_REQUEST = 1
    CLOSED = 2
    FILED_IN_ERROR = 3


# Plain numbers: comparing an int with an int is what makes the good path cheap.
_OPEN: Final = int(FilingAction.OPEN)
_AMEND: Final = int(FilingAction.AMEND)
_WITHDRAW: Final = int(FilingAction.WITHDRAW)
_FOLLOWING: Final = (_AMEND, _WITHDRAW)
_PERSON: Final = int(SubjectKind.PERSON)
_REFERENCE_LENGTH: Final = 16


@dataclass(slots=True)
class FilingRecord:
    """A filing as the rules see it: the fields of Filing with the created_time of its entry.

    Times are microseconds since the epoch, UTC. action, subject_kind and withdrawal_reason are the numbers of FilingAction,
    SubjectKind and WithdrawalReason. An absent person_reference or uscc is empty.
    """

    account_id: str
    revision: int
    action: int
    display_name: str
    category: str
    subject_kind: int
    person_reference: bytes
    uscc: str
    organisation_name: str
    subject_region: str
    identity_verified_time: int
    agreement_version: int
    reviewed_time: int
    effective_time: int
    withdrawal_reason: int
    created_time: int


@dataclass(slots=True)
class FilingContext:
    """What a filing is judged against.

    One context serves a whole batch of one provider: between rows only last_revision and withdrawn may be set. What concerns
    the provider is judged once, when the context is made.

    Attributes:
        licence: the provider's licence; None where it has none.
        provider_state: its state in the directory; None where the directory does not know it.
        provider_jurisdiction: its jurisdiction by the directory, GB/T 2260.
        regulator_jurisdiction: of the regulator that judges, or that the provider is about to send to.
        policies: in the order of their versions.
        now: the time of judging, aware.
        last_revision: of the account's newest filing that entered the log; 0 before the first.
        withdrawn: whether that filing withdrew the account.
    """

    licence: Licence | None
    provider_state: ProviderState | None
    provider_jurisdiction: str
    regulator_jurisdiction: str
    policies: Sequence[Policy]
    now: datetime
    last_revision: int = 0
    withdrawn: bool = False
    _standing: tuple[Violation, ...] = field(init=False, repr=False)
    _licence_class: int = field(init=False, repr=False)
    _now: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._now = micros(self.now)
        self._licence_class = 0
        provider = ProviderStanding(
            self.licence, self.provider_state, self.provider_jurisdiction, self.regulator_jurisdiction
        )
        standing = list(judge_filing_provider(provider, self.now))
        if self.licence is not None:
            try:
                self._licence_class = int(parse_licence_number(self.licence.number).licence_class)
            except InvalidInput as error:
                standing.extend(error.violations)
        self._standing = tuple(standing)


def judge_filing(record: FilingRecord, context: FilingContext) -> Refusal | None:
    """Judges one filing.

    Args:
        record: the filing.
        context: its provider, the policies, the time and what is known of its account.

    Returns:
        None where the filing may enter the register, else the refusal. Reasons about the provider: PROVIDER_UNKNOWN,
        PROVIDER_SUSPENDED, JURISDICTION_WRONG (Art. 3), LICENCE_MISSING, LICENCE_REVOKED, LICENCE_SUSPENDED,
        LICENCE_NOT_STARTED, LICENCE_LAPSED, LICENCE_NUMBER_WRONG, LICENCE_CLASS_WRONG (Art. 4). About the account:
        ACCOUNT_WITHDRAWN, REVISION_OUT_OF_ORDER, ACTION_WRONG, WITHDRAWAL_REASON_WRONG, CATEGORY_UNKNOWN (Art. 7(1)). About
        the subject: SUBJECT_IDENTIFIER_WRONG, USCC_WRONG, ORGANISATION_NAME_WRONG, REGION_UNKNOWN,
        AGREEMENT_VERSION_UNKNOWN (Art. 6(2)). About times: TIME_IN_FUTURE, TIME_TOO_EARLY, TIME_ORDER_WRONG (Art. 6(1)).
    """
    created = record.created_time
    policy = policy_in_force(context.policies, created)
    if policy is None:
        mend = "no policy was in force at that time; set it to when the entry was made"
        violation = Violation("created_time", "TIME_TOO_EARLY", mend)
        return Refusal("TIME_TOO_EARLY", (violation,))
    earliest = policy.earliest_micros
    action = record.action
    if (
        not context._standing
        and not context.withdrawn
        and record.revision == context.last_revision + 1
        and (action in _FOLLOWING if context.last_revision else action == _OPEN)
        and (action == _WITHDRAW) == (record.withdrawal_reason != 0)
        and record.category in policy.category_codes
        and context._licence_class in policy.provider_licence_classes
        and 1 <= record.agreement_version <= policy.agreement.version
        and earliest <= record.identity_verified_time <= record.reviewed_time <= created
        and created <= context._now + policy.clock_skew_micros
        and earliest <= record.effective_time <= created + policy.effective_time_ahead_micros
        and record.subject_region in PROVINCES
        and _subject_fits(record)
    ):
        return None
    violations = (
        *context._standing,
        *_judge_licence_class(context, policy),
        *_judge_sequence(record, context),
        *_judge_category(record, policy),
        *_judge_subject(record, policy),
        *_judge_times(record, context, policy),
    )
    return Refusal(violations[0].rule, violations)


def policy_in_force(policies: Sequence[Policy], time: int) -> Policy | None:
    """Returns the policy in force at a time in microseconds since the epoch, None before the first; newest looked at first."""
    if policies and policies[-1].effective_micros <= time:
        return policies[-1]
    return policy_at_micros(policies, time)


def _subject_fits(record: FilingRecord) -> bool:
    if record.subject_kind == _PERSON:
        return len(record.person_reference) == _REFERENCE_LENGTH and not record.uscc and not record.organisation_name
    return (
        record.subject_kind in kinds_of_uscc(record.uscc)
        and not record.person_reference
        and record.organisation_name != ""
    )


def _judge_licence_class(context: FilingContext, policy: Policy) -> Iterator[Violation]:
    # Class 0 stands for a missing or unreadable licence, which is a violation of its own.
    if context._licence_class and context._licence_class not in policy.provider_licence_classes:
        yield licence_class_wrong(policy)


def _judge_sequence(record: FilingRecord, context: FilingContext) -> Iterator[Violation]:
    if context.withdrawn:
        yield Violation("filing.account_id", "ACCOUNT_WITHDRAWN", "nothing follows a withdrawal; open a new account")
    revision = context.last_revision + 1
    if record.revision != revision:
        yield Violation("filing.revision", "REVISION_OUT_OF_ORDER", f"the next revision of the account is {revision}")
    if record.action not in ((_AMEND, _WITHDRAW) if context.last_revision else (_OPEN,)):
        yield Violation("filing.action", "ACTION_WRONG", "revision 1 opens; a later one amends or withdraws")
    if (record.action == _WITHDRAW) != (record.withdrawal_reason != 0):
        mend = "give a reason with a withdrawal, and none without"
        yield Violation("filing.withdrawal_reason", "WITHDRAWAL_REASON_WRONG", mend)


def _judge_category(record: FilingRecord, policy: Policy) -> Iterator[Violation]:
    if record.category not in policy.category_codes:
        successor = policy.successors.get(record.category)
        mend = f"use a category of policy {policy.version}, which was in force when the entry was made"
        if successor is not None:
            mend = f"use {successor}, which takes the place of this category from policy {policy.version} on"
        yield Violation("filing.category", "CATEGORY_UNKNOWN", mend)


def _judge_subject(record: FilingRecord, policy: Policy) -> Iterator[Violation]:
    person = record.subject_kind == _PERSON
    if person:
        if len(record.person_reference) != _REFERENCE_LENGTH or record.uscc:
            mend = "name a person by person_reference, 16 random bytes, and by nothing else"
            yield Violation("filing.person_reference", "SUBJECT_IDENTIFIER_WRONG", mend)
    elif record.person_reference or not record.uscc:
        yield Violation("filing.uscc", "SUBJECT_IDENTIFIER_WRONG", "name an organisation by its credit code only")
    elif not kinds_of_uscc(record.uscc):
        mend = "copy the 18 characters of the credit code from the certificate again"
        yield Violation("filing.uscc", "USCC_WRONG", mend)
    elif record.subject_kind not in kinds_of_uscc(record.uscc):
        mend = "choose the kind that the registering department of the credit code registers"
        yield Violation("filing.subject_kind", "SUBJECT_IDENTIFIER_WRONG", mend)
    if person == bool(record.organisation_name):
        mend = "give the registered name of an organisation, and none for a person"
        yield Violation("filing.organisation_name", "ORGANISATION_NAME_WRONG", mend)
    if record.subject_region not in PROVINCES:
        yield Violation(
            "filing.subject_region", "REGION_UNKNOWN", "give the GB/T 2260 code of a province or of the nation"
        )
    if not 1 <= record.agreement_version <= policy.agreement.version:
        mend = f"have the subject sign a version from 1 to {policy.agreement.version}"
        yield Violation("filing.agreement_version", "AGREEMENT_VERSION_UNKNOWN", mend)


def _judge_times(record: FilingRecord, context: FilingContext, policy: Policy) -> Iterator[Violation]:
    created = record.created_time
    if created > context._now + policy.clock_skew_micros:
        yield Violation("created_time", "TIME_IN_FUTURE", "set the clock of the sending node")
    if record.effective_time > created + policy.effective_time_ahead_micros:
        yield Violation("filing.effective_time", "TIME_IN_FUTURE", "file nearer to the time it takes effect")
    for name in ("identity_verified_time", "reviewed_time", "effective_time"):
        if getattr(record, name) < policy.earliest_micros:
            mend = f"no filing names a time before {policy.earliest_time.date().isoformat()}"
            yield Violation(f"filing.{name}", "TIME_TOO_EARLY", mend)
    if record.identity_verified_time > record.reviewed_time:
        mend = "verify the identity before the review passes the account"
        yield Violation("filing.identity_verified_time", "TIME_ORDER_WRONG", mend)
    if record.reviewed_time > created:
        yield Violation("filing.reviewed_time", "TIME_ORDER_WRONG", "file after the review passed the account")
