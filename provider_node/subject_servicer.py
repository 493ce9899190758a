"""SubjectService of the local API: parses, calls, maps."""

from __future__ import annotations

from typing import TypeAlias

import grpc

from provider_node.agreements import agreement_in_force
from provider_node.standing import ReadStanding
from provider_node.subject_messages import (
    agreement_to_wire,
    identity_from_wire,
    identity_to_wire,
    registration_from_wire,
    signature_from_wire,
    subject_to_wire,
)
from provider_node.subjects import Subjects
from shared.clock import Clock
from shared.pb.filingnet.provider.v1 import subject_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import subject_service_pb2_grpc

Context: TypeAlias = grpc.aio.ServicerContext


class SubjectServicer(subject_service_pb2_grpc.SubjectServiceServicer):
    """Serves what concerns subjects."""

    def __init__(self, subjects: Subjects, standing: ReadStanding, clock: Clock) -> None:
        self._subjects = subjects
        self._standing = standing
        self._clock = clock

    async def RegisterSubject(  # noqa: N802
        self, request: pb.RegisterSubjectRequest, context: Context
    ) -> pb.RegisterSubjectResponse:
        """Registers a subject (Art. 6)."""
        subject = await self._subjects.register(registration_from_wire(request))
        return pb.RegisterSubjectResponse(subject=subject_to_wire(subject))

    async def GetSubject(self, request: pb.GetSubjectRequest, context: Context) -> pb.GetSubjectResponse:  # noqa: N802
        """Reads a subject."""
        subject = await self._subjects.get(request.reference)
        return pb.GetSubjectResponse(subject=subject_to_wire(subject))

    async def ChangeNickname(  # noqa: N802
        self, request: pb.ChangeNicknameRequest, context: Context
    ) -> pb.ChangeNicknameResponse:
        """Changes the name at the front."""
        subject = await self._subjects.change_nickname(request.reference, request.nickname, request.etag)
        return pb.ChangeNicknameResponse(subject=subject_to_wire(subject))

    async def ChangeIdentity(  # noqa: N802
        self, request: pb.ChangeIdentityRequest, context: Context
    ) -> pb.ChangeIdentityResponse:
        """Changes the identity at the back."""
        identity = identity_from_wire(request)
        subject = await self._subjects.change_identity(request.request_id, request.reference, identity, request.etag)
        return pb.ChangeIdentityResponse(subject=subject_to_wire(subject))

    async def ReadIdentity(  # noqa: N802
        self, request: pb.ReadIdentityRequest, context: Context
    ) -> pb.ReadIdentityResponse:
        """Reads an identity for a purpose."""
        identity = await self._subjects.read_identity(request.reference, request.purpose, request.reader)
        return identity_to_wire(identity)

    async def SignAgreement(  # noqa: N802
        self, request: pb.SignAgreementRequest, context: Context
    ) -> pb.SignAgreementResponse:
        """Signs the agreement in force."""
        subject = await self._subjects.sign_agreement(request.reference, signature_from_wire(request.agreement))
        return pb.SignAgreementResponse(subject=subject_to_wire(subject))

    async def GetAgreement(  # noqa: N802
        self, request: pb.GetAgreementRequest, context: Context
    ) -> pb.GetAgreementResponse:
        """Reads the agreement in force."""
        return agreement_to_wire(agreement_in_force(self._standing().policies, self._clock()))

    async def DeleteSubject(  # noqa: N802
        self, request: pb.DeleteSubjectRequest, context: Context
    ) -> pb.DeleteSubjectResponse:
        """Deletes a subject."""
        await self._subjects.delete(request.reference, request.etag)
        return pb.DeleteSubjectResponse()
