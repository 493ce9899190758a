"""A file of accounts to import: CSV with a header, one account a row, read as it is sent.

A value that cannot be read is left out of its row, and the node refuses that row alone, by its number.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final

from shared.client.provider import ImportRow
from shared.errors import InvalidInput, Violation

COLUMNS: Final = ("subject_reference", "display_name", "category", "reviewed_time")
"""The columns that a file needs, in any order: the reference in hexadecimal, the time in ISO 8601 with its offset."""

STDIN: Final = "-"


def read_rows(file: Path) -> Iterator[ImportRow]:
    """Reads the rows of a file, numbered from 1 without the header.

    Args:
        file: in UTF-8; "-" for stdin.

    Raises:
        InvalidInput: IMPORT_FILE_WRONG, a column is missing, or a line is no CSV in UTF-8.
        OSError: it cannot be read.
    """
    opened = nullcontext(sys.stdin) if str(file) == STDIN else file.open(encoding="utf-8-sig", newline="")
    with opened as lines:
        reader = csv.DictReader(lines)
        try:
            _check_columns(reader.fieldnames or ())
            for number, row in enumerate(reader, start=1):
                yield ImportRow(
                    number=number,
                    subject_reference=_reference(row["subject_reference"]),
                    display_name=row["display_name"] or "",
                    category=row["category"] or "",
                    reviewed_time=_time(row["reviewed_time"]),
                )
        except (csv.Error, UnicodeDecodeError):
            mend = "write the file as CSV in UTF-8, and import it again: what is in is known"
            violation = Violation(f"line {reader.line_num + 1}", "IMPORT_FILE_WRONG", mend)
            raise InvalidInput("the file cannot be read any further", "IMPORT_FILE_WRONG", [violation]) from None


def _check_columns(found: Collection[str]) -> None:
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        mend = f"give a header with the columns {', '.join(COLUMNS)}"
        violations = [Violation(column, "IMPORT_FILE_WRONG", mend) for column in missing]
        raise InvalidInput(f"the file lacks columns: {mend}", "IMPORT_FILE_WRONG", violations)


def _reference(text: str | None) -> bytes:
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
