"""Every sealed value of a vault put in every other's place: none opens there, and each still opens in its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, permutations
from pathlib import Path

import pytest

from provider_node.blind_index import derived_key
from provider_node.sealed_words import SealedWords
from provider_node.vault import Vault, open_vault
from shared.cluster.made_up import organisation, person
from shared.errors import Internal
from shared.provisions.subjects import SubjectKind
from tests.faults.vault_works import NOW, reference
from tests.integration.provider_samples import MASTERS
from tests.tried import Tried

PERSONAL = ("real_name", "id_number", "phone")
ALL = (*PERSONAL, "organisation_name", "uscc")
SMALL_STRIDE = 17

Cell = tuple[str, bytes, int, str]
"""Table, row, version and column of a sealed value."""


def cells() -> Iterator[Cell]:
    """Every sealed value of two persons and an organisation, each in two versions, and the keys that seal them."""
    for number, columns in enumerate((PERSONAL, PERSONAL, ALL)):
        for version in (1, 2):
            for column in columns:
                yield "vault.identity", reference(number), version, column


def wrapped() -> Iterator[Cell]:
    """The wrapped keys of the same."""
    for number in range(3):
        for version in (1, 2):
            yield "main.data_key", reference(number), version, "wrapped"


async def value_of(vault: Vault, cell: Cell) -> bytes:
    """Reads a sealed value past the vault."""
    table, row, version, column = cell
    query = f"SELECT {column} FROM {table} WHERE reference = ? AND key_version = ?"
    found: bytes = await vault._thread.run(lambda files: files.execute(query, (row, version)).get)
    return found


async def put(vault: Vault, cell: Cell, value: bytes) -> None:
    """Writes a sealed value past the vault."""
    table, row, version, column = cell
    query = f"UPDATE {table} SET {column} = ? WHERE reference = ? AND key_version = ?"
    await vault._thread.run(lambda files: files.execute(query, (value, row, version)))


@pytest.mark.timeout(300)
async def test_no_ciphertext_opens_in_anothers_place(tried: Tried, full_size: bool, tmp_path: Path) -> None:
    """Promise 9: a value moved to another person, column, version or table, or under another key, does not open."""
    vault = open_vault(tmp_path, MASTERS)
    for version in (0, 10):
        for number in range(2):
            await vault.stage(reference(number), person(1 + version + number), NOW)
        unit = organisation(3 + version, f"样例社{version}", SubjectKind.PUBLIC_INSTITUTION, "330000")
        await vault.stage(reference(2), unit, NOW)
    swaps = [*permutations(cells(), 2), *permutations(wrapped(), 2)]
    tried_swaps = opened = 0
    for source, place in islice(swaps, 0, None, 1 if full_size else SMALL_STRIDE):
        own = await value_of(vault, place)
        await put(vault, place, await value_of(vault, source))
        try:
            await vault.read(place[1], place[2], "check", "test", NOW)
            opened += 1
        except Internal as refused:
            opened += refused.reason != "VAULT_SEAL_BROKEN"
        await put(vault, place, own)
        await vault.read(place[1], place[2], "check", "test", NOW)
        tried_swaps += 1
    await vault.close()
    assert 0 == opened
    tried(9, "ciphertexts in another's place", swaps=tried_swaps, opened=opened)


def test_no_words_open_in_anothers_place() -> None:
    """Promise 9: what a reporter wrote opens in its own table, row and column, and in no other."""
    words = SealedWords(derived_key(bytes(32), "test"))
    places = [(table, row, column) for table in ("a", "b") for row in ("1", "2") for column in ("x", "y")]
    for table, row, column in places:
        sealed = words.seal(table, row, column, "样例")
        for place in places:
            if place == (table, row, column):
                assert "样例" == words.open(*place, sealed)
            else:
                with pytest.raises(Internal):
                    words.open(*place, sealed)
