"""What this provider tells of reports, measures, appeals and orders: judged as its regulator will judge it, and queued.

It happens in the transaction of the change that it tells of, so that there is no measure without its report on the way
and no report of a measure that was not taken (Art. 8(2)). Every statement under one escalation id has the next
revision; its entry tells where it is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from provider_node.escalation_wire import escalation_to_wire
from provider_node.standing import Standing
from shared.clock import micros
from shared.database import Transaction
from shared.delivery.outbox import enqueue
from shared.errors import FailedPrecondition, FilingnetError, InvalidInput
from shared.provisions.account_history import AccountHistory
from shared.provisions.appeals import AppealRecord
from shared.provisions.escalation_judgement import EscalationContext, EscalationRecord, judge_escalation
from shared.provisions.measures import MeasureRecord
from shared.provisions.provider_standing import ProviderStanding
from shared.provisions.refusals import Refusal
from shared.provisions.reports import ReportRecord
from shared.provisions.statements import Matter, Thread

PROVIDER_FIELDS: Final = ("origin", "jurisdiction")

WRONG_INPUT: Final = frozenset(
    [
        "ACTION_WRONG",
        "ANSWER_WRONG",
        "BASELINE_WRONG",
        "DIGESTS_WRONG",
        "END_BEFORE_START",
        "END_WRONG",
        "GRAVITY_MISSING",
        "ITEM_WRONG",
        "LADDER_JUMPED",
        "MEASURE_TOO_LONG",
        "ORDER_CHANGED",
        "OUTCOME_UNKNOWN",
        "REASON_UNKNOWN",
        "STATEMENT_MISSING",
        "TIME_IN_FUTURE",
        "TIME_ORDER_WRONG",
        "TIME_TOO_EARLY",
    ]
)
"""Reasons that lie in what was asked; every other one lies in the state of things."""


class Teller:
    """Tells the regulator, within one transaction.

    Args:
        transaction: the write of the change that is told of.
        standing: the provider.
        now: when the statements are made.
    """

    def __init__(self, transaction: Transaction, standing: Standing, now: datetime) -> None:
        self._transaction = transaction
        self._standing = standing
        self._now = now

    def refusal(self, record: EscalationRecord, history: AccountHistory | None = None) -> Refusal | None:
        """Gives a statement its revision and judges it; None where it may be told.

        Args:
            record: its revision and created_time are set here.
            history: of the account, up to the statement; None where the rule asks for none.
        """
        thread = read_thread(self._transaction, record.escalation_id)
        record.revision = 1 if thread is None else thread.revision + 1
        record.created_time = micros(self._now)
        standing = self._standing
        provider = ProviderStanding(standing.licence, standing.state, standing.jurisdiction, standing.jurisdiction)
        context = EscalationContext(provider, standing.policies, self._now, thread, history or AccountHistory())
        return judge_escalation(record, context)

    def tell(self, record: EscalationRecord, history: AccountHistory | None = None) -> None:
        """Judges a statement and queues it; see `refusal`.

        Raises:
            InvalidInput: what was asked breaks a rule.
            FailedPrecondition: the state of the account, the measure, the order or the provider does not allow it.
        """
        refusal = self.refusal(record, history)
        if refusal is not None:
            raise refused(refusal)
        self.queue([record])

    def queue(self, records: Sequence[EscalationRecord]) -> None:
        """Queues statements that were judged, in order.

        Raises:
            InvalidInput: one breaks its contract or holds identity data.
        """
        queued = enqueue(
            self._transaction,
            destination=self._standing.regulator,
            jurisdiction=self._standing.jurisdiction,
            origin=self._standing.name,
            now=self._now,
            bodies=[(record.account_id, "escalation", escalation_to_wire(record)) for record in records],
        )
        self._transaction.insert_many(
            "escalation_statement",
            ("escalation_id", "revision", "account_id", "matter", "entry_id"),
            [
                (record.escalation_id, record.revision, record.account_id, int(_matter(record)), entry.entry_id)
                for record, entry in zip(records, queued, strict=True)
            ],
        )


def read_thread(transaction: Transaction, escalation_id: str) -> Thread | None:
    """Reads what was stated under an escalation id so far; None where nothing was."""
    rows = transaction.execute(
        "SELECT revision, account_id FROM escalation_statement WHERE escalation_id = ? ORDER BY revision DESC LIMIT 1",
        (escalation_id,),
    )
    if not rows:
        return None
    ((matter,),) = transaction.execute(
        "SELECT matter FROM escalation_statement WHERE escalation_id = ? AND revision = 1", (escalation_id,)
    )
    return Thread(Matter(matter), rows[0][1], rows[0][0])


def refused(refusal: Refusal) -> FilingnetError:
    """Returns the error for what the rules refuse: of the input, of the state, or of the provider itself."""
    first = refusal.violations[0]
    if first.field.startswith(PROVIDER_FIELDS):
        message = f"the regulator would refuse every statement of this provider: {first.mend}"
        return FailedPrecondition(message, refusal.reason, refusal.violations)
    kind = InvalidInput if refusal.reason in WRONG_INPUT else FailedPrecondition
    return kind(f"the rules do not allow it: {first.mend}", refusal.reason, refusal.violations)


def _matter(record: EscalationRecord) -> Matter:
    # The answer to an order opens a thread only where a complaint came straight to the regulator.
    matters = {ReportRecord: Matter.REPORT, MeasureRecord: Matter.MEASURE, AppealRecord: Matter.APPEAL}
    return matters.get(type(record), Matter.COMPLAINT)
