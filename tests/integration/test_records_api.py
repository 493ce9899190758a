"""Records over both nodes' own contracts: by the clients, by the commands, with who asked and what is in the trail."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from provider_node.__main__ import app as provider_app
from provider_node.settings import ProviderSettings
from regulator_node.__main__ import app as regulator_app
from shared.channel import local_channel, translated
from shared.client.officer import CaseVerdict, EscalationOutcome, OfficerClient
from shared.client.provider import ProviderClient
from shared.client.record_types import HoldScope, RecordClass
from shared.cluster.made_up import person
from shared.errors import InvalidInput, NotFound
from shared.evidence.__main__ import app as verify_app
from shared.pb.filingnet.regulator.v1 import public_service_pb2, public_service_pb2_grpc
from tests.integration.made_register import MadeRegister
from tests.integration.provider_samples import joined_folder, made_up_network, serving
from tests.integration.regulators import PROVIDER, Running, ShiftedClock, free_ports, nation_serving

ACTOR, HERE = "desk-3", "100000"
SEVEN_MONTHS = timedelta(days=215)


@pytest.fixture
async def wave(tmp_path: Path, clock: ShiftedClock) -> AsyncIterator[ProviderSettings]:
    """A provider that serves."""
    async with made_up_network(tmp_path) as network:
        settings = await joined_folder(tmp_path / "wave", network)
        async with serving(settings, clock):
            yield settings


@pytest.fixture
async def nation(tmp_path: Path, clock: ShiftedClock) -> AsyncIterator[Running]:
    """A nation that serves."""
    with free_ports() as ports:
        async with nation_serving(tmp_path / "nation", ports, clock) as running:
            yield running


async def settled_report(node: ProviderClient) -> tuple[str, str]:
    """The account and the id of a report that was settled."""
    subject = await node.register_person(person(1, "330000"), nickname="样例", agreement=await node.agreement())
    account = await node.open_account(subject.reference, display_name="样例号", category="education")
    taken = await node.submit_report(account.account_id, baseline=7, statement="样例举报之言")
    await node.settle_report(taken.report.report_id, "no_violation", actor=ACTOR)
    return account.account_id, taken.report.report_id


async def run(app: Typer, *arguments: str, code: int = 0) -> str:
    """Runs a command beside the node that is served in this process."""
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert (code, arguments) == (result.exit_code, arguments), result.output
    return result.output


async def rows(app: Typer, *arguments: str) -> Any:
    """Runs a command with --json."""
    said = await run(app, *arguments, "--json")
    # The node that is served in this process logs on the same stream.
    return json.loads("\n".join(itertools.dropwhile(lambda line: line[:1] not in "[{", said.splitlines())))


async def test_art_8_2_a_backend_holds_and_disposes(
    wave: ProviderSettings, clock: ShiftedClock, tmp_path: Path
) -> None:
    """Art. 8(2): the local API names who asked; a dry run changes nothing; the certificate verifies offline."""
    async with ProviderClient(wave.local_api) as node:
        account_id, report_id = await settled_report(node)
        clock.ahead = SEVEN_MONTHS
        data = ("--data", str(wave.folder))
        placed = await rows(
            provider_app, "records", "hold", *data, "--account", account_id, "--reason", "court_order", "--actor", ACTOR
        )
        assert (ACTOR, "account", account_id) == (placed[0]["placed_by"], placed[0]["scope"], placed[0]["target"])
        assert [] == await node.dispose_records(actor=ACTOR)
        (standing, *_) = await node.due_records()
        assert (RecordClass.REPORT, 0, 1, 6) == (
            standing.record_class,
            standing.due,
            standing.held,
            standing.period.amount if standing.period else 0,
        )
        lifted = await node.lift_hold(placed[0]["hold_id"], reason="court_done", actor="desk-4")
        assert ("desk-4", "court_done") == (lifted.lifted_by, lifted.lift_reason)
        assert [] == [each async for each in node.holds()]
        assert 1 == len(await rows(provider_app, "records", "holds", *data, "--all"))
        due = await rows(provider_app, "records", "dispose", *data, "--dry-run", "--class", "report")
        assert [[report_id]] == [[record["record_id"] for record in each["records"]] for each in due]
        assert "6 months" in await run(provider_app, "records", "due", *data)
        (made,) = await rows(provider_app, "records", "dispose", *data, "--class", "report", "--actor", ACTOR)
        assert (1, "report", 1, ACTOR) == (made["number"], made["record_class"], made["records"], made["actor"])
        assert [1] == [each["number"] for each in await rows(provider_app, "records", "certificates", *data)]
        assert [1] == [each.number async for each in node.certificates()]
        with pytest.raises(NotFound):
            await node.get_report(report_id, purpose="court", reader=ACTOR)
        with pytest.raises(InvalidInput):
            await node.place_hold(HoldScope.ACCOUNT, reason="Not a code", target=account_id, actor=ACTOR)
        with pytest.raises(InvalidInput):
            await node.place_hold(HoldScope.ACCOUNT, reason="court_order", target=account_id)
    file, keys = tmp_path / "disposal-1.certificate", tmp_path / "keys.json"
    said = await run(provider_app, "records", "certificate", *data, "1", "--output", str(file), "--record", report_id)
    assert "filing-verify disposal" in said
    await run(provider_app, "keys", "export", *data, "--output", str(keys))
    proven = await rows(verify_app, "disposal", str(file), "--keys", str(keys))
    assert ("proven", "provider/wave", [report_id]) == (proven["verdict"], proven["node"], proven["proven_records"])
    await run(provider_app, "records", "hold", *data, "--reason", "court_order", code=2)


async def complained(nation: Running, client: OfficerClient) -> str:
    """Has somebody complain, and the case dismissed; its id."""
    made = MadeRegister(nation.parts.database, random.Random(7), sizes={HERE: 1000})
    (fact,) = await made.file(HERE, [made.new_account(provider=PROVIDER)])
    async with local_channel(nation.settings.operator_socket) as channel:
        stub = public_service_pb2_grpc.PublicServiceStub(channel)  # type: ignore[no-untyped-call]
        request = public_service_pb2.SubmitComplaintRequest(
            request_id=str(uuid.uuid4()), account_id=fact.account_id, baseline=7, statement="这个消息不真实"
        )
        await translated(stub.SubmitComplaint(request, timeout=30))
    (case,) = [each async for each in client.cases()]
    await client.assign_case(case.case_id, "desk-1")
    await client.decide_case(CaseVerdict(case.case_id, EscalationOutcome.DISMISSED, "not_verified"))
    return case.case_id


async def test_art_8_2_officers_hold_and_dispose(nation: Running, clock: ShiftedClock, tmp_path: Path) -> None:
    """Art. 8(2): who placed a hold is known by the credentials, every call is in the trail, which is a record itself."""
    data = ("--data", str(nation.settings.folder))
    async with OfficerClient(nation.settings.operator_socket) as client:
        case_id = await complained(nation, client)
        clock.ahead = SEVEN_MONTHS
        (placed,) = await rows(regulator_app, "records", "hold", *data, "--case", case_id, "--reason", "court_order")
        assert ("operator", "case", case_id) == (placed["placed_by"], placed["scope"], placed["target"])
        standings = {each.record_class: (each.due, each.held) for each in await client.due_records()}
        assert ((0, 1), (0, 1)) == (standings[RecordClass.COMPLAINT], standings[RecordClass.CASE])
        assert standings[RecordClass.QUERY_AUDIT][0] > 0
        assert [RecordClass.QUERY_AUDIT] == [each.record_class for each in await client.dispose_records()]
        await rows(regulator_app, "records", "lift", *data, placed["hold_id"], "--reason", "court_done")
        made = await rows(regulator_app, "records", "dispose", *data, "--compact")
        assert [("complaint", 1), ("case", 1)] == [(each["record_class"], each["records"]) for each in made]
        assert [3, 2, 1] == [each.number async for each in client.certificates()]
        details = [entry.detail async for entry in client.audit() if entry.method.endswith(("PlaceHold", "LiftHold"))]
        assert [True, True] == [placed["hold_id"] in detail for detail in details]
    file, keys = tmp_path / "disposal-2.certificate", tmp_path / "keys.json"
    await run(regulator_app, "records", "certificate", *data, "2", "--output", str(file))
    await run(regulator_app, "keys", "export", *data, "--output", str(keys))
    proven = await rows(verify_app, "disposal", str(file), "--keys", str(keys))
    assert ("proven", "regulator/100000", "complaint") == (proven["verdict"], proven["node"], proven["record_class"])
    assert 1 == len(await rows(regulator_app, "records", "holds", *data, "--all"))
    assert [] == await rows(regulator_app, "records", "holds", *data)
    assert 3 == len(await rows(regulator_app, "records", "certificates", *data))
    assert [0, 0] == [each["due"] for each in await rows(regulator_app, "records", "due", *data)][:2]
