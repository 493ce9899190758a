"""The client sends an import in streams, keeps each until it was answered, and sends a broken one again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

import grpc
import pytest

from shared.channel import RemoteError
from shared.client import provider_import
from shared.client.provider_import import send_import
from shared.client.provider_types import ImportRow
from shared.pb.filingnet.provider.v1 import account_service_pb2
from shared.remote_errors import make_remote_error

IMPORT = "8d7c0000-0000-4000-8000-000000000001"


class Node:
    """What a node knows of an import: each row once. It breaks the first streams it is sent."""

    def __init__(self, breaks: int = 0, *, transient: bool = True) -> None:
        self.rows: set[int] = set()
        self.streams: list[list[int]] = []
        self._breaks = breaks
        self._transient = transient

    async def send(
        self, messages: Iterable[account_service_pb2.ImportAccountsRequest]
    ) -> account_service_pb2.ImportAccountsResponse:
        """Takes a stream; one that breaks has its rows stored and no answer."""
        sent = [row.row for message in messages for row in message.rows]
        fresh = set(sent) - self.rows
        self.rows |= fresh
        self.streams.append(sent)
        if len(self.streams) <= self._breaks:
            raise make_remote_error(grpc.StatusCode.UNAVAILABLE, "away", "PEER_UNREACHABLE", transient=self._transient)
        return account_service_pb2.ImportAccountsResponse(
            imported=len(fresh), already_imported=len(sent) - len(fresh), resume_row=max(self.rows, default=0)
        )


def rows(count: int) -> list[ImportRow]:
    """Rows with rising numbers."""
    reviewed = datetime(2026, 1, 5, tzinfo=UTC)
    return [ImportRow(number, bytes(16), "样例", "lifestyle", reviewed) for number in range(1, count + 1)]


async def several(count: int) -> AsyncIterator[ImportRow]:
    """The same, one after the other."""
    for row in rows(count):
        yield row


async def test_rows_go_in_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows there are, memory holds one stream; progress is told by row numbers."""
    monkeypatch.setattr(provider_import, "ROWS_IN_STREAM", 4)
    monkeypatch.setattr(provider_import, "ROWS_IN_MESSAGE", 3)
    node, told = Node(), list[int]()
    result = await send_import(IMPORT, several(10), node.send, 1.0, told.append)
    assert [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]] == node.streams
    assert ([4, 8, 10], 10, 0, 10) == (told, result.imported, result.already_imported, result.resume_row)


async def test_broken_stream_is_sent_again() -> None:
    """A stream that broke after its rows were stored is sent again, and what was stored counts as such."""
    node = Node(breaks=1)
    result = await send_import(IMPORT, rows(5), node.send, 30.0, None)
    assert (2, 0, 5, {1, 2, 3, 4, 5}) == (len(node.streams), result.imported, result.already_imported, node.rows)


async def test_refusal_is_not_tried_again() -> None:
    """What does not pass by itself is told at once."""
    node = Node(breaks=9, transient=False)
    with pytest.raises(RemoteError):
        await send_import(IMPORT, rows(1), node.send, 30.0, None)
    assert 1 == len(node.streams)


async def test_import_without_rows_asks_how_far_it_is() -> None:
    """An empty import has an answer too, so that a caller can ask where to go on."""
    node = Node()
    node.rows = {1, 2, 3}
    result = await send_import(IMPORT, [], node.send, 1.0, None)
    assert (3, [[]]) == (result.resume_row, node.streams)
