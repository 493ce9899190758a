"""Calls that are refused, as they come over the wire: the google.rpc.Status, whole, and never with anybody in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import code_pb2, error_details_pb2
from grpc_status import rpc_status

from shared.evidence.rejections import verify_rejection
from shared.pb.filingnet.network.v1 import evidence_pb2, intake_service_pb2
from shared.status import DOMAIN, status_of

WORDS = "申诉之言十三亿"
"""What a person wrote, which no refusal may repeat."""


@dataclass(frozen=True)
class Told:
    """What a caller is told: the status code's name, the stable reason, and field and rule of each violation."""

    code: str
    reason: str
    fields: tuple[tuple[str, str], ...]


async def told(call: Any, *hidden: str) -> Told:
    """Awaits a call that is refused; what it is told holds none of the hidden texts."""
    found = await answered(call, *hidden)
    assert isinstance(found, Told), found
    return found


async def answered(call: Any, *hidden: str) -> Any:
    """Awaits a call; returns its answer, or what it is told where it is refused."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(error)
        assert status is not None
        return _read(status, hidden)


def told_of(error: Any, *hidden: str) -> Told:
    """What a caller would be told of an error of the catalogue."""
    return _read(rpc_status.from_call(_Answer(status_of(error))), hidden)


def rejected(response: intake_service_pb2.SubmitEntriesResponse, key_lookup: Any, *hidden: str) -> Told:
    """What a provider is told of the last entry of a batch, by the regulator's signed rejection."""
    result = response.results[-1]
    assert result.HasField("rejection"), result
    rejection: evidence_pb2.Rejection = verify_rejection(result.rejection, key_lookup)
    _check(rejection.violations, hidden, rejection.SerializeToString())
    fields = tuple((each.field, each.rule) for each in rejection.violations)
    return Told(intake_service_pb2.EntryOutcome.Name(result.outcome), rejection.reason, fields)


class _Answer:
    """The end of a call, as the server would write it."""

    def __init__(self, status: Any) -> None:
        self._status = status

    def code(self) -> Any:
        """The status code."""
        return self._status.code

    def details(self) -> str:
        """The message."""
        return str(self._status.details)

    def trailing_metadata(self) -> Any:
        """What follows the answer."""
        return self._status.trailing_metadata


def _read(status: Any, hidden: Sequence[str]) -> Told:
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        assert detail.Unpack(info) or detail.Unpack(request)
    assert (DOMAIN, {}) == (info.domain, dict(info.metadata))
    assert status.message
    violations = [_Violation(each.field, each.reason, each.description) for each in request.field_violations]
    _check(violations, hidden, status.SerializeToString())
    return Told(code_pb2.Code.Name(status.code), info.reason, tuple((each.field, each.rule) for each in violations))


@dataclass(frozen=True)
class _Violation:
    field: str
    rule: str
    mend: str


def _check(violations: Any, hidden: Sequence[str], whole: bytes) -> None:
    assert all(each.field and each.rule and each.mend for each in violations), violations
    assert [] == [text for text in hidden if text.encode() in whole]
