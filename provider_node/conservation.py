"""The conservation of reports at a provider (Art. 5(3), answer 2): none is lost, and none is here and gone at once.

Every report is compared with the tracking codes kept for it and with the outbox. Together with the audits of the
regulators this covers a whole network: what the provider says has been acknowledged is looked up there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.delivery.outbox import OutboxState
from shared.errors import Violation
from shared.provisions.conservation import HeldReport, locate_held
from shared.provisions.escalations import Party
from shared.provisions.reports import ReportState

PAGE_REPORTS: Final = 1_000
MOST_FINDINGS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """A report that does not add up: the rule it breaks and what that means."""

    report_id: str
    rule: str
    mend: str


@dataclass(slots=True)
class Balance:
    """Where the reports are: how many, with whom by the party's name, how many do not add up and the first of them."""

    reports: int = 0
    parties: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)


class ReportAudit:
    """Audits the reports of one node.

    Args:
        database: the node's own.
        clock: tells the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self, home: Party) -> Balance:
        """Looks every report up, page by page.

        Args:
            home: the party of the regulator with which the provider files.
        """
        balance, after, now = Balance(), "", micros(self._clock())
        while True:
            rows = await self._database.read(lambda transaction, last=after: _page(transaction, last))  # type: ignore[misc]
            for row in rows:
                _add(balance, row, home, now)
            if len(rows) < PAGE_REPORTS:
                return balance
            after = rows[-1][0]


def _page(transaction: Transaction, after: str) -> list[tuple[Any, ...]]:
    # An entry that the regulator refused, or that waits, is still the provider's.
    return transaction.execute(
        "SELECT r.report_id, r.state, r.reports, r.leave_time,"
        " (SELECT COUNT(*) FROM report_code c WHERE c.report_id = r.report_id),"
        " (SELECT COUNT(*) FROM escalation_statement s JOIN outbox o ON o.entry_id = s.entry_id"
        " WHERE s.escalation_id = r.report_id AND s.revision = 1),"
        " (SELECT COUNT(*) FROM escalation_statement s JOIN outbox o ON o.entry_id = s.entry_id"
        " WHERE s.escalation_id = r.report_id AND s.revision = 1 AND o.state = ?)"
        " FROM report r WHERE r.report_id > ? ORDER BY r.report_id LIMIT ?",
        (int(OutboxState.DELIVERED), after, PAGE_REPORTS),
    )


def _add(balance: Balance, row: tuple[Any, ...], home: Party, now: int) -> None:
    report_id, state, reports, leave_time, codes, escalated, taken = row
    held = HeldReport(ReportState(state), reports, codes, leave_time, escalated > 0, taken > 0)
    where = locate_held(held, home, now)
    balance.reports += 1
    if not isinstance(where, Violation):
        balance.parties[where.name.lower()] += 1
        return
    balance.wrong += 1
    if len(balance.findings) < MOST_FINDINGS:
        balance.findings.append(Finding(report_id, where.rule, where.mend))
