"""The log of a node in a test: configured as a program does it, read line by line, and put back afterwards."""

from __future__ import annotations

import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shared import telemetry


@contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """Gives what is logged; the process logs as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    stream = io.StringIO()
    telemetry.configure("INFO", stream)
    try:
        yield stream
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = hooks
