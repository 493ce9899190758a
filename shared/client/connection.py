"""A client's channel to a node: opened at the first call, so that a client can be made anywhere, and closed with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self, TypeVar

import grpc

from shared.channel import translated

Answer = TypeVar("Answer")


class Connection:
    """Calls one node; for use on one event loop.

    Args:
        open_channel: opens the channel.
        timeout_seconds: deadline of a call with one answer.
    """

    def __init__(self, open_channel: Callable[[], grpc.aio.Channel], timeout_seconds: float) -> None:
        self._open_channel = open_channel
        self._timeout = timeout_seconds
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[type, Any] = {}

    def stub(self, stub_class: type) -> Any:
        """Returns a stub, good until the connection is closed.

        Args:
            stub_class: generated, e.g. `AccountServiceStub`.
        """
        if self._channel is None:
            self._channel = self._open_channel()
        if stub_class not in self._stubs:
            self._stubs[stub_class] = stub_class(self._channel)
        return self._stubs[stub_class]

    async def call(self, method: Callable[..., Awaitable[Answer]], request: object) -> Answer:
        """Makes a call with one answer.

        Raises:
            RemoteError: it failed; of the kind that the node raised.
        """
        return await translated(method(request, timeout=self._timeout))

    async def pages(self, method: Callable[..., Awaitable[Any]], request: Any) -> AsyncIterator[Any]:
        """Iterates over the pages of a list.

        Args:
            method: answers with next_page_token.
            request: for the first page; its page_token is set for the following ones.
        """
        while True:
            page = await self.call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        channel, self._channel = self._channel, None
        self._stubs = {}
        if channel is not None:
            await channel.close()


class Client:
    """A client of one node: closed by `close`, or used as a context manager.

    Args:
        connection: to the node.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> Self:
        """Returns the client."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Closes the client."""
        await self.close()

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        await self._connection.close()
