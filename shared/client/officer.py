"""What officers and operators work with: a regulator's node, as plain calls.

    async with OfficerClient("330000.example:7401", ca=pem, token=token, server_name="regulator/330000") as node:
        async for filing in node.search(FilingFilter(state=FilingState.FILED, text="新闻")):
            verdicts.append(Verdict.accept(filing))
        results = await node.decide(verdicts)

What a call raises is of the kinds of `shared.errors`, with a stable reason and the mend for each field. Who calls is
told by a bearer token, by an officer's certificate, or by the node's own Unix socket.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import grpc

from shared.channel import NATION_HOST, local_channel, officer_channel, socket_address, translated
from shared.client.connection import Connection
from shared.client.export_stream import PATIENCE_SECONDS, ExportStream
from shared.client.log_calls import LogCalls, LogHead, LogPage
from shared.client.network_calls import PAGE_ROWS, NetworkCalls
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
    EscalationOutcome,
    Gravity,
    Measure,
    MeasureAction,
    MeasureFilter,
    MeasureKind,
    ProviderFigures,
    ReadCase,
)
from shared.client.officer_cases import CaseCalls
from shared.client.officer_label_types import (
    Label,
    LabelAction,
    LabelBasis,
    LabelFilter,
    LabelOutcome,
    LabelScope,
    LabelState,
    LabelVerdict,
    LabelVerdictResult,
)
from shared.client.officer_labels import LabelCalls
from shared.client.officer_mapping import (
    filing_from_wire,
    filings_from_wire,
    filter_to_wire,
    result_from_wire,
    time_to_wire,
    verdict_to_wire,
)
from shared.client.officer_types import (
    AuditEntry,
    Dimension,
    EnrolmentTokenFile,
    ExportPage,
    Filing,
    FilingFilter,
    FilingOrder,
    FilingPage,
    FilingState,
    NodeChange,
    NodeInfo,
    NodeKey,
    NodeRole,
    NodeState,
    OfficerCertificate,
    OfficerRole,
    OfficerToken,
    OfficerTokenInfo,
    Outcome,
    RegulatorStatus,
    Replica,
    StatisticsRow,
    Verdict,
    VerdictResult,
)
from shared.client.records import DirectedHoldCalls
from shared.client.trust_calls import AuthorityChange, AuthorityInfo, AuthorityState, HeldCertificate, TrustCalls
from shared.errors import InvalidInput, Violation
from shared.pb.filingnet.regulator.v1 import (
    filing_service_pb2,
    filing_service_pb2_grpc,
    record_service_pb2,
    record_service_pb2_grpc,
)
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.policy import Policy
from shared.provisions.subjects import SubjectKind
from shared.trust.names import tls_host

__all__ = [
    "AuditEntry",
    "AuthorityChange",
    "AuthorityInfo",
    "AuthorityState",
    "Case",
    "CaseAnswer",
    "CaseEvent",
    "CaseFilter",
    "CaseKind",
    "CaseState",
    "CaseVerdict",
    "Dimension",
    "DutyFigures",
    "EnrolmentTokenFile",
    "EscalationCause",
    "EscalationOutcome",
    "ExportPage",
    "Filing",
    "FilingFilter",
    "FilingOrder",
    "FilingPage",
    "FilingState",
    "Gravity",
    "HeldCertificate",
    "Label",
    "LabelAction",
    "LabelBasis",
    "LabelFilter",
    "LabelOutcome",
    "LabelScope",
    "LabelState",
    "LabelVerdict",
    "LabelVerdictResult",
    "Licence",
    "LicenceState",
    "LogHead",
    "LogPage",
    "Measure",
    "MeasureAction",
    "MeasureFilter",
    "MeasureKind",
    "NodeChange",
    "NodeInfo",
    "NodeKey",
    "NodeRole",
    "NodeState",
    "OfficerCertificate",
    "OfficerClient",
    "OfficerRole",
    "OfficerToken",
    "OfficerTokenInfo",
    "Outcome",
    "Policy",
    "ProviderFigures",
    "ReadCase",
    "RegulatorStatus",
    "Replica",
    "StatisticsRow",
    "SubjectKind",
    "Verdict",
    "VerdictResult",
]

CALL_SECONDS: Final = 30.0
STATISTICS_SECONDS: Final = 300.0
"""Counting goes through all that matches."""

MOST_VERDICTS: Final = 500
"""Verdicts of one request; more are sent in several."""

ALL: Final = FilingFilter()


class OfficerClient(NetworkCalls, TrustCalls, LabelCalls, CaseCalls, DirectedHoldCalls, LogCalls):
    """Calls a regulator's node; for use on one event loop, closed by `close` or as a context manager.

    Args:
        target: path of the node's operator.sock, "unix:/path", or "host:port" of a listener.
        ca: CA certificates of the network in PEM; for host:port.
        token: bearer token of the officer's post, at the public listener.
        server_name: whose node it is, "regulator/330000" or the name in its certificate; the nation if left out.
        certificate: private key and chain in PEM of an officer who has a certificate, at the network listener.
        timeout_seconds: deadline of a call.
    """

    _record_wire: ClassVar = record_service_pb2
    _record_stub: ClassVar = record_service_pb2_grpc.RecordServiceStub

    def __init__(
        self,
        target: str | Path,
        *,
        ca: str = "",
        token: str = "",
        server_name: str = "",
        certificate: tuple[str, str] | None = None,
        timeout_seconds: float = CALL_SECONDS,
    ) -> None:
        local = socket_address(target)
        address = local or os.fspath(target)
        host = tls_host(server_name) if "/" in server_name else server_name or NATION_HOST

        def open_channel() -> grpc.aio.Channel:
            if local:
                return local_channel(local)
            return officer_channel(address, ca, token, host, certificate=certificate)

        super().__init__(Connection(open_channel, timeout_seconds))

    async def search(
        self,
        given: FilingFilter = ALL,
        order: FilingOrder = FilingOrder.NEWEST_FIRST,
        *,
        page_size: int = PAGE_ROWS,
    ) -> AsyncIterator[Filing]:
        """Iterates over all filings that match, without a cap; the register as it stood at the first page.

        Args:
            given: which filings.
            order: in which order.
            page_size: filings a call, at most 1,000.

        Raises:
            InvalidInput: TEXT_TOO_SHORT, and what else breaks the contract.
        """
        token = ""
        while True:
            page = await self.page(given, order, page_size=page_size, page_token=token)
            for filing in page.filings:
                yield filing
            token = page.next_token
            if not token:
                return

    async def page(
        self,
        given: FilingFilter = ALL,
        order: FilingOrder = FilingOrder.NEWEST_FIRST,
        *,
        page_size: int = 0,
        page_token: str = "",
    ) -> FilingPage:
        """Reads one page of a search.

        Args:
            given: which filings.
            order: in which order.
            page_size: filings a page, at most 1,000; 0 for 50.
            page_token: from the page before, with the same filter and order; empty for the first.

        Raises:
            InvalidInput: TEXT_TOO_SHORT, PAGE_TOKEN_WRONG.
        """
        request = filing_service_pb2.SearchFilingsRequest(
            filter=filter_to_wire(given),
            order=int(order),  # type: ignore[arg-type]
            page_size=page_size,
            page_token=page_token,
        )
        answer = await self._connection.call(self._filings.SearchFilings, request)
        return FilingPage(filings_from_wire(answer.filings), answer.next_page_token)

    async def get(self, jurisdiction: str, provider: str, account_id: str, *, as_of: datetime | None = None) -> Filing:
        """Reads one account's filing: the newest revision, or the one that held at a time.

        Raises:
            NotFound: FILING_UNKNOWN.
        """
        request = filing_service_pb2.GetFilingRequest(
            jurisdiction=jurisdiction, provider=provider, account_id=account_id, as_of=time_to_wire(as_of)
        )
        return filing_from_wire((await self._connection.call(self._filings.GetFiling, request)).filing)

    async def history(
        self, jurisdiction: str, provider: str, account_id: str, *, page_size: int = PAGE_ROWS
    ) -> AsyncIterator[Filing]:
        """Iterates over every revision of an account's filing, newest first.

        Raises:
            NotFound: FILING_UNKNOWN.
        """
        request = filing_service_pb2.ListRevisionsRequest(
            jurisdiction=jurisdiction, provider=provider, account_id=account_id, page_size=page_size
        )
        async for page in self._connection.pages(self._filings.ListRevisions, request):
            for filing in filings_from_wire(page.revisions):
                yield filing

    async def statistics(self, dimensions: Sequence[Dimension], given: FilingFilter = ALL) -> list[StatisticsRow]:
        """Counts the filings that match by one or two dimensions (Art. 7(4)).

        Raises:
            Exhausted: STATISTICS_TOO_LARGE, too many combinations occur.
        """
        request = filing_service_pb2.GetStatisticsRequest(
            filter=filter_to_wire(given),
            dimensions=[int(each) for each in dimensions],  # type: ignore[misc]
        )
        answer = await translated(self._filings.GetStatistics(request, timeout=STATISTICS_SECONDS))
        return [StatisticsRow(tuple(row.keys), row.count) for row in answer.rows]

    async def export(
        self, given: FilingFilter = ALL, *, cursor: str = "", patience_seconds: float = PATIENCE_SECONDS
    ) -> AsyncIterator[ExportPage]:
        """Exports all filings that match, oldest first; takes a broken stream up again by itself.

        Args:
            given: which filings.
            cursor: of the last page received before, with the same filter; empty to begin.
            patience_seconds: how long to wait for a node that is away.

        Raises:
            InvalidInput: PAGE_TOKEN_WRONG, TEXT_TOO_SHORT.
        """
        request = filing_service_pb2.ExportFilingsRequest(filter=filter_to_wire(given), cursor=cursor)
        async for page in ExportStream(self._filings.ExportFilings, request, patience_seconds).pages():
            yield page

    async def decide(self, verdicts: Sequence[Verdict], *, request_id: str = "") -> list[VerdictResult]:
        """Decides on filings of the node's own jurisdiction; each verdict is judged by itself.

        Args:
            verdicts: any number; each 500 are one request.
            request_id: a UUID, kept with the verdicts, so that the same call gets the same answer; a new one if empty.

        Returns:
            One result per verdict, in order.

        Raises:
            Conflict: REQUEST_ID_REUSED; InvalidInput: REQUEST_ID_WRONG.
        """
        name = _request_name(request_id)
        results: list[VerdictResult] = []
        for start in range(0, len(verdicts), MOST_VERDICTS):
            request = filing_service_pb2.DecideFilingsRequest(
                request_id=str(name if start == 0 else uuid.uuid5(name, str(start))),
                verdicts=map(verdict_to_wire, verdicts[start : start + MOST_VERDICTS]),
            )
            answer = await self._connection.call(self._filings.DecideFilings, request)
            results += map(result_from_wire, answer.results)
        return results

    async def receipt(self, jurisdiction: str, log_index: int) -> bytes:
        """Reads the receipt of one filing, to be verified offline by `filing-verify`.

        Raises:
            NotFound: LOG_INDEX_UNKNOWN.
        """
        request = filing_service_pb2.GetReceiptRequest(jurisdiction=jurisdiction, log_index=log_index)
        return bytes((await self._connection.call(self._filings.GetReceipt, request)).receipt)

    @property
    def _filings(self) -> Any:
        return self._connection.stub(filing_service_pb2_grpc.FilingServiceStub)


def _request_name(request_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(request_id) if request_id else uuid.uuid4()
    except ValueError:
        mend = "give the UUID of the earlier request, or none"
        violations = [Violation("request_id", "REQUEST_ID_WRONG", mend)]
        raise InvalidInput(f"the request id is no UUID: {mend}", "REQUEST_ID_WRONG", violations) from None
