"""What entries on reports, measures, appeals and orders mean to the register (Arts. 5(3), 8 and 9).

A report, a complaint and an appeal that came to the regulator open a case; what follows happens to it. Everything is
folded out of the log by the functions of the rules, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from regulator_node.case_codes import join_report, keep_codes, lock_cases, merge_case, waiting_cases
from regulator_node.case_fold import Happening
from regulator_node.case_rows import (
    NATION_JURISDICTION,
    CaseFile,
    PlacedHappening,
    add_happening,
    case_id_of,
    cases_of_escalation,
    open_case,
    read_standing,
)
from regulator_node.held_escalations import (
    APPEAL_COLUMNS,
    MEASURE_COLUMNS,
    appeal_of,
    provider_of_account,
    read_histories,
    read_threads,
)
from regulator_node.register_departures import bring_along, moved_to
from shared.database import Transaction
from shared.identifiers import id_bytes, id_text
from shared.mapping.escalation import escalation_decision_from_wire, escalation_from_wire
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.account_history import AccountHistory, Appeal
from shared.provisions.appeals import AppealRecord, AppealStage, appeal_after, appeal_decided
from shared.provisions.directives import ANSWER_EVENTS, CASE_EVENTS, EscalationOutcome, OrderAnswerRecord
from shared.provisions.escalation_judgement import EscalationRecord
from shared.provisions.escalations import CaseEvent, CaseKind, CaseState
from shared.provisions.measures import MeasureRecord, measure_after
from shared.provisions.reports import JoiningRecord, ReportRecord, SettlementRecord
from shared.provisions.statements import Matter

__all__ = ["apply_escalation_decision", "apply_escalations", "read_histories", "read_threads", "region_of_decision"]

_THREAD: Final = (
    "INSERT INTO escalation_thread (jurisdiction, provider, escalation_id, account_id, matter, revision)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (jurisdiction, provider, escalation_id) DO UPDATE SET"
    " revision = excluded.revision"
)
_DECISION_COLUMNS: Final = (
    "jurisdiction",
    "log_index",
    "entry_id",
    "provider",
    "account_id",
    "escalation_id",
    "outcome",
    "ordered_measure",
    "baseline",
    "gravity",
    "days",
    "reason",
    "note",
    "decided_time",
    "acknowledge_by",
    "answer_by",
    "measure_id",
)
_ANSWER_COLUMNS: Final = (
    "jurisdiction",
    "log_index",
    "provider",
    "order_entry_id",
    "answer",
    "reason",
    "answered_time",
    "filed_time",
)


def _upsert(table: str, keys: Sequence[str], fixed: Sequence[str], changing: Sequence[str]) -> str:
    columns = (*keys, *fixed, *changing)
    updates = ", ".join(f"{column} = excluded.{column}" for column in changing)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates}"
    )


_PLACE: Final = ("jurisdiction", "provider", "measure_id")
_READ_APPEAL: Final = f"SELECT jurisdiction, account_id, appeal_id, measure_id, {', '.join(APPEAL_COLUMNS)} FROM appeal"  # noqa: S608
_MEASURE: Final = _upsert("measure", _PLACE, ("account_id",), (*MEASURE_COLUMNS, "log_index", "filed_time"))
_APPEAL: Final = _upsert("appeal", _PLACE, ("appeal_id", "account_id"), APPEAL_COLUMNS)


_WITH_CODES: Final = (ReportRecord, JoiningRecord)
_OVER: Final = (CaseState.CLOSED, CaseState.DISMISSED)


@dataclass(frozen=True, slots=True)
class _Stated:
    """A statement and where it is written."""

    jurisdiction: str
    index: int
    origin: str
    filed_time: int

    def placed(self, event: CaseEvent, reason: str = "", *, of_nation: bool = False) -> PlacedHappening:
        """Returns what the statement does to a case."""
        happening = Happening(self.filed_time, event, of_nation, self.origin, reason)
        return PlacedHappening(happening, self.jurisdiction, self.index)


def apply_escalations(
    transaction: Transaction, jurisdiction: str, entries: Sequence[tuple[int, entry_pb2.Entry]], filed_time: int
) -> None:
    """Applies providers' statements, and complaints that a regulator took in, in log order.

    Args:
        transaction: where they are applied.
        jurisdiction: whose log.
        entries: pairs of log index and entry, all of which hold an escalation.
        filed_time: when they entered the log, microseconds since 1970.
    """
    records = [escalation_from_wire(entry.escalation, micros_of(entry.created_time)) for _, entry in entries]
    lock_cases(transaction, {id_bytes(record.account_id) for record in records if isinstance(record, _WITH_CODES)})
    for (index, entry), record in zip(entries, records, strict=True):
        stated = _Stated(jurisdiction, index, entry.origin, filed_time)
        if entry.origin.startswith("regulator/"):
            if isinstance(record, ReportRecord):
                _open_complaint(transaction, stated, record)
            continue
        _keep_thread(transaction, stated, record)
        _apply(transaction, stated, record)


def apply_escalation_decision(transaction: Transaction, jurisdiction: str, index: int, entry: entry_pb2.Entry) -> None:
    """Applies a regulator's decision on an escalation.

    Args:
        transaction: where it is applied.
        jurisdiction: whose log.
        index: of the entry in it.
        entry: holds the decision.
    """
    wire, decision = entry.escalation_decision, escalation_decision_from_wire(entry.escalation_decision)
    escalation = id_bytes(decision.escalation_id)
    appeals = transaction.execute(
        f"{_READ_APPEAL} WHERE provider = ? AND appeal_id = ?",
        (decision.provider, escalation),
    )
    measure_id = id_text(bytes(appeals[0][3])) if appeals else ""
    row = (
        jurisdiction,
        index,
        entry.entry_id,
        decision.provider,
        id_bytes(decision.account_id),
        escalation,
        decision.outcome,
        decision.ordered_measure,
        decision.baseline,
        decision.gravity,
        decision.days,
        decision.reason,
        wire.note,
        decision.decided_time,
        decision.acknowledge_by,
        decision.answer_by,
        measure_id,
    )
    transaction.insert_many("escalation_decision", _DECISION_COLUMNS, [row])
    for home, account, appeal_id, measure, *values in appeals:
        appeal = appeal_of([appeal_id, measure, *values])
        granted = decision.outcome == EscalationOutcome.APPEAL_GRANTED
        decided = appeal_decided(appeal, decision.decided_time, granted=granted)
        _write_appeal(transaction, home, decision.provider, bytes(account), decided)
    stated = _Stated(jurisdiction, index, entry.origin, decision.decided_time)
    nation = jurisdiction == NATION_JURISDICTION
    for case in cases_of_escalation(transaction, decision.provider, decision.escalation_id):
        add_happening(
            transaction, case, stated.placed(CASE_EVENTS[decision.outcome], decision.reason, of_nation=nation)
        )


def region_of_decision(transaction: Transaction, jurisdiction: str, entry: entry_pb2.Entry) -> str | None:
    """Returns the province through which a decision of the nation reaches its provider; None where it needs none.

    Args:
        transaction: the one in which the decision was applied.
        jurisdiction: whose log it is in.
        entry: holds the decision.
    """
    if jurisdiction != NATION_JURISDICTION:
        return None
    decision = entry.escalation_decision
    for case in cases_of_escalation(transaction, decision.provider, decision.escalation_id):
        if case.jurisdiction != NATION_JURISDICTION:
            return case.jurisdiction
    place = provider_of_account(transaction, jurisdiction, id_bytes(decision.account_id))
    return place[0] if place is not None and place[0] != NATION_JURISDICTION else None


def places_of_case(transaction: Transaction, jurisdiction: str, entry: entry_pb2.Entry) -> list[str]:
    """Returns the other regulators that a statement's case is with: where its provider filed before it moved (Art. 3).

    Args:
        transaction: the one in which the statement was applied.
        jurisdiction: whose log it is in.
        entry: holds the statement.
    """
    if moved_to(transaction, entry.origin) is None:
        return []
    cases = cases_of_escalation(transaction, entry.origin, entry.escalation.escalation_id)
    return sorted({case.jurisdiction for case in cases} - {jurisdiction, NATION_JURISDICTION})


def _keep_thread(transaction: Transaction, stated: _Stated, record: EscalationRecord) -> None:
    matter = Matter.COMPLAINT
    if isinstance(record, ReportRecord):
        matter = Matter.REPORT
    elif isinstance(record, MeasureRecord):
        matter = Matter.MEASURE
    elif isinstance(record, AppealRecord):
        matter = Matter.APPEAL
    # What the id stands for is told by its first statement; later ones only count on.
    ids = (id_bytes(record.escalation_id), id_bytes(record.account_id))
    bring_along(transaction, "escalation_thread", "escalation_id", ids[:1], stated.jurisdiction, stated.origin)
    transaction.execute(_THREAD, (stated.jurisdiction, stated.origin, *ids, int(matter), record.revision))


def _apply(transaction: Transaction, stated: _Stated, record: EscalationRecord) -> None:
    if isinstance(record, ReportRecord):
        _open_report(transaction, stated, record)
    elif isinstance(record, JoiningRecord):
        _join_reporters(transaction, stated, record)
    elif isinstance(record, SettlementRecord):
        for case in cases_of_escalation(transaction, stated.origin, record.escalation_id):
            add_happening(transaction, case, stated.placed(CaseEvent.SETTLE, record.outcome))
    elif isinstance(record, MeasureRecord):
        _apply_measure(transaction, stated, record)
    elif isinstance(record, AppealRecord):
        _apply_appeal(transaction, stated, record)
    else:
        _apply_answer(transaction, stated, record)


def _open_report(transaction: Transaction, stated: _Stated, record: ReportRecord) -> None:
    case = _case(CaseKind.REPORT, stated, stated.origin, record, cause=record.cause, item_url=record.item_url)
    digests = [record.tracking_digest, *record.joined_digests]
    joined = stated.placed(CaseEvent.JOIN)
    waiting = waiting_cases(transaction, digests, stated.origin, case.account_id, joined)
    here = next((each for each in waiting if each.jurisdiction == stated.jurisdiction), None)
    if here is None:
        open_case(transaction, case, stated.placed(CaseEvent.OPEN))
    else:
        waiting.remove(here)
        case = join_report(transaction, here, case, joined)
    keep_codes(transaction, case, digests)
    for each in waiting:
        merge_case(transaction, each, case, joined)


def _join_reporters(transaction: Transaction, stated: _Stated, record: JoiningRecord) -> None:
    """Keeps the codes of further reporters; who complained under one of them is told of the report's case from now on."""
    joined = stated.placed(CaseEvent.JOIN)
    digests = list(record.tracking_digests)
    for case in cases_of_escalation(transaction, stated.origin, record.escalation_id):
        waiting = waiting_cases(transaction, digests, stated.origin, case.account_id, joined)
        keep_codes(transaction, case, digests)
        if read_standing(transaction, case).state in _OVER:
            continue
        for each in waiting:
            merge_case(transaction, each, case, joined)


def _open_complaint(transaction: Transaction, stated: _Stated, record: ReportRecord) -> None:
    found = provider_of_account(transaction, stated.jurisdiction, id_bytes(record.account_id))
    case = _case(CaseKind.COMPLAINT, stated, found[1] if found else "", record)
    open_case(transaction, case, stated.placed(CaseEvent.OPEN))
    # Its own code goes with its words, once they are disposed of, and is not kept here.
    keep_codes(transaction, case, [record.report_digest] if record.report_digest else [])


def _case(
    kind: CaseKind, stated: _Stated, provider: str, record: ReportRecord, *, cause: int = 0, item_url: str = ""
) -> CaseFile:
    return CaseFile(
        stated.jurisdiction,
        case_id_of(stated.jurisdiction, stated.origin, record.escalation_id),
        int(kind),
        provider,
        id_bytes(record.account_id),
        id_bytes(record.escalation_id),
        "",
        record.baseline,
        item_url,
        int(cause),
        record.tracking_digest,
        stated.filed_time,
    )


def _apply_measure(transaction: Transaction, stated: _Stated, record: MeasureRecord) -> None:
    history = _history(transaction, stated, record.account_id)
    measures = (id_bytes(record.escalation_id),)
    bring_along(transaction, "measure", "measure_id", measures, stated.jurisdiction, stated.origin)
    measure = measure_after(record, history.measure(record.escalation_id))
    transaction.execute(
        _MEASURE,
        (
            stated.jurisdiction,
            stated.origin,
            id_bytes(record.escalation_id),
            id_bytes(record.account_id),
            *(getattr(measure, column) for column in MEASURE_COLUMNS),
            stated.index,
            stated.filed_time,
        ),
    )


def _apply_appeal(transaction: Transaction, stated: _Stated, record: AppealRecord) -> None:
    history = _history(transaction, stated, record.account_id)
    appeal = appeal_after(record, history.appeal_against(record.measure_id))
    measures = (id_bytes(record.measure_id),)
    bring_along(transaction, "appeal", "measure_id", measures, stated.jurisdiction, stated.origin)
    _write_appeal(transaction, stated.jurisdiction, stated.origin, id_bytes(record.account_id), appeal)
    if record.stage != AppealStage.TO_REGULATOR:
        return
    measure = history.measure(record.measure_id)
    case = CaseFile(
        stated.jurisdiction,
        case_id_of(stated.jurisdiction, stated.origin, record.escalation_id),
        int(CaseKind.APPEAL),
        stated.origin,
        id_bytes(record.account_id),
        id_bytes(record.escalation_id),
        record.measure_id,
        measure.baseline if measure is not None else 0,
        "",
        0,
        b"",
        stated.filed_time,
    )
    open_case(transaction, case, stated.placed(CaseEvent.OPEN))


def _apply_answer(transaction: Transaction, stated: _Stated, record: OrderAnswerRecord) -> None:
    values = (record.order_entry_id, record.answer, record.reason, record.answered_time, stated.filed_time)
    row = (stated.jurisdiction, stated.index, stated.origin, *values)
    transaction.insert_many("order_answer", _ANSWER_COLUMNS, [row])
    orders = transaction.execute(
        "SELECT jurisdiction FROM escalation_decision WHERE entry_id = ?", (record.order_entry_id,)
    )
    nation = any(jurisdiction == NATION_JURISDICTION for (jurisdiction,) in orders)
    for case in cases_of_escalation(transaction, stated.origin, record.escalation_id):
        placed = stated.placed(ANSWER_EVENTS[record.answer], record.reason, of_nation=nation)
        add_happening(transaction, case, placed)


def _history(transaction: Transaction, stated: _Stated, account_id: str) -> AccountHistory:
    histories = read_histories(transaction, stated.jurisdiction, stated.origin, [id_bytes(account_id)])
    return histories.get(account_id, AccountHistory())


def _write_appeal(transaction: Transaction, jurisdiction: str, provider: str, account: bytes, appeal: Appeal) -> None:
    values = (
        appeal.revision,
        appeal.appealed_time,
        appeal.decided_time,
        int(appeal.overturned),
        appeal.regulator_appealed_time,
        appeal.regulator_decided_time,
        int(appeal.granted),
    )
    ids = (id_bytes(appeal.measure_id), id_bytes(appeal.appeal_id), account)
    transaction.execute(_APPEAL, (jurisdiction, provider, *ids, *values))
