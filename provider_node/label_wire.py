"""A statement on a label as the rules see it, written as the message that goes into the outbox."""

from __future__ import annotations

from shared.pb.filingnet.network.v1 import label_pb2
from shared.provisions.labels import LabelRecord


def label_statement_to_wire(record: LabelRecord) -> label_pb2.LabelGrant:
    """Returns the message of a record that was judged.

    Args:
        record: times in microseconds since 1970; one that is 0 is left unset.
    """
    message = label_pb2.LabelGrant(
        grant_id=record.grant_id,
        account_id=record.account_id,
        revision=record.revision,
        action=label_pb2.LabelAction.Name(record.action),
        basis=label_pb2.LabelBasis.Name(record.basis),
        licence_number=record.licence_number,
        scope=label_pb2.LabelScope.Name(record.scope),
        reason=record.reason,
        approval_entry_id=record.approval_entry_id,
    )
    for name in ("licence_start_time", "licence_end_time", "start_time", "end_time"):
        if getattr(record, name):
            getattr(message, name).FromMicroseconds(getattr(record, name))
    return message
