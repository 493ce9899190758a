"""The network that every run begins with: the same keys, documents and empty registers, made once for each process."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provider_node.agreements import agreement_in_force
from provider_node.settings import MIGRATIONS as OF_PROVIDERS
from provider_node.subject_rows import Subject, insert_subject
from regulator_node.log import RegisterLog
from regulator_node.settings import MIGRATIONS as OF_REGULATORS
from shared.chance import drawn_from
from shared.database import Transaction
from shared.evidence.documents import sign_document
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import new_entry_id
from shared.mapping.policy import policy_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, entry_pb2, evidence_pb2
from shared.provisions.agreements import AgreementSignature
from shared.provisions.policy import initial_policy
from shared.provisions.subjects import SubjectKind
from shared.trust.directory import Directory
from tests.faults.simulation.disks import Disk, SimulatedDatabase, empty_image
from tests.faults.simulation.logged import logged
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.virtual_time import VirtualTimeLoop

BEGIN: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NATION: Final = "regulator/100000"
PROVINCES: Final = ("regulator/330000", "regulator/440000")
PROVIDERS: Final[Mapping[str, str]] = {
    "provider/wave": "330000",
    "provider/reed": "330000",
    "provider/fern": "440000",
    "provider/moss": "100000",
}
"""The providers, each with the jurisdiction that it files in."""

SUBJECTS: Final = tuple(hashlib.sha256(b"subject %d" % number).digest()[:16] for number in range(3))
REGIONS: Final = ("330000", "440000", "510000")
USCC: Final = "91330000000000012B"

_ROLES: Final = {
    "provider": directory_pb2.NODE_ROLE_PROVIDER,
    "regulator": directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR,
}


def key_of(name: str) -> SigningKey:
    """Returns a node's signing key, the same in every run."""
    return _KEYS[name]


_KEYS: Final = {
    name: SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))
    for name in (NATION, *PROVINCES, *PROVIDERS)
}


@dataclass(frozen=True, slots=True)
class Founded:
    """Images of disks as they are when a node has joined, and the keys of everybody."""

    disks: Mapping[str, bytes]
    ring: KeyRing


@lru_cache
def founded() -> Founded:
    """Founds the network."""
    with drawn_from(random.Random(0)), logged(Trace(lambda: 0.0)):
        documents = [_document("directory", _directory()), _document("policy", policy_to_wire(initial_policy()))]
        for migrations in (OF_REGULATORS, OF_PROVIDERS):
            empty_image(migrations)
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            disks = {name: runner.run(_joined(name, documents)) for name in _KEYS}
    return Founded(disks, Directory.from_wire(_directory()).key_ring())


def _directory() -> directory_pb2.Directory:
    directory = directory_pb2.Directory(version=1)
    directory.issue_time.FromDatetime(BEGIN - timedelta(days=30))
    for name, key in _KEYS.items():
        kind, _, number = name.partition("/")
        node = directory.nodes.add(
            name=name,
            role=directory_pb2.NODE_ROLE_NATIONAL_REGULATOR if name == NATION else _ROLES[kind],
            jurisdiction=PROVIDERS.get(name, number),
            state=directory_pb2.NODE_STATE_ACTIVE,
        )
        row = node.signing_keys.add(key_id=key.key_id, public_key=key.public_bytes)
        row.start_time.FromDatetime(BEGIN - timedelta(days=30))
        if kind == "provider":
            node.licence.number = "33320240001"
            node.licence.state = directory_pb2.LICENCE_STATE_VALID
            node.licence.start_time.FromDatetime(BEGIN - timedelta(days=400))
            node.licence.end_time.FromDatetime(BEGIN + timedelta(days=4000))
    return directory


def _document(kind: str, body: Any) -> evidence_pb2.SignedDocument:
    entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=NATION, jurisdiction="100000", sequence=1)
    entry.created_time.FromDatetime(BEGIN - timedelta(days=30))
    getattr(entry, kind).CopyFrom(body)
    return sign_document(entry.SerializeToString(), _KEYS[NATION])


async def _joined(name: str, documents: list[evidence_pb2.SignedDocument]) -> bytes:
    regulator = name.startswith("regulator/")
    disk = Disk(empty_image(OF_REGULATORS if regulator else OF_PROVIDERS))
    database = SimulatedDatabase(disk, random.Random(0))
    view = NetworkView(database)
    await view.install(documents)
    if regulator:
        log = RegisterLog(name, name.partition("/")[2], _KEYS[name])
        await database.write(lambda transaction: log.create(transaction, BEGIN))
    else:
        await database.write(lambda transaction: _register_subjects(transaction, view))
    return disk.image()


def _register_subjects(transaction: Transaction, view: NetworkView) -> None:
    verified = BEGIN - timedelta(days=3)
    text = agreement_in_force(view.policies, BEGIN)
    for number, reference in enumerate(SUBJECTS):
        enterprise = number == 0
        subject = Subject(
            reference=reference,
            kind=SubjectKind.ENTERPRISE if enterprise else SubjectKind.PERSON,
            nickname="样例昵称",
            region=REGIONS[number],
            uscc=USCC if enterprise else "",
            organisation_name="样例企业" if enterprise else "",
            verified_time=verified,
            identity_version=1,
            version=1,
            agreement=AgreementSignature(text.version, text.digest, verified),
        )
        insert_subject(transaction, subject)
