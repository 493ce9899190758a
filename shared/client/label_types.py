"""Labels, the gate and the provider's duties as a backend sees them: plain values. Numbers of enums are the contracts'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.client.provider_types import FilingStatus
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.reasoning import Step


class LabelState(IntEnum):
    """Where a grant stands."""

    UNSPECIFIED = 0
    """Any, in a filter."""
    ASKED = 1
    """A special approval was asked for."""
    GRANTED = 2
    """It holds, or will from its start."""
    OBJECTED = 3
    """A regulator objected; it holds until it is mended or revoked."""
    LAPSED = 4
    """It ended by itself, or the provider's own licence did."""
    REVOKED = 5
    """Revoked by the provider or a regulator, or what was asked for was withdrawn."""
    REFUSED = 6
    """A regulator refused what was asked for, or its register the grant; see the statement."""
    APPROVED = 7
    """The special approval was given: granting the label takes it up."""


@dataclass(frozen=True, slots=True)
class SubjectLicence:
    """The news licence of a subject: its number of 11 digits, and from when until when, exclusive, it holds; aware."""

    number: str
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, slots=True)
class Label:
    """A grant.

    Attributes:
        scope: what it lets the account do now; UNSPECIFIED for nothing.
        end_time: exclusive.
        reminder_days: the reminder that is due: days before the end; 0 for none.
        reason: of an objection, a refusal or a revocation; empty otherwise.
        note: an officer's.
        statement: where its newest statement is on its way.
        etag: to be sent back with a change.
    """

    grant_id: str
    account_id: str
    revision: int
    state: LabelState
    basis: LabelBasis
    licence_number: str
    scope: LabelScope
    start_time: datetime
    end_time: datetime
    reminder_days: int
    reason: str
    note: str
    statement: FilingStatus
    etag: str


@dataclass(frozen=True, slots=True)
class PublicationAnswer:
    """The gate's answer.

    Attributes:
        reason: a stable code.
        steps: from the articles to the grant or the measure that decides.
        label: the mark to show with it; UNSPECIFIED for none.
        hold_until: until when it holds unless something is changed; None where nothing known would change it.
    """

    allowed: bool
    reason: str
    steps: tuple[Step, ...]
    label: LabelScope
    hold_until: datetime | None


@dataclass(frozen=True, slots=True)
class Duty:
    """A duty by its code in the policy, and from when, aware, the provider's rules for it are in force."""

    code: str
    in_force_time: datetime


@dataclass(frozen=True, slots=True)
class DutyProfile:
    """What a provider files of its duties (Art. 5(1)): no names of staff.

    Attributes:
        duties: each once.
        staff: specialised staff, in persons.
        users: registered users.
        counted_time: for which the numbers hold.
    """

    duties: Sequence[Duty]
    staff: int
    users: int
    counted_time: datetime


@dataclass(frozen=True, slots=True)
class FiledDutyProfile:
    """A duty profile as it was filed: which one it is, counted from 1, and where it is on its way."""

    revision: int
    profile: DutyProfile
    status: FilingStatus
