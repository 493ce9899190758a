"""A statement on a label is judged as its regulator will judge it, and queued (Art. 7).

It happens in the transaction of the change that it tells of, so that no right is opened or closed of which the
regulator is not told, and none is told of that was not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from provider_node.account_rows import Account, read_account
from provider_node.filing_states import live_revision
from provider_node.gate_facts import MeasureSource
from provider_node.label_rows import (
    Decision,
    GrantRow,
    counting,
    fold_again,
    grants_of,
    insert_statement,
    read_decisions,
    read_statements,
)
from provider_node.label_wire import label_statement_to_wire
from provider_node.standing import Standing
from provider_node.subject_rows import find_subject
from shared.clock import micros
from shared.database import Transaction
from shared.delivery.outbox import enqueue, send_on, supersede_entries, wait_behind
from shared.errors import FailedPrecondition, FilingnetError, InvalidInput
from shared.provisions.account_history import AccountHistory
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.labels import Approval, LabelContext, LabelledAccount, LabelRecord, judge_label
from shared.provisions.provider_standing import ProviderStanding
from shared.provisions.refusals import Refusal
from shared.provisions.subjects import SubjectKind

PROVIDER_FIELDS: Final = ("origin", "jurisdiction", "licence")

STATE_REASONS: Final = frozenset(
    {
        "ACCOUNT_NOT_FILED",
        "ACCOUNT_WITHDRAWN",
        "ACCOUNT_CLOSED",
        "ACTION_WRONG",
        "REVISION_OUT_OF_ORDER",
        "GRANT_ENDED",
        "GRANT_LAPSED",
        "GRANT_OBJECTED",
        "GRANTS_OVERLAP",
        "APPROVAL_MISSING",
    }
)
"""Reasons that lie in the state of the account or the grant; every other one lies in what was asked."""


def newest_approval(transaction: Transaction, grant_id: str) -> Decision | None:
    """Returns the newest special approval of a grant; None where there is none."""
    decisions = read_decisions(transaction, grant_id)
    return next((each for each in reversed(decisions) if each.outcome == LabelOutcome.APPROVED), None)


def state_label(
    transaction: Transaction,
    record: LabelRecord,
    standing: Standing,
    measures: MeasureSource,
    now: datetime,
    approval: Approval | None = None,
) -> GrantRow:
    """Judges a statement and queues it.

    Args:
        transaction: a write that holds the account's lock.
        record: the statement; its revision and created_time are set here.
        standing: the provider.
        measures: reads the account's measures.
        now: when it is made.
        approval: the one that the statement names.

    Returns:
        The grant after it.

    Raises:
        NotFound: there is no such account.
        InvalidInput: what was asked breaks a rule or the contract.
        FailedPrecondition: the state of the account, the grant or the provider does not allow it.
    """
    account = read_account(transaction, record.account_id)
    statements = read_statements(transaction, record.grant_id)
    counted = counting(statements)
    record.revision, record.created_time = len(counted) + 1, micros(now)
    held = fold_again(transaction, record.grant_id)
    context = LabelContext(
        standing=ProviderStanding(standing.licence, standing.state, standing.jurisdiction, standing.jurisdiction),
        policies=standing.policies,
        now=now,
        account=_labelled(transaction, account, measures, now),
        previous=counted[-1].record if counted else None,
        ended=held is not None and held.ended,
        objected=held is not None and held.outcome == LabelOutcome.OBJECTED,
        approval=approval,
        others=[
            grant for grant in grants_of(transaction.execute, account.account_id) if grant.grant_id != record.grant_id
        ],
    )
    refusal = judge_label(record, context)
    if refusal is not None:
        raise _refused(refusal)
    supersede_entries(transaction, _replaced(transaction, record))
    _queue(transaction, record, standing, now, len(statements) + 1, waits=any(each.waits for each in counted))
    row = fold_again(transaction, record.grant_id)
    assert row is not None
    return row


def _replaced(transaction: Transaction, record: LabelRecord) -> list[str]:
    """Returns the refused statements that a new one replaces: all of its account but another grant's revocation."""
    rows = transaction.execute(
        "SELECT s.entry_id FROM outbox o JOIN label_statement s ON s.entry_id = o.entry_id"
        " WHERE o.account_id = ? AND o.state IN (3, 4) AND (s.action <> 5 OR s.grant_id = ?)",
        (record.account_id, record.grant_id),
    )
    return [entry_id for (entry_id,) in rows]


def _queue(
    transaction: Transaction, record: LabelRecord, standing: Standing, now: datetime, position: int, *, waits: bool
) -> None:
    (queued,) = enqueue(
        transaction,
        destination=standing.regulator,
        jurisdiction=standing.jurisdiction,
        origin=standing.name,
        now=now,
        bodies=[(record.account_id, "label_grant", label_statement_to_wire(record))],
    )
    insert_statement(transaction, position, queued.entry_id, record)
    if waits:
        # It follows a statement that itself waits behind a refused entry, and must not overtake it.
        wait_behind(transaction, queued.entry_id)
    else:
        send_on(transaction, standing.regulator, record.account_id)


def _labelled(transaction: Transaction, account: Account, measures: MeasureSource, now: datetime) -> LabelledAccount:
    subject = find_subject(transaction, account.reference)
    history = AccountHistory(measures=measures.measures_of(transaction.execute, account.account_id))
    return LabelledAccount(
        filed=live_revision(transaction, account.account_id) > 0,
        withdrawn=account.withdrawn,
        closed=history.closed_at(micros(now)),
        subject_kind=subject.kind if subject is not None else SubjectKind.UNSPECIFIED,
    )


def _refused(refusal: Refusal) -> FilingnetError:
    first = refusal.violations[0]
    if first.field.startswith(PROVIDER_FIELDS):
        message = f"the regulator would refuse every label of this provider: {first.mend}"
        return FailedPrecondition(message, refusal.reason, refusal.violations)
    kind = FailedPrecondition if refusal.reason in STATE_REASONS else InvalidInput
    return kind(f"the label cannot be stated like this: {first.mend}", refusal.reason, refusal.violations)
