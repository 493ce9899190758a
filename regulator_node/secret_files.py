"""Files that hold what only their owner may read: tokens and keys that are shown once."""

from __future__ import annotations

from pathlib import Path

from shared.durable_files import PRIVATE, write_new_file
from shared.errors import AlreadyExists, FailedPrecondition


def check_absent(path: Path) -> None:
    """Checks that a file is not there yet, before something is asked for that would go into it and is given once.

    Args:
        path: the file.

    Raises:
        AlreadyExists: FILE_EXISTS.
        FailedPrecondition: FOLDER_MISSING.
    """
    if path.exists():
        raise _exists(path)
    if not path.absolute().parent.is_dir():
        raise FailedPrecondition(f"{path.parent} is no folder: make it or name another file", "FOLDER_MISSING")


def write_secret(path: Path, text: str) -> None:
    """Writes a new file, mode 0600, durably.

    Args:
        path: the file.
        text: its content.

    Raises:
        AlreadyExists: FILE_EXISTS; what is there may be the only copy of something.
        OSError: it cannot be written.
    """
    try:
        write_new_file(path, text.encode(), PRIVATE)
    except FileExistsError:
        raise _exists(path) from None


def _exists(path: Path) -> AlreadyExists:
    return AlreadyExists(f"{path} is there already: move it away or name another file", "FILE_EXISTS")
