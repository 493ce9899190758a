"""Verdicts in a CSV file, so that a desk's day can be decided at once: one line each, with a line of column names.

Columns: provider, account_id, revision, outcome (accepted or returned); and, where they are needed, reason, fields
(separated by spaces), note and etag. A file that `filings export` wrote has the first three.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.client.officer_types import Outcome, Verdict
from shared.errors import InvalidInput, Violation

REQUIRED: Final = ("provider", "account_id", "revision", "outcome")

_OUTCOMES: Final = {outcome.name.lower(): outcome for outcome in Outcome}


def read_verdicts(path: Path) -> list[Verdict]:
    """Reads verdicts.

    Args:
        path: a CSV file in UTF-8.

    Raises:
        InvalidInput: VERDICT_FILE_WRONG, with every line that cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        try:
            return _verdicts(rows)
        except (csv.Error, UnicodeDecodeError):
            mend = "write the file as CSV in UTF-8"
            raise _refused([Violation(f"line {rows.line_num + 1}", "VERDICT_WRONG", mend)]) from None


def _verdicts(rows: csv.DictReader[str]) -> list[Verdict]:
    missing = [column for column in REQUIRED if column not in (rows.fieldnames or ())]
    if missing:
        raise _refused([Violation("line 1", "COLUMN_MISSING", f"add the columns {', '.join(missing)}")])
    verdicts: list[Verdict] = []
    violations: list[Violation] = []
    for row in rows:
        try:
            verdicts.append(_verdict(row))
        except (ValueError, KeyError):
            mend = "give provider, account_id, a whole number as revision, and accepted or returned as outcome"
            violations.append(Violation(f"line {rows.line_num}", "VERDICT_WRONG", mend))
    if violations:
        raise _refused(violations)
    return verdicts


def _verdict(row: Mapping[str, str | None]) -> Verdict:
    values = {column: (value or "").strip() for column, value in row.items() if isinstance(value, str)}
    return Verdict(
        provider=values["provider"],
        account_id=values["account_id"],
        revision=int(values["revision"]),
        outcome=_OUTCOMES[values["outcome"].lower()],
        reason=values.get("reason", ""),
        fields=tuple(values.get("fields", "").split()),
        note=values.get("note", ""),
        etag=values.get("etag", ""),
    )


def _refused(violations: list[Violation]) -> InvalidInput:
    return InvalidInput("the file of verdicts cannot be read; nothing was decided", "VERDICT_FILE_WRONG", violations)
