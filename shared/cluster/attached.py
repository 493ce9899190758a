"""Starts a program that dies with the process that started it, so that no node outlives a test run that was killed.

Run by path as `python -I -S attached.py PARENT_PID PROGRAM ARGUMENT…`; it imports nothing of this project and becomes
the program, so that the process id stays. Linux can promise this; elsewhere the program runs without the promise.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks the kernel for the signal at the parent's death, then becomes the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            # It died before the kernel was asked.
            sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 - the program is the cluster's own


if __name__ == "__main__":
    main()
