"""What a provider's duty profile means to the register (Art. 5(1)): every profile is kept, and the newest one counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from regulator_node.register_departures import logs_of, marks
from shared.database import Transaction
from shared.mapping.duty import duty_profile_from_wire
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.duties import Duty, DutyProfileRecord

_COLUMNS = (
    "jurisdiction",
    "log_index",
    "provider",
    "revision",
    "duties",
    "staff",
    "users",
    "counted_time",
    "created_time",
    "filed_time",
)
_PROFILE = "p.provider, p.revision, p.duties, p.staff, p.users, p.counted_time, p.created_time"
_NEWEST = (
    f"SELECT {_PROFILE} FROM duty_profile p WHERE p.jurisdiction = ? AND NOT EXISTS (SELECT 1 FROM duty_profile later"  # noqa: S608
    " WHERE later.jurisdiction = p.jurisdiction AND later.provider = p.provider AND later.revision > p.revision)"
)


def apply_duty_profiles(
    transaction: Transaction, jurisdiction: str, entries: Sequence[tuple[int, entry_pb2.Entry]], filed_time: int
) -> None:
    """Applies duty profiles.

    Args:
        transaction: where they are applied.
        jurisdiction: whose log.
        entries: pairs of log index and entry, all of which hold a duty profile.
        filed_time: when they entered the log, microseconds since 1970.
    """
    rows = []
    for index, entry in entries:
        record = duty_profile_from_wire(entry.duty_profile, micros_of(entry.created_time))
        duties = json.dumps([[duty.code, duty.in_force_time] for duty in record.duties])
        numbers = (record.staff, record.users, record.counted_time, record.created_time)
        rows.append((jurisdiction, index, entry.origin, record.revision, duties, *numbers, filed_time))
    transaction.insert_many("duty_profile", _COLUMNS, rows)


def read_duty_profile(transaction: Transaction, jurisdiction: str, provider: str) -> DutyProfileRecord | None:
    """Reads the newest duty profile of a provider; None where it filed none."""
    logs = logs_of(transaction, jurisdiction, provider)
    rows = transaction.execute(
        f"SELECT {_PROFILE} FROM duty_profile p WHERE p.jurisdiction IN ({marks(logs)}) AND p.provider = ?"  # noqa: S608
        " ORDER BY p.revision DESC LIMIT 1",
        (*logs, provider),
    )
    return _profile(rows[0]) if rows else None


def read_duty_profiles(transaction: Transaction, jurisdiction: str) -> dict[str, DutyProfileRecord]:
    """Reads the newest duty profile of every provider that filed one in a jurisdiction.

    Args:
        transaction: a read.
        jurisdiction: where they were filed.

    Returns:
        The profiles by the providers' node names; `duties.staff_per_million` and `duties.duties_missing` read them.
    """
    return {row[0]: _profile(row) for row in transaction.execute(_NEWEST + " ORDER BY p.provider", (jurisdiction,))}


def _profile(row: tuple[Any, ...]) -> DutyProfileRecord:
    _, revision, duties, staff, users, counted_time, created_time = row
    named = tuple(Duty(code, in_force) for code, in_force in json.loads(duties))
    return DutyProfileRecord(revision, named, staff, users, counted_time, created_time)
