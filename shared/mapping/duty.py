"""Reads a provider's duty profile off the wire into the record that the rules judge."""

from __future__ import annotations

from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import duty_pb2
from shared.provisions.duties import Duty, DutyProfileRecord


def duty_profile_from_wire(profile: duty_pb2.DutyProfile, created_time: int) -> DutyProfileRecord:
    """Returns the record of a duty profile.

    Args:
        profile: the profile; an unset field reads as its default.
        created_time: of its entry, in microseconds since the epoch.

    Returns:
        The record, with times in microseconds; what is finer is cut off, and an unset one is 0.
    """
    duties = tuple(Duty(duty.code, micros_of(duty.in_force_time)) for duty in profile.duties)
    counted = micros_of(profile.counted_time)
    return DutyProfileRecord(profile.revision, duties, profile.staff, profile.users, counted, created_time)
