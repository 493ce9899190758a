"""Promises 5 and 7: whoever holds old documents is led on to the newest, however often the nation replaced its key since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from shared.database import Database, Transaction, open_database, sqlite_url
from shared.document_store import all_documents, newest_documents, next_documents, store_document
from shared.evidence.documents import sign_document
from shared.evidence.hashing import ProofError
from shared.evidence.keys import SigningKey
from shared.identifiers import new_entry_id
from shared.mapping.policy import policy_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, entry_pb2, evidence_pb2
from shared.provisions.policy import initial_policy
from tests.integration.filing_samples import MIGRATIONS
from tests.unit.trust_samples import NATION, NOW, node

FIRST, SECOND, THIRD = (SigningKey.generate() for _ in range(3))
SIGNED_BY: Final = {1: FIRST, 2: FIRST, 3: FIRST, 4: FIRST, 5: SECOND, 6: SECOND, 7: THIRD, 8: THIRD}
"""Which key signed each directory."""
LISTED_FROM: Final = {FIRST: 1, SECOND: 3, THIRD: 6}
"""The first directory that lists each key."""
NEWEST: Final = max(SIGNED_BY)


def directory_of(version: int) -> evidence_pb2.SignedDocument:
    """Makes one of the nation's directories."""
    entry = _entry(version)
    body = directory_pb2.Directory(version=version, ca_certificates=["made up"])
    body.nodes.append(node(NATION, *(key for key, since in LISTED_FROM.items() if since <= version)))
    entry.directory.CopyFrom(body)
    return sign_document(entry.SerializeToString(), SIGNED_BY[version])


def directory_of_nation(key: SigningKey) -> evidence_pb2.SignedDocument:
    """Makes the first directory of a network with nobody else in it."""
    entry = _entry(1)
    entry.directory.CopyFrom(directory_pb2.Directory(version=1, ca_certificates=["made up"], nodes=[node(NATION, key)]))
    return sign_document(entry.SerializeToString(), key)


def policy_by(key: SigningKey) -> evidence_pb2.SignedDocument:
    """Makes the first policy."""
    entry = _entry(1)
    entry.policy.CopyFrom(policy_to_wire(initial_policy()))
    return sign_document(entry.SerializeToString(), key)


def _entry(sequence: int) -> entry_pb2.Entry:
    entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=NATION, jurisdiction="100000", sequence=sequence)
    entry.created_time.FromDatetime(NOW + timedelta(days=sequence))
    return entry


DIRECTORIES: Final = {version: directory_of(version) for version in SIGNED_BY}
POLICY: Final = policy_by(FIRST)


async def store(database: Database, versions: Sequence[int]) -> None:
    """Stores directories and the policy at whoever serves them."""

    def work(transaction: Transaction) -> None:
        for version in versions:
            store_document(transaction, "directory", version, DIRECTORIES[version].SerializeToString())
        store_document(transaction, "policy", 1, POLICY.SerializeToString())

    await database.write(work)


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Database]:
    """An empty database of whoever serves documents, on both engines."""
    database = open_database(database_url, MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
async def follower(tmp_path: Path) -> AsyncIterator[NetworkView]:
    """A node that holds nothing yet."""
    database = open_database(sqlite_url(tmp_path / "follower.db"), MIGRATIONS)
    yield NetworkView(database)
    await database.close()


async def follow(server: Database, follower: NetworkView) -> list[list[int]]:
    """Asks until there is nothing; returns the versions of each page's directories."""
    pages = []
    while found := await server.read(lambda transaction: next_documents(transaction, *follower.versions)):
        await follower.install([evidence_pb2.SignedDocument.FromString(signed) for _, _, signed in found])
        pages.append([version for kind, version, _ in found if kind == "directory"])
    return pages


@pytest.mark.parametrize(
    ("held", "pages"),
    [(0, [[8]]), (1, [[3], [6], [8]]), (2, [[3], [6], [8]]), (3, [[6], [8]]), (5, [[6], [8]]), (6, [[8]]), (7, [[8]])],
)
async def test_a_follower_is_led_from_key_to_key(
    server: Database, follower: NetworkView, held: int, pages: list[list[int]]
) -> None:
    """From each version: the directories that list the keys it lacks, one by one, then the newest with the policies."""
    await store(server, sorted(DIRECTORIES))
    if held:
        await follower.install([DIRECTORIES[held]])
    assert pages == await follow(server, follower)
    assert (NEWEST, 1) == follower.versions


@pytest.mark.parametrize("held", [0, *DIRECTORIES])
async def test_a_node_that_joins_again_believes_the_answer_whatever_it_holds(
    server: Database, follower: NetworkView, held: int
) -> None:
    """The answer to an enrolment leads on from any directory of the network."""
    await store(server, sorted(DIRECTORIES))
    if held:
        await follower.install([DIRECTORIES[held]])
    await follower.install(await server.read(all_documents))
    assert (NEWEST, 1) == follower.versions


async def test_a_server_that_skipped_versions_leads_on_as_well(server: Database, follower: NetworkView) -> None:
    """A province that was off itself holds the directories that led it on, and leads on by them."""
    await store(server, (1, 3, 6, 8))
    await follower.install([DIRECTORIES[2]])
    assert [[3], [6], [8]] == await follow(server, follower)


async def test_the_newest_alone_is_not_believed(server: Database, follower: NetworkView) -> None:
    """Why there are others: a directory by a key that the follower's does not list proves nothing to it."""
    await store(server, sorted(DIRECTORIES))
    await follower.install([DIRECTORIES[2]])
    found = await server.read(lambda transaction: newest_documents(transaction, *follower.versions))
    with pytest.raises(ProofError):
        await follower.install([evidence_pb2.SignedDocument.FromString(signed) for _, _, signed in found])
    assert (2, 0) == follower.versions


async def test_one_key_needs_one_directory(server: Database, follower: NetworkView) -> None:
    """Where no key was added, versions are skipped."""
    await store(server, (1, 2))
    await follower.install([DIRECTORIES[1]])
    assert [[2]] == await follow(server, follower)
