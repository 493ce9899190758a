"""What storage can do wrong, as errors of the catalogue: the same reasons and the same mends on both engines.

The sentences are for whoever runs the node. None holds a value of a statement.
"""

from __future__ import annotations

from shared.errors import Conflict, Exhausted, FailedPrecondition, FilingnetError, Internal, Unavailable


def full() -> FilingnetError:
    """There is no room on the disk."""
    return Exhausted(
        "the disk of the database is full: free some room or move the data; nothing of this call was stored",
        "STORAGE_FULL",
    )


def busy() -> FilingnetError:
    """Somebody else held the database for too long."""
    return Unavailable(
        "another process holds the database: try again, and stop whatever keeps it locked", "STORAGE_BUSY"
    )


def away() -> FilingnetError:
    """The server does not answer."""
    return Unavailable(
        "the database server does not answer: start it, or check the address and the user in the database URL;"
        " the node connects again by itself",
        "STORAGE_AWAY",
    )


def gave_up() -> FilingnetError:
    """The engine gave up the transaction for a reason that passes."""
    return Unavailable("the database gave up the transaction: try again", "STORAGE_GAVE_UP")


def failing() -> FilingnetError:
    """The disk reports errors."""
    return Unavailable(
        "the disk of the database reports errors: look at the machine's log and move the data to a sound disk",
        "STORAGE_FAILING",
    )


def corrupt() -> FilingnetError:
    """What is on the disk is not what was written."""
    return Internal(
        "the database is damaged: stop the node and put back a backup; do not go on with these files",
        "STORAGE_CORRUPT",
    )


def key_wrong() -> FilingnetError:
    """The file is not encrypted with the key that was given."""
    return FailedPrecondition(
        "the database does not open with this node's key: it is damaged, or another node's; put back a backup of the"
        " whole data folder",
        "STORAGE_KEY_WRONG",
    )


def cannot_open() -> FilingnetError:
    """The file may not be used."""
    return FailedPrecondition(
        "the database file or its journal cannot be opened for writing: check that its folder is there, belongs to this"
        " user and has room",
        "STORAGE_CANNOT_OPEN",
    )


def refused() -> FilingnetError:
    """The server does not let this user do it."""
    return FailedPrecondition(
        "the database server does not let this user write: give the user of the database URL all rights on its"
        " database, and name a server that is not a read-only copy",
        "STORAGE_REFUSED",
    )


def conflict(constraint: str) -> FilingnetError:
    """A key is there already.

    Args:
        constraint: The constraint or its columns, as named in the schema.
    """
    return Conflict(f"this is stored already ({constraint}): read it again", "STORAGE_CONFLICT")


def constraint_broken(constraint: str) -> FilingnetError:
    """A row does not fit its table: the program is at fault."""
    return Internal(f"what was to be stored breaks a rule of the tables ({constraint})", "STORAGE_CONSTRAINT")


def failed(cause: str) -> FilingnetError:
    """A statement was refused: the program is at fault.

    Args:
        cause: What the engine says, without any value.
    """
    return Internal(f"the database refused a statement ({cause}): the program is at fault", "STORAGE_FAILED")
