"""How every program of the network speaks at a terminal: tables or JSON on stdout, errors as one sentence on stderr.

Exit codes are the same everywhere: 0 done, 1 refused or failed, 2 wrong usage, 3 node unreachable. A fault of the
program itself shows where it happened and of which kind it is, never a value: it could be about a person.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import grpc
import typer
import typer.main
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from shared.errors import FilingnetError, Unavailable

FAILED: Final = 1
"""Exit code when the answer is no."""

UNREACHABLE: Final = 3
"""Exit code when no node answered."""

PROGRESS_AFTER_SECONDS: Final = 2.0
"""Progress is shown only of what takes longer."""

_PIPE_WIDTH: Final = 100_000
_UNREACHABLE_CODES: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option of every command that prints rows."""

T = TypeVar("T")


def run(app: typer.Typer) -> None:
    """Runs a program on the arguments of the command line; ends the process when something failed.

    Args:
        app: the program's commands.

    Raises:
        SystemExit: always, with the exit code.
    """
    try:
        name = app.info.name
        typer.main.get_command(app)(prog_name=name if isinstance(name, str) else None)
    except Exception as error:  # noqa: BLE001 - the last place to say it in a sentence
        sys.exit(report(error))


def report(error: BaseException) -> int:
    """Says on stderr what went wrong and how to mend it.

    Args:
        error: what was raised.

    Returns:
        The exit code that fits.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FilingnetError):
        _say(f"error: {error.message}")
        for violation in error.violations:
            _say(f"  {violation.field or 'the message'}: {violation.mend} ({violation.rule})")
        code = getattr(error, "code", None)
        return UNREACHABLE if isinstance(error, Unavailable) or code in _UNREACHABLE_CODES else FAILED
    if isinstance(error, OSError):
        place = f" {error.filename}" if error.filename else ""
        _say(f"error: cannot use{place or ' a file or socket'}: {error.strerror or type(error).__name__}")
        return UNREACHABLE if isinstance(error, ConnectionError) else FAILED
    _say("".join(traceback.format_tb(error.__traceback__)).rstrip())
    _say(f"error: this program has a fault ({type(error).__name__}); report it with the lines above")
    return FAILED


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - this module is where programs speak


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end. Ctrl-C cancels it, lets it clean up and ends the program with code 130.

    Args:
        coroutine: what to run.

    Returns:
        What it returned.
    """
    try:
        return asyncio.run(coroutine)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def print_json(value: object) -> None:
    """Prints a value as JSON on stdout.

    Args:
        value: of plain types, dataclasses, enums, times (printed in ISO 8601), bytes (printed as hexadecimal).
    """
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))  # noqa: T201


def print_rows(rows: Sequence[Mapping[str, object]], *, columns: Sequence[str], as_json: bool, title: str = "") -> None:
    """Prints rows on stdout.

    Args:
        rows: each a mapping by column.
        columns: what the table shows, in order; a name's underscores are shown as spaces.
        as_json: whether to print all that the rows hold as one JSON array instead.
        title: above the table.
    """
    if as_json:
        print_json([dict(row) for row in rows])
        return
    table = Table(*(column.replace("_", " ") for column in columns), title=title or None, box=None, pad_edge=False)
    table.title_justify = "left"
    for row in rows:
        table.add_row(*(Text(_shown(row.get(column)), overflow="fold") for column in columns))
    terminal = Console()
    # In a pipe nothing is cut or wrapped: the next program wants whole lines.
    (terminal if terminal.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


@contextmanager
def progress(
    label: str, total: int | None, *, after_seconds: float = PROGRESS_AFTER_SECONDS
) -> Iterator[Callable[[int], None]]:
    """Shows on stderr how far a long work is, at a terminal and only when it takes more than two seconds.

    Args:
        label: what is done.
        total: how many steps there are; None when that is not known.
        after_seconds: how long it takes until it is shown.

    Yields:
        A function to be told how many further steps are done.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    task = bar.add_task(label, total=total)
    begin = time.monotonic()
    shown = False

    def advance(steps: int) -> None:
        nonlocal shown
        bar.advance(task, steps)
        if not shown and console.is_terminal and time.monotonic() - begin >= after_seconds:
            shown = True
            bar.start()

    try:
        yield advance
    finally:
        if shown:
            bar.stop()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"no JSON is known for {type(value).__name__}")


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return _iso(value.replace(microsecond=0))
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_shown(each) for each in value)
    return str(value)


def _iso(time_: datetime) -> str:
    return time_.astimezone(UTC).isoformat().replace("+00:00", "Z")
