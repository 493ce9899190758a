"""ReportService of the local API: parses, calls, maps."""

from __future__ import annotations

from typing import TypeAlias

import grpc

from provider_node.conservation import ReportAudit
from provider_node.report_messages import balance_to_wire, outcome_to_wire, report_to_wire, submission_from_wire
from provider_node.reports import Reports
from provider_node.standing import ReadStanding
from shared.pb.filingnet.provider.v1 import report_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import report_service_pb2_grpc
from shared.provisions.escalations import Party
from shared.provisions.reports import ReportState
from shared.trust.names import NATION

Context: TypeAlias = grpc.aio.ServicerContext


class ReportServicer(report_service_pb2_grpc.ReportServiceServicer):
    """Serves what concerns reports from the public."""

    def __init__(self, reports: Reports, audit: ReportAudit, standing: ReadStanding) -> None:
        self._reports = reports
        self._audit = audit
        self._standing = standing

    async def SubmitReport(self, request: pb.SubmitReportRequest, context: Context) -> pb.SubmitReportResponse:  # noqa: N802
        """Takes a report in."""
        told, code, joined = await self._reports.submit(request.request_id, submission_from_wire(request))
        return pb.SubmitReportResponse(report=report_to_wire(told), tracking_code=code, joined=joined)

    async def GetOutcome(self, request: pb.GetOutcomeRequest, context: Context) -> pb.GetOutcomeResponse:  # noqa: N802
        """Tells a reporter where the report stands."""
        return outcome_to_wire(await self._reports.outcome(request.tracking_code))

    async def GetReport(self, request: pb.GetReportRequest, context: Context) -> pb.GetReportResponse:  # noqa: N802
        """Reads a report with its words."""
        told, statements = await self._reports.read_words(request.report_id, request.purpose, request.reader)
        return pb.GetReportResponse(report=report_to_wire(told), statements=statements)

    async def ListReports(self, request: pb.ListReportsRequest, context: Context) -> pb.ListReportsResponse:  # noqa: N802
        """Lists reports."""
        found, following = await self._reports.list_page(
            ReportState(request.state), request.account_id, request.page_size, request.page_token
        )
        return pb.ListReportsResponse(reports=map(report_to_wire, found), next_page_token=following)

    async def AnswerReport(self, request: pb.AnswerReportRequest, context: Context) -> pb.AnswerReportResponse:  # noqa: N802
        """Gives the first answer."""
        told = await self._reports.answer(request.report_id, request.actor, request.answer, request.etag)
        return pb.AnswerReportResponse(report=report_to_wire(told))

    async def SettleReport(self, request: pb.SettleReportRequest, context: Context) -> pb.SettleReportResponse:  # noqa: N802
        """Settles a report."""
        told = await self._reports.settle(request.report_id, request.actor, request.outcome, request.etag)
        return pb.SettleReportResponse(report=report_to_wire(told))

    async def PauseReport(self, request: pb.PauseReportRequest, context: Context) -> pb.PauseReportResponse:  # noqa: N802
        """Pauses or resumes the settlement clock."""
        if request.paused:
            told = await self._reports.pause(request.report_id, request.actor, request.reason, request.etag)
        else:
            told = await self._reports.resume(request.report_id, request.actor, request.etag)
        return pb.PauseReportResponse(report=report_to_wire(told))

    async def HandOverReport(  # noqa: N802
        self, request: pb.HandOverReportRequest, context: Context
    ) -> pb.HandOverReportResponse:
        """Hands a report over."""
        told = await self._reports.hand_over(request.report_id, request.actor, request.etag)
        return pb.HandOverReportResponse(report=report_to_wire(told))

    async def AuditReports(self, request: pb.AuditReportsRequest, context: Context) -> pb.AuditReportsResponse:  # noqa: N802
        """Proves that every report is with exactly one party."""
        home = Party.NATION if self._standing().regulator == NATION else Party.PROVINCE
        return balance_to_wire(await self._audit.run(home))
