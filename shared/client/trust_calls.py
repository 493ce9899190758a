"""What the network's certificates rest on, as the nation's officers see it: CAs, and the certificates that they signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from shared.client.connection import Client
from shared.client.officer_mapping import time_from_wire
from shared.pb.filingnet.regulator.v1 import trust_service_pb2, trust_service_pb2_grpc


class AuthorityState(IntEnum):
    """What a CA of the directory is for."""

    NEXT = 1
    """Trusted, and signs nothing yet."""
    IN_USE = 2
    """Signs certificates."""
    FORMER = 3
    """Signs no more; what it signed goes on."""


@dataclass(frozen=True, slots=True)
class AuthorityInfo:
    """One CA of the directory.

    Attributes:
        authority_id: tells it from the others, 16 hexadecimal digits.
        expire_time: when its own certificate ends.
        live_certificates: those by it that somebody may still use.
        holders: who holds them, by name; the first 20.
        last_expire_time: when the last of them ends; None where there is none.
    """

    authority_id: str
    state: AuthorityState
    expire_time: datetime
    live_certificates: int
    holders: tuple[str, ...]
    last_expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class AuthorityChange:
    """A CA after a change, and the directory version that says so."""

    authority: AuthorityInfo
    directory_version: int


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate that a CA signed.

    Attributes:
        serial_number: hexadecimal.
        holder: the node, or the officer's post.
        authority_id: of the CA; empty where it was signed before there was a second one.
        denied: whether it is refused.
    """

    serial_number: str
    holder: str
    issue_time: datetime
    expire_time: datetime
    authority_id: str
    denied: bool


class TrustCalls(Client):
    """The calls of TrustService; part of `OfficerClient`. The nation's node only."""

    async def authorities(self) -> list[AuthorityInfo]:
        """Lists the CAs of the directory, oldest first."""
        answer = await self._connection.call(self._trust.ListAuthorities, trust_service_pb2.ListAuthoritiesRequest())
        return list(map(_authority, answer.authorities))

    async def add_authority(self) -> AuthorityChange:
        """Makes the next CA, which every node then trusts and which signs nothing yet.

        Raises:
            FailedPrecondition: FORMER_AUTHORITY_LISTED.
        """
        return _change(await self._connection.call(self._trust.AddAuthority, trust_service_pb2.AddAuthorityRequest()))

    async def use_authority(self, *, force: bool = False) -> AuthorityChange:
        """Has the next CA sign from now on; nodes renew by themselves.

        Args:
            force: whether also before every node had the time to hear of it.

        Raises:
            FailedPrecondition: NEXT_AUTHORITY_MISSING, AUTHORITY_TOO_NEW.
        """
        request = trust_service_pb2.UseAuthorityRequest(force=force)
        return _change(await self._connection.call(self._trust.UseAuthority, request))

    async def retire_authority(self, authority_id: str, *, force: bool = False) -> AuthorityChange:
        """Takes a CA out of the directory: certificates by it are refused at the next call.

        Args:
            authority_id: which one.
            force: whether also while certificates by it are live.

        Raises:
            NotFound: AUTHORITY_UNKNOWN; FailedPrecondition: AUTHORITY_IN_USE, AUTHORITY_NEEDED.
        """
        request = trust_service_pb2.RetireAuthorityRequest(authority_id=authority_id, force=force)
        return _change(await self._connection.call(self._trust.RetireAuthority, request))

    async def held_certificates(self, holder: str) -> list[HeldCertificate]:
        """Lists the certificates of a node, or of an officer's post, that have not ended, newest first."""
        request = trust_service_pb2.ListHeldCertificatesRequest(holder=holder)
        answer = await self._connection.call(self._trust.ListHeldCertificates, request)
        return list(map(_certificate, answer.certificates))

    async def deny_certificate(self, serial_number: str) -> tuple[HeldCertificate, int]:
        """Refuses one certificate from its next call on; returns it, and the directory version that says so.

        Raises:
            NotFound: CERTIFICATE_UNKNOWN; FailedPrecondition: CERTIFICATE_IN_USE.
        """
        request = trust_service_pb2.DenyCertificateRequest(serial_number=serial_number)
        answer = await self._connection.call(self._trust.DenyCertificate, request)
        return _certificate(answer.certificate), answer.directory_version

    @property
    def _trust(self) -> Any:
        return self._connection.stub(trust_service_pb2_grpc.TrustServiceStub)


def _change(answer: Any) -> AuthorityChange:
    return AuthorityChange(_authority(answer.authority), answer.directory_version)


def _authority(message: trust_service_pb2.Authority) -> AuthorityInfo:
    last = time_from_wire(message.last_expire_time) if message.HasField("last_expire_time") else None
    return AuthorityInfo(
        message.authority_id,
        AuthorityState(message.state),
        time_from_wire(message.expire_time),
        message.live_certificates,
        tuple(message.holders),
        last,
    )


def _certificate(message: trust_service_pb2.HeldCertificate) -> HeldCertificate:
    return HeldCertificate(
        message.serial_number,
        message.holder,
        time_from_wire(message.issue_time),
        time_from_wire(message.expire_time),
        message.authority_id,
        message.denied,
    )
