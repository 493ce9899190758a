"""Certificates of disposal in a node's database: numbered without gaps, chained, and kept for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.database import Transaction
from shared.evidence.disposals import certificate_digest
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.retention import RecordClass

_COLUMNS: Final = (
    "number",
    "record_class",
    "records",
    "policy_version",
    "disposed_time",
    "actor",
    "certificate",
    "signature",
)
_SUMMARY: Final = ", ".join(_COLUMNS[:6])


@dataclass(frozen=True, slots=True)
class Summary:
    """A certificate in a list; disposed_time is in microseconds."""

    number: int
    record_class: RecordClass
    records: int
    policy_version: int
    disposed_time: int
    actor: str


def last_certificate(transaction: Transaction) -> tuple[int, bytes]:
    """Reads the number and the digest of the newest certificate; 0 and nothing before the first."""
    rows = transaction.execute("SELECT number, certificate FROM disposal_certificate ORDER BY number DESC LIMIT 1")
    return (int(rows[0][0]), certificate_digest(bytes(rows[0][1]))) if rows else (0, b"")


def insert_certificate(
    transaction: Transaction, summary: Summary, signed: disposal_pb2.SignedDisposal, records: Sequence[bytes]
) -> None:
    """Stores a certificate with its records, in order."""
    values = (summary.number, int(summary.record_class), summary.records, summary.policy_version)
    row = (*values, summary.disposed_time, summary.actor, signed.certificate, signed.signature)
    transaction.insert_many("disposal_certificate", _COLUMNS, [row])
    rows = [(summary.number, position, record) for position, record in enumerate(records)]
    transaction.insert_many("disposed_record", ("number", "position", "record"), rows)


def list_certificates(transaction: Transaction, before: int, limit: int) -> list[Summary]:
    """Lists certificates with a smaller number than another, newest first."""
    rows = transaction.execute(
        f"SELECT {_SUMMARY} FROM disposal_certificate WHERE number < ? ORDER BY number DESC LIMIT ?",  # noqa: S608
        (before, limit),
    )
    return [_summary(row) for row in rows]


def read_certificate(transaction: Transaction, number: int) -> tuple[disposal_pb2.SignedDisposal, list[bytes]] | None:
    """Reads a certificate with its records, in order; None where there is none of that number."""
    rows = transaction.execute("SELECT certificate, signature FROM disposal_certificate WHERE number = ?", (number,))
    if not rows:
        return None
    signed = disposal_pb2.SignedDisposal(certificate=bytes(rows[0][0]), signature=bytes(rows[0][1]))
    records = transaction.execute("SELECT record FROM disposed_record WHERE number = ? ORDER BY position", (number,))
    return signed, [bytes(record) for (record,) in records]


def _summary(row: tuple[Any, ...]) -> Summary:
    number, record_class, *rest = row
    return Summary(number, RecordClass(record_class), *rest)
