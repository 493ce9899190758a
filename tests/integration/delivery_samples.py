"""Samples for the outbox on its way: a worker to a real intake, what it is given, and what became of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import grpc

import provider_node
from shared.database import Database
from shared.delivery.outbox import (
    QueuedEntry,
    enqueue,
)
from shared.delivery.worker import DeliveryWorker, Route, Submit
from shared.pb.filingnet.network.v1 import filing_pb2, intake_service_pb2
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, REGULATOR, Register

MIGRATIONS = Path(provider_node.__file__).parent / "migrations"


def unreachable() -> grpc.aio.AioRpcError:
    """What gRPC raises when nobody answers."""
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "")


def worker_to(database: Database, register: Register, submit: Submit | None = None, **settings: Any) -> DeliveryWorker:
    """A worker from the provider to the register."""

    async def direct(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        return await register.send(request)

    route = Route(REGULATOR, JURISDICTION, PROVIDER, register.provider_key, lambda: register.ring)
    return DeliveryWorker(database, route, submit or direct, lambda: NOW, **settings)


async def queue(database: Database, *filings: filing_pb2.Filing, now: datetime = NOW) -> list[QueuedEntry]:
    """Queues filings, made at a time."""
    return await database.write(
        lambda transaction: enqueue(
            transaction,
            destination=REGULATOR,
            jurisdiction=JURISDICTION,
            origin=PROVIDER,
            filings=[(filing.account_id, filing) for filing in filings],
            now=now,
        )
    )


async def states(database: Database) -> list[int]:
    """States of the outbox in order."""
    rows = await database.read(lambda transaction: transaction.execute("SELECT state FROM outbox ORDER BY sequence"))
    return [state for (state,) in rows]


async def logged(register: Register) -> int:
    """Entries in the regulator's log."""
    rows = await register.database.read(lambda transaction: transaction.execute("SELECT COUNT(*) FROM log_entry"))
    return int(rows[0][0])
