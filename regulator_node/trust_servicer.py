"""Serves what the network's certificates rest on: its CAs and how one takes another's place, and denied certificates.

Each call leaves its audit entry before anything is done. A province refuses and says where the nation is (Art. 3).
"""

from __future__ import annotations

from typing import Final

import grpc

from regulator_node.audit import Audit
from regulator_node.authorities import Authorities, ListedAuthority
from regulator_node.issued_certificates import HeldCertificate
from regulator_node.national import NationalOffice, the_office
from shared.network import NetworkView
from shared.pb.filingnet.regulator.v1 import trust_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import trust_service_pb2_grpc

SERVICE: Final = "/filingnet.regulator.v1.TrustService/"

MOST_HOLDERS: Final = 20
"""Holders of a CA's certificates that are named."""


class TrustServicer(trust_service_pb2_grpc.TrustServiceServicer):
    """Serves TrustService.

    Args:
        view: the documents held.
        office: the national office; None at a province.
        audit: the trail.
    """

    def __init__(self, view: NetworkView, office: NationalOffice | None, audit: Audit) -> None:
        self._view = view
        self._office = office
        self._audit = audit

    async def ListAuthorities(  # noqa: N802
        self, request: wire.ListAuthoritiesRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListAuthoritiesResponse:
        """Lists the CAs of the directory."""
        del request, context
        authorities = await self._begin("ListAuthorities", "")
        return wire.ListAuthoritiesResponse(authorities=map(_authority, await authorities.listed()))

    async def AddAuthority(  # noqa: N802
        self, request: wire.AddAuthorityRequest, context: grpc.aio.ServicerContext
    ) -> wire.AddAuthorityResponse:
        """Makes the next CA and has every node trust it."""
        del request, context
        authorities = await self._begin("AddAuthority", "")
        added, version = await authorities.add_next()
        return wire.AddAuthorityResponse(authority=_authority(added), directory_version=version)

    async def UseAuthority(  # noqa: N802
        self, request: wire.UseAuthorityRequest, context: grpc.aio.ServicerContext
    ) -> wire.UseAuthorityResponse:
        """Has the next CA sign from now on."""
        del context
        authorities = await self._begin("UseAuthority", _forced(request.force))
        used, version = await authorities.use_next(force=request.force)
        return wire.UseAuthorityResponse(authority=_authority(used), directory_version=version)

    async def RetireAuthority(  # noqa: N802
        self, request: wire.RetireAuthorityRequest, context: grpc.aio.ServicerContext
    ) -> wire.RetireAuthorityResponse:
        """Takes a CA out of the directory."""
        del context
        authorities = await self._begin("RetireAuthority", f"{request.authority_id} {_forced(request.force)}".strip())
        retired, version = await authorities.retire(request.authority_id, force=request.force)
        return wire.RetireAuthorityResponse(authority=_authority(retired), directory_version=version)

    async def ListHeldCertificates(  # noqa: N802
        self, request: wire.ListHeldCertificatesRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListHeldCertificatesResponse:
        """Lists the certificates of one holder."""
        del context
        authorities = await self._begin("ListHeldCertificates", f"holder {request.holder}")
        found = await authorities.certificates_of(request.holder)
        return wire.ListHeldCertificatesResponse(certificates=[_certificate(each, denied) for each, denied in found])

    async def DenyCertificate(  # noqa: N802
        self, request: wire.DenyCertificateRequest, context: grpc.aio.ServicerContext
    ) -> wire.DenyCertificateResponse:
        """Refuses one certificate from its next call on."""
        del context
        authorities = await self._begin("DenyCertificate", f"serial number {request.serial_number}")
        denied, version = await authorities.deny(request.serial_number)
        return wire.DenyCertificateResponse(certificate=_certificate(denied, denied=True), directory_version=version)

    async def _begin(self, method: str, detail: str) -> Authorities:
        await self._audit.record(SERVICE + method, detail)
        return the_office(self._office, self._view).authorities


def _forced(force: bool) -> str:
    return "by force" if force else ""


def _authority(listed: ListedAuthority) -> wire.Authority:
    holders = list(dict.fromkeys(each.holder for each in listed.live))
    message = wire.Authority(
        authority_id=listed.authority_id,
        state=listed.state.value,  # type: ignore[arg-type]
        live_certificates=len(listed.live),
        holders=holders[:MOST_HOLDERS],
    )
    message.expire_time.FromDatetime(listed.expire_time)
    if listed.live:
        message.last_expire_time.FromDatetime(max(each.expire_time for each in listed.live))
    return message


def _certificate(held: HeldCertificate, denied: bool) -> wire.HeldCertificate:
    message = wire.HeldCertificate(
        serial_number=held.serial_number, holder=held.holder, authority_id=held.authority_id, denied=denied
    )
    message.issue_time.FromDatetime(held.issue_time)
    message.expire_time.FromDatetime(held.expire_time)
    return message
