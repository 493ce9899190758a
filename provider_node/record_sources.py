"""The records that a provider keeps outside of the log, and how each class of them is disposed of (Art. 8(2)).

- A report goes as a whole: the reporters' sealed words, the address and digest of the item, the answer, how it was
  handled and by whom, its pauses, the digests of its tracking codes. What it became is in the log where it left.
- Of a measure goes the statement of reasons for the owner. What was done, to which account, why as a code and for how
  long stays: the ladder is judged by it, and the log holds it anyway.
- Of an appeal go the owner's sealed words and the name of who decided. That there was one, and how it ended, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provider_node.measure_rows import StoredMeasure, measures_with_words
from shared.database import Transaction
from shared.provisions.policy import Policy
from shared.provisions.retention import RecordClass, RetainedRecord, measure_ceased
from shared.records.sources import Position, RecordSource, SourcePage

FIRST: Final = (-1, "")
_OF_REPORT: Final = ("report_statement", "report_event", "report_pause", "report_code", "report")


class ReportSource(RecordSource):
    """Reports that were settled or decided."""

    record_class = RecordClass.REPORT

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists reports that are over, by when they were received."""
        del policies
        # The states are settled and decided: what happened to a report last is what it ceased to matter with.
        rows = transaction.execute(
            "SELECT r.received_time, r.report_id, r.account_id, (SELECT MAX(e.time) FROM report_event e"
            " WHERE e.report_id = r.report_id) FROM report r WHERE r.state IN (3, 5) AND r.received_time <= ?"
            " AND (r.received_time, r.report_id) > (?, ?) ORDER BY r.received_time, r.report_id LIMIT ?",
            (until, *(after or FIRST), limit),
        )
        records = [
            RetainedRecord(self.record_class, report_id, max(last or 0, received), account_id, frozenset({report_id}))
            for received, report_id, account_id, last in rows
        ]
        return SourcePage(records, tuple(rows[-1][:2]) if len(rows) == limit else None)

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes everything of the reports; no column of any row of theirs stays."""
        ids = [(record.record_id,) for record in records]
        for table in _OF_REPORT:
            transaction.executemany(f"DELETE FROM {table} WHERE report_id = ?", ids)  # noqa: S608 - fixed names


class MeasureSource(RecordSource):
    """Statements of reasons of measures that ended and cannot be appealed against any more."""

    record_class = RecordClass.MEASURE

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists measures that are over, by when they began."""
        found = measures_with_words(transaction, until, after or FIRST, limit, of_appeals=False)
        records = [_record(self.record_class, each, policies) for each in found]
        following = (found[-1].measure.start_time, found[-1].measure.measure_id) if len(found) == limit else None
        return SourcePage([record for record in records if record.ceased_time <= until], following)

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes the statements of reasons."""
        query = "UPDATE measure SET reasons = '', version = version + 1 WHERE measure_id = ?"
        transaction.executemany(query, [(record.record_id,) for record in records])


class AppealSource(RecordSource):
    """Owners' words in appeals that are over, and who decided them."""

    record_class = RecordClass.APPEAL

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists appeals that are over, by when they were made."""
        found = measures_with_words(transaction, until, after or FIRST, limit, of_appeals=True)
        records = [_record(self.record_class, each, policies) for each in found]
        following = None
        if len(found) == limit and (last := found[-1].appeal) is not None:
            following = (last.appeal.appealed_time, last.appeal.appeal_id)
        return SourcePage([record for record in records if record.ceased_time <= until], following)

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes the words and the name."""
        query = "UPDATE appeal SET sealed = ?, decided_by = '' WHERE appeal_id = ?"
        transaction.executemany(query, [(b"", record.record_id) for record in records])


def record_sources() -> list[RecordSource]:
    """Returns the classes of records that a provider keeps."""
    return [ReportSource(), MeasureSource(), AppealSource()]


def _record(record_class: RecordClass, stored: StoredMeasure, policies: Sequence[Policy]) -> RetainedRecord:
    """A measure and the appeal against it cease to matter together; a hold on either keeps both."""
    measure, appeal = stored.measure, stored.appeal.appeal if stored.appeal else None
    ids = [measure.measure_id, *([appeal.appeal_id] if appeal else [])]
    ceased = measure_ceased(measure, appeal, policies)
    record_id = ids[-1] if record_class is RecordClass.APPEAL else ids[0]
    return RetainedRecord(record_class, record_id, ceased, stored.account_id, frozenset(ids))
