"""What a peer answered when it did not do what was asked, as an error of our own catalogue.

The kind is the one the peer raised, so that callers handle a remote refusal like a local one. `transient` says whether
the same call may succeed later by itself: it decides between trying on and telling a person. What the peer sent is
anybody's text: it is bounded, made printable, and never believed to be well-formed.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Sequence
from typing import Final, TypeVar

import grpc

from shared.errors import (
    FailedPrecondition,
    FilingnetError,
    Internal,
    InvalidInput,
    Unavailable,
    Violation,
)
from shared.status import STATUS_BY_ERROR, one_line, read_details

Answer = TypeVar("Answer")

UNREACHABLE: Final = "PEER_UNREACHABLE"
"""Reason where no node answered: it is down, the network is cut, or the handshake failed."""

_TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
"""Codes that may pass by themselves, whoever gave them."""

_TRANSIENT_WITHOUT_DETAILS: Final = frozenset(
    {grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL}
)
"""Codes that a node of this network always explains: bare, they come of a broken connection or of something between."""

_OTHER_KINDS: Final[dict[grpc.StatusCode, type[FilingnetError]]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.UNIMPLEMENTED: FailedPrecondition,
}
"""Kinds for the codes that the catalogue itself never gives; what is missing here is Internal."""

_MENDS: Final = {
    grpc.StatusCode.UNAVAILABLE: "the node does not answer: see that it runs and that its address is right",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the node did not answer in time: try again later",
    grpc.StatusCode.CANCELLED: "the node broke the call off: try again",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "the node is at a limit: try again later, or send less at once",
    grpc.StatusCode.UNIMPLEMENTED: "the node does not know this call: bring its software up to date",
}


_ANOTHERS_NAME: Final = "Hostname Verification Check failed"
"""What gRPC says where the certificate is not that of the node that was asked for."""


class RemoteError(FilingnetError):
    """A call to another node failed; always an instance of one of the catalogue's kinds too.

    Attributes:
        code: the status code.
        transient: whether the same call may succeed later by itself.
    """

    def __init__(
        self,
        message: str,
        reason: str,
        violations: Sequence[Violation] = (),
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
        transient: bool = True,
    ) -> None:
        super().__init__(message, reason, violations)
        self.code = code
        self.transient = transient


_REMOTE_KINDS: Final[dict[type[FilingnetError], type[RemoteError]]] = {
    kind: type(f"Remote{kind.__name__}", (RemoteError, kind), {"__doc__": f"{kind.__name__}, told by another node."})
    for kind in STATUS_BY_ERROR
}
_KINDS: Final = {code: kind for kind, code in STATUS_BY_ERROR.items()} | _OTHER_KINDS


def make_remote_error(
    code: grpc.StatusCode, message: str, reason: str, violations: Sequence[Violation] = (), *, transient: bool
) -> RemoteError:
    """Makes the error of the right kind for a status code."""
    kind = _REMOTE_KINDS[_KINDS.get(code, Internal)]
    return kind(message, reason, violations, code=code, transient=transient)


def remote_error(error: grpc.aio.AioRpcError) -> RemoteError:
    """Returns the error that a failed call stands for; it never fails itself.

    Args:
        error: as gRPC raised it.
    """
    code = error.code()
    details = read_details(error.trailing_metadata())
    if details is not None:
        return make_remote_error(
            code, details.message, details.reason, details.violations, transient=code in _TRANSIENT
        )
    told = one_line(error.details() or "", 200)
    if _ANOTHERS_NAME in (error.details() or ""):
        # What gRPC says of it is long and names neither the mistake nor the mend.
        mend = "another node answers at this address: say whose it is (--node regulator/330000), or correct the address"
        return make_remote_error(code, mend, UNREACHABLE, transient=True)
    mend = _MENDS.get(code, "the node answered with an error and no reason: see its log")
    return make_remote_error(
        code,
        f"{mend} ({told})" if told else mend,
        UNREACHABLE if code is grpc.StatusCode.UNAVAILABLE else code.name,
        transient=code in _TRANSIENT or code in _TRANSIENT_WITHOUT_DETAILS,
    )


async def translated(call: Awaitable[Answer]) -> Answer:
    """Awaits a call and returns its answer.

    Raises:
        RemoteError: it failed; of the kind that the node raised.
    """
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise remote_error(error) from None


async def translated_stream(stream: AsyncIterable[Answer]) -> AsyncIterator[Answer]:
    """Iterates over a stream of answers.

    Raises:
        RemoteError: it failed; of the kind that the node raised.
    """
    try:
        async for answer in stream:
            yield answer
    except grpc.aio.AioRpcError as error:
        raise remote_error(error) from None
