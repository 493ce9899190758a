"""Reports, measures, appeals and orders over the local API, by ProviderClient and by the program's commands."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provider_node.settings import ProviderSettings
from shared.client.provider import ProviderClient
from shared.client.report_types import AppealState, MeasureState, ReportState
from shared.clock import system_clock
from shared.cluster.made_up import person
from shared.errors import FailedPrecondition, InvalidInput, NotFound
from shared.identifiers import new_account_id
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind
from tests.integration.provider_samples import MadeUpNetwork, joined_folder, serving

ACTOR = "desk-3"


@pytest.fixture
async def settings(tmp_path: Path, network: MadeUpNetwork) -> ProviderSettings:
    """A provider that joined."""
    return await joined_folder(tmp_path / "wave", network)


@pytest.fixture
async def node(settings: ProviderSettings) -> AsyncIterator[ProviderClient]:
    """A client of the provider, which serves."""
    async with serving(settings), ProviderClient(settings.local_api) as client:
        yield client


async def filed(node: ProviderClient) -> str:
    """The id of an account that was filed."""
    subject = await node.register_person(person(1, "330000"), nickname="样例", agreement=await node.agreement())
    account = await node.open_account(subject.reference, display_name="样例号", category="education")
    return (await node.review_account(account.account_id, passed=True)).account_id


async def test_art_5_3_reports_by_the_client(node: ProviderClient) -> None:
    """Art. 5(3): everything about a report in plain values: submitted, joined, answered, paused, settled, told."""
    account_id = await filed(node)
    digest = bytes(range(32))
    taken = await node.submit_report(
        account_id, baseline=7, item_url="https://wave.example/7", item_digest=digest, statement="一"
    )
    joined = await node.submit_report(
        account_id, baseline=7, item_url="https://wave.example/7", item_digest=digest, statement="二"
    )
    assert (False, True, 2) == (taken.joined, joined.joined, joined.report.reports)
    report_id = taken.report.report_id
    paused = await node.pause_report(report_id, "awaiting_evidence", actor=ACTOR, etag=joined.report.etag)
    resumed = await node.pause_report(report_id, "", actor=ACTOR)
    assert (True, False) == (paused.paused, resumed.paused)
    await node.answer_report(report_id, "已受理", actor=ACTOR)
    settled = await node.settle_report(report_id, "no_violation", actor=ACTOR)
    report, statements = await node.get_report(report_id, purpose="report_handling", reader=ACTOR)
    assert (settled, ("一", "二"), digest) == (report, statements, report.item_digest)
    outcome = await node.report_outcome(joined.tracking_code)
    assert (ReportState.SETTLED, "no_violation", "已受理") == (outcome.state, outcome.outcome, outcome.answer)
    other = await node.submit_report(account_id, baseline=1)
    left = await node.hand_over_report(other.report.report_id, actor=ACTOR)
    assert [report_id] == [each.report_id async for each in node.reports(ReportState.SETTLED)]
    assert (ReportState.ESCALATED, 2) == (left.state, len([each async for each in node.reports(account_id=account_id)]))
    with pytest.raises(NotFound):
        await node.report_outcome("0" * 26)
    with pytest.raises(InvalidInput):
        await node.submit_report(account_id, baseline=8)


async def test_art_8_1_measures_and_appeals_by_the_client(node: ProviderClient) -> None:
    """Art. 8(1): everything about measures in plain values; refusals come as the catalogue's errors with their reasons."""
    account_id = await filed(node)
    until = system_clock() + timedelta(days=7)
    terms: dict[str, Any] = {"baseline": 7, "reason": "false_information", "end_time": until}
    warned = await node.apply_measure(account_id, MeasureKind.WARN, **terms)
    with pytest.raises(InvalidInput) as jumped:
        await node.apply_measure(account_id, MeasureKind.SUSPEND_UPDATES, **terms)
    assert "LADDER_JUMPED" == jumped.value.reason
    suspended = await node.apply_measure(account_id, MeasureKind.SUSPEND_UPDATES, gravity=Gravity.GRAVE, **terms)
    assert (MeasureState.IN_FORCE, True, "第八条" in suspended.statement_of_reasons) == (
        suspended.state,
        suspended.report is not None,
        True,
    )
    lifted = await node.lift_measure(warned.measure_id, etag=warned.etag)
    appealed = await node.submit_appeal(suspended.measure_id, "不服")
    upheld = await node.decide_appeal(suspended.measure_id, overturned=False, actor=ACTOR, etag=appealed.etag)
    sent = await node.appeal_to_regulator(suspended.measure_id)
    assert (MeasureState.LIFTED, AppealState.UPHELD_BY_PROVIDER, AppealState.AT_REGULATOR) == (
        lifted.state,
        upheld.appeal,
        sent.appeal,
    )
    assert sent == await node.get_measure(suspended.measure_id)
    listed = [each.measure_id async for each in node.measures(account_id=account_id)]
    assert [suspended.measure_id, warned.measure_id] == listed
    assert [] == [each async for each in node.orders(answered_too=True)]
    with pytest.raises(NotFound):
        await node.answer_order(new_account_id(), OrderAnswer.DONE)
    with pytest.raises(FailedPrecondition):
        await node.submit_appeal(suspended.measure_id, "不服")


async def run(settings: ProviderSettings, *arguments: str, words: str = "") -> tuple[int, str]:
    """Runs a command of the program against the node; returns its exit code and what it printed."""
    group, command, *rest = arguments
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "provider_node", group, command, "--data", str(settings.folder), *rest),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate(words.encode())
    return process.returncode or 0, printed.decode()


async def test_reports_measures_and_orders_by_command(node: ProviderClient, settings: ProviderSettings) -> None:
    """The commands say what the client says; words come from a file or stdin, never from the command line."""
    account_id = await filed(node)
    code, printed = await run(
        settings,
        *("reports", "submit", account_id, "--baseline", "7", "--statement-file", "-", "--json"),
        words="样例举报之言\n",
    )
    taken = json.loads(printed)
    report_id = taken["report"]["report_id"]
    assert (0, False) == (code, taken["joined"])
    _, words = await node.get_report(report_id, purpose="report_handling", reader=ACTOR)
    assert ("样例举报之言",) == words
    assert (0, True) == ((done := await run(settings, "reports", "outcome", taken["tracking_code"]))[0], bool(done[1]))
    code, printed = await run(settings, "reports", "settle", report_id, "forgotten", "--actor", ACTOR)
    assert 1 == code
    code, printed = await run(settings, "reports", "audit", "--json")
    assert (0, {"reports": 1, "parties": {"provider": 1}, "wrong": 0, "findings": []}) == (code, json.loads(printed))
    assert 0 == (await run(settings, "reports", "audit"))[0]
    until = f"{system_clock() + timedelta(days=7):%Y-%m-%d}"
    terms = ("--baseline", "7", "--reason", "false_information", "--until", until, "--json")
    code, printed = await run(settings, "measures", "apply", account_id, "warn", *terms)
    measure = json.loads(printed)
    assert (0, measure["measure_id"]) == (code, (await node.get_measure(measure["measure_id"])).measure_id)
    assert (0, []) == ((listed := await run(settings, "orders", "list", "--json"))[0], json.loads(listed[1]))
    assert 1 == (await run(settings, "orders", "answer", new_account_id(), "--done"))[0]
