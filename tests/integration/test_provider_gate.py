"""The publication gate of a provider (Arts. 2, 4, 7(2), 8(1)), on real files: what is changed counts within its call."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from provider_node.gate import Gate
from provider_node.gate_facts import NoMeasures
from provider_node.settings import ProviderSettings
from shared.client.label_types import LabelState, SubjectLicence
from shared.client.provider import ProviderClient
from shared.clock import micros, system_clock
from shared.cluster.made_up import organisation
from shared.database import Transaction
from shared.errors import InvalidInput
from shared.identifiers import new_account_id
from shared.provisions.account_states import ReviewOutcome
from shared.provisions.filings import WithdrawalReason
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.provider_standing import ALWAYS_LICENSED
from shared.provisions.publication import Audience, PublicationAct, PublicationForm
from shared.provisions.spans import FOREVER
from shared.provisions.subjects import SubjectKind
from tests.integration.filing_samples import NOW
from tests.integration.provider_label_samples import (
    DAY,
    INSTANT,
    REPRINTER,
    Labelling,
    filed_unit,
    labelling_provider,
    licence,
    news_unit,
)
from tests.integration.provider_samples import joined_folder, made_up_network, made_up_provider, serving

PUBLISH, REPRINT, OTHER = PublicationAct.PUBLISH, PublicationAct.REPRINT, PublicationAct.OTHER


@pytest.fixture
async def gated(tmp_path: Path, database_url: str) -> AsyncIterator[Labelling]:
    """A provider with a news unit's filed account."""
    async with labelling_provider(tmp_path, database_url) as labelling:
        yield labelling


async def test_art_7_2_news_needs_a_right_and_other_things_none(gated: Labelling) -> None:
    """Without a label no news; everything else goes, for as long as nothing changes."""
    answers = [await gated.ask(PUBLISH), await gated.ask(REPRINT), await gated.ask(OTHER)]
    assert ["NO_RIGHT_TO_PUBLISH_NEWS", "NO_RIGHT_TO_REPRINT_NEWS", "NEITHER_ACT"] == [each.reason for each in answers]
    assert (True, FOREVER) == (await gated.ask(is_news=False))[::4]


async def test_art_7_3_label_follows_the_right_within_the_call(gated: Labelling) -> None:
    """What was refused before the grant is allowed after it, and refused again once it is revoked."""
    before = await gated.reason()
    label = await gated.grant()
    granted = await gated.ask()
    await gated.provider.labels.revoke(label.row.grant_id, "owner_request", "")
    after = await gated.ask()
    assert ("NO_RIGHT_TO_PUBLISH_NEWS", "MAY_PUBLISH", "NO_RIGHT_TO_PUBLISH_NEWS") == (
        before,
        granted.reason,
        after.reason,
    )
    assert (LabelScope.PUBLISH_AND_REPRINT, LabelScope.UNSPECIFIED) == (granted.label, after.label)
    assert [("Art. 7(2)", "grant", label.row.grant_id, "REVOKED")] == [*after.chain[1:]]


async def test_art_7_2_a_reprinting_licence_lets_reprint_only(gated: Labelling) -> None:
    """A licensed unit that is no news unit reprints and publishes nothing."""
    await gated.grant(news_unit(basis=LabelBasis.LICENSED_NON_NEWS_UNIT, licence=licence(REPRINTER)))
    assert ("MAY_REPRINT", "NO_RIGHT_TO_PUBLISH_NEWS") == (await gated.reason(REPRINT), await gated.reason(PUBLISH))


async def test_art_7_3_label_lapses_at_its_minute(gated: Labelling) -> None:
    """A label opens at its start and closes at its end by itself, and each answer says until when it holds."""
    start, end = NOW + DAY, NOW + 2 * DAY
    await gated.grant(news_unit(start_time=micros(start), end_time=micros(end)))
    found = []
    for moment in (NOW, start - INSTANT, start, end - INSTANT, end):
        gated.provider.clock.now = moment
        answer = await gated.ask()
        found.append((answer.allowed, answer.holds_until))
    closed, opened = (False, micros(start)), (True, micros(end))
    # After its end nothing but the end of the provider's own licence would change the answer.
    assert [closed, closed, opened, opened, (False, micros(NOW + 4000 * DAY))] == found


async def test_art_4_lapse_of_the_provider_closes_all_labels_at_once(gated: Labelling) -> None:
    """Every right ends with the provider's own licence, by its date and by a directory; a renewed one opens them."""
    await gated.grant()
    end = NOW + 10 * DAY
    await gated.install(licence_end=end)
    assert (True, micros(end)) == (await gated.ask())[::4]
    gated.provider.clock.now = end
    assert ("PROVIDER_LICENCE", "NOT_NEWS") == (await gated.reason(), await gated.reason(is_news=False))
    await gated.install()
    assert "MAY_PUBLISH" == await gated.reason()


async def test_art_7_1_account_is_asked_where_it_stands_now(gated: Labelling) -> None:
    """Opened, reviewed and withdrawn: the gate follows each step within its call."""
    provider = gated.provider
    subject = await provider.registered()
    unknown = new_account_id()
    found = [await gated.reason(is_news=False, account_id=unknown)]
    account = await provider.opened(subject)
    found.append(await gated.reason(is_news=False, account_id=account.account_id))
    await provider.accounts.review(account.account_id, ReviewOutcome.PASSED, "", "", None)
    found.append(await gated.reason(is_news=False, account_id=account.account_id.upper()))
    await provider.accounts.withdraw(account.account_id, WithdrawalReason.OWNER_REQUEST, "")
    found.append(await gated.reason(is_news=False, account_id=account.account_id))
    assert ["ACCOUNT_UNKNOWN", "ACCOUNT_NOT_REVIEWED", "NOT_NEWS", "ACCOUNT_WITHDRAWN"] == found


async def test_art_2_other_forms_need_no_review(gated: Labelling) -> None:
    """A group or moments may be public before an account was reviewed; a public account may not."""
    account = await gated.provider.opened(await gated.provider.registered())
    found = [
        await gated.reason(is_news=False, account_id=account.account_id, form=form) for form in PublicationForm if form
    ]
    assert ["ACCOUNT_NOT_REVIEWED", "NOT_NEWS", "NOT_NEWS"] == found


def rows_of(transaction: Transaction) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the node's database."""
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if transaction.dialect == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    return {
        name: sorted(transaction.execute(f"SELECT * FROM {name}"), key=repr) for (name,) in transaction.execute(tables)
    }


def content_of(folder: Path) -> dict[Path, bytes]:
    """Every byte below a folder."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def test_art_2_private_acts_leave_no_trace(
    gated: Labelling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a private act nothing is stored, written, said, or held in memory, whatever account it names."""
    unknown, known = new_account_id(), gated.account.account_id
    gate = gated.provider.gate
    before = await gated.provider.database.read(rows_of)
    files = content_of(tmp_path)
    held = repr(vars(gate))
    capsys.readouterr()
    reasons = {
        await gated.reason(act, audience=Audience.PRIVATE, account_id=account, is_news=news, form=form)
        for account in (known, unknown)
        for act in (PUBLISH, REPRINT, OTHER)
        for news in (True, False)
        for form in PublicationForm
        if form
    }
    assert {"PRIVATE"} == reasons
    assert held == repr(vars(gate))
    assert ("", "") == capsys.readouterr()
    assert files == content_of(tmp_path)
    assert before == await gated.provider.database.read(rows_of)


async def test_gate_knows_after_a_restart(tmp_path: Path, database_url: str) -> None:
    """Grants are there again after a restart, before anything is asked; nobody else has to be there."""
    async with made_up_network(tmp_path) as network:
        async with made_up_provider(tmp_path, network, database_url) as provider:
            first = Labelling(provider, network, await filed_unit(provider))
            await first.grant()
        async with made_up_provider(tmp_path, network, database_url) as provider:
            assert "MAY_PUBLISH" == await Labelling(provider, network, first.account).reason()


async def test_gate_knows_every_account_before_the_first_question(
    gated: Labelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a start the gate answers of every account, with a right or without, and asks the database for none."""
    provider = gated.provider
    subject = await provider.registered()
    plain = [await provider.opened(subject) for _ in range(3)]
    await provider.accounts.review(plain[0].account_id, ReviewOutcome.PASSED, "", "", None)
    await provider.accounts.review(plain[1].account_id, ReviewOutcome.PASSED, "", "", None)
    await provider.accounts.withdraw(plain[1].account_id, WithdrawalReason.OWNER_REQUEST, "")
    await gated.grant()
    gate = Gate(provider.database, NoMeasures(), lambda: ALWAYS_LICENSED, provider.clock)
    await gate.load()
    await gate.close()

    async def nothing_is_read(account_id: str) -> NoReturn:
        raise AssertionError(account_id)

    monkeypatch.setattr(gate, "_fetch", nothing_is_read)
    monkeypatch.setattr(gate, "_reader", None)
    asked = [gated.account.account_id, *(each.account_id for each in plain)]
    answers = [await gate.check(each, PUBLISH, True, Audience.PUBLIC, PublicationForm.PUBLIC_ACCOUNT) for each in asked]
    assert ["MAY_PUBLISH", "NO_RIGHT_TO_PUBLISH_NEWS", "ACCOUNT_WITHDRAWN", "ACCOUNT_NOT_REVIEWED"] == [
        each.reason for each in answers
    ]


async def test_gate_answers_of_accounts_beyond_those_that_it_holds(gated: Labelling) -> None:
    """Where there are more accounts than are held at the start, each is answered all the same, with its right."""
    provider = gated.provider
    await gated.grant()
    subject = await provider.registered()
    others = [await provider.opened(subject) for _ in range(3)]
    gate = Gate(provider.database, NoMeasures(), lambda: ALWAYS_LICENSED, provider.clock, remembered=1)
    await gate.load()
    asked = [gated.account.account_id, *(each.account_id for each in others)]
    answers = [await gate.check(each, PUBLISH, True, Audience.PUBLIC, PublicationForm.MOMENTS) for each in asked]
    assert ["MAY_PUBLISH", *["NO_RIGHT_TO_PUBLISH_NEWS"] * 3] == [each.reason for each in answers]
    assert len(gate._remembered) <= 1
    await gate.close()


async def test_change_counts_although_its_caller_went_away(gated: Labelling) -> None:
    """A call that is cancelled while it is stored is stored and in force at the gate."""
    await gated.reason()
    granting = asyncio.create_task(gated.grant())
    await asyncio.sleep(0)
    granting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await granting
    await gated.provider.gate.close()
    assert "MAY_PUBLISH" == await gated.reason()


async def test_refused_grant_is_no_right(gated: Labelling) -> None:
    """Art. 7(3): a grant that the regulator's register refused closes when the refusal is stored."""
    label = await gated.grant()
    await gated.provider.deliver(policies=())
    assert "NO_RIGHT_TO_PUBLISH_NEWS" == await gated.reason()
    await gated.provider.accounts.replay(label.row.account_id)
    assert "MAY_PUBLISH" == await gated.reason()


async def test_gate_remembers_a_bounded_number_of_accounts(gated: Labelling) -> None:
    """Memory does not grow with the accounts that post."""
    provider = gated.provider
    gate = Gate(provider.database, NoMeasures(), lambda: ALWAYS_LICENSED, provider.clock, remembered=2)
    subject = await provider.registered()
    for account in [await provider.opened(subject) for _ in range(5)]:
        await gate.check(account.account_id, PUBLISH, False, Audience.PUBLIC, PublicationForm.MOMENTS)
    assert 2 == len(gate._remembered)
    await gate.close()


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[ProviderSettings]:
    """A provider that joined a network whose nodes are all away."""
    async with made_up_network(tmp_path) as network:
        yield await joined_folder(tmp_path / "wave", network)


async def filed_over_the_socket(node: ProviderClient) -> str:
    """Registers a made-up news unit and files its account; returns the account's id."""
    unit = organisation(1, "样例报社", SubjectKind.PUBLIC_INSTITUTION, "330000")
    subject = await node.register_organisation(
        unit, kind=SubjectKind.PUBLIC_INSTITUTION, nickname="样例", agreement=await node.agreement()
    )
    account = await node.open_account(subject.reference, display_name="样例报", category="current_political_news")
    return (await node.review_account(account.account_id, passed=True)).account_id


async def test_gate_answers_while_every_regulator_is_away(settings: ProviderSettings) -> None:
    """Promise 5: over the local API, from right to refusal, with nobody else there; a restart changes nothing."""
    now = system_clock()
    held = SubjectLicence("33120240001", now - 300 * DAY, now + 300 * DAY)
    async with serving(settings), ProviderClient(settings.local_api) as node:
        account = await filed_over_the_socket(node)
        before = await node.check_publication(account, PUBLISH, is_news=True)
        label = await node.grant_label(account, LabelBasis.NEWS_UNIT, licence=held)
        granted = await node.check_publication(account, PUBLISH, is_news=True)
        assert (False, True, LabelScope.PUBLISH_AND_REPRINT, label.end_time) == (
            before.allowed,
            granted.allowed,
            granted.label,
            granted.hold_until,
        )
        assert [label] == [each async for each in node.labels(account, state=LabelState.GRANTED)]
    async with serving(settings), ProviderClient(settings.local_api) as node:
        assert granted == await node.check_publication(account, PUBLISH, is_news=True)
        narrowed = await node.narrow_label(label.grant_id, scope=LabelScope.REPRINT, etag=label.etag)
        revoked = await node.revoke_label(label.grant_id, "owner_request", etag=narrowed.etag)
        assert (LabelState.REVOKED, "owner_request") == (revoked.state, (await node.get_label(label.grant_id)).reason)
        assert not (await node.check_publication(account, REPRINT, is_news=True)).allowed


async def test_request_of_the_gate_is_held_to_its_contract(settings: ProviderSettings) -> None:
    """A question without an act, or about no account at all, is refused by field, as everywhere."""
    async with serving(settings), ProviderClient(settings.local_api) as node:
        for account, act in (("nobody", PUBLISH), (new_account_id(), PublicationAct.UNSPECIFIED)):
            with pytest.raises(InvalidInput) as caught:
                await node.check_publication(account, act, is_news=True, audience=Audience.PRIVATE)
            assert ("FIELD_VIOLATIONS", 1) == (caught.value.reason, len(caught.value.violations))
        answer = await node.check_publication(new_account_id(), OTHER, is_news=True, audience=Audience.PRIVATE)
        assert (True, "PRIVATE") == (answer.allowed, answer.reason)


async def test_commands_for_labels_gate_and_duties(settings: ProviderSettings, tmp_path: Path) -> None:
    """Everything the local API does with labels, the gate and duties, a person can do at a terminal."""
    data, now = str(settings.folder), system_clock()
    duty = {"code": "account_review", "in_force_time": "2026-01-01T00:00:00+08:00"}
    counted = (now - DAY).isoformat()
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"duties": [duty], "staff": 4, "users": 900, "counted_time": counted}), "utf-8")
    dates = ("--licence-start", f"{now - 300 * DAY:%Y-%m-%d}", "--licence-end", f"{now + 300 * DAY:%Y-%m-%d}")
    async with serving(settings), ProviderClient(settings.local_api) as node:
        account = await filed_over_the_socket(node)
        check = ("gate", "check", "--data", data, account, "--act", "publish", "--news")
        assert 1 == (await run_alone(*check))[0]
        basis = ("--basis", "news_unit", "--licence", "33120240001")
        code, said = await run_alone("labels", "grant", "--data", data, account, *basis, *dates, "--json")
        assert (0, account) == (code, json.loads(said)["account_id"])
        grant = json.loads(said)["grant_id"]
        assert (0, True) == ((checked := await run_alone(*check, "--json"))[0], json.loads(checked[1])["allowed"])
        code, said = await run_alone("labels", "revoke", "--data", data, grant, "--reason", "owner_request")
        assert (0, True) == (code, "revoked" in said)
        assert 0 == (await run_alone("labels", "list", "--data", data, "--state", "revoked"))[0]
        assert 2 == (await run_alone("labels", "list", "--data", data, "--state", "no_such_state"))[0]
        code, said = await run_alone("duties", "file", "--data", data, "--file", str(profile))
        assert (0, True) == (code, "profile 1 (queued): 4 staff, 900 users" in said)
        assert 0 == (await run_alone("duties", "show", "--data", data, "--json"))[0]


async def run_alone(*arguments: str) -> tuple[int, str]:
    """Runs a command as a process of its own; returns its exit code and what it said on stdout."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "provider_node", *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
