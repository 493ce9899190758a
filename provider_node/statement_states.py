"""Where a statement is on its way, whatever it tells of: read from its outbox row and how far the log is final.

What a regulator decided on it is told by the thing it is about, and not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from provider_node.filing_states import WAITS, FilingStatus
from shared.clock import from_micros
from shared.database import Transaction
from shared.delivery.outbox import violations_from_json
from shared.errors import Violation
from shared.provisions.account_states import FilingState
from shared.provisions.filings import FilingAction

STATE_SQL: Final = (
    "CASE WHEN o.state = 0 THEN 1 WHEN o.state = 1 AND o.log_index < t.final_size THEN 3 WHEN o.state = 1 THEN 2"
    " WHEN o.state = 2 THEN 8 WHEN o.state = 3 THEN 6 WHEN o.state = 4 THEN 7 ELSE 9 END"
)
"""The state of a statement over its outbox row o and destination t, as a number of FilingState."""

ENTRIES_TOGETHER: Final = 500
"""Most entries in one query."""


def statement_statuses(transaction: Transaction, revisions: Iterable[tuple[str, int]]) -> dict[str, FilingStatus]:
    """Reads where statements are on their way.

    Args:
        transaction: a read.
        revisions: the entry id and the revision of each.

    Returns:
        The statuses by entry id; their action is unspecified.
    """
    wanted = list(revisions)
    found: dict[str, FilingStatus] = {}
    for start in range(0, len(wanted), ENTRIES_TOGETHER):
        some = dict(wanted[start : start + ENTRIES_TOGETHER])
        rows = transaction.execute(
            f"SELECT o.entry_id, {STATE_SQL}, o.reason, o.violations, o.queued_time, o.log_index FROM outbox o"  # noqa: S608
            f" JOIN destination t ON t.name = o.destination WHERE o.entry_id IN ({', '.join('?' * len(some))})",
            list(some),
        )
        found.update((row[0], _status(some[row[0]], row)) for row in rows)
    return found


def statement_status(transaction: Transaction, entry_id: str, revision: int) -> FilingStatus:
    """Reads where one statement is on its way; see `statement_statuses`."""
    return statement_statuses(transaction, [(entry_id, revision)])[entry_id]


def _status(revision: int, row: tuple[Any, ...]) -> FilingStatus:
    entry_id, state, reason, told, queued, log_index = row
    violations: tuple[Violation, ...] = tuple(violations_from_json(told))
    if state == FilingState.PARKED:
        # Whatever the regulator said of it came of the earlier statement, which is the one to mend.
        violations, reason = (), WAITS
    return FilingStatus(
        entry_id=entry_id,
        revision=revision,
        action=FilingAction.UNSPECIFIED,
        state=FilingState(state),
        reason=reason or "",
        violations=violations,
        note="",
        created_time=from_micros(queued),
        log_index=-1 if log_index is None else log_index,
    )
