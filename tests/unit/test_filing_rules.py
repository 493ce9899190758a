"""Arts. 3, 4, 6 and 7(1) as one pure judgement: each rule by itself, and all of what is wrong at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import micros
from shared.provisions.filings import FilingAction, FilingRecord, ProviderState, WithdrawalReason, judge_filing
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.policy import initial_policy
from shared.provisions.subjects import SubjectKind
from tests.unit.provision_samples import LICENCE, NOW, USCC, context, organisation, record

LATER = micros(NOW + timedelta(days=1))
LONG_AGO = micros(datetime(2010, 1, 1, tzinfo=UTC))


def reason(filing: FilingRecord, **against: Any) -> str | None:
    """The reason for which a filing is refused; None where it stands."""
    refusal = judge_filing(filing, context(**against))
    return None if refusal is None else refusal.reason


def test_art_7_1_reviewed_account_is_filed() -> None:
    """Art. 7(1): a reviewed account of a person or an organisation is filed by category."""
    assert [reason(record()), reason(organisation())] == [None, None]


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        ({"provider_jurisdiction": "110000"}, "JURISDICTION_WRONG"),
        ({"regulator_jurisdiction": "100000"}, "JURISDICTION_WRONG"),
    ],
)
def test_art_3_competent_regulator(against: dict[str, Any], expected: str) -> None:
    """Art. 3: a provider files with the regulator of its own jurisdiction and no other."""
    assert expected == reason(record(), **against)


def licence(**changes: Any) -> Licence:
    """The provider's licence with changes."""
    values = {"number": LICENCE.number, "start_time": LICENCE.start_time, "end_time": LICENCE.end_time}
    return Licence(**{**values, "state": LicenceState.VALID, **changes})


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (None, "LICENCE_MISSING"),
        (licence(state=LicenceState.SUSPENDED), "LICENCE_SUSPENDED"),
        (licence(state=LicenceState.REVOKED), "LICENCE_REVOKED"),
        (licence(start_time=NOW + timedelta(seconds=1)), "LICENCE_NOT_STARTED"),
        (licence(end_time=NOW), "LICENCE_LAPSED"),
        (licence(number="33120240001"), "LICENCE_CLASS_WRONG"),
        (licence(number="33420240001"), "LICENCE_NUMBER_WRONG"),
        (licence(number="47320240001"), "LICENCE_NUMBER_WRONG"),
    ],
)
def test_art_4_licence_holds(held: Licence | None, expected: str) -> None:
    """Art. 4: a missing, lapsed, suspended, revoked or wrong licence refuses every filing."""
    assert expected == reason(record(), licence=held)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, "PROVIDER_UNKNOWN"),
        (ProviderState.SUSPENDED, "PROVIDER_SUSPENDED"),
        (ProviderState.DENIED, "PROVIDER_SUSPENDED"),
    ],
)
def test_art_4_provider_takes_part(state: ProviderState | None, expected: str) -> None:
    """Art. 4: only a provider that the directory knows and lets take part files."""
    assert expected == reason(record(), provider_state=state)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"identity_verified_time": LATER}, "TIME_ORDER_WRONG"),
        ({"identity_verified_time": LONG_AGO}, "TIME_TOO_EARLY"),
        ({"agreement_version": 0}, "AGREEMENT_VERSION_UNKNOWN"),
        ({"agreement_version": 2}, "AGREEMENT_VERSION_UNKNOWN"),
    ],
)
def test_art_6_identity_and_agreement_come_first(changes: dict[str, Any], expected: str) -> None:
    """Art. 6: no filing before real identity was verified and a known agreement signed."""
    assert expected == reason(record(**changes))


@pytest.mark.parametrize(
    ("changes", "against", "expected"),
    [
        ({"category": "poetry"}, {}, "CATEGORY_UNKNOWN"),
        ({"revision": 2}, {}, "REVISION_OUT_OF_ORDER"),
        ({"revision": 3, "action": FilingAction.AMEND}, {"last_revision": 1}, "REVISION_OUT_OF_ORDER"),
        ({"action": FilingAction.AMEND}, {}, "ACTION_WRONG"),
        ({"revision": 2}, {"last_revision": 1}, "ACTION_WRONG"),
        ({"revision": 2, "action": FilingAction.AMEND}, {"last_revision": 1, "withdrawn": True}, "ACCOUNT_WITHDRAWN"),
        ({"revision": 2, "action": FilingAction.WITHDRAW}, {"last_revision": 1}, "WITHDRAWAL_REASON_WRONG"),
        ({"withdrawal_reason": WithdrawalReason.CLOSED}, {}, "WITHDRAWAL_REASON_WRONG"),
        ({"reviewed_time": LATER}, {}, "TIME_ORDER_WRONG"),
        ({"created_time": LATER, "reviewed_time": micros(NOW)}, {}, "TIME_IN_FUTURE"),
        ({"effective_time": micros(NOW + timedelta(days=200))}, {}, "TIME_IN_FUTURE"),
        ({"effective_time": LONG_AGO}, {}, "TIME_TOO_EARLY"),
        ({"created_time": LONG_AGO}, {}, "TIME_TOO_EARLY"),
        ({"subject_region": "330100"}, {}, "REGION_UNKNOWN"),
    ],
)
def test_art_7_1_filing_follows_the_last(changes: dict[str, Any], against: dict[str, Any], expected: str) -> None:
    """Art. 7(1): category, revision, action and times fit the policy and the account's history."""
    assert expected == reason(record(**changes), **against)


@pytest.mark.parametrize(
    ("filing", "expected"),
    [
        (record(person_reference=b""), "SUBJECT_IDENTIFIER_WRONG"),
        (record(uscc=USCC), "SUBJECT_IDENTIFIER_WRONG"),
        (record(organisation_name="样例企业"), "ORGANISATION_NAME_WRONG"),
        (organisation(person_reference=bytes(16)), "SUBJECT_IDENTIFIER_WRONG"),
        (organisation(uscc=""), "SUBJECT_IDENTIFIER_WRONG"),
        (organisation(uscc=USCC[:-1] + "0"), "USCC_WRONG"),
        (organisation(organisation_name=""), "ORGANISATION_NAME_WRONG"),
        (organisation(subject_kind=SubjectKind.PARTY_OR_GOVERNMENT), "SUBJECT_IDENTIFIER_WRONG"),
    ],
)
def test_art_7_4_subject_kind_fits_its_identifier(filing: FilingRecord, expected: str) -> None:
    """Art. 7(4): the kinds are counted apart, so a kind that its identifier belies is refused."""
    assert expected == reason(filing)


def test_everything_wrong_is_told_at_once() -> None:
    """A provider gets all there is to mend in one answer, the gravest first."""
    filing = record(category="poetry", revision=4, subject_region="000000", reviewed_time=LATER)
    refusal = judge_filing(filing, context(licence=None))
    assert refusal is not None
    assert ["LICENCE_MISSING", "REVISION_OUT_OF_ORDER", "CATEGORY_UNKNOWN", "REGION_UNKNOWN", "TIME_ORDER_WRONG"] == [
        violation.rule for violation in refusal.violations
    ]


def test_late_filing_still_stands() -> None:
    """Being late is no ground to refuse: a filing long after its review is taken."""
    old = micros(NOW - timedelta(days=900))
    assert None is reason(record(reviewed_time=old, identity_verified_time=old))


NUMBERS = st.integers(-(2**60), 2**60)


@given(
    st.builds(
        record,
        revision=st.integers(-1, 4),
        action=st.integers(0, 4),
        category=st.sampled_from(["lifestyle", "", "poetry"]),
        subject_kind=st.integers(0, 6),
        person_reference=st.binary(max_size=17),
        uscc=st.sampled_from(["", USCC, "x" * 18]),
        organisation_name=st.sampled_from(["", "样例"]),
        subject_region=st.sampled_from(["330000", "", "999999"]),
        identity_verified_time=NUMBERS,
        agreement_version=NUMBERS,
        reviewed_time=NUMBERS,
        effective_time=NUMBERS,
        withdrawal_reason=st.integers(0, 4),
        created_time=NUMBERS,
    ),
    st.integers(0, 3),
    st.booleans(),
)
def test_fast_and_slow_path_agree(filing: FilingRecord, last_revision: int, withdrawn: bool) -> None:
    """Whatever the cheap comparisons refuse, the field by field look names; nothing is refused without a reason."""
    refusal = judge_filing(filing, context(last_revision=last_revision, withdrawn=withdrawn))
    assert refusal is None or (refusal.violations and refusal.reason == refusal.violations[0].rule)


def test_policy_of_its_own_date_judges() -> None:
    """An entry is judged by the policy in force when it was made, not by the newest."""
    first = initial_policy()
    narrowed = type(first)(
        **{
            **{name: getattr(first, name) for name in first.__dataclass_fields__},
            "version": 2,
            "effective_time": NOW - timedelta(minutes=1),
            "categories": first.categories[:1],
        }
    )
    before, after = record(), record(created_time=micros(NOW))
    assert [reason(each, policies=(first, narrowed)) for each in (before, after)] == [None, "CATEGORY_UNKNOWN"]
