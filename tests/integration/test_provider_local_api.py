"""The local API as a provider's backend uses it: over a real socket, by ProviderClient, with the catalogue's errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from provider_node.settings import ProviderSettings
from shared.client.provider import (
    FilingState,
    ImportRow,
    OrganisationIdentity,
    PersonIdentity,
    ProviderClient,
    ReviewOutcome,
    SubjectKind,
    WithdrawalReason,
)
from shared.clock import system_clock
from shared.cluster.made_up import organisation, person
from shared.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from shared.evidence.keyring import KeyRing
from shared.health_check import wait_until_serving
from shared.identifiers import new_account_id
from tests.integration.filing_samples import NOW
from tests.integration.provider_samples import (
    LICENCE,
    MadeUpNetwork,
    joined_folder,
    made_up_network,
    planted_person,
    serving,
)


@pytest.fixture
async def settings(tmp_path: Path, network: MadeUpNetwork) -> ProviderSettings:
    """A provider that joined."""
    return await joined_folder(tmp_path / "wave", network)


@pytest.fixture
async def node(settings: ProviderSettings) -> AsyncIterator[ProviderClient]:
    """A client of the provider, which serves."""
    async with serving(settings), ProviderClient(settings.local_api) as client:
        yield client


async def test_a_backend_in_ten_lines(node: ProviderClient) -> None:
    """From registration to a queued filing without one generated type (Arts. 6 and 7(1))."""
    agreement = await node.agreement()
    subject = await node.register_person(person(1, "330000"), nickname="样例", agreement=agreement)
    account = await node.open_account(subject.reference, display_name="样例号", category="education")
    account = await node.review_account(account.account_id, passed=True)
    assert account.filing is not None
    assert (7, SubjectKind.PERSON, "330000", FilingState.QUEUED, 1, None) == (
        len(agreement.baselines),
        subject.kind,
        subject.region,
        account.filing.state,
        account.filing.revision,
        account.filing.log_index,
    )


async def test_subjects(node: ProviderClient) -> None:
    """Everything about a subject: read, renamed, changed, signed, read by purpose, audited, deleted."""
    agreement = await node.agreement()
    unit = organisation(1, "样例社", SubjectKind.PUBLIC_INSTITUTION, "330000")
    signed = agreement.signed_at(system_clock() - timedelta(minutes=1))
    subject = await node.register_organisation(
        unit, kind=SubjectKind.PUBLIC_INSTITUTION, nickname="样例", agreement=signed
    )
    assert (subject, signed.sign_time) == (await node.get_subject(subject.reference), subject.agreement.sign_time)
    renamed = await node.change_nickname(subject.reference, "新昵称", etag=subject.etag)
    unit_two = organisation(2, "样例社二", SubjectKind.PUBLIC_INSTITUTION, "440000")
    changed = await node.change_identity(subject.reference, unit_two, etag=renamed.etag)
    assert ("新昵称", "440000") == (changed.nickname, changed.region)
    assert changed == await node.sign_agreement(subject.reference, agreement)
    identity = await node.read_identity(subject.reference, purpose="account_recovery", reader="desk-3")
    assert isinstance(identity, OrganisationIdentity)
    assert (unit_two.uscc, unit_two.operator.id_number) == (identity.uscc, identity.operator.id_number)
    await node.delete_subject(subject.reference)
    with pytest.raises(NotFound):
        await node.get_subject(subject.reference)
    actions = [entry.action async for entry in node.audit(subject.reference)]
    assert ["deleted", "read", "staged", "staged"] == actions


async def test_accounts(node: ProviderClient) -> None:
    """Everything about accounts: reviewed, amended, listed, imported, replayed, withdrawn."""
    subject = await node.register_person(person(1), nickname="样例", agreement=await node.agreement())
    account = await node.open_account(subject.reference, display_name="样例号", category="education")
    failed = await node.review_account(account.account_id, passed=False, reason="名称不合适", etag=account.etag)
    assert (ReviewOutcome.FAILED, "名称不合适") == (failed.review_outcome, failed.review_reason)
    later = system_clock() + timedelta(days=1)
    await node.review_account(account.account_id, passed=True, effective_time=later)
    amended = await node.amend_account(account.account_id, display_name="新名称", category="sports")
    assert ("新名称", "sports", 2) == (
        amended.display_name,
        amended.category,
        amended.filing and amended.filing.revision,
    )
    rows = [ImportRow(number, subject.reference, f"样例{number}", "sports", system_clock()) for number in (1, 2)]
    result = await node.import_accounts(new_account_id(), [*rows, ImportRow(3, b"", "样例", "sports", None)])
    assert (2, 1, 3) == (result.imported, result.failed, result.resume_row)
    assert {"subject_reference", "reviewed_time"} == {each.field for each in result.failures[0].violations}
    assert 3 == len([account async for account in node.accounts()])
    assert 3 == len([account async for account in node.accounts(FilingState.QUEUED)])
    assert 0 == await node.replay(account.account_id)
    withdrawn = await node.withdraw_account(account.account_id, WithdrawalReason.OWNER_REQUEST)
    assert (True, withdrawn) == (withdrawn.withdrawn, await node.get_account(account.account_id))
    assert [3, 2, 1] == [filing.revision async for filing in node.filings(account.account_id)]
    with pytest.raises(NotFound):
        await node.receipt(account.account_id)


async def test_status_and_keys(node: ProviderClient) -> None:
    """The node tells how delivery stands, although its regulator is away, and the keys to verify receipts with."""
    subject = await node.register_person(person(1), nickname="样例", agreement=await node.agreement())
    account = await node.open_account(subject.reference, display_name="样例号", category="education")
    await node.review_account(account.account_id, passed=True)
    status = await node.status()
    assert ("provider/wave", "330000", 1, 1, 1) == (
        status.name,
        status.jurisdiction,
        status.directory_version,
        status.policy_version,
        status.accounts,
    )
    assert [("regulator/330000", 1, 0)] == [(each.name, each.queued, each.parked) for each in status.destinations]
    assert status.certificate_expire_time > system_clock()
    assert (LICENCE, NOW + timedelta(days=4000), False) == (
        status.licence_number,
        status.licence_end_time,
        status.licence_renewal_due,
    )
    names = ("provider/wave", "regulator/100000", "regulator/330000")
    assert names == KeyRing.from_json(await node.key_ring()).names()


async def test_status_says_that_the_licence_ends(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Art. 4: the status tells in good time that the licence is to be renewed, to programs and to people."""
    soon = system_clock() + timedelta(days=2)
    settings = await joined_folder(tmp_path / "wave", network, licence_end=soon)
    async with serving(settings), ProviderClient(settings.local_api) as node:
        status = await node.status()
        assert (LICENCE, soon, True) == (status.licence_number, status.licence_end_time, status.licence_renewal_due)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "provider_node",
            "status",
            "--data",
            settings.folder,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
    assert f"active; licence {LICENCE} until {soon:%Y-%m-%d %H:%M} UTC\nLICENCE_RENEWAL_DUE: ask for" in said.decode()


async def test_errors_are_of_the_catalogue(node: ProviderClient) -> None:
    """A backend handles a remote refusal like a local one: by kind, reason and field."""
    agreement = await node.agreement()
    subject = await node.register_person(person(1), nickname="样例", agreement=agreement)
    with pytest.raises(AlreadyExists) as known:
        await node.register_person(person(1), nickname="样例", agreement=agreement)
    assert f"use subject {subject.reference.hex()}" == known.value.violations[0].mend
    with pytest.raises(Conflict):
        await node.change_nickname(subject.reference, "样例", etag="v9")
    with pytest.raises(InvalidInput) as broken:
        await node.open_account(subject.reference, display_name="两\n行", category="Education")
    assert {"display_name", "category"} == {each.field for each in broken.value.violations}
    account = await node.open_account(subject.reference, display_name="样例号", category="education")
    await node.review_account(account.account_id, passed=True)
    with pytest.raises(FailedPrecondition) as on_file:
        await node.delete_subject(subject.reference)
    assert "ACCOUNT_ON_FILE" == on_file.value.reason


async def test_errors_never_repeat_an_identity(node: ProviderClient, capfd: pytest.CaptureFixture[str]) -> None:
    """Promise 9: whatever is wrong with an identity, neither the error nor the log repeats any of it."""
    good = planted_person()
    agreement = await node.agreement()
    wrong = [
        PersonIdentity(good.real_name, good.id_number[:17] + "Z", good.phone),
        PersonIdentity(good.real_name, good.id_number[:-1], good.phone),
        PersonIdentity(good.real_name + "\n", good.id_number, good.phone),
        PersonIdentity(good.real_name * 30, good.id_number, good.phone),
        PersonIdentity(good.real_name, good.id_number, good.phone + "000"),
        PersonIdentity(good.real_name, good.id_number, f"call {good.phone}"),
    ]
    for identity in wrong:
        with pytest.raises(InvalidInput) as refused:
            await node.register_person(identity, nickname="样例", agreement=agreement)
        told = f"{refused.value.message} {refused.value.reason} {refused.value.violations}"
        assert [] == [part for part in (good.real_name, good.id_number[:15], good.phone) if part in told]
    for nickname in (good.id_number, f"找{good.phone}"):
        with pytest.raises(InvalidInput) as front:
            await node.register_person(good, nickname=nickname, agreement=agreement)
        assert nickname not in f"{front.value} {front.value.violations}"
    said = "".join(capfd.readouterr())
    assert [] == [part for part in (good.real_name, good.id_number, good.phone) if part in said]


async def test_repeated_calls_with_a_request_id(node: ProviderClient) -> None:
    """A backend that did not get an answer asks again with the same request_id and gets the first one."""
    agreement, request = (await node.agreement()).signed_at(system_clock()), new_account_id()
    first = await node.register_person(person(1), nickname="样例", agreement=agreement, request_id=request)
    again = await node.register_person(person(1), nickname="样例", agreement=agreement, request_id=request)
    opened = [
        await node.open_account(first.reference, display_name="样例号", category="education", request_id=request)
        for _ in range(2)
    ]
    assert (first, opened[0]) == (again, opened[1])


async def test_socket_is_for_its_owner_and_goes_with_the_node(settings: ProviderSettings) -> None:
    """Nobody else on the machine reaches the local API; a stopped node is told as unreachable."""
    async with serving(settings) as listen:
        assert {"backend": settings.local_api} == dict(listen)
        assert 0o600 == (settings.folder / "backend.sock").stat().st_mode & 0o777
    async with ProviderClient(settings.local_api) as client:
        with pytest.raises(Unavailable):
            await client.status()


async def test_loopback_asks_for_the_token(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Over TCP the backend is known by its bearer token; without it, or with another, nothing is answered."""
    token_file = tmp_path / "backend.token"
    token_file.write_text("a" * 43)
    token_file.chmod(0o600)
    settings = await joined_folder(tmp_path / "wave", network, listen="127.0.0.1:0", backend_token_file=str(token_file))
    async with serving(settings) as listen:
        async with ProviderClient(listen["backend"], token="a" * 43) as client:
            assert "provider/wave" == (await client.status()).name
        for token in ("", "b" * 43):
            async with ProviderClient(listen["backend"], token=token) as stranger:
                with pytest.raises(Unauthenticated):
                    await stranger.status()


async def test_tls_proves_the_node_and_still_asks_for_the_token(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Beyond loopback the local API speaks TLS with the node's certificate, which the client pins by its name."""
    token_file = tmp_path / "backend.token"
    token_file.write_text("a" * 43)
    token_file.chmod(0o600)
    settings = await joined_folder(
        tmp_path / "wave", network, listen="127.0.0.1:0", listen_tls=True, backend_token_file=str(token_file)
    )
    ca_pem = (settings.credentials_folder / "ca.pem").read_text()
    async with serving(settings) as listen:
        address = listen["backend"]
        async with ProviderClient(address, token="a" * 43, ca_pem=ca_pem, node_name="provider/wave") as client:
            assert "provider/wave" == (await client.status()).name
        async with ProviderClient(address, ca_pem=ca_pem, node_name="provider/wave") as stranger:
            with pytest.raises(Unauthenticated):
                await stranger.status()
        async with ProviderClient(address, token="a" * 43, ca_pem=ca_pem, node_name="provider/other") as misled:
            with pytest.raises(Unavailable):
                await misled.status()


async def test_node_says_when_it_serves(settings: ProviderSettings) -> None:
    """The standard health service answers on the local API, for whoever starts and watches nodes."""
    async with serving(settings) as listen:
        await asyncio.to_thread(wait_until_serving, listen["backend"], 10.0)


async def test_restart_keeps_everything(settings: ProviderSettings) -> None:
    """What was acknowledged is there after a restart: subject, account, filing, and the answer to a repeated call."""
    request = new_account_id()
    async with serving(settings), ProviderClient(settings.local_api) as node:
        signed = (await node.agreement()).signed_at(system_clock())
        subject = await node.register_person(person(1), nickname="样例", agreement=signed, request_id=request)
        account = await node.open_account(subject.reference, display_name="样例号", category="education")
        account = await node.review_account(account.account_id, passed=True)
    async with serving(settings), ProviderClient(settings.local_api) as node:
        assert account == await node.get_account(account.account_id)
        assert subject == await node.register_person(person(1), nickname="样例", agreement=signed, request_id=request)
        assert 1 == (await node.status()).accounts


async def test_taken_socket_is_refused_and_left_alone(tmp_path: Path, settings: ProviderSettings) -> None:
    """A second node on the same socket says so and stops; the first one goes on to answer."""
    other = tmp_path / "other"
    other.mkdir()
    async with made_up_network(other) as network, serving(settings), ProviderClient(settings.local_api) as node:
        second = await joined_folder(other / "wave", network, listen=settings.local_api)
        with pytest.raises(FailedPrecondition) as refused:
            async with serving(second):
                pass
        assert ("SOCKET_IN_USE", "provider/wave") == (refused.value.reason, (await node.status()).name)
