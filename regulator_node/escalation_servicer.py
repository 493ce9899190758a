"""Serves cases, measures and figures to officers and operators; every call leaves an audit entry.

A complainant's words are opened only for a purpose that is in the audit entry, and the entry is durable before they are.
"""

from __future__ import annotations

from typing import Final

import grpc

from regulator_node.audited import AuditTrail, audited
from regulator_node.case_mapping import (
    case_filter_from_wire,
    case_to_wire,
    figures_to_wire,
    measure_filter_from_wire,
    measure_to_wire,
    verdict_from_wire,
)
from regulator_node.case_queries import CaseQueries
from regulator_node.cases import CaseDesk
from regulator_node.complaints import RegisterComplaints
from regulator_node.figures import FigureReader
from shared.pb.filingnet.regulator.v1 import escalation_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import escalation_service_pb2_grpc
from shared.server import current_caller

SERVICE: Final = "/filingnet.regulator.v1.EscalationService/"

MOST_WORDS: Final = 2_000
"""Characters of complainants' words in an answer."""


class EscalationServicer(escalation_service_pb2_grpc.EscalationServiceServicer):
    """Serves EscalationService.

    Args:
        queries: reads cases and measures.
        desk: assigns and decides.
        complaints: opens complainants' words.
        figures: counts.
        audit: the trail.
    """

    def __init__(
        self,
        queries: CaseQueries,
        desk: CaseDesk,
        complaints: RegisterComplaints,
        figures: FigureReader,
        audit: AuditTrail,
    ) -> None:
        self._queries = queries
        self._desk = desk
        self._complaints = complaints
        self._figures = figures
        self._audit = audit

    async def ListCases(  # noqa: N802
        self, request: wire.ListCasesRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListCasesResponse:
        """Lists cases, a page at a time."""
        del context
        given = case_filter_from_wire(request)
        detail = f"state {given.state} kind {given.kind} provider {given.provider} jurisdiction {given.jurisdiction}"
        found = self._queries.search(given, request.page_size, request.page_token)
        page = await audited(self._audit, f"{SERVICE}ListCases", detail, found)
        return wire.ListCasesResponse(cases=map(case_to_wire, page.cases), next_page_token=page.next_token)

    async def GetCase(  # noqa: N802
        self, request: wire.GetCaseRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetCaseResponse:
        """Reads a case, and the complainants' words for a purpose."""
        del context
        detail = f"jurisdiction {request.jurisdiction} case {request.case_id} purpose {request.purpose}"
        found = self._queries.get(request.jurisdiction, request.case_id)
        view = await audited(self._audit, f"{SERVICE}GetCase", detail.removesuffix(" purpose "), found)
        answer = wire.GetCaseResponse(case=case_to_wire(view))
        if request.purpose:
            item, statement = await self._complaints.words_of(view.file)
            answer.case.item_url = answer.case.item_url or item
            answer.statement = statement[:MOST_WORDS]
        return answer

    async def AssignCase(  # noqa: N802
        self, request: wire.AssignCaseRequest, context: grpc.aio.ServicerContext
    ) -> wire.AssignCaseResponse:
        """Assigns a case to an officer's post."""
        del context
        await self._audit.record(f"{SERVICE}AssignCase", f"case {request.case_id} to {request.assignee}")
        view = await self._desk.assign(request.case_id, request.assignee, request.etag)
        return wire.AssignCaseResponse(case=case_to_wire(view))

    async def DecideCase(  # noqa: N802
        self, request: wire.DecideCaseRequest, context: grpc.aio.ServicerContext
    ) -> wire.DecideCaseResponse:
        """Decides a case."""
        del context
        verdict = verdict_from_wire(request)
        detail = (
            f"request {request.request_id} case {verdict.case_id} outcome {verdict.outcome}"
            f" measure {verdict.ordered_measure} reason {verdict.reason}"
        )
        await self._audit.record(f"{SERVICE}DecideCase", detail)
        decided = await self._desk.decide(request.request_id, current_caller().name, verdict)
        return wire.DecideCaseResponse(case=case_to_wire(decided.case), log_index=decided.log_index)

    async def ListMeasures(  # noqa: N802
        self, request: wire.ListMeasuresRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListMeasuresResponse:
        """Lists measures, a page at a time."""
        del context
        given = measure_filter_from_wire(request)
        detail = f"provider {given.provider} account {given.account_id} kind {given.kind}"
        found = self._queries.measures(given, request.page_size, request.page_token)
        page = await audited(self._audit, f"{SERVICE}ListMeasures", detail, found)
        return wire.ListMeasuresResponse(measures=map(measure_to_wire, page.measures), next_page_token=page.next_token)

    async def GetProviderFigures(  # noqa: N802
        self, request: wire.GetProviderFiguresRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetProviderFiguresResponse:
        """Counts for each provider."""
        del context
        detail = f"provider {request.provider or 'all'}"
        figures = await audited(
            self._audit, f"{SERVICE}GetProviderFigures", detail, self._figures.read(request.provider)
        )
        return wire.GetProviderFiguresResponse(providers=map(figures_to_wire, figures))
