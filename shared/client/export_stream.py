"""An export as its reader sees it: page after page, taken up again by itself where the connection broke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from shared.channel import RemoteError, translated_stream
from shared.client.officer_mapping import filings_from_wire
from shared.client.officer_types import ExportPage
from shared.pb.filingnet.regulator.v1 import filing_service_pb2

PATIENCE_SECONDS: Final = 120.0
"""How long an export waits for a node that is away before it gives up."""

STREAM_SECONDS: Final = 900.0
"""Deadline of one stream; a longer export is taken up again."""

FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 10.0


class ExportStream:
    """Reads one export to its end.

    Args:
        method: the stub's ExportFilings.
        request: what to export; its cursor goes on with each page.
        patience_seconds: how long to wait for a node that is away.
    """

    def __init__(self, method: Any, request: filing_service_pb2.ExportFilingsRequest, patience_seconds: float) -> None:
        self._method = method
        self._request = request
        self._call: Any = None
        self._pages: AsyncIterator[Any] | None = None
        self._retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
            stop=stop_after_delay(patience_seconds),
            retry=retry_if_exception(lambda error: isinstance(error, RemoteError) and error.transient),
            reraise=True,
        )

    async def pages(self) -> AsyncIterator[ExportPage]:
        """Iterates over the pages that are left.

        Raises:
            RemoteError: the node refused, or was away for longer than one waits.
        """
        try:
            while True:
                page: Any = await self._retrying.copy()(self._next)
                if page is None:
                    return
                yield ExportPage(filings_from_wire(page.filings), page.cursor)
        finally:
            # Whoever stops reading must not leave a stream behind that the node goes on with.
            self._break_off()

    async def _next(self) -> Any:
        if self._pages is None:
            self._call = self._method(self._request, timeout=STREAM_SECONDS)
            self._pages = translated_stream(self._call)
        try:
            page = await anext(self._pages)
        except StopAsyncIteration:
            return None
        except BaseException:
            self._break_off()
            raise
        self._request.cursor = page.cursor
        return page

    def _break_off(self) -> None:
        if self._call is not None:
            self._call.cancel()
        self._call = self._pages = None
