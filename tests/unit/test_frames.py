"""What was cut into frames is put together again, whatever the cuts: else a search of a connection proves nothing."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cluster.frames import PREFACE, put_together

NAME = "样例公开账号甲".encode()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame as RFC 9113, 4.1 lays it out."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def message(content: bytes, *, compressed: bool = False) -> bytes:
    """A message as gRPC frames it."""
    return bytes((compressed,)) + len(content).to_bytes(4) + content


def data_frames(body: bytes, stream: int, cuts: list[int], padding: int) -> Iterator[bytes]:
    places = [0, *sorted({cut % (len(body) + 1) for cut in cuts}), len(body)]
    for start, end in itertools.pairwise(places):
        payload = body[start:end]
        if padding:
            yield frame(0, 0x8, stream, bytes((padding,)) + payload + bytes(padding))
        else:
            yield frame(0, 0, stream, payload)


@given(st.lists(st.integers(0, 99), max_size=6), st.lists(st.integers(0, 99), max_size=6), st.integers(0, 255))
def test_messages_come_out_whole_wherever_they_were_cut(cuts: list[int], others: list[int], padding: int) -> None:
    """Two calls in turns, padded or not: each has its own messages, in order."""
    one = list(data_frames(message(b"before") + message(NAME + b"\x01after"), 1, cuts, padding))
    two = list(data_frames(message(b"of another call" * 3), 3, others, 0))
    turns = [each for pair in zip(one, two, strict=False) for each in pair]
    turns += one[len(two) :] + two[len(one) :]
    carried = put_together(PREFACE + frame(4, 0, 0, b"") + b"".join(turns))
    assert {b"before", NAME + b"\x01after", b"of another call" * 3} == set(carried.messages)
    assert carried.raw == carried.readings[0]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_compressed_messages_are_unpacked(pack: Callable[[bytes], bytes]) -> None:
    """Both ways in which gRPC compresses."""
    carried = put_together(frame(0, 0, 1, message(pack(NAME * 3), compressed=True)))
    assert NAME not in carried.raw
    assert (NAME * 3,) == carried.messages


def test_header_blocks_are_joined_without_what_stands_before_them() -> None:
    """Priority and padding are no part of a header block; a continuation is."""
    headers = frame(1, 0x28, 1, b"\x02" + bytes(5) + b":pa" + bytes(2)) + frame(9, 0x4, 1, b"th")
    assert (b":path",) == put_together(headers).headers
    assert (b":path",) == put_together(frame(5, 0x4, 1, bytes(4) + b":path")).headers


def test_what_a_cut_connection_carried_is_read_as_far_as_it_came() -> None:
    """The last frame and the last message may be unfinished."""
    whole = frame(0, 0, 1, message(NAME + b"tail"))
    for end in range(len(whole) + 1):
        got = put_together(whole[:end]).messages
        assert (NAME + b"tail").startswith(got[0] if got else b"")
    assert NAME in put_together(whole[:-2]).messages[0]


@pytest.mark.parametrize(
    "raw", [frame(0, 0x8, 1, b"\x05abc"), frame(0, 0x8, 1, b""), frame(0, 0, 1, message(b"no zlib", compressed=True))]
)
def test_what_cannot_be_read_is_never_passed_over(raw: bytes) -> None:
    """A reader that skipped what it does not understand would find nobody there."""
    with pytest.raises(ValueError, match=r"padded|unpack"):
        put_together(raw)
