"""How a call ends that gets no answer: what was raised becomes a status, and the log has what people need to know of it.

A FilingnetError tells its reason and violations; anything else tells an incident number, by which the log has the type
and the frames of what happened and never its text or values.
"""

from __future__ import annotations

import secrets
from typing import Any, NoReturn

import grpc
import structlog

from shared.errors import (
    Exhausted,
    FilingnetError,
    Internal,
    InvalidInput,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from shared.status import rich_status, status_of
from shared.telemetry import describe_failure

log = structlog.get_logger(__name__)


def unreadable() -> InvalidInput:
    """Makes the error for a request that is no message of its contract."""
    return InvalidInput("the request cannot be read: send the message of this method's contract", "MESSAGE_UNREADABLE")


def stopping() -> Unavailable:
    """Makes the error for a stream that ends because the node does."""
    return Unavailable("this node is stopping: call again when it is back", "NODE_STOPPING")


def deadline_status(seconds: float) -> Any:
    """Makes the status of a call that took longer than the node's own deadline, in seconds."""
    return rich_status(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        f"this took longer than {seconds:.0f} seconds: try again, or set a deadline of your own",
        "DEADLINE_EXCEEDED",
    )


def _log_refusal(method: str, caller: str, error: FilingnetError) -> None:
    if isinstance(error, Internal):
        log.error("call_failed", method=method, caller=caller, reason=error.reason, **describe_failure(error))
    elif isinstance(error, PermissionDenied | Unauthenticated | Exhausted):
        log.warning("call_refused", method=method, caller=caller, reason=error.reason)


async def refuse(method: str, caller: str, context: grpc.aio.ServicerContext, error: Exception) -> NoReturn:
    """Ends a call with the status of what was raised."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, FilingnetError):
        _log_refusal(method, caller or context.peer(), error)
        _let_go(error)
        await context.abort_with_status(status_of(error))
        raise AssertionError("abort returned")
    await _abort_with_incident(method, caller or context.peer(), context, error)


def _let_go(error: BaseException | None) -> None:
    """Forgets the frames of an error and of what led to it, for they hold the request.

    gRPC keeps what ended a call in a cycle with the call, and a node looks for cycles seldom: thousands of refused
    requests would stay in memory until then.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


async def _abort_with_incident(
    method: str, caller: str, context: grpc.aio.ServicerContext, error: Exception
) -> NoReturn:
    incident = secrets.token_hex(4)
    log.error("call_failed", method=method, caller=caller, incident=incident, **describe_failure(error))
    _let_go(error)
    message = f"this node failed (incident {incident}): see its log"
    await context.abort_with_status(rich_status(grpc.StatusCode.INTERNAL, message, "INTERNAL"))
    raise AssertionError("abort returned")
