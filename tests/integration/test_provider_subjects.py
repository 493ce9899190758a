"""Registration (Art. 6): verified and signed before anything is stored, once for each identity, deleted for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provider_node.accounts import Accounts
from provider_node.subject_rows import remove_subject
from provider_node.subjects import Subjects
from shared.cluster.made_up import organisation, person
from shared.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidInput, NotFound, Unavailable
from shared.identifiers import new_account_id
from shared.provisions.agreements import agreement_digest
from shared.provisions.filings import WithdrawalReason
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import FormVerifier, OrganisationIdentity, PersonIdentity, Verification
from tests.integration.filing_samples import NOW
from tests.integration.provider_samples import (
    MadeUpNetwork,
    MadeUpProvider,
    files_with,
    made_up_provider,
    planted_person,
)

NOBODY = person(1)
MISTYPED = replace(NOBODY, id_number=NOBODY.id_number[:17] + ("1" if NOBODY.id_number[17] == "0" else "0"))


@pytest.fixture
async def provider(tmp_path: Path, network: MadeUpNetwork, database_url: str) -> AsyncIterator[MadeUpProvider]:
    """The provider, on both engines."""
    folder = tmp_path / "wave"
    folder.mkdir()
    async with made_up_provider(folder, network, database_url) as made:
        yield made


async def stored(provider: MadeUpProvider) -> tuple[int, int, int]:
    """How much of subjects there is: in the database, of audit lines, and unsettled in the vault."""
    return (
        await provider.count("subject") + await provider.count("request") + await provider.count("agreement_signature"),
        len(await provider.vault.audit_trail()),
        len(await provider.vault.unsettled()),
    )


async def test_person_registers(provider: MadeUpProvider) -> None:
    """Art. 6: a verified person with a signed agreement is registered under a random reference and a free name."""
    subject = await provider.registered(person(1, "330000"))
    assert (SubjectKind.PERSON, "样例昵称", "330000", 16, 1, NOW) == (
        subject.kind,
        subject.nickname,
        subject.region,
        len(subject.reference),
        subject.agreement.version,
        subject.verified_time,
    )
    assert subject == await provider.subjects.get(subject.reference)
    assert subject.reference != (await provider.registered(person(2, "330000"))).reference


async def test_organisation_registers(provider: MadeUpProvider) -> None:
    """Art. 7(4): an organisation registers under its kind; its name and code are public, its operator is not."""
    unit = organisation(1, "样例社", SubjectKind.PUBLIC_INSTITUTION, "330000")
    subject = await provider.registered(unit, kind=SubjectKind.PUBLIC_INSTITUTION)
    assert (unit.uscc, "样例社", "330000") == (subject.uscc, subject.organisation_name, subject.region)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identity": MISTYPED}, "IDENTITY_NOT_VERIFIED"),
        ({"identity": replace(NOBODY, phone="12")}, "IDENTITY_NOT_VERIFIED"),
        ({"kind": SubjectKind.ENTERPRISE}, "SUBJECT_KIND_WRONG"),
        (
            {"identity": organisation(1, "样例社", SubjectKind.ENTERPRISE, "330000"), "kind": SubjectKind.PERSON},
            "SUBJECT_KIND_WRONG",
        ),
        (
            {
                "identity": organisation(1, "样例社 13800001234", SubjectKind.ENTERPRISE, "330000"),
                "kind": SubjectKind.ENTERPRISE,
            },
            "IDENTITY_DATA",
        ),
        ({"nickname": "找我 13800001234"}, "IDENTITY_DATA"),
    ],
)
async def test_art_6_1_nothing_is_stored_of_who_is_not_verified(
    provider: MadeUpProvider, changes: dict[str, Any], reason: str
) -> None:
    """Art. 6(1): without a verified identity that fits nothing is stored, and the error names fields, never values."""
    with pytest.raises(InvalidInput) as refused:
        await provider.subjects.register(provider.registration(**changes))
    assert (reason, (0, 0, 0)) == (refused.value.reason, await stored(provider))
    told = f"{refused.value} {refused.value.violations}"
    assert not any(value in told for value in (NOBODY.id_number[:17], "13800001234", "样例"))


@pytest.mark.parametrize("changes", [{"version": 2}, {"digest": agreement_digest(1, ["other"])}])
async def test_art_6_2_nothing_is_stored_without_signature(provider: MadeUpProvider, changes: dict[str, Any]) -> None:
    """Art. 6(2): no signature of the agreement in force, no registration."""
    with pytest.raises(InvalidInput) as refused:
        await provider.registered(agreement=provider.signature(**changes))
    assert ("AGREEMENT_NOT_SIGNED", (0, 0, 0)) == (refused.value.reason, await stored(provider))


async def test_identity_is_in_no_file_of_the_node(provider: MadeUpProvider) -> None:
    """Art. 5(2): a planted person is found in no file of the node, whatever was done with it."""
    subject = await provider.registered(planted_person())
    await provider.filed(subject)
    await provider.deliver()
    await provider.subjects.read_identity(subject.reference, "account_recovery", "desk-3")
    identity = planted_person()
    folder = provider.folder.parent
    assert [] == files_with(folder, identity.real_name, identity.id_number, identity.phone)


async def test_one_identity_is_one_subject(provider: MadeUpProvider) -> None:
    """Registering an identity again tells the reference of the first, by another person's request too."""
    subject = await provider.registered(person(1))
    with pytest.raises(AlreadyExists) as refused:
        await provider.registered(person(1), nickname="另一昵称")
    assert f"use subject {subject.reference.hex()}" == refused.value.violations[0].mend


async def test_repeated_request_gets_the_first_answer(provider: MadeUpProvider) -> None:
    """A registration whose answer was lost is asked for again, also after the agreement and the nickname changed."""
    registration = provider.registration()
    first = await provider.subjects.register(registration)
    await provider.subjects.change_nickname(first.reference, "改名", "")
    provider.clock.now += timedelta(days=400)
    assert first == await provider.subjects.register(registration)
    with pytest.raises(InvalidInput) as refused:
        await provider.subjects.register(replace(registration, nickname="另一昵称"))
    assert "REQUEST_ID_REUSED" == refused.value.reason


async def test_same_request_at_once_has_one_effect(provider: MadeUpProvider) -> None:
    """An impatient caller that sends its request many times at once gets one subject, the same each time."""
    registration = provider.registration()
    answers = await asyncio.gather(*(provider.subjects.register(registration) for _ in range(5)))
    assert [answers[0]] * 5 == answers
    assert 1 == await provider.count("subject")


async def test_art_6_1_front_name_changes_freely(provider: MadeUpProvider) -> None:
    """Art. 6(1): a name at the front needs no verification, and an etag keeps two changes from crossing."""
    subject = await provider.registered()
    changed = await provider.subjects.change_nickname(subject.reference, "新昵称", subject.etag)
    assert ("新昵称", True) == (changed.nickname, changed.etag != subject.etag)
    with pytest.raises(Conflict):
        await provider.subjects.change_nickname(subject.reference, "晚了", subject.etag)
    with pytest.raises(InvalidInput):
        await provider.subjects.change_nickname(subject.reference, f"我是 {NOBODY.id_number}", "")


async def test_art_6_1_change_of_identity_is_verified_again(provider: MadeUpProvider) -> None:
    """Art. 6(1): a new identity at the back is verified; a wrong one changes nothing; the old one is shredded."""
    subject = await provider.registered(person(1, "330000"))
    with pytest.raises(InvalidInput):
        await provider.subjects.change_identity(new_account_id(), subject.reference, MISTYPED, "")
    assert subject == await provider.subjects.get(subject.reference)
    provider.clock.now += timedelta(days=1)
    request = new_account_id()
    changed = await provider.subjects.change_identity(request, subject.reference, person(2, "440000"), subject.etag)
    assert ("440000", provider.clock.now, 2) == (changed.region, changed.verified_time, changed.identity_version)
    assert changed == await provider.subjects.change_identity(
        request, subject.reference, person(2, "440000"), subject.etag
    )
    identity = await provider.subjects.read_identity(subject.reference, "account_recovery", "desk-3")
    assert person(2, "440000").id_number == getattr(identity, "id_number", "")
    assert [] == await provider.vault.unsettled()
    await provider.registered(person(1, "330000"))


async def test_kind_stays(provider: MadeUpProvider) -> None:
    """A person does not become an enterprise by a change of identity."""
    subject = await provider.registered()
    unit = organisation(1, "样例社", SubjectKind.ENTERPRISE, "330000")
    with pytest.raises(InvalidInput) as refused:
        await provider.subjects.change_identity(new_account_id(), subject.reference, unit, "")
    assert "SUBJECT_KIND_WRONG" == refused.value.reason


async def test_crossing_changes_leave_one_readable_identity(provider: MadeUpProvider) -> None:
    """Changes of one subject at once never leave it without an identity."""
    subject = await provider.registered(person(1))
    await asyncio.gather(
        *(
            provider.subjects.change_identity(new_account_id(), subject.reference, person(number), "")
            for number in range(2, 7)
        )
    )
    identity = await provider.subjects.read_identity(subject.reference, "account_recovery", "desk-3")
    assert isinstance(identity, PersonIdentity)
    assert [] == await provider.vault.unsettled()


async def test_caller_that_goes_away_breaks_nothing(provider: MadeUpProvider) -> None:
    """A registration whose caller hung up at any moment is whole or not there, and never half."""
    for turns in range(12):
        task = asyncio.create_task(provider.registered(person(turns + 1)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await provider.subjects.finish()
    assert [] == await provider.vault.unsettled()
    rows = await provider.database.read(lambda transaction: transaction.execute("SELECT reference FROM subject"))
    for (reference,) in rows:
        await provider.subjects.read_identity(bytes(reference), "self_check", "test")


@pytest.mark.parametrize(
    ("method", "told"), [("form", "form"), ("公安接口", "unnamed"), ("call 13812345678", "unnamed")]
)
async def test_how_an_identity_was_verified_is_in_the_trail(
    provider: MadeUpProvider, monkeypatch: pytest.MonkeyPatch, method: str, told: str
) -> None:
    """Art. 6(2): the verifier's name for what it did is kept with registration and change; no number gets in by it."""
    monkeypatch.setattr(FormVerifier, "METHOD", method)
    subject = await provider.registered(person(1))
    await provider.subjects.change_identity(new_account_id(), subject.reference, person(2), "")
    trail = await provider.vault.audit_trail(subject.reference)
    assert [("staged", told), ("staged", told)] == [
        (each.action, each.purpose) for each in trail if each.action == "staged"
    ]


async def test_read_is_audited(provider: MadeUpProvider) -> None:
    """Whoever reads an identity is in the audit trail with the purpose; an unknown reference is not found."""
    subject = await provider.registered(person(1))
    await provider.subjects.read_identity(subject.reference, "account_recovery", "desk-3")
    newest = (await provider.vault.audit_trail(subject.reference))[0]
    assert ("read", "account_recovery", "desk-3", NOW) == (newest.action, newest.purpose, newest.reader, newest.time)
    with pytest.raises(NotFound):
        await provider.subjects.read_identity(bytes(16), "account_recovery", "desk-3")


async def test_art_6_2_new_agreement_is_signed_again(provider: MadeUpProvider, network: MadeUpNetwork) -> None:
    """Art. 6(2): once a new version holds, new subjects sign it and older ones sign it again; both times are kept."""
    subject, first = await provider.registered(person(1)), provider.signature()
    await provider.view.install([network.policy(2, NOW + timedelta(days=1))])
    assert subject == await provider.subjects.sign_agreement(subject.reference, provider.signature())
    provider.clock.now += timedelta(days=2)
    with pytest.raises(InvalidInput):
        await provider.registered(person(2), agreement=first)
    again = await provider.subjects.sign_agreement(subject.reference, provider.signature())
    assert (2, provider.clock.now) == (again.agreement.version, again.agreement.sign_time)
    assert again == await provider.subjects.sign_agreement(subject.reference, provider.signature())
    assert 2 == await provider.count("agreement_signature")


async def test_deleted_subject_is_gone(provider: MadeUpProvider) -> None:
    """A deleted subject is in no table; only the audit trail knows that there was a reference."""
    subject = await provider.registered(person(1))
    with pytest.raises(Conflict):
        await provider.subjects.delete(subject.reference, "v9")
    await provider.subjects.delete(subject.reference, subject.etag)
    with pytest.raises(NotFound):
        await provider.subjects.get(subject.reference)
    assert (0, 2, 0) == await stored(provider)
    assert (await provider.registered(person(1))).reference != subject.reference


async def test_deletion_waits_for_the_register(provider: MadeUpProvider) -> None:
    """While an account of the subject is on file, or its withdrawal is under way, the subject cannot be deleted."""
    subject = await provider.registered()
    account = await provider.filed(subject)

    async def refused() -> str:
        with pytest.raises(FailedPrecondition) as error:
            await provider.subjects.delete(subject.reference, "")
        return error.value.reason

    assert "ACCOUNT_ON_FILE" == await refused()
    await provider.deliver()
    await provider.accounts.withdraw(account.account_id, WithdrawalReason.OWNER_REQUEST, "")
    assert "ACCOUNT_ON_FILE" == await refused()
    await provider.deliver()
    await provider.subjects.delete(subject.reference, "")


class Unsure:
    """A verifier whose service is away."""

    async def verify_person(self, identity: PersonIdentity) -> Verification:
        """Cannot tell."""
        raise Unavailable("the service does not answer: try again", "VERIFIER_AWAY")

    async def verify_organisation(self, identity: OrganisationIdentity) -> Verification:
        """Cannot tell either."""
        raise Unavailable("the service does not answer: try again", "VERIFIER_AWAY")


async def test_verifier_that_is_away_registers_nobody(provider: MadeUpProvider) -> None:
    """A provider's own verifier that cannot tell stores nothing, and the same request works later."""
    registration = provider.registration()
    standing = provider.subjects._standing
    unsure = Subjects(provider.database, provider.vault, Unsure(), standing, provider.clock)
    with pytest.raises(Unavailable):
        await unsure.register(registration)
    assert (0, 0, 0) == await stored(provider)
    await provider.subjects.register(registration)


async def test_start_settles_a_registration_that_a_crash_cut(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Promise 1: a crash between vault and database leaves nobody, and the identity can register afterwards."""
    async with made_up_provider(tmp_path, network) as provider:
        await provider.vault.stage(bytes(16), person(1), NOW)
    async with made_up_provider(tmp_path, network) as again:
        assert (0, 2, 0) == await stored(again)
        await again.registered(person(1))


async def test_start_settles_a_change_that_a_crash_cut(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Promise 1: a crash between vault and database leaves the identity as the database names it."""
    async with made_up_provider(tmp_path, network) as provider:
        subject = await provider.registered(person(1))
        await provider.vault.stage(subject.reference, person(2), NOW)
    async with made_up_provider(tmp_path, network) as again:
        identity = await again.subjects.read_identity(subject.reference, "self_check", "test")
        assert person(1).id_number == getattr(identity, "id_number", "")
        await again.registered(person(2))


async def test_start_finishes_a_deletion_that_a_crash_cut(tmp_path: Path, network: MadeUpNetwork) -> None:
    """Promise 10: a crash after the database's part of a deletion leaves nothing to read after the next start."""
    async with made_up_provider(tmp_path, network) as provider:
        subject = await provider.registered(person(1))
        await provider.vault.mark(subject.reference)
        await provider.database.write(lambda transaction: remove_subject(transaction, subject.reference))
    async with made_up_provider(tmp_path, network) as again:
        with pytest.raises(NotFound):
            await again.vault.read(subject.reference, subject.identity_version, "self_check", "test", NOW)
        assert [] == await again.vault.unsettled()


async def test_identity_of_a_change_cut_short_is_free_without_a_restart(provider: MadeUpProvider) -> None:
    """What a failed change left staged is settled when the same identity comes again, not only at a restart."""
    await provider.vault.stage(bytes(16), person(1), NOW)
    await provider.registered(person(1))
    assert [] == await provider.vault.unsettled()


def test_use_cases_take_no_generated_type() -> None:
    """Subjects and accounts can be used without a server: their annotations name no message."""
    for use_case in (Subjects, Accounts):
        for name, method in vars(use_case).items():
            assert "pb2" not in str(getattr(method, "__annotations__", {})), name
