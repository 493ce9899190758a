"""What happened in a run, line by line, and the digest by which two runs are known to be the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    """Takes notes.

    Args:
        now: tells the virtual seconds.
        show: is told each line as it happens; None for nobody.
    """

    def __init__(self, now: Callable[[], float], show: Callable[[str], None] | None = None) -> None:
        self._now = now
        self._show = show
        self._digest = hashlib.sha256()

    def note(self, what: str) -> None:
        """Notes what happens now."""
        line = f"{self._now():10.4f}  {what}"
        self._digest.update(line.encode() + b"\n")
        if self._show is not None:
            self._show(line)

    def add(self, data: bytes) -> None:
        """Adds exact bytes to the digest alone."""
        self._digest.update(data)

    def digest(self) -> str:
        """Returns the digest of everything noted so far."""
        return self._digest.hexdigest()
