"""What is asked of a label, turned into the statement that says it whole: whatever was left open is filled in here.

Left open, a label may do all that its basis allows, begins now, and ends with the licence or the approval behind it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provider_node.label_rows import Decision, GrantRow, LabelState, counting, grants_on, read_statements, state_of
from provider_node.label_statements import newest_approval
from provider_node.standing import Standing
from shared.clock import micros
from shared.database import Transaction
from shared.errors import FailedPrecondition
from shared.provisions.labels import LabelAction, LabelBasis, LabelRecord, LabelScope, widest_scope
from shared.provisions.policy import SPECIAL_APPROVAL_LONGEST, period_end_micros, policy_at

_OPEN: Final = (LabelState.ASKED, LabelState.APPROVED)


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """The subject's own licence: number and dates in microseconds; empty and 0 for a special approval."""

    number: str = ""
    start_time: int = 0
    end_time: int = 0


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What is asked to be granted.

    Attributes:
        scope: UNSPECIFIED for all that basis, licence and approval allow.
        start_time: microseconds; 0 for now.
        end_time: microseconds, exclusive; 0 for the end of the licence, of the approval, or of the longest approval.
    """

    basis: LabelBasis
    licence: LicenceTerms = LicenceTerms()
    scope: LabelScope = LabelScope.UNSPECIFIED
    start_time: int = 0
    end_time: int = 0

    @property
    def plain(self) -> list[object]:
        """Everything that is asked, in a fixed order."""
        licence = self.licence
        return [
            int(self.basis),
            licence.number,
            licence.start_time,
            licence.end_time,
            int(self.scope),
            self.start_time,
            self.end_time,
        ]


def first_record(
    transaction: Transaction, account_id: str, terms: GrantTerms, standing: Standing, now: datetime
) -> tuple[LabelRecord, Decision | None]:
    """Returns the statement that grants a label or asks for one, and the approval that it names.

    Args:
        transaction: a write that holds the account's lock.
        account_id: the account.
        terms: what is asked.
        standing: the provider.
        now: when the statement is made.

    Raises:
        FailedPrecondition: APPROVAL_PENDING, a special approval was asked for and is not decided yet.
    """
    if terms.basis != LabelBasis.SPECIAL_APPROVAL:
        widest = widest_scope(terms.basis, terms.licence.number) or LabelScope.REPRINT
        end_time = terms.end_time or terms.licence.end_time
        return _record(account_id, terms, LabelAction.GRANT, terms.scope or widest, end_time, now), None
    asked = _asked(transaction, account_id, now)
    if asked is not None:
        approval = newest_approval(transaction, asked.grant_id)
        if approval is None:
            message = "a special approval was asked for already: wait for the decision, or revoke what was asked for"
            raise FailedPrecondition(message, "APPROVAL_PENDING")
        scope, end_time = terms.scope or LabelScope(approval.scope), terms.end_time or approval.end_time
        record = _record(account_id, terms, LabelAction.GRANT, scope, end_time, now)
        record.grant_id, record.approval_entry_id = asked.grant_id, approval.entry_id
        return record, approval
    scope = terms.scope or LabelScope.PUBLISH_AND_REPRINT
    start = max(terms.start_time, micros(now))
    end_time = terms.end_time or period_end_micros(policy_at(standing.policies, now), SPECIAL_APPROVAL_LONGEST, start)
    return _record(account_id, terms, LabelAction.ASK, scope, end_time, now), None


def next_record(transaction: Transaction, grant: GrantRow) -> LabelRecord:
    """Returns a statement on a grant that says the same as the newest one that counts, to be changed."""
    statements = read_statements(transaction, grant.grant_id)
    record = (counting(statements) or statements)[-1].record
    record.reason = ""
    return record


def _asked(transaction: Transaction, account_id: str, now: datetime) -> GrantRow | None:
    """Returns what was asked for last and is neither refused nor over; None where nothing is open."""
    found = [row for row in grants_on(transaction, account_id) if state_of(row, micros(now), licensed=True) in _OPEN]
    return max(found, key=lambda row: (row.outcome, row.end_time), default=None)


def _record(
    account_id: str, terms: GrantTerms, action: LabelAction, scope: LabelScope, end_time: int, now: datetime
) -> LabelRecord:
    return LabelRecord(
        grant_id=str(uuid.uuid4()),
        account_id=account_id,
        revision=1,
        action=action,
        basis=terms.basis,
        licence_number=terms.licence.number,
        licence_start_time=terms.licence.start_time,
        licence_end_time=terms.licence.end_time,
        scope=scope,
        start_time=terms.start_time or micros(now),
        end_time=end_time,
        reason="",
        approval_entry_id="",
        created_time=micros(now),
    )
