"""The records that a regulator keeps, and how each class of them outside of the log is disposed of (Art. 8(2)).

- A complaint goes with the complainant's sealed words, the item's address and the digest of its tracking code. The case
  that it opened, and what was decided, is in the log.
- Of a case goes to whom it was assigned, which no log holds. Everything else about it is folded out of the log.
- A line of the trail of officers' calls goes as a whole.

Entries of logs have a module of their own, `entry_sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from regulator_node.case_queries import CaseView, view_of
from regulator_node.case_rows import DESK, read_case
from regulator_node.entry_sources import entry_sources
from shared.database import Transaction
from shared.evidence.names import regulator_of
from shared.identifiers import id_bytes, id_text
from shared.provisions.escalations import CaseState
from shared.provisions.policy import Policy
from shared.provisions.retention import RecordClass, RetainedRecord
from shared.provisions.spans import FOREVER
from shared.records.sources import Position, RecordSource, SourcePage

_OVER: Final = (CaseState.CLOSED, CaseState.DISMISSED)
_FIRST: Final = (-1, b"")
_FIRST_EVENT: Final = (-1, "", b"", -1)


class ComplaintSource(RecordSource):
    """Complaints whose case is over.

    Args:
        jurisdiction: this node's: it keeps its own complaints only.
    """

    record_class = RecordClass.COMPLAINT

    def __init__(self, jurisdiction: str) -> None:
        self._jurisdiction = jurisdiction

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists complaints whose case is over, by when they came in."""
        del policies
        rows = transaction.execute(
            "SELECT received_time, complaint_id, case_jurisdiction, case_id FROM complaint WHERE jurisdiction = ?"
            " AND received_time <= ? AND (received_time, complaint_id) > (?, ?)"
            " ORDER BY received_time, complaint_id LIMIT ?",
            (self._jurisdiction, until, *(after or _FIRST), limit),
        )
        records = []
        for _, complaint_id, case_jurisdiction, case_id in rows:
            view = _case(transaction, case_jurisdiction, bytes(case_id))
            record = _record(self.record_class, id_text(bytes(complaint_id)), view)
            if record.ceased_time <= until:
                records.append(record)
        following = (rows[-1][0], bytes(rows[-1][1])) if len(rows) == limit else None
        return SourcePage(records, following)

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes the complaints; their tracking codes answer no more."""
        query = "DELETE FROM complaint WHERE jurisdiction = ? AND complaint_id = ?"
        transaction.executemany(query, [(self._jurisdiction, id_bytes(record.record_id)) for record in records])


class CaseSource(RecordSource):
    """To whom cases were assigned that are over, at this node's desk."""

    record_class = RecordClass.CASE

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists cases that are over and were assigned, by when they were assigned."""
        del policies
        rows = transaction.execute(
            "SELECT event_time, jurisdiction, case_id, position FROM case_event"
            " WHERE source = 'desk' AND event_time <= ? AND (event_time, jurisdiction, case_id, position)"
            " > (?, ?, ?, ?) ORDER BY event_time, jurisdiction, case_id, position LIMIT ?",
            (until, *(after or _FIRST_EVENT), limit),
        )
        records = []
        for _, jurisdiction, case_id, position in rows:
            # A case that was assigned again is one record: its first assignment stands for it.
            if position == 0:
                view = _case(transaction, jurisdiction, bytes(case_id))
                record = _record(self.record_class, id_text(bytes(case_id)), view)
                if record.ceased_time <= until:
                    records.append(record)
        last = rows[-1] if len(rows) == limit else None
        return SourcePage(records, None if last is None else (last[0], last[1], bytes(last[2]), last[3]))

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes the assignments."""
        ids = [(id_bytes(record.record_id),) for record in records]
        jurisdictions = [jurisdiction for (jurisdiction,) in transaction.execute("SELECT jurisdiction FROM log")]
        for jurisdiction in jurisdictions:
            rows = [(jurisdiction, case_id) for (case_id,) in ids]
            transaction.executemany(
                f"DELETE FROM case_event WHERE jurisdiction = ? AND case_id = ? AND source = '{DESK}'",  # noqa: S608
                rows,
            )
            transaction.executemany("UPDATE case_file SET assignee = '' WHERE jurisdiction = ? AND case_id = ?", rows)


class QueryAuditSource(RecordSource):
    """Lines of the trail of officers' calls, which are over at once.

    Args:
        jurisdiction: this node's.
    """

    record_class = RecordClass.QUERY_AUDIT

    def __init__(self, jurisdiction: str) -> None:
        self._jurisdiction = jurisdiction

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists the lines, oldest first."""
        del policies
        rows = transaction.execute(
            "SELECT audit_time, audit_id FROM audit WHERE jurisdiction = ? AND audit_time <= ?"
            " AND (audit_time, audit_id) > (?, ?) ORDER BY audit_time, audit_id LIMIT ?",
            (self._jurisdiction, until, *(after or _FIRST), limit),
        )
        records = [RetainedRecord(self.record_class, id_text(bytes(line)), time) for time, line in rows]
        return SourcePage(records, (rows[-1][0], bytes(rows[-1][1])) if len(rows) == limit else None)

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes the lines."""
        query = "DELETE FROM audit WHERE jurisdiction = ? AND audit_id = ?"
        transaction.executemany(query, [(self._jurisdiction, id_bytes(record.record_id)) for record in records])


def record_sources(jurisdiction: str) -> list[RecordSource]:
    """Returns the classes of records that a regulator keeps, its entries of logs after what lies beside them.

    Args:
        jurisdiction: its own.
    """
    beside: list[RecordSource] = [ComplaintSource(jurisdiction), CaseSource(), QueryAuditSource(jurisdiction)]
    return beside + entry_sources(jurisdiction, regulator_of(jurisdiction))


def _case(transaction: Transaction, jurisdiction: str, case_id: bytes) -> CaseView | None:
    # A case that is over stays so at every later moment; one that is not rises to the nation by the clock at most.
    case = read_case(transaction, jurisdiction, case_id)
    return None if case is None else view_of(transaction, case, FOREVER - 1)


def _record(record_class: RecordClass, record_id: str, view: CaseView | None) -> RetainedRecord:
    if view is None:
        return RetainedRecord(record_class, record_id, FOREVER)
    over = view.standing.acting_state in _OVER
    # What happened last is what it ceased to matter with: the decision, the answer, or a late settlement.
    ceased = max(each.time for each in view.happened) if over else FOREVER
    return RetainedRecord(
        record_class,
        record_id,
        ceased,
        id_text(view.file.account_id),
        frozenset({id_text(view.file.escalation_id)}),
        frozenset({id_text(view.file.case_id)}),
    )
