"""Imports: many reviewed accounts opened and filed at once, each row by itself, exactly once (Art. 7(1)).

Up to 1,000 rows are written in one transaction, with their filings, the list of what was imported and how far the
import is; whatever ends the process or the stream, a row is either imported with its filing or not at all, and sending
it again does it once. A row that is refused is remembered with what to mend and fails no other; sent again under its
number, it is judged anew. What a regulator would refuse of the provider itself is no fault of a row: it ends the
stream, and the import goes on from there once it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from provider_node.account_rows import Account, insert_accounts, opened_account
from provider_node.filings import is_about_provider, queue_filings, record_of, refusal_error
from provider_node.front_names import identity_violations
from provider_node.import_rows import (
    IMPORTS,
    ImportFailure,
    failures_of,
    forget_failures,
    imported_rows,
    read_resume_row,
    store_failures,
    store_imported,
    store_resume_row,
)
from provider_node.standing import ReadStanding
from provider_node.subject_rows import Subject, find_subjects
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.errors import InvalidInput, Violation
from shared.identifiers import new_account_id
from shared.provisions.account_states import ReviewOutcome
from shared.provisions.filings import FilingAction, FilingContext, FilingRecord, judge_filing

ROWS_TOGETHER: Final = 1000
"""Most rows in one transaction."""

FAILURES_TOLD: Final = 1000
"""Most refused rows that are told in detail."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One reviewed account to open and file.

    Attributes:
        number: of the row within the import, from 1, rising.
        reference: of a registered subject, 16 bytes.
        reviewed_time: when the provider's review passed it; None where it is missing.
        violations: what of the row breaks its contract; such a row is refused.
    """

    number: int
    reference: bytes
    display_name: str
    category: str
    reviewed_time: datetime | None
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import came to.

    Attributes:
        imported: rows opened and filed by this stream.
        already_imported: rows of this stream that an earlier one had done.
        failures: rows of the whole import that are refused so far, at most 1,000 of them.
        failed: how many are refused so far.
        resume_row: every row up to this one was dealt with.
    """

    imported: int
    already_imported: int
    failures: tuple[ImportFailure, ...]
    failed: int
    resume_row: int


@dataclass(slots=True)
class _Batch:
    accounts: list[Account] = field(default_factory=list)
    filings: list[tuple[FilingRecord, int]] = field(default_factory=list)
    imported: list[tuple[int, str]] = field(default_factory=list)
    failures: list[ImportFailure] = field(default_factory=list)
    already: int = 0


class Imports:
    """Makes imports.

    Args:
        database: the node's own.
        standing: reads the provider's standing.
        clock: tells the time.
        on_queued: called after something was queued.
    """

    def __init__(self, database: Database, standing: ReadStanding, clock: Clock, on_queued: Callable[[], None]) -> None:
        self._database = database
        self._standing = standing
        self._clock = clock
        self._on_queued = on_queued

    def begin(self, import_id: str) -> Import:
        """Begins a stream of an import, or goes on with it.

        Args:
            import_id: names the import, a UUID.
        """
        return Import(self, import_id.lower())

    async def write(self, import_id: str, rows: Sequence[ImportRow]) -> tuple[int, int]:
        """Writes rows in one transaction.

        Args:
            import_id: names the import.
            rows: at most ROWS_TOGETHER, with rising numbers.

        Returns:
            How many were imported, and how many had been before.

        Raises:
            FailedPrecondition: a regulator would refuse every filing of this provider; nothing of the rows is written.
        """
        now = self._clock()
        try:
            batch = await self._database.write(lambda transaction: self._write(transaction, import_id, rows, now))
        except InvalidInput as error:
            # What the outbox's own guard refuses is found one by one: the neighbours of a bad row go in.
            if len(rows) == 1:
                return await self._refuse(import_id, rows[0], error)
            counts = [await self.write(import_id, [row]) for row in rows]
            return sum(count[0] for count in counts), sum(count[1] for count in counts)
        if batch.imported:
            self._on_queued()
        return len(batch.imported), batch.already

    async def result(self, import_id: str, imported: int, already_imported: int) -> ImportResult:
        """Reads what an import came to so far."""

        def work(transaction: Transaction) -> ImportResult:
            failures, failed = failures_of(transaction, import_id, FAILURES_TOLD)
            resume_row = read_resume_row(transaction, import_id)
            return ImportResult(imported, already_imported, failures, failed, resume_row)

        return await self._database.read(work)

    def _write(self, transaction: Transaction, import_id: str, rows: Sequence[ImportRow], now: datetime) -> _Batch:
        # Streams of one import take turns, and no subject is deleted between the look at it and its account.
        transaction.lock(IMPORTS)
        standing = self._standing()
        done = imported_rows(transaction, import_id, rows[0].number, rows[-1].number)
        fresh = [row for row in rows if row.number not in done]
        subjects = find_subjects(transaction, {row.reference for row in fresh})
        batch = _Batch(already=len(rows) - len(fresh))
        context = standing.context(now)
        for place, row in enumerate(fresh):
            # A microsecond apart, so that accounts are listed in the order of their rows.
            opened = now + timedelta(microseconds=place)
            _judge(row, subjects.get(row.reference), context, opened, batch)
        insert_accounts(transaction, batch.accounts)
        queue_filings(transaction, standing, batch.filings, now)
        store_imported(transaction, import_id, batch.imported)
        forget_failures(transaction, import_id, [number for number, _ in batch.imported])
        store_failures(transaction, import_id, batch.failures)
        store_resume_row(transaction, import_id, rows[-1].number)
        return batch

    async def _refuse(self, import_id: str, row: ImportRow, error: InvalidInput) -> tuple[int, int]:
        failure = ImportFailure(row.number, error.reason, error.violations)

        def work(transaction: Transaction) -> None:
            transaction.lock(IMPORTS)
            store_failures(transaction, import_id, [failure])
            store_resume_row(transaction, import_id, row.number)

        await self._database.write(work)
        return 0, 0


class Import:
    """One stream of an import. Rows are written as they fill a transaction, and by `finish`."""

    def __init__(self, imports: Imports, import_id: str) -> None:
        self._imports = imports
        self._import_id = import_id
        self._waiting: list[ImportRow] = []
        self._last = 0
        self._imported = 0
        self._already = 0

    async def add(self, rows: Sequence[ImportRow]) -> None:
        """Takes further rows.

        Raises:
            InvalidInput: ROWS_NOT_RISING; what was written before stays.
        """
        for row in rows:
            if row.number <= self._last:
                mend = "number the rows of an import from 1, each higher than the one before"
                raise InvalidInput(
                    "the numbers of the rows do not rise",
                    "ROWS_NOT_RISING",
                    [Violation("rows.row", "ROWS_NOT_RISING", mend)],
                )
            self._last = row.number
            self._waiting.append(row)
        while len(self._waiting) >= ROWS_TOGETHER:
            await self._write()

    async def finish(self) -> ImportResult:
        """Writes what is left and tells what the import came to."""
        if self._waiting:
            await self._write()
        return await self._imports.result(self._import_id, self._imported, self._already)

    async def _write(self) -> None:
        together, self._waiting = self._waiting[:ROWS_TOGETHER], self._waiting[ROWS_TOGETHER:]
        imported, already = await self._imports.write(self._import_id, together)
        self._imported += imported
        self._already += already


def _judge(row: ImportRow, subject: Subject | None, context: FilingContext, opened: datetime, batch: _Batch) -> None:
    violations = row.violations or tuple(identity_violations("display_name", row.display_name))
    reason = "FIELD_VIOLATIONS" if row.violations else "IDENTITY_DATA"
    if not violations and subject is None:
        mend = "register the subject, then import the row again"
        violations = (Violation("subject_reference", "SUBJECT_NOT_FOUND", mend),)
        reason = "SUBJECT_NOT_FOUND"
    if violations or subject is None or row.reviewed_time is None:
        batch.failures.append(ImportFailure(row.number, reason, violations))
        return
    account = replace(
        opened_account(
            account_id=new_account_id(),
            reference=row.reference,
            display_name=row.display_name,
            category=row.category,
            open_time=opened,
        ),
        review_outcome=ReviewOutcome.PASSED,
        reviewed_time=row.reviewed_time,
        filings=1,
    )
    record = record_of(
        account,
        subject,
        revision=1,
        action=FilingAction.OPEN,
        reviewed_time=row.reviewed_time,
        effective_time=context.now,
        now=context.now,
    )
    refusal = judge_filing(record, context)
    if refusal is not None and is_about_provider(refusal):
        raise refusal_error(refusal)
    if refusal is not None:
        batch.failures.append(ImportFailure(row.number, refusal.reason, refusal.violations))
        return
    batch.accounts.append(account)
    batch.filings.append((record, 1))
    batch.imported.append((row.number, account.account_id))
