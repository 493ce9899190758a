"""What a node writes down about itself: JSON lines on stderr, in which no person can be found.

Every line, ours and that of any library, passes the egress guard string by string; a string in which it finds identity
data is replaced whole, and so is one that the guard could not read. Exceptions are told by type and frames: never by
their text, which may quote what was being stored, and never with values of variables. Messages of libraries are told
by their template, without the values filled in.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import logging
import resource
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import islice
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from shared.clock import system_clock
from shared.egress import findings

REMOVED: Final = "[identity removed]"
"""Stands for a string in which the guard found identity data."""

MAX_TEXT: Final = 2000
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 6
MAX_FRAMES: Final = 30
MAX_CAUSES: Final = 5
PATH_PARTS: Final = 3
"""How much of a source file's path is told: the folders above may be named after a person."""


_SET_DUMPABLE: Final = 4
"""PR_SET_DUMPABLE of prctl(2)."""


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Makes structlog, the logging module, warnings and uncaught exceptions write JSON lines.

    Args:
        level: least level of our own events, e.g. "INFO"; libraries are told from WARNING on, because what they say
            below it quotes statements and their parameters.
        stream: where to; stderr if None.

    Raises:
        ValueError: there is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level} is no level: choose DEBUG, INFO, WARNING or ERROR")
    target = stream or sys.stderr
    lines = _Lines(target)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    libraries = _LibraryHandler(lines, max(number, logging.WARNING))
    logging.basicConfig(handlers=[libraries], level=libraries.level, force=True)
    warnings.showwarning = _tell_warning
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda args: _tell_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _tell_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    _close_crash_output(target)


def describe_failure(error: BaseException) -> dict[str, Any]:
    """Tells an exception without its text.

    Returns:
        "error", the name of its type; "causes", those of what led to it; "frames", "file:line function", innermost
        last, at most 30.
    """
    causes: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < MAX_CAUSES:
        causes.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    told: dict[str, Any] = {"error": type(error).__name__, "frames": _frames(error.__traceback__)}
    if isinstance(error, BaseExceptionGroup):
        causes += [type(each).__name__ for each in error.exceptions[:MAX_CAUSES]]
    if causes:
        told["causes"] = causes
    return told


def without_identities(value: object, find: Callable[[str], Sequence[object]] = findings, depth: int = 0) -> object:
    """Returns a value as a log line may hold it: guarded, bounded, of JSON's types.

    Args:
        value: anything; what is neither text, number, time nor a collection of them is told by its type.
        find: the guard: what it finds in a text; empty where the text is clean.
        depth: how deep inside the line it is.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str | PurePath):
        return _guarded(str(value), find)
    if isinstance(value, int):
        return _guarded_number(value, find)
    if isinstance(value, date):
        return value.isoformat()
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            pairs = islice(value.items(), MAX_ITEMS)
            return {_guarded(str(key), find): without_identities(item, find, depth + 1) for key, item in pairs}
        if isinstance(value, list | tuple | set | frozenset):
            return [without_identities(item, find, depth + 1) for item in islice(value, MAX_ITEMS)]
    return f"[{type(value).__name__}]"


def _guarded_number(value: int, find: Callable[[str], Sequence[object]]) -> object:
    # A telephone number or an ID number may be a number.
    if abs(value) < 10**10:
        return value
    if abs(value) >= 10**18:
        return "[int]"
    return REMOVED if _guarded(str(value), find) == REMOVED else value


def _guarded(text: str, find: Callable[[str], Sequence[object]]) -> str:
    try:
        found = find(text)
    except Exception:  # noqa: BLE001 - whatever the guard fails of, what it did not read is not written
        return REMOVED
    # Half a surrogate pair cannot be written.
    return REMOVED if found else text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode("utf-8")


def _render(logger: object, level: str, event: MutableMapping[str, Any]) -> str:
    """Makes an event a line; the last of structlog's processors."""
    del logger
    try:
        error = _exception_of(event.pop("exc_info", None))
        if error is not None:
            event.update(describe_failure(error))
        told = {key: without_identities(value) for key, value in event.items()}
        first = {"time": _now(), "level": level, "event": told.pop("event", "")}
        return json.dumps({**first, **told}, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - a line that fails must not fail who logs; and its error would quote it
        return json.dumps({"time": _now(), "level": "error", "event": "log_line_lost"})


def _exception_of(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    found = (given if isinstance(given, tuple) and len(given) == 3 else sys.exc_info())[1] if given else None
    return found if isinstance(found, BaseException) else None


def _now() -> str:
    return system_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Lines:
    """Writes whole lines; one that cannot be written, to a full disk say, is given up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        """Writes one line."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


class _LibraryHandler(logging.Handler):
    """Writes the records of libraries as lines like ours, by their template: the values filled in may be anybody's."""

    def __init__(self, lines: _Lines, level: int) -> None:
        super().__init__(level)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        at = f"{_short(record.pathname)}:{record.lineno}"
        event = {"event": _template(record), "logger": record.name, "at": at, "exc_info": record.exc_info}
        self._lines.msg(_render(None, record.levelname.lower(), event))


def _template(record: logging.LogRecord) -> str:
    # asyncio fills in by itself, from the second line on, the repr of what failed.
    lines = record.msg.splitlines() if isinstance(record.msg, str) else []
    return lines[0] if lines else record.name


def _tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Tells the kind and the place of a warning; its text may quote values."""
    del message, file, line
    structlog.get_logger(__name__).warning("warning", kind=category.__name__, at=f"{_short(filename)}:{lineno}")


def _tell_uncaught(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> None:
    del frames
    if issubclass(kind, KeyboardInterrupt):
        return
    told = describe_failure(error) if error is not None else {"error": kind.__name__}
    structlog.get_logger(__name__).critical("uncaught_exception", **told)


def _frames(first: TracebackType | None) -> list[str]:
    walked = [(frame.f_code, line) for frame, line in traceback.walk_tb(first)]
    return [f"{_short(code.co_filename)}:{line} {code.co_name}" for code, line in walked[-MAX_FRAMES:]]


def _short(path: str) -> str:
    return "/".join(PurePath(path).parts[-PATH_PARTS:])


def _close_crash_output(stream: TextIO) -> None:
    """Lets a crash tell its frames, and leave no image of the memory, which holds identities."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        # The limit above binds no program that takes images off a pipe; this does, and it keeps debuggers out as well.
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    # A stream that is no file, as in tests, takes nothing from a crash of the interpreter.
    with suppress(OSError, ValueError, AttributeError, RuntimeError):
        faulthandler.enable(stream)
