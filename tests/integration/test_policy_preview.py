"""A preview of a policy counts what the register really holds, and what it says comes true when the policy holds."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from regulator_node.__main__ import app
from regulator_node.policy_file import write_policy
from regulator_node.policy_holdings import read_holdings
from shared.client.officer import OfficerClient
from shared.clock import from_micros, micros, system_clock
from shared.document_store import store_document
from shared.errors import InvalidInput
from shared.evidence.documents import sign_document
from shared.evidence.hashing import ProofError
from shared.evidence.keys import SigningKey
from shared.identifiers import new_entry_id
from shared.mapping.policy import policy_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, entry_pb2, evidence_pb2
from shared.provisions.policy import (
    TERM_LISTS,
    CategorySuccessor,
    LadderStep,
    Policy,
    Term,
    initial_policy,
    period_end_micros,
)
from shared.provisions.policy_preview import EffectKind, policy_effects
from tests.integration.case_samples import Provinces, made_up_measure, made_up_report
from tests.integration.filing_samples import NOW, PROVIDER, made_up_entry, made_up_filing
from tests.integration.label_samples import body_entry, made_up_grant, made_up_request
from tests.integration.made_register import MadeRegister
from tests.integration.regulators import Running

FIRST = initial_policy()
BEGINS = NOW + timedelta(days=1)


def following(**changes: Any) -> Policy:
    """The next policy, from tomorrow on, with changes."""
    return replace(FIRST, **{"version": 2, "effective_time": BEGINS, **changes})


def periods(**amounts: int) -> tuple[Any, ...]:
    """The periods with other amounts."""
    return tuple(replace(each, amount=amounts.get(each.name, each.amount)) for each in FIRST.periods)


async def effects(both: Provinces, after: Policy) -> dict[tuple[str, str], int]:
    """What a policy would do to what the province holds."""
    node = directory_pb2.Node(name=PROVIDER, licence=directory_pb2.Licence(number="33320240001"))
    held = await both.register.database.read(
        lambda transaction: read_holdings(transaction, FIRST, after, {PROVIDER: node})
    )
    return {(each.kind.name, each.field): each.count for each in policy_effects(FIRST, after, held)}


async def state(both: Provinces, field: str, body: Any) -> None:
    """Has the province take in a statement of any kind."""
    both.sequence += 1
    response = await both.register.submit(body_entry(field, body, both.register.now, both.sequence))
    assert not response.results[0].HasField("rejection"), response.results[0]


async def test_a_preview_counts_what_the_register_holds(both: Provinces) -> None:
    """Filings, measures, labels, approvals and cases that a policy touches are counted; what it does not touch is not."""
    account, other, third = [await both.file() for _ in range(3)]
    gone = made_up_filing(third, 2, action="FILING_ACTION_WITHDRAW", withdrawal_reason="WITHDRAWAL_REASON_CLOSED")
    await both.register.submit(made_up_entry(gone, 10))
    await both.tell(made_up_measure(account))
    await both.tell(made_up_report(account))
    await state(both, "label_grant", made_up_grant(account))
    await state(both, "label_grant", made_up_request(other))
    assert {("CASE_KEEPS_TIME", "cases"): 1} == await effects(both, following())
    found = await effects(
        both,
        following(
            categories=tuple(term for term in FIRST.categories if term.code != "lifestyle"),
            measure_reasons=tuple(term for term in FIRST.measure_reasons if term.code != "false_information"),
            ladder=(LadderStep(FIRST.ladder[0].kind, 10), *FIRST.ladder[1:]),
            provider_licence_classes=frozenset({1}),
            periods=periods(escalation_decision=3, label_first_reminder=90, special_approval_longest=2),
        ),
    )
    assert {
        ("CATEGORY_IN_USE", "categories.lifestyle"): 2,
        ("TERM_IN_USE", "measure_reasons.false_information"): 1,
        ("PROVIDER_LICENCE_UNFIT", "provider_licence_classes.3"): 1,
        ("LABEL_NOT_RENEWABLE", "provider_licence_classes.3"): 1,
        ("LABEL_REMINDER_MOVES", "periods.label_first_reminder"): 1,
        ("APPROVAL_TOO_LONG", "periods.special_approval_longest"): 1,
        ("CASE_TIME_MOVES", "cases.report"): 1,
        ("MEASURE_BEYOND_LADDER", "ladder.warn"): 1,
    } == found


async def test_art_9_what_a_preview_says_of_a_case_comes_true(both: Provinces) -> None:
    """The case keeps its time at the province, where its clock began before, and is due at the nation by the new policy."""
    report = made_up_report(await both.file())
    await both.tell(report)
    case = await both.case_of(report)
    after = following(periods=periods(escalation_decision=3))
    held = await both.register.database.read(lambda transaction: read_holdings(transaction, FIRST, after, {}))
    (moved,) = policy_effects(FIRST, after, held)
    assert (EffectKind.CASE_TIME_MOVES, 1) == (moved.kind, moved.count)
    await both.follow()
    for database in (both.register.database, both.nation):
        await database.write(
            lambda transaction: store_document(transaction, "policy", 2, _signed(both, after).SerializeToString())
        )
    assert case.standing.due_time == (await both.case_of(report)).standing.due_time
    both.register.now = from_micros(case.standing.rise_time)
    risen = await both.at_nation(case)
    assert moved.after_due == risen.standing.due_time
    assert moved.before_due == period_end_micros(FIRST, "escalation_decision", case.standing.rise_time)


def _signed(both: Provinces, policy: Policy) -> evidence_pb2.SignedDocument:
    entry = entry_pb2.Entry(
        entry_id=new_entry_id(),
        origin="regulator/100000",
        jurisdiction="100000",
        sequence=policy.version,
        policy=policy_to_wire(policy),
    )
    entry.created_time.FromDatetime(NOW)
    return sign_document(entry.SerializeToString(), both.nation_key)


async def run(*arguments: str) -> Result:
    """Runs a command beside the node."""
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


def later(policy: Policy, **changes: Any) -> Policy:
    """The policy after one, from a month on, with changes."""
    begins = system_clock().replace(microsecond=0) + timedelta(days=30)
    return replace(policy, **{"version": policy.version + 1, "effective_time": begins, **changes})


async def test_the_preview_command_shows_and_changes_nothing(nation: Running, tmp_path: Path) -> None:
    """An officer sees what would change and what the register holds of it; nothing is published by looking."""
    made = MadeRegister(nation.parts.database, random.Random(7), sizes={"100000": 1000})
    await made.file("100000", [replace(made.new_account(provider=PROVIDER), category="sports") for _ in range(3)])
    newest = nation.view.policies[-1]
    kept = tuple(term for term in newest.categories if term.code != "sports")
    proposed = later(newest, categories=kept, category_successors=(CategorySuccessor("sports", "lifestyle"),))
    file = tmp_path / "next.toml"
    file.write_text(write_policy(proposed), "utf-8")
    folder = str(nation.settings.folder)
    shown = await run("policy", "preview", str(file), "--data", folder, "--json")
    assert 0 == shown.exit_code, shown.output
    told = json.loads(shown.stdout)
    assert (2, 1, []) == (told["version"], told["follows_version"], told["violations"])
    assert [("categories.sports", "removed"), ("category_successors.sports", "added")] == [
        (each["field"], each["change"]) for each in told["changes"]
    ]
    assert [("category_in_use", "categories.sports", 3, "lifestyle")] == [
        (each["effect"], each["field"], each["count"], each["successor"]) for each in told["effects"]
    ]
    table = await run("policy", "preview", str(file), "--data", folder)
    assert "policy 2 would follow policy 1" in table.stdout
    assert "administrative" in table.stdout
    assert 1 == nation.view.versions[1]
    async with OfficerClient(nation.settings.operator_socket) as officer:
        methods = [entry.method async for entry in officer.audit()]
    assert 2 == methods.count("/filingnet.regulator.v1.NetworkService/PreviewPolicy")


async def test_the_show_command_shows_every_list(nation: Running) -> None:
    """An officer sees the whole policy: each list by its name, the ladder, the periods and where each comes from."""
    shown = (await run("policy", "show", "--data", str(nation.settings.folder))).stdout
    titles = ("categories", "return_reasons", *TERM_LISTS, "ladder", "periods")
    lines = {line.strip() for line in shown.splitlines()}
    assert [] == [title for title in titles if title.replace("_", " ") not in lines]
    assert "restrict_publishing" in shown
    assert "impersonation" in shown


async def test_what_a_preview_refuses_is_not_published(nation: Running, tmp_path: Path) -> None:
    """A category in use without a successor and a start in the past: told by the preview, refused by publishing, alike."""
    made = MadeRegister(nation.parts.database, random.Random(7), sizes={"100000": 1000})
    await made.file("100000", [replace(made.new_account(provider=PROVIDER), category="sports")])
    newest = nation.view.policies[-1]
    kept = tuple(term for term in newest.categories if term.code != "sports")
    proposed = later(newest, categories=kept, effective_time=system_clock() - timedelta(hours=1))
    file = tmp_path / "next.toml"
    file.write_text(write_policy(proposed), "utf-8")
    shown = await run("policy", "preview", str(file), "--data", str(nation.settings.folder), "--json")
    expected = [("effective_time", "EFFECTIVE_TIME_PASSED"), ("categories", "CATEGORY_IN_USE")]
    assert expected == [(each["field"], each["rule"]) for each in json.loads(shown.stdout)["violations"]]
    assert isinstance(shown.exception, InvalidInput)
    async with OfficerClient(nation.settings.operator_socket) as officer:
        for validate_only in (True, False):
            with pytest.raises(InvalidInput) as refused:
                await officer.publish_policy(proposed, validate_only=validate_only)
            assert "POLICY_SUCCESSION" == refused.value.reason
            assert expected == [(each.field, each.rule) for each in refused.value.violations]
    assert 1 == nation.view.versions[1]


async def test_a_policy_with_a_gap_before_it_is_not_followed(nation: Running) -> None:
    """Whoever follows the nation holds no policy whose forerunner it lacks, nor one that begins before it."""
    view: NetworkView = nation.view
    newest = view.policies[-1]
    weather = (*newest.categories, Term("weather", "气象", "Weather"))
    key = SigningKey.load(nation.settings.signing_key_file)
    for wrong in (
        later(newest, version=3, categories=weather),
        later(newest, effective_time=newest.effective_time - timedelta(days=1)),
    ):
        entry = entry_pb2.Entry(
            entry_id=new_entry_id(),
            origin="regulator/100000",
            jurisdiction="100000",
            sequence=50,
            policy=policy_to_wire(wrong),
        )
        entry.created_time.FromDatetime(system_clock())
        with pytest.raises(ProofError):
            await view.install([sign_document(entry.SerializeToString(), key)])
    assert (1, micros(newest.effective_time)) == (view.versions[1], view.policies[-1].effective_micros)
