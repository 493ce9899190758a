"""Reports from the public (Art. 5(3)): taken in, answered, settled, paused, handed over, and gone when their time is up.

Every change judges the report by its clocks first: one whose time is up leaves for the regulator in the transaction
that finds it so, whether that is the clock worker's or a call's, and the call is then judged against a report that has
left. So a report leaves once, at its due minute as far as anybody can tell, whatever the worker was doing meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from provider_node.account_rows import read_account
from provider_node.answers import request_of, store_answer, stored_answer
from provider_node.blind_index import BlindIndex
from provider_node.escalation_statements import Teller, refused
from provider_node.etags import check_etag
from provider_node.front_names import refuse_identity
from provider_node.gated_writes import GatedWrites
from provider_node.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from provider_node.report_departures import leave, leave_where_due, with_leave_time
from provider_node.report_rows import (
    StoredEvent,
    StoredReport,
    add_code,
    add_event,
    add_pause,
    add_statement,
    end_pause,
    find_by_code,
    find_open,
    insert_report,
    list_reports,
    read_events,
    read_report,
    read_statements,
    update_report,
)
from provider_node.sealed_words import SealedWords, new_seed, tracking_digest
from provider_node.standing import ReadStanding
from provider_node.submissions import Submission, check_item, received_report
from provider_node.vault import Vault
from shared.clock import Clock, from_micros, micros
from shared.database import Transaction
from shared.identifiers import id_bytes
from shared.provisions.policy import Policy, policy_at
from shared.provisions.reports import (
    TRANSITIONS,
    Actor,
    Departure,
    DueTimes,
    EscalationCause,
    Pause,
    ReportEvent,
    ReportState,
    SettlementRecord,
    due_times,
    judge_report_event,
)
from shared.provisions.spans import FOREVER

FIRST: Final = (-1, "")
PUBLIC: Final = "public"


@dataclass(frozen=True, slots=True)
class ToldReport:
    """A report with what happened to it and its due times, in microseconds; its address is opened."""

    report: StoredReport
    events: tuple[StoredEvent, ...]
    due: DueTimes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reporter is told by the tracking code; received_time is of that reporter's own report."""

    report: StoredReport
    received_time: int
    due: DueTimes
    answer: str


class Reports:
    """Takes reports in and handles them.

    Args:
        writes: commits changes and wakes the clock.
        vault: seals words, digests requests, keeps the audit trail.
        standing: reads the provider's standing.
        clock: tells the time.
    """

    def __init__(self, writes: GatedWrites, vault: Vault, standing: ReadStanding, clock: Clock) -> None:
        self._writes = writes
        self._vault = vault
        self._words: SealedWords = vault.words
        self._index: BlindIndex = vault.index
        self._standing = standing
        self._clock = clock

    async def submit(self, request_id: str, submission: Submission) -> tuple[ToldReport, str, bool]:
        """Takes a report in, or joins it to the open one of the same item, or account, in the same matter.

        Returns:
            The report, the reporter's tracking code, and whether it was joined; the same for a request sent again.

        Raises:
            NotFound: there is no such account.
            InvalidInput: ITEM_WRONG, REQUEST_ID_REUSED.
        """
        check_item(submission)
        content = [
            submission.account_id.lower(),
            submission.baseline,
            submission.item_url,
            submission.item_digest.hex(),
            submission.statement,
        ]
        request = request_of(self._index, request_id, "SubmitReport", content)
        now, seed = self._clock(), new_seed()

        def work(transaction: Transaction) -> tuple[ToldReport, str, bool]:
            transaction.lock(f"request {request.request_id}")
            answer = stored_answer(transaction, request)
            if answer is not None:
                code = self._words.tracking_code(bytes.fromhex(answer["seed"]))
                return self._told(transaction, answer["report_id"]), code, answer["joined"]
            account = read_account(transaction, submission.account_id)
            report, joined = self._take_in(transaction, replace(submission, account_id=account.account_id), seed, now)
            told = {"report_id": report.report_id, "seed": seed.hex(), "joined": joined}
            store_answer(transaction, request, account.reference, told)
            return self._told(transaction, report.report_id), self._words.tracking_code(seed), joined

        return await self._writes.write(work)

    async def outcome(self, code: str) -> Outcome:
        """Tells a reporter where the report stands; raises NotFound TRACKING_CODE_UNKNOWN."""

        def work(transaction: Transaction) -> Outcome:
            report, received = find_by_code(transaction, tracking_digest(code))
            answer = ""
            if report.sealed_answer is not None:
                answer = self._words.open("report", report.report_id, "answer", report.sealed_answer)
            return Outcome(report, received, self._due(report), answer)

        return await self._writes.database.read(work)

    async def read_words(self, report_id: str, purpose: str, reader: str) -> tuple[ToldReport, list[str]]:
        """Reads a report with its reporters' words. The audit entry is durable before this returns.

        Args:
            report_id: the report.
            purpose: why, as a code.
            reader: who, by the backend's own name for its operator.

        Raises:
            NotFound: there is no such report. Such a try is in the audit trail as well.
        """
        await self._vault.note_words_read(id_bytes(report_id), purpose, reader, self._clock())

        def work(transaction: Transaction) -> tuple[ToldReport, list[str]]:
            told = self._told(transaction, report_id)
            row = told.report.report_id
            sealed = read_statements(transaction, row)
            return told, [
                self._words.open("report_statement", f"{row} {position}", "statement", each)
                for position, each in sealed
            ]

        return await self._writes.database.read(work)

    async def list_page(
        self, state: ReportState, account_id: str, page_size: int, token: str
    ) -> tuple[list[ToldReport], str]:
        """Lists reports without words and events, those first that are due first.

        Args:
            state: only those in it; UNSPECIFIED for all.
            account_id: only of this account; empty for all.
            page_size: the most reports; 0 for 100.
            token: from the page before; empty for the first.

        Returns:
            A page, and the token of the next; empty after the last.
        """
        of_list, size = f"reports {int(state)} {account_id.lower()}", page_size or DEFAULT_PAGE_SIZE
        due, last = position_of(of_list, token, FIRST)
        found = await self._writes.database.read(
            lambda transaction: list_reports(transaction, (int(due), str(last)), size + 1, state, account_id)
        )
        page, following = found[:size], ""
        if len(found) > size:
            following = page_token(of_list, (page[-1].leave_time, page[-1].report_id))
        return [ToldReport(self._opened(report), (), self._due(report)) for report in page], following

    async def answer(self, report_id: str, actor: str, answer: str, etag: str) -> ToldReport:
        """Gives the reporters their first answer: the clock of the first answer stops.

        Raises:
            NotFound: there is no such report.
            InvalidInput: the answer holds identity data.
            FailedPrecondition: REPORT_STATE_WRONG.
            Conflict: it was changed meanwhile.
        """
        refuse_identity("answer", answer)

        def change(transaction: Transaction, report: StoredReport, now: datetime) -> StoredReport:
            state = _judged(report, ReportEvent.ANSWER)
            sealed = self._words.seal("report", report.report_id, "answer", answer)
            add_event(transaction, report.report_id, StoredEvent(micros(now), "answered", actor))
            answered = min(report.answered_time, micros(now))
            return replace(report, state=state, sealed_answer=sealed, answered_time=answered)

        return await self._change(report_id, etag, change)

    async def settle(self, report_id: str, actor: str, outcome: str, etag: str) -> ToldReport:
        """Settles a report with an outcome of the policy. Of one that had left, the regulator is told.

        Raises:
            NotFound: there is no such report.
            InvalidInput: OUTCOME_UNKNOWN.
            FailedPrecondition: REPORT_STATE_WRONG.
            Conflict: it was changed meanwhile.
        """

        def change(transaction: Transaction, report: StoredReport, now: datetime) -> StoredReport:
            at = micros(now)
            state = _judged(report, ReportEvent.SETTLE, reason=outcome, policy=self._policy(now))
            if report.state is ReportState.ESCALATED:
                record = SettlementRecord(report.report_id, report.account_id, 0, 0, at, outcome)
                Teller(transaction, self._standing(), now).tell(record)
            end_pause(transaction, report.report_id, at)
            add_event(transaction, report.report_id, StoredEvent(at, "settled", actor, outcome))
            return replace(report, state=state, settled_time=at, outcome=outcome, paused=False)

        return await self._change(report_id, etag, change)

    async def pause(self, report_id: str, actor: str, reason: str, etag: str) -> ToldReport:
        """Stops the settlement clock for a reason of the policy. The clock of the first answer runs on.

        Raises:
            NotFound: there is no such report.
            InvalidInput: REASON_UNKNOWN.
            FailedPrecondition: ALREADY_PAUSED, REPORT_STATE_WRONG.
            Conflict: it was changed meanwhile.
        """

        def change(transaction: Transaction, report: StoredReport, now: datetime) -> StoredReport:
            state = _judged(report, ReportEvent.PAUSE, reason=reason, policy=self._policy(now))
            pause = Pause(micros(now), FOREVER, reason)
            add_pause(transaction, report.report_id, pause)
            add_event(transaction, report.report_id, StoredEvent(micros(now), "paused", actor, reason))
            return replace(report, state=state, paused=True)

        return await self._change(report_id, etag, change)

    async def resume(self, report_id: str, actor: str, etag: str) -> ToldReport:
        """Lets the settlement clock run again; raises like `pause`, and FailedPrecondition NOT_PAUSED."""

        def change(transaction: Transaction, report: StoredReport, now: datetime) -> StoredReport:
            state = _judged(report, ReportEvent.RESUME)
            end_pause(transaction, report.report_id, micros(now))
            add_event(transaction, report.report_id, StoredEvent(micros(now), "resumed", actor))
            return replace(report, state=state, paused=False)

        return await self._change(report_id, etag, change)

    async def hand_over(self, report_id: str, actor: str, etag: str) -> ToldReport:
        """Hands a report over to the regulator before its time.

        Raises:
            NotFound: there is no such report.
            FailedPrecondition: REPORT_STATE_WRONG.
            Conflict: it was changed meanwhile.
        """

        def change(transaction: Transaction, report: StoredReport, now: datetime) -> StoredReport:
            _judged(report, ReportEvent.HAND_OVER)
            due = Departure(min(self._due(report)), EscalationCause.HANDED_OVER)
            return leave(transaction, self._standing(), report, due, actor, now)

        return await self._change(report_id, etag, change)

    async def _change(
        self, report_id: str, etag: str, change: Callable[[Transaction, StoredReport, datetime], StoredReport]
    ) -> ToldReport:
        now = self._clock()

        def work(transaction: Transaction) -> ToldReport:
            transaction.lock(f"report {report_id.lower()}")
            report = read_report(transaction, report_id)
            check_etag(etag, report.version, "report")
            changed = change(transaction, leave_where_due(transaction, self._standing(), report, now), now)
            self._store(transaction, changed)
            return self._told(transaction, report_id)

        return await self._writes.write(work)

    def _store(self, transaction: Transaction, changed: StoredReport) -> None:
        fresh = replace(changed, pauses=read_report(transaction, changed.report_id).pauses)
        update_report(transaction, with_leave_time(fresh, self._standing().policies))

    def _take_in(
        self, transaction: Transaction, submission: Submission, seed: bytes, now: datetime
    ) -> tuple[StoredReport, bool]:
        transaction.lock(f"reports of {submission.account_id}")
        at, digest = micros(now), tracking_digest(self._words.tracking_code(seed))
        open_id = find_open(transaction, submission.account_id, submission.baseline, submission.item_digest)
        joined = False
        if open_id:
            transaction.lock(f"report {open_id}")
            earlier = read_report(transaction, open_id)
            earlier = leave_where_due(transaction, self._standing(), earlier, now)
            joined = earlier.state in (ReportState.RECEIVED, ReportState.ANSWERED)
        if joined:
            report = update_report(transaction, replace(earlier, reports=earlier.reports + 1))
        else:
            received = received_report(submission, digest, at, self._words)
            report = with_leave_time(received, self._standing().policies)
            insert_report(transaction, report)
        add_event(transaction, report.report_id, StoredEvent(at, "joined" if joined else "received", PUBLIC))
        add_code(transaction, digest, report.report_id, at)
        if submission.statement:
            place = f"{report.report_id} {report.reports}"
            sealed = self._words.seal("report_statement", place, "statement", submission.statement)
            add_statement(transaction, report.report_id, report.reports, sealed)
        return report, joined

    def _told(self, transaction: Transaction, report_id: str) -> ToldReport:
        report = read_report(transaction, report_id)
        events = tuple(read_events(transaction, report.report_id))
        return ToldReport(self._opened(report), events, self._due(report))

    def _opened(self, report: StoredReport) -> StoredReport:
        if report.sealed_url is None:
            return report
        url = self._words.open("report", report.report_id, "item_url", report.sealed_url)
        return replace(report, item_url=url)

    def _due(self, report: StoredReport) -> DueTimes:
        policy = policy_at(self._standing().policies, from_micros(report.received_time))
        return due_times(policy, report.received_time, report.pauses)

    def _policy(self, now: datetime) -> Policy:
        return policy_at(self._standing().policies, now)


def _judged(report: StoredReport, event: ReportEvent, *, reason: str = "", policy: Policy | None = None) -> ReportState:
    refusal = judge_report_event(
        report.state, event, Actor.PROVIDER, paused=report.paused, reason=reason, policy=policy
    )
    if refusal is not None:
        raise refused(refusal)
    return TRANSITIONS[report.state, event].to
