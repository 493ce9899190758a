"""A file of accounts to import is read row by row, and what is wrong is named by row and column."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from provider_node.import_files import read_rows
from shared.client.provider import ImportRow
from shared.errors import InvalidInput

HEADER = "category,display_name,reviewed_time,subject_reference\n"
REFERENCE = "00112233445566778899aabbccddeeff"


def file_with(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A file with a header and rows."""
    file = folder / "accounts.csv"
    file.write_text("﻿" + header + "".join(f"{row}\n" for row in rows), "utf-8")
    return file


def test_rows_are_numbered_from_one(tmp_path: Path) -> None:
    """Columns come in any order, commas in quoted names, and a byte order mark does no harm."""
    row = f'lifestyle,"样例, 一号",2026-01-05T08:00:00+08:00,{REFERENCE}'
    reviewed = datetime(2026, 1, 5, tzinfo=UTC)
    expected = ImportRow(1, bytes.fromhex(REFERENCE), "样例, 一号", "lifestyle", reviewed)
    assert [expected] == list(read_rows(file_with(tmp_path, row)))


@pytest.mark.parametrize("time", ["2026-01-05T08:00:00", "yesterday", ""])
def test_time_that_says_no_moment_is_left_out(tmp_path: Path, time: str) -> None:
    """A time without its offset could mean several moments: the node refuses that row, and no other."""
    bad, good = f"lifestyle,样例,{time},{REFERENCE}", f"lifestyle,样例,2026-01-05T08:00:00Z,{REFERENCE}"
    assert [True, False] == [row.reviewed_time is None for row in read_rows(file_with(tmp_path, bad, good))]


@pytest.mark.parametrize("row", ["lifestyle,样例,2026-01-05T08:00:00Z,not hexadecimal", "lifestyle,样例"])
def test_reference_that_is_none_is_left_out(tmp_path: Path, row: str) -> None:
    """A row that is cut or has no reference is still sent, to be refused by its number."""
    assert [(1, b"")] == [(each.number, each.subject_reference) for each in read_rows(file_with(tmp_path, row))]


def test_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    """A file of another kind is refused before anything of it is sent."""
    with pytest.raises(InvalidInput) as refused:
        list(read_rows(file_with(tmp_path, "lifestyle,样例", header="category,display_name\n")))
    assert ["subject_reference", "reviewed_time"] == [each.field for each in refused.value.violations]
