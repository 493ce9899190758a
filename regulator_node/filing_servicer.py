"""Serves the register of filings to officers and operators.

A question and its audit entry are worked on at the same time, and the answer leaves once both are done and the entry is
durable. What changes the register, or takes long, has its entry first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc

from regulator_node.audited import AuditTrail, audited
from regulator_node.export import FilingExport
from regulator_node.filing_mapping import (
    counts_to_wire,
    describe,
    describe_verdicts,
    filing_to_wire,
    filings_to_wire,
    filter_from_wire,
    order_from_wire,
    results_to_wire,
    split_verdicts,
)
from regulator_node.filing_receipts import FilingReceipts
from regulator_node.history import FilingHistory
from regulator_node.queries import FilingQueries
from regulator_node.review import Review
from regulator_node.statistics import Dimension, FilingStatistics
from shared.database import Database
from shared.pb.filingnet.regulator.v1 import filing_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import filing_service_pb2_grpc
from shared.server import current_caller, recheck_caller

ROW_BY_ROW: Final = frozenset({"/filingnet.regulator.v1.FilingService/DecideFilings"})
"""Methods whose requests are checked row by row: one bad row never fails the rest."""

SERVICE: Final = "/filingnet.regulator.v1.FilingService/"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FilingUses:
    """What the servicer works with."""

    queries: FilingQueries
    history: FilingHistory
    statistics: FilingStatistics
    export: FilingExport
    receipts: FilingReceipts
    review: Review

    @classmethod
    def of(cls, database: Database, review: Review) -> FilingUses:
        """Makes the uses of one register."""
        return cls(
            FilingQueries(database),
            FilingHistory(database),
            FilingStatistics(database),
            FilingExport(database),
            FilingReceipts(database),
            review,
        )


class FilingServicer(filing_service_pb2_grpc.FilingServiceServicer):
    """Serves FilingService.

    Args:
        uses: what it works with.
        audit: the trail.
    """

    def __init__(self, uses: FilingUses, audit: AuditTrail) -> None:
        self._uses = uses
        self._audit = audit

    async def SearchFilings(  # noqa: N802
        self, request: wire.SearchFilingsRequest, context: grpc.aio.ServicerContext
    ) -> wire.SearchFilingsResponse:
        """Finds filings, a page at a time."""
        del context
        given = filter_from_wire(request.filter)
        found = self._uses.queries.search(given, order_from_wire(request.order), request.page_size, request.page_token)
        page = await self._audited("SearchFilings", describe(given), found)
        return wire.SearchFilingsResponse(filings=filings_to_wire(page.filings), next_page_token=page.next_token)

    async def GetFiling(  # noqa: N802
        self, request: wire.GetFilingRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetFilingResponse:
        """Reads one filing."""
        del context
        as_of = request.as_of.ToMicroseconds() if request.HasField("as_of") else None
        found = self._uses.queries.get(request.jurisdiction, request.provider, request.account_id, as_of)
        filing = await self._audited("GetFiling", _account(request), found)
        return wire.GetFilingResponse(filing=filing_to_wire(filing))

    async def ListRevisions(  # noqa: N802
        self, request: wire.ListRevisionsRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListRevisionsResponse:
        """Lists the revisions of an account, newest first."""
        del context
        account = (request.jurisdiction, request.provider, request.account_id)
        found = self._uses.history.revisions(*account, request.page_size, request.page_token)
        page = await self._audited("ListRevisions", _account(request), found)
        return wire.ListRevisionsResponse(revisions=filings_to_wire(page.filings), next_page_token=page.next_token)

    async def GetStatistics(  # noqa: N802
        self, request: wire.GetStatisticsRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetStatisticsResponse:
        """Counts filings."""
        del context
        given, dimensions = filter_from_wire(request.filter), [Dimension(each) for each in request.dimensions]
        detail = f"by {' and '.join(each.name.lower() for each in dimensions)} of {describe(given)}"
        counts = await self._audited("GetStatistics", detail, self._uses.statistics.count(given, dimensions))
        return counts_to_wire(counts)

    async def ExportFilings(  # noqa: N802
        self, request: wire.ExportFilingsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[wire.ExportFilingsResponse]:
        """Streams all filings that match."""
        given = filter_from_wire(request.filter)
        await self._record("ExportFilings", f"{'resumed' if request.cursor else 'begun'}: {describe(given)}")
        async for page in self._uses.export.pages(given, request.cursor):
            # An export takes minutes: whoever is no longer allowed it gets no further page.
            recheck_caller(context)
            yield wire.ExportFilingsResponse(filings=filings_to_wire(page.filings), cursor=page.next_token)

    async def DecideFilings(  # noqa: N802
        self, request: wire.DecideFilingsRequest, context: grpc.aio.ServicerContext
    ) -> wire.DecideFilingsResponse:
        """Decides on filings; a verdict that breaks the contract is refused by itself."""
        del context
        sound, refused = split_verdicts(request)
        details = describe_verdicts(request.request_id, sound, len(refused))
        await asyncio.gather(*(self._record("DecideFilings", detail) for detail in details))
        results = iter(await self._uses.review.decide(request.request_id, current_caller().name, sound))
        places = range(len(request.verdicts))
        return results_to_wire(refused[place] if place in refused else next(results) for place in places)

    async def GetReceipt(  # noqa: N802
        self, request: wire.GetReceiptRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetReceiptResponse:
        """Reads the receipt of one filing."""
        del context
        detail = f"jurisdiction {request.jurisdiction} log_index {request.log_index}"
        found = self._uses.receipts.read(request.jurisdiction, request.log_index)
        return wire.GetReceiptResponse(receipt=await self._audited("GetReceipt", detail, found))

    async def _record(self, method: str, detail: str) -> None:
        await self._audit.record(SERVICE + method, detail)

    async def _audited(self, method: str, detail: str, answer: Awaitable[T]) -> T:
        return await audited(self._audit, SERVICE + method, detail, answer)


def _account(request: wire.GetFilingRequest | wire.ListRevisionsRequest) -> str:
    return f"jurisdiction {request.jurisdiction} provider {request.provider} account {request.account_id}"
