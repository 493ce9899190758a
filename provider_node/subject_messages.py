"""Subjects between the local API's messages and the use cases: the one place of the node where both are known."""

from __future__ import annotations

from datetime import UTC

from provider_node.agreements import AgreementText
from provider_node.subject_rows import Subject
from provider_node.subjects import Registration
from provider_node.vault import AuditEntry, Identity
from shared.mapping.identity import (
    organisation_from_wire,
    organisation_to_wire,
    person_from_wire,
    person_to_wire,
)
from shared.pb.filingnet.network.v1 import filing_pb2
from shared.pb.filingnet.provider.v1 import node_service_pb2, subject_service_pb2
from shared.provisions.agreements import AgreementSignature
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import PersonIdentity


def registration_from_wire(request: subject_service_pb2.RegisterSubjectRequest) -> Registration:
    """Reads a request to register."""
    return Registration(
        request_id=request.request_id,
        kind=SubjectKind(request.kind),
        identity=identity_from_wire(request),
        nickname=request.nickname,
        agreement=signature_from_wire(request.agreement),
    )


def identity_from_wire(
    request: subject_service_pb2.RegisterSubjectRequest | subject_service_pb2.ChangeIdentityRequest,
) -> Identity:
    """Reads the identity of a request that has one."""
    if request.HasField("person"):
        return person_from_wire(request.person)
    return organisation_from_wire(request.organisation)


def identity_to_wire(identity: Identity) -> subject_service_pb2.ReadIdentityResponse:
    """Returns the answer that tells an identity."""
    if isinstance(identity, PersonIdentity):
        return subject_service_pb2.ReadIdentityResponse(person=person_to_wire(identity))
    return subject_service_pb2.ReadIdentityResponse(organisation=organisation_to_wire(identity))


def signature_from_wire(message: subject_service_pb2.AgreementSignature) -> AgreementSignature:
    """Reads what a subject signed."""
    return AgreementSignature(message.version, message.digest, message.sign_time.ToDatetime(UTC))


def agreement_to_wire(text: AgreementText) -> subject_service_pb2.GetAgreementResponse:
    """Returns the answer that tells the agreement in force."""
    return subject_service_pb2.GetAgreementResponse(version=text.version, baselines=text.baselines, digest=text.digest)


def subject_to_wire(subject: Subject) -> subject_service_pb2.Subject:
    """Returns the message of a subject, which has no identity in it."""
    message = subject_service_pb2.Subject(
        reference=subject.reference,
        kind=filing_pb2.SubjectKind.Name(subject.kind),
        nickname=subject.nickname,
        region=subject.region,
        agreement=subject_service_pb2.AgreementSignature(
            version=subject.agreement.version, digest=subject.agreement.digest
        ),
        etag=subject.etag,
    )
    message.verified_time.FromDatetime(subject.verified_time)
    message.agreement.sign_time.FromDatetime(subject.agreement.sign_time)
    return message


def audit_entry_to_wire(entry: AuditEntry) -> node_service_pb2.AuditEntry:
    """Returns the message of a line of the audit trail."""
    message = node_service_pb2.AuditEntry(
        number=entry.number,
        action=entry.action,
        reference=entry.reference,
        purpose=entry.purpose,
        reader=entry.reader,
    )
    message.time.FromDatetime(entry.time)
    return message
