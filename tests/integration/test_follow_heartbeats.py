"""A follower of whom nothing is said hears that its regulator is there, however much is said of others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from regulator_node.follow_servicer import FollowServicer
from regulator_node.log import log_size
from shared.calls import ServedCall, serving
from shared.changes import Changes
from shared.database import sqlite_url
from shared.pb.filingnet.network.v1 import follow_service_pb2
from shared.trust.callers import Caller, Role
from tests.integration.filing_samples import JURISDICTION, PROVIDER, Register

NO_CONTEXT: Final[Any] = None
"""The servicer asks its context nothing."""


async def test_a_busy_log_keeps_no_heartbeat_from_who_has_no_news(tmp_path: Path) -> None:
    """Promise 5: a log that changes all the time is no silence, by which its followers would take it for dead."""
    register = await Register.open(sqlite_url(tmp_path / "register.db"))
    changes = Changes()
    servicer = FollowServicer(register.database, JURISDICTION, changes, Changes(), heartbeat_seconds=0.1)

    async def others_file_on() -> None:
        while True:
            changes.notify()
            await register.database.read(lambda transaction: log_size(transaction, JURISDICTION))

    with serving(ServedCall("FollowDirectives", Caller(PROVIDER, Role.PROVIDER, JURISDICTION), lambda: None)):
        pages = servicer.FollowDirectives(follow_service_pb2.FollowDirectivesRequest(), NO_CONTEXT)
        filing = asyncio.create_task(others_file_on())
        try:
            async with asyncio.timeout(20):
                for _ in range(3):
                    assert not (await anext(pages)).directives
        finally:
            filing.cancel()
            await pages.aclose()  # type: ignore[attr-defined]
            await register.database.close()
