"""What a regulator's node tells officers and operators, as plain values. Enums have the numbers of the contracts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.errors import Violation
from shared.provisions.licences import Licence
from shared.provisions.subjects import SubjectKind


class FilingState(IntEnum):
    """Where a filing stands in the register."""

    UNSPECIFIED = 0
    """Any, in a filter."""
    FILED = 1
    """In the log, not yet decided."""
    ACCEPTED = 2
    """Accepted."""
    RETURNED = 3
    """Returned for correction."""
    WITHDRAWN = 4
    """Withdrawn by the provider."""


class FilingOrder(IntEnum):
    """Order of filings by the time they entered the log."""

    NEWEST_FIRST = 1
    OLDEST_FIRST = 2


class Dimension(IntEnum):
    """What to count by. Months are those of China Standard Time, "2014-08"."""

    JURISDICTION = 1
    PROVIDER = 2
    CATEGORY = 3
    SUBJECT_KIND = 4
    SUBJECT_REGION = 5
    STATE = 6
    FILED_MONTH = 7


class Outcome(IntEnum):
    """What an officer decides on a filing."""

    ACCEPTED = 1
    RETURNED = 2


class NodeRole(IntEnum):
    """What a node is."""

    NATIONAL_REGULATOR = 1
    PROVINCIAL_REGULATOR = 2
    PROVIDER = 3


class NodeState(IntEnum):
    """Whether a node may take part."""

    ACTIVE = 1
    """Takes part."""
    SUSPENDED = 2
    """May follow documents and directives but files nothing."""
    DENIED = 3
    """Every call is refused."""


class OfficerRole(IntEnum):
    """What an officer may do."""

    READER = 1
    """Reads the register."""
    REVIEWER = 2
    """Reads and decides."""
    ADMINISTRATOR = 3
    """All of it, and the network's own affairs."""


@dataclass(frozen=True, slots=True)
class Filing:
    """One revision of one account's filing. Times are aware, in UTC.

    Attributes:
        jurisdiction: where it was filed, GB/T 2260.
        person_reference: 16 random bytes for a person; empty for an organisation.
        uscc: credit code of an organisation; empty for a person.
        subject_region: GB/T 2260 province of the subject.
        decided_time: None before an officer decided.
        fields: to correct, when returned.
        log_index: its place in the log of its jurisdiction, from 0.
        superseded: whether a later revision replaced it.
        etag: to be sent back with a decision.
    """

    jurisdiction: str
    provider: str
    account_id: str
    revision: int
    display_name: str
    category: str
    subject_kind: SubjectKind
    person_reference: bytes
    uscc: str
    organisation_name: str
    subject_region: str
    state: FilingState
    filed_time: datetime
    effective_time: datetime
    decided_time: datetime | None
    reason: str
    fields: tuple[str, ...]
    note: str
    log_index: int
    superseded: bool
    etag: str


@dataclass(frozen=True, slots=True)
class FilingFilter:
    """Which filings. What is left out does not filter.

    Attributes:
        filed_from: filed at or after, aware.
        filed_before: filed before, aware.
        text: in the public names: two or more Chinese characters anywhere, or the beginning of a word in another
            script; all words must match.
        as_of: the register as it stood at this time, aware; None for now.
    """

    jurisdiction: str = ""
    provider: str = ""
    category: str = ""
    subject_kind: SubjectKind = SubjectKind.UNSPECIFIED
    subject_region: str = ""
    state: FilingState = FilingState.UNSPECIFIED
    filed_from: datetime | None = None
    filed_before: datetime | None = None
    text: str = ""
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class FilingPage:
    """A page of filings, and the token of the next one; empty after the last."""

    filings: tuple[Filing, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class ExportPage:
    """A page of an export, and the cursor to resume after it."""

    filings: tuple[Filing, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class StatisticsRow:
    """One count: the values of the dimensions, in the order asked."""

    keys: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided on one revision.

    Attributes:
        reason: code of a return reason in the policy; empty when accepted.
        fields: names of the filing's fields to correct; empty when accepted.
        note: what to mend, at most 200 characters.
        etag: of the filing as it was seen; empty to decide whatever it is.
    """

    provider: str
    account_id: str
    revision: int
    outcome: Outcome
    reason: str = ""
    fields: tuple[str, ...] = ()
    note: str = ""
    etag: str = ""

    @classmethod
    def accept(cls, filing: Filing) -> Verdict:
        """Accepts a filing as it was read."""
        return cls(filing.provider, filing.account_id, filing.revision, Outcome.ACCEPTED, etag=filing.etag)

    @classmethod
    def send_back(cls, filing: Filing, reason: str, *, fields: tuple[str, ...] = (), note: str = "") -> Verdict:
        """Returns a filing as it was read, for correction."""
        account = (filing.provider, filing.account_id, filing.revision)
        return cls(*account, Outcome.RETURNED, reason, fields, note, filing.etag)


@dataclass(frozen=True, slots=True)
class VerdictResult:
    """What became of one verdict.

    Attributes:
        error_reason: stable, where it was refused; empty where it stands.
        error_message: what to do about it.
        log_index: of the decision in the log, where it stands; None where it was refused.
    """

    error_reason: str
    error_message: str
    log_index: int | None


@dataclass(frozen=True, slots=True)
class Replica:
    """How fresh the copy of one jurisdiction's log is.

    Attributes:
        size: entries held and verified.
        head_size: entries that jurisdiction had at the last contact.
        contact_time: of the last contact; None before the first.
        last_error: why following stopped; empty while it goes on.
    """

    jurisdiction: str
    size: int
    head_size: int
    contact_time: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class RegulatorStatus:
    """The state of a regulator's node.

    Attributes:
        checkpoint: the newest of its own log, a C2SP signed note.
        filings: in the register, all revisions, own jurisdiction and copies.
        simulated_time: what the node takes for the time, where that is simulated; None where it is the machine's.
        log_error: why nothing enters its own log, and what to do; empty where it is as the nation holds it.
        alarms: what the node found wrong with a log and nobody closed yet; rule is a stable reason, mend says where the
            proof is.
    """

    name: str
    log_size: int
    checkpoint: str
    replicas: tuple[Replica, ...]
    directory_version: int
    policy_version: int
    certificate_expire_time: datetime
    software_version: str
    filings: int
    simulated_time: datetime | None
    log_error: str = ""
    alarms: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeKey:
    """A key with which a node signs: its id, the raw Ed25519 public key (32 bytes), and from when it may sign."""

    key_id: str
    public_key: bytes
    start_time: datetime


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One node of the directory.

    Attributes:
        title: public name of the company or the office.
        endpoint: host:port of its network listener; empty for a provider.
        signing_keys: newest last.
        licence: of a provider; None for a regulator.
        former_jurisdictions: where a provider filed before it was transferred, oldest first.
    """

    name: str
    role: NodeRole
    jurisdiction: str
    title: str
    endpoint: str
    signing_keys: tuple[NodeKey, ...]
    state: NodeState
    licence: Licence | None
    former_jurisdictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfficerTokenInfo:
    """A bearer token of an officer, without the token.

    Attributes:
        token_id: tells it from the others, 16 hexadecimal digits.
        post: the officer's post.
    """

    token_id: str
    post: str
    role: OfficerRole
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node as it was set, and the directory version that says so."""

    node: NodeInfo
    directory_version: int


@dataclass(frozen=True, slots=True)
class EnrolmentTokenFile:
    """A one-time token: the text of its file, which is shown once, and when it ends."""

    text: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class OfficerToken:
    """A bearer token, which is shown once, and when it ends."""

    token: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class OfficerCertificate:
    """A certificate chain in PEM, leaf first, and when it ends."""

    chain_pem: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who asked a node for what: when, by whom, in which role, which method, and what for, in one line."""

    time: datetime
    actor: str
    role: str
    method: str
    detail: str
