"""A provider's duty profile (Art. 5(1)): named duties with rules in force, and specialised staff against users.

A profile with a duty or all staff missing is taken and shown with what it lacks. How many staff are in proportion to a
service, and what follows where a duty has no rules, is for the authority to judge: the text names no number, and a
refused profile would only hide what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.clock import micros
from shared.errors import Violation
from shared.provisions.policy import Policy
from shared.provisions.provider_standing import ProviderStanding, judge_reporting_provider
from shared.provisions.refusals import Refusal, refusal_of
from shared.provisions.statements import judge_created_time, judge_past, judge_revision, policy_of_entry


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty by its code, and from when, in microseconds, the provider's rules for it are in force."""

    code: str
    in_force_time: int


@dataclass(slots=True)
class DutyProfileRecord:
    """A duty profile as the rules see it: the fields of DutyProfile with the created_time of its entry, in microseconds."""

    revision: int
    duties: Sequence[Duty]
    staff: int
    users: int
    counted_time: int
    created_time: int


@dataclass(frozen=True, slots=True)
class DutyContext:
    """What a duty profile is judged against.

    Attributes:
        standing: the provider.
        policies: in the order of their versions.
        now: the time of judging, aware.
        previous: the provider's last profile that entered the log; None before the first.
    """

    standing: ProviderStanding
    policies: Sequence[Policy]
    now: datetime
    previous: DutyProfileRecord | None = None


def judge_duty_profile(record: DutyProfileRecord, context: DutyContext) -> Refusal | None:
    """Judges a duty profile, at the provider before it is sent and at the regulator when it arrives.

    Args:
        record: the profile.
        context: its provider and the last profile, the policies and the time.

    Returns:
        None where it may enter the register, else the refusal: PROVIDER_UNKNOWN, PROVIDER_DENIED, JURISDICTION_WRONG,
        REVISION_OUT_OF_ORDER, DUTIES_MISSING, DUTY_UNKNOWN, DUTY_REPEATED, NUMBER_WRONG, TIME_ORDER_WRONG,
        TIME_TOO_EARLY, TIME_IN_FUTURE.
    """
    policy = policy_of_entry(context.policies, record.created_time)
    if isinstance(policy, Violation):
        return refusal_of([policy])
    previous = context.previous
    return refusal_of(
        (
            *judge_reporting_provider(context.standing),
            *judge_revision("duty_profile", record.revision, previous.revision if previous else 0),
            *_judge_duties(record, policy),
            *_judge_staff(record),
            *_judge_times(record, previous, policy),
            *judge_created_time(record.created_time, micros(context.now), policy),
        )
    )


def duties_missing(record: DutyProfileRecord, policy: Policy) -> tuple[str, ...]:
    """Returns the codes of the duties of a policy for which a profile names no rules, in the order of the policy."""
    named = {duty.code for duty in record.duties}
    return tuple(term.code for term in policy.duties if term.code not in named)


def staff_per_million(record: DutyProfileRecord) -> float | None:
    """Returns the specialised staff for each million users (Art. 5(1)); None where there are no users."""
    return record.staff * 1_000_000 / record.users if record.users else None


def _judge_duties(record: DutyProfileRecord, policy: Policy) -> Iterator[Violation]:
    if not record.duties:
        yield Violation("duty_profile.duties", "DUTIES_MISSING", "name the duties for which rules are in force")
    seen: set[str] = set()
    for index, duty in enumerate(record.duties):
        place = f"duty_profile.duties[{index}]"
        if duty.code not in policy.duty_codes:
            mend = f"name a duty of policy {policy.version}, which was in force when the entry was made"
            yield Violation(f"{place}.code", "DUTY_UNKNOWN", mend)
        if duty.code in seen:
            yield Violation(f"{place}.code", "DUTY_REPEATED", "name each duty once")
        seen.add(duty.code)
        if duty.in_force_time > record.created_time:
            yield Violation(f"{place}.in_force_time", "TIME_ORDER_WRONG", "name rules that are in force")


def _judge_staff(record: DutyProfileRecord) -> Iterator[Violation]:
    if record.staff < 0 or record.users < 0:
        yield Violation("duty_profile.users", "NUMBER_WRONG", "count staff and users from 0")


def _judge_times(record: DutyProfileRecord, previous: DutyProfileRecord | None, policy: Policy) -> Iterator[Violation]:
    yield from judge_past("duty_profile.counted_time", record.counted_time, record.created_time, policy)
    if previous is not None and record.counted_time < previous.counted_time:
        mend = "count anew: the last profile holds for a later time"
        yield Violation("duty_profile.counted_time", "TIME_ORDER_WRONG", mend)
