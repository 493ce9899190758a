"""One error on its way over a wire and back: FilingnetError ↔ google.rpc.Status.

A status carries the reason in ErrorInfo (domain "filingnet", no metadata) and the violations in BadRequest, so that a
program acts on them and a person reads how to mend each field. It travels in the trailing metadata of the answer, of
which a gRPC client accepts 8 KiB by default: a longer list of violations is cut and says so, because the alternative
is an answer that no client can read. Reading never fails: what a peer sent may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from shared.errors import (
    AlreadyExists,
    Conflict,
    Exhausted,
    FailedPrecondition,
    FilingnetError,
    Internal,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    Violation,
)

STATUS_BY_ERROR: Final[dict[type[FilingnetError], grpc.StatusCode]] = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.ABORTED,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    Internal: grpc.StatusCode.INTERNAL,
}
"""The status of each kind of error."""

DOMAIN: Final = "filingnet"
"""The domain of every ErrorInfo of this network."""

DETAILS_KEY: Final = "grpc-status-details-bin"
MAX_DETAILS_BYTES: Final = 3500
"""Longest serialised status; base64 makes it 4,700 bytes of the 8 KiB that a client accepts by default."""
MAX_MESSAGE_BYTES: Final = 1800
"""Longest message as it is sent: percent-encoded, where a Chinese character takes nine bytes."""
MAX_VIOLATIONS: Final = 50
CUT_RULE: Final = "more_violations"
"""Rule of the last violation where more were found than fit."""

_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{1,62}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\s]+")


@dataclass(frozen=True, slots=True)
class Details:
    """What the details of a status say.

    Attributes:
        reason: stable, in capitals.
        message: for people.
        violations: field by field.
    """

    reason: str
    message: str
    violations: tuple[Violation, ...]


def status_code(error: FilingnetError) -> grpc.StatusCode:
    """Returns the status code of an error: that of its nearest kind in the catalogue."""
    return next((STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR), _INTERNAL)


def rich_status(code: grpc.StatusCode, message: str, reason: str, violations: Sequence[Violation] = ()) -> Any:
    """Returns a status for `context.abort_with_status`.

    Args:
        code: the status code.
        message: one sentence that says the mend.
        reason: stable, in capitals.
        violations: field by field; as many are told as fit.
    """
    message = _fit_message(one_line(message))
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    if violations:
        room = MAX_DETAILS_BYTES - status.ByteSize()
        status.details.add().Pack(_bad_request(violations, room))
    return rpc_status.to_status(status)


def status_of(error: FilingnetError) -> Any:
    """Returns the status of an error for `context.abort_with_status`."""
    return rich_status(status_code(error), error.message, error.reason, error.violations)


def read_details(trailing_metadata: Iterable[tuple[str, Any]] | None) -> Details | None:
    """Reads the details that a node of this network put into an answer's trailing metadata.

    Returns:
        The details, bounded and printable; None where there are none, or none that can be read.
    """
    for key, value in trailing_metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return _read(status_pb2.Status.FromString(value))
            except (DecodeError, ValueError):
                return None
    return None


def one_line(text: str, limit: int = 300) -> str:
    """Returns text as one printable line of at most `limit` characters."""
    return _UNPRINTABLE.sub(" ", text).strip()[:limit]


_INTERNAL: Final = grpc.StatusCode.INTERNAL


def _read(status: status_pb2.Status) -> Details | None:
    reason = ""
    violations: list[Violation] = []
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        request = error_details_pb2.BadRequest()
        if detail.Unpack(info) and info.domain == DOMAIN and _REASON.fullmatch(info.reason):
            reason = info.reason
        elif detail.Unpack(request):
            violations += [
                Violation(one_line(each.field, 120), one_line(each.reason, 80), one_line(each.description))
                for each in request.field_violations[: MAX_VIOLATIONS - len(violations)]
            ]
    return Details(reason, one_line(status.message), tuple(violations)) if reason else None


def _bad_request(violations: Sequence[Violation], room: int) -> error_details_pb2.BadRequest:
    request = error_details_pb2.BadRequest()
    # Room for the line that says how many were cut, and for the type's name.
    room -= 200
    for position, violation in enumerate(violations):
        line = error_details_pb2.BadRequest.FieldViolation(
            field=one_line(violation.field), description=one_line(violation.mend), reason=one_line(violation.rule)
        )
        room -= line.ByteSize() + 4
        if room < 0 or position == MAX_VIOLATIONS - 1 < len(violations) - 1:
            left = len(violations) - position
            request.field_violations.add(description=f"correct the others first: {left} more", reason=CUT_RULE)
            break
        request.field_violations.append(line)
    return request


def _fit_message(message: str) -> str:
    while len(quote(message)) > MAX_MESSAGE_BYTES:
        message = message[: len(message) * 9 // 10]
    return message
