"""RecordService, the same at every node but for who asks: a provider's backend says it, a regulator knows its officers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import ModuleType
from typing import Any, Final

import grpc

from shared.errors import InvalidInput, Violation
from shared.provisions.retention import RecordClass
from shared.provisions.spans import FOREVER
from shared.records.disposal import CERTIFICATES_TOGETHER, Disposals
from shared.records.wire import hold_from_wire, hold_to_wire, standing_to_wire, summary_to_wire

DEFAULT_PAGE: Final = 100
"""Rows a page where the caller names no size."""


class RecordCalls(ABC):
    """Serves the calls of RecordService.

    Args:
        disposals: holds, disposes and certifies.
        wire: the generated module with the messages of the node's own contract.
    """

    def __init__(self, disposals: Disposals, wire: ModuleType) -> None:
        self._disposals = disposals
        self._wire: Any = wire

    @abstractmethod
    async def begin(self, method: str, request: Any, detail: str) -> str:
        """Returns who asks, after whatever the node records of a call is durable.

        Args:
            method: name of the call.
            request: its message.
            detail: what is asked, in one line.
        """

    async def PlaceHold(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Places a hold."""
        del context
        hold = hold_from_wire(request.hold)
        kept = hold.target or hold.record_class.name.lower()
        detail = f"hold {hold.hold_id} on {hold.scope.name.lower()} {kept} reason {request.hold.reason}"
        actor = await self.begin("PlaceHold", request, detail)
        placed = await self._disposals.place(hold, request.hold.reason, actor)
        return self._wire.PlaceHoldResponse(hold=hold_to_wire(placed))

    async def LiftHold(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Lifts a hold."""
        del context
        actor = await self.begin("LiftHold", request, f"hold {request.hold_id} reason {request.reason}")
        lifted = await self._disposals.lift(request.hold_id, request.reason, actor)
        return self._wire.LiftHoldResponse(hold=hold_to_wire(lifted))

    async def ListHolds(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Lists holds, a page at a time."""
        del context
        await self.begin("ListHolds", request, "lifted too" if request.lifted_too else "in force")
        size = request.page_size or DEFAULT_PAGE
        before = _hold_position(request.page_token)
        found = await self._disposals.holds(before, size + 1, lifted_too=request.lifted_too)
        token = f"{found[size - 1].hold.placed_time}.{found[size - 1].hold.hold_id}" if len(found) > size else ""
        return self._wire.ListHoldsResponse(holds=map(hold_to_wire, found[:size]), next_page_token=token)

    async def ListDueRecords(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Says what is due, and changes nothing."""
        del context
        await self.begin("ListDueRecords", request, "")
        return self._wire.ListDueRecordsResponse(classes=map(standing_to_wire, await self._disposals.due()))

    async def DisposeRecords(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Disposes of what is due."""
        del context
        record_class = RecordClass(request.record_class)
        actor = await self.begin("DisposeRecords", request, record_class.name.lower() if record_class else "all")
        most = request.most_certificates or CERTIFICATES_TOGETHER
        made = await self._disposals.dispose(actor, record_class, most, compact=request.compact)
        return self._wire.DisposeRecordsResponse(certificates=map(summary_to_wire, made))

    async def ListCertificates(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Lists certificates, a page at a time."""
        del context
        await self.begin("ListCertificates", request, "")
        size = request.page_size or DEFAULT_PAGE
        before = _number(request.page_token) if request.page_token else FOREVER
        found = await self._disposals.certificates(before, size + 1)
        token = str(found[size - 1].number) if len(found) > size else ""
        return self._wire.ListCertificatesResponse(
            certificates=map(summary_to_wire, found[:size]), next_page_token=token
        )

    async def GetCertificate(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        """Reads a certificate as one file."""
        del context
        await self.begin("GetCertificate", request, f"certificate {request.number} record {request.record_id}")
        return self._wire.GetCertificateResponse(proof=await self._disposals.proof(request.number, request.record_id))


def _hold_position(token: str) -> tuple[int, str]:
    if not token:
        return FOREVER, ""
    time, _, hold_id = token.partition(".")
    return _number(time), hold_id


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > FOREVER:
        mend = "send the token of the page before, or none"
        raise InvalidInput(mend, "PAGE_TOKEN_WRONG", [Violation("page_token", "PAGE_TOKEN_WRONG", mend)])
    return int(text)
