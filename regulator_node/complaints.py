"""Complaints that come straight to a regulator (answer 2): joined to the provider's report where there is one.

Who complains gives no name and no contact, and follows the complaint by a tracking code. The words stay sealed at this
node; the log gets an entry that says which account, which baseline and when, so that the nation's copy knows the case
and takes it over when its time at the province runs out.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import astuple
from datetime import datetime
from typing import Final

from regulator_node.case_codes import case_of_code, lock_cases
from regulator_node.case_fold import Standing
from regulator_node.case_queries import view_of
from regulator_node.case_rows import CaseFile, case_id_of, read_case
from regulator_node.complaint_words import SEED_BYTES, ComplaintWords, tracking_digest
from regulator_node.held_escalations import provider_of_account
from regulator_node.kept_answers import keep_answer, kept_answer
from regulator_node.log import RegisterLog
from regulator_node.own_facts import state_facts
from regulator_node.public_servicer import ComplaintStanding, NewComplaint, TakenComplaint
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.identifiers import id_bytes
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.clocks import due_time
from shared.provisions.escalations import CaseKind, CaseState, case_clock
from shared.provisions.policy import Policy
from shared.provisions.spans import FOREVER
from shared.validation import validate

METHOD: Final = "SubmitComplaint"
"""Under which answers are kept."""

_OVER: Final = (CaseState.CLOSED, CaseState.DISMISSED)
_STATES: Final = {
    CaseState.OPEN: "open",
    CaseState.ANSWERED: "open",
    CaseState.ASSIGNED: "assigned",
    CaseState.VERIFIED: "assigned",
    CaseState.DIRECTED: "verified",
    CaseState.ACKNOWLEDGED: "verified",
    CaseState.DISMISSED: "dismissed",
    CaseState.CLOSED: "closed",
}
_UNDECIDED: Final = ("open", "assigned")
_COLUMNS: Final = (
    "jurisdiction",
    "complaint_id",
    "case_jurisdiction",
    "case_id",
    "code_digest",
    "account_id",
    "baseline",
    "sealed_item",
    "sealed_statement",
    "received_time",
)


class RegisterComplaints:
    """Takes complaints in and says where they stand; the `Complaints` of `public_servicer`.

    Args:
        database: the register.
        log: this regulator's.
        words: seals what complainants wrote.
        policy_at: finds the policy in force at a time.
        clock: tells the time.
        feed_regions: whether this is the nation, which feeds the provinces (Art. 3).
        on_change: called after a case entered the log, to wake those who follow it.
    """

    def __init__(
        self,
        database: Database,
        log: RegisterLog,
        words: ComplaintWords,
        policy_at: Callable[[datetime], Policy],
        clock: Clock,
        *,
        feed_regions: bool,
        on_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._log = log
        self._words = words
        self._policy_at = policy_at
        self._clock = clock
        self._feed_regions = feed_regions
        self._on_change = on_change

    async def submit(self, complaint: NewComplaint) -> TakenComplaint:
        """Takes a complaint in; durable when it returns, and once for one request id.

        Args:
            complaint: as it came in.

        Returns:
            Its tracking code, and whether it was joined to the provider's report: not where that report is of another
            account or over, and not yet where it has not come to this regulator. It joins the complaint when it comes.

        Raises:
            NotFound: ACCOUNT_UNKNOWN, nothing is known of such an account here.
            Conflict: REQUEST_ID_REUSED, another request had the id.
        """
        now = self._clock()
        policy = self._policy_at(now)
        digest = self._words.request_digest(repr(astuple(complaint)))

        def work(transaction: Transaction) -> TakenComplaint:
            self._log.lock(transaction)
            answered = kept_answer(transaction, METHOD, complaint.request_id, digest)
            if answered is not None:
                seed, joined = answered
                return TakenComplaint(self._words.tracking_code(bytes.fromhex(seed)), bool(joined))
            lock_cases(transaction, [id_bytes(complaint.account_id)])
            random = os.urandom(SEED_BYTES)
            code = self._words.tracking_code(random)
            case = _joined_case(transaction, complaint, micros(now))
            place = (case.jurisdiction, case.case_id) if case else self._open(transaction, complaint, code, policy, now)
            self._keep(transaction, complaint, code, place, micros(now))
            joined = case is not None and case.cause > 0
            keep_answer(transaction, METHOD, complaint.request_id, digest, [random.hex(), joined])
            return TakenComplaint(code, joined)

        taken = await self._database.write(work)
        self._on_change()
        return taken

    async def get(self, tracking_code: str) -> ComplaintStanding:
        """Says where a complaint stands, or a report that left its provider.

        Args:
            tracking_code: of the complaint, or the one that the provider gave to a reporter.

        Raises:
            NotFound: COMPLAINT_UNKNOWN.
        """
        now, digest = micros(self._clock()), tracking_digest(tracking_code)

        def work(transaction: Transaction) -> ComplaintStanding:
            rows = transaction.execute(
                "SELECT case_jurisdiction, case_id, received_time FROM complaint"
                " WHERE jurisdiction = ? AND code_digest = ?",
                (self._log.jurisdiction, digest),
            )
            case = read_case(transaction, rows[0][0], bytes(rows[0][1])) if rows else case_of_code(transaction, digest)
            if case is None:
                mend = "no complaint and no report here has this tracking code: compare it with what you were given"
                raise NotFound(mend, "COMPLAINT_UNKNOWN")
            return _told(view_of(transaction, case, now).standing, rows[0][2] if rows else case.received_time)

        return await self._database.read(work)

    async def words_of(self, case: CaseFile) -> tuple[str, str]:
        """Opens what complainants wrote on a case: the item's address and the statements, oldest first.

        Args:
            case: the case.

        Returns:
            Both empty where nobody complained at this node. The caller leaves an audit entry with the purpose.
        """
        rows = await self._database.read(
            lambda transaction: transaction.execute(
                "SELECT complaint_id, sealed_item, sealed_statement FROM complaint"
                " WHERE case_jurisdiction = ? AND case_id = ? ORDER BY received_time",
                (case.jurisdiction, case.case_id),
            )
        )
        opened = [
            (
                self._words.open(bytes(complaint), "item", bytes(item)),
                self._words.open(bytes(complaint), "statement", bytes(statement)),
            )
            for complaint, item, statement in rows
        ]
        items = [item for item, _ in opened if item]
        return items[0] if items else "", "\n\n".join(statement for _, statement in opened if statement)

    def _open(
        self, transaction: Transaction, complaint: NewComplaint, code: str, policy: Policy, now: datetime
    ) -> tuple[str, bytes]:
        jurisdiction = self._log.jurisdiction
        if provider_of_account(transaction, jurisdiction, id_bytes(complaint.account_id)) is None:
            mend = "no such account is on file at this regulator: compare its id, or go to the national one"
            raise NotFound(mend, "ACCOUNT_UNKNOWN")
        body = _opening(complaint, code, policy, now)
        state_facts(transaction, self._log, [("escalation", body)], now, feed_regions=self._feed_regions)
        return jurisdiction, case_id_of(jurisdiction, self._log.node_name, body.escalation_id)

    def _keep(
        self, transaction: Transaction, complaint: NewComplaint, code: str, place: tuple[str, bytes], now: int
    ) -> None:
        complaint_id = uuid.uuid4().bytes
        row = (
            self._log.jurisdiction,
            complaint_id,
            *place,
            tracking_digest(code),
            id_bytes(complaint.account_id),
            complaint.baseline,
            self._words.seal(complaint_id, "item", complaint.item_url),
            self._words.seal(complaint_id, "statement", complaint.statement),
            now,
        )
        transaction.insert_many("complaint", _COLUMNS, [row])


def _joined_case(transaction: Transaction, complaint: NewComplaint, now: int) -> CaseFile | None:
    if not complaint.report_code:
        return None
    case = case_of_code(transaction, tracking_digest(complaint.report_code))
    if case is None or case.account_id != id_bytes(complaint.account_id):
        return None
    return None if view_of(transaction, case, now).standing.acting_state in _OVER else case


def _opening(complaint: NewComplaint, code: str, policy: Policy, now: datetime) -> escalation_pb2.Escalation:
    # What was said and by whom is no part of it, nor is the item's address, which the public typed.
    body = escalation_pb2.Escalation(
        escalation_id=str(uuid.uuid4()), account_id=complaint.account_id.lower(), revision=1
    )
    report = body.report
    report.tracking_digest = tracking_digest(code)
    report.baseline = complaint.baseline
    report.reports = 1
    if complaint.report_code:
        report.report_digest = tracking_digest(complaint.report_code)
    report.cause = escalation_pb2.ESCALATION_CAUSE_HANDED_OVER
    report.received_time.FromDatetime(now)
    clock = case_clock(CaseState.OPEN, CaseKind.COMPLAINT, micros(now), policy)
    assert clock is not None
    report.due_time.FromMicroseconds(due_time(clock))
    validate(body)
    return body


def _told(standing: Standing, received_time: int) -> ComplaintStanding:
    state = _STATES[standing.acting_state]
    if standing.risen and state in _UNDECIDED:
        state = "at_nation"
    due = None if standing.due_time == FOREVER else standing.due_time
    return ComplaintStanding(state, standing.outcome, received_time, due)
