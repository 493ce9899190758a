"""The vault: the only place with identities keeps them sealed, audited, unique, and shreds them for good."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from provider_node.blind_index import derived_key
from provider_node.master_key import KEY_BYTES, MasterKeys
from provider_node.vault import Vault, _root, open_vault
from provider_node.vault_files import attach_vault, open_keys
from shared.cluster.made_up import organisation, person
from shared.errors import AlreadyExists, Exhausted, FailedPrecondition, Internal, NotFound
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity
from tests.integration.filing_samples import NOW
from tests.integration.provider_samples import MASTERS, files_with, planted_person

FIRST, SECOND = bytes(16), bytes(15) + b"\1"
NEXT_MASTERS = MasterKeys({**MASTERS.versions, 2: b"n" * KEY_BYTES})


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    """An open vault."""
    opened = open_vault(tmp_path, MASTERS)
    yield opened
    await opened.close()


def fields_of(identity: PersonIdentity | OrganisationIdentity) -> list[str]:
    """What an identity holds; it has no text form that would show it."""
    if isinstance(identity, OrganisationIdentity):
        return [identity.organisation_name, identity.uscc, *fields_of(identity.operator)]
    return [identity.real_name, identity.id_number, identity.phone]


async def kept(vault: Vault, reference: bytes, identity: PersonIdentity | OrganisationIdentity) -> int:
    """Stages and settles an identity."""
    version = await vault.stage(reference, identity, NOW)
    await vault.settle(reference, version, NOW)
    return version


async def read(vault: Vault, reference: bytes, version: int = 1) -> list[str]:
    """Reads an identity's fields."""
    return fields_of(await vault.read(reference, version, "account_recovery", "desk-3", NOW))


def opened_files(folder: Path) -> apsw.Connection:
    """Both files, as somebody who has the master key opens them."""
    connection = open_keys(folder)
    attach_vault(connection, folder, derived_key(_root(connection, folder, MASTERS), "vault file"))
    return connection


async def test_identity_comes_back_as_it_was(vault: Vault) -> None:
    """Persons and organisations are read as they were given."""
    unit = organisation(2, "样例社", SubjectKind.PUBLIC_INSTITUTION, "330000")
    await kept(vault, FIRST, planted_person())
    await kept(vault, SECOND, unit)
    assert fields_of(planted_person()) == await read(vault, FIRST)
    assert fields_of(unit) == await read(vault, SECOND)


async def test_identity_is_in_no_file_in_clear(vault: Vault, tmp_path: Path) -> None:
    """Art. 5(2), at rest: a planted person is found in no file of the vault, open or closed, in no encoding."""
    await kept(vault, FIRST, planted_person())
    await read(vault, FIRST)
    assert [] == files_with(tmp_path, *fields_of(planted_person()))
    await vault.close()
    assert [] == files_with(tmp_path, *fields_of(planted_person()))


async def test_every_field_is_sealed_even_inside_the_encrypted_file(vault: Vault, tmp_path: Path) -> None:
    """Whoever opens the encrypted file still finds ciphertexts only: the file's key alone shows nobody."""
    await kept(vault, FIRST, planted_person())
    await vault.close()
    row: Any = opened_files(tmp_path).execute("SELECT real_name, id_number, phone FROM identity").get
    pairs = zip(row, fields_of(planted_person()), strict=True)
    assert [] == [text for sealed, text in pairs if text.encode() in sealed]


async def test_deletion_shreds(vault: Vault, tmp_path: Path) -> None:
    """A deleted person cannot be read from a live file, nor from a later backup put beside an older one."""
    await kept(vault, FIRST, planted_person())
    older = tmp_path / "older"
    older.mkdir()
    shutil.copy(tmp_path / "vault.db", older)
    await vault.settle(FIRST, None, NOW)
    with pytest.raises(NotFound):
        await read(vault, FIRST)
    await vault.close()
    # The ciphertexts of an older backup, with the keys of any later one: the data key is in neither.
    shutil.copy(older / "vault.db", tmp_path / "vault.db")
    reopened = open_vault(tmp_path, MASTERS)
    with pytest.raises(NotFound):
        await read(reopened, FIRST)
    await reopened.close()
    assert [] == opened_files(tmp_path).execute("SELECT * FROM data_key").fetchall()


async def test_shredded_key_is_overwritten_in_its_file(vault: Vault, tmp_path: Path) -> None:
    """The wrapped key of a deleted person is not left in a free page of keys.db."""
    await kept(vault, FIRST, planted_person())
    reader = apsw.Connection(str(tmp_path / "keys.db"))
    wrapped: Any = reader.execute("SELECT wrapped FROM data_key").get
    reader.close()
    assert 1 == (tmp_path / "keys.db").read_bytes().count(wrapped)
    await vault.settle(FIRST, None, NOW)
    assert 0 == (tmp_path / "keys.db").read_bytes().count(wrapped)


async def test_deleted_identity_can_register_again(vault: Vault) -> None:
    """Deletion takes the blind token too: the person is unknown afterwards."""
    await kept(vault, FIRST, planted_person())
    await vault.settle(FIRST, None, NOW)
    assert 1 == await kept(vault, SECOND, planted_person())


async def test_audit_survives_deletion_and_names_nobody(vault: Vault) -> None:
    """The trail tells who read whom and why, newest first, without an identity, and outlives the subject."""
    await kept(vault, FIRST, planted_person())
    await read(vault, FIRST)
    await vault.settle(FIRST, None, NOW)
    trail = await vault.audit_trail(FIRST)
    assert [(3, "deleted", "", ""), (2, "read", "account_recovery", "desk-3"), (1, "staged", "", "")] == [
        (entry.number, entry.action, entry.purpose, entry.reader) for entry in trail
    ]
    assert not any(text in repr(trail) for text in fields_of(planted_person()))


async def test_audit_pages(vault: Vault) -> None:
    """The trail of years is read in pages, of one subject or of all."""
    for number in range(5):
        await kept(vault, bytes([number]) * 16, person(number + 1))
    assert [5, 4] == [entry.number for entry in await vault.audit_trail(limit=2)]
    assert [3, 2] == [entry.number for entry in await vault.audit_trail(before=4, limit=2)]
    assert [3] == [entry.number for entry in await vault.audit_trail(bytes([2]) * 16)]


async def test_audit_is_durable_before_the_plaintext(vault: Vault, tmp_path: Path) -> None:
    """A read that found nothing, or whose seal was broken, is in the trail as well: nobody reads unseen."""
    await kept(vault, FIRST, planted_person())
    await vault.close()
    files = opened_files(tmp_path)
    files.execute("UPDATE identity SET phone = zeroblob(40)")
    files.close()
    reopened = open_vault(tmp_path, MASTERS)
    with pytest.raises(Internal):
        await read(reopened, FIRST)
    with pytest.raises(NotFound):
        await read(reopened, SECOND)
    assert ["read", "read", "staged"] == [entry.action for entry in await reopened.audit_trail()]
    await reopened.close()


@pytest.mark.parametrize(
    "swap",
    [
        "UPDATE identity SET real_name = (SELECT o.real_name FROM identity o WHERE o.reference <> identity.reference)",
        "UPDATE identity SET real_name = phone, phone = real_name",
        "UPDATE data_key SET wrapped = (SELECT o.wrapped FROM data_key o WHERE o.reference <> data_key.reference)",
    ],
)
async def test_swapped_ciphertexts_are_refused(vault: Vault, tmp_path: Path, swap: str) -> None:
    """A ciphertext moved to another person, another column or under another key does not open."""
    await kept(vault, FIRST, planted_person())
    await kept(vault, SECOND, person(2))
    await vault.close()
    files = opened_files(tmp_path)
    files.execute(swap)
    files.close()
    reopened = open_vault(tmp_path, MASTERS)
    with pytest.raises(Internal) as refused:
        await read(reopened, FIRST)
    assert "VAULT_SEAL_BROKEN" == refused.value.reason
    await reopened.close()


async def test_one_identity_is_one_subject(vault: Vault) -> None:
    """A person is known by the number, x and X alike, and an organisation by its code; the first reference is told."""
    known = next(each for each in map(person, range(1, 100)) if each.id_number.endswith("X"))
    await kept(vault, FIRST, replace(known, id_number=known.id_number.lower()))
    with pytest.raises(AlreadyExists) as refused:
        await vault.stage(SECOND, replace(known, real_name="样例别名"), NOW)
    assert ("IDENTITY_REGISTERED", f"use subject {FIRST.hex()}") == (
        refused.value.reason,
        refused.value.violations[0].mend,
    )
    assert known.id_number[:17] not in f"{refused.value} {refused.value.violations}"


async def test_blind_index_cannot_be_enumerated(tmp_path: Path) -> None:
    """Tokens of one number differ from vault to vault, since their key exists nowhere else."""
    vaults = [open_vault(tmp_path / name, MASTERS) for name in ("one", "other")]
    one, other = (each.token(planted_person()) for each in vaults)
    assert one != other
    for each in vaults:
        await each.close()


async def test_changed_identity_has_a_new_key(vault: Vault) -> None:
    """A change is beside the old identity until it is settled; then only one is left, whichever was written."""
    await kept(vault, FIRST, planted_person())
    assert 2 == await vault.stage(FIRST, person(2), NOW)
    assert [FIRST] == await vault.unsettled()
    assert fields_of(planted_person()) == await read(vault, FIRST, 1)
    await vault.settle(FIRST, 2, NOW)
    assert fields_of(person(2)) == await read(vault, FIRST, 2)
    with pytest.raises(NotFound):
        await read(vault, FIRST, 1)
    assert [] == await vault.unsettled()
    assert 1 == await kept(vault, SECOND, planted_person())


async def test_master_key_rotates(vault: Vault, tmp_path: Path) -> None:
    """With a newer version at hand every key is wrapped anew at the start, and the older one can go."""
    await kept(vault, FIRST, planted_person())
    await vault.close()
    await open_vault(tmp_path, NEXT_MASTERS).close()
    only_new = open_vault(tmp_path, MasterKeys({2: NEXT_MASTERS.secret(2)}))
    assert fields_of(planted_person()) == await read(only_new, FIRST)
    await only_new.close()
    with pytest.raises(FailedPrecondition, match="version 2 of the master key is missing"):
        open_vault(tmp_path, MASTERS)


async def test_wrong_master_key_is_refused(vault: Vault, tmp_path: Path) -> None:
    """Another key under the same version does not open the vault, and changes nothing of it."""
    await kept(vault, FIRST, planted_person())
    await vault.close()
    before = (tmp_path / "keys.db").read_bytes()
    with pytest.raises(FailedPrecondition, match="another master key"):
        open_vault(tmp_path, MasterKeys({1: b"w" * KEY_BYTES}))
    assert before == (tmp_path / "keys.db").read_bytes()


async def test_files_of_two_vaults_are_not_mixed(tmp_path: Path) -> None:
    """A vault.db beside the keys of another vault, or beside none, is refused with the mend."""
    for name in ("one", "other"):
        made = open_vault(tmp_path / name, MASTERS)
        await kept(made, FIRST, person(1))
        await made.close()
    shutil.copy(tmp_path / "one" / "vault.db", tmp_path / "other" / "vault.db")
    with pytest.raises(FailedPrecondition) as mixed:
        open_vault(tmp_path / "other", MASTERS)
    (tmp_path / "one" / "keys.db").unlink()
    with pytest.raises(FailedPrecondition) as keyless:
        open_vault(tmp_path / "one", MASTERS)
    assert ["VAULT_FILES_DIFFER"] * 2 == [mixed.value.reason, keyless.value.reason]


async def test_second_process_is_refused(vault: Vault, tmp_path: Path) -> None:
    """Two nodes on one vault would each undo what the other knows: the second says so and stops."""
    program = (
        "import sys; from pathlib import Path; from provider_node.vault import open_vault;"
        "from provider_node.master_key import MasterKeys;"
        "open_vault(Path(sys.argv[1]), MasterKeys({1: b'k' * 32}))"
    )
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stderr=asyncio.subprocess.PIPE
    )
    _, said = await second.communicate()
    assert 1 == second.returncode
    assert b"another process uses the vault" in said


async def test_files_are_for_their_owner_alone(vault: Vault, tmp_path: Path) -> None:
    """No other user of the machine can read a file of the vault."""
    await kept(vault, FIRST, person(1))
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("keys.db", "vault.db", "lock")}
    assert dict.fromkeys(modes, 0o600) == modes


async def test_full_disk_is_said_and_stores_nothing(vault: Vault, tmp_path: Path) -> None:
    """A change that does not fit on the disk fails as STORAGE_FULL, and those before it stand."""
    await kept(vault, FIRST, planted_person())

    def fill(files: apsw.Connection) -> None:
        pages = files.execute("PRAGMA main.page_count").get
        files.execute(f"PRAGMA main.max_page_count = {pages}")

    await vault._thread.run(fill)
    full = await asyncio.gather(
        *(vault.stage(os.urandom(16), person(number + 10), NOW) for number in range(200)), return_exceptions=True
    )
    reasons = {each.reason for each in full if isinstance(each, Exhausted)}
    assert ({"STORAGE_FULL"}, True) == (reasons, all(isinstance(each, int | Exhausted) for each in full))
    assert fields_of(planted_person()) == await read(vault, FIRST)
