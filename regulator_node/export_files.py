"""Exports in files: CSV or Parquet, written page by page, with a checksum beside it.

Until it is whole, an export lies beside its target under other names, together with the cursor up to which it is safely
on the disk. An export that was interrupted goes on from there; one for another filter, or one whose pieces do not fit,
is begun again. The target appears at once, whole, and never half. Memory does not grow with the export.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from io import FileIO, StringIO
from pathlib import Path
from typing import Any, Final, Protocol

from shared.client.officer_types import ExportPage, Filing
from shared.durable_files import sync_folder
from shared.errors import InvalidInput

SETTLE_ROWS: Final = 20_000
"""Filings between two points from which an interrupted export goes on, and of a Parquet row group."""

COLUMNS: Final = tuple(Filing.__dataclass_fields__)
"""Columns of a file: those of a filing, by the same names."""

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")

Pages = Callable[[str], AsyncIterator[ExportPage]]
"""Reads an export from a cursor on."""


class ExportForm(StrEnum):
    """What kind of file is written."""

    CSV = "csv"
    """UTF-8, RFC 4180, with a line of column names."""
    SPREADSHEET = "spreadsheet"
    """CSV for a spreadsheet program: with a byte order mark, and no cell that would be run as a formula."""
    PARQUET = "parquet"
    """Apache Parquet with typed columns."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that is whole: where it is, how many filings it holds, and its SHA-256 in hexadecimal."""

    path: Path
    filings: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Progress:
    """What is safely on the disk: of which export, up to which cursor, and how much of the unfinished pieces."""

    export: str
    cursor: str
    filings: int
    position: int


class _Pieces(Protocol):
    """The unfinished pieces of one file."""

    def begin(self, position: int) -> bool:
        """Keeps the pieces up to a position and no more; False where there is less than that."""

    def append(self, filings: Sequence[Filing]) -> None:
        """Adds filings."""

    def settle(self) -> int:
        """Brings all that was added to the disk, and returns the position after it."""

    def finish(self) -> Path:
        """Makes one file of the pieces and returns where it is."""

    def remove(self) -> None:
        """Removes the pieces."""


async def write_export(
    pages: Pages,
    target: Path,
    form: ExportForm,
    *,
    export: str,
    advance: Callable[[int], None] = lambda _: None,
    settle_rows: int = SETTLE_ROWS,
) -> ExportedFile:
    """Writes an export to a file, going on with what an interrupted call left.

    Args:
        pages: reads the export from a cursor on.
        target: the file; replaced when it is there. Its checksum goes to `<target>.sha256`, as sha256sum writes it.
        form: what kind of file.
        export: says which filings of which register, so that only the same export is gone on with.
        advance: told how many further filings were written.
        settle_rows: filings between two points from which the export can go on.

    Raises:
        FilingnetError: what reading the pages raised; what was written stays for the next call.
    """
    writer = _Writer(target, form, f"{form}/{settle_rows}/{export}", settle_rows)
    progress = writer.resume()
    advance(progress.filings)
    try:
        async for page in pages(progress.cursor):
            progress = writer.add(page, progress)
            advance(len(page.filings))
    except BaseException as error:
        if not isinstance(error, InvalidInput) or error.reason != "PAGE_TOKEN_WRONG" or not progress.cursor:
            writer.leave(progress)
            raise
    else:
        return writer.finish(writer.settle(progress))
    # The register no longer knows the cursor: only another beginning helps.
    writer.discard()
    return await write_export(pages, target, form, export=export, advance=advance, settle_rows=settle_rows)


class _Writer:
    """Writes one file and remembers how far it is."""

    def __init__(self, target: Path, form: ExportForm, export: str, settle_rows: int) -> None:
        self._target = target
        self._export = hashlib.sha256(export.encode()).hexdigest()
        self._progress = target.with_name(f"{target.name}.progress")
        self._settle_rows = settle_rows
        self._unsettled = 0
        self._pieces: _Pieces
        if form is ExportForm.PARQUET:
            self._pieces = _ParquetPieces(target.with_name(f"{target.name}.pieces"))
        else:
            self._pieces = _CsvPieces(target.with_name(f"{target.name}.part"), form is ExportForm.SPREADSHEET)

    def resume(self) -> _Progress:
        """Returns how far an interrupted call came; the beginning where there is nothing to go on with."""
        progress = self._read_progress()
        if progress is not None and self._pieces.begin(progress.position):
            return progress
        self.discard()
        self._pieces.begin(0)
        return _Progress(self._export, "", 0, 0)

    def add(self, page: ExportPage, progress: _Progress) -> _Progress:
        """Writes a page."""
        self._pieces.append(page.filings)
        self._unsettled += len(page.filings)
        progress = _Progress(self._export, page.cursor, progress.filings + len(page.filings), progress.position)
        return self.settle(progress) if self._unsettled >= self._settle_rows else progress

    def settle(self, progress: _Progress) -> _Progress:
        """Brings what was written to the disk, and then how far it is."""
        settled = _Progress(progress.export, progress.cursor, progress.filings, self._pieces.settle())
        _write_whole(self._progress, json.dumps(asdict(settled)).encode())
        self._unsettled = 0
        return settled

    def leave(self, progress: _Progress) -> None:
        """Keeps what was written for the next call; nothing where nothing was."""
        if progress.filings:
            self.settle(progress)
        else:
            self.discard()

    def finish(self, progress: _Progress) -> ExportedFile:
        """Puts the whole file and its checksum in place."""
        whole = self._pieces.finish()
        with whole.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        line = f"{digest}  {self._target.name}\n"
        _write_whole(self._target.with_name(f"{self._target.name}.sha256"), line.encode())
        os.replace(whole, self._target)
        self.discard()
        return ExportedFile(self._target, progress.filings, digest)

    def discard(self) -> None:
        """Removes all that is not the whole file."""
        self._progress.unlink(missing_ok=True)
        self._pieces.remove()
        sync_folder(self._target.parent)

    def _read_progress(self) -> _Progress | None:
        try:
            progress = _Progress(**json.loads(self._progress.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return progress if progress.export == self._export else None


class _CsvPieces:
    """One growing CSV file; a position is its length in bytes."""

    def __init__(self, path: Path, spreadsheet: bool) -> None:
        self._path = path
        self._spreadsheet = spreadsheet
        self._file: FileIO | None = None
        self._end = 0

    def begin(self, position: int) -> bool:
        if position > (self._path.stat().st_size if self._path.exists() else 0):
            return False
        # Unbuffered, so that what was refused by the disk is not written later behind somebody's back.
        self._file = self._path.open("ab", buffering=0)
        self._file.truncate(position)
        self._end = position
        if not position:
            self._write([COLUMNS], "\ufeff" if self._spreadsheet else "")
        return True

    def append(self, filings: Sequence[Filing]) -> None:
        self._write(map(self._row, filings))

    def settle(self) -> int:
        assert self._file is not None
        os.fsync(self._file.fileno())
        return self._end

    def finish(self) -> Path:
        self._close()
        return self._path

    def remove(self) -> None:
        self._close()
        self._path.unlink(missing_ok=True)

    def _write(self, rows: Iterable[Sequence[str]], before: str = "") -> None:
        assert self._file is not None
        text = StringIO(before)
        text.seek(len(before))
        csv.writer(text).writerows(rows)
        content = memoryview(text.getvalue().encode())
        written = 0
        while written < len(content):
            written += self._file.write(content[written:])
        # Only here, so that half a page, after a full disk, is cut off again.
        self._end += written

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _row(self, filing: Filing) -> list[str]:
        row = [_text(getattr(filing, column)) for column in COLUMNS]
        if self._spreadsheet:
            return [f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell for cell in row]
        return row


class _ParquetPieces:
    """A folder of whole Parquet files, made one of at the end; a position is their number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._batches: list[Any] = []

    def begin(self, position: int) -> bool:
        self._folder.mkdir(exist_ok=True)
        if not all(self._piece(number).exists() for number in range(position)):
            return False
        for file in self._folder.iterdir():
            if file not in {self._piece(number) for number in range(position)}:
                file.unlink()
        self._count = position
        return True

    def append(self, filings: Sequence[Filing]) -> None:
        self._batches.append(_record_batch(filings))

    def settle(self) -> int:
        import pyarrow
        from pyarrow import parquet

        if self._batches:
            piece = self._piece(self._count)
            parquet.write_table(pyarrow.Table.from_batches(self._batches), piece)
            _sync(piece)
            sync_folder(self._folder)
            self._batches = []
            self._count += 1
        return self._count

    def finish(self) -> Path:
        from pyarrow import parquet

        whole = self._folder / "whole.parquet"
        with parquet.ParquetWriter(whole, _schema(), compression="zstd") as writer:
            for number in range(self._count):
                writer.write_table(parquet.read_table(self._piece(number), use_threads=False, pre_buffer=False))
        _sync(whole)
        return whole

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._count, self._batches = 0, []

    def _piece(self, number: int) -> Path:
        return self._folder / f"{number:06}.parquet"


def _schema() -> Any:
    import pyarrow as pa

    time, code = pa.timestamp("us", tz="UTC"), pa.dictionary(pa.int32(), pa.string())
    types = {
        "jurisdiction": code,
        "provider": code,
        "category": code,
        "subject_kind": code,
        "subject_region": code,
        "state": code,
        "reason": code,
        "revision": pa.int32(),
        "person_reference": pa.binary(),
        "filed_time": time,
        "effective_time": time,
        "decided_time": time,
        "fields": pa.list_(pa.string()),
        "log_index": pa.int64(),
        "superseded": pa.bool_(),
    }
    return pa.schema([(column, types.get(column, pa.string())) for column in COLUMNS])


def _record_batch(filings: Sequence[Filing]) -> Any:
    import pyarrow as pa

    schema = _schema()
    columns: dict[str, list[object]] = {column: [getattr(each, column) for each in filings] for column in COLUMNS}
    for name in ("subject_kind", "state"):
        columns[name] = [_text(value) for value in columns[name]]
    return pa.RecordBatch.from_pydict(columns, schema=schema)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return " ".join(value)
    return value.name.lower() if hasattr(value, "name") else str(value)


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(content)
    _sync(draft)
    os.replace(draft, path)
    sync_folder(path.parent)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
