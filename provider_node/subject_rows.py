"""Subjects as the node's own database knows them: a random reference and no identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from provider_node.etags import etag_of
from shared.clock import from_micros, micros
from shared.database import Transaction
from shared.errors import NotFound
from shared.provisions.agreements import AgreementSignature
from shared.provisions.subjects import SubjectKind

COLUMNS: Final = (
    "s.reference, s.kind, s.nickname, s.region, s.uscc, s.organisation_name, s.verified_time, s.identity_version,"
    " s.version, g.version, g.digest, g.sign_time"
)
REFERENCES_TOGETHER: Final = 500
"""Most references in one query."""

TABLES: Final = "subject s JOIN agreement_signature g ON g.reference = s.reference AND g.version = s.agreement_version"


@dataclass(frozen=True, slots=True)
class Subject:
    """A registered subject.

    Attributes:
        reference: 16 random bytes, derived from nothing.
        uscc: an organisation's public credit code; empty for a person.
        organisation_name: its public name; empty for a person.
        agreement: the newest one signed.
        identity_version: which of the vault's versions holds the identity.
        version: grows with every change.
    """

    reference: bytes
    kind: SubjectKind
    nickname: str
    region: str
    uscc: str
    organisation_name: str
    verified_time: datetime
    identity_version: int
    version: int
    agreement: AgreementSignature

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return etag_of(self.version)


def subject_of_row(row: tuple[Any, ...]) -> Subject:
    """Reads a row of COLUMNS."""
    reference, kind, nickname, region, uscc, name, verified, identity_version, version, signed, digest, signed_at = row
    return Subject(
        reference=bytes(reference),
        kind=SubjectKind(kind),
        nickname=nickname,
        region=region,
        uscc=uscc,
        organisation_name=name,
        verified_time=from_micros(verified),
        identity_version=identity_version,
        version=version,
        agreement=AgreementSignature(signed, bytes(digest), from_micros(signed_at)),
    )


def find_subject(transaction: Transaction, reference: bytes) -> Subject | None:
    """Reads a subject; None where there is none."""
    rows = transaction.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE s.reference = ?",  # noqa: S608 - fixed text
        (reference,),
    )
    return subject_of_row(rows[0]) if rows else None


def read_subject(transaction: Transaction, reference: bytes) -> Subject:
    """Reads a subject.

    Raises:
        NotFound: SUBJECT_NOT_FOUND.
    """
    subject = find_subject(transaction, reference)
    if subject is None:
        raise NotFound(
            "there is no subject under this reference: it was never registered, or deleted", "SUBJECT_NOT_FOUND"
        )
    return subject


def find_subjects(transaction: Transaction, references: Iterable[bytes]) -> dict[bytes, Subject]:
    """Reads the subjects that there are of many references, by reference."""
    wanted = list(references)
    found: dict[bytes, Subject] = {}
    for start in range(0, len(wanted), REFERENCES_TOGETHER):
        some = wanted[start : start + REFERENCES_TOGETHER]
        rows = transaction.execute(
            f"SELECT {COLUMNS} FROM {TABLES} WHERE s.reference IN ({', '.join('?' * len(some))})",  # noqa: S608
            some,
        )
        found.update((subject.reference, subject) for subject in map(subject_of_row, rows))
    return found


def insert_subject(transaction: Transaction, subject: Subject) -> None:
    """Stores a new subject with its signature."""
    transaction.insert_many(
        "subject",
        (
            "reference",
            "identity_version",
            "kind",
            "nickname",
            "region",
            "uscc",
            "organisation_name",
            "verified_time",
            "agreement_version",
            "version",
        ),
        [
            (
                subject.reference,
                subject.identity_version,
                int(subject.kind),
                subject.nickname,
                subject.region,
                subject.uscc,
                subject.organisation_name,
                micros(subject.verified_time),
                subject.agreement.version,
                subject.version,
            )
        ],
    )
    insert_signature(transaction, subject.reference, subject.agreement)


def update_subject(transaction: Transaction, subject: Subject) -> None:
    """Stores what can change of a subject."""
    transaction.execute(
        "UPDATE subject SET identity_version = ?, nickname = ?, region = ?, uscc = ?, organisation_name = ?,"
        " verified_time = ?, agreement_version = ?, version = ? WHERE reference = ?",
        (
            subject.identity_version,
            subject.nickname,
            subject.region,
            subject.uscc,
            subject.organisation_name,
            micros(subject.verified_time),
            subject.agreement.version,
            subject.version,
            subject.reference,
        ),
    )


def insert_signature(transaction: Transaction, reference: bytes, signature: AgreementSignature) -> None:
    """Stores what a subject signed."""
    transaction.execute(
        "INSERT INTO agreement_signature (reference, version, digest, sign_time) VALUES (?, ?, ?, ?)",
        (reference, signature.version, signature.digest, micros(signature.sign_time)),
    )


def remove_subject(transaction: Transaction, reference: bytes) -> None:
    """Removes a subject and its signatures."""
    transaction.execute("DELETE FROM agreement_signature WHERE reference = ?", (reference,))
    transaction.execute("DELETE FROM subject WHERE reference = ?", (reference,))


def subject_to_plain(subject: Subject) -> dict[str, object]:
    """Returns a subject as plain values, to be kept as an answer."""
    return {
        "reference": subject.reference.hex(),
        "kind": int(subject.kind),
        "nickname": subject.nickname,
        "region": subject.region,
        "uscc": subject.uscc,
        "organisation_name": subject.organisation_name,
        "verified_time": micros(subject.verified_time),
        "identity_version": subject.identity_version,
        "version": subject.version,
        "agreement_version": subject.agreement.version,
        "agreement_digest": subject.agreement.digest.hex(),
        "agreement_sign_time": micros(subject.agreement.sign_time),
    }


def subject_from_plain(values: Mapping[str, Any]) -> Subject:
    """Reads what `subject_to_plain` returned."""
    return Subject(
        reference=bytes.fromhex(values["reference"]),
        kind=SubjectKind(values["kind"]),
        nickname=values["nickname"],
        region=values["region"],
        uscc=values["uscc"],
        organisation_name=values["organisation_name"],
        verified_time=from_micros(values["verified_time"]),
        identity_version=values["identity_version"],
        version=values["version"],
        agreement=AgreementSignature(
            values["agreement_version"],
            bytes.fromhex(values["agreement_digest"]),
            from_micros(values["agreement_sign_time"]),
        ),
    )
