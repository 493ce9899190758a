"""HTTP/2 by hand over real TLS (RFC 9113), for what no well-behaved gRPC client does: half requests, lies and silence."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

from shared.cluster.nodes import RegulatorNode
from shared.trust.credentials import CA_FILE, IDENTITY_FILE

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY, WINDOW_UPDATE, PING = 0, 1, 3, 4, 7, 8, 6
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
CANCEL: Final = struct.pack(">I", 8)
LOOPBACK: Final = "127.0.0.1"
FIRST_WINDOW: Final = 65_535
FRAME_BYTES: Final = 16_384
LARGEST_CLAIM: Final = b"\0\xff\xff\xff\xff"
"""How a gRPC message begins of which the sender says that it has 4 GiB."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Makes one frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _field(name: str, value: str) -> bytes:
    # RFC 7541, 6.2.2: a literal that is not indexed; every length here is below 127.
    return b"\0" + b"".join(bytes([len(text)]) + text.encode("ascii") for text in (name, value))


def request_headers(path: str, **more: str) -> bytes:
    """Makes the header block of a gRPC call."""
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "filingnet", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    fields.update({name.replace("_", "-"): value for name, value in more.items()})
    return b"".join(_field(name, value) for name, value in fields.items())


def message(payload: bytes, *, compressed: bool = False) -> bytes:
    """Frames one gRPC message."""
    return bytes([compressed]) + struct.pack(">I", len(payload)) + payload


class RawConnection:
    """One connection; sends what it is told to, within the windows that the peer gives, and notes what ended.

    Attributes:
        answered: streams on which the peer sent a message.
        ended: streams that the peer ended, by an answer or by a reset.
        closed: set once the peer closed the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._window = FIRST_WINDOW
        self._first_window = FIRST_WINDOW
        self._windows: dict[int, int] = {}
        self._changed = asyncio.Condition()
        self.answered: set[int] = set()
        self.ended: set[int] = set()
        self.closed = asyncio.Event()
        self.last_stream = -1

    @classmethod
    async def open(cls, address: str, context: ssl.SSLContext, host: str, source: str) -> Self:
        """Connects from an address of this machine, by TLS and without a word of HTTP/2."""
        place, _, port = address.rpartition(":")
        return cls(
            *await asyncio.open_connection(place, int(port), ssl=context, server_hostname=host, local_addr=(source, 0))
        )

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def begin(self) -> None:
        """Sends what an HTTP/2 connection begins with."""
        await self.send(PREFACE + frame(SETTINGS, 0, 0))

    async def call(self, path: str, **more: str) -> int:
        """Begins a call and returns its stream."""
        self.last_stream += 2
        self._windows[self.last_stream] = self._first_window
        await self.send(frame(HEADERS, END_HEADERS, self.last_stream, request_headers(path, **more)))
        return self.last_stream

    async def reset(self, stream: int) -> None:
        """Gives a call up."""
        await self.send(frame(RESET, 0, stream, CANCEL))

    async def say(self, stream: int, data: bytes, *, end: bool = False) -> int:
        """Sends data on a stream, as fast as the peer lets it; returns how much was sent before the stream ended."""
        sent = 0
        while sent < len(data) and stream not in self.ended and not self.closed.is_set():
            async with self._changed:
                while not (size := min(self._window, self._windows[stream], FRAME_BYTES, len(data) - sent)):
                    if stream in self.ended or self.closed.is_set():
                        return sent
                    await self._changed.wait()
                self._window -= size
                self._windows[stream] -= size
            last = END_STREAM if end and sent + size == len(data) else 0
            with contextlib.suppress(OSError):
                await self.send(frame(DATA, last, stream, data[sent : sent + size]))
            sent += size
        return sent

    async def wait_until_ended(self, streams: int) -> None:
        """Waits until the peer ended so many streams, or the connection."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.closed.is_set() or len(self.ended) >= streams)

    async def listen(self) -> None:
        """Takes in what the peer says, until it closes the connection."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                async with self._changed:
                    await self._take(head[3], head[4], int.from_bytes(head[5:9], "big"), payload)
                    self._changed.notify_all()
        except (OSError, asyncio.IncompleteReadError):
            self.closed.set()
            async with self._changed:
                self._changed.notify_all()

    async def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for place in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[place : place + 6])
                if name == 4:
                    self._windows = {each: left + value - self._first_window for each, left in self._windows.items()}
                    self._first_window = value
            await self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            await self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">I", payload)
            if stream:
                self._windows[stream] = self._windows.get(stream, 0) + more
            else:
                self._window += more
        elif kind == DATA and payload:
            self.answered.add(stream)
        if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self.ended.add(stream)

    def abort(self) -> None:
        """Ends the connection at once."""
        self._writer.transport.abort()


def tls_context(ca_file: Path, identity_file: Path | None = None) -> ssl.SSLContext:
    """Makes the TLS of somebody with a node's certificate, or with none."""
    context = ssl.create_default_context(cafile=ca_file)
    if identity_file is not None:
        context.load_cert_chain(identity_file)
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def raw_connection(
    regulator: RegulatorNode, caller: Path | None = None, *, source: str = LOOPBACK
) -> AsyncIterator[RawConnection]:
    """A connection to a regulator's network listener as a node, or to its public one as a stranger.

    Args:
        regulator: who listens.
        caller: data folder of the node that calls; None for a stranger.
        source: address that it comes from; every one of 127.0.0.0/8 is this machine.
    """
    folder = regulator.folder / "tls"
    context = tls_context(folder / CA_FILE, caller / "tls" / IDENTITY_FILE if caller is not None else None)
    address = regulator.network_address if caller is not None else regulator.public_address
    connection = await RawConnection.open(address, context, regulator.tls_name, source)
    listening = asyncio.create_task(connection.listen())
    try:
        await connection.begin()
        yield connection
    finally:
        connection.abort()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
