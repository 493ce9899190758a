"""Serves what anybody may ask of a regulator, without credentials: whether a label is genuine, and complaints.

Each peer is held to a rate. The calls leave no audit entry: who asks is not known, and is not to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import grpc

from regulator_node.label_check import LabelCheck
from regulator_node.label_mapping import time_to_wire
from regulator_node.token_buckets import TokenBuckets
from shared.pb.filingnet.regulator.v1 import public_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import public_service_pb2_grpc


@dataclass(frozen=True, slots=True)
class NewComplaint:
    """A complaint as it came in; empty for what was left out. It has no repr in logs: the statement stays sealed.

    Attributes:
        request_id: chosen by the caller; a retry with the same id gets the same answer.
        account_id: that it is about.
        baseline: 1 to 7.
        item_url: the public item's address.
        report_code: the provider's tracking code, where it was reported there before.
        statement: the complainant's words.
    """

    request_id: str
    account_id: str
    baseline: int
    item_url: str
    report_code: str
    statement: str

    def __repr__(self) -> str:
        """Returns a text without the complainant's words."""
        return f"NewComplaint(account_id={self.account_id!r}, baseline={self.baseline})"


@dataclass(frozen=True, slots=True)
class TakenComplaint:
    """The tracking code of a complaint that was taken in, and whether it was joined to the provider's report."""

    tracking_code: str
    joined: bool


@dataclass(frozen=True, slots=True)
class ComplaintStanding:
    """Where a complaint stands: its state and outcome as the contract names them, and times in microseconds.

    outcome is empty, and due_time None, where there is none.
    """

    state: str
    outcome: str
    received_time: int
    due_time: int | None = None


class Complaints(Protocol):
    """Takes complaints in and says where they stand."""

    async def submit(self, complaint: NewComplaint) -> TakenComplaint:
        """Takes a complaint in; durable when it returns, and once for one request id."""

    async def get(self, tracking_code: str) -> ComplaintStanding:
        """Says where a complaint stands.

        Raises:
            NotFound: COMPLAINT_UNKNOWN.
        """


class PublicServicer(public_service_pb2_grpc.PublicServiceServicer):
    """Serves PublicService.

    Args:
        labels: checks labels.
        complaints: takes complaints in.
        buckets: hold each peer to a rate.
    """

    def __init__(self, labels: LabelCheck, complaints: Complaints, buckets: TokenBuckets) -> None:
        self._labels = labels
        self._complaints = complaints
        self._buckets = buckets

    async def CheckLabel(  # noqa: N802
        self, request: wire.CheckLabelRequest, context: grpc.aio.ServicerContext
    ) -> wire.CheckLabelResponse:
        """Checks an account's label."""
        self._buckets.take(context.peer())
        label = await self._labels.check(request.account_id)
        return wire.CheckLabelResponse(
            standing=int(label.standing),  # type: ignore[arg-type]
            display_name=label.display_name,
            subject_name=label.subject_name,
            licence_number=label.licence_number,
            licence_class=label.licence_class,
            scope=label.scope,  # type: ignore[arg-type]
            end_time=time_to_wire(label.end_time) if label.end_time else None,
            max_age_seconds=label.max_age_seconds,
        )

    async def SubmitComplaint(  # noqa: N802
        self, request: wire.SubmitComplaintRequest, context: grpc.aio.ServicerContext
    ) -> wire.SubmitComplaintResponse:
        """Takes a complaint in."""
        self._buckets.take(context.peer())
        taken = await self._complaints.submit(
            NewComplaint(
                request.request_id,
                request.account_id,
                request.baseline,
                request.item_url,
                request.report_code,
                request.statement,
            )
        )
        return wire.SubmitComplaintResponse(tracking_code=taken.tracking_code, joined=taken.joined)

    async def GetComplaint(  # noqa: N802
        self, request: wire.GetComplaintRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetComplaintResponse:
        """Says where a complaint stands."""
        self._buckets.take(context.peer())
        standing = await self._complaints.get(request.tracking_code)
        return wire.GetComplaintResponse(
            state=standing.state,
            outcome=standing.outcome,
            received_time=time_to_wire(standing.received_time),
            due_time=None if standing.due_time is None else time_to_wire(standing.due_time),
        )
