"""What the node remembers of imports: which rows are in, which were refused and why, and how far an import is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.database import Transaction
from shared.delivery.outbox import violations_from_json, violations_to_json
from shared.errors import Violation

IMPORTS: Final = "imports of accounts"
"""Name of the lock that imports hold while they write, and who deletes a subject."""


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A row that was refused: its number, the stable reason, and field by field what to mend."""

    number: int
    reason: str
    violations: tuple[Violation, ...]


def imported_rows(transaction: Transaction, import_id: str, first: int, last: int) -> set[int]:
    """Returns which rows of a range, both ends in it, are imported."""
    return {
        number
        for (number,) in transaction.execute(
            "SELECT row_number FROM import_row WHERE import_id = ? AND row_number BETWEEN ? AND ?",
            (import_id, first, last),
        )
    }


def store_imported(transaction: Transaction, import_id: str, rows: Sequence[tuple[int, str]]) -> None:
    """Remembers rows as imported, each with its account's id."""
    transaction.insert_many(
        "import_row",
        ("import_id", "row_number", "account_id"),
        [(import_id, number, account_id) for number, account_id in rows],
    )


def store_failures(transaction: Transaction, import_id: str, failures: Sequence[ImportFailure]) -> None:
    """Remembers why rows were refused, instead of why they were before."""
    transaction.executemany(
        "INSERT INTO import_failure (import_id, row_number, reason, violations) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (import_id, row_number) DO UPDATE SET reason = excluded.reason, violations = excluded.violations",
        [(import_id, each.number, each.reason, violations_to_json(each.violations)) for each in failures],
    )


def forget_failures(transaction: Transaction, import_id: str, numbers: Sequence[int]) -> None:
    """Forgets that rows were refused, because they are imported now."""
    if numbers:
        ((known,),) = transaction.execute("SELECT COUNT(*) FROM import_failure WHERE import_id = ?", (import_id,))
        if known:
            transaction.executemany(
                "DELETE FROM import_failure WHERE import_id = ? AND row_number = ?",
                [(import_id, number) for number in numbers],
            )


def failures_of(transaction: Transaction, import_id: str, limit: int) -> tuple[tuple[ImportFailure, ...], int]:
    """Reads the refused rows of an import: the first ones in detail, and how many there are."""
    ((failed,),) = transaction.execute("SELECT COUNT(*) FROM import_failure WHERE import_id = ?", (import_id,))
    rows = transaction.execute(
        "SELECT row_number, reason, violations FROM import_failure WHERE import_id = ? ORDER BY row_number LIMIT ?",
        (import_id, limit),
    )
    failures = tuple(ImportFailure(number, reason, tuple(violations_from_json(text))) for number, reason, text in rows)
    return failures, failed


def read_resume_row(transaction: Transaction, import_id: str) -> int:
    """Returns up to which row an import was dealt with; 0 before the first."""
    rows = transaction.execute("SELECT resume_row FROM import_progress WHERE import_id = ?", (import_id,))
    return int(rows[0][0]) if rows else 0


def store_resume_row(transaction: Transaction, import_id: str, row: int) -> None:
    """Remembers up to which row an import was dealt with; it only goes forward."""
    transaction.execute(
        "INSERT INTO import_progress (import_id, resume_row) VALUES (?, ?) ON CONFLICT (import_id) DO UPDATE SET"
        " resume_row = CASE WHEN excluded.resume_row > import_progress.resume_row THEN excluded.resume_row"
        " ELSE import_progress.resume_row END",
        (import_id, row),
    )
