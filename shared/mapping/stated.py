"""Reads whatever a provider states in an entry into the record that the rules judge."""

from __future__ import annotations

from shared.mapping.duty import duty_profile_from_wire
from shared.mapping.escalation import escalation_from_wire
from shared.mapping.filing import record_from_wire
from shared.mapping.label import label_from_wire
from shared.mapping.record_hold import hold_answer_from_wire
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.suspension import StatedRecord
from shared.provisions.transfers import DepartureRecord


def stated_from_wire(entry: entry_pb2.Entry) -> StatedRecord:
    """Returns the record of an entry of a provider.

    Raises:
        ValueError: it holds nothing that a provider states.
    """
    body, created = entry.WhichOneof("body"), micros_of(entry.created_time)
    if body == "filing":
        return record_from_wire(entry)
    if body == "label_grant":
        return label_from_wire(entry.label_grant, created)
    if body == "escalation":
        return escalation_from_wire(entry.escalation, created)
    if body == "duty_profile":
        return duty_profile_from_wire(entry.duty_profile, created)
    if body == "departure":
        return DepartureRecord(entry.departure.number, entry.departure.to_jurisdiction)
    if body == "record_hold_answer":
        return hold_answer_from_wire(entry.record_hold_answer, created)
    raise ValueError("a provider states filings, labels, escalations, duty profiles, departures and answers to holds")
