"""Several processes of one regulator on one PostgreSQL: what one of them does, the others know."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from regulator_node.log import log_size
from regulator_node.settings import RegulatorSettings
from shared.cluster.ports import Ports
from shared.pb.filingnet.regulator.v1 import network_service_pb2 as wire
from tests.integration.regulators import Running, nation_serving, serving


@pytest.fixture
async def both(tmp_path: Path, ports: Ports, postgresql_url: str) -> AsyncIterator[tuple[Running, Running]]:
    """The nation, twice: the second folder is a copy of the first that listens elsewhere."""
    async with nation_serving(tmp_path / "first", ports, database_url=postgresql_url) as first:
        shutil.copytree(first.settings.folder, tmp_path / "second", ignore=shutil.ignore_patterns("operator.sock"))
        places = {"network_listen": ports.take(), "public_listen": ports.take()}
        RegulatorSettings.load(tmp_path / "second").model_copy(update=places).write()
        async with serving(RegulatorSettings.load(tmp_path / "second")) as second:
            yield first, second


async def test_a_token_of_one_process_opens_the_other(both: tuple[Running, Running]) -> None:
    """Officers and enrolling nodes may reach any process of the regulator."""
    first, second = both
    async with first.operator() as stub:
        request = wire.CreateOfficerTokenRequest(officer="review-desk-2", role=wire.OFFICER_ROLE_READER)
        token = (await stub.CreateOfficerToken(request)).token
    async with second.officer(token) as stub:
        assert "regulator/100000" == (await stub.GetStatus(wire.GetStatusRequest())).name


async def test_a_change_at_one_process_is_heard_by_the_other(both: tuple[Running, Running]) -> None:
    """Documents and the log's growth reach those who follow the other process; changes at both are one sequence."""
    for number, (here, there) in enumerate([both, both[::-1]], start=2):
        async with here.operator() as stub:
            policy = (await stub.GetPolicy(wire.GetPolicyRequest())).policy
            policy.version = number
            policy.effective_time.FromDatetime(here.parts.clock() + timedelta(days=number))
            ticket = there.parts.log_changes.ticket()
            await stub.PublishPolicy(wire.PublishPolicyRequest(policy=policy))
        await ticket.wait()
        while there.view.versions[1] < number:
            ticket = there.view.changes.ticket()
            if there.view.versions[1] < number:
                await ticket.wait()
        size = await there.parts.database.read(lambda transaction: log_size(transaction, "100000"))
        assert (number, number + 1) == (there.view.versions[1], size)
