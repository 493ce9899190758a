"""What a provider's node tells its backend, as plain values. Numbers of enums are those of the contracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.errors import Violation
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.agreements import AgreementSignature
from shared.provisions.filings import FilingAction, ProviderState
from shared.provisions.subjects import SubjectKind


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement in force: its seven baselines in order, and the digest that a signature covers (Art. 6(2))."""

    version: int
    baselines: tuple[str, ...]
    digest: bytes

    def signed_at(self, time: datetime) -> AgreementSignature:
        """Returns the signature of a subject that was shown this text and signed it at a time, aware."""
        return AgreementSignature(self.version, self.digest, time)


@dataclass(frozen=True, slots=True)
class Subject:
    """A registered subject, without its identity.

    Attributes:
        reference: 16 random bytes by which the network knows a person.
        region: GB/T 2260 province.
        etag: to be sent back with a change.
    """

    reference: bytes
    kind: SubjectKind
    nickname: str
    region: str
    verified_time: datetime
    agreement: AgreementSignature
    etag: str


@dataclass(frozen=True, slots=True)
class FilingStatus:
    """A filing as its provider sees it.

    Attributes:
        reason: code, when returned, rejected or in conflict; empty otherwise.
        violations: field by field what to mend.
        note: an officer's, when returned.
        log_index: its place in the regulator's log, from 0; None before it is there.
    """

    entry_id: str
    revision: int
    action: FilingAction
    state: FilingState
    reason: str
    violations: tuple[Violation, ...]
    note: str
    created_time: datetime
    log_index: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """A public account with its newest filing, None before the first."""

    account_id: str
    subject_reference: bytes
    display_name: str
    category: str
    review_outcome: ReviewOutcome
    review_reason: str
    filing: FilingStatus | None
    withdrawn: bool
    open_time: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A reviewed account to open and file.

    Attributes:
        number: of the row within its import, from 1, each higher than the one before.
        subject_reference: a registered subject, 16 bytes.
        reviewed_time: when the provider's review passed it, aware; a row without it is refused.
    """

    number: int
    subject_reference: bytes
    display_name: str
    category: str
    reviewed_time: datetime | None


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A row that was refused: its number from 1, the stable reason, and field by field what to mend."""

    row: int
    reason: str
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import came to.

    Attributes:
        import_id: names it; give it again to go on with it.
        imported: rows opened and filed by this call.
        already_imported: rows that had been before, by an earlier call or by a stream that broke after storing them.
        failed: rows of the whole import that are refused so far.
        failures: the first 1,000 of them.
        resume_row: every row up to this one was dealt with.
    """

    import_id: str
    imported: int
    already_imported: int
    failed: int
    failures: tuple[ImportFailure, ...]
    resume_row: int


@dataclass(frozen=True, slots=True)
class Destination:
    """How delivery to one regulator stands; times are None where there is nothing to tell."""

    name: str
    queued: int
    parked: int
    oldest_time: datetime | None
    last_success_time: datetime | None
    next_attempt_time: datetime | None
    last_error: str
    attempts: int


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The state of the node.

    Attributes:
        licence_number: of the provider's licence (Art. 4); empty where the directory has none.
        licence_end_time: when it lapses; None without one.
        licence_renewal_due: whether it is time to ask for its renewal; also after it lapsed.
        simulated_time: what the node takes for the time, where that is simulated; None where it is the machine's.
        state: whether the provider may take part, by the newest directory that the node holds.
        licence_start_time: when the licence begins to hold; None without one.
        warnings: what keeps the provider from filing, or soon will: rule is a stable reason, mend says what to do.
    """

    name: str
    jurisdiction: str
    destinations: Sequence[Destination]
    certificate_expire_time: datetime
    directory_version: int
    policy_version: int
    accounts: int
    software_version: str
    licence_number: str
    licence_end_time: datetime | None
    licence_renewal_due: bool
    simulated_time: datetime | None
    state: ProviderState
    licence_start_time: datetime | None
    warnings: tuple[Violation, ...]


class EvidenceKind(IntEnum):
    """What a piece of evidence is about, with the numbers of the wire."""

    SENT = 1
    REFUSED = 2
    WAITING = 3
    DIRECTIVE = 4


@dataclass(frozen=True, slots=True)
class EvidencePiece:
    """What the node can prove of one entry.

    Attributes:
        kind: what it is about.
        entry_id: the entry's, a UUID.
        account_id: empty where it is about the provider itself.
        sequence: place in the stream to the regulator, from 1; 0 for a directive.
        entry: exact bytes.
        proof: a receipt, or a signed refusal; empty for what nobody acknowledged yet.
        final: whether the receipt shows that another regulator cosigned.
    """

    kind: EvidenceKind
    entry_id: str
    account_id: str
    sequence: int
    entry: bytes
    proof: bytes
    final: bool


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who touched which subject's identity, when and why.

    Attributes:
        number: counts the entries, from 1; a gap would show a removed one.
        action: "staged", "read" or "deleted"; "words_read" where the reference is a report.
        purpose: a code, when it was read; the verifier's name for what it did, when it was staged.
        reader: the backend's own name for its operator, when it was read.
    """

    number: int
    time: datetime
    action: str
    reference: bytes
    purpose: str
    reader: str
