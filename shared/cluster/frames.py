"""Puts together again what HTTP/2 cut into frames, so that a search of a connection misses nothing that lies across two.

HTTP/2 (RFC 9113) sends the calls of one connection in turns, each in DATA frames of any length; gRPC puts its messages
into these, each after a byte that says whether it is compressed and four that say how long it is. A name of six
characters can therefore begin in one frame and end in another, with a frame of another call between them.

Header blocks are put together as well and not unpacked: gRPC writes texts in them as they are (RFC 7541, without
Huffman's code), which the test of a tap holds it to.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What who connects sends first (RFC 9113, 3.4)."""

_FRAME_HEADER_BYTES: Final = 9
_DATA, _HEADERS, _PUSH_PROMISE, _CONTINUATION = 0x0, 0x1, 0x5, 0x9
_PADDED: Final = 0x8
_WITH_PRIORITY: Final = 0x20
_PRIORITY_BYTES: Final = 5
_PROMISED_BYTES: Final = 4

_MESSAGE_HEADER_BYTES: Final = 5
_ANY_ZLIB: Final = zlib.MAX_WBITS | 32
"""Takes gzip and deflate, the two that gRPC compresses with, by their own beginnings."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What one direction of one connection carried.

    Attributes:
        raw: every byte, in the order in which they passed.
        headers: the header blocks of each call, one after the other.
        bodies: what the DATA frames of each call carried.
        messages: gRPC's messages, uncompressed; the last one of a call that broke off is as far as it came.
    """

    raw: bytes
    headers: tuple[bytes, ...]
    bodies: tuple[bytes, ...]
    messages: tuple[bytes, ...]

    @property
    def readings(self) -> tuple[bytes, ...]:
        """Everything that passed, in every form that can be searched."""
        return self.raw, *self.headers, *self.bodies, *self.messages


def put_together(raw: bytes) -> Carried:
    """Reads one direction of one connection.

    Args:
        raw: every byte of it from the first on; it may end anywhere.

    Returns:
        What it carried.

    Raises:
        ValueError: a frame does not hold what its kind says, or a compressed message does not unpack.
    """
    headers: defaultdict[int, bytearray] = defaultdict(bytearray)
    bodies: defaultdict[int, bytearray] = defaultdict(bytearray)
    for kind, flags, stream, payload in _frames(raw):
        if kind == _DATA:
            bodies[stream] += _content(payload, flags, 0)
        elif kind == _HEADERS:
            headers[stream] += _content(payload, flags, _PRIORITY_BYTES if flags & _WITH_PRIORITY else 0)
        elif kind == _PUSH_PROMISE:
            headers[stream] += _content(payload, flags, _PROMISED_BYTES)
        elif kind == _CONTINUATION:
            headers[stream] += payload
    messages = [message for body in bodies.values() for message in _messages(bytes(body))]
    return Carried(raw, tuple(map(bytes, headers.values())), tuple(map(bytes, bodies.values())), tuple(messages))


def _frames(raw: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    place = len(PREFACE) if raw.startswith(PREFACE) else 0
    while place + _FRAME_HEADER_BYTES <= len(raw):
        length = int.from_bytes(raw[place : place + 3])
        kind, flags = raw[place + 3], raw[place + 4]
        stream = int.from_bytes(raw[place + 5 : place + _FRAME_HEADER_BYTES]) & 0x7FFFFFFF
        place += _FRAME_HEADER_BYTES
        # The last frame of a connection that was cut is as long as it is.
        yield kind, flags, stream, raw[place : place + length]
        place += length


def _content(payload: bytes, flags: int, before: int) -> bytes:
    """Takes padding and what stands before the content off a frame's payload."""
    if not flags & _PADDED:
        return payload[before:]
    if not payload or payload[0] >= len(payload):
        raise ValueError("A frame is padded with more than it holds.")
    return payload[1 + before : len(payload) - payload[0]]


def _messages(body: bytes) -> Iterator[bytes]:
    place = 0
    while place + _MESSAGE_HEADER_BYTES <= len(body):
        compressed = body[place]
        length = int.from_bytes(body[place + 1 : place + _MESSAGE_HEADER_BYTES])
        place += _MESSAGE_HEADER_BYTES
        message = body[place : place + length]
        place += length
        yield _unpacked(message) if compressed else message


def _unpacked(message: bytes) -> bytes:
    try:
        return zlib.decompressobj(_ANY_ZLIB).decompress(message)
    except zlib.error as error:
        raise ValueError("A message says that it is compressed, and does not unpack.") from error
