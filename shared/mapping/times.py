"""Reads times off the wire the way the rules count them: in microseconds since the epoch, UTC."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp


def micros_of(time: Timestamp) -> int:
    """Returns a time in microseconds; what is finer is cut off, and an unset one is 0."""
    return time.seconds * 1_000_000 + time.nanos // 1000
