"""What PostgreSQL reports, as errors of the catalogue.

The server quotes values in its details and in many of its sentences. What is passed on is the SQLSTATE, the names of
tables and constraints, and the sentence on a statement that does not compile, which is about the statement alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import psycopg

from shared.errors import FilingnetError
from shared.storage import faults

UNIQUE_VIOLATION: Final = "23505"
TRANSIENT: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the same work may well succeed at once."""
STALE: Final = frozenset({"0A000", "26000"})
"""A prepared statement no longer fits its table, or is gone: after a rollback it is prepared anew."""

_BY_STATE: Final[dict[str, Callable[[], FilingnetError]]] = {
    "25006": faults.refused,
    "42501": faults.refused,
    "3D000": faults.refused,
    "53100": faults.full,
    "53300": faults.busy,
    "55P03": faults.busy,
    "57014": faults.busy,
    "57P01": faults.away,
    "57P02": faults.away,
    "57P03": faults.away,
    "57P05": faults.away,
    "58030": faults.failing,
    "XX001": faults.corrupt,
    "XX002": faults.corrupt,
}
_BY_CLASS: Final[dict[str, Callable[[], FilingnetError]]] = {
    "08": faults.away,
    "28": faults.refused,
    "40": faults.busy,
    "53": faults.gave_up,
}


def postgresql_fault(error: BaseException) -> BaseException:
    """Turns what PostgreSQL or its driver reported into an error of the catalogue.

    Args:
        error: Anything that was raised in a transaction.

    Returns: the error to raise; the same one when it is not PostgreSQL's.
    """
    if not isinstance(error, psycopg.Error):
        return error
    state = error.sqlstate
    if state is None:
        lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return faults.away() if lost else faults.failed(type(error).__name__)
    fault = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    if fault is not None:
        return fault()
    if state.startswith("23"):
        name = error.diag.constraint_name or error.diag.column_name or state
        constraint = f"{error.diag.table_name}.{name}"
        return faults.conflict(constraint) if state == UNIQUE_VIOLATION else faults.constraint_broken(constraint)
    if state.startswith("42"):
        return faults.failed(f"{state}: {error.diag.message_primary}")
    return faults.failed(state)
