"""Small files that outlive a loss of power: whole or not at all, and there once they were written.

A file is on the disk when its bytes are synced and the folder that names it is. The databases see to that themselves;
keys, settings and secrets are written here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

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
    with _written_beside(path, data, mode) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def write_new_file(path: Path, data: bytes, mode: int) -> None:
    """Writes a file that is not there yet, whole or not at all.

    Args:
        path: the file.
        data: its content.
        mode: PRIVATE or PUBLIC.

    Raises:
        FileExistsError: it is there; what it holds may be the only copy of something.
        OSError: it cannot be written.
    """
    with _written_beside(path, data, mode) as temporary:
        # A link, unlike a rename, takes nobody's place.
        path.hardlink_to(temporary)
        temporary.unlink()
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Makes a folder for its owner only, with those that it is in; nothing to do where it is there."""
    if not path.is_dir():
        make_folder(path.absolute().parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.absolute().parent)


def sync_folder(folder: Path) -> None:
    """Has the names in a folder stored: what was made, replaced or removed there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written_beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
