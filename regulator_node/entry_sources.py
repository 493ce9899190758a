"""Entries of logs whose time is over, account by account, and how they are disposed of (Art. 8(2)).

Nothing of an account goes while it is on file. After its withdrawal, what was stated of its labels, and of reports,
measures, appeals and orders, goes once each of these is over; its filings go last, when nothing else of it is left. A
province disposes of nothing that the nation has not copied, so that every copy has seen what is gone.

With the bytes goes everything that the register made of them: rows, the index of names, cases. A case whose assignment or
whose complainant's words are kept still, as their own classes say, keeps its entries. What stays is what the tree needs,
the entry's id, the certificate, and the id of the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from regulator_node import text_index
from regulator_node.account_entries import EntryBytes, HeldEntry, entries_of_account, read_bytes
from regulator_node.case_queries import view_of
from regulator_node.case_rows import DESK, CaseFile, cases_of_escalation
from regulator_node.disposed_entries import dispose_of_bytes
from regulator_node.ended_accounts import keep_ended
from regulator_node.held_escalations import read_histories
from regulator_node.register import WITHDRAWN
from regulator_node.witness import read_cosigned
from shared.database import Transaction
from shared.identifiers import id_bytes, id_text
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.escalations import CaseState
from shared.provisions.policy import Policy
from shared.provisions.regions import NATION, PROVINCES
from shared.provisions.retention import RecordClass, RetainedRecord, entries_ceased, measure_ceased
from shared.provisions.spans import FOREVER
from shared.records.sources import Position, RecordSource, SourcePage

_FIRST: Final = (-1, "", -1)
_OVER: Final = (CaseState.CLOSED, CaseState.DISMISSED)
_WITHDRAWN: Final = (
    "SELECT filed_time, jurisdiction, log_index, provider, account_id FROM filing {index}"  # noqa: S608
    f" WHERE state = {WITHDRAWN} AND (CASE WHEN superseded_time IS NULL THEN 1 ELSE 0 END) = 1 AND filed_time <= ?"
    " AND (filed_time, jurisdiction, log_index) > (?, ?, ?) ORDER BY filed_time, jurisdiction, log_index LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class _Account:
    """An account that was withdrawn: of which provider, its id of 16 bytes, and when (microseconds)."""

    provider: str
    account: bytes
    withdrawn_time: int


class EntrySource(RecordSource):
    """Entries of one class about accounts that were withdrawn, in every log that this node holds.

    Args:
        record_class: the class.
        jurisdiction: this node's.
        node: its name.
    """

    def __init__(self, record_class: RecordClass, jurisdiction: str, node: str) -> None:
        self.record_class = record_class
        self._jurisdiction = jurisdiction
        self._node = node

    def lock(self, transaction: Transaction) -> None:
        """Keeps every log from growing: what is stated of an account meanwhile is seen, or waits."""
        for (jurisdiction,) in transaction.execute("SELECT jurisdiction FROM log ORDER BY jurisdiction"):
            transaction.lock(f"log/{jurisdiction}")

    def ended(
        self, transaction: Transaction, policies: Sequence[Policy], until: int, after: Position | None, limit: int
    ) -> SourcePage:
        """Lists accounts about which everything of the class is over, by when they were withdrawn."""
        query = _WITHDRAWN.format(index=transaction.by_index("filing_state"))
        rows = transaction.execute(query, (until, *(after or _FIRST), limit))
        records = []
        for filed_time, _, _, provider, account in rows:
            record = self._record(transaction, policies, _Account(provider, bytes(account), filed_time))
            if record is not None and record.ceased_time <= until:
                records.append(record)
        return SourcePage(records, tuple(rows[-1][:3]) if len(rows) == limit else None)

    def remove(self, transaction: Transaction, records: Sequence[RetainedRecord]) -> None:
        """Removes what the register made of the entries."""
        places = [(entry.jurisdiction, entry.log_index) for record in records for entry in record.entries]
        if self.record_class is RecordClass.FILING_ENTRY:
            keep_ended(transaction, places)
            _remove_filings(transaction, places)
        elif self.record_class is RecordClass.LABEL_ENTRY:
            _remove_labels(transaction, records, places)
        else:
            for record in records:
                _remove_escalations(transaction, record)
            _delete(transaction, ("escalation_decision", "order_answer"), places)
        _delete(transaction, ("account_entry",), places)
        transaction.executemany(
            "DELETE FROM directive WHERE jurisdiction = ? AND addressee = ? AND log_index = ?",
            [(entry.jurisdiction, record.provider, entry.log_index) for record in records for entry in record.entries],
        )

    def certified(
        self, transaction: Transaction, number: int, signed: disposal_pb2.SignedDisposal, leaves: Sequence[bytes]
    ) -> None:
        """Removes the bytes, and keeps what stands for them in the tree."""
        dispose_of_bytes(transaction, self._node, number, signed, leaves)

    def _record(self, transaction: Transaction, policies: Sequence[Policy], account: _Account) -> RetainedRecord | None:
        held = entries_of_account(transaction, account.provider, account.account)
        mine = [each for each in held if each.record_class is self.record_class]
        if not mine or not self._copied(transaction, mine):
            return None
        read = [found for each in mine if (found := read_bytes(transaction, each)) is not None]
        if not read:
            return None
        escalations = _escalations_of(read)
        cases = _cases_of(transaction, account.provider, escalations)
        ends = self._ends(transaction, policies, account, held, cases)
        account_id = id_text(account.account)
        return RetainedRecord(
            self.record_class,
            account_id,
            entries_ceased(account.withdrawn_time, [each.filed_time for each in mine], ends),
            account_id,
            escalations,
            frozenset(id_text(case.case_id) for case in cases),
            account.provider,
            tuple(each.retained for each in read),
        )

    def _copied(self, transaction: Transaction, mine: Iterable[HeldEntry]) -> bool:
        """Tells whether the nation holds every one of a province's own entries: it cosigns nothing else."""
        if self._jurisdiction == NATION:
            return True
        size, _ = read_cosigned(transaction, self._jurisdiction)
        return all(each.jurisdiction != self._jurisdiction or each.log_index < size for each in mine)

    def _ends(
        self,
        transaction: Transaction,
        policies: Sequence[Policy],
        account: _Account,
        held: Sequence[HeldEntry],
        cases: Sequence[CaseFile],
    ) -> list[int]:
        if self.record_class is RecordClass.FILING_ENTRY:
            return [FOREVER for each in held if each.record_class is not self.record_class]
        if self.record_class is RecordClass.LABEL_ENTRY:
            return _label_ends(transaction, account)
        return [
            *_measure_ends(transaction, self._jurisdiction, policies, account),
            *(_case_end(transaction, case) for case in cases),
        ]


def entry_sources(jurisdiction: str, node: str) -> list[RecordSource]:
    """Returns the classes of entries, filings last.

    Args:
        jurisdiction: the regulator's own.
        node: its name.
    """
    classes = (RecordClass.LABEL_ENTRY, RecordClass.ESCALATION_ENTRY, RecordClass.FILING_ENTRY)
    return [EntrySource(each, jurisdiction, node) for each in classes]


def _escalations_of(read: Iterable[EntryBytes]) -> frozenset[str]:
    found = set()
    for each in read:
        for kind in ("escalation", "escalation_decision"):
            if each.entry.HasField(kind):
                found.add(str(getattr(each.entry, kind).escalation_id).lower())
    return frozenset(found)


def _cases_of(transaction: Transaction, provider: str, escalations: Iterable[str]) -> list[CaseFile]:
    # The case of a complaint about an account that was on file nowhere then names no provider.
    places = [(name, escalation) for escalation in sorted(escalations) for name in (provider, "")]
    return [case for place in places for case in cases_of_escalation(transaction, *place)]


def _label_ends(transaction: Transaction, account: _Account) -> list[int]:
    rows = transaction.execute(
        "SELECT end_time, revoked_time, decided_time FROM label_grant WHERE account_id = ? AND provider = ?",
        (account.account, account.provider),
    )
    return [max(min(end, revoked), decided) for end, revoked, decided in rows]


def _measure_ends(
    transaction: Transaction, jurisdiction: str, policies: Sequence[Policy], account: _Account
) -> list[int]:
    rows = transaction.execute(
        "SELECT DISTINCT jurisdiction FROM measure WHERE account_id = ? AND provider = ?",
        (account.account, account.provider),
    )
    ends = []
    for place in {jurisdiction, *(place for (place,) in rows)}:
        for history in read_histories(transaction, place, account.provider, [account.account]).values():
            ends += [
                measure_ceased(measure, history.appeal_against(measure.measure_id), policies)
                for measure in history.measures
            ]
    return ends


def _case_end(transaction: Transaction, case: CaseFile) -> int:
    place = (case.jurisdiction, case.case_id)
    kept = transaction.execute(
        "SELECT 1 FROM complaint WHERE case_jurisdiction = ? AND case_id = ? UNION ALL"  # noqa: S608
        f" SELECT 1 FROM case_event WHERE jurisdiction = ? AND case_id = ? AND source = '{DESK}' LIMIT 1",
        (*place, *place),
    )
    view = view_of(transaction, case, FOREVER - 1)
    if kept or view.standing.acting_state not in _OVER:
        return FOREVER
    return max(each.time for each in view.happened)


def _delete(transaction: Transaction, tables: Sequence[str], places: Sequence[tuple[str, int]]) -> None:
    for table in tables:
        query = f"DELETE FROM {table} WHERE jurisdiction = ? AND log_index = ?"  # noqa: S608 - fixed names
        transaction.executemany(query, places)


def _remove_filings(transaction: Transaction, places: Sequence[tuple[str, int]]) -> None:
    names: list[tuple[str, int, list[str]]] = []
    for place in places:
        rows = transaction.execute(
            "SELECT display_name, organisation_name FROM filing WHERE jurisdiction = ? AND log_index = ?", place
        )
        names.extend((*place, text_index.tokens(*row)) for row in rows)
    text_index.delete_rows(transaction, names)
    _delete(transaction, ("filing",), places)


def _remove_labels(
    transaction: Transaction, records: Sequence[RetainedRecord], places: Sequence[tuple[str, int]]
) -> None:
    _delete(transaction, ("label", "label_decision"), places)
    transaction.executemany(
        "DELETE FROM label_grant WHERE account_id = ? AND provider = ?",
        [(id_bytes(record.account_id), record.provider) for record in records],
    )


def _remove_escalations(transaction: Transaction, record: RetainedRecord) -> None:
    cases = _cases_of(transaction, record.provider, record.escalation_ids)
    places = [(case.jurisdiction, case.case_id) for case in cases]
    for table in ("case_event", "case_code", "case_file"):
        transaction.executemany(f"DELETE FROM {table} WHERE jurisdiction = ? AND case_id = ?", places)  # noqa: S608
    threads = [
        (jurisdiction, record.provider, id_bytes(escalation))
        for jurisdiction in PROVINCES
        for escalation in record.escalation_ids
    ]
    transaction.executemany(
        "DELETE FROM escalation_thread WHERE jurisdiction = ? AND provider = ? AND escalation_id = ?", threads
    )
    account = (id_bytes(record.account_id), record.provider)
    for table in ("measure", "appeal"):
        transaction.execute(f"DELETE FROM {table} WHERE account_id = ? AND provider = ?", account)  # noqa: S608
