"""Reads statements and decisions on labels off the wire into the records that the rules judge."""

from __future__ import annotations

from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import label_pb2
from shared.provisions.label_decisions import LabelDecisionRecord
from shared.provisions.label_rights import LabelRecord


def label_from_wire(grant: label_pb2.LabelGrant, created_time: int) -> LabelRecord:
    """Returns the record of a statement on a grant.

    Args:
        grant: the statement; an unset field reads as its default.
        created_time: of its entry, in microseconds since the epoch.

    Returns:
        The record, with times in microseconds; what is finer is cut off, and an unset one is 0. Ids are in small letters.
    """
    return LabelRecord(
        grant.grant_id.lower(),
        grant.account_id.lower(),
        grant.revision,
        grant.action,
        grant.basis,
        grant.licence_number,
        micros_of(grant.licence_start_time),
        micros_of(grant.licence_end_time),
        grant.scope,
        micros_of(grant.start_time),
        micros_of(grant.end_time),
        grant.reason,
        grant.approval_entry_id,
        created_time,
    )


def label_decision_from_wire(decision: label_pb2.LabelDecision) -> LabelDecisionRecord:
    """Returns the record of a regulator's decision on a label; times as `label_from_wire` reads them."""
    return LabelDecisionRecord(
        decision.grant_id.lower(),
        decision.revision,
        decision.outcome,
        decision.scope,
        micros_of(decision.end_time),
        decision.reason,
        micros_of(decision.decided_time),
    )
