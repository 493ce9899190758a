"""The log: JSON lines in which no person can be found, whoever writes them and whatever goes wrong."""

from __future__ import annotations

import asyncio
import enum
import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared import telemetry
from shared.telemetry import REMOVED, describe_failure, without_identities
from tests.captured_log import captured_log

PLANTED = "110101187001010017"
"""A made-up number with a valid check character, of somebody made up and born in 1870."""

PHONE = "13800138000"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log, configured as a node does it; restored afterwards."""
    with captured_log() as stream:
        yield stream


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_event_first(lines: io.StringIO) -> None:
    """Programs read the log line by line; times are UTC."""
    structlog.get_logger("any").info("filed", log_index=7, account="5d0fdb1e", jurisdiction="330000")
    (line,) = read(lines)
    assert list(line) == ["time", "level", "event", "log_index", "account", "jurisdiction"]
    assert line["level"] == "info"
    assert line["event"] == "filed"
    assert line["log_index"] == 7
    assert datetime.fromisoformat(line["time"]).utcoffset() == UTC.utcoffset(None)


def test_only_lines_of_the_level_and_above_are_written(lines: io.StringIO) -> None:
    """The level is a setting, and a wrong one is refused with the choices."""
    telemetry.configure("warning", lines)
    structlog.get_logger("any").info("quiet")
    structlog.get_logger("any").warning("loud")
    assert [line["event"] for line in read(lines)] == ["loud"]
    with pytest.raises(ValueError, match="choose DEBUG, INFO, WARNING or ERROR"):
        telemetry.configure("loud", lines)


@pytest.mark.parametrize(
    "value",
    [
        f"registered {PLANTED} today",
        [1, {"deep": (PLANTED, "clean")}],
        {f"key {PLANTED}": 1},
        {PLANTED},
        Path("/srv") / PLANTED,
        int(PHONE),
        enum.StrEnum("Kind", {"PERSON": PLANTED}).PERSON,  # type: ignore[attr-defined]
        ValueError(PLANTED),
        PLANTED.encode(),
        structlog.testing.LogCapture(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_planted_person_is_in_no_line(lines: io.StringIO, value: object) -> None:
    """Wherever in a line a person is put, the line comes without."""
    structlog.get_logger("any").info("event", value=value)
    assert len(read(lines)) == 1
    for secret in (PLANTED, PHONE):
        assert secret not in lines.getvalue()


def test_a_planted_person_in_the_event_itself_is_removed(lines: io.StringIO) -> None:
    """Also what should have been a constant is read by the guard."""
    structlog.get_logger("any").warning(f"refused {PLANTED}")
    assert [line["event"] for line in read(lines)] == [REMOVED]


def test_a_clean_value_is_told_as_it_is() -> None:
    """The guard costs the operator nothing of what is clean."""
    told = without_identities(
        {
            "text": "前方记者站 330000",
            "number": 12,
            "size": 1.5,
            "none": None,
            "yes": True,
            "day": date(2026, 1, 2),
            "time": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            "path": Path("/srv/node"),
            "list": ("a", 1),
            "object": object(),
            "bytes": b"123",
        }
    )
    assert told == {
        "text": "前方记者站 330000",
        "number": 12,
        "size": 1.5,
        "none": None,
        "yes": True,
        "day": "2026-01-02",
        "time": "2026-01-02T03:04:00+00:00",
        "path": "/srv/node",
        "list": ["a", 1],
        "object": "[object]",
        "bytes": "[bytes]",
    }


def test_what_the_guard_fails_to_read_is_not_written() -> None:
    """The guard fails closed: its own error removes the text."""

    def broken(text: str) -> list[object]:
        raise RuntimeError(text)

    assert without_identities(["clean", {"key": 10**12}], broken) == [REMOVED, {REMOVED: REMOVED}]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), st.lists))
def test_any_value_makes_a_line(value: object) -> None:
    """No value, however odd, keeps an event from being written or breaks who logs it."""
    json.dumps(without_identities(value), ensure_ascii=False).encode()


def test_a_value_that_goes_on_for_ever_is_bounded() -> None:
    """A line is bounded, whatever is put into it."""
    endless: list[object] = []
    endless.append(endless)
    assert len(json.dumps(without_identities([endless] * 1000))) < 10_000
    assert without_identities("x" * 10_000) == "x" * 2000


def test_an_exception_is_told_by_type_and_frames(lines: io.StringIO) -> None:
    """Neither its text nor that of its causes is told; where it happened is, without the folders above."""
    try:
        try:
            raise KeyError(PLANTED)
        except KeyError as error:
            raise ValueError(f"no {PLANTED}") from error
    except ValueError:
        structlog.get_logger("any").exception("storing_failed", exc_info=True)
    (line,) = read(lines)
    assert line["error"] == "ValueError"
    assert line["causes"] == ["KeyError"]
    (frame,) = line["frames"]
    assert frame.endswith(" test_an_exception_is_told_by_type_and_frames")
    assert frame.count("/") == 2
    assert PLANTED not in lines.getvalue()
    assert "no " not in frame


def test_a_deep_failure_is_bounded() -> None:
    """A recursion without end makes a line, not a book."""

    def fall(depth: int) -> None:
        if depth == 0:
            raise ExceptionGroup(PLANTED, [ValueError(PLANTED), TypeError()])
        fall(depth - 1)

    with pytest.raises(ExceptionGroup) as raised:
        fall(100)
    told = describe_failure(raised.value)
    assert told["error"] == "ExceptionGroup"
    assert told["causes"] == ["ValueError", "TypeError"]
    assert len(told["frames"]) == 30


def test_a_library_is_told_by_its_template(lines: io.StringIO) -> None:
    """A library's message comes without what it filled in; below WARNING it is not told, whatever it sets itself."""
    logger = logging.getLogger("peewee")
    logger.setLevel(logging.DEBUG)
    logger.debug("INSERT INTO subject VALUES (%s)", "made up")
    logger.warning("cannot store %s\nrow: made up", "made up")
    logger.setLevel(logging.NOTSET)
    (line,) = read(lines)
    assert line["event"] == "cannot store %s"
    assert line["level"] == "warning"
    assert line["logger"] == "peewee"
    assert line["at"].startswith("tests/unit/test_telemetry.py:")
    assert "made up" not in lines.getvalue()


async def test_a_task_that_failed_unseen_is_told_without_its_text(lines: io.StringIO) -> None:
    """asyncio reports a forgotten task with the repr of its exception; the line has the type and the frames only."""

    async def fail() -> None:
        raise ValueError("made up text")

    task = asyncio.get_running_loop().create_task(fail())
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "task": task}
    )
    (line,) = read(lines)
    assert line["event"] == "Task exception was never retrieved"
    assert line["logger"] == "asyncio"
    assert line["error"] == "ValueError"
    assert line["frames"][-1].endswith(" fail")
    assert "made up text" not in lines.getvalue()


def test_a_warning_is_told_by_kind_and_place(lines: io.StringIO) -> None:
    """The text of a warning may quote values; what and where it is, is told."""
    shown = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = shown
        warnings.warn("odd made up text", stacklevel=1)
    (line,) = read(lines)
    assert line["event"] == "warning"
    assert line["kind"] == "UserWarning"
    assert line["at"].startswith("tests/unit/test_telemetry.py:")
    assert "made up text" not in lines.getvalue()


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    """A full disk under the log, or a closed pipe, is no reason for a call to fail."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            """Has no room."""
            raise OSError(28, "No space left on device")

    with captured_log():
        telemetry.configure("INFO", Full())
        structlog.get_logger("any").info("filed")
        logging.getLogger("library").warning("odd")


CRASH = """
import sys, threading
from shared import telemetry

telemetry.configure("INFO")

def fail(number):
    raise ValueError("cannot store " + number)

class Odd:
    def __del__(self):
        fail("{planted}")

thread = threading.Thread(target=fail, args=("{planted}",))
thread.start()
thread.join()
Odd()
import resource
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
fail("{planted}")
"""


def test_a_crash_shows_types_and_frames_only() -> None:
    """What ends the program, a thread or a clean-up is told without text and values; no image of the memory is left."""
    crashed = subprocess.run(  # a process of its own: hooks are the process's
        [sys.executable, "-c", CRASH.replace("{planted}", PLANTED)], capture_output=True, text=True, check=False
    )
    told = [json.loads(line) for line in crashed.stderr.splitlines()]
    assert crashed.returncode == 1
    assert crashed.stdout == "0\n"
    assert [(line["event"], line["error"]) for line in told] == [("uncaught_exception", "ValueError")] * 3
    assert all(line["frames"][-1].endswith(" fail") for line in told)
    assert PLANTED not in crashed.stderr
    assert "cannot store" not in crashed.stderr
