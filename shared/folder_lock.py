"""A folder belongs to one process at a time: two nodes on the same files would each undo what the other knows.

The lock is on a file in the folder and is the operating system's: it goes with the process, however that ends, so a
crash leaves nothing to clean up.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from shared.durable_files import make_folder
from shared.errors import FailedPrecondition
from shared.storage.sqlite_faults import system_fault

LOCK_FILE: Final = "lock"
"""Name of the lock file in the folder. It stays when the lock is let go."""


class FolderLock:
    """Holds a folder for this process until closed or until the process ends.

    Args:
        folder: The folder; it is made, with mode 0700, if it is not there.
        what: What is in the folder, for the error's sentence, e.g. "vault".

    Raises:
        FailedPrecondition: FOLDER_IN_USE, another process holds it; STORAGE_CANNOT_OPEN.
        FilingnetError: STORAGE_FULL or STORAGE_FAILING.
    """

    def __init__(self, folder: Path, what: str) -> None:
        try:
            make_folder(folder)
            self._descriptor: int | None = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise system_fault(error) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise FailedPrecondition(
                f"another process uses the {what} in {folder}: stop it first", reason="FOLDER_IN_USE"
            ) from None

    def close(self) -> None:
        """Lets the folder go. A second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
