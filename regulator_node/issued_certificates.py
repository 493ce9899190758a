"""The certificates that the nation signed: recorded as they are signed, so that it is known who holds which, by which CA."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.clock import from_micros, micros
from shared.database import Transaction
from shared.trust.authority import IssuedCertificate

MOST_LISTED: Final = 1000
"""Certificates of one holder that are listed at most."""

_COLUMNS: Final = "serial_number, name, issue_time, expire_time, authority"


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate that was signed.

    Attributes:
        holder: the node, or the officer's post.
        authority_id: of the CA that signed it; empty where it was signed before there was a second one.
    """

    serial_number: str
    holder: str
    issue_time: datetime
    expire_time: datetime
    authority_id: str


def record_certificate(transaction: Transaction, issued: IssuedCertificate, now: datetime) -> None:
    """Records a certificate that was signed now."""
    transaction.execute(
        "INSERT INTO certificate (serial_number, name, issue_time, expire_time, authority) VALUES (?, ?, ?, ?, ?)",
        (issued.serial_number, issued.name, micros(now), micros(issued.expire_time), issued.authority_id),
    )


def claim_certificates(transaction: Transaction, authority_id: str) -> None:
    """Says of the certificates signed while there was one CA that they are that one's."""
    transaction.execute("UPDATE certificate SET authority = ? WHERE authority = ''", (authority_id,))


def live_certificates(
    transaction: Transaction, authority_id: str, out: Collection[str], denied: Collection[str], now: datetime
) -> list[HeldCertificate]:
    """Reads the certificates by a CA that somebody may still use, by holder.

    Those are what has not ended and is not denied: every one of an officer's post, of a node that takes part its newest.

    Args:
        transaction: a read.
        authority_id: of the CA.
        out: nodes that take no part.
        denied: serial numbers.
        now: the time, aware.
    """
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM certificate c WHERE authority = ? AND expire_time > ?"  # noqa: S608 - no input in it
        " AND (name LIKE 'officer/%' OR NOT EXISTS"
        " (SELECT 1 FROM certificate n WHERE n.name = c.name AND n.issue_time > c.issue_time))"
        " ORDER BY name, issue_time",
        (authority_id, micros(now)),
    )
    return [each for each in map(_held, rows) if each.serial_number not in denied and each.holder not in out]


def certificates_of(transaction: Transaction, holder: str, now: datetime) -> list[HeldCertificate]:
    """Reads the certificates of a holder that have not ended, newest first."""
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM certificate WHERE name = ? AND expire_time > ?"  # noqa: S608 - no input in it
        " ORDER BY issue_time DESC LIMIT ?",
        (holder, micros(now), MOST_LISTED),
    )
    return list(map(_held, rows))


def find_certificate(transaction: Transaction, serial_number: str) -> HeldCertificate | None:
    """Reads one certificate; None where the nation signed none of that number."""
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM certificate WHERE serial_number = ?",  # noqa: S608 - no input in it
        (serial_number,),
    )
    return _held(rows[0]) if rows else None


def _held(row: Sequence[object]) -> HeldCertificate:
    serial_number, holder, issued, expires, authority = row
    return HeldCertificate(
        str(serial_number), str(holder), from_micros(int(str(issued))), from_micros(int(str(expires))), str(authority)
    )
