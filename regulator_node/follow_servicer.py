"""Serves the streams that others follow: the log, directives, a region's filings, the nation's documents.

Each stream reads what is stored after the follower's cursor, sends it, and waits for a change; when nothing happens it
sends an empty page as a heartbeat. The caller's right is checked again before every page and at every new directory, so that a
follower who is denied is out at once, and one whose certificate ended at the next page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

import grpc

from regulator_node.directive_feed import read_directives
from regulator_node.disposed_entries import disposal_of
from regulator_node.log import read_log
from regulator_node.stored_runs import filed_time_of, read_receipt, read_runs
from regulator_node.witness import read_cosigned
from shared.changes import Changes
from shared.database import Database, Transaction
from shared.delivery.follow import HEARTBEAT_SECONDS
from shared.document_store import next_documents
from shared.pb.filingnet.network.v1 import evidence_pb2, follow_service_pb2, follow_service_pb2_grpc
from shared.server import current_caller, recheck_caller

MAX_RUNS: Final = 100
MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
MAX_RECEIPTS: Final = 200

Page = TypeVar("Page")


@dataclass(frozen=True, slots=True)
class _Step(Generic[Page]):
    """One reading of the store: the cursor after it, and the page, None where there is nothing new."""

    cursor: int
    page: Page | None


class FollowServicer(follow_service_pb2_grpc.FollowServiceServicer):
    """Streams out of one regulator's database.

    Args:
        database: the register.
        jurisdiction: this regulator's.
        log_changes: notified when the log grew.
        document_changes: notified when a document was installed.
        heartbeat_seconds: after so long without a page an empty one is sent.
    """

    def __init__(
        self,
        database: Database,
        jurisdiction: str,
        log_changes: Changes,
        document_changes: Changes,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._database = database
        self._jurisdiction = jurisdiction
        self._log_changes = log_changes
        self._document_changes = document_changes
        self._heartbeat_seconds = heartbeat_seconds

    async def FollowLog(  # noqa: N802
        self, request: follow_service_pb2.FollowLogRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[follow_service_pb2.FollowLogResponse]:
        """Streams this regulator's log."""
        told = follow_service_pb2.FollowLogResponse()

        def read(transaction: Transaction, cursor: int) -> _Step[follow_service_pb2.FollowLogResponse]:
            # The head first: with PostgreSQL the log may grow in between, and what a head covers has to be there.
            head_size, checkpoint = read_log(transaction, self._jurisdiction)
            runs = read_runs(transaction, self._jurisdiction, cursor, MAX_RUNS, MAX_PAGE_BYTES)
            page = follow_service_pb2.FollowLogResponse(runs=runs, head_size=head_size, checkpoint=checkpoint)
            end = runs[-1].first_index + len(runs[-1].entries) if runs else cursor
            told.head_size, told.checkpoint = head_size, checkpoint
            return _Step(end, page if runs else None)

        def heartbeat(cursor: int) -> follow_service_pb2.FollowLogResponse:
            # The true head, not the follower's: a log that was changed is known by it before it has grown again.
            del cursor
            return told

        async for page in self._stream(context, self._log_changes, request.from_index, read, heartbeat):
            yield page

    async def FollowDirectives(  # noqa: N802
        self, request: follow_service_pb2.FollowDirectivesRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[follow_service_pb2.FollowDirectivesResponse]:
        """Streams the directives that name the caller, the nation's too, which the province passes on."""
        addressee = current_caller().name
        told = {"cosigned": 0}

        def read(transaction: Transaction, cursor: int) -> _Step[follow_service_pb2.FollowDirectivesResponse]:
            found = read_directives(transaction, self._jurisdiction, addressee, cursor, MAX_RECEIPTS)
            page = follow_service_pb2.FollowDirectivesResponse(directives=found.receipts, cursor=found.cursor)
            size, checkpoint = read_cosigned(transaction, self._jurisdiction)
            news = size > told["cosigned"]
            if news:
                told["cosigned"], page.cosigned_checkpoint = size, checkpoint
            return _Step(found.cursor, page if found.receipts or news else None)

        def heartbeat(cursor: int) -> follow_service_pb2.FollowDirectivesResponse:
            return follow_service_pb2.FollowDirectivesResponse(cursor=cursor)

        async for page in self._stream(context, self._log_changes, request.cursor, read, heartbeat):
            yield page

    async def FollowRegion(  # noqa: N802
        self, request: follow_service_pb2.FollowRegionRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[follow_service_pb2.FollowRegionResponse]:
        """Streams what was filed elsewhere for subjects of the caller's region, and directives to its providers."""
        region = current_caller().jurisdiction

        def read(transaction: Transaction, cursor: int) -> _Step[follow_service_pb2.FollowRegionResponse]:
            page = read_region(transaction, region, cursor)
            return _Step(page.cursor, page if page.entries else None)

        def heartbeat(cursor: int) -> follow_service_pb2.FollowRegionResponse:
            return follow_service_pb2.FollowRegionResponse(cursor=cursor)

        async for page in self._stream(context, self._log_changes, request.cursor, read, heartbeat):
            yield page

    async def FollowDocuments(  # noqa: N802
        self, request: follow_service_pb2.FollowDocumentsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[follow_service_pb2.FollowDocumentsResponse]:
        """Streams the nation's documents."""
        held = {"directory": request.directory_version, "policy": request.policy_version}

        def read(transaction: Transaction, cursor: int) -> _Step[follow_service_pb2.FollowDocumentsResponse]:
            documents = next_documents(transaction, held["directory"], held["policy"])
            for kind, version, _ in documents:
                held[kind] = max(held[kind], version)
            page = follow_service_pb2.FollowDocumentsResponse(
                documents=[evidence_pb2.SignedDocument.FromString(signed) for _, _, signed in documents]
            )
            return _Step(cursor, page if documents else None)

        def heartbeat(cursor: int) -> follow_service_pb2.FollowDocumentsResponse:
            del cursor
            return follow_service_pb2.FollowDocumentsResponse()

        async for page in self._stream(context, self._document_changes, 0, read, heartbeat):
            yield page

    async def _stream(
        self,
        context: grpc.aio.ServicerContext,
        changes: Changes,
        cursor: int,
        read: Callable[[Transaction, int], _Step[Page]],
        heartbeat: Callable[[int], Page],
    ) -> AsyncIterator[Page]:
        # The first page comes at once, empty if need be: the follower then knows that the peer is there.
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            recheck_caller(context)
            ticket = changes.ticket()
            step = await self._database.read(partial(_at, read, cursor))
            cursor = step.cursor
            # Counted from the last page: changes that are none of the follower's, however many, keep none from it.
            if step.page is not None or now() >= due:
                yield heartbeat(cursor) if step.page is None else step.page
                due = now() + self._heartbeat_seconds
            else:
                await self._changed(context, ticket, due - now())

    async def _changed(self, context: grpc.aio.ServicerContext, ticket: asyncio.Event, seconds: float) -> None:
        """Waits until what is followed changed, or so many seconds; a new directory may end the stream."""
        changed = asyncio.ensure_future(ticket.wait())
        try:
            async with asyncio.timeout(seconds):
                while not changed.done():
                    directory = self._document_changes.ticket()
                    recheck_caller(context)
                    heard = asyncio.ensure_future(directory.wait())
                    try:
                        await asyncio.wait((changed, heard), return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        heard.cancel()
        except TimeoutError:
            # It is time for a heartbeat.
            return
        finally:
            changed.cancel()


def _at(read: Callable[[Transaction, int], _Step[Page]], cursor: int, transaction: Transaction) -> _Step[Page]:
    return read(transaction, cursor)


def read_region(transaction: Transaction, region: str, cursor: int) -> follow_service_pb2.FollowRegionResponse:
    """Reads what is forwarded to a region after a cursor; of what was disposed of, the certificate."""
    rows = transaction.execute(
        "SELECT position, jurisdiction, log_index FROM region_feed WHERE region = ? AND position > ?"
        " ORDER BY position LIMIT ?",
        (region, cursor, MAX_RECEIPTS),
    )
    page = follow_service_pb2.FollowRegionResponse(cursor=rows[-1][0] if rows else cursor)
    for _, jurisdiction, index in rows:
        disposed = disposal_of(transaction, jurisdiction, index)
        receipt = None if disposed is not None else _receipt(transaction, jurisdiction, index)
        forwarded = page.entries.add(receipt=receipt, disposed=disposed)
        forwarded.filed_time.FromMicroseconds(filed_time_of(transaction, jurisdiction, index))
    return page


def _receipt(transaction: Transaction, jurisdiction: str, index: int) -> evidence_pb2.Receipt:
    return evidence_pb2.Receipt.FromString(read_receipt(transaction, jurisdiction, index))
