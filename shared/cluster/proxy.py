"""A small TCP proxy that nodes are connected through, so that a test can break the network between any two of them.

Each node has a proxy of its own for what it calls out to, and names the destination with HTTP CONNECT (RFC 9110,
9.3.6), which gRPC does by itself when the environment says `grpc_proxy`. So each pair of nodes has its own link and
can be parted while every other pair still talks, and TLS goes through untouched from end to end. A proxy with a fixed
target forwards plain connections instead, for peers that know nothing of proxies.

Nothing is lost by a link that stalls: bytes wait in the sockets, and flow on when it heals.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_CHUNK_BYTES: Final = 65536
_REQUEST_LIMIT_BYTES: Final = 16384
_QUEUED_CHUNKS: Final = 64
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_BAD_GATEWAY: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Way:
    """One direction of a link.

    Attributes:
        bytes_carried: how many bytes went through since the start.
        captured: what went through since capturing began; None while it is not captured.
        flowing: set while bytes may pass.
        reset_after_bytes: how many further bytes may pass before every connection is reset; None for no end.
    """

    bytes_carried: int = 0
    captured: bytearray | None = None
    flowing: asyncio.Event = field(default_factory=_set_event)
    reset_after_bytes: int | None = None


class _Connection:
    """One connection under way: both of its ends, and whether its bytes pass."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.peer: asyncio.StreamWriter | None = None
        self.flowing = _set_event()


class Link:
    """What one node's connections to another go through, and what is done to them.

    Every method takes effect at once, on connections that are open as well. To be called on the proxy's event loop.

    Args:
        name: for people, e.g. "provider/wave → regulator/330000".
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.out = Way()
        """From the node that connects."""
        self.back = Way()
        """To the node that connects."""
        self.delay_seconds = 0.0
        self.connections = 0
        """How many connections were made through it, from the start."""
        self._cut = False
        self._diverted_to = ""
        # In the order in which they were made.
        self._open: dict[_Connection, None] = {}

    @property
    def bytes_carried(self) -> int:
        """Bytes of both directions."""
        return self.out.bytes_carried + self.back.bytes_carried

    def heal(self) -> None:
        """Lets everything pass again, at once and to the end."""
        self._cut = False
        self.delay_seconds = 0.0
        for way in (self.out, self.back):
            way.reset_after_bytes = None
            way.flowing.set()

    def cut(self) -> None:
        """Resets what is open and refuses what is new, as when the peer's machine is off."""
        self._cut = True
        self.reset()

    def stall(self) -> None:
        """Accepts connections and never answers: bytes wait in both directions."""
        self.out.flowing.clear()
        self.back.flowing.clear()

    def stall_back(self) -> None:
        """Lets the caller's bytes through and holds the answers back."""
        self.back.flowing.clear()

    def stall_out(self) -> None:
        """Holds the caller's bytes back and lets the peer's through."""
        self.out.flowing.clear()

    def delay(self, seconds: float) -> None:
        """Lets bytes arrive later, in order, each direction by itself."""
        self.delay_seconds = seconds

    def reset_after(self, out_bytes: int | None = None, back_bytes: int | None = None) -> None:
        """Resets every connection once so many further bytes went through in a direction; then all passes again."""
        self.out.reset_after_bytes = out_bytes
        self.back.reset_after_bytes = back_bytes

    def reset(self) -> None:
        """Resets every open connection. New ones are not concerned."""
        for connection in list(self._open):
            for writer in (connection.writer, connection.peer):
                if writer is not None:
                    _abort(writer)

    def strand(self) -> None:
        """Leaves what is open on its way: its bytes pass no more, both ends are told nothing, and new connections pass."""
        for connection in self._open:
            connection.flowing.clear()

    def abandon(self) -> None:
        """Leaves every open connection half-open: the peer's end is gone, and its caller is told nothing, ever."""
        self.strand()
        for connection in self._open:
            if connection.peer is not None:
                _abort(connection.peer)

    def arrive(self) -> None:
        """Lets what was stranded arrive after all, that of the newest connection first."""
        for connection in reversed(self._open):
            connection.flowing.set()

    def divert(self, address: str) -> None:
        """Carries connections to another address from now on, open ones made anew.

        Args:
            address: host:port, of a tap or of another process of the same node; empty for the peer's own.
        """
        self._diverted_to = address
        self.reset()

    def capture(self) -> None:
        """Keeps a copy of what passes from now on, in `out.captured` and `back.captured`."""
        self.out.captured = bytearray()
        self.back.captured = bytearray()

    async def carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str, answer: bytes = b""
    ) -> None:
        """Carries one connection until either side ends it or it is reset.

        Args:
            reader: what the node that connected sends.
            writer: where it is answered.
            target: host:port of the peer.
            answer: what to tell the node before the peer's own bytes.
        """
        self.connections += 1
        connection = _Connection(writer)
        self._open[connection] = None
        try:
            if self._cut:
                raise ConnectionResetError
            await self.back.flowing.wait()
            peer_reader, connection.peer = await _connect(self._diverted_to or target)
            writer.write(answer)
            await self._pump_both(connection, reader, peer_reader, connection.peer)
        except OSError:
            _abort(writer)
        finally:
            del self._open[connection]
            for each in (writer, connection.peer):
                if each is not None:
                    each.close()

    async def _pump_both(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        peer_reader: asyncio.StreamReader,
        peer: asyncio.StreamWriter,
    ) -> None:
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(self._pump(self.out, connection.flowing, reader, peer))
            pumps.create_task(self._pump(self.back, connection.flowing, peer_reader, connection.writer))

    async def _pump(
        self, way: Way, flowing: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Two halves, so that a delay holds bytes back without holding up those behind them.
        chunks: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue(_QUEUED_CHUNKS)
        reading = asyncio.create_task(self._read(reader, chunks))
        clock = asyncio.get_running_loop().time
        try:
            while True:
                due, chunk = await chunks.get()
                if due > clock():
                    await asyncio.sleep(due - clock())
                await way.flowing.wait()
                await flowing.wait()
                if chunk is None:
                    raise ConnectionResetError
                if not chunk:
                    writer.write_eof()
                    return
                await self._forward(way, chunk, writer)
        except OSError:
            # One end is gone: the other is told by a reset, as it would be without a proxy.
            _abort(writer)
        finally:
            reading.cancel()

    async def _read(self, reader: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes | None]]) -> None:
        """Queues what comes with the time it is due; then b"" for an orderly end or None for a reset."""
        clock = asyncio.get_running_loop().time
        chunk: bytes | None = None
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                await chunks.put((clock() + self.delay_seconds, chunk))
        except OSError:
            chunk = None
        await chunks.put((clock() + self.delay_seconds, chunk))

    async def _forward(self, way: Way, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        left = way.reset_after_bytes
        passed = chunk if left is None else chunk[:left]
        way.bytes_carried += len(passed)
        if way.captured is not None:
            way.captured += passed
        writer.write(passed)
        await writer.drain()
        if left is None:
            return
        way.reset_after_bytes = left - len(passed)
        if not way.reset_after_bytes:
            way.reset_after_bytes = None
            self.reset()
            raise ConnectionResetError


Route = Callable[[str], tuple[Link, str]]
"""Gives the link for a destination, and the host:port where it really is; it need not be a name that resolves."""


class Proxy:
    """Listens on a port of the loopback interface and carries connections over links.

    Args:
        route: finds the link and the real place of a destination.
        target: where every connection goes; empty to be told by HTTP CONNECT.
    """

    def __init__(self, route: Route, target: str = "") -> None:
        self._route = route
        self._target = target
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self.address = ""
        """host:port it listens on, once started."""

    async def start(self) -> str:
        """Listens on a free port and returns its address."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_REQUEST_LIMIT_BYTES * 4)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        return self.address

    async def close(self) -> None:
        """Ends every connection and listens no more."""
        if self._server is not None:
            self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
        target, answer = self._target, b""
        if not target:
            target, answer = await _requested_target(reader), _ESTABLISHED
        if not target:
            writer.write(_BAD_GATEWAY)
            writer.close()
            return
        link, address = self._route(target)
        # Cancelled when the proxy closes; Python 3.11 would call that an error of the connection.
        with contextlib.suppress(asyncio.CancelledError):
            await link.carry(reader, writer, address, answer)


async def _requested_target(reader: asyncio.StreamReader) -> str:
    """Returns host:port of a CONNECT request, empty where it is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return ""
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) != 3 or parts[0] != b"CONNECT":
        return ""
    host, _, port = parts[1].decode("ascii", "replace").rpartition(":")
    return f"{host}:{port}" if host and port.isascii() and port.isdigit() else ""


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


def _abort(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a reset instead of an orderly end."""
    handle = writer.get_extra_info("socket")
    if handle is not None:
        with contextlib.suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
