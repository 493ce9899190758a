"""Files that hold keys and certificates: replaced whole and durably, and refused where everyone can read them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from shared.errors import FailedPrecondition

PRIVATE: Final = 0o600
"""Mode of a file with a private key."""

PUBLIC: Final = 0o644
"""Mode of a file with certificates only."""


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Writes a file whole or not at all: a crash leaves the old content or the new, and no reader sees a part.

    Args:
        path: the file, new or to be replaced.
        data: its content.
        mode: PRIVATE or PUBLIC.

    Raises:
        OSError: it cannot be written; the old content is still there.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
