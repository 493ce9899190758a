"""News labels as officers and the public see them: plain values, without anything of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction, LabelBasis, LabelScope, LabelStanding

__all__ = [
    "CheckedLabel",
    "Label",
    "LabelAction",
    "LabelBasis",
    "LabelFilter",
    "LabelOutcome",
    "LabelScope",
    "LabelStanding",
    "LabelState",
    "LabelVerdict",
    "LabelVerdictResult",
]


class LabelState(IntEnum):
    """Where a grant stands in the register."""

    UNSPECIFIED = 0
    ASKED = 1
    GRANTED = 2
    OBJECTED = 3
    LAPSED = 4
    REVOKED = 5
    REFUSED = 6
    APPROVED = 7


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which grants; what is empty, UNSPECIFIED or None does not filter.

    Attributes:
        jurisdiction: where filed, GB/T 2260.
        provider: the provider's node name.
        account_id: the account, a UUID.
        basis: why granted.
        state: where it stands.
        end_before: only grants that end before this time, aware.
    """

    jurisdiction: str = ""
    provider: str = ""
    account_id: str = ""
    basis: LabelBasis = LabelBasis.UNSPECIFIED
    state: LabelState = LabelState.UNSPECIFIED
    end_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A grant, or one revision of it, as the register holds it. Times are aware, in UTC; end_time is exclusive.

    Attributes:
        display_name: public name of the account.
        licence_number: of the subject; empty for a special approval.
        reason: of the decision on it or of its revocation; empty for none.
        log_index: in the log of its jurisdiction.
        etag: changes with every change of the grant; empty for an earlier revision.
    """

    jurisdiction: str
    provider: str
    account_id: str
    display_name: str
    grant_id: str
    revision: int
    action: LabelAction
    basis: LabelBasis
    licence_number: str
    scope: LabelScope
    start_time: datetime
    end_time: datetime
    state: LabelState
    reason: str
    note: str
    log_index: int
    etag: str
    filed_time: datetime


@dataclass(frozen=True, slots=True)
class LabelVerdict:
    """What an officer decides on one revision of a grant.

    Attributes:
        provider: the provider's node name.
        grant_id: a UUID.
        revision: the revision decided.
        outcome: the decision.
        scope: what is approved; UNSPECIFIED for every other outcome.
        end_time: until when it is approved, exclusive, aware; None for every other outcome.
        reason: code of a label reason in the policy; empty when approved.
        note: what to mend, at most 200 characters.
        etag: of the grant as the officer saw it; empty to decide whatever it is.
    """

    provider: str
    grant_id: str
    revision: int
    outcome: LabelOutcome
    scope: LabelScope = LabelScope.UNSPECIFIED
    end_time: datetime | None = None
    reason: str = ""
    note: str = ""
    etag: str = ""

    @classmethod
    def approve(
        cls, label: Label, *, scope: LabelScope | None = None, end_time: datetime | None = None
    ) -> LabelVerdict:
        """Approves what was asked for, or less of it; refused where the grant changed since it was read."""
        given = (label.scope if scope is None else scope, label.end_time if end_time is None else end_time)
        return cls(label.provider, label.grant_id, label.revision, LabelOutcome.APPROVED, *given, etag=label.etag)

    @classmethod
    def against(cls, label: Label, outcome: LabelOutcome, reason: str, note: str = "") -> LabelVerdict:
        """Refuses, objects or revokes; refused where the grant changed since it was read."""
        place = (label.provider, label.grant_id, label.revision)
        return cls(*place, outcome, reason=reason, note=note, etag=label.etag)


@dataclass(frozen=True, slots=True)
class LabelVerdictResult:
    """What became of one verdict: error_reason is empty, and log_index the decision's place in the log, where it stands."""

    error_reason: str
    error_message: str
    log_index: int | None


@dataclass(frozen=True, slots=True)
class CheckedLabel:
    """What anybody is told of an account's label (Art. 7(3)).

    Attributes:
        standing: whether it is genuine; everything after it is empty where there is no label.
        display_name: the public name on file.
        subject_name: the organisation's public name; empty for none.
        licence_number: of the subject; empty for none.
        licence_class: 1 to 3; 0 for none.
        scope: what it lets the account do.
        end_time: until when, exclusive; None for none.
        max_age_seconds: for how long this answer may be kept.
    """

    standing: LabelStanding
    display_name: str
    subject_name: str
    licence_number: str
    licence_class: int
    scope: LabelScope
    end_time: datetime | None
    max_age_seconds: int
