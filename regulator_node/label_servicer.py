"""Serves the labels of the register to officers and operators; every call leaves an audit entry."""

from __future__ import annotations

import asyncio
from typing import Final

import grpc

from regulator_node.audited import AuditTrail, audited
from regulator_node.label_mapping import (
    describe_label_verdicts,
    describe_labels,
    label_filter_from_wire,
    label_results_to_wire,
    label_verdicts_from_wire,
    labels_to_wire,
)
from regulator_node.label_queries import LabelQueries
from regulator_node.label_review import LabelReview
from shared.pb.filingnet.regulator.v1 import label_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import label_service_pb2_grpc
from shared.server import current_caller

SERVICE: Final = "/filingnet.regulator.v1.LabelService/"


class LabelServicer(label_service_pb2_grpc.LabelServiceServicer):
    """Serves LabelService.

    Args:
        queries: reads labels.
        review: decides on them.
        audit: the trail.
    """

    def __init__(self, queries: LabelQueries, review: LabelReview, audit: AuditTrail) -> None:
        self._queries = queries
        self._review = review
        self._audit = audit

    async def SearchLabels(  # noqa: N802
        self, request: wire.SearchLabelsRequest, context: grpc.aio.ServicerContext
    ) -> wire.SearchLabelsResponse:
        """Finds grants, a page at a time."""
        del context
        given = label_filter_from_wire(request)
        found = self._queries.search(given, request.page_size, request.page_token)
        page = await audited(self._audit, f"{SERVICE}SearchLabels", describe_labels(given), found)
        return wire.SearchLabelsResponse(labels=labels_to_wire(page.labels), next_page_token=page.next_token)

    async def ListLabelRevisions(  # noqa: N802
        self, request: wire.ListLabelRevisionsRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListLabelRevisionsResponse:
        """Lists what was stated of a grant, newest first."""
        del context
        grant = (request.jurisdiction, request.provider, request.grant_id)
        detail = f"jurisdiction {grant[0]} provider {grant[1]} grant {grant[2]}"
        found = self._queries.revisions(*grant)
        revisions = await audited(self._audit, f"{SERVICE}ListLabelRevisions", detail, found)
        return wire.ListLabelRevisionsResponse(revisions=labels_to_wire(revisions))

    async def DecideLabels(  # noqa: N802
        self, request: wire.DecideLabelsRequest, context: grpc.aio.ServicerContext
    ) -> wire.DecideLabelsResponse:
        """Decides on grants."""
        del context
        verdicts = label_verdicts_from_wire(request.verdicts)
        details = describe_label_verdicts(request.request_id, verdicts)
        await asyncio.gather(*(self._audit.record(f"{SERVICE}DecideLabels", detail) for detail in details))
        results = await self._review.decide(request.request_id, current_caller().name, verdicts)
        return label_results_to_wire(results)
