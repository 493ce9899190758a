"""Promise 10: deleted people are looked for in every file of the vault, in its free pages, and in every backup."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from provider_node.blind_index import derived_key
from provider_node.master_key import MasterKeys, add_master_key_version, load_master_keys
from provider_node.vault import _root, open_vault
from provider_node.vault_files import attach_vault, open_keys
from shared.errors import FailedPrecondition, NotFound
from shared.provisions.verification import PersonIdentity
from tests.e2e.planted_people import PeopleSearch
from tests.faults.vault_works import NOW, fill, planted, reference
from tests.tried import Tried

PEOPLE, PEOPLE_AT_FULL_SIZE = 12, 400
FILES = ("keys.db", "vault.db")


@dataclass
class Traces:
    """All that ever stood for people in the vault's files, gathered while they were there."""

    sealed: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, masters: MasterKeys, chosen: list[int]) -> Traces:
        """Gathers ciphertexts, blind tokens and wrapped keys of people."""
        files, traces = opened_files(folder, masters), cls()
        for number in chosen:
            place = (reference(number),)
            (row,) = files.execute("SELECT real_name, id_number, phone FROM identity WHERE reference = ?", place)
            ((token,),) = files.execute("SELECT token FROM blind_index WHERE reference = ?", place)
            ((wrapped,),) = files.execute("SELECT wrapped FROM data_key WHERE reference = ?", place)
            traces.sealed += [*row, token]
            traces.keys.append(wrapped)
        files.close()
        return traces

    def found_in(self, content: bytes) -> int:
        """How many of them are in some bytes."""
        return sum(trace in content for trace in [*self.sealed, *self.keys])


def opened_files(folder: Path, masters: MasterKeys) -> apsw.Connection:
    """Both files of a vault that is closed, as somebody opens them who has the master key."""
    connection = open_keys(folder)
    attach_vault(connection, folder, derived_key(_root(connection, folder, masters), "vault file"))
    return connection


def decrypted(folder: Path, masters: MasterKeys, scratch: Path) -> bytes:
    """Every page of both files with all encryption off that the vault's root can take off, free pages included."""
    keys = open_keys(folder)
    key = derived_key(_root(keys, folder, masters), "vault file")
    keys.close()
    shutil.copy(folder / "vault.db", scratch)
    plain = apsw.Connection(str(scratch))
    plain.execute(f"PRAGMA key = 'raw:{key.hex()}'")
    # Rewrites each page as it is, in place: a free page keeps what it held.
    plain.execute("PRAGMA rekey = ''")
    plain.close()
    content = scratch.read_bytes() + (folder / "keys.db").read_bytes()
    assert content.startswith(b"SQLite format 3")
    return content


def masters_of(folder: Path) -> MasterKeys:
    """The master key beside a vault."""
    return load_master_keys(f"file:{folder / 'master.key'}")


async def read_back(folder: Path, masters: MasterKeys, chosen: list[int]) -> list[str]:
    """The names of those people whom a vault still shows."""
    vault, found = open_vault(folder, masters), []
    for number in chosen:
        try:
            identity = await vault.read(reference(number), 1, "check", "test", NOW)
        except NotFound:
            continue
        assert isinstance(identity, PersonIdentity)
        found.append(identity.real_name)
    await vault.close()
    return found


async def delete(folder: Path, chosen: list[int]) -> None:
    """Deletes people as the node does."""
    vault = open_vault(folder / "vault", masters_of(folder))
    for number in chosen:
        await vault.mark(reference(number))
        await vault.settle(reference(number), None, NOW)
    await vault.close()


@pytest.mark.timeout(300)
async def test_the_deleted_are_in_no_live_file_and_no_later_backup(
    tried: Tried, full_size: bool, tmp_path: Path
) -> None:
    """Promise 10: not one trace of the deleted is left, decrypted or not; a backup of before dies with its master key."""
    people = PEOPLE_AT_FULL_SIZE if full_size else PEOPLE
    made, vault = tmp_path / "made", tmp_path / "made" / "vault"
    await fill(made, people)
    gone, stay = list(range(0, people, 2)), list(range(1, people, 2))
    traces = Traces.of(vault, masters_of(made), gone)
    kept = Traces.of(vault, masters_of(made), stay)
    before = tmp_path / "before"
    shutil.copytree(made, before)
    everything = decrypted(vault, masters_of(made), tmp_path / "plain-before")
    assert len(traces.sealed) + len(traces.keys) == traces.found_in(everything)

    await delete(made, gone)
    after = tmp_path / "after"
    shutil.copytree(made, after)
    search = PeopleSearch([planted(number) for number in range(people)])
    found = 0
    for folder in (made, after):
        found += len(search.files_with_people(folder))
        clear = decrypted(folder / "vault", masters_of(folder), tmp_path / f"plain-{folder.name}")
        found += traces.found_in(clear) + len(search.kinds_in(clear))
        assert len(kept.sealed) + len(kept.keys) == kept.found_in(clear)
        assert [] == await read_back(folder / "vault", masters_of(folder), gone)
    # Ciphertexts of before, with the keys of a later backup.
    mixed = tmp_path / "mixed"
    shutil.copytree(after / "vault", mixed)
    shutil.copy(before / "vault" / "vault.db", mixed)
    assert [] == await read_back(mixed, masters_of(made), gone)
    assert [planted(number).real_name for number in stay] == await read_back(mixed, masters_of(made), stay)

    # The limit, and how it ends: a whole backup of before shows them as long as its master key is anywhere.
    assert len(gone) == len(await read_back(before / "vault", masters_of(before), gone))
    add_master_key_version(made / "master.key")
    await open_vault(vault, masters_of(made)).close()
    newest = masters_of(made).current
    only_new = MasterKeys({newest: masters_of(made).secret(newest)})
    assert [planted(number).real_name for number in stay] == await read_back(vault, only_new, stay)
    with pytest.raises(FailedPrecondition) as refused:
        open_vault(before / "vault", only_new)
    assert "MASTER_KEY_VERSION_MISSING" == refused.value.reason
    # The old version opens nothing that is live: none of its wrapped keys is left, in use or in a free page.
    found += sum(wrapped in (vault / "keys.db").read_bytes() for wrapped in [*kept.keys, *traces.keys])
    with pytest.raises(FailedPrecondition):
        open_vault(vault, masters_of(before))
    assert 0 == found
    tried(10, "deleted people searched for", people=len(gone), traces=len(traces.sealed + traces.keys), found=found)
