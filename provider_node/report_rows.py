"""Reports from the public as the node's database knows them: without anybody's words, which are sealed beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from provider_node.etags import etag_of
from shared.database import Transaction
from shared.errors import NotFound
from shared.provisions.reports import Pause, ReportState
from shared.provisions.spans import FOREVER

MOST_EVENTS: Final = 1000
"""Events that are read of one report, the newest."""

MOST_STATEMENTS: Final = 100
"""Statements that are read of one report, the oldest."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One thing that happened to a report: when in microseconds, what, by whom, and the code of its reason or outcome."""

    time: int
    action: str
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report. Times are microseconds; FOREVER for what has not happened.

    Attributes:
        item_url: empty for the account as a whole, and where the address is sealed.
        sealed_url: the address where the guard does not let it pass; None elsewhere.
        item_digest: SHA-256 of the item as it stood, or empty.
        tracking_digest: of the first reporter's code.
        reports: how many are joined in it.
        received_time: of the first of them.
        leave_time: when it leaves for the regulator by itself; FOREVER where it will not.
        outcome: code; empty before.
        sealed_answer: what the reporters were answered; None before.
        version: grows with every change.
        pauses: of the settlement clock.
    """

    report_id: str
    account_id: str
    baseline: int
    item_url: str
    sealed_url: bytes | None
    item_digest: bytes
    tracking_digest: bytes
    state: ReportState
    reports: int
    received_time: int
    answered_time: int
    settled_time: int
    leave_time: int
    paused: bool
    outcome: str
    sealed_answer: bytes | None
    version: int
    pauses: tuple[Pause, ...] = ()

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return etag_of(self.version)


COLUMNS: Final = (
    "report_id",
    "account_id",
    "baseline",
    "item_url",
    "sealed_url",
    "item_digest",
    "tracking_digest",
    "state",
    "reports",
    "received_time",
    "answered_time",
    "settled_time",
    "leave_time",
    "paused",
    "outcome",
    "sealed_answer",
    "version",
)
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM report"  # noqa: S608 - fixed text


def read_report(transaction: Transaction, report_id: str) -> StoredReport:
    """Reads a report with its pauses.

    Raises:
        NotFound: REPORT_NOT_FOUND.
    """
    found = find_report(transaction, report_id)
    if found is None:
        raise NotFound("there is no report under this id", "REPORT_NOT_FOUND")
    return found


def find_report(transaction: Transaction, report_id: str) -> StoredReport | None:
    """Reads a report with its pauses; None where there is none."""
    rows = transaction.execute(f"{_SELECT} WHERE report_id = ?", (report_id.lower(),))
    return _with_pauses(transaction, _report(rows[0])) if rows else None


def find_open(transaction: Transaction, account_id: str, baseline: int, item_digest: bytes) -> str:
    """Finds the report of the same item, or account, in the same matter that the provider still handles; empty if none."""
    rows = transaction.execute(
        "SELECT report_id FROM report WHERE account_id = ? AND baseline = ? AND item_digest = ? AND state IN (1, 2)",
        (account_id, baseline, item_digest),
    )
    return str(rows[0][0]) if rows else ""


def find_by_code(transaction: Transaction, digest: bytes) -> tuple[StoredReport, int]:
    """Reads the report that a tracking code belongs to, and when that reporter's report was received.

    Raises:
        NotFound: TRACKING_CODE_UNKNOWN.
    """
    rows = transaction.execute("SELECT report_id, received_time FROM report_code WHERE digest = ?", (digest,))
    if not rows:
        raise NotFound("no report has this tracking code: compare it with what you were given", "TRACKING_CODE_UNKNOWN")
    return read_report(transaction, rows[0][0]), int(rows[0][1])


def list_reports(
    transaction: Transaction,
    after: tuple[int, str],
    limit: int,
    state: ReportState = ReportState.UNSPECIFIED,
    account_id: str = "",
) -> list[StoredReport]:
    """Lists reports, those first that are due first.

    Args:
        transaction: a read.
        after: due time in microseconds and id of the report before the first.
        limit: the most reports.
        state: only those in it; UNSPECIFIED for all.
        account_id: only of this account; empty for all.
    """
    condition, parameters = "(leave_time, report_id) > (?, ?)", [*after]
    if state:
        condition += f" AND state = {int(state)}"
    if account_id:
        condition += " AND account_id = ?"
        parameters.append(account_id.lower())
    rows = transaction.execute(
        f"{_SELECT} WHERE {condition} ORDER BY leave_time, report_id LIMIT ?", (*parameters, limit)
    )
    return [_with_pauses(transaction, _report(row)) for row in rows]


def due_to_leave(transaction: Transaction, now: int, limit: int) -> list[str]:
    """Lists the reports that are due to leave, by their ids in order."""
    rows = transaction.execute(
        "SELECT report_id FROM report WHERE leave_time <= ? ORDER BY leave_time, report_id LIMIT ?", (now, limit)
    )
    return sorted(str(row[0]) for row in rows)


def next_departure(transaction: Transaction, after: int = -1) -> int:
    """Returns when, in microseconds, the next report leaves by itself after a moment; FOREVER where none will."""
    rows = transaction.execute(
        "SELECT leave_time FROM report WHERE leave_time > ? ORDER BY leave_time, report_id LIMIT 1", (after,)
    )
    return int(rows[0][0]) if rows else FOREVER


def handled_since(transaction: Transaction, received: int, after: str, limit: int) -> list[str]:
    """Lists reports that the provider handles and that were received from a moment on, by id after another."""
    rows = transaction.execute(
        "SELECT report_id FROM report WHERE state IN (1, 2) AND received_time >= ? AND report_id > ?"
        " ORDER BY report_id LIMIT ?",
        (received, after, limit),
    )
    return [str(row[0]) for row in rows]


def insert_report(transaction: Transaction, report: StoredReport) -> None:
    """Stores a new report."""
    transaction.insert_many("report", COLUMNS, [tuple(_plain(getattr(report, name)) for name in COLUMNS)])


def update_report(transaction: Transaction, report: StoredReport) -> StoredReport:
    """Stores what can change of a report; returns it with its next version."""
    changed = replace(report, version=report.version + 1)
    transaction.execute(
        "UPDATE report SET state = ?, reports = ?, answered_time = ?, settled_time = ?, leave_time = ?, paused = ?,"
        " outcome = ?, sealed_answer = ?, version = ? WHERE report_id = ?",
        (
            int(changed.state),
            changed.reports,
            changed.answered_time,
            changed.settled_time,
            changed.leave_time,
            int(changed.paused),
            changed.outcome,
            changed.sealed_answer,
            changed.version,
            changed.report_id,
        ),
    )
    return changed


def add_event(transaction: Transaction, report_id: str, event: StoredEvent) -> None:
    """Stores what happened to a report."""
    transaction.execute(
        "INSERT INTO report_event (report_id, position, time, action, actor, reason) VALUES (?,"
        " (SELECT COALESCE(MAX(position), 0) + 1 FROM report_event WHERE report_id = ?), ?, ?, ?, ?)",
        (report_id, report_id, event.time, event.action, event.actor, event.reason),
    )


def read_events(transaction: Transaction, report_id: str) -> list[StoredEvent]:
    """Reads what happened to a report, oldest first; of very many the newest."""
    rows = transaction.execute(
        "SELECT time, action, actor, reason FROM report_event WHERE report_id = ? ORDER BY position DESC LIMIT ?",
        (report_id, MOST_EVENTS),
    )
    return [StoredEvent(*row) for row in reversed(rows)]


def add_pause(transaction: Transaction, report_id: str, pause: Pause) -> None:
    """Stores that the settlement clock of a report stands; a second pause at one moment takes the first one's place."""
    transaction.execute(
        "INSERT INTO report_pause (report_id, start_time, end_time, reason) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (report_id, start_time) DO UPDATE SET end_time = excluded.end_time, reason = excluded.reason",
        (report_id, pause.start_time, pause.end_time, pause.reason),
    )


def end_pause(transaction: Transaction, report_id: str, end: int) -> None:
    """Stores that the settlement clock of a report runs again, if it stood."""
    transaction.execute(
        "UPDATE report_pause SET end_time = ? WHERE report_id = ? AND end_time = ?", (end, report_id, FOREVER)
    )


def add_code(transaction: Transaction, digest: bytes, report_id: str, received: int) -> None:
    """Stores the digest of a reporter's tracking code."""
    transaction.insert_many("report_code", ("digest", "report_id", "received_time"), [(digest, report_id, received)])


def read_codes(transaction: Transaction, report_id: str) -> list[bytes]:
    """Reads the digests of all tracking codes of a report, those of earlier reporters first."""
    rows = transaction.execute(
        "SELECT digest FROM report_code WHERE report_id = ? ORDER BY received_time, digest", (report_id,)
    )
    return [bytes(digest) for (digest,) in rows]


def add_statement(transaction: Transaction, report_id: str, position: int, sealed: bytes) -> None:
    """Stores a reporter's sealed words."""
    transaction.insert_many("report_statement", ("report_id", "position", "sealed"), [(report_id, position, sealed)])


def read_statements(transaction: Transaction, report_id: str) -> list[tuple[int, bytes]]:
    """Reads the sealed words of the reports joined in one, oldest first, each with its position."""
    rows = transaction.execute(
        "SELECT position, sealed FROM report_statement WHERE report_id = ? ORDER BY position LIMIT ?",
        (report_id, MOST_STATEMENTS),
    )
    return [(position, bytes(sealed)) for position, sealed in rows]


def _plain(value: object) -> object:
    return int(value) if isinstance(value, (bool, ReportState)) else value


def _with_pauses(transaction: Transaction, report: StoredReport) -> StoredReport:
    rows = transaction.execute(
        "SELECT start_time, end_time, reason FROM report_pause WHERE report_id = ? ORDER BY start_time",
        (report.report_id,),
    )
    return replace(report, pauses=tuple(Pause(*row) for row in rows)) if rows else report


def _report(row: Sequence[Any]) -> StoredReport:
    values = dict(zip(COLUMNS, row, strict=True))
    for name in ("sealed_url", "item_digest", "tracking_digest", "sealed_answer"):
        values[name] = None if values[name] is None else bytes(values[name])
    values["state"], values["paused"] = ReportState(values["state"]), bool(values["paused"])
    return StoredReport(**values)
