"""A provider's duty profile (Art. 5(1)): named duties, rules in force, staff against users."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.provisions.duties import (
    Duty,
    DutyContext,
    DutyProfileRecord,
    duties_missing,
    judge_duty_profile,
    staff_per_million,
)
from shared.provisions.provider_standing import ProviderState
from tests.unit.provision_samples import NOW
from tests.unit.rule_samples import AT, CREATED, DAY, POLICIES, POLICY, STANDING, lapsed_licence, reason_of

DUTIES = tuple(Duty(term.code, CREATED - DAY) for term in POLICY.duties)


def profile(**changes: Any) -> DutyProfileRecord:
    """A provider's first profile with every duty, counted now, with changes."""
    good = DutyProfileRecord(1, DUTIES, staff=500, users=20_000_000, counted_time=CREATED, created_time=CREATED)
    return replace(good, **changes)


def context(**changes: Any) -> DutyContext:
    """What a profile is judged against, with changes."""
    return DutyContext(**{"standing": STANDING, "policies": POLICIES, "now": NOW, **changes})


@pytest.mark.parametrize(
    ("changes", "against", "expected"),
    [
        ({}, {}, None),
        ({"duties": DUTIES[:1], "staff": 0}, {}, None),
        ({}, {"standing": replace(STANDING, licence=lapsed_licence())}, None),
        ({}, {"standing": replace(STANDING, state=ProviderState.DENIED)}, "PROVIDER_DENIED"),
        ({"revision": 2}, {"previous": profile(counted_time=AT - DAY)}, None),
        ({"revision": 2}, {}, "REVISION_OUT_OF_ORDER"),
        ({"revision": 2, "counted_time": AT - DAY}, {"previous": profile()}, "TIME_ORDER_WRONG"),
        ({"duties": ()}, {}, "DUTIES_MISSING"),
        ({"duties": (Duty("good_will", 0),)}, {}, "DUTY_UNKNOWN"),
        ({"duties": DUTIES * 2}, {}, "DUTY_REPEATED"),
        ({"duties": (Duty("account_review", CREATED + 1),)}, {}, "TIME_ORDER_WRONG"),
        ({"users": -1}, {}, "NUMBER_WRONG"),
        ({"counted_time": CREATED + 1}, {}, "TIME_ORDER_WRONG"),
        ({"counted_time": 0}, {}, "TIME_TOO_EARLY"),
        ({"created_time": AT + DAY}, {}, "TIME_IN_FUTURE"),
        ({"created_time": 1}, {}, "TIME_TOO_EARLY"),
    ],
)
def test_art_5_1_duty_profile_is_filed(changes: dict[str, Any], against: dict[str, Any], expected: str | None) -> None:
    """Art. 5(1): a profile names known duties with rules in force, and staff and users as they were counted."""
    assert expected == reason_of(judge_duty_profile(profile(**changes), context(**against)))


def test_art_5_1_what_a_profile_lacks_is_shown() -> None:
    """Art. 5(1): missing duties and the proportion of staff are shown, not refused: the text names no number."""
    assert () == duties_missing(profile(), POLICY)
    assert tuple(term.code for term in POLICY.duties[1:]) == duties_missing(profile(duties=DUTIES[:1]), POLICY)
    assert [25.0, 0.0, None] == [
        staff_per_million(each) for each in (profile(), profile(staff=0), profile(staff=0, users=0))
    ]
