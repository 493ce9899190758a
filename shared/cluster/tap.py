"""Reads what two nodes say to one another in clear, so that a test can search it: what a proxy carries is TLS.

A tap answers the caller as the peer and calls the peer as the caller, with both nodes' own keys, which only whoever has
both data folders can do. Neither node notices: each sees the other's certificate. What passes is HTTP/2, in which
messages are as they were sent and headers may be packed.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.cluster.frames import Carried, put_together
from shared.trust.credentials import CA_FILE, IDENTITY_FILE

_CHUNK_BYTES: Final = 65536
_PROTOCOL: Final = ["h2"]
_FRAME_HEADER_BYTES: Final = 9
_GO_AWAY_HEAD: Final = b"\0\0\x08\x07\0" + bytes(4)
LAST_STREAM: Final = 2**31 - 1
"""Says that every call that was begun is looked at."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """One connection.

    Attributes:
        out: what the node that connects sent, in clear.
        back: what it was answered, in clear.
    """

    out: bytearray = field(default_factory=bytearray)
    back: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)
    """What to say to the node that connects, as soon as no frame is under way."""


class Tap:
    """A tap on one node's connections to another's network listener. All methods belong to one event loop.

    Args:
        caller: folder with the TLS credentials of the node that connects.
        peer: folder with those of the node that listens.
        peer_host: the name in the peer's certificate.
        address: host:port where the peer listens.
    """

    def __init__(self, caller: Path, peer: Path, peer_host: str, address: str) -> None:
        self._as_caller = _context(ssl.PROTOCOL_TLS_CLIENT, caller)
        self._as_peer = _context(ssl.PROTOCOL_TLS_SERVER, peer)
        self._as_peer.verify_mode = ssl.CERT_REQUIRED
        self._peer_host = peer_host
        self._address = address
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self.connections: list[Tapped] = []
        """Every connection that was made, in order."""

    def go_away(self, last_stream: int = LAST_STREAM) -> None:
        """Tells every node that is connected to go away, between two frames (RFC 9113, 6.8), as a server that ends does.

        Args:
            last_stream: the last call that is said to be looked at; those after it count as never begun.
        """
        for connection in self.connections:
            connection.said.extend(_GO_AWAY_HEAD + struct.pack(">II", last_stream, 0))

    def carried(self) -> list[Carried]:
        """Returns what each connection carried so far, each direction by itself, with its frames put together."""
        ways = [way for connection in self.connections for way in (connection.out, connection.back)]
        return [put_together(bytes(way)) for way in ways]

    async def start(self) -> str:
        """Listens on a free port of the loopback interface and returns its address."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._as_peer)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

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
        host, _, port = self._address.rpartition(":")
        peer: asyncio.StreamWriter | None = None
        try:
            peer_reader, peer = await asyncio.open_connection(
                host, int(port), ssl=self._as_caller, server_hostname=self._peer_host
            )
            self.connections.append(tapped := Tapped())
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, peer, tapped.out))
                pumps.create_task(_pump(peer_reader, writer, tapped.back, tapped.said))
        except* OSError:
            # One end is gone, or one of the two would not have the other; both are told by the end.
            pass
        finally:
            for each in (writer, peer):
                if each is not None:
                    each.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray, said: bytearray | None = None
) -> None:
    left, head = 0, b""
    while chunk := await reader.read(_CHUNK_BYTES):
        kept += chunk
        while chunk and said is not None:
            if not left and not head and said:
                writer.write(bytes(said))
                said.clear()
            if not left:
                missing = _FRAME_HEADER_BYTES - len(head)
                part, chunk = chunk[:missing], chunk[missing:]
                head += part
                if len(head) == _FRAME_HEADER_BYTES:
                    left, head = int.from_bytes(head[:3], "big"), b""
            else:
                part, chunk = chunk[:left], chunk[left:]
                left -= len(part)
            writer.write(part)
        writer.write(chunk)
        await writer.drain()
    # TLS has no half of a connection: whoever closes ends both ways.
    raise ConnectionResetError


def _context(protocol: ssl._SSLMethod, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(folder / IDENTITY_FILE)
    context.load_verify_locations(folder / CA_FILE)
    context.set_alpn_protocols(_PROTOCOL)
    return context
