"""Where a filing is on its way: read from its outbox row, the regulator's decision and how far the log is final.

Nothing of it is stored a second time. A decision counts for the filing that entered the log under its revision; filings
that were refused or replaced under the same revision keep their own state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.clock import from_micros
from shared.database import Transaction
from shared.delivery.outbox import violations_from_json
from shared.errors import Violation
from shared.provisions.account_states import FilingState
from shared.provisions.filings import FilingAction

RARE_STATES: Final = {
    FilingState.PARKED: "o.state = 2",
    FilingState.REJECTED: "o.state = 3",
    FilingState.CONFLICT: "o.state = 4",
    FilingState.RETURNED: "d.outcome = 2",
}
"""States that few filings are in, with the condition that an index knows."""

STATE_SQL: Final = (
    "CASE WHEN o.state IS NULL THEN 0"
    " WHEN o.state <= 1 AND d.outcome = 1 THEN 4 WHEN o.state <= 1 AND d.outcome = 2 THEN 5"
    " WHEN o.state = 0 THEN 1 WHEN o.state = 1 AND o.log_index < t.final_size THEN 3 WHEN o.state = 1 THEN 2"
    " WHEN o.state = 2 THEN 8 WHEN o.state = 3 THEN 6 WHEN o.state = 4 THEN 7 ELSE 9 END"
)
"""The state of a filing f over its outbox row o, decision d and destination t."""

COLUMNS: Final = (
    f"f.entry_id, f.revision, f.action, {STATE_SQL}, o.reason, o.violations, o.queued_time, o.log_index, d.reason,"
    " d.fields, d.note"
)
JOINS: Final = (
    " JOIN outbox o ON o.entry_id = f.entry_id JOIN destination t ON t.name = o.destination"
    " LEFT JOIN decision d ON d.account_id = f.account_id AND d.revision = f.revision"
)
WAITS: Final = "WAITS_FOR_EARLIER"
"""Reason of a filing that waits behind a refused one."""

_RULE: Final = "RETURNED"


@dataclass(frozen=True, slots=True)
class FilingStatus:
    """A filing as its provider sees it.

    Attributes:
        entry_id: the entry, a UUID.
        reason: code, when returned, rejected, in conflict or parked; empty otherwise.
        violations: field by field what to mend.
        note: an officer's, when returned.
        log_index: from 0; -1 before it is in the log.
    """

    entry_id: str
    revision: int
    action: FilingAction
    state: FilingState
    reason: str
    violations: tuple[Violation, ...]
    note: str
    created_time: datetime
    log_index: int


def status_of_row(row: tuple[Any, ...]) -> FilingStatus:
    """Reads a row of COLUMNS."""
    entry_id, revision, action, state, reason, violations, queued, log_index, returned, fields, note = row
    told = tuple(violations_from_json(violations))
    if state == FilingState.PARKED:
        # Whatever the regulator said of it came of the earlier filing, which is the one to mend.
        told, reason = (), WAITS
    decided = FilingState(state) in (FilingState.ACCEPTED, FilingState.RETURNED)
    if decided:
        mend = "correct this field, then amend the account"
        told = tuple(Violation(f"filing.{field}", _RULE, mend) for field in json.loads(fields))
    return FilingStatus(
        entry_id=entry_id,
        revision=revision,
        action=FilingAction(action),
        state=FilingState(state),
        reason=(returned if decided else reason) or "",
        violations=told,
        note=note if decided else "",
        created_time=from_micros(queued),
        log_index=-1 if log_index is None else log_index,
    )


def list_filings(transaction: Transaction, account_id: str, before: int, limit: int) -> list[tuple[int, FilingStatus]]:
    """Lists the filings of an account, newest first, each with its position.

    Args:
        transaction: a read.
        account_id: the account.
        before: only positions below it.
        limit: the most filings.
    """
    rows = transaction.execute(
        f"SELECT f.position, {COLUMNS} FROM filing f {JOINS}"  # noqa: S608 - fixed text
        " WHERE f.account_id = ? AND f.position < ? ORDER BY f.position DESC LIMIT ?",
        (account_id, before, limit),
    )
    return [(row[0], status_of_row(row[1:])) for row in rows]


def live_revision(transaction: Transaction, account_id: str) -> int:
    """Returns the revision of an account's newest filing that is in the log or on its way there; 0 where there is none.

    A filing that was refused never consumed its revision.
    """
    ((revision,),) = transaction.execute(
        "SELECT COALESCE(MAX(f.revision), 0) FROM filing f JOIN outbox o ON o.entry_id = f.entry_id"
        " WHERE f.account_id = ? AND o.state IN (0, 1)",
        (account_id,),
    )
    return int(revision)
