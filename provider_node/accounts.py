"""Public accounts from opening to withdrawal (Art. 7(1)): nothing is filed before a review passes it.

An account's record and its filing change together. A filing that the regulator refused never consumed its revision: the
next one takes the same number, and what was refused, with all that waited behind it, is set aside. A withdrawal is the
last filing of its account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from provider_node.account_rows import (
    Account,
    account_from_plain,
    account_to_plain,
    insert_accounts,
    list_accounts,
    opened_account,
    read_account,
    update_account,
)
from provider_node.answers import request_of, store_answer, stored_answer
from provider_node.blind_index import BlindIndex
from provider_node.etags import check_etag
from provider_node.filing_states import FilingStatus, list_filings, live_revision
from provider_node.filings import queue_filings, record_of, refusal_error
from provider_node.final_receipts import receipt_of
from provider_node.front_names import refuse_identity
from provider_node.gate import Gate
from provider_node.label_rows import fold_all_again
from provider_node.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from provider_node.standing import ReadStanding
from provider_node.subject_rows import read_subject
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.delivery.outbox import OutboxState, replay, send_on, supersede
from shared.errors import FailedPrecondition, InvalidInput, NotFound, Violation
from shared.identifiers import new_account_id
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.filings import FilingAction, WithdrawalReason, judge_filing
from shared.provisions.policy import Policy, policy_at

FIRST_ACCOUNT = (-1, "")
NEWEST_FILING = (2**31,)
REFUSED = (FilingState.REJECTED, FilingState.CONFLICT, FilingState.PARKED)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an account that is filed: from when it holds (None for now), and why the account is withdrawn."""

    effective_time: datetime | None = None
    withdrawal_reason: WithdrawalReason = WithdrawalReason.UNSPECIFIED


class Accounts:
    """Opens, reviews, amends and withdraws accounts.

    Args:
        database: the node's own.
        index: digests requests under the vault's key.
        standing: reads the provider's standing.
        clock: tells the time.
        on_queued: called after something was queued.
        gate: lets changes take effect.
    """

    def __init__(
        self,
        database: Database,
        index: BlindIndex,
        standing: ReadStanding,
        clock: Clock,
        on_queued: Callable[[], None],
        gate: Gate,
    ) -> None:
        self._database = database
        self._index = index
        self._standing = standing
        self._clock = clock
        self._on_queued = on_queued
        self._gate = gate

    async def open(self, request_id: str, reference: bytes, display_name: str, category: str) -> Account:
        """Opens an account for a registered subject; files nothing.

        Returns:
            The account; for a request sent again, the first answer.

        Raises:
            NotFound: there is no such subject.
            InvalidInput: the name holds identity data, or the policy in force has no such category.
        """
        content = [reference.hex(), display_name, category]
        request = request_of(self._index, request_id, "OpenAccount", content)
        now = self._clock()

        def work(transaction: Transaction) -> Account:
            transaction.lock(f"request {request.request_id}")
            answer = stored_answer(transaction, request)
            if answer is not None:
                return account_from_plain(answer)
            refuse_identity("display_name", display_name)
            _refuse_unknown_category(category, policy_at(self._standing().policies, now))
            transaction.lock(f"subject {reference.hex()}")
            read_subject(transaction, reference)
            account = opened_account(
                account_id=new_account_id(),
                reference=reference,
                display_name=display_name,
                category=category,
                open_time=now,
            )
            insert_accounts(transaction, [account])
            store_answer(transaction, request, reference, account_to_plain(account))
            return account

        return await self._database.write(work)

    async def review(
        self, account_id: str, outcome: ReviewOutcome, reason: str, etag: str, effective_time: datetime | None
    ) -> Account:
        """Records the provider's review; a passed one queues the filing in the same transaction.

        The same outcome for an account that is on its way or on file already changes nothing.

        Raises:
            InvalidInput: a failed review without a reason, or a filing that a regulator would refuse.
            FailedPrecondition: the account is withdrawn; a failed review came after the account was filed; or the
                regulator would refuse every filing of this provider.
            Conflict: the account was changed meanwhile.
        """
        _check_reason(outcome, reason)
        now = self._clock()

        def work(transaction: Transaction) -> Account:
            account = _read_for_change(transaction, account_id, etag)
            on_file = live_revision(transaction, account.account_id) > 0
            if outcome is ReviewOutcome.FAILED:
                if account.filings:
                    raise FailedPrecondition("the account was filed: withdraw it instead", "ACCOUNT_FILED")
                failed = replace(
                    account,
                    review_outcome=outcome,
                    review_reason=reason,
                    reviewed_time=now,
                    version=account.version + 1,
                )
                update_account(transaction, failed)
                return failed
            if on_file and account.review_outcome is ReviewOutcome.PASSED:
                return account
            return self._file(transaction, _passed(account, now), Change(effective_time), now)

        return await self._write(account_id, work)

    async def amend(
        self, account_id: str, display_name: str, category: str, etag: str, effective_time: datetime | None
    ) -> Account:
        """Changes an account's record, reviewed anew, and files the next revision. An account that was never filed is
        changed only, and then waits for its review.

        Args:
            account_id: the account.
            display_name: empty to keep.
            category: empty to keep.
            etag: empty to overwrite.
            effective_time: from when the record holds; None for now.

        Raises:
            InvalidInput: the name holds identity data, or a regulator would refuse the filing.
            FailedPrecondition: the account is withdrawn, or the regulator would refuse every filing of this provider.
            Conflict: the account was changed meanwhile.
        """
        refuse_identity("display_name", display_name)
        now = self._clock()

        def work(transaction: Transaction) -> Account:
            account = _read_for_change(transaction, account_id, etag)
            amended = replace(
                account, display_name=display_name or account.display_name, category=category or account.category
            )
            if account.filings:
                return self._file(transaction, _passed(amended, now), Change(effective_time), now)
            _refuse_unknown_category(amended.category, policy_at(self._standing().policies, now))
            amended = replace(
                amended,
                review_outcome=ReviewOutcome.UNSPECIFIED,
                review_reason="",
                reviewed_time=None,
                version=account.version + 1,
            )
            update_account(transaction, amended)
            return amended

        return await self._write(account_id, work)

    async def withdraw(self, account_id: str, reason: WithdrawalReason, etag: str) -> Account:
        """Withdraws an account; final. An account of which nothing is on file or on its way is closed without a filing.

        A withdrawal that the regulator refused is filed again by the same call.

        Raises:
            InvalidInput: a regulator would refuse the filing.
            FailedPrecondition: the account is withdrawn, or the regulator would refuse every filing of this provider.
            Conflict: the account was changed meanwhile.
        """
        now = self._clock()

        def work(transaction: Transaction) -> Account:
            account = _read_for_change(transaction, account_id, etag, withdrawing=True)
            if live_revision(transaction, account.account_id):
                withdrawn = replace(account, withdrawn=True, reviewed_time=now)
                return self._file(transaction, withdrawn, Change(None, reason), now)
            supersede(transaction, account.account_id)
            send_on(transaction, self._standing().regulator, account.account_id)
            update_account(transaction, replace(account, withdrawn=True, version=account.version + 1))
            return read_account(transaction, account_id)

        return await self._write(account_id, work)

    async def get(self, account_id: str) -> Account:
        """Reads an account with its newest filing; raises NotFound."""
        return await self._database.read(lambda transaction: read_account(transaction, account_id))

    async def list_page(self, state: FilingState, page_size: int, token: str) -> tuple[list[Account], str]:
        """Lists accounts in order of opening.

        Args:
            state: only accounts whose newest filing is in it; UNSPECIFIED for all.
            page_size: the most accounts; 0 for 100.
            token: from the page before; empty for the first.

        Returns:
            A page, and the token of the next; empty after the last.
        """
        of_list, size = f"accounts {int(state)}", page_size or DEFAULT_PAGE_SIZE
        opened, last = position_of(of_list, token, FIRST_ACCOUNT)
        after = (int(opened), str(last))
        found = await self._database.read(lambda transaction: list_accounts(transaction, after, size + 1, state))
        if len(found) <= size:
            return found, ""
        return found[:size], page_token(of_list, (micros(found[size - 1].open_time), found[size - 1].account_id))

    async def filings_page(self, account_id: str, page_size: int, token: str) -> tuple[list[FilingStatus], str]:
        """Lists an account's filings, newest first; raises NotFound.

        Returns:
            A page, and the token of the next; empty after the last.
        """
        of_list, size = f"filings {account_id.lower()}", page_size or DEFAULT_PAGE_SIZE
        (before,) = position_of(of_list, token, NEWEST_FILING)

        def work(transaction: Transaction) -> list[tuple[int, FilingStatus]]:
            account = read_account(transaction, account_id)
            return list_filings(transaction, account.account_id, int(before), size + 1)

        found = await self._database.read(work)
        following = page_token(of_list, (found[size - 1][0],)) if len(found) > size else ""
        return [status for _, status in found[:size]], following

    async def receipt(self, account_id: str, revision: int) -> bytes:
        """Returns the receipt of a filing, with cosignatures once it is proven to be final.

        Args:
            account_id: the account.
            revision: 0 for the newest that has one.

        Returns:
            A serialised Receipt.

        Raises:
            NotFound: there is no such account, or its regulator has not acknowledged such a filing.
        """

        def work(transaction: Transaction) -> bytes:
            account = read_account(transaction, account_id)
            rows = transaction.execute(
                "SELECT f.entry_id FROM filing f JOIN outbox o ON o.entry_id = f.entry_id"
                " WHERE f.account_id = ? AND o.state = ? AND (f.revision = ? OR ? = 0)"
                " ORDER BY f.revision DESC LIMIT 1",
                (account.account_id, int(OutboxState.DELIVERED), revision, revision),
            )
            if not rows:
                raise NotFound(
                    "the regulator has not acknowledged such a filing yet: ask again when its state is RECEIVED",
                    "RECEIPT_UNKNOWN",
                )
            return receipt_of(transaction, rows[0][0])[0]

        return await self._database.read(work)

    async def replay(self, account_id: str) -> int:
        """Queues what was refused of an account, and what waits behind it, again as it is; raises NotFound.

        Returns:
            The number of entries queued.
        """

        def work(transaction: Transaction) -> int:
            transaction.lock(f"account {account_id.lower()}")
            account = read_account(transaction, account_id)
            queued = replay(transaction, account.account_id, self._clock())
            fold_all_again(transaction, [account.account_id])
            return queued

        queued = await self._gate.changing([account_id], self._database.write(work))
        if queued:
            self._on_queued()
        return queued

    async def _write(self, account_id: str, work: Callable[[Transaction], Account]) -> Account:
        account = await self._gate.changing([account_id], self._database.write(work))
        self._on_queued()
        return account

    def _file(self, transaction: Transaction, account: Account, change: Change, now: datetime) -> Account:
        standing = self._standing()
        subject = read_subject(transaction, account.reference)
        context = standing.context(now)
        context.last_revision = live_revision(transaction, account.account_id)
        record = record_of(
            account,
            subject,
            revision=context.last_revision + 1,
            action=_action(account, context.last_revision),
            reviewed_time=account.reviewed_time or now,
            effective_time=change.effective_time or now,
            now=now,
            withdrawal_reason=change.withdrawal_reason,
        )
        refusal = judge_filing(record, context)
        if refusal is not None:
            raise refusal_error(refusal)
        supersede(transaction, account.account_id)
        filed = replace(account, filings=account.filings + 1, version=account.version + 1)
        queue_filings(transaction, standing, [(record, filed.filings)], now)
        send_on(transaction, standing.regulator, account.account_id)
        update_account(transaction, filed)
        return read_account(transaction, account.account_id)


def _action(account: Account, last_revision: int) -> FilingAction:
    if account.withdrawn:
        return FilingAction.WITHDRAW
    return FilingAction.AMEND if last_revision else FilingAction.OPEN


def _passed(account: Account, now: datetime) -> Account:
    return replace(account, review_outcome=ReviewOutcome.PASSED, review_reason="", reviewed_time=now)


def _read_for_change(transaction: Transaction, account_id: str, etag: str, *, withdrawing: bool = False) -> Account:
    transaction.lock(f"account {account_id.lower()}")
    account = read_account(transaction, account_id)
    check_etag(etag, account.version, "account")
    refused_before = withdrawing and account.filing is not None and account.filing.state in REFUSED
    if account.withdrawn and not refused_before:
        raise FailedPrecondition("the account is withdrawn and nothing follows: open a new one", "ACCOUNT_WITHDRAWN")
    return account


def _refuse_unknown_category(category: str, policy: Policy) -> None:
    if category not in policy.category_codes:
        mend = f"use a category of policy {policy.version}, which is in force"
        violation = Violation("category", "CATEGORY_UNKNOWN", mend)
        raise InvalidInput("the policy in force has no such category", "CATEGORY_UNKNOWN", [violation])


def _check_reason(outcome: ReviewOutcome, reason: str) -> None:
    if (outcome is ReviewOutcome.FAILED) != bool(reason):
        mend = "say why the review failed, and leave it empty when it passed"
        raise InvalidInput(
            "the reason does not fit the outcome",
            "REVIEW_REASON_WRONG",
            [Violation("reason", "REVIEW_REASON_WRONG", mend)],
        )
    refuse_identity("reason", reason)
