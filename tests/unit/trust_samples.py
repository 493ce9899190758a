"""Made-up members of a network for tests: an authority, its certificates, a directory, and a clock that can be set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.authority import Authority, IssuedCertificate
from shared.trust.certificate_requests import certificate_request
from shared.trust.credentials import Credentials
from shared.trust.directory import Directory

NATION, PROVINCE, OTHER_PROVINCE = "regulator/100000", "regulator/330000", "regulator/440000"
PROVIDER = "provider/wave"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)

ROLES = {
    NATION: directory_pb2.NODE_ROLE_NATIONAL_REGULATOR,
    PROVINCE: directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR,
    OTHER_PROVINCE: directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR,
    PROVIDER: directory_pb2.NODE_ROLE_PROVIDER,
}


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def new_key() -> ec.EllipticCurvePrivateKey:
    """Makes a TLS key."""
    return ec.generate_private_key(ec.SECP256R1())


def node(name: str, *keys: SigningKey) -> directory_pb2.Node:
    """Makes an active node of the directory, with one signing key unless some are given."""
    made = directory_pb2.Node(
        name=name,
        role=ROLES[name],
        jurisdiction="330000" if name == PROVIDER else name.removeprefix("regulator/"),
        state=directory_pb2.NODE_STATE_ACTIVE,
    )
    for key in keys or (SigningKey.generate(),):
        row = made.signing_keys.add(key_id=key.key_id, public_key=key.public_bytes)
        row.start_time.FromDatetime(NOW)
    return made


@dataclass
class SampleNetwork:
    """A network whose directory can be changed; what reads it reads the newest."""

    folder: Path
    now: datetime = NOW
    message: directory_pb2.Directory = field(default_factory=directory_pb2.Directory)

    def __post_init__(self) -> None:
        self.authority = Authority.create(self.folder, self.now)
        self.message.version = 1
        self.message.issue_time.FromDatetime(self.now)
        self.message.nodes.extend(node(name) for name in sorted(ROLES))
        self.message.ca_certificates.append(self.authority.certificate_pem)
        self.directory: Directory | None = Directory.from_wire(self.message)

    def change(self) -> None:
        """Makes the changed message the newest directory."""
        self.message.version += 1
        self.directory = Directory.from_wire(self.message)

    def set_state(self, name: str, state: directory_pb2.NodeState) -> None:
        """Sets a node's state in a new directory."""
        next(each for each in self.message.nodes if each.name == name).state = state
        self.change()

    def deny(self, serial_number: str) -> None:
        """Denies a certificate in a new directory."""
        self.message.denied_certificates.add(serial_number=serial_number).expire_time.FromDatetime(self.now + DAY)
        self.change()

    def certificate(self, name: str, lifetime: timedelta = DAY) -> IssuedCertificate:
        """Issues a node's certificate."""
        return self.authority.sign_request(certificate_request(name, new_key()), name, lifetime, self.now)

    def officer_certificate(self, jurisdiction: str, role: str, post: str = "review-desk-2") -> IssuedCertificate:
        """Issues a certificate of an officer's post."""
        csr_pem = certificate_request(f"officer/{jurisdiction}/{role}/{post}", new_key())
        return self.authority.sign_officer_request(csr_pem, jurisdiction, role, post, DAY, self.now)

    def credentials(self, folder: Path, name: str, lifetime: timedelta = DAY) -> Credentials:
        """Makes the credentials of a node that has joined."""
        folder.mkdir()
        made = Credentials.create(folder, name)
        issued = self.authority.sign_request(made.certificate_request(), name, lifetime, self.now, ["localhost"])
        made.install(issued.chain_pem, [self.authority.certificate_pem])
        return made
