"""LabelService of the local API: parses, calls, maps."""

from __future__ import annotations

from typing import TypeAlias

import grpc

from provider_node.label_messages import grant_terms_from_wire, label_to_wire, licence_from_wire, time_from_wire
from provider_node.label_rows import LabelState
from provider_node.labels import Labels
from shared.mapping.times import micros_of
from shared.pb.filingnet.provider.v1 import label_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import label_service_pb2_grpc
from shared.provisions.labels import LabelScope

Context: TypeAlias = grpc.aio.ServicerContext


class LabelServicer(label_service_pb2_grpc.LabelServiceServicer):
    """Serves what concerns labels."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    async def GrantLabel(self, request: pb.GrantLabelRequest, context: Context) -> pb.GrantLabelResponse:  # noqa: N802
        """Grants a label."""
        label = await self._labels.grant(request.request_id, request.account_id, grant_terms_from_wire(request))
        return pb.GrantLabelResponse(label=label_to_wire(label))

    async def RenewLabel(self, request: pb.RenewLabelRequest, context: Context) -> pb.RenewLabelResponse:  # noqa: N802
        """Renews a grant."""
        licence, end = licence_from_wire(request), micros_of(request.end_time)
        label = await self._labels.renew(request.grant_id, licence, end, request.etag)
        return pb.RenewLabelResponse(label=label_to_wire(label))

    async def NarrowLabel(  # noqa: N802
        self, request: pb.NarrowLabelRequest, context: Context
    ) -> pb.NarrowLabelResponse:
        """Narrows a grant."""
        scope, end = LabelScope(request.scope), micros_of(request.end_time)
        label = await self._labels.narrow(request.grant_id, scope, end, request.etag)
        return pb.NarrowLabelResponse(label=label_to_wire(label))

    async def RevokeLabel(  # noqa: N802
        self, request: pb.RevokeLabelRequest, context: Context
    ) -> pb.RevokeLabelResponse:
        """Revokes a grant."""
        label = await self._labels.revoke(request.grant_id, request.reason, request.etag)
        return pb.RevokeLabelResponse(label=label_to_wire(label))

    async def GetLabel(self, request: pb.GetLabelRequest, context: Context) -> pb.GetLabelResponse:  # noqa: N802
        """Reads a grant."""
        return pb.GetLabelResponse(label=label_to_wire(await self._labels.get(request.grant_id)))

    async def ListLabels(self, request: pb.ListLabelsRequest, context: Context) -> pb.ListLabelsResponse:  # noqa: N802
        """Lists grants."""
        labels, following = await self._labels.list_page(
            request.account_id,
            LabelState(request.state),
            time_from_wire(request, "end_before_time"),
            request.page_size,
            request.page_token,
        )
        return pb.ListLabelsResponse(labels=map(label_to_wire, labels), next_page_token=following)
