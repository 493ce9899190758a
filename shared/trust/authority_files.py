"""Replacing the nation's CA with overlap, in the folder of its files: the next one, the one in use, those before.

The next CA is made beside the one in use, in the folder `next`. When it takes its place, the one before moves into a
folder named by its id, where its key stays until it is retired. Each step can be begun again after a crash.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from shared.durable_files import sync_folder
from shared.errors import FailedPrecondition
from shared.trust.authority import CERTIFICATE_FILE, KEY_FILE, Authority

_NEXT: Final = "next"


def load_authority_in_use(folder: Path) -> Authority:
    """Reads the CA in use; where a crash came between the two files of a replacement, it is finished.

    Args:
        folder: holds the CA.

    Raises:
        FailedPrecondition: a file is missing or damaged, or everyone can read the key.
        OSError: a file cannot be read.
    """
    following = folder / _NEXT
    if (following / KEY_FILE).exists() and not (following / CERTIFICATE_FILE).exists():
        try:
            Authority.load(folder)
        except FailedPrecondition as error:
            if error.reason != "AUTHORITY_DAMAGED":
                raise
            Authority.load(folder, key_folder=following)
            (following / KEY_FILE).replace(folder / KEY_FILE)
    return Authority.load(folder)


def make_next_authority(folder: Path, now: datetime) -> Authority:
    """Makes the next CA; a key that is there is kept, and its certificate is made anew.

    Args:
        folder: holds the CA in use.
        now: the time, aware.

    Raises:
        OSError: a file cannot be written.
    """
    following = folder / _NEXT
    following.mkdir(mode=0o700, exist_ok=True)
    (following / CERTIFICATE_FILE).unlink(missing_ok=True)
    return Authority.create(following, now)


def load_next_authority(folder: Path) -> Authority | None:
    """Reads the next CA; None where there is none.

    Raises:
        FailedPrecondition: a file is damaged, or everyone can read the key.
        OSError: a file cannot be read.
    """
    following = folder / _NEXT
    return Authority.load(following) if (following / CERTIFICATE_FILE).exists() else None


def use_next_authority(folder: Path) -> Authority:
    """Puts the next CA in the place of the one in use, which moves into a folder of its own.

    Returns:
        The CA that is in use now.

    Raises:
        FailedPrecondition: NEXT_AUTHORITY_MISSING; a file is damaged.
        OSError: a file cannot be written.
    """
    following = load_next_authority(folder)
    if following is None:
        raise FailedPrecondition("there is no next CA: make one with ca next", "NEXT_AUTHORITY_MISSING")
    former = folder / Authority.load(folder).authority_id
    former.mkdir(mode=0o700, exist_ok=True)
    for name in (KEY_FILE, CERTIFICATE_FILE):
        if not (former / name).exists():
            (former / name).hardlink_to(folder / name)
    # The certificate first: `load_authority_in_use` finishes from there.
    (folder / _NEXT / CERTIFICATE_FILE).replace(folder / CERTIFICATE_FILE)
    sync_folder(folder)
    (folder / _NEXT / KEY_FILE).replace(folder / KEY_FILE)
    return Authority.load(folder)


def forget_authority(folder: Path, authority_id: str) -> None:
    """Deletes the private key of a CA that was retired, or of a next one that is not wanted; its certificate stays.

    Raises:
        OSError: it cannot be deleted.
    """
    following = load_next_authority(folder)
    if following is not None and following.authority_id == authority_id:
        for name in (KEY_FILE, CERTIFICATE_FILE):
            (folder / _NEXT / name).unlink(missing_ok=True)
    (folder / authority_id / KEY_FILE).unlink(missing_ok=True)
