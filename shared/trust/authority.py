"""The nation's certificate authority: a P-256 key, its certificate, and the certificates it signs.

It signs leaves only (path length 0). A leaf holds what the nation knows and nothing else that a request asked for: the
SPIFFE ID, the host name that clients pin, and the hosts of the node's own endpoint. Pinned host names are the network's
own; no endpoint can claim one, so that no node can stand in for another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.durable_files import PRIVATE, PUBLIC, write_file
from shared.errors import FailedPrecondition, InvalidInput, Violation
from shared.trust.certificate_requests import UNREADABLE, check_certificate_request
from shared.trust.key_files import read_private_file
from shared.trust.names import TRUST_DOMAIN, officer_name, spiffe_id, tls_host

KEY_FILE: Final = "authority.key"
"""Name of the file with the authority's private key."""

CERTIFICATE_FILE: Final = "authority.pem"
"""Name of the file with the authority's certificate."""

AUTHORITY_LIFETIME: Final = timedelta(days=3652)
"""How long the authority's certificate holds: ten years."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far back a certificate begins, so that a node whose clock is behind takes it at once."""

_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_NO_USAGE: Final = {
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that the authority signed.

    Attributes:
        name: the node, or the officer's post.
        serial_number: hexadecimal without leading zeros.
        chain_pem: the leaf; the root is not in it.
        expire_time: when it ends, aware, whole seconds.
        authority_id: of the authority that signed it.
    """

    name: str
    serial_number: str
    chain_pem: str
    expire_time: datetime
    authority_id: str


class Authority:
    """The certificate authority. Its text form never shows the key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        """Takes key and certificate; `create` and `load` make one."""
        self._key = key
        self._certificate = certificate
        self.certificate_pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
        self.authority_id = authority_id(self.certificate_pem)

    @classmethod
    def create(cls, folder: Path, now: datetime) -> Authority:
        """Founds an authority in a folder. A key that is there without a certificate is taken: a crash left it.

        Args:
            folder: where its two files go, authority.key (mode 0600) and authority.pem.
            now: the time, aware.

        Raises:
            FailedPrecondition: AUTHORITY_EXISTS, the folder holds one already.
            OSError: the files cannot be written.
        """
        if (folder / CERTIFICATE_FILE).exists():
            message = f"{folder} holds a certificate authority already: a new one would shut every node out"
            raise FailedPrecondition(message, "AUTHORITY_EXISTS")
        if not (folder / KEY_FILE).exists():
            new = ec.generate_private_key(ec.SECP256R1())
            pem = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_file(folder / KEY_FILE, pem, PRIVATE)
        key = _load_key(folder / KEY_FILE)
        authority = cls(key, _root(key, now))
        write_file(folder / CERTIFICATE_FILE, authority.certificate_pem.encode("ascii"), PUBLIC)
        return authority

    @classmethod
    def load(cls, folder: Path, key_folder: Path | None = None) -> Authority:
        """Reads the authority of a folder.

        Args:
            folder: where `create` put it.
            key_folder: where its key is, if elsewhere.

        Raises:
            FailedPrecondition: a file is missing or damaged, or everyone can read the key.
            OSError: a file cannot be read.
        """
        key = _load_key((key_folder or folder) / KEY_FILE)
        path = folder / CERTIFICATE_FILE
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except FileNotFoundError:
            raise _damaged(path) from None
        except UNREADABLE as error:
            raise _damaged(path) from error
        if certificate.public_key() != key.public_key():
            raise _damaged(path)
        return cls(key, certificate)

    @property
    def begin_time(self) -> datetime:
        """When the authority was made."""
        return self._certificate.not_valid_before_utc + CLOCK_SKEW

    @property
    def expire_time(self) -> datetime:
        """When the authority's own certificate ends."""
        return self._certificate.not_valid_after_utc

    def sign_request(
        self, csr_pem: str, name: str, lifetime: timedelta, now: datetime, extra_hosts: Sequence[str] = ()
    ) -> IssuedCertificate:
        """Signs a node's request.

        Args:
            csr_pem: PKCS #10 in PEM, P-256, that names the node.
            name: the node.
            lifetime: how long the leaf holds; never longer than the authority itself.
            now: the time, aware.
            extra_hosts: further hosts under which the node is reached, names or IP addresses.

        Raises:
            InvalidInput: the request names another node, is not P-256 or is not signed by its key; a host is malformed
                or reserved; the lifetime is not positive; it is not a node's name.
            FailedPrecondition: AUTHORITY_EXPIRED.
        """
        hosts: dict[x509.GeneralName, None] = {x509.DNSName(tls_host(name)): None}
        hosts |= {_host_name(host, tls_host(name)): None for host in extra_hosts}
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._sign(csr_pem, name, tls_host(name), list(hosts), usages, lifetime, now)

    def sign_officer_request(
        self, csr_pem: str, jurisdiction: str, role: str, post: str, lifetime: timedelta, now: datetime
    ) -> IssuedCertificate:
        """Signs the request of an officer's post.

        Args:
            csr_pem: PKCS #10 in PEM, P-256, that names the post.
            jurisdiction: the jurisdiction the officer serves.
            role: "reader", "reviewer" or "administrator".
            post: the post, never a person's name.
            lifetime: how long the leaf holds.
            now: the time, aware.

        Raises:
            InvalidInput: the request names another post, is not P-256 or is not signed by its key; the post is
                malformed; the lifetime is not positive.
            FailedPrecondition: AUTHORITY_EXPIRED.
        """
        name = officer_name(jurisdiction, role, post)
        return self._sign(csr_pem, name, post, [], [ExtendedKeyUsageOID.CLIENT_AUTH], lifetime, now)

    def _sign(
        self,
        csr_pem: str,
        name: str,
        common_name: str,
        hosts: Sequence[x509.GeneralName],
        usages: Sequence[x509.ObjectIdentifier],
        lifetime: timedelta,
        now: datetime,
    ) -> IssuedCertificate:
        key = check_certificate_request(csr_pem, name)
        expires = min(now + lifetime, self.expire_time)
        self._check_times(lifetime, now)
        alternative_names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id(name)), *hosts])
        root_key_id = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        issuer_key_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_key_id)
        certificate = (
            _builder(_name(common_name), self._certificate.subject, key, now - CLOCK_SKEW, expires)
            .add_extension(alternative_names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=False, **_NO_USAGE), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(issuer_key_id, critical=False)
            .sign(self._key, SHA256())
        )
        return IssuedCertificate(
            name,
            f"{certificate.serial_number:x}",
            certificate.public_bytes(Encoding.PEM).decode("ascii"),
            certificate.not_valid_after_utc,
            self.authority_id,
        )

    def _check_times(self, lifetime: timedelta, now: datetime) -> None:
        if lifetime < timedelta(seconds=1):
            raise InvalidInput("a certificate has to hold for a second at least: give a longer time", "LIFETIME_WRONG")
        if now >= self.expire_time:
            raise FailedPrecondition(
                "the certificate authority has ended: found a new one and let all nodes join it", "AUTHORITY_EXPIRED"
            )

    def __repr__(self) -> str:
        """Names the authority by the end of its certificate."""
        return f"Authority(until {self.expire_time:%Y-%m-%d})"


def authority_id(certificate_pem: str) -> str:
    """Returns what an authority is known by among others: 16 hexadecimal digits of its certificate's SHA-256."""
    return x509.load_pem_x509_certificate(certificate_pem.encode("ascii")).fingerprint(SHA256()).hex()[:16]


def authority_expire_time(certificate_pem: str) -> datetime:
    """Returns when the certificate of an authority ends."""
    return x509.load_pem_x509_certificate(certificate_pem.encode("ascii")).not_valid_after_utc


def _root(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    subject = _name("Filingnet national authority")
    return (
        _builder(subject, subject, key.public_key(), now - CLOCK_SKEW, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=False, key_cert_sign=True, **_NO_USAGE), critical=True)
        .sign(key, SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, expires: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host_name(host: str, own: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        lowered = host.lower()
    if _HOST.fullmatch(lowered) is None:
        raise _wrong_host("HOST_WRONG", "give a host name or an IP address")
    # A pinned name in another node's certificate would let it answer in that node's place.
    if lowered.rpartition(".")[2] == TRUST_DOMAIN and lowered != own:
        raise _wrong_host("HOST_RESERVED", f"use a host outside of the domain {TRUST_DOMAIN}")
    return x509.DNSName(lowered)


def _wrong_host(reason: str, mend: str) -> InvalidInput:
    return InvalidInput(
        f"the host of the endpoint cannot be used: {mend}", reason, [Violation("endpoint", reason, mend)]
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_private_file(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _damaged(path) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _damaged(path)
    return key


def _damaged(path: Path) -> FailedPrecondition:
    return FailedPrecondition(
        f"{path} does not belong to a certificate authority: restore it from a backup", "AUTHORITY_DAMAGED"
    )
