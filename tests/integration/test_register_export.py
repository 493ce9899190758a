"""Exports of the register: complete, resumable, and the same file however often they were interrupted."""

from __future__ import annotations

import csv
import hashlib
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyarrow import parquet

from regulator_node.export import FilingExport
from regulator_node.export_files import COLUMNS, ExportedFile, ExportForm, write_export
from regulator_node.filing_filter import FilingFilter
from regulator_node.filing_mapping import filings_to_wire
from regulator_node.registered_filing import RegisteredFiling
from shared.client.officer_mapping import filings_from_wire
from shared.client.officer_types import ExportPage, Filing
from shared.errors import InvalidInput, Unavailable
from tests.integration.made_register import MadeRegister, made_register


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[MadeRegister]:
    """A register with some hundred filings."""
    made = made_register(database_url, seed=5)
    await made.fill(30)
    yield made
    await made.database.close()


async def exported(register: MadeRegister, given: FilingFilter, *, resume_each: bool = False) -> list[RegisteredFiling]:
    """Exports all; with resume_each, each page by a new call, while filings arrive."""
    found: list[RegisteredFiling] = []
    cursor = ""
    while True:
        page_read = False
        async for page in FilingExport(register.database, page_size=20).pages(given, cursor):
            found += page.filings
            cursor, page_read = page.next_token, True
            if resume_each:
                alive = [fact for fact in register.shown() if not fact.withdrawn and fact.jurisdiction == "330000"]
                amended = [register.next_revision(fact) for fact in register.randomness.sample(alive, 4)]
                await register.file("330000", [register.new_account(), *amended])
                break
        if not page_read or not resume_each:
            return found


@pytest.mark.parametrize("text", ["", "新闻"])
async def test_a_resumed_export_is_the_same_export(register: MadeRegister, text: str) -> None:
    """An export gives each account once, as the register was when it began, also when it is resumed after each page."""
    given = FilingFilter(text=text)
    shown = [fact for fact in register.shown() if text in fact.display_name + " " + fact.organisation_name]
    expected = [fact.position for fact in shown]
    assert expected == [filing.position for filing in await exported(register, given)]
    assert expected == [filing.position for filing in await exported(register, given, resume_each=True)]


async def test_a_cursor_of_another_filter_is_refused(register: MadeRegister) -> None:
    """A cursor goes on with its own export only."""
    async for page in FilingExport(register.database, page_size=20).pages(FilingFilter()):
        cursor = page.next_token
    with pytest.raises(InvalidInput) as refused:
        await anext(FilingExport(register.database).pages(FilingFilter(state=1), cursor))
    assert ("PAGE_TOKEN_WRONG", "cursor") == (refused.value.reason, refused.value.violations[0].field)


def filing(number: int, display_name: str = "") -> Filing:
    """Makes up a filing."""
    registered = RegisteredFiling(
        jurisdiction="330000",
        log_index=number,
        provider="provider/wave",
        account_id=number.to_bytes(16, "big"),
        revision=1,
        display_name=display_name or f"杭州“新闻”,{number}\u2009号",
        category="education",
        subject_kind=1 if number % 2 else 3,
        person_reference=bytes(16) if number % 2 else None,
        uscc=None if number % 2 else "91330100MA27X0AB0C",
        organisation_name="" if number % 2 else "样例有限公司",
        subject_region="330000",
        state=1 + number % 4,
        filed_time=1_700_000_000_000_001 + number,
        effective_time=1_700_000_000_000_000,
        superseded_time=None,
        decided_time=1_700_000_100_000_000 if number % 4 == 2 else None,
        reason="other" if number % 4 == 2 else "",
        fields="display_name category" if number % 4 == 2 else "",
        note="改名" if number % 4 == 2 else "",
    )
    return filings_from_wire(filings_to_wire([registered]))[0]


class Source:
    """Pages of made-up filings; fails before chosen pages, once each."""

    def __init__(self, count: int, fail_before: tuple[int, ...] = ()) -> None:
        self.filings = [filing(number) for number in range(count)]
        self.fail_before = list(fail_before)
        self.begun_at: list[str] = []

    async def pages(self, cursor: str) -> AsyncIterator[ExportPage]:
        """Reads pages of ten; a cursor is the number of the next filing."""
        self.begun_at.append(cursor)
        for start in range(int(cursor or 0), len(self.filings), 10):
            if start in self.fail_before:
                self.fail_before.remove(start)
                raise Unavailable("the node does not answer", "PEER_UNREACHABLE")
            end = min(start + 10, len(self.filings))
            yield ExportPage(tuple(self.filings[start:end]), str(end))


async def written(source: Source, target: Path, form: ExportForm, export: str = "all") -> bytes:
    """Writes an export, trying again until it is whole; returns the file's bytes."""
    while True:
        try:
            done = await write_export(source.pages, target, form, export=export, settle_rows=30)
        except Unavailable:
            assert target.name not in os.listdir(target.parent)
            continue
        assert len(source.filings) == done.filings
        return checked(target, done)


def checked(target: Path, done: ExportedFile) -> bytes:
    """Checks that a file is whole, has its checksum and has nothing else beside it; returns its bytes."""
    content = target.read_bytes()
    assert hashlib.sha256(content).hexdigest() == done.sha256
    assert f"{done.sha256}  {target.name}\n" == target.with_name(f"{target.name}.sha256").read_text()
    assert {target.name, f"{target.name}.sha256"} == set(os.listdir(target.parent))
    return content


@pytest.mark.parametrize("form", ExportForm)
async def test_an_interrupted_file_is_the_same_file(form: ExportForm, tmp_path: Path) -> None:
    """A file that was written in five goes is, byte for byte, the one that was written in one, and has its checksum."""
    (tmp_path / "one").mkdir()
    (tmp_path / "five").mkdir()
    whole = await written(Source(175), tmp_path / "one" / "filings", form)
    broken = Source(175, fail_before=(30, 60, 90, 120))
    assert whole == await written(broken, tmp_path / "five" / "filings", form)
    assert ["", "30", "60", "90", "120"] == broken.begun_at


async def test_csv_holds_what_was_filed(tmp_path: Path) -> None:
    """A CSV file is plain UTF-8 that any reader of RFC 4180 gives back unchanged."""
    source = Source(12)
    content = (await written(source, tmp_path / "filings.csv", ExportForm.CSV)).decode()
    rows = list(csv.DictReader(content.splitlines()))
    assert list(COLUMNS) == list(rows[0])
    assert [each.display_name for each in source.filings] == [row["display_name"] for row in rows]
    assert ("person", "enterprise") == (rows[1]["subject_kind"], rows[0]["subject_kind"])
    assert ("returned", "display_name category", "改名") == (rows[2]["state"], rows[2]["fields"], rows[2]["note"])
    assert "2023-11-14T22:13:20.000001Z" == rows[0]["filed_time"]
    assert ("", "false") == (rows[0]["decided_time"], rows[0]["superseded"])


async def test_a_spreadsheet_runs_no_public_name(tmp_path: Path) -> None:
    """A name that a spreadsheet would run as a formula is text there, and the byte order mark is there once."""
    source = Source(0)
    source.filings = [filing(0, name) for name in ("=1+1", "+8", "-号", "@浙江", "浙江=号")]
    content = await written(source, tmp_path / "filings.csv", ExportForm.SPREADSHEET)
    assert content.startswith(b"\xef\xbb\xbfjurisdiction,")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert ["'=1+1", "'+8", "'-号", "'@浙江", "浙江=号"] == [row["display_name"] for row in rows]


async def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    """A Parquet file gives back times as times, numbers as numbers and lists as lists."""
    source = Source(12)
    await written(source, tmp_path / "filings.parquet", ExportForm.PARQUET)
    rows = parquet.read_table(tmp_path / "filings.parquet").to_pylist()
    assert [each.display_name for each in source.filings] == [row["display_name"] for row in rows]
    assert datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC) == rows[0]["filed_time"]
    assert (["display_name", "category"], "returned", 2, False) == tuple(
        rows[2][column] for column in ("fields", "state", "log_index", "superseded")
    )
    assert (None, b"\0" * 16) == (rows[0]["decided_time"], rows[1]["person_reference"])


@pytest.mark.parametrize("form", ExportForm)
async def test_another_export_begins_anew(form: ExportForm, tmp_path: Path) -> None:
    """What an export of other filings left behind is not gone on with, nor what was damaged since."""
    target = tmp_path / "filings"
    for damaged in (False, True):
        with pytest.raises(Unavailable):
            await write_export(Source(100, (60,)).pages, target, form, export="some", settle_rows=30)
        if damaged:
            remove_a_piece(target, form)
        again = Source(100)
        await written(again, target, form, "some" if damaged else "others")
        assert [""] == again.begun_at
        target.unlink()


def remove_a_piece(target: Path, form: ExportForm) -> None:
    """Removes something of what an interrupted export left."""
    if form is ExportForm.PARQUET:
        (target.parent / "filings.pieces" / "000000.parquet").unlink()
    else:
        os.truncate(target.parent / "filings.part", 100)


async def test_a_cursor_that_the_register_no_longer_knows_begins_anew(tmp_path: Path) -> None:
    """When the register refuses the cursor, the file is written from the beginning instead of never."""
    target = tmp_path / "filings.csv"
    with pytest.raises(Unavailable):
        await write_export(Source(40, (20,)).pages, target, ExportForm.CSV, export="all")
    assert {"filings.csv.part", "filings.csv.progress"} == set(os.listdir(tmp_path))
    source = Source(40)

    async def pages(cursor: str) -> AsyncIterator[ExportPage]:
        if cursor:
            raise InvalidInput("the page token is not of this query", "PAGE_TOKEN_WRONG")
        async for page in source.pages(cursor):
            yield page

    done = await write_export(pages, target, ExportForm.CSV, export="all")
    assert 40 == done.filings
    assert 41 == len(target.read_text().splitlines())


@pytest.mark.parametrize("form", ExportForm)
async def test_an_export_that_never_began_leaves_nothing(form: ExportForm, tmp_path: Path) -> None:
    """An export that was refused leaves no file behind."""
    with pytest.raises(Unavailable):
        await write_export(Source(40, (0,)).pages, tmp_path / "filings", form, export="all")
    assert [] == os.listdir(tmp_path)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_half_a_page_is_cut_off(tmp_path: Path) -> None:
    """A page that the disk took only half of is written whole by the next call, and those before it stay."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    whole = await written(Source(100), tmp_path / "one" / "filings", ExportForm.CSV)
    with full_disk(len(whole) // 2), pytest.raises(OSError, match="too large"):
        await written(Source(100), tmp_path / "two" / "filings", ExportForm.CSV)
    again = Source(100)
    assert whole == await written(again, tmp_path / "two" / "filings", ExportForm.CSV)
    assert 30 < int(again.begun_at[0]) < 60
