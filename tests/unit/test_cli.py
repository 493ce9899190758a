"""How programs speak: exit codes, one plain sentence with the mend, whole lines in a pipe, and no value of a fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from enum import IntEnum

import grpc
import pytest
import typer

from shared import cli
from shared.errors import FailedPrecondition, FilingnetError, InvalidInput, NotFound, Unavailable, Violation


def outcome(error: BaseException | None, *arguments: str) -> int:
    """Runs a program of one command that raises, and returns its exit code."""
    app = typer.Typer()

    @app.command()
    def work(count: int = 1) -> None:
        """Works.

        Example: program --count 2
        """
        if error is not None:
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["program", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.run(app)
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (NotFound("there is no such filing: search for it", "FILING_UNKNOWN"), 1),
        (FailedPrecondition("run init first", "NOT_JOINED"), 1),
        (Unavailable("the node is not there: start it", "UNREACHABLE"), 3),
        (ConnectionRefusedError(111, "Connection refused"), 3),
        (FileNotFoundError(2, "No such file or directory", "token.txt"), 1),
        (ValueError("anything"), 1),
        (ExceptionGroup("several", [Unavailable("the node is not there: start it", "UNREACHABLE")]), 3),
    ],
)
def test_the_exit_code_says_what_became_of_it(error: BaseException | None, code: int) -> None:
    """0 done, 1 refused or failed, 3 node unreachable: scripts depend on it."""
    assert code == outcome(error)


def test_wrong_usage_has_its_own_exit_code() -> None:
    """2 for an option that does not exist or does not fit."""
    assert (2, 2) == (outcome(None, "--colour", "red"), outcome(None, "--count", "many"))


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """--help prints the example and ends with 0."""
    assert 0 == outcome(None, "--help")
    assert "Example: program --count 2" in capsys.readouterr().out


def test_an_error_is_one_sentence_and_its_violations(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong is said on stderr field by field, and nothing is on stdout."""
    violations = [Violation("licence", "LICENCE_MISSING", "give the licence"), Violation("", "SIZE", "send less")]
    outcome(InvalidInput("correct the request", "FIELD_VIOLATIONS", violations))
    printed = capsys.readouterr()
    expected = (
        "error: correct the request\n  licence: give the licence (LICENCE_MISSING)\n  the message: send less (SIZE)\n"
    )
    assert ("", expected) == (printed.out, printed.err)


def test_a_remote_error_that_means_nobody_answered_is_unreachable() -> None:
    """A status UNAVAILABLE from the wire ends the program as an absent node does, whatever its class."""

    class RemoteError(FilingnetError):
        code = grpc.StatusCode.UNAVAILABLE

    assert 3 == cli.report(RemoteError("the node is not there", "UNREACHABLE"))


def test_a_fault_shows_its_place_and_never_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception's text can hold a person's number: it is not printed, its type and lines are."""
    outcome(KeyError("11010519491231002X"))
    said = capsys.readouterr().err
    assert ("KeyError" in said, "line" in said, "11010519491231002X" in said) == (True, True, False)


class Colour(IntEnum):
    RED = 1


ROWS = [{"display_name": "测试公众号", "filed_time": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "late": False}]


def test_rows_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """People read columns by name, times to the second, and yes or no."""
    cli.print_rows(ROWS, columns=["display_name", "filed_time", "late"], as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [["display", "name", "filed", "time", "late"], ["测试公众号", "2026-01-02T03:04:05Z", "no"]] == lines


def test_a_long_row_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """The next program gets lines that are neither cut nor wrapped."""
    cli.print_rows([{"name": "名" * 300, "more": "x" * 300}], columns=["name", "more"], as_json=False)
    assert 2 == len(capsys.readouterr().out.splitlines())


def test_rows_as_json_are_everything_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get every field, also those the table leaves out, as one JSON array."""
    cli.print_rows([{"name": "甲", "digest": b"\x01\xff", "kind": Colour.RED}], columns=["name"], as_json=True)
    assert [{"name": "甲", "digest": "01ff", "kind": 1}] == json.loads(capsys.readouterr().out)


def test_markup_in_a_value_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A public name with brackets is no instruction to the terminal."""
    cli.print_rows([{"name": "[bold]新闻[/bold]"}], columns=["name"], as_json=False)
    assert "[bold]新闻[/bold]" == capsys.readouterr().out.splitlines()[1].strip()


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """In a script stderr holds errors only, however long it takes."""
    with cli.progress("importing", 3, after_seconds=0) as advance:
        for _ in range(3):
            advance(1)
    assert ("", "") == tuple(capsys.readouterr())


@pytest.mark.parametrize(("after_seconds", "shown"), [(0, True), (cli.PROGRESS_AFTER_SECONDS, False)])
def test_progress_is_shown_at_a_terminal_once_it_takes_long(after_seconds: float, shown: bool) -> None:
    """People see how far a long import is, and no flicker of a short one."""
    program = f"""
from shared import cli
with cli.progress("importing", 3, after_seconds={after_seconds}) as advance:
    for _ in range(3):
        advance(1)
"""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen([sys.executable, "-c", program], stderr=theirs, env={**os.environ, "TERM": "xterm"})
        os.close(theirs)
        said = b""
        # Linux tells the end of a pseudo-terminal by an error.
        with contextlib.suppress(OSError):
            while chunk := terminal.read(4096):
                said += chunk
        assert 0 == process.wait()
    assert shown == (b"importing" in said)


def test_waiting_returns_the_result() -> None:
    """A command waits for its coroutine."""
    assert "done" == cli.wait_for(asyncio.sleep(0, "done"))


def test_ctrl_c_ends_with_130_after_cleaning_up() -> None:
    """Ctrl-C cancels the work, lets it clean up and ends the program with the code that shells expect."""
    program = """
import asyncio, os, signal, typer
from shared import cli
app = typer.Typer()
async def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)
@app.command()
def main():
    cli.wait_for(work())
cli.run(app)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (130, "cleaned up\n", "") == (done.returncode, done.stdout, done.stderr)
