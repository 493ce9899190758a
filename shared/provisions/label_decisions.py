"""Whether a regulator may decide on a label as it wants to (Art. 7): judged before the decision enters the log.

A special approval is given within what was asked for and for no longer than the policy allows; what is refused,
objected to or revoked has a reason of the policy. A decision is on the newest statement, so that nobody decides on
what he has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from shared.errors import Violation
from shared.provisions.label_rights import Grant, LabelAction, LabelBasis, LabelRecord, is_within
from shared.provisions.policy import SPECIAL_APPROVAL_LONGEST, Policy, period_end_micros
from shared.provisions.refusals import Refusal, refusal_of


class LabelOutcome(IntEnum):
    """What a regulator decided on a label, with the numbers of the wire."""

    UNSPECIFIED = 0
    APPROVED = 1
    REFUSED = 2
    OBJECTED = 3
    REVOKED = 4


@dataclass(frozen=True, slots=True)
class LabelDecisionRecord:
    """A decision as the rules see it: the fields of LabelDecision. Times are microseconds, an unset one is 0."""

    grant_id: str
    revision: int
    outcome: int
    scope: int
    end_time: int
    reason: str
    decided_time: int


def judge_label_decision(
    decision: LabelDecisionRecord, statement: LabelRecord | None, grant: Grant | None, policy: Policy
) -> Refusal | None:
    """Judges a decision on a label.

    Args:
        decision: the decision.
        statement: the newest statement on the grant; None where the register has none.
        grant: how the grant stands; None where it was only asked for or refused.
        policy: the policy in force at decided_time.

    Returns:
        None where the decision stands, else the refusal: GRANT_UNKNOWN, REVISION_OUT_OF_ORDER, OUTCOME_WRONG,
        GRANT_ENDED, REASON_UNKNOWN, SCOPE_TOO_WIDE, APPROVAL_EXCEEDED, END_PASSED, APPROVAL_TOO_LONG.
    """
    if statement is None:
        return refusal_of([Violation("grant_id", "GRANT_UNKNOWN", "name a grant that the register holds")])
    return refusal_of(
        (
            *_judge_newest(decision, statement),
            *_judge_state(decision, statement, grant),
            *(
                _judge_approval(decision, statement, policy)
                if decision.outcome == LabelOutcome.APPROVED
                else _judge_reason(decision, policy)
            ),
        )
    )


def _judge_newest(decision: LabelDecisionRecord, statement: LabelRecord) -> Iterator[Violation]:
    if decision.revision != statement.revision:
        mend = f"read the grant again: its newest revision is {statement.revision}"
        yield Violation("revision", "REVISION_OUT_OF_ORDER", mend)


def _judge_state(decision: LabelDecisionRecord, statement: LabelRecord, grant: Grant | None) -> Iterator[Violation]:
    asked = statement.action == LabelAction.ASK
    approves = decision.outcome == LabelOutcome.APPROVED
    if decision.outcome == LabelOutcome.REFUSED and not asked:
        yield Violation("outcome", "OUTCOME_WRONG", "only what was asked for is refused; object or revoke")
    elif approves and statement.basis != LabelBasis.SPECIAL_APPROVAL:
        yield Violation("outcome", "OUTCOME_WRONG", "only a special approval is given by a regulator")
    elif asked and decision.outcome in (LabelOutcome.OBJECTED, LabelOutcome.REVOKED):
        yield Violation("outcome", "OUTCOME_WRONG", "nothing is granted yet; approve or refuse what was asked for")
    elif not asked and (grant is None or decision.decided_time >= min(grant.end_time, grant.revoked_time)):
        yield Violation("outcome", "GRANT_ENDED", "the grant has ended; there is nothing to decide")


def _judge_approval(decision: LabelDecisionRecord, statement: LabelRecord, policy: Policy) -> Iterator[Violation]:
    if not is_within(decision.scope, statement.scope):
        yield Violation("scope", "SCOPE_TOO_WIDE", "approve no more than was asked for")
    if decision.end_time <= max(decision.decided_time, statement.start_time):
        yield Violation("end_time", "END_PASSED", "approve until a time that lies ahead of the label's start")
    if statement.action == LabelAction.ASK and decision.end_time > statement.end_time:
        yield Violation("end_time", "APPROVAL_EXCEEDED", "approve for no longer than was asked for")
    begins = max(decision.decided_time, statement.start_time)
    if decision.end_time > period_end_micros(policy, SPECIAL_APPROVAL_LONGEST, begins):
        mend = f"approve an earlier end: {SPECIAL_APPROVAL_LONGEST} of policy {policy.version} is the longest"
        yield Violation("end_time", "APPROVAL_TOO_LONG", mend)


def _judge_reason(decision: LabelDecisionRecord, policy: Policy) -> Iterator[Violation]:
    if decision.reason not in policy.label_reason_codes:
        yield Violation("reason", "REASON_UNKNOWN", f"give a label reason of policy {policy.version}")
