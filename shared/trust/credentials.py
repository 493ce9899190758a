"""A node's own TLS key, certificate and CA set: on disk, in use, and renewed by themselves.

Key and chain lie in one file, so that a crash never leaves a key beside the certificate of another. A renewal makes a
new key. What is held is one immutable value that is replaced whole: listeners hand the newest to the next handshake,
and channels see `version` grow and open anew, so that a renewal ends no call and needs no restart.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from shared.changes import Changes
from shared.clock import Clock
from shared.durable_files import PRIVATE, PUBLIC, write_file
from shared.errors import FailedPrecondition, FilingnetError, InvalidInput
from shared.trust.authority import CLOCK_SKEW
from shared.trust.certificate_requests import UNREADABLE, certificate_request
from shared.trust.chains import certificates_of, check_chain, pem_of, signed_by, unusable
from shared.trust.key_files import read_private_file
from shared.trust.names import spiffe_id

IDENTITY_FILE: Final = "tls.pem"
"""Name of the file with the node's name, its private key and its certificate chain."""

CA_FILE: Final = "ca.pem"
"""Name of the file with the certificates of the CAs that the node trusts."""

LONGEST_WAIT_SECONDS: Final = 3600.0
"""Longest wait at once, in seconds: the clock is read again after it, for it may have been set."""

SHORTEST_WAIT_SECONDS: Final = 5.0
"""Shortest wait between two renewals, in seconds."""

LONGEST_RETRY_SECONDS: Final = 60.0
"""Longest wait before a failed renewal is tried again, in seconds."""

SPREAD_SECONDS: Final = 60.0
"""Over how long at most the nodes of a network renew once another CA signs, in seconds."""

_NAME_LABEL: Final = "name: "
_RENEW_AT: Final = 2 / 3
_JITTER: Final = 0.05
_SPREAD: Final = 1 / 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    name: str
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()
    cas: tuple[x509.Certificate, ...] = ()

    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def identity(self) -> bytes:
        return f"{_NAME_LABEL}{self.name}\n".encode() + self.key_pem() + pem_of(self.chain)


class Credentials:
    """A node's TLS identity in a folder. Its text form never shows the key.

    Attributes:
        version: grows whenever key, certificate or CA set are replaced.
        renewed: told after each renewal.
    """

    def __init__(self, folder: Path, held: _Held) -> None:
        """Takes what the folder holds; `create` and `load` make one."""
        self._folder = folder
        self._held = held
        self._replacing = threading.Lock()
        self._cas_changed = asyncio.Event()
        self.version = 1
        self.renewed = Changes()

    @classmethod
    def create(cls, folder: Path, name: str) -> Credentials:
        """Makes a node's key, not certified yet.

        Args:
            folder: where its two files go, tls.pem (mode 0600) and ca.pem.
            name: the node.

        Raises:
            InvalidInput: NAME_WRONG.
            FailedPrecondition: CREDENTIALS_EXIST, the folder holds some already.
            OSError: the file cannot be written.
        """
        spiffe_id(name)
        if (folder / IDENTITY_FILE).exists():
            raise FailedPrecondition(f"{folder} holds the key of a node already: load it", "CREDENTIALS_EXIST")
        held = _Held(name, ec.generate_private_key(ec.SECP256R1()))
        write_file(folder / IDENTITY_FILE, held.identity(), PRIVATE)
        return cls(folder, held)

    @classmethod
    def load(cls, folder: Path) -> Credentials:
        """Reads a folder's credentials, certified or not.

        Raises:
            FailedPrecondition: they are missing or damaged, or everyone can read the key.
            OSError: a file cannot be read.
        """
        path = folder / IDENTITY_FILE
        text = read_private_file(path)
        first, _, rest = text.partition(b"\n")
        try:
            key = load_pem_private_key(rest, password=None)
            chain = x509.load_pem_x509_certificates(rest) if b"BEGIN CERTIFICATE" in rest else []
            cas = x509.load_pem_x509_certificates((folder / CA_FILE).read_bytes()) if chain else []
            name = first.decode("ascii").removeprefix(_NAME_LABEL)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(path)
            check_chain(chain, name, key)
        except (*UNREADABLE, TypeError, FileNotFoundError, InvalidInput) as error:
            message = f"{path} or {CA_FILE} beside it is damaged: restore both, or join anew with a token"
            raise FailedPrecondition(message, "CREDENTIALS_DAMAGED") from error
        return cls(folder, _Held(name, key, tuple(chain), tuple(cas)))

    @property
    def name(self) -> str:
        """The node's name."""
        return self._held.name

    @property
    def certified(self) -> bool:
        """Whether there is a certificate."""
        return bool(self._held.chain)

    @property
    def expire_time(self) -> datetime:
        """When the certificate ends.

        Raises:
            FailedPrecondition: NOT_JOINED, there is none yet.
        """
        return self._certified().chain[0].not_valid_after_utc

    @property
    def serial_number(self) -> str:
        """Serial number of the certificate, hexadecimal without leading zeros.

        Raises:
            FailedPrecondition: NOT_JOINED, there is none yet.
        """
        return f"{self._certified().chain[0].serial_number:x}"

    def is_signed_by(self, ca_pem: str) -> bool:
        """Whether a CA signed the certificate.

        Raises:
            FailedPrecondition: NOT_JOINED, there is none yet.
        """
        return signed_by(self._certified().chain[-1], certificates_of(ca_pem)[0])

    @property
    def ca_pem(self) -> str:
        """PEM of the CAs that the node trusts, for a client that calls it."""
        return pem_of(self._held.cas).decode("ascii")

    @property
    def tls_key(self) -> ec.EllipticCurvePrivateKey:
        """The private key, for the request to join."""
        return self._held.key

    def certificate_request(self) -> str:
        """Returns a request in PEM for a certificate of the key held."""
        return certificate_request(self._held.name, self._held.key)

    def install(self, chain_pem: str, ca_pems: Sequence[str]) -> None:
        """Stores and uses a certificate of the key held.

        Args:
            chain_pem: leaf first, root not in it.
            ca_pems: the CAs to trust.

        Raises:
            InvalidInput: CERTIFICATE_WRONG, it is for another key or name, or none of the CAs signed it.
            OSError: it cannot be written; what was held is still in use.
        """
        cas = certificates_of("".join(ca_pems))
        with self._replacing:
            self._replace(self._held.key, chain_pem, cas)

    def trust(self, ca_pems: Sequence[str]) -> None:
        """Trusts the CAs of a new directory instead of those held; nothing to do where they are the same.

        Called on the event loop. Where another CA than that of the certificate signs now, the certificate is renewed soon.

        Args:
            ca_pems: PEM, one CA or more; the last one signs.

        Raises:
            InvalidInput: CERTIFICATE_WRONG, one cannot be read or there is none.
            OSError: they cannot be written; those held are still trusted.
        """
        cas = certificates_of("".join(ca_pems))
        with self._replacing:
            if cas != self._held.cas:
                write_file(self._folder / CA_FILE, pem_of(cas), PUBLIC)
                self._hold(replace(self._held, cas=cas))
                self._cas_changed.set()

    def server_credentials(self, *, require_client: bool, client_ca: str = "") -> grpc.ServerCredentials:
        """Returns credentials for a listener, which uses what is newest at each handshake.

        Args:
            require_client: True for nodes and officers, who show a certificate of the network; False for the public
                listener, which asks for none.
            client_ca: PEM of the CA whose certificates clients show instead, at a provider's local API.

        Raises:
            FailedPrecondition: NOT_JOINED.
        """
        handed = self._certified()

        def configuration(held: _Held) -> grpc.ServerCertificateConfiguration:
            roots = (client_ca.encode() or pem_of(held.cas)) if require_client else None
            return grpc.ssl_server_certificate_configuration([(held.key_pem(), pem_of(held.chain))], roots)

        def newest() -> grpc.ServerCertificateConfiguration | None:
            nonlocal handed
            held = self._held
            if held is handed:
                return None
            handed = held
            return configuration(held)

        return grpc.dynamic_ssl_server_credentials(configuration(handed), newest, require_client)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns credentials for a channel to another node, which keeps them: open a new one when `version` grew.

        Raises:
            FailedPrecondition: NOT_JOINED.
        """
        held = self._certified()
        return grpc.ssl_channel_credentials(pem_of(held.cas), held.key_pem(), pem_of(held.chain))

    async def renew_for_ever(
        self,
        renew: Callable[[str], Awaitable[str]],
        clock: Clock,
        *,
        wait: Callable[[float], Awaitable[None]] | None = None,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        """Renews the certificate at about two thirds of its life, and soon after another CA signs, for ever; a failure is
        tried again until it works.

        Args:
            renew: sends a request in PEM and returns the chain in PEM.
            clock: tells the time.
            wait: waits so many seconds; by default until other CAs are trusted at the longest.
            fraction: draws from 0 to 1, so that nodes that joined together do not renew together.

        Raises:
            FailedPrecondition: NOT_JOINED.
        """
        rest = wait or asyncio.sleep
        renewed_for = self._held.cas if self._by_signing_ca() else ()
        while True:
            await self._wait_until_due(clock, wait or self._wait_for_cas, fraction(), renewed_for)
            failures, renewed_for = 0, self._held.cas
            while not await self._renewed(renew):
                longest = min(LONGEST_RETRY_SECONDS, 2.0 ** min(failures, 10))
                await rest(max(0.1, longest * fraction()))
                failures += 1
            self.renewed.notify()
            log.info("certificate_renewed", name=self.name, expire_time=self.expire_time.isoformat())
            await rest(SHORTEST_WAIT_SECONDS)

    async def _wait_until_due(
        self,
        clock: Clock,
        wait: Callable[[float], Awaitable[None]],
        drawn: float,
        renewed_for: tuple[x509.Certificate, ...],
    ) -> None:
        due = self.renewal_time(drawn)
        begins = self._certified().chain[0].not_valid_before_utc
        # One that does not hold yet was issued by a clock that was ahead: it is no use until years later, perhaps.
        while (now := clock()) >= begins and (remaining := (due - now).total_seconds()) > 0:
            self._cas_changed.clear()
            # Once for the same CAs: a nation that signs with the CA before all the same is not asked again and again.
            if self._held.cas != renewed_for and not self._by_signing_ca():
                await wait(drawn * min(remaining, SPREAD_SECONDS, self._life().total_seconds() * _SPREAD))
                return
            await wait(min(remaining, LONGEST_WAIT_SECONDS))

    async def _wait_for_cas(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._cas_changed.wait()

    def _by_signing_ca(self) -> bool:
        held = self._certified()
        return signed_by(held.chain[-1], held.cas[-1])

    def renewal_time(self, drawn: float = 0.5) -> datetime:
        """Returns when to renew: at two thirds of the certificate's life, up to a twentieth of it earlier or later.

        Args:
            drawn: from 0 for earliest to 1 for latest.

        Raises:
            FailedPrecondition: NOT_JOINED.
        """
        return self.expire_time - self._life() * (1 - _RENEW_AT - _JITTER * (2 * drawn - 1))

    def _life(self) -> timedelta:
        # A certificate is dated back for slow clocks, which is no part of its life.
        issued = self._certified().chain[0].not_valid_before_utc + CLOCK_SKEW
        return max(self.expire_time - issued, timedelta(0))

    async def _renewed(self, renew: Callable[[str], Awaitable[str]]) -> bool:
        try:
            key = ec.generate_private_key(ec.SECP256R1())
            chain_pem = await renew(certificate_request(self.name, key))
            await asyncio.to_thread(self._replace_certificate, key, chain_pem)
        except Exception as error:  # noqa: BLE001 - a node that stops renewing falls silent when its certificate ends
            reason = error.reason if isinstance(error, FilingnetError) else type(error).__name__
            log.warning("certificate_renewal_failed", name=self.name, reason=reason)
            return False
        return True

    def _replace_certificate(self, key: ec.EllipticCurvePrivateKey, chain_pem: str) -> None:
        with self._replacing:
            self._replace(key, chain_pem, self._held.cas)

    def _replace(self, key: ec.EllipticCurvePrivateKey, chain_pem: str, cas: tuple[x509.Certificate, ...]) -> None:
        chain = certificates_of(chain_pem)
        check_chain(chain, self._held.name, key)
        if not any(signed_by(chain[-1], ca) for ca in cas):
            raise unusable("none of the trusted CAs signed it")
        held = _Held(self._held.name, key, chain, cas)
        # The CA file first: a certificate on disk always has the CAs beside it.
        write_file(self._folder / CA_FILE, pem_of(cas), PUBLIC)
        write_file(self._folder / IDENTITY_FILE, held.identity(), PRIVATE)
        self._hold(held)

    def _hold(self, held: _Held) -> None:
        self._held = held
        self.version += 1

    def _certified(self) -> _Held:
        if not self._held.chain:
            raise FailedPrecondition("this node has no certificate yet: run init with a token file", "NOT_JOINED")
        return self._held

    def __repr__(self) -> str:
        """Names the node."""
        return f"Credentials({self.name})"
