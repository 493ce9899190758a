"""Single filings that arrive at once are stored by the statements of one.

An official who enters one account after another, or a provider's backend that files as people register, sends batches of
one. Each keeps its own signature, run and checkpoint; what they share is the writing. While one group is written the
next one gathers, so that a lone filing waits for nobody and many share a handful of statements and a sync.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from regulator_node.intake import Intake, PreparedBatch
from shared.database import Database
from shared.pb.filingnet.network.v1 import intake_service_pb2
from shared.provisions.filings import FilingContext

MOST_TOGETHER: Final = 64
"""Batches in one group."""

WRITING: Final = 2
"""Groups handed to the database at once: one is written while the next one waits for the writer."""


class OpeningsTogether:
    """Gathers batches that only open accounts.

    Args:
        database: the register.
        intake: stores them.
    """

    def __init__(self, database: Database, intake: Intake) -> None:
        self._database = database
        self._intake = intake
        self._waiting: list[tuple[PreparedBatch, FilingContext, asyncio.Future[_Answer]]] = []
        self._writers: set[asyncio.Task[None]] = set()

    async def store(self, batch: PreparedBatch, context: FilingContext) -> _Answer:
        """Stores a batch together with those that wait.

        Args:
            batch: one for which `only_opens` holds, of a provider that was never transferred.
            context: what it is judged against.

        Returns:
            The answer, durable; None where the batch has to be stored by itself, because something of it, or of a
            neighbour, is refused, is not new or could not be stored: nothing of it was stored here.
        """
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, context, future))
        if len(self._writers) < WRITING:
            writer = asyncio.create_task(self._write())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await future

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            openings = [(batch, context) for batch, context, _ in group]
            answers: list[_Answer]
            try:
                answers = await self._database.write(partial(self._intake.store_openings, openings=openings))
            except Exception:  # noqa: BLE001 - each is stored by itself then, and told its own error
                answers = [None] * len(group)
            for (_, _, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


_Answer = intake_service_pb2.SubmitEntriesResponse | None
