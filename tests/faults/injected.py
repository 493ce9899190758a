"""One fault in one system call of one thread, by strace: a kill on entering it, or an error in its place.

strace attaches to a thread of a process that already runs, so that counting begins where the test wants it to, and it
counts the calls of that thread alone: the same call is hit in every run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

WRITES: Final = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "fsync", "fdatasync", "sync_file_range", "ftruncate"),
    *("fallocate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "openat", "mkdir"),
)
"""System calls that change what is on a disk, or make it last; openat where it makes a file."""

MISSING: Final = "strace makes the faults of this test and is not here: install strace (Debian: apt-get install strace)"

_CALL: Final = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)$")


@dataclass(frozen=True, slots=True)
class Point:
    """A system call: the so-many-th one of its kind that a thread makes, on which file."""

    thread: str
    call: str
    number: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at a point.

    Attributes:
        error: "EIO" or "ENOSPC" in place of the call; empty kills the process on entering it.
        lasting: every later call of the kind fails as well, until strace lets go.
        killed_after: the process is killed as soon as everybody was told of the error.
    """

    point: Point
    error: str = ""
    lasting: bool = False
    killed_after: bool = False

    @property
    def injection(self) -> str:
        """What strace is told."""
        what = f"error={self.error}" if self.error else "signal=KILL"
        return f"inject={self.point.call}:{what}:when={self.point.number}{'+' if self.lasting else ''}"


class Strace:
    """strace on threads of a process; as a context, attached from its beginning to its end.

    Args:
        log: where it writes.
        threads: the operating system's ids by name.
        fault: what it does to the calls of the fault's thread, which is watched alone then; None to watch only.
    """

    def __init__(self, log: Path, threads: dict[str, int], fault: Fault | None = None) -> None:
        self._log = log
        self._threads = threads if fault is None else {fault.point.thread: threads[fault.point.thread]}
        self._fault = fault
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Strace:
        program = shutil.which("strace")
        assert program is not None, MISSING
        command = [program, "-y", "-s", "0", "-o", str(self._log), "-e", f"trace={','.join(WRITES)}"]
        if self._fault is not None:
            command += ["-e", self._fault.injection]
        for number in self._threads.values():
            command += ["-p", str(number)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for _ in self._threads:
            said = self._process.stderr.readline()
            assert "attached" in said, f"strace could not attach: {said or 'it ended'}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        assert self._process is not None
        assert self._process.stderr is not None
        self._process.stderr.close()

    def let_go(self) -> None:
        """Detaches: what it did to the threads' calls is over. Threads that are gone need no letting go."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    @property
    def fired(self) -> bool:
        """Whether the error was met; a kill shows in the process's end."""
        return any("(INJECTED)" in line for line in self._lines())

    def points(self, folder: Path) -> list[Point]:
        """The calls on files below a folder that were seen, in their order."""
        names = {str(number): name for name, number in self._threads.items()}
        counted: Counter[tuple[str, str]] = Counter()
        below = re.compile(re.escape(str(folder)) + r"/?([^>\"]*)")
        found = []
        for line in self._lines():
            matched = _CALL.match(line)
            if matched is None:
                continue
            number, call, arguments = matched.groups()
            thread = names[number] if number else next(iter(self._threads))
            counted[thread, call] += 1
            file = below.search(arguments)
            # Opening what is there changes nothing.
            if file is not None and (call != "openat" or "O_CREAT" in arguments):
                found.append(Point(thread, call, counted[thread, call], file.group(1)))
        return found

    def _lines(self) -> list[str]:
        return self._log.read_text("utf-8", errors="replace").splitlines() if self._log.exists() else []
