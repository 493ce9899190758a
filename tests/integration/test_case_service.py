"""Officers and the public at a running regulator: complaints, cases, measures and figures by the client and the commands."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from regulator_node.__main__ import app
from shared.channel import local_channel, translated
from shared.client.officer import CaseFilter, CaseKind, CaseState, CaseVerdict, EscalationOutcome, OfficerClient
from shared.errors import Conflict, NotFound
from shared.pb.filingnet.regulator.v1 import public_service_pb2, public_service_pb2_grpc
from tests.integration.made_register import MadeRegister
from tests.integration.regulators import PROVIDER, Running, free_ports, nation_serving

HERE = "100000"
WORDS = "这个公众号发布的消息不真实"


@pytest.fixture
async def nation(tmp_path: Path, database_url: str) -> AsyncIterator[Running]:
    """A nation that serves, on both databases."""
    with free_ports() as ports:
        async with nation_serving(tmp_path / "nation", ports, database_url=database_url) as running:
            yield running


async def complain(nation: Running) -> tuple[str, str]:
    """Has an account filed and complains about it; returns the account and the tracking code."""
    made = MadeRegister(nation.parts.database, random.Random(7), sizes={HERE: 1000})
    (fact,) = await made.file(HERE, [made.new_account(provider=PROVIDER)])
    async with local_channel(nation.settings.operator_socket) as channel:
        stub = public_service_pb2_grpc.PublicServiceStub(channel)  # type: ignore[no-untyped-call]
        request = public_service_pb2.SubmitComplaintRequest(
            request_id=str(uuid.uuid4()), account_id=fact.account_id, baseline=7, statement=WORDS
        )
        answer = await translated(stub.SubmitComplaint(request, timeout=30))
    return fact.account_id, answer.tracking_code


async def outcome(nation: Running, code: str) -> tuple[str, str]:
    """Asks by the tracking code alone."""
    async with local_channel(nation.settings.operator_socket) as channel:
        stub = public_service_pb2_grpc.PublicServiceStub(channel)  # type: ignore[no-untyped-call]
        answer = await translated(stub.GetComplaint(public_service_pb2.GetComplaintRequest(tracking_code=code)))
    return answer.state, answer.outcome


async def run(*arguments: str) -> Result:
    """Runs a command beside the node."""
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


async def rows(*arguments: str) -> list[dict[str, object]]:
    """Runs a command that prints rows."""
    result = await run(*arguments, "--json")
    assert 0 == result.exit_code, result.output
    return list(json.loads(result.stdout))


async def test_answer_2_a_complaint_is_heard_to_its_outcome(nation: Running) -> None:
    """From the public's complaint over the officer's reading, with a purpose in the audit, to the outcome by its code."""
    account, code = await complain(nation)
    async with OfficerClient(nation.settings.operator_socket) as client:
        (case,) = [each async for each in client.cases(CaseFilter(kind=CaseKind.COMPLAINT))]
        assert (account, PROVIDER, CaseState.OPEN, "regulator/100000") == (
            case.account_id,
            case.provider,
            case.state,
            case.responsible,
        )
        assert "" == (await client.case(HERE, case.case_id)).statement
        assert WORDS == (await client.case(HERE, case.case_id, purpose="hearing")).statement
        purposes = [entry.detail async for entry in client.audit() if entry.method.endswith("/GetCase")]
        assert [True, False] == ["purpose hearing" in detail for detail in purposes]
        assigned = await client.assign_case(case.case_id, "desk-1", etag=case.etag)
        assert (CaseState.ASSIGNED, "desk-1") == (assigned.state, assigned.assignee)
        verdict = CaseVerdict(case.case_id, EscalationOutcome.DISMISSED, "no_violation")
        answer = await client.decide_case(verdict)
        assert (CaseState.CLOSED, "no_violation", "") == (
            answer.case.state,
            answer.case.outcome,
            answer.case.responsible,
        )
        with pytest.raises(Conflict) as error:
            await client.decide_case(verdict)
        assert "CASE_DECIDED" == error.value.reason
        with pytest.raises(NotFound):
            await client.case(HERE, str(uuid.uuid4()))
    assert ("dismissed", "no_violation") == await outcome(nation, code)


async def test_art_9_the_commands_list_show_assign_and_decide(nation: Running) -> None:
    """An operator works a case from the queue to its order by commands, and sees figures and the balance."""
    await complain(nation)
    data = ("--data", str(nation.settings.folder))
    (case,) = await rows("cases", "list", *data, "--state", "open")
    case_id = str(case["case_id"])
    shown = json.loads((await run("cases", "show", case_id, *data, "--jurisdiction", HERE, "--json")).stdout)
    assert (case_id, "") == (shown["case_id"], shown["statement"])
    (assigned,) = await rows("cases", "assign", case_id, *data, "--to", "desk-1")
    assert "assigned" == assigned["state"]
    terms = ("--outcome", "verify", "--reason", "false_information", "--order", "warn", "--gravity", "ordinary")
    (decided,) = await rows("cases", "decide", case_id, *data, *terms, "--days", "30")
    assert ("ordered", PROVIDER) == (decided["state"], decided["responsible"])
    assert [] == await rows("measures", "list", *data)
    figures = await rows("figures", *data)
    assert [(PROVIDER, 0, 0)] == [(row["provider"], row["orders_in_time"], row["orders_late"]) for row in figures]
    balance = json.loads((await run("audit", "conservation", *data, "--json")).stdout)
    assert {"reports": 1, "parties": {"provider": 1}, "findings": []} == balance
