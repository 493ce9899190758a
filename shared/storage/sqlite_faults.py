"""What SQLite reports, as errors of the catalogue.

SQLite's own sentence is passed on only where it cannot hold a value: on constraints, and on statements that do not
compile. A text index, for one, quotes what was searched for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

import apsw

from shared.errors import FailedPrecondition, FilingnetError
from shared.storage import faults

FIXED_SQLITE: Final = (3, 51, 3)
"""The first SQLite without the WAL-reset bug, which could lose committed pages under two connections."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SHARED_MEMORY: Final = frozenset({apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP})
"""The index of the write-ahead log, a file that is made anew: SQLite does not keep why the system did not let it."""
_UNIQUE: Final = frozenset(
    {apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID}
)
_FAULTS: Final[tuple[tuple[tuple[type[apsw.Error], ...], Callable[[], FilingnetError]], ...]] = (
    ((apsw.FullError,), faults.full),
    ((apsw.BusyError, apsw.LockedError), faults.busy),
    ((apsw.CorruptError, apsw.NotADBError, apsw.FormatError), faults.corrupt),
    ((apsw.IOError, apsw.NoLFSError), faults.failing),
    ((apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError), faults.cannot_open),
    ((apsw.AbortError, apsw.InterruptError, apsw.NoMemError), faults.gave_up),
)


def system_fault(error: OSError) -> FilingnetError:
    """Turns what the operating system said of a file of the node's into an error of the catalogue."""
    if error.errno in _NO_ROOM:
        return faults.full()
    return faults.failing() if error.errno == errno.EIO else faults.cannot_open()


def check_version(version: str) -> None:
    """Refuses a SQLite that can lose data.

    Args:
        version: As the library says it, e.g. "3.54.0".

    Raises:
        FailedPrecondition: SQLITE_TOO_OLD.
    """
    if tuple(int(part) for part in version.split(".")) < FIXED_SQLITE:
        wanted = ".".join(map(str, FIXED_SQLITE))
        raise FailedPrecondition(
            f"SQLite {version} can lose committed data: install apsw-sqlite3mc with SQLite {wanted} or later",
            "SQLITE_TOO_OLD",
        )


def opened_read_only(error: BaseException, system_errno: int) -> bool:
    """Whether an error says that a file of the database is open for reading alone.

    Where the write-ahead log cannot be opened for writing, SQLite opens it for reading and does not keep why; every write
    of that connection fails until it is opened anew.

    Args:
        error: Anything that was raised in a transaction.
        system_errno: The operating system's error number that SQLite kept, 0 if there is none.
    """
    return isinstance(error, apsw.IOError) and system_errno == errno.EBADF


def sqlite_fault(error: BaseException, system_errno: int = 0) -> BaseException:
    """Turns what SQLite reported into an error of the catalogue.

    Args:
        error: Anything that was raised in a transaction.
        system_errno: The operating system's error number that SQLite kept, 0 if there is none.

    Returns: the error to raise; the same one when it is not SQLite's.
    """
    if not isinstance(error, apsw.Error):
        return error
    if isinstance(error, apsw.IOError | apsw.CantOpenError):
        # A file beside the database, which a commit makes, may not be opened for want of room or for a failing disk.
        if system_errno in _NO_ROOM:
            return faults.full()
        if system_errno == errno.EIO:
            return faults.failing()
    if opened_read_only(error, system_errno) or getattr(error, "extendedresult", 0) in _SHARED_MEMORY:
        return faults.cannot_open()
    for kinds, fault in _FAULTS:
        if isinstance(error, kinds):
            return fault()
    if isinstance(error, apsw.ConstraintError):
        unique = getattr(error, "extendedresult", 0) in _UNIQUE
        return faults.conflict(str(error)) if unique else faults.constraint_broken(str(error))
    compiled = getattr(error, "error_offset", -1) < 0
    return faults.failed(type(error).__name__ if compiled else str(error))
