"""The calls of `OfficerClient` about cases, measures and figures (Arts. 5, 8 and 9)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message

from shared.client.connection import Connection
from shared.client.officer_case_types import (
    Case,
    CaseAnswer,
    CaseEvent,
    CaseFilter,
    CaseKind,
    CaseState,
    CaseVerdict,
    DutyFigures,
    EscalationCause,
    Gravity,
    Measure,
    MeasureAction,
    MeasureFilter,
    MeasureKind,
    ProviderFigures,
    ReadCase,
)
from shared.client.officer_mapping import time_from_wire
from shared.pb.filingnet.regulator.v1 import escalation_service_pb2, escalation_service_pb2_grpc

PAGE_ROWS: Final = 500
"""Rows that one call asks for."""

ALL_CASES: Final = CaseFilter()
ALL_MEASURES: Final = MeasureFilter()


class CaseCalls:
    """Calls about cases."""

    _connection: Connection

    async def cases(self, given: CaseFilter = ALL_CASES, *, page_size: int = PAGE_ROWS) -> AsyncIterator[Case]:
        """Iterates over all cases that match, those first that are due first.

        Args:
            given: which cases.
            page_size: cases a call, at most 1,000.
        """
        request = escalation_service_pb2.ListCasesRequest(
            page_size=page_size,
            state=int(given.state),  # type: ignore[arg-type]
            kind=int(given.kind),  # type: ignore[arg-type]
            provider=given.provider,
            jurisdiction=given.jurisdiction,
        )
        async for page in self._connection.pages(self._cases.ListCases, request):
            for message in page.cases:
                yield _case(message)

    async def case(self, jurisdiction: str, case_id: str, *, purpose: str = "") -> ReadCase:
        """Reads a case with everything that happened to it.

        Args:
            jurisdiction: where it came in.
            case_id: the case.
            purpose: why the complainants' words are read, as a code, which the audit keeps; empty to leave them sealed.

        Raises:
            NotFound: CASE_UNKNOWN.
        """
        request = escalation_service_pb2.GetCaseRequest(jurisdiction=jurisdiction, case_id=case_id, purpose=purpose)
        answer = await self._connection.call(self._cases.GetCase, request)
        return ReadCase(_case(answer.case), answer.statement)

    async def assign_case(self, case_id: str, assignee: str, *, etag: str = "") -> Case:
        """Assigns a case to an officer's post.

        Raises:
            NotFound: CASE_UNKNOWN.
            Conflict: CASE_CHANGED, or CASE_DECIDED.
            FailedPrecondition: CASE_ELSEWHERE.
        """
        request = escalation_service_pb2.AssignCaseRequest(case_id=case_id, assignee=assignee, etag=etag)
        return _case((await self._connection.call(self._cases.AssignCase, request)).case)

    async def decide_case(self, verdict: CaseVerdict, *, request_id: str = "") -> CaseAnswer:
        """Decides a case.

        Args:
            verdict: what.
            request_id: a UUID, kept with the verdict, so that the same call gets the same answer; a new one if empty.

        Raises:
            NotFound: CASE_UNKNOWN.
            Conflict: CASE_CHANGED, CASE_DECIDED, or REQUEST_ID_REUSED.
            FailedPrecondition: CASE_ELSEWHERE, another regulator has it.
            InvalidInput: the decision breaks a rule, which its reason names.
        """
        request = escalation_service_pb2.DecideCaseRequest(
            request_id=request_id or str(uuid.uuid4()),
            case_id=verdict.case_id,
            outcome=int(verdict.outcome),  # type: ignore[arg-type]
            ordered_measure=int(verdict.ordered_measure),  # type: ignore[arg-type]
            gravity=int(verdict.gravity),  # type: ignore[arg-type]
            days=verdict.days,
            reason=verdict.reason,
            note=verdict.note,
            etag=verdict.etag,
        )
        answer = await self._connection.call(self._cases.DecideCase, request)
        return CaseAnswer(_case(answer.case), answer.log_index)

    async def measures(
        self, given: MeasureFilter = ALL_MEASURES, *, page_size: int = PAGE_ROWS
    ) -> AsyncIterator[Measure]:
        """Iterates over all measures that match, newest first.

        Args:
            given: which measures.
            page_size: measures a call, at most 1,000.
        """
        request = escalation_service_pb2.ListMeasuresRequest(
            page_size=page_size,
            provider=given.provider,
            account_id=given.account_id,
            kind=int(given.kind),  # type: ignore[arg-type]
        )
        async for page in self._connection.pages(self._cases.ListMeasures, request):
            for message in page.measures:
                yield _measure(message)

    async def figures(self, provider: str = "") -> list[ProviderFigures]:
        """Reads the figures of one provider, or of all, by name."""
        request = escalation_service_pb2.GetProviderFiguresRequest(provider=provider)
        answer = await self._connection.call(self._cases.GetProviderFigures, request)
        return [_figures(message) for message in answer.providers]

    @property
    def _cases(self) -> Any:
        return self._connection.stub(escalation_service_pb2_grpc.EscalationServiceStub)


def _time(message: Message, field: str) -> datetime | None:
    return time_from_wire(getattr(message, field)) if message.HasField(field) else None


def _case(message: escalation_service_pb2.Case) -> Case:
    return Case(
        message.jurisdiction,
        message.case_id,
        CaseKind(message.kind),
        CaseState(message.state),
        message.provider,
        message.account_id,
        message.escalation_id,
        message.baseline,
        message.item_url,
        EscalationCause(message.cause),
        time_from_wire(message.received_time),
        _time(message, "due_time"),
        message.assignee,
        message.outcome,
        message.responsible,
        [CaseEvent(time_from_wire(each.time), each.action, each.actor, each.reason) for each in message.events],
        message.etag,
        message.overdue,
    )


def _measure(message: escalation_service_pb2.Measure) -> Measure:
    return Measure(
        message.jurisdiction,
        message.provider,
        message.account_id,
        message.measure_id,
        MeasureKind(message.kind),
        MeasureAction(message.action),
        message.baseline,
        message.reason,
        Gravity(message.gravity),
        time_from_wire(message.start_time),
        _time(message, "end_time"),
        message.order_entry_id,
        message.log_index,
    )


def _figures(message: escalation_service_pb2.ProviderFigures) -> ProviderFigures:
    duties = None
    if message.HasField("duties"):
        profile = message.duties
        codes = [duty.code for duty in profile.duties]
        duties = DutyFigures(codes, profile.staff, profile.users, time_from_wire(profile.counted_time))
    return ProviderFigures(
        message.provider,
        duties,
        message.escalated,
        message.orders_in_time,
        message.orders_late,
        list(message.measures),
        message.overturned,
    )
