"""Who makes a call: told anew at each call, so that an ended or denied caller is out at its next call.

A TLS handshake happens once and a channel lives for months. So a certificate is judged here, per call, against the
clock and the newest directory: that it has not ended, is not denied, is signed by a CA of the network, and that its
node is in the directory. What one version of the directory says of a certificate is remembered until the next version;
the clock is asked each time.

The order: a client certificate, then the node's own Unix socket, then a bearer token, then nobody. What is given and
does not hold is refused; it never falls through to less.

A provider may name a CA of its own, by whose certificates it knows its backends. There no certificate of the network
opens anything, and one of the network is never a backend's, not even where the provider names the network's own CA.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from shared.clock import Clock
from shared.errors import InvalidInput, PermissionDenied, Unauthenticated, Unavailable
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.callers import Caller, Role
from shared.trust.certificate_requests import UNREADABLE
from shared.trust.directory import Directory
from shared.trust.names import Officer, name_of, parse_officer_name
from shared.trust.tokens import is_token, token_hash

Metadata = Iterable[tuple[str, str | bytes]]
"""The metadata of a call."""

_ROLES: Final = {
    directory_pb2.NODE_ROLE_NATIONAL_REGULATOR: Role.NATION,
    directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR: Role.PROVINCE,
    directory_pb2.NODE_ROLE_PROVIDER: Role.PROVIDER,
}
_LOCAL_ROLES: Final = frozenset({Role.OPERATOR, Role.BACKEND})
_ANYONE: Final = Caller("anyone", Role.ANYONE, "")
_BEARER: Final = "bearer"
_CERTIFICATES_REMEMBERED: Final = 16384


@dataclass(frozen=True, slots=True)
class _Leaf:
    name: str
    officer: Officer | None
    serial_number: str
    expire_time: datetime


class Authenticator:
    """Tells who makes a call.

    Args:
        directory: reads the newest directory; None before the node joined.
        clock: tells the time.
        jurisdiction: this node's own.
        local_role: who calls by the node's own Unix socket: OPERATOR at a regulator, BACKEND at a provider; None where
            such callers are nobody.
        officer_tokens: finds the officer that a bearer token was made for; None where there are no such tokens.
        backend_token: hash of a provider's backend token as `token_hash` makes it; None where there is none.
        backend_ca: PEM of the CA, or several, that directly signs the certificates of a provider's backends, and by
            which alone certificates are judged then; empty where there is none.
    """

    def __init__(
        self,
        *,
        directory: Callable[[], Directory | None],
        clock: Clock,
        jurisdiction: str,
        local_role: Role | None = None,
        officer_tokens: Callable[[str], Awaitable[Caller | None]] | None = None,
        backend_token: bytes | None = None,
        backend_ca: str = "",
    ) -> None:
        if local_role is not None and local_role not in _LOCAL_ROLES:
            raise ValueError("a local caller is an operator or a backend")
        self._directory = directory
        self._clock = clock
        self._jurisdiction = jurisdiction
        self._local = Caller(local_role.value, local_role, jurisdiction) if local_role is not None else None
        self._officer_tokens = officer_tokens
        self._backend_token = backend_token
        self._backend_cas = _each(backend_ca) if backend_ca else ()
        self._judged_by: Directory | None = None
        self._judged: dict[bytes, Caller] = {}
        """Whom each certificate was found to be by this directory. The next version judges anew, and time goes on."""

    @property
    def local(self) -> Caller | None:
        """Who calls by the node's own Unix socket; None where such callers are nobody."""
        return self._local

    async def caller(self, context: grpc.aio.ServicerContext, metadata: Metadata) -> Caller:
        """Tells who makes a call.

        Args:
            context: of the call.
            metadata: of the call.

        Returns:
            The caller; a suspended node with its state, somebody without credentials as ANYONE.

        Raises:
            Unauthenticated: CERTIFICATE_WRONG, CERTIFICATE_EXPIRED, TOKEN_INVALID, TOKEN_EXPIRED.
            PermissionDenied: CERTIFICATE_DENIED, NODE_DENIED, NODE_UNKNOWN, OFFICER_ELSEWHERE, CERTIFICATE_OF_NETWORK.
            Unavailable: DIRECTORY_MISSING, this node has not joined yet.
        """
        local = self.local_caller(context)
        if local is not None:
            return local
        certificate = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
        if certificate is not None:
            return self._backend(certificate) if self._backend_cas else self._by_certificate(certificate)
        credentials = [value for key, value in metadata if key == "authorization"]
        return await self._by_bearer(credentials) if credentials else _ANYONE

    def local_caller(self, context: grpc.aio.ServicerContext) -> Caller | None:
        """Tells whether a call came by the node's own Unix socket, from who may open its file; None where it did not."""
        # An abstract socket ("unix-abstract:") has no file mode that keeps others out, and is nobody's.
        return self._local if self._local is not None and context.peer().startswith("unix:") else None

    def recheck(self, caller: Caller) -> Caller:
        """Judges a caller again in the middle of a long call.

        Args:
            caller: as `caller` told it.

        Returns:
            The caller as it is now: a node may have been suspended since.

        Raises:
            Unauthenticated: CERTIFICATE_WRONG where its CA was retired, CERTIFICATE_EXPIRED, TOKEN_EXPIRED.
            PermissionDenied: CERTIFICATE_DENIED, NODE_DENIED, NODE_UNKNOWN.
        """
        if caller.role is Role.BACKEND:
            return self._unended(caller)
        if caller.serial_number:
            officer, directory = parse_officer_name(caller.name), self._newest()
            if caller.issuer not in directory.ca_certificates:
                raise _certificate_wrong()
            expire_time = caller.expire_time or self._clock()
            return self._judge(_Leaf(caller.name, officer, caller.serial_number, expire_time), directory, caller.issuer)
        if caller.expire_time is not None and self._clock() >= caller.expire_time:
            raise _token_expired()
        return caller

    def _by_certificate(self, pem: bytes) -> Caller:
        directory = self._newest()
        if directory is not self._judged_by:
            self._judged_by, self._judged = directory, {}
        known = self._judged.get(pem)
        if known is not None and known.expire_time is not None and self._clock() < known.expire_time:
            return known
        leaf = _parse(pem)
        issuer = _issuer_of(pem, directory.ca_certificates) if leaf is not None else ""
        if leaf is None or not issuer:
            raise _certificate_wrong()
        caller = self._judge(leaf, directory, issuer)
        if len(self._judged) >= _CERTIFICATES_REMEMBERED:
            self._judged.clear()
        self._judged[pem] = caller
        return caller

    def _backend(self, pem: bytes) -> Caller:
        serial_number, expire_time = _term(pem)
        if expire_time is None or not _issuer_of(pem, self._backend_cas):
            message = "the certificate is not by the CA of this provider's backends: ask for one there"
            raise Unauthenticated(message, "CERTIFICATE_WRONG")
        if _parse(pem) is not None or _issuer_of(pem, self._newest().ca_certificates):
            message = "a certificate of the network is no backend's: use one by the provider's own CA"
            raise PermissionDenied(message, "CERTIFICATE_OF_NETWORK")
        return self._unended(Caller(Role.BACKEND.value, Role.BACKEND, self._jurisdiction, serial_number, expire_time))

    def _unended(self, backend: Caller) -> Caller:
        if backend.expire_time is not None and self._clock() >= backend.expire_time:
            raise _certificate_expired()
        return backend

    def _judge(self, leaf: _Leaf, directory: Directory, issuer: str) -> Caller:
        if self._clock() >= leaf.expire_time:
            raise _certificate_expired()
        if directory.denied(leaf.serial_number):
            raise PermissionDenied("the certificate was withdrawn: ask the nation for a new one", "CERTIFICATE_DENIED")
        if leaf.officer is not None:
            return self._officer(leaf, leaf.officer, issuer)
        node = directory.node(leaf.name)
        if node is None:
            raise PermissionDenied(f"{leaf.name} is not in the directory: join with a token", "NODE_UNKNOWN")
        if node.state not in (directory_pb2.NODE_STATE_ACTIVE, directory_pb2.NODE_STATE_SUSPENDED):
            raise PermissionDenied(f"{leaf.name} is denied: settle it with the nation", "NODE_DENIED")
        role, place, state = _ROLES[node.role], node.jurisdiction, node.state
        return Caller(leaf.name, role, place, leaf.serial_number, leaf.expire_time, state, issuer)

    def _officer(self, leaf: _Leaf, officer: Officer, issuer: str) -> Caller:
        if officer.jurisdiction != self._jurisdiction:
            message = f"the certificate is for jurisdiction {officer.jurisdiction}: call the regulator of that one"
            raise PermissionDenied(message, "OFFICER_ELSEWHERE")
        role, place = officer.role, officer.jurisdiction
        return Caller(leaf.name, role, place, leaf.serial_number, leaf.expire_time, issuer=issuer)

    async def _by_bearer(self, credentials: list[str | bytes]) -> Caller:
        # Two tokens are a mistake or a trick; which of them counts is not for us to guess.
        scheme, _, token = str(credentials[0]).partition(" ") if len(credentials) == 1 else ("", "", "")
        if scheme.lower() != _BEARER or not is_token(token):
            raise _token_invalid()
        if self._backend_token is not None and hmac.compare_digest(token_hash(token), self._backend_token):
            return Caller(Role.BACKEND.value, Role.BACKEND, self._jurisdiction)
        caller = await self._officer_tokens(token) if self._officer_tokens is not None else None
        if caller is None:
            raise _token_invalid()
        return self.recheck(caller)

    def _newest(self) -> Directory:
        directory = self._directory()
        if directory is None:
            raise Unavailable("this node has not joined the network yet: try again later", "DIRECTORY_MISSING")
        return directory


@lru_cache(maxsize=_CERTIFICATES_REMEMBERED)
def _parse(pem: bytes) -> _Leaf | None:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        name = name_of(uri)
    except (*UNREADABLE, x509.ExtensionNotFound, x509.DuplicateExtension, InvalidInput):
        return None
    officer = parse_officer_name(name)
    return _Leaf(name, officer, f"{certificate.serial_number:x}", certificate.not_valid_after_utc)


@lru_cache(maxsize=_CERTIFICATES_REMEMBERED)
def _term(pem: bytes) -> tuple[str, datetime | None]:
    """Returns serial number and end of a certificate, whoever it names; no end where it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        return f"{certificate.serial_number:x}", certificate.not_valid_after_utc
    except UNREADABLE:
        return "", None


@lru_cache(maxsize=_CERTIFICATES_REMEMBERED)
def _issuer_of(pem: bytes, ca_certificates: tuple[str, ...]) -> str:
    """Returns which of some CAs directly signed a certificate; empty where none did."""
    leaf = x509.load_pem_x509_certificate(pem)
    for ca_certificate in ca_certificates:
        try:
            leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_certificate.encode()))
        except (*UNREADABLE, TypeError, InvalidSignature):
            continue
        return ca_certificate
    return ""


def _each(pems: str) -> tuple[str, ...]:
    certificates = x509.load_pem_x509_certificates(pems.encode("ascii"))
    return tuple(each.public_bytes(Encoding.PEM).decode("ascii") for each in certificates)


def _certificate_wrong() -> Unauthenticated:
    message = "the certificate is not one of this network: join with a token, or ask for a new one"
    return Unauthenticated(message, "CERTIFICATE_WRONG")


def _certificate_expired() -> Unauthenticated:
    return Unauthenticated("the certificate has ended: renew it", "CERTIFICATE_EXPIRED")


def _token_invalid() -> Unauthenticated:
    return Unauthenticated("the bearer token is unknown: ask an administrator for a new one", "TOKEN_INVALID")


def _token_expired() -> Unauthenticated:
    return Unauthenticated("the bearer token has ended: ask an administrator for a new one", "TOKEN_EXPIRED")
