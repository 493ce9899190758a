"""Filing: a reviewed account's record is judged as its regulator will judge it, and queued (Arts. 4, 6 and 7(1)).

It happens in the transaction of the change that it tells of: there is no reviewed account without its filing on the
way, and no filing of a change that was not made. What a regulator would refuse is refused here first, with the same
words, so that nothing is queued that cannot arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from provider_node.account_rows import Account
from provider_node.filing_wire import filing_to_wire
from provider_node.standing import Standing
from provider_node.subject_rows import Subject
from shared.clock import micros
from shared.database import Transaction
from shared.delivery.outbox import enqueue
from shared.errors import FailedPrecondition, FilingnetError, InvalidInput
from shared.provisions.filings import FilingAction, FilingRecord, Refusal, WithdrawalReason
from shared.provisions.subjects import SubjectKind

PROVIDER_FIELDS = ("origin", "jurisdiction", "licence")


def record_of(
    account: Account,
    subject: Subject,
    *,
    revision: int,
    action: FilingAction,
    reviewed_time: datetime,
    effective_time: datetime,
    now: datetime,
    withdrawal_reason: WithdrawalReason = WithdrawalReason.UNSPECIFIED,
) -> FilingRecord:
    """Returns the filing that states an account's whole record.

    Args:
        account: as it is after the change.
        subject: who stands behind it.
        revision: which filing of the account it is.
        action: what it does.
        reviewed_time: when the provider's review passed the record.
        effective_time: from when the record holds.
        now: when the entry is made.
        withdrawal_reason: with a withdrawal only.
    """
    return FilingRecord(
        account_id=account.account_id,
        revision=revision,
        action=int(action),
        display_name=account.display_name,
        category=account.category,
        subject_kind=int(subject.kind),
        person_reference=subject.reference if subject.kind is SubjectKind.PERSON else b"",
        uscc=subject.uscc,
        organisation_name=subject.organisation_name,
        subject_region=subject.region,
        identity_verified_time=micros(subject.verified_time),
        agreement_version=subject.agreement.version,
        reviewed_time=micros(reviewed_time),
        effective_time=micros(effective_time),
        withdrawal_reason=int(withdrawal_reason),
        created_time=micros(now),
    )


def is_about_provider(refusal: Refusal) -> bool:
    """Tells whether a refusal is about the provider itself, and so of every filing it could make."""
    return refusal.violations[0].field.startswith(PROVIDER_FIELDS)


def refusal_error(refusal: Refusal) -> FilingnetError:
    """Returns the error that tells what a regulator would refuse.

    Args:
        refusal: what the rules found.

    Returns:
        FailedPrecondition where it is about the provider itself, InvalidInput where it is about the filing.
    """
    if is_about_provider(refusal):
        message = f"the regulator would refuse every filing of this provider: {refusal.violations[0].mend}"
        return FailedPrecondition(message, refusal.reason, refusal.violations)
    return InvalidInput("the regulator would refuse this filing", refusal.reason, refusal.violations)


def queue_filings(
    transaction: Transaction, standing: Standing, filings: Sequence[tuple[FilingRecord, int]], now: datetime
) -> None:
    """Queues judged filings for the provider's regulator.

    Args:
        transaction: the write of the change that they tell of.
        standing: the provider.
        filings: each with its position among the account's filings, from 1.
        now: when the entries are made.

    Raises:
        InvalidInput: a filing breaks its contract or holds identity data; nothing is queued then.
    """
    queued = enqueue(
        transaction,
        destination=standing.regulator,
        jurisdiction=standing.jurisdiction,
        origin=standing.name,
        filings=[(record.account_id, filing_to_wire(record)) for record, _ in filings],
        now=now,
    )
    transaction.insert_many(
        "filing",
        ("account_id", "position", "revision", "entry_id", "action"),
        [
            (record.account_id, position, record.revision, entry.entry_id, record.action)
            for (record, position), entry in zip(filings, queued, strict=True)
        ],
    )
