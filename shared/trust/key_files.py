"""Files that hold private keys: refused where everyone can read them. They are written by shared/durable_files.py."""

from __future__ import annotations

import stat
from pathlib import Path

from shared.errors import FailedPrecondition


def read_private_file(path: Path) -> bytes:
    """Reads a file with a private key.

    Args:
        path: a file that nobody but its owner and group can touch.

    Raises:
        FailedPrecondition: KEY_FILE_OPEN where everyone can read or write it, KEY_FILE_MISSING where there is none.
        OSError: it cannot be read.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        message = f"{path} is missing: run init, or restore it from a backup"
        raise FailedPrecondition(message, "KEY_FILE_MISSING") from None
    if mode & stat.S_IRWXO:
        raise FailedPrecondition(f"everyone can reach the private key in {path}: run chmod 600 on it", "KEY_FILE_OPEN")
    return path.read_bytes()
