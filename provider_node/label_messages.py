"""Labels between the local API's messages, the use cases and the statements that go into the outbox."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message

from provider_node.account_messages import filing_to_wire
from provider_node.label_terms import GrantTerms, LicenceTerms
from provider_node.labels import Label
from shared.clock import from_micros
from shared.mapping.times import micros_of
from shared.pb.filingnet.provider.v1 import label_service_pb2 as pb
from shared.provisions.labels import LabelBasis, LabelScope


def grant_terms_from_wire(request: pb.GrantLabelRequest) -> GrantTerms:
    """Reads what is asked to be granted."""
    return GrantTerms(
        basis=LabelBasis(request.basis),
        licence=licence_from_wire(request),
        scope=LabelScope(request.scope),
        start_time=micros_of(request.start_time),
        end_time=micros_of(request.end_time),
    )


def licence_from_wire(request: pb.GrantLabelRequest | pb.RenewLabelRequest) -> LicenceTerms:
    """Reads the subject's licence out of a request."""
    return LicenceTerms(
        request.licence_number, micros_of(request.licence_start_time), micros_of(request.licence_end_time)
    )


def time_from_wire(request: Message, field: str) -> datetime | None:
    """Reads a time of a request; None where it is unset."""
    if not request.HasField(field):
        return None
    time: datetime = getattr(request, field).ToDatetime(UTC)
    return time


def label_to_wire(label: Label) -> pb.Label:
    """Returns the message of a grant with its newest statement."""
    row = label.row
    message = pb.Label(
        grant_id=row.grant_id,
        account_id=row.account_id,
        revision=row.revision,
        state=pb.LabelState.Name(label.state),
        basis=row.basis,  # type: ignore[arg-type]
        licence_number=row.licence_number,
        scope=int(label.scope),  # type: ignore[arg-type]
        reminder_days=label.reminder_days,
        reason=row.reason,
        note=row.note,
        statement=filing_to_wire(label.statement),
        etag=label.etag,
    )
    message.start_time.FromDatetime(from_micros(row.start_time))
    message.end_time.FromDatetime(from_micros(row.end_time))
    return message
