"""Sending an import: in streams of some thousand rows, each kept until the node has said what became of it.

A stream that breaks is sent again; the node knows which of its rows are in, so that each goes in once. Memory holds one
stream's rows, however long the import is.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from shared.channel import RemoteError
from shared.client.provider_mapping import import_failure_from_wire, import_row_to_wire
from shared.client.provider_types import ImportResult, ImportRow
from shared.pb.filingnet.provider.v1 import account_service_pb2

ROWS_IN_MESSAGE: Final = 500
ROWS_IN_STREAM: Final = 10_000
FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 10.0

Send = Callable[
    [Iterable[account_service_pb2.ImportAccountsRequest]], Awaitable[account_service_pb2.ImportAccountsResponse]
]


async def send_import(
    import_id: str,
    rows: AsyncIterable[ImportRow] | Iterable[ImportRow],
    send: Send,
    patience_seconds: float,
    on_progress: Callable[[int], None] | None,
) -> ImportResult:
    """Sends all rows of an import.

    Args:
        import_id: names the import.
        rows: with rising numbers.
        send: opens a stream, sends its messages and returns the answer; raises RemoteError.
        patience_seconds: how long a stream that breaks is tried again.
        on_progress: told the number of the last row that was dealt with, after each stream.

    Returns:
        What the import came to.

    Raises:
        RemoteError: the node refused the import, or was away for longer than patience_seconds.
    """
    imported = already_imported = 0
    async for stream in _streams(rows):
        answer = await _send_until_answered(import_id, stream, send, patience_seconds)
        imported += answer.imported
        already_imported += answer.already_imported
        if on_progress is not None and stream:
            on_progress(stream[-1].number)
    return ImportResult(
        import_id=import_id,
        imported=imported,
        already_imported=already_imported,
        failed=answer.failed,
        failures=tuple(import_failure_from_wire(failure) for failure in answer.failures),
        resume_row=answer.resume_row,
    )


async def _send_until_answered(
    import_id: str, stream: Sequence[ImportRow], send: Send, patience_seconds: float
) -> account_service_pb2.ImportAccountsResponse:
    async def attempt() -> account_service_pb2.ImportAccountsResponse:
        return await send(_messages(import_id, stream))

    retrying = AsyncRetrying(
        wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
        stop=stop_after_delay(patience_seconds),
        retry=retry_if_exception(lambda error: isinstance(error, RemoteError) and error.transient),
        reraise=True,
    )
    return await retrying(attempt)


def _messages(import_id: str, stream: Sequence[ImportRow]) -> Iterable[account_service_pb2.ImportAccountsRequest]:
    for start in range(0, max(len(stream), 1), ROWS_IN_MESSAGE):
        rows = stream[start : start + ROWS_IN_MESSAGE]
        yield account_service_pb2.ImportAccountsRequest(
            import_id=import_id, rows=[import_row_to_wire(row) for row in rows]
        )


async def _streams(rows: AsyncIterable[ImportRow] | Iterable[ImportRow]) -> AsyncIterator[list[ImportRow]]:
    stream: list[ImportRow] = []
    sent = False
    async for row in _each(rows):
        stream.append(row)
        if len(stream) == ROWS_IN_STREAM:
            yield stream
            stream, sent = [], True
    # An import without rows is sent as well: its answer tells how far it is.
    if stream or not sent:
        yield stream


async def _each(rows: AsyncIterable[ImportRow] | Iterable[ImportRow]) -> AsyncIterator[ImportRow]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
        return
    for row in rows:
        yield row
