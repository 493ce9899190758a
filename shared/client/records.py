"""The calls of both clients on records and their end (Art. 8(2)): holds, what is due, disposal, certificates."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, ClassVar, Final

from google.protobuf.message import Message

from shared.client.connection import Connection
from shared.client.record_types import Certificate, DueRecord, DueRecords, HoldScope, LegalHold, RecordClass
from shared.mapping.policy import period_from_wire
from shared.pb.filingnet.network.v1 import disposal_pb2

PAGE_ROWS: Final = 500
"""Rows that one call asks for."""


class RecordCalls:
    """Calls on records. A provider's node is told who asks; a regulator's knows."""

    _connection: Connection
    _record_wire: ClassVar[ModuleType]
    _record_stub: ClassVar[type]

    async def place_hold(
        self,
        scope: HoldScope,
        *,
        reason: str,
        target: str = "",
        record_class: RecordClass = RecordClass.UNSPECIFIED,
        hold_id: str = "",
        actor: str = "",
    ) -> LegalHold:
        """Places a legal hold; in force when this returns.

        Args:
            scope: what it keeps.
            reason: why, as a code, e.g. "court_order".
            target: the account, escalation or case, a UUID; empty with the scope of a class.
            record_class: with the scope of a class only.
            hold_id: a UUID; a call made again with it gets the same hold. A new one if empty.
            actor: at a provider, who asks.

        Raises:
            InvalidInput: HOLD_SCOPE_WRONG.
            AlreadyExists: HOLD_EXISTS.
        """
        hold = disposal_pb2.LegalHold(
            hold_id=hold_id or str(uuid.uuid4()),
            scope=int(scope),  # type: ignore[arg-type]
            record_class=int(record_class),  # type: ignore[arg-type]
            target=target,
            reason=reason,
        )
        return _hold((await self._record_call("PlaceHold", actor, hold=hold)).hold)

    async def lift_hold(self, hold_id: str, *, reason: str, actor: str = "") -> LegalHold:
        """Lifts a legal hold; raises NotFound HOLD_UNKNOWN."""
        return _hold((await self._record_call("LiftHold", actor, hold_id=hold_id, reason=reason)).hold)

    async def holds(self, *, lifted_too: bool = False) -> AsyncIterator[LegalHold]:
        """Iterates over legal holds, newest first."""
        request = self._wire.ListHoldsRequest(page_size=PAGE_ROWS, lifted_too=lifted_too)
        async for page in self._connection.pages(self._records.ListHolds, request):
            for message in page.holds:
                yield _hold(message)

    async def due_records(self) -> list[DueRecords]:
        """Reads what is due for disposal now, class by class; changes nothing."""
        answer = await self._connection.call(self._records.ListDueRecords, self._wire.ListDueRecordsRequest())
        return [_due(message) for message in answer.classes]

    async def dispose_records(
        self,
        record_class: RecordClass = RecordClass.UNSPECIFIED,
        *,
        most_certificates: int = 0,
        compact: bool = False,
        actor: str = "",
    ) -> list[Certificate]:
        """Disposes of what is due.

        Args:
            record_class: only this class; UNSPECIFIED for all.
            most_certificates: of at most 2,000 records each; 0 for 20.
            compact: rewrite a SQLite file afterwards whatever its size; writes wait meanwhile.
            actor: at a provider, who asks.

        Returns:
            The certificates made; none where nothing was due.
        """
        answer = await self._record_call(
            "DisposeRecords",
            actor,
            record_class=int(record_class),
            most_certificates=most_certificates,
            compact=compact,
        )
        return [_certificate(message) for message in answer.certificates]

    async def dispose_all_records(
        self, record_class: RecordClass = RecordClass.UNSPECIFIED, *, compact: bool = False, actor: str = ""
    ) -> list[Certificate]:
        """Disposes of what is due, call by call, until nothing is; see dispose_records."""
        made: list[Certificate] = []
        while more := await self.dispose_records(record_class, compact=compact, actor=actor):
            made += more
        return made

    async def certificates(self) -> AsyncIterator[Certificate]:
        """Iterates over certificates, newest first."""
        request = self._wire.ListCertificatesRequest(page_size=PAGE_ROWS)
        async for page in self._connection.pages(self._records.ListCertificates, request):
            for message in page.certificates:
                yield _certificate(message)

    async def certificate_file(self, number: int, *, record_id: str = "") -> bytes:
        """Reads a certificate as the file that `filing-verify disposal` takes.

        Args:
            number: of the certificate.
            record_id: one record, for a proof of this one alone; empty for all.

        Raises:
            NotFound: CERTIFICATE_UNKNOWN or RECORD_UNKNOWN.
        """
        request = self._wire.GetCertificateRequest(number=number, record_id=record_id)
        answer = await self._connection.call(self._records.GetCertificate, request)
        data: bytes = answer.proof.SerializeToString()
        return data

    async def _record_call(self, method: str, actor: str, **fields: Any) -> Any:
        if actor:
            fields["actor"] = actor
        request = getattr(self._wire, f"{method}Request")(**fields)
        return await self._connection.call(getattr(self._records, method), request)

    @property
    def _wire(self) -> Any:
        return self._record_wire

    @property
    def _records(self) -> Any:
        return self._connection.stub(self._record_stub)


class DirectedHoldCalls(RecordCalls):
    """An officer's calls on the holds that are placed at providers by directive (Art. 9)."""

    async def direct_hold(
        self,
        provider: str,
        scope: HoldScope,
        *,
        reason: str,
        target: str = "",
        record_class: RecordClass = RecordClass.UNSPECIFIED,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        hold_id: str = "",
    ) -> LegalHold:
        """Has a provider keep records; it does so from when it takes the directive.

        Args:
            provider: its node name, e.g. "provider/wave".
            scope: what it is to keep: an account, an escalation or a class.
            reason: why, as a code, e.g. "court_order".
            target: the account or the escalation, a UUID; empty with the scope of a class.
            record_class: with the scope of a class only.
            start_time: from when, aware; None for now.
            end_time: until when, aware; None for until it is lifted. A class needs one.
            hold_id: a UUID; a call made again with it gets the same hold. A new one if empty.

        Raises:
            InvalidInput: HOLD_SCOPE_WRONG, HOLD_WITHOUT_END, HOLD_TIMES_WRONG.
            NotFound: NODE_UNKNOWN.
            FailedPrecondition: PROVIDER_ELSEWHERE, PROVIDER_UNHEARD.
            AlreadyExists: HOLD_EXISTS.
        """
        hold = disposal_pb2.LegalHold(
            hold_id=hold_id or str(uuid.uuid4()),
            scope=int(scope),  # type: ignore[arg-type]
            record_class=int(record_class),  # type: ignore[arg-type]
            target=target,
            reason=reason,
        )
        request = self._wire.DirectHoldRequest(provider=provider, hold=hold)
        for field, time in (("start_time", start_time), ("end_time", end_time)):
            if time is not None:
                getattr(request, field).FromDatetime(time)
        return _hold((await self._connection.call(self._records.DirectHold, request)).hold)

    async def lift_directed_hold(self, hold_id: str, *, reason: str) -> LegalHold:
        """Lets a provider's records go again; raises NotFound HOLD_UNKNOWN, FailedPrecondition PROVIDER_ELSEWHERE."""
        request = self._wire.LiftDirectedHoldRequest(hold_id=hold_id, reason=reason)
        return _hold((await self._connection.call(self._records.LiftDirectedHold, request)).hold)


def _time(message: Message, field: str) -> datetime | None:
    time: datetime | None = getattr(message, field).ToDatetime(UTC) if message.HasField(field) else None
    return time


def _hold(message: disposal_pb2.LegalHold) -> LegalHold:
    return LegalHold(
        message.hold_id,
        HoldScope(message.scope),
        RecordClass(message.record_class),
        message.target,
        message.reason,
        message.placed_by,
        message.placed_time.ToDatetime(UTC),
        message.lifted_by,
        _time(message, "lifted_time"),
        message.lift_reason,
        message.provider,
        _time(message, "end_time"),
        _time(message, "acknowledge_by"),
        _time(message, "acknowledged_time"),
    )


def _due(message: disposal_pb2.ClassStanding) -> DueRecords:
    period = period_from_wire(message.period) if message.HasField("period") else None
    records = [DueRecord(record.record_id, record.ceased_time.ToDatetime(UTC)) for record in message.records]
    return DueRecords(RecordClass(message.record_class), period, message.due, message.held, records)


def _certificate(message: disposal_pb2.CertificateSummary) -> Certificate:
    return Certificate(
        message.number,
        RecordClass(message.record_class),
        message.records,
        message.policy_version,
        message.disposed_time.ToDatetime(UTC),
        message.actor,
    )
