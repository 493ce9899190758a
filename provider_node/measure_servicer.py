"""MeasureService of the local API: parses, calls, maps."""

from __future__ import annotations

from typing import TypeAlias

import grpc

from provider_node.appeals import Appeals
from provider_node.measure_messages import application_from_wire, measure_to_wire, order_to_wire
from provider_node.measure_rows import MeasureState, StoredMeasure
from provider_node.measures import Measures
from provider_node.orders import Orders
from shared.pb.filingnet.provider.v1 import measure_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import measure_service_pb2_grpc
from shared.provisions.directives import OrderAnswer

Context: TypeAlias = grpc.aio.ServicerContext


class MeasureServicer(measure_service_pb2_grpc.MeasureServiceServicer):
    """Serves what concerns measures, appeals and orders."""

    def __init__(self, measures: Measures, appeals: Appeals, orders: Orders) -> None:
        self._measures = measures
        self._appeals = appeals
        self._orders = orders

    async def ApplyMeasure(self, request: pb.ApplyMeasureRequest, context: Context) -> pb.ApplyMeasureResponse:  # noqa: N802
        """Takes a measure."""
        stored = await self._measures.apply(request.request_id, application_from_wire(request))
        return pb.ApplyMeasureResponse(measure=self._to_wire(stored))

    async def LiftMeasure(self, request: pb.LiftMeasureRequest, context: Context) -> pb.LiftMeasureResponse:  # noqa: N802
        """Lifts a measure."""
        return pb.LiftMeasureResponse(
            measure=self._to_wire(await self._measures.lift(request.measure_id, request.etag))
        )

    async def GetMeasure(self, request: pb.GetMeasureRequest, context: Context) -> pb.GetMeasureResponse:  # noqa: N802
        """Reads a measure."""
        return pb.GetMeasureResponse(measure=self._to_wire(await self._measures.get(request.measure_id)))

    async def ListMeasures(self, request: pb.ListMeasuresRequest, context: Context) -> pb.ListMeasuresResponse:  # noqa: N802
        """Lists measures."""
        found, following = await self._measures.list_page(
            request.account_id, MeasureState(request.state), request.page_size, request.page_token
        )
        return pb.ListMeasuresResponse(measures=map(self._to_wire, found), next_page_token=following)

    async def SubmitAppeal(self, request: pb.SubmitAppealRequest, context: Context) -> pb.SubmitAppealResponse:  # noqa: N802
        """Takes an appeal in."""
        stored = await self._appeals.submit(request.measure_id, request.statement)
        return pb.SubmitAppealResponse(measure=self._to_wire(stored))

    async def DecideAppeal(self, request: pb.DecideAppealRequest, context: Context) -> pb.DecideAppealResponse:  # noqa: N802
        """Decides an appeal."""
        stored = await self._appeals.decide(
            request.measure_id, overturned=request.overturned, actor=request.actor, etag=request.etag
        )
        return pb.DecideAppealResponse(measure=self._to_wire(stored))

    async def AppealToRegulator(  # noqa: N802
        self, request: pb.AppealToRegulatorRequest, context: Context
    ) -> pb.AppealToRegulatorResponse:
        """Sends an appeal on."""
        return pb.AppealToRegulatorResponse(measure=self._to_wire(await self._appeals.send_on(request.measure_id)))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:  # noqa: N802
        """Lists orders."""
        found, following = await self._orders.list_page(
            request.page_size, request.page_token, answered_too=request.answered_too
        )
        return pb.ListOrdersResponse(orders=map(order_to_wire, found), next_page_token=following)

    async def AnswerOrder(self, request: pb.AnswerOrderRequest, context: Context) -> pb.AnswerOrderResponse:  # noqa: N802
        """Answers an order."""
        stored = await self._orders.answer(request.order_entry_id, OrderAnswer(request.answer), request.reason)
        return pb.AnswerOrderResponse(order=order_to_wire(stored))

    def _to_wire(self, stored: StoredMeasure) -> pb.Measure:
        return measure_to_wire(stored, self._measures.state_of(stored), self._measures.appeal_by(stored))
