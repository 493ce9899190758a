"""Labels, the gate's answers and duty profiles between the local API's messages and the values of a backend."""

from __future__ import annotations

from datetime import UTC

from shared.client.label_types import (
    Duty,
    DutyProfile,
    FiledDutyProfile,
    Label,
    LabelState,
    PublicationAnswer,
    SubjectLicence,
)
from shared.client.provider_mapping import filing_from_wire
from shared.pb.filingnet.network.v1 import duty_pb2
from shared.pb.filingnet.provider.v1 import duty_service_pb2, label_service_pb2, publication_service_pb2
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.reasoning import Step


def set_licence(
    request: label_service_pb2.GrantLabelRequest | label_service_pb2.RenewLabelRequest, licence: SubjectLicence | None
) -> None:
    """Sets the licence of a request; None leaves it unset."""
    if licence is not None:
        request.licence_number = licence.number
        request.licence_start_time.FromDatetime(licence.start_time)
        request.licence_end_time.FromDatetime(licence.end_time)


def label_from_wire(message: label_service_pb2.Label) -> Label:
    """Reads a grant."""
    return Label(
        grant_id=message.grant_id,
        account_id=message.account_id,
        revision=message.revision,
        state=LabelState(message.state),
        basis=LabelBasis(message.basis),
        licence_number=message.licence_number,
        scope=LabelScope(message.scope),
        start_time=message.start_time.ToDatetime(UTC),
        end_time=message.end_time.ToDatetime(UTC),
        reminder_days=message.reminder_days,
        reason=message.reason,
        note=message.note,
        statement=filing_from_wire(message.statement),
        etag=message.etag,
    )


def publication_answer_from_wire(message: publication_service_pb2.CheckPublicationResponse) -> PublicationAnswer:
    """Reads an answer of the gate."""
    return PublicationAnswer(
        allowed=message.allowed,
        reason=message.reason,
        steps=tuple(Step(step.article, step.kind, step.id, step.finding) for step in message.steps),
        label=LabelScope(message.label),
        hold_until=message.hold_until_time.ToDatetime(UTC) if message.HasField("hold_until_time") else None,
    )


def duty_profile_to_wire(profile: DutyProfile) -> duty_pb2.DutyProfile:
    """Returns the message of a duty profile; its revision is set by the node."""
    message = duty_pb2.DutyProfile(staff=profile.staff, users=profile.users)
    for duty in profile.duties:
        message.duties.add(code=duty.code).in_force_time.FromDatetime(duty.in_force_time)
    message.counted_time.FromDatetime(profile.counted_time)
    return message


def filed_profile_from_wire(
    message: duty_service_pb2.FileDutyProfileResponse | duty_service_pb2.GetDutyProfileResponse,
) -> FiledDutyProfile:
    """Reads a duty profile as it was filed."""
    profile = message.profile
    duties = tuple(Duty(duty.code, duty.in_force_time.ToDatetime(UTC)) for duty in profile.duties)
    return FiledDutyProfile(
        revision=profile.revision,
        profile=DutyProfile(duties, profile.staff, profile.users, profile.counted_time.ToDatetime(UTC)),
        status=filing_from_wire(message.status),
    )
