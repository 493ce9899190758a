"""How the nodes of a cluster join: with enrolment tokens that the nation makes for them, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

from shared.client.officer import OfficerClient
from shared.clock import system_clock
from shared.cluster.layout import NodePlan, licence_of


async def write_token(operator: OfficerClient, plan: NodePlan, root: Path, serial: int) -> None:
    """Has the nation make a node's enrolment token and writes its file.

    Args:
        operator: of the nation.
        plan: the node that is to join.
        root: the cluster's folder.
        serial: of the made-up licence, where the node is a provider.
    """
    licence = None if plan.is_regulator else licence_of(plan, serial, system_clock())
    jurisdiction = "" if plan.is_regulator else plan.jurisdiction
    token = await operator.create_token(plan.name, title=plan.title, jurisdiction=jurisdiction, licence=licence)
    path = plan.token_path(root)
    path.touch(mode=0o600)
    path.write_text(token.text, encoding="utf-8")


async def together(coroutines: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Runs coroutines at the same time; the first that fails cancels the others and is raised itself."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
