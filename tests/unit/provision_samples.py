"""A good filing and what it is judged against, to be changed one field at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clock import micros
from shared.provisions.filings import FilingAction, FilingContext, FilingRecord, ProviderState
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.policy import initial_policy
from shared.provisions.subjects import SubjectKind

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
USCC = "91330000000000012B"
LICENCE = Licence(
    number="33320240001",
    start_time=datetime(2024, 1, 1, tzinfo=UTC),
    end_time=datetime(2027, 1, 1, tzinfo=UTC),
    state=LicenceState.VALID,
)


def context(**changes: Any) -> FilingContext:
    """What a good filing of a provider in 330000 is judged against, with changes."""
    values: dict[str, Any] = {
        "licence": LICENCE,
        "provider_state": ProviderState.ACTIVE,
        "provider_jurisdiction": "330000",
        "regulator_jurisdiction": "330000",
        "policies": (initial_policy(),),
        "now": NOW,
    }
    return FilingContext(**{**values, **changes})


def record(**changes: Any) -> FilingRecord:
    """A good first filing of a person's account, with changes."""
    good = FilingRecord(
        account_id="0d9e7a3c-2f52-4c3a-9d7e-6f1f6f0f9a11",
        revision=1,
        action=FilingAction.OPEN,
        display_name="样例公众号",
        category="lifestyle",
        subject_kind=SubjectKind.PERSON,
        person_reference=bytes(range(16)),
        uscc="",
        organisation_name="",
        subject_region="330000",
        identity_verified_time=micros(NOW - timedelta(days=3)),
        agreement_version=1,
        reviewed_time=micros(NOW - timedelta(days=2)),
        effective_time=micros(NOW - timedelta(days=1)),
        withdrawal_reason=0,
        created_time=micros(NOW - timedelta(hours=1)),
    )
    return replace(good, **changes)


def organisation(**changes: Any) -> FilingRecord:
    """A good first filing of an enterprise's account, with changes."""
    values: dict[str, Any] = {
        "subject_kind": SubjectKind.ENTERPRISE,
        "person_reference": b"",
        "uscc": USCC,
        "organisation_name": "样例企业",
    }
    return record(**{**values, **changes})
