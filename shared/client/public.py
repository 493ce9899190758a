"""What anybody may ask of a regulator's node, without credentials.

    async with PublicClient("330000.example:7401", ca=pem, server_name="regulator/330000") as node:
        label = await node.check_label(account_id)
        complaint = await node.submit_complaint(account_id, baseline=7, statement="…")

What a call raises is of the kinds of `shared.errors`: RATE_LIMITED where this address asks too often.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import grpc

from shared.channel import NATION_HOST, local_channel, officer_channel, socket_address
from shared.client.connection import Connection
from shared.client.officer_label_types import CheckedLabel, LabelScope, LabelStanding
from shared.client.officer_mapping import time_from_wire
from shared.pb.filingnet.regulator.v1 import public_service_pb2, public_service_pb2_grpc
from shared.trust.names import tls_host

__all__ = ["CheckedLabel", "ComplaintStanding", "LabelScope", "LabelStanding", "PublicClient", "TakenComplaint"]

CALL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class TakenComplaint:
    """A complaint that was taken in: its tracking code, told only once, and whether it was joined to a provider's report."""

    tracking_code: str
    joined: bool


@dataclass(frozen=True, slots=True)
class ComplaintStanding:
    """Where a complaint stands. outcome is empty before there is one; due_time is None once nothing is due."""

    state: str
    outcome: str
    received_time: datetime
    due_time: datetime | None


class PublicClient:
    """Asks a regulator's node; for use on one event loop, closed by `close` or as a context manager.

    Args:
        target: "host:port" of the node's public listener; or the path of its operator.sock.
        ca: CA certificates of the network in PEM; for host:port.
        server_name: whose node it is, "regulator/330000" or the name in its certificate; the nation if left out.
        timeout_seconds: deadline of a call.
    """

    def __init__(
        self, target: str | Path, *, ca: str = "", server_name: str = "", timeout_seconds: float = CALL_SECONDS
    ) -> None:
        local = socket_address(target)
        address = local or os.fspath(target)
        host = tls_host(server_name) if "/" in server_name else server_name or NATION_HOST

        def open_channel() -> grpc.aio.Channel:
            if local:
                return local_channel(local)
            return officer_channel(address, ca, server_name=host)

        self._connection = Connection(open_channel, timeout_seconds)

    async def __aenter__(self) -> Self:
        """Returns the client."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Closes the client."""
        await self.close()

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        await self._connection.close()

    async def check_label(self, account_id: str) -> CheckedLabel:
        """Checks whether an account's label is genuine (Art. 7(3)).

        Args:
            account_id: a UUID, as the account's page shows it.

        Returns:
            What the register holds; LabelStanding.NONE for every account without a label there.

        Raises:
            Exhausted: RATE_LIMITED.
        """
        request = public_service_pb2.CheckLabelRequest(account_id=account_id)
        answer = await self._connection.call(self._public.CheckLabel, request)
        return CheckedLabel(
            LabelStanding(answer.standing),
            answer.display_name,
            answer.subject_name,
            answer.licence_number,
            answer.licence_class,
            LabelScope(answer.scope),
            time_from_wire(answer.end_time) if answer.HasField("end_time") else None,
            answer.max_age_seconds,
        )

    async def submit_complaint(
        self,
        account_id: str,
        *,
        baseline: int,
        statement: str = "",
        item_url: str = "",
        report_code: str = "",
        request_id: str = "",
    ) -> TakenComplaint:
        """Brings a complaint straight to the regulator (answer 2).

        Args:
            account_id: the account it is about.
            baseline: that was broken, 1 to 7.
            statement: what happened, at most 2,000 characters; sealed at that node.
            item_url: the public item's address; empty for the account as a whole.
            report_code: the provider's tracking code, where it was reported there before.
            request_id: a UUID, of an earlier try whose answer was lost; a new one if empty.

        Raises:
            Exhausted: RATE_LIMITED.
        """
        request = public_service_pb2.SubmitComplaintRequest(
            request_id=request_id or str(uuid.uuid4()),
            account_id=account_id,
            baseline=baseline,
            item_url=item_url,
            report_code=report_code,
            statement=statement,
        )
        answer = await self._connection.call(self._public.SubmitComplaint, request)
        return TakenComplaint(answer.tracking_code, answer.joined)

    async def get_complaint(self, tracking_code: str) -> ComplaintStanding:
        """Says where a complaint stands; or, by the code that a provider gave to a reporter, a report that left it.

        Raises:
            NotFound: no complaint and no report there has that code.
            Exhausted: RATE_LIMITED.
        """
        request = public_service_pb2.GetComplaintRequest(tracking_code=tracking_code)
        answer = await self._connection.call(self._public.GetComplaint, request)
        due = time_from_wire(answer.due_time) if answer.HasField("due_time") else None
        return ComplaintStanding(answer.state, answer.outcome, time_from_wire(answer.received_time), due)

    @property
    def _public(self) -> Any:
        return self._connection.stub(public_service_pb2_grpc.PublicServiceStub)
