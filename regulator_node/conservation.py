"""The conservation of reports (Art. 5(3), answer 2), audited over the logs this node holds: none is lost, none is twice.

Every report that a log tells of is looked up among the cases, and the rules say with whom it is, or what does not add
up. The log is the measure, not the tables: a case that was lost from them is found missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from regulator_node.case_queries import view_of
from regulator_node.case_rows import case_id_of, cases_of_escalation, home_of, read_case
from shared.database import Database, Transaction
from shared.errors import Violation
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.conservation import ReportTrail, locate
from shared.provisions.escalations import Party
from shared.provisions.reports import ReportState

PAGE_ENTRIES: Final = 2_000

_Work: TypeAlias = Callable[[Transaction], None]
_Rows: TypeAlias = Callable[[Transaction], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A report that does not add up: where it is written, the rule it breaks and what that means."""

    jurisdiction: str
    log_index: int
    escalation_id: str
    rule: str
    mend: str


@dataclass(slots=True)
class Balance:
    """Where the reports are: how many there are, with whom by the party's name, and what does not add up."""

    reports: int = 0
    parties: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _Told:
    """What a log tells of one report."""

    log_index: int
    origin: str
    escalation_id: str
    settled: bool = False


async def audit_conservation(database: Database, now: int) -> Balance:
    """Audits every log that a node holds.

    Args:
        database: the register.
        now: the moment, in microseconds.

    Returns:
        The balance; the sum over the parties and the findings is the number of reports.
    """
    balance = Balance()
    names = await database.read(lambda transaction: transaction.execute("SELECT jurisdiction FROM log"))
    for (jurisdiction,) in sorted(names):
        told = await _read_log(database, jurisdiction)
        reports = list(told.values())
        for start in range(0, len(reports), PAGE_ENTRIES):
            page = reports[start : start + PAGE_ENTRIES]
            await database.read(_balancing(balance, jurisdiction, page, now))
    return balance


def _balancing(balance: Balance, jurisdiction: str, page: Sequence[_Told], now: int) -> _Work:
    def work(transaction: Transaction) -> None:
        for told in page:
            balance.reports += 1
            where = _locate(transaction, jurisdiction, told, now)
            if isinstance(where, Violation):
                finding = Finding(jurisdiction, told.log_index, told.escalation_id, where.rule, where.mend)
                balance.findings.append(finding)
            else:
                balance.parties[where.name.lower()] += 1

    return work


async def _read_log(database: Database, jurisdiction: str) -> dict[tuple[str, str], _Told]:
    told: dict[tuple[str, str], _Told] = {}
    start = 0
    while True:
        rows = await database.read(_page(jurisdiction, start))
        for index, raw in rows:
            _hear(told, index, bytes(raw))
        if len(rows) < PAGE_ENTRIES:
            return told
        start = rows[-1][0] + 1


def _page(jurisdiction: str, start: int) -> _Rows:
    return lambda transaction: transaction.execute(
        "SELECT log_index, entry FROM log_entry WHERE jurisdiction = ? AND log_index >= ? ORDER BY log_index LIMIT ?",
        (jurisdiction, start, PAGE_ENTRIES),
    )


def _hear(told: dict[tuple[str, str], _Told], index: int, raw: bytes) -> None:
    entry = entry_pb2.Entry.FromString(raw)
    if not entry.HasField("escalation"):
        return
    escalation = entry.escalation
    key = (entry.origin, escalation.escalation_id.lower())
    if escalation.HasField("report"):
        told[key] = _Told(index, *key)
    elif escalation.HasField("report_settled") and key in told:
        told[key].settled = True


def _locate(transaction: Transaction, jurisdiction: str, told: _Told, now: int) -> Party | Violation:
    case = read_case(transaction, jurisdiction, case_id_of(jurisdiction, told.origin, told.escalation_id))
    if case is None:
        # A report that joined the case of a complaint has none of its own.
        case = next(iter(cases_of_escalation(transaction, told.origin, told.escalation_id)), None)
    standing = None if case is None else view_of(transaction, case, now).standing
    trail = ReportTrail(
        # What the provider holds is not in this log but for what it told: that the report left, and that it settled it.
        ReportState.SETTLED if told.settled else ReportState.ESCALATED,
        escalated=True,
        escalation_taken=True,
        settlement_taken=told.settled,
        home=home_of(jurisdiction),
        case=None if standing is None else standing.state,
        rise_taken=standing is not None and standing.risen,
        nation_case=standing.nation_state if standing is not None and standing.risen else None,
    )
    return locate(trail)
