"""One regulator as a node sees it: a channel that is replaced under way without breaking a call.

A TLS channel keeps the certificate it was made with. When the node's credentials were renewed, or the regulator moved,
the next call goes over a new channel; calls under way end on the old one, which is closed after the last of them. A
stream that would never end is ended after a grace, as if the peer were away for a moment, and is opened again by who
follows it. Stubs stay good for ever: they choose the channel at each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import grpc

from shared.event_engine import keep_event_engine
from shared.remote_errors import make_remote_error
from shared.status import rich_status
from shared.trust.credentials import Credentials
from shared.trust.names import tls_host
from shared.wire import channel_options

RETIRE_SECONDS: Final = 60.0
"""How long a stream may stay on a channel that was replaced."""

S = TypeVar("S")


class Peer:
    """Calls one node over mTLS; for use on one event loop.

    Args:
        name: the node's name, e.g. "regulator/330000"; its certificate must be that node's.
        endpoint: reads where it listens now, "host:port"; empty while that is not known.
        credentials: this node's own.
        retire_seconds: how long a stream may stay on a channel that was replaced.
    """

    def __init__(
        self,
        name: str,
        endpoint: Callable[[], str],
        credentials: Credentials,
        *,
        retire_seconds: float = RETIRE_SECONDS,
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._credentials = credentials
        self._retire_seconds = retire_seconds
        self._stubs: dict[type, Any] = {}
        self._line: _Line | None = None
        self._made_for: tuple[str, int] = ("", -1)
        self._retired: set[_Line] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def stub(self, stub_class: type[S]) -> S:
        """Returns a stub, good for as long as the peer is open.

        Args:
            stub_class: generated, e.g. `IntakeServiceStub`.
        """
        if stub_class not in self._stubs:
            self._stubs[stub_class] = stub_class(_Switchboard(self))  # type: ignore[call-arg]
        return self._stubs[stub_class]  # type: ignore[no-any-return]

    def line(self) -> _Line:
        """Returns the channel for a call that begins now.

        Raises:
            RemoteError: PEER_UNKNOWN, where the node listens is not known; transient.
        """
        wanted = (self._endpoint(), self._credentials.version)
        if self._line is None or wanted != self._made_for:
            if not wanted[0]:
                raise make_remote_error(
                    grpc.StatusCode.UNAVAILABLE,
                    f"where {self._name} listens is not in the directory yet: try again later",
                    "PEER_UNKNOWN",
                    transient=True,
                )
            self._retire()
            self._line = _Line(self._open(wanted[0]), self._idle)
            self._made_for = wanted
        return self._line

    async def close(self) -> None:
        """Closes the channels; calls under way are cancelled."""
        lines = [*self._retired, *([self._line] if self._line is not None else [])]
        self._line = None
        self._retired.clear()
        await asyncio.gather(*self._closing, *(line.channel.close() for line in lines))

    def _retire(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._retired.add(line)
            line.retire(self._retire_seconds)

    def _idle(self, line: _Line) -> None:
        """Closes a retired channel whose last call is done."""
        if line in self._retired:
            self._retired.discard(line)
            task = asyncio.get_running_loop().create_task(line.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _open(self, endpoint: str) -> grpc.aio.Channel:
        keep_event_engine()
        return grpc.aio.secure_channel(
            endpoint,
            self._credentials.channel_credentials(),
            options=channel_options(endpoint, target_name=tls_host(self._name)),
        )


class _Line:
    """One channel and the calls under way on it.

    Args:
        channel: the channel.
        on_idle: told whenever the last call under way is done.
    """

    def __init__(self, channel: grpc.aio.Channel, on_idle: Callable[[_Line], None]) -> None:
        self.channel = channel
        self._on_idle = on_idle
        self._methods: dict[str, Any] = {}
        self._calls: set[Any] = set()
        self._streams: set[_Stream] = set()

    def call(self, make: Callable[[grpc.aio.Channel], Any], method: str, endless: bool, args: Any, options: Any) -> Any:
        """Begins a call, counted until it is done."""
        multicallable = self._methods.get(method)
        if multicallable is None:
            multicallable = self._methods[method] = make(self.channel)
        call = multicallable(*args, **options)
        self._calls.add(call)
        call.add_done_callback(self._done)
        if not endless:
            return call
        stream = _Stream(call)
        self._streams.add(stream)
        call.add_done_callback(lambda _: self._streams.discard(stream))
        return stream

    def retire(self, seconds: float) -> None:
        """Takes no more calls; its streams are cut after so many seconds."""
        if self._calls:
            asyncio.get_running_loop().call_later(seconds, self._cut_streams)
        else:
            self._on_idle(self)

    def _cut_streams(self) -> None:
        for stream in list(self._streams):
            stream.cut()

    def _done(self, call: Any) -> None:
        self._calls.discard(call)
        if not self._calls:
            self._on_idle(self)


class _Stream:
    """A stream of answers that can be cut as if the peer had ended it.

    gRPC tells whoever reads a call that this process cancelled a CancelledError, as if the reader itself were to end.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._was_cut = False

    def cut(self) -> None:
        """Ends the stream; its reader gets UNAVAILABLE."""
        self._was_cut = True
        self._call.cancel()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the call's."""
        return getattr(self._call, name)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Iterates over the answers."""
        try:
            async for answer in self._call:
                yield answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._was_cut and not (task and task.cancelling()):
                raise _renewed() from None
            raise


class _Switchboard:
    """Stands in for a channel in the generated stubs: it chooses the channel at each call."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Callable[..., Any]:
        """Returns a callable for a method with one request and one answer."""
        return self._callable("unary_unary", method, args, options)

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Callable[..., Any]:
        """Returns a callable for a method with a stream of answers."""
        return self._callable("unary_stream", method, args, options)

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Callable[..., Any]:
        """Returns a callable for a method with a stream of requests."""
        return self._callable("stream_unary", method, args, options)

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Callable[..., Any]:
        """Returns a callable for a method with streams both ways."""
        return self._callable("stream_stream", method, args, options)

    def _callable(self, kind: str, method: str, made_with: Any, made_options: Any) -> Callable[..., Any]:
        endless = kind.endswith("_stream")

        def make(channel: grpc.aio.Channel) -> Any:
            return getattr(channel, kind)(method, *made_with, **made_options)

        def begin(*args: Any, **options: Any) -> Any:
            return self._peer.line().call(make, method, endless, args, options)

        return begin


def _renewed() -> grpc.aio.AioRpcError:
    status = rich_status(
        grpc.StatusCode.UNAVAILABLE, "the connection was renewed: open the stream again", "CONNECTION_RENEWED"
    )
    trailing = grpc.aio.Metadata(*status.trailing_metadata)
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailing, details=status.details)
