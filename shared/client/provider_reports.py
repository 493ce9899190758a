"""The calls of a backend on reports, measures, appeals and orders; part of ProviderClient."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from shared.client.connection import Connection
from shared.client.provider_mapping import set_time
from shared.client.report_mapping import measure_from_wire, order_from_wire, outcome_from_wire, report_from_wire
from shared.client.report_types import (
    Measure,
    MeasureState,
    Order,
    Report,
    ReportBalance,
    ReportFinding,
    ReportOutcome,
    ReportState,
    SubmittedReport,
)
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.pb.filingnet.provider.v1 import (
    measure_service_pb2,
    measure_service_pb2_grpc,
    report_service_pb2,
    report_service_pb2_grpc,
)
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.remote_errors import translated

PAGE_ROWS: Final = 200
AUDIT_SECONDS: Final = 1800.0
"""Every report of the node is looked up."""


class ReportCalls:
    """Calls on reports, measures, appeals and orders."""

    _connection: Connection

    async def submit_report(
        self,
        account_id: str,
        *,
        baseline: int,
        item_url: str = "",
        item_digest: bytes = b"",
        statement: str = "",
        request_id: str = "",
    ) -> SubmittedReport:
        """Takes a report from the public in (Art. 5(3)). The words are sealed at the node and never leave it.

        Args:
            account_id: the account it is about.
            baseline: that it names, 1 to 7.
            item_url: the public item's address; empty for the account as a whole.
            item_digest: SHA-256 of the item as it stood, 32 bytes; empty for the account as a whole.
            statement: the reporter's words, at most 2,000 characters.
            request_id: a UUID; a call made again with it gets the same tracking code.
        """
        request = report_service_pb2.SubmitReportRequest(
            request_id=request_id or str(uuid.uuid4()),
            account_id=account_id,
            baseline=baseline,
            item_url=item_url,
            item_digest=item_digest,
            statement=statement,
        )
        answer = await self._connection.call(self._report_stub.SubmitReport, request)
        return SubmittedReport(report_from_wire(answer.report), answer.tracking_code, answer.joined)

    async def report_outcome(self, tracking_code: str) -> ReportOutcome:
        """Reads where a report stands, by the reporter's tracking code alone; raises NotFound TRACKING_CODE_UNKNOWN."""
        request = report_service_pb2.GetOutcomeRequest(tracking_code=tracking_code)
        return outcome_from_wire(await self._connection.call(self._report_stub.GetOutcome, request))

    async def get_report(self, report_id: str, *, purpose: str, reader: str) -> tuple[Report, tuple[str, ...]]:
        """Reads a report with its reporters' words; why (a code) and who is audited first."""
        request = report_service_pb2.GetReportRequest(report_id=report_id, purpose=purpose, reader=reader)
        answer = await self._connection.call(self._report_stub.GetReport, request)
        return report_from_wire(answer.report), tuple(answer.statements)

    async def reports(
        self, state: ReportState = ReportState.UNSPECIFIED, *, account_id: str = ""
    ) -> AsyncIterator[Report]:
        """Iterates over reports, those first that are due first: all, those in a state, or those of an account."""
        request = report_service_pb2.ListReportsRequest(
            page_size=PAGE_ROWS, state=report_service_pb2.ReportState.Name(state), account_id=account_id
        )
        async for page in self._connection.pages(self._report_stub.ListReports, request):
            for report in page.reports:
                yield report_from_wire(report)

    async def answer_report(self, report_id: str, answer: str, *, actor: str, etag: str = "") -> Report:
        """Gives the reporters their first answer, 1 to 500 characters: the clock of the first answer stops."""
        request = report_service_pb2.AnswerReportRequest(report_id=report_id, actor=actor, answer=answer, etag=etag)
        return report_from_wire((await self._connection.call(self._report_stub.AnswerReport, request)).report)

    async def settle_report(self, report_id: str, outcome: str, *, actor: str, etag: str = "") -> Report:
        """Settles a report with a settlement outcome of the policy."""
        request = report_service_pb2.SettleReportRequest(report_id=report_id, actor=actor, outcome=outcome, etag=etag)
        return report_from_wire((await self._connection.call(self._report_stub.SettleReport, request)).report)

    async def pause_report(self, report_id: str, reason: str, *, actor: str, etag: str = "") -> Report:
        """Stops the settlement clock for a pause reason of the policy; an empty reason lets it run again."""
        request = report_service_pb2.PauseReportRequest(
            report_id=report_id, actor=actor, paused=bool(reason), reason=reason, etag=etag
        )
        return report_from_wire((await self._connection.call(self._report_stub.PauseReport, request)).report)

    async def hand_over_report(self, report_id: str, *, actor: str, etag: str = "") -> Report:
        """Hands a report over to the regulator before its time."""
        request = report_service_pb2.HandOverReportRequest(report_id=report_id, actor=actor, etag=etag)
        return report_from_wire((await self._connection.call(self._report_stub.HandOverReport, request)).report)

    async def audit_reports(self) -> ReportBalance:
        """Proves that every report at this node is with exactly one party, or names those that do not add up."""
        request = report_service_pb2.AuditReportsRequest()
        answer = await translated(self._report_stub.AuditReports(request, timeout=AUDIT_SECONDS))
        return ReportBalance(
            answer.reports,
            {each.party: each.reports for each in answer.parties},
            answer.wrong,
            [ReportFinding(each.report_id, each.rule, each.mend) for each in answer.findings],
        )

    async def apply_measure(
        self,
        account_id: str,
        kind: MeasureKind,
        *,
        baseline: int,
        reason: str,
        gravity: Gravity = Gravity.ORDINARY,
        end_time: datetime | None = None,
        order_entry_id: str = "",
        request_id: str = "",
    ) -> Measure:
        """Takes a measure (Art. 8(1)); it bites at the gate before this returns.

        Args:
            account_id: the account.
            kind: what it is.
            baseline: that the act broke, 1 to 7.
            reason: code of the act in the policy.
            gravity: of the act: how far the ladder may be jumped.
            end_time: aware; None for closing, and with an order, which says for how long.
            order_entry_id: the regulator's order that it carries out.
            request_id: a UUID; a call made again with it takes no second measure.
        """
        request = measure_service_pb2.ApplyMeasureRequest(
            request_id=request_id or str(uuid.uuid4()),
            account_id=account_id,
            kind=escalation_pb2.MeasureKind.Name(kind),
            baseline=baseline,
            reason=reason,
            gravity=escalation_pb2.Gravity.Name(gravity),
            order_entry_id=order_entry_id,
        )
        set_time(request, "end_time", end_time)
        return measure_from_wire((await self._connection.call(self._measure_stub.ApplyMeasure, request)).measure)

    async def lift_measure(self, measure_id: str, *, etag: str = "") -> Measure:
        """Lifts a measure before its end."""
        request = measure_service_pb2.LiftMeasureRequest(measure_id=measure_id, etag=etag)
        return measure_from_wire((await self._connection.call(self._measure_stub.LiftMeasure, request)).measure)

    async def get_measure(self, measure_id: str) -> Measure:
        """Reads a measure with its statement of reasons; raises NotFound."""
        request = measure_service_pb2.GetMeasureRequest(measure_id=measure_id)
        return measure_from_wire((await self._connection.call(self._measure_stub.GetMeasure, request)).measure)

    async def measures(
        self, *, account_id: str = "", state: MeasureState = MeasureState.UNSPECIFIED
    ) -> AsyncIterator[Measure]:
        """Iterates over measures, newest first: all, those of an account, or those in a state."""
        request = measure_service_pb2.ListMeasuresRequest(
            page_size=PAGE_ROWS, account_id=account_id, state=measure_service_pb2.MeasureState.Name(state)
        )
        async for page in self._connection.pages(self._measure_stub.ListMeasures, request):
            for measure in page.measures:
                yield measure_from_wire(measure)

    async def submit_appeal(self, measure_id: str, statement: str) -> Measure:
        """Takes the owner's appeal at the provider, once and in its time; the words are sealed at the node."""
        request = measure_service_pb2.SubmitAppealRequest(measure_id=measure_id, statement=statement)
        return measure_from_wire((await self._connection.call(self._measure_stub.SubmitAppeal, request)).measure)

    async def decide_appeal(self, measure_id: str, *, overturned: bool, actor: str, etag: str = "") -> Measure:
        """Decides an appeal at the provider; overturning undoes the measure at once."""
        request = measure_service_pb2.DecideAppealRequest(
            measure_id=measure_id, overturned=overturned, actor=actor, etag=etag
        )
        return measure_from_wire((await self._connection.call(self._measure_stub.DecideAppeal, request)).measure)

    async def appeal_to_regulator(self, measure_id: str) -> Measure:
        """Sends the owner's appeal on to the regulator, once."""
        request = measure_service_pb2.AppealToRegulatorRequest(measure_id=measure_id)
        return measure_from_wire((await self._connection.call(self._measure_stub.AppealToRegulator, request)).measure)

    async def orders(self, *, answered_too: bool = False) -> AsyncIterator[Order]:
        """Iterates over regulators' orders, those first that are due first."""
        request = measure_service_pb2.ListOrdersRequest(page_size=PAGE_ROWS, answered_too=answered_too)
        async for page in self._connection.pages(self._measure_stub.ListOrders, request):
            for order in page.orders:
                yield order_from_wire(order)

    async def answer_order(self, order_entry_id: str, answer: OrderAnswer, *, reason: str = "") -> Order:
        """Answers an order: DONE, or IMPOSSIBLE with an answer reason of the policy."""
        request = measure_service_pb2.AnswerOrderRequest(
            order_entry_id=order_entry_id, answer=escalation_pb2.OrderAnswer.Name(answer), reason=reason
        )
        return order_from_wire((await self._connection.call(self._measure_stub.AnswerOrder, request)).order)

    @property
    def _report_stub(self) -> Any:
        return self._connection.stub(report_service_pb2_grpc.ReportServiceStub)

    @property
    def _measure_stub(self) -> Any:
        return self._connection.stub(measure_service_pb2_grpc.MeasureServiceStub)
