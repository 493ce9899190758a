"""What the entries of a batch are judged against: read from the register once for the whole batch, and kept in step.

A batch holds what a provider did in order, so that a later entry is judged by what an earlier one of the same batch
brought about: an account filed and then labelled, a measure taken and then reported as lifted. What is read depends on
what the batch holds; for filings alone it is one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from regulator_node.ended_accounts import read_ended
from regulator_node.held_labels import (
    HeldGrant,
    read_approvals,
    read_grants_of_accounts,
    read_held_grants,
)
from regulator_node.register_departures import logs_of, marks
from regulator_node.register_duties import read_duty_profile
from regulator_node.register_escalations import read_histories, read_threads
from regulator_node.register_holds import read_held_directives
from shared.database import Transaction
from shared.errors import Violation
from shared.identifiers import id_bytes
from shared.provisions.account_history import AccountHistory
from shared.provisions.appeals import AppealRecord, appeal_after
from shared.provisions.directives import OrderAnswerRecord, order_after
from shared.provisions.duties import DutyContext, DutyProfileRecord, judge_duty_profile
from shared.provisions.escalation_judgement import EscalationContext, EscalationRecord, judge_escalation
from shared.provisions.filings import FilingAction, FilingContext, FilingRecord, judge_filing
from shared.provisions.labels import (
    LabelContext,
    LabelledAccount,
    LabelRecord,
    grant_after,
    judge_label,
)
from shared.provisions.measures import MeasureRecord, measure_after
from shared.provisions.policy import policy_at_micros
from shared.provisions.provider_standing import ProviderStanding
from shared.provisions.record_holds import HeldDirective, HoldAnswerRecord, judge_hold_answer
from shared.provisions.refusals import Refusal
from shared.provisions.reports import ReportRecord
from shared.provisions.statements import Matter, Statement, Thread
from shared.provisions.subjects import SubjectKind
from shared.provisions.transfers import DepartureRecord, Filer, Transfers, judge_departure

Record = FilingRecord | LabelRecord | EscalationRecord | DutyProfileRecord | DepartureRecord | HoldAnswerRecord
"""Whatever a provider may state, as the rules see it."""


class Stated(Protocol):
    """An entry of a batch that is parsed and well-formed, or refused."""

    @property
    def record(self) -> Record | None:
        """What it states; None where it is refused already."""

    @property
    def account_key(self) -> bytes:
        """The account it is about, 16 bytes; empty where it is about none."""


@dataclass(slots=True)
class _Account:
    """What the register knows of an account's filing."""

    revision: int = 0
    withdrawn: bool = False
    subject_kind: int = SubjectKind.UNSPECIFIED


class BatchJudge:
    """Judges the entries of one batch in their order, each by the rule of its kind.

    Args:
        transaction: reads the register; the caller holds the log's lock.
        jurisdiction: of the log.
        origin: the provider.
        entries: of the batch.
        context: the provider, the policies and the time.
        as_new: whether an account that the batch opens is taken for one that the register does not hold yet.
        transfers: of the provider; None where it was never transferred.
        filer: what the provider is to this regulator.
    """

    def __init__(
        self,
        transaction: Transaction,
        jurisdiction: str,
        origin: str,
        entries: Sequence[Stated],
        context: FilingContext,
        *,
        as_new: bool = False,
        transfers: Transfers | None = None,
        filer: Filer = Filer.HERE,
    ) -> None:
        self._context = context
        self._transfers = transfers or Transfers(jurisdiction)
        self._filer = filer
        # One that never moved has one log, and is not looked up.
        logs = (jurisdiction,) if transfers is None else logs_of(transaction, jurisdiction, origin)
        self._accounts = _read_accounts(transaction, logs, origin, entries, _opened(entries) if as_new else set())
        self._standing = ProviderStanding(
            context.licence, context.provider_state, context.provider_jurisdiction, context.regulator_jurisdiction
        )
        records = [entry.record for entry in entries if entry.record is not None]
        records = [record for record in records if type(record) not in (FilingRecord, DepartureRecord)]
        self._origin = origin
        self._held_holds: dict[str, HeldDirective] = {}
        if records:
            self._read_others(transaction, jurisdiction, origin, records)

    def judge(self, entry: Stated) -> Refusal | None:
        """Judges one entry, and keeps in mind what it brings about where it stands.

        Args:
            entry: with a record.

        Returns:
            None where it may enter the log, else the refusal of its rule.
        """
        record = entry.record
        if isinstance(record, FilingRecord):
            return self._judge_filing(record, entry.account_key)
        if isinstance(record, LabelRecord):
            return self._judge_label(record, entry.account_key)
        if isinstance(record, DutyProfileRecord):
            return self._judge_duties(record)
        if isinstance(record, HoldAnswerRecord):
            return self._judge_hold_answer(record)
        if isinstance(record, DepartureRecord):
            return judge_departure(record, self._transfers, self._filer)
        assert record is not None
        return self._judge_escalation(record, entry.account_key)

    def _read_others(self, transaction: Transaction, jurisdiction: str, origin: str, records: Sequence[Record]) -> None:
        place = (transaction, jurisdiction, origin)
        labels = [record for record in records if isinstance(record, LabelRecord)]
        escalations = [record for record in records if isinstance(record, Statement)]
        labelled = {id_bytes(record.account_id) for record in labels}
        self._held = read_held_grants(*place, {id_bytes(record.grant_id) for record in labels})
        self._grants = read_grants_of_accounts(*place, labelled)
        self._approvals = read_approvals(
            *place, {record.approval_entry_id for record in labels if record.approval_entry_id}
        )
        self._histories: dict[str, AccountHistory] = {}
        self._threads: dict[str, Thread] = {}
        if labelled or escalations:
            accounts = labelled | {id_bytes(record.account_id) for record in escalations}
            self._histories = dict(read_histories(*place, accounts))
        if escalations:
            self._threads = dict(read_threads(*place, {id_bytes(record.escalation_id) for record in escalations}))
        self._duties: DutyProfileRecord | None = None
        answers = {record.directive_entry_id for record in records if isinstance(record, HoldAnswerRecord)}
        self._held_holds = read_held_directives(transaction, answers)
        if any(isinstance(record, DutyProfileRecord) for record in records):
            self._duties = read_duty_profile(*place)

    def _judge_filing(self, record: FilingRecord, account_key: bytes) -> Refusal | None:
        account = self._accounts.get(account_key)
        context = self._context
        context.last_revision, context.withdrawn = (account.revision, account.withdrawn) if account else (0, False)
        refusal = judge_filing(record, context)
        if refusal is None:
            withdrawn = record.action == FilingAction.WITHDRAW
            self._accounts[account_key] = _Account(record.revision, withdrawn, record.subject_kind)
        return refusal

    def _judge_label(self, record: LabelRecord, account_key: bytes) -> Refusal | None:
        held = self._held.get(record.grant_id)
        account = self._accounts.get(account_key, _Account())
        history = self._histories.get(record.account_id)
        context = LabelContext(
            self._standing,
            self._context.policies,
            self._context.now,
            LabelledAccount(
                filed=account.revision > 0,
                withdrawn=account.withdrawn,
                closed=history is not None and history.closed_at(record.created_time),
                subject_kind=account.subject_kind,
            ),
            previous=held.statement if held else None,
            ended=held is not None and held.ended,
            objected=held is not None and held.objected,
            approval=self._approvals.get(record.approval_entry_id),
            others=[grant for grant in self._grants.get(record.account_id, ()) if grant.grant_id != record.grant_id],
        )
        refusal = judge_label(record, context)
        if refusal is None:
            self._label_stood(record, held)
        return refusal

    def _label_stood(self, record: LabelRecord, held: HeldGrant | None) -> None:
        grant = grant_after(record, held.grant if held else None)
        self._held[record.grant_id] = HeldGrant(record, grant)
        others = [each for each in self._grants.get(record.account_id, ()) if each.grant_id != record.grant_id]
        self._grants[record.account_id] = [*others, grant] if grant is not None else others

    def _judge_escalation(self, record: EscalationRecord, account_key: bytes) -> Refusal | None:
        account = self._accounts.get(account_key, _Account())
        history = replace(
            self._histories.get(record.account_id) or AccountHistory(),
            filed=account.revision > 0,
            withdrawn=account.withdrawn,
        )
        thread = self._threads.get(record.escalation_id)
        context = EscalationContext(self._standing, self._context.policies, self._context.now, thread, history)
        refusal = judge_escalation(record, context)
        if refusal is None:
            self._histories[record.account_id] = history_after(record, history)
            self._threads[record.escalation_id] = thread_after(record, thread)
        return refusal

    def _judge_duties(self, record: DutyProfileRecord) -> Refusal | None:
        context = DutyContext(self._standing, self._context.policies, self._context.now, self._duties)
        refusal = judge_duty_profile(record, context)
        if refusal is None:
            self._duties = record
        return refusal

    def _judge_hold_answer(self, record: HoldAnswerRecord) -> Refusal | None:
        policy = policy_at_micros(self._context.policies, record.created_time)
        held = self._held_holds.get(record.directive_entry_id)
        if policy is None:
            mend = "make the entry when a policy is in force"
            return Refusal("TIME_TOO_EARLY", (Violation("created_time", "TIME_TOO_EARLY", mend),))
        refusal = judge_hold_answer(record, self._origin, held, policy)
        if refusal is None and held is not None:
            self._held_holds[record.directive_entry_id] = replace(held, acknowledged=True)
        return refusal


def history_after(record: EscalationRecord, history: AccountHistory) -> AccountHistory:
    """Returns what an account has gone through after a statement that `judge_escalation` let pass."""
    if isinstance(record, MeasureRecord):
        return history.with_measure(measure_after(record, history.measure(record.escalation_id)))
    if isinstance(record, AppealRecord):
        return history.with_appeal(appeal_after(record, history.appeal_against(record.measure_id)))
    if isinstance(record, OrderAnswerRecord):
        orders = [
            order_after(record, order) if order.order_entry_id == record.order_entry_id else order
            for order in history.orders
        ]
        return replace(history, orders=tuple(orders))
    return history


def thread_after(record: EscalationRecord, thread: Thread | None) -> Thread:
    """Returns what was stated under an escalation id after a statement that `judge_escalation` let pass."""
    if thread is not None:
        return replace(thread, revision=record.revision)
    if isinstance(record, MeasureRecord):
        matter = Matter.MEASURE
    elif isinstance(record, AppealRecord):
        matter = Matter.APPEAL
    elif isinstance(record, ReportRecord):
        matter = Matter.REPORT
    else:
        # Only what came straight to the regulator has no statement of the provider before the answer to its order.
        matter = Matter.COMPLAINT
    return Thread(matter, record.account_id, record.revision)


def _opened(entries: Sequence[Stated]) -> set[bytes]:
    # An account of which the batch tells anything else as well may be known all the same; the table's key tells.
    return {
        entry.account_key for entry in entries if isinstance(entry.record, FilingRecord) and entry.record.revision == 1
    }


def _read_accounts(
    transaction: Transaction, logs: Sequence[str], origin: str, entries: Sequence[Stated], new: set[bytes]
) -> dict[bytes, _Account]:
    named = {entry.account_key for entry in entries if entry.account_key}
    ended = {key: _Account(last, withdrawn=True) for key, last in read_ended(transaction, origin, named).items()}
    keys = named - new - set(ended)
    if not keys:
        return ended
    place = (
        f"FROM filing {transaction.by_index('filing_account')} WHERE jurisdiction IN ({marks(logs)}) AND provider = ?"
        f" AND account_id IN ({marks(keys)})"
    )
    rows = transaction.execute(
        f"SELECT account_id, MAX(revision), MAX(action) {place} GROUP BY account_id",
        (*logs, origin, *keys),
    )
    # WITHDRAW is the highest action, and nothing follows it.
    accounts = {bytes(key): _Account(revision, action == FilingAction.WITHDRAW) for key, revision, action in rows}
    if any(isinstance(entry.record, LabelRecord) for entry in entries):
        kinds = transaction.execute(
            f"SELECT account_id, subject_kind {place} AND superseded_time IS NULL",
            (*logs, origin, *keys),
        )
        for key, kind in kinds:
            accounts[bytes(key)].subject_kind = kind
    return accounts | ended
