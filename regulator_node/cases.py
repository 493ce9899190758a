"""Officers' work on cases (Art. 9, answer 2): assigning and deciding; a decision is in the log and on its way at once.

A decision is judged by the rules, against the policy in force and the case as it stands at that moment, and enters the
log in the transaction that also keeps the answer: a request that is sent again decides nothing twice, and of two
officers at once the second is told that the first decided. The nation decides what its provinces left undecided.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Final

from regulator_node.case_codes import lock_cases
from regulator_node.case_fold import Happening, Standing
from regulator_node.case_queries import CaseView, unknown_case, view_of
from regulator_node.case_review import account_history, decision_of
from regulator_node.case_rows import (
    DESK,
    NATION_JURISDICTION,
    CaseFile,
    PlacedHappening,
    add_happening,
    count_happenings,
    find_case,
)
from regulator_node.kept_answers import keep_answer, kept_answer
from regulator_node.own_facts import state_facts
from regulator_node.verdicts import Desk, request_digest
from shared.clock import micros
from shared.database import Transaction
from shared.egress import findings
from shared.errors import Conflict, FailedPrecondition, InvalidInput, Violation
from shared.identifiers import id_bytes, id_text
from shared.mapping.escalation import escalation_decision_from_wire
from shared.provisions.directives import DecidedCase, judge_decision
from shared.provisions.escalations import CaseActor, CaseEvent, CaseKind, Party, judge_case_event
from shared.provisions.policy import Policy
from shared.provisions.refusals import Refusal
from shared.validation import validate

METHOD: Final = "DecideCase"
"""Under which answers are kept."""


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """What an officer decides on a case.

    Attributes:
        case_id: a UUID.
        outcome: the number of an EscalationOutcome.
        ordered_measure: the number of a MeasureKind; 0 where none is ordered.
        gravity: the number of a Gravity; 0 where no measure is ordered.
        days: the measure lasts; 0 for closing or none.
        reason: code in the policy.
        note: for people, at most 200 characters.
        etag: of the case as the officer saw it; empty to decide whatever it is.
    """

    case_id: str
    outcome: int
    ordered_measure: int = 0
    gravity: int = 0
    days: int = 0
    reason: str = ""
    note: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class DecidedAnswer:
    """A decided case, and the index of the decision in this regulator's log."""

    case: CaseView
    log_index: int


class CaseDesk(Desk):
    """Assigns and decides the cases of one regulator."""

    @property
    def _is_nation(self) -> bool:
        return self._log.jurisdiction == NATION_JURISDICTION

    async def assign(self, case_id: str, assignee: str, etag: str = "") -> CaseView:
        """Assigns a case to an officer's post.

        Args:
            case_id: the case.
            assignee: the post.
            etag: of the case as it was seen; empty to assign whatever it is.

        Returns:
            The case after it.

        Raises:
            NotFound: CASE_UNKNOWN.
            Conflict: CASE_CHANGED, or CASE_DECIDED.
            FailedPrecondition: CASE_ELSEWHERE, another regulator has it.
        """
        now = micros(self._clock())

        def work(transaction: Transaction) -> CaseView:
            self._log.lock(transaction)
            view = self._held(transaction, case_id, etag, now)
            party = Party.NATION if self._is_nation else Party.PROVINCE
            _raise(judge_case_event(view.standing.acting_state, CaseEvent.ASSIGN, CaseActor.OFFICER, party))
            assigned = Happening(now, CaseEvent.ASSIGN, self._is_nation, self._log.node_name, assignee)
            position = count_happenings(transaction, view.file, DESK)
            add_happening(transaction, view.file, PlacedHappening(assigned, DESK, position))
            return _read(transaction, case_id, now)

        return await self._database.write(work)

    async def decide(self, request_id: str, officer: str, verdict: CaseVerdict) -> DecidedAnswer:
        """Decides a case.

        Args:
            request_id: chosen by the caller; the same request gets the same answer.
            officer: who decides.
            verdict: what.

        Returns:
            The case after it, and where the decision is in the log.

        Raises:
            NotFound: CASE_UNKNOWN.
            Conflict: REQUEST_ID_REUSED, CASE_CHANGED, or CASE_DECIDED, another officer was first.
            FailedPrecondition: CASE_ELSEWHERE, or PROVIDER_UNKNOWN.
            InvalidInput: IDENTITY_DATA, and what `directives.judge_decision` says.
        """
        digest = request_digest((officer, astuple(verdict)))
        now = self._clock()
        policy = self._policy_at(now)
        found = findings(verdict.note)
        if found:
            violation = Violation("note", "IDENTITY_DATA", found[0].mend)
            raise InvalidInput(f"the note: {found[0].mend}", "IDENTITY_DATA", [violation])

        def work(transaction: Transaction) -> DecidedAnswer:
            self._log.lock(transaction)
            answered = kept_answer(transaction, METHOD, request_id, digest)
            if answered is not None:
                return DecidedAnswer(_read(transaction, verdict.case_id, micros(now)), int(answered))
            view = self._held(transaction, verdict.case_id, verdict.etag, micros(now))
            index = self._decide(transaction, view, verdict, policy, now)
            keep_answer(transaction, METHOD, request_id, digest, index)
            return DecidedAnswer(_read(transaction, verdict.case_id, micros(now)), index)

        decided = await self._database.write(work)
        self._on_change()
        return decided

    def _held(self, transaction: Transaction, case_id: str, etag: str, now: int) -> CaseView:
        # A report that joins the case at this moment is waited for: what is decided names it.
        lock_cases(transaction, [_read(transaction, case_id, now).file.account_id])
        view = _read(transaction, case_id, now)
        self._check_place(view.file, view.standing)
        if etag and etag != view.etag:
            raise Conflict("the case changed since it was read: read it again, then go on", "CASE_CHANGED")
        return view

    def _check_place(self, case: CaseFile, standing: Standing) -> None:
        if standing.risen:
            if not self._is_nation:
                raise FailedPrecondition("its time here ran out: the nation has the case now", "CASE_ELSEWHERE")
        elif case.jurisdiction != self._log.jurisdiction:
            mend = f"the case is with regulator/{case.jurisdiction} until its time there runs out"
            raise FailedPrecondition(mend, "CASE_ELSEWHERE")

    def _decide(
        self, transaction: Transaction, view: CaseView, verdict: CaseVerdict, policy: Policy, now: datetime
    ) -> int:
        case = view.file
        if not case.provider:
            mend = "this register knows no provider of the account: leave the case to the nation"
            raise FailedPrecondition(mend, "PROVIDER_UNKNOWN")
        terms = (verdict.outcome, verdict.ordered_measure, verdict.gravity, verdict.days, verdict.reason, verdict.note)
        body = decision_of(case, terms, policy, now)
        decided = DecidedCase(
            CaseKind(case.kind),
            view.standing.acting_state,
            case.provider,
            id_text(case.account_id),
            id_text(case.escalation_id),
            case.measure_id,
        )
        history = account_history(transaction, case)
        _raise(judge_decision(escalation_decision_from_wire(body), decided, history, policy))
        validate(body)
        bodies = [("escalation_decision", body)]
        return state_facts(transaction, self._log, bodies, now, feed_regions=self._feed_regions).indexes[0]


def _read(transaction: Transaction, case_id: str, now: int) -> CaseView:
    case = find_case(transaction, id_bytes(case_id))
    if case is None:
        raise unknown_case()
    return view_of(transaction, case, now)


def _raise(refusal: Refusal | None) -> None:
    if refusal is None:
        return
    violation = refusal.violations[0]
    if any(each.rule == "CASE_STATE_WRONG" for each in refusal.violations):
        raise Conflict(f"the case was decided before: {violation.mend}", "CASE_DECIDED", refusal.violations)
    raise InvalidInput(violation.mend, refusal.reason, refusal.violations)
