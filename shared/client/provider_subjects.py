"""Subjects as a provider's backend works with them: registered, verified anew, read and deleted."""

from __future__ import annotations

import uuid
from typing import Any

from shared.client.connection import Client
from shared.client.provider_mapping import identity_from_wire, signature_to_wire, subject_from_wire
from shared.client.provider_types import Agreement, Subject
from shared.mapping.identity import organisation_to_wire, person_to_wire
from shared.pb.filingnet.network.v1 import filing_pb2
from shared.pb.filingnet.provider.v1 import subject_service_pb2, subject_service_pb2_grpc
from shared.provisions.agreements import AgreementSignature
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity

Identity = PersonIdentity | OrganisationIdentity
Signed = Agreement | AgreementSignature


class SubjectCalls(Client):
    """Calls about subjects; part of `ProviderClient`.

    Args:
        connection: to the node.
    """

    async def agreement(self) -> Agreement:
        """Reads the agreement in force, to be shown to whoever registers (Art. 6(2))."""
        answer = await self._connection.call(self._subjects.GetAgreement, subject_service_pb2.GetAgreementRequest())
        return Agreement(answer.version, tuple(answer.baselines), answer.digest)

    async def register_person(
        self,
        identity: PersonIdentity,
        *,
        nickname: str,
        agreement: Signed,
        request_id: str = "",
    ) -> Subject:
        """Registers a person after verifying the real identity (Art. 6).

        Args:
            identity: never leaves the provider.
            nickname: chosen freely, 1 to 64 characters.
            agreement: what the person signed; an Agreement stands for one signed just now.
            request_id: a UUID, so that the call can be made again.

        Raises:
            InvalidInput: IDENTITY_NOT_VERIFIED, AGREEMENT_NOT_SIGNED, IDENTITY_DATA in the nickname; nothing is stored.
            AlreadyExists: IDENTITY_REGISTERED; the violation names the reference of the first.
        """
        request = subject_service_pb2.RegisterSubjectRequest(
            request_id=request_id or str(uuid.uuid4()),
            kind=filing_pb2.SUBJECT_KIND_PERSON,
            person=person_to_wire(identity),
            nickname=nickname,
            agreement=signature_to_wire(agreement),
        )
        return subject_from_wire((await self._connection.call(self._subjects.RegisterSubject, request)).subject)

    async def register_organisation(
        self,
        identity: OrganisationIdentity,
        *,
        kind: SubjectKind,
        nickname: str,
        agreement: Signed,
        request_id: str = "",
    ) -> Subject:
        """Registers an organisation after verifying it and whoever operates its account (Art. 6); see register_person.

        Args:
            identity: registered name and credit code, which are public, and the operator, who is not.
            kind: which kind of organisation; must fit the credit code (Art. 7(4)).
            nickname: chosen freely, 1 to 64 characters.
            agreement: what the operator signed; see register_person.
            request_id: a UUID, so that the call can be made again.
        """
        request = subject_service_pb2.RegisterSubjectRequest(
            request_id=request_id or str(uuid.uuid4()),
            kind=filing_pb2.SubjectKind.Name(kind),
            organisation=organisation_to_wire(identity),
            nickname=nickname,
            agreement=signature_to_wire(agreement),
        )
        return subject_from_wire((await self._connection.call(self._subjects.RegisterSubject, request)).subject)

    async def get_subject(self, reference: bytes) -> Subject:
        """Reads a subject without its identity; raises NotFound."""
        request = subject_service_pb2.GetSubjectRequest(reference=reference)
        return subject_from_wire((await self._connection.call(self._subjects.GetSubject, request)).subject)

    async def change_nickname(self, reference: bytes, nickname: str, *, etag: str = "") -> Subject:
        """Changes the name at the front; raises Conflict where the etag is not the newest."""
        request = subject_service_pb2.ChangeNicknameRequest(reference=reference, nickname=nickname, etag=etag)
        return subject_from_wire((await self._connection.call(self._subjects.ChangeNickname, request)).subject)

    async def change_identity(
        self, reference: bytes, identity: Identity, *, etag: str = "", request_id: str = ""
    ) -> Subject:
        """Changes the identity at the back, verified again; raises like register_person."""
        request = subject_service_pb2.ChangeIdentityRequest(
            request_id=request_id or str(uuid.uuid4()), reference=reference, etag=etag
        )
        if isinstance(identity, PersonIdentity):
            request.person.CopyFrom(person_to_wire(identity))
        else:
            request.organisation.CopyFrom(organisation_to_wire(identity))
        return subject_from_wire((await self._connection.call(self._subjects.ChangeIdentity, request)).subject)

    async def read_identity(self, reference: bytes, *, purpose: str, reader: str) -> Identity:
        """Reads an identity; why (a code) and who (the backend's own name for its operator) is audited first."""
        request = subject_service_pb2.ReadIdentityRequest(reference=reference, purpose=purpose, reader=reader)
        return identity_from_wire(await self._connection.call(self._subjects.ReadIdentity, request))

    async def sign_agreement(self, reference: bytes, agreement: Signed) -> Subject:
        """Keeps a subject's signature of a newer version of the agreement."""
        request = subject_service_pb2.SignAgreementRequest(reference=reference, agreement=signature_to_wire(agreement))
        return subject_from_wire((await self._connection.call(self._subjects.SignAgreement, request)).subject)

    async def delete_subject(self, reference: bytes, *, etag: str = "") -> None:
        """Deletes a subject for good; raises FailedPrecondition ACCOUNT_ON_FILE while an account of it is on file."""
        request = subject_service_pb2.DeleteSubjectRequest(reference=reference, etag=etag)
        await self._connection.call(self._subjects.DeleteSubject, request)

    @property
    def _subjects(self) -> Any:
        return self._connection.stub(subject_service_pb2_grpc.SubjectServiceStub)
