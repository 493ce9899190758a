"""News labels (Art. 7): what may be granted, renewed, narrowed and revoked, and what rights follow from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisions.label_decisions import LabelDecisionRecord, LabelOutcome, judge_label_decision
from shared.provisions.labels import (
    Approval,
    Grant,
    LabelAction,
    LabelBasis,
    LabelledAccount,
    LabelRecord,
    LabelScope,
    judge_label,
    revoked,
    widest_scope,
)
from shared.provisions.provider_standing import ProviderStanding, ProviderState
from shared.provisions.subjects import SubjectKind
from tests.unit.provision_samples import LICENCE
from tests.unit.rule_samples import (
    APPROVAL,
    AT,
    CREATED,
    DAY,
    GRANT,
    LICENCE_END,
    LICENCE_START,
    OTHER_ACCOUNT,
    OTHER_GRANT,
    PLATFORM,
    POLICY,
    PUBLISHER,
    REPRINTER,
    STANDING,
    asked,
    grant,
    label,
    label_context,
    lapsed_licence,
    reason_of,
    rules_of,
)

BOTH, REPRINT = LabelScope.PUBLISH_AND_REPRINT, LabelScope.REPRINT
APPROVED = Approval(APPROVAL, GRANT, REPRINT, AT + 50 * DAY)


def reason(record: LabelRecord, **against: Any) -> str | None:
    """The reason for which a statement on a label is refused; None where it stands."""
    return reason_of(judge_label(record, label_context(**against)))


@pytest.mark.parametrize(
    ("basis", "licence", "expected"),
    [
        (LabelBasis.NEWS_UNIT, PUBLISHER, BOTH),
        (LabelBasis.NEWS_WEBSITE, PUBLISHER, BOTH),
        (LabelBasis.LICENSED_NON_NEWS_UNIT, REPRINTER, REPRINT),
        (LabelBasis.LICENSED_NON_NEWS_UNIT, PUBLISHER, REPRINT),
        (LabelBasis.SPECIAL_APPROVAL, "", BOTH),
        (LabelBasis.NEWS_UNIT, REPRINTER, LabelScope.UNSPECIFIED),
        (LabelBasis.NEWS_WEBSITE, REPRINTER, LabelScope.UNSPECIFIED),
        (LabelBasis.NEWS_UNIT, PLATFORM, LabelScope.UNSPECIFIED),
        (LabelBasis.LICENSED_NON_NEWS_UNIT, PLATFORM, LabelScope.UNSPECIFIED),
        (LabelBasis.SPECIAL_APPROVAL, PUBLISHER, LabelScope.UNSPECIFIED),
        (LabelBasis.NEWS_UNIT, "", LabelScope.UNSPECIFIED),
        (LabelBasis.UNSPECIFIED, PUBLISHER, LabelScope.UNSPECIFIED),
    ],
)
def test_art_7_2_what_basis_and_licence_allow(basis: LabelBasis, licence: str, expected: LabelScope) -> None:
    """Art. 7(2): news units and news websites publish and reprint, licensed others reprint, a platform's licence gives none."""
    assert expected == widest_scope(basis, licence)


@pytest.mark.parametrize(
    ("record", "against"),
    [
        (label(), {}),
        (label(basis=LabelBasis.NEWS_WEBSITE), {}),
        (label(scope=REPRINT), {}),
        (label(basis=LabelBasis.LICENSED_NON_NEWS_UNIT, licence_number=REPRINTER, scope=REPRINT), {}),
        (label(basis=LabelBasis.LICENSED_NON_NEWS_UNIT, scope=REPRINT), {}),
        (asked(), {"account": LabelledAccount(filed=True, subject_kind=SubjectKind.PERSON)}),
        (
            asked(action=LabelAction.GRANT, revision=2, end_time=AT + 50 * DAY, approval_entry_id=APPROVAL),
            {"previous": asked(), "approval": APPROVED},
        ),
    ],
)
def test_art_7_2_good_grant_stands(record: LabelRecord, against: dict[str, Any]) -> None:
    """Art. 7(2): each basis of the article can be granted, and a special approval asked for and granted."""
    assert None is reason(record, **against)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"licence_number": "47120240001"}, "LICENCE_NUMBER_WRONG"),
        ({"licence_number": "33420240001"}, "LICENCE_NUMBER_WRONG"),
        ({"licence_number": "33119990001"}, "LICENCE_NUMBER_WRONG"),
        ({"licence_number": "3312024000"}, "LICENCE_NUMBER_WRONG"),
        ({"licence_number": "33120250001"}, "LICENCE_YEAR_WRONG"),
        ({"licence_number": ""}, "LICENCE_MISSING"),
        ({"licence_number": PLATFORM}, "LICENCE_CLASS_WRONG"),
        ({"licence_number": REPRINTER}, "LICENCE_CLASS_WRONG"),
        ({"basis": LabelBasis.LICENSED_NON_NEWS_UNIT}, "SCOPE_TOO_WIDE"),
        ({"scope": 0}, "SCOPE_TOO_WIDE"),
        ({"licence_end_time": LICENCE_START}, "LICENCE_DATES_WRONG"),
        ({"end_time": LICENCE_END + 1}, "OUTLIVES_LICENCE"),
        ({"start_time": LICENCE_START - 1}, "BEFORE_LICENCE"),
        ({"end_time": AT - 30 * DAY}, "END_BEFORE_START"),
        ({"end_time": AT - 31 * DAY}, "END_BEFORE_START"),
        ({"end_time": CREATED}, "END_PASSED"),
        ({"start_time": AT + 200 * DAY}, "TIME_IN_FUTURE"),
        ({"start_time": 0}, "BEFORE_LICENCE"),
        ({"created_time": AT + DAY}, "TIME_IN_FUTURE"),
        ({"created_time": 0}, "TIME_TOO_EARLY"),
    ],
)
def test_art_7_2_impossible_grant_is_refused(changes: dict[str, Any], expected: str) -> None:
    """Art. 7(2): an impossible licence number, a scope beyond it, dates that cross or outlive the licence: each by name."""
    assert expected == reason(label(**changes))


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (LabelledAccount(filed=False), "ACCOUNT_NOT_FILED"),
        (LabelledAccount(filed=True, withdrawn=True), "ACCOUNT_WITHDRAWN"),
        (LabelledAccount(filed=True, closed=True), "ACCOUNT_CLOSED"),
        (LabelledAccount(filed=True, subject_kind=SubjectKind.PERSON), "SUBJECT_KIND_WRONG"),
    ],
)
def test_art_7_3_label_needs_an_account_on_file(account: LabelledAccount, expected: str) -> None:
    """Art. 7(3): only an account that is on file, open, and of a subject that can hold the licence is marked."""
    assert expected == reason(label(), account=account)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (replace(STANDING, licence=None), "LICENCE_MISSING"),
        (replace(STANDING, licence=lapsed_licence()), "LICENCE_LAPSED"),
        (
            replace(STANDING, licence=lapsed_licence(number="33120240001", end_time=LICENCE.end_time)),
            "LICENCE_CLASS_WRONG",
        ),
        (replace(STANDING, state=None), "PROVIDER_UNKNOWN"),
        (replace(STANDING, state=ProviderState.SUSPENDED), "PROVIDER_SUSPENDED"),
        (replace(STANDING, jurisdiction="110000"), "JURISDICTION_WRONG"),
    ],
)
def test_art_4_provider_grants_under_its_own_licence(standing: ProviderStanding, expected: str) -> None:
    """Art. 4: a provider whose own licence does not hold grants nothing, and still may revoke while it may report."""
    assert expected == reason(label(), standing=standing)
    revocation = label(action=LabelAction.REVOKE, revision=2, reason="owner_request")
    barred = standing.state is None or standing.jurisdiction != "330000"
    assert (expected if barred else None) == reason(revocation, standing=standing, previous=label())


RENEWED = {"action": LabelAction.RENEW, "revision": 2, "licence_end_time": LICENCE_END + 900 * DAY}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({**RENEWED, "end_time": LICENCE_END + 900 * DAY}, None),
        ({**RENEWED, "licence_start_time": LICENCE_END, "end_time": LICENCE_END + 900 * DAY}, None),
        ({**RENEWED, "licence_start_time": LICENCE_END + 1, "end_time": LICENCE_END + 900 * DAY}, "LICENCE_GAP"),
        (RENEWED, "NOT_LATER"),
        ({**RENEWED, "end_time": LICENCE_END + 1, "start_time": AT}, "GRANT_CHANGED"),
        ({**RENEWED, "end_time": LICENCE_END + 1, "account_id": OTHER_ACCOUNT}, "GRANT_CHANGED"),
        ({**RENEWED, "end_time": LICENCE_END + 1, "basis": LabelBasis.NEWS_WEBSITE}, "GRANT_CHANGED"),
        ({**RENEWED, "end_time": LICENCE_END + 1, "revision": 3}, "REVISION_OUT_OF_ORDER"),
        ({"action": LabelAction.NARROW, "revision": 2, "scope": REPRINT}, None),
        ({"action": LabelAction.NARROW, "revision": 2, "end_time": AT + DAY}, None),
        ({"action": LabelAction.NARROW, "revision": 2}, "NOT_NARROWER"),
        ({"action": LabelAction.REVOKE, "revision": 2, "reason": "licence_revoked"}, None),
        ({"action": LabelAction.REVOKE, "revision": 2, "reason": "whim"}, "REASON_UNKNOWN"),
        ({"action": LabelAction.GRANT, "revision": 2}, "ACTION_WRONG"),
        ({"action": LabelAction.ASK, "revision": 2}, "ACTION_WRONG"),
    ],
)
def test_art_7_3_statement_follows_the_last(changes: dict[str, Any], expected: str | None) -> None:
    """Art. 7(3): renewing makes it longer without a gap, narrowing smaller, revoking gives a reason; else nothing follows."""
    assert expected == reason(label(**changes), previous=label())


def test_art_7_3_nothing_follows_an_end() -> None:
    """Art. 7(3): after a revocation, a regulator's end or a lapse nothing is granted under the same grant."""
    renewed = label(**RENEWED, end_time=LICENCE_END + DAY)
    ended = label(action=LabelAction.REVOKE, reason="owner_request")
    lapsed = label(end_time=CREATED)
    narrowed = label(action=LabelAction.NARROW, revision=2, scope=REPRINT)
    assert "ACTION_WRONG" == reason(renewed, previous=ended)
    assert "GRANT_ENDED" == reason(renewed, previous=label(), ended=True)
    assert "GRANT_LAPSED" == reason(renewed, previous=lapsed)
    assert "GRANT_OBJECTED" == reason(renewed, previous=label(), objected=True)
    assert None is reason(narrowed, previous=label(), objected=True)
    revocation = label(action=LabelAction.REVOKE, revision=2, reason="owner_request")
    assert None is reason(revocation, previous=label(), ended=True)


@pytest.mark.parametrize(
    ("approval", "changes", "expected"),
    [
        (None, {}, "APPROVAL_MISSING"),
        (replace(APPROVED, grant_id=OTHER_GRANT), {}, "APPROVAL_MISSING"),
        (replace(APPROVED, entry_id=""), {}, "APPROVAL_MISSING"),
        (APPROVED, {"scope": BOTH}, "APPROVAL_EXCEEDED"),
        (APPROVED, {"end_time": AT + 50 * DAY + 1}, "APPROVAL_EXCEEDED"),
        (APPROVED, {"licence_number": PUBLISHER}, "LICENCE_NUMBER_WRONG"),
    ],
)
def test_art_7_2_no_news_without_approval(approval: Approval | None, changes: dict[str, Any], expected: str) -> None:
    """Art. 7(2): all others publish nothing without approval: a grant names it and keeps within its scope and end."""
    good = {"action": LabelAction.GRANT, "revision": 2, "end_time": AT + 50 * DAY, "approval_entry_id": APPROVAL}
    assert expected == reason(asked(**{**good, **changes}), previous=asked(), approval=approval)


def test_special_approval_is_not_asked_for_longer_than_the_policy_allows() -> None:
    """Administrative: what is asked for ends within special_approval_longest."""
    assert [None, "APPROVAL_TOO_LONG"] == [reason(asked(end_time=AT + days * DAY)) for days in (360, 370)]


def test_one_label_at_a_time() -> None:
    """Grants of one account do not overlap; one may begin at the moment at which another ends or was revoked."""
    other = Grant(OTHER_GRANT, LabelBasis.NEWS_UNIT, PUBLISHER, BOTH, AT - 100 * DAY, AT + DAY)
    assert "GRANTS_OVERLAP" == reason(label(), others=(other,))
    assert None is reason(label(start_time=AT + DAY), others=(other,))
    assert None is reason(label(), others=(revoked(other, AT - 40 * DAY),))
    assert None is reason(label(), others=(replace(other, grant_id=GRANT),))
    assert None is reason(asked(), others=(other,))


def test_everything_wrong_is_told_at_once() -> None:
    """A provider gets all there is to mend in one answer, the gravest first."""
    record = label(licence_number=PLATFORM, revision=4, end_time=0)
    refusal = judge_label(record, label_context(account=LabelledAccount(filed=False)))
    assert ["ACCOUNT_NOT_FILED", "REVISION_OUT_OF_ORDER", "LICENCE_CLASS_WRONG", "END_BEFORE_START"] == rules_of(
        refusal
    )


@given(st.lists(st.integers(0, 2), max_size=3), st.booleans())
def test_provider_and_regulator_judge_labels_alike(acts: list[int], reason_known: bool) -> None:
    """Both ends fold the same statements and give the same answer to the next, and to every one before it."""
    records = [label()]
    for act in acts:
        last = records[-1]
        steps: dict[int, dict[str, Any]] = {
            0: {"action": LabelAction.RENEW, "end_time": last.end_time + DAY, "licence_end_time": last.end_time + DAY},
            1: {"action": LabelAction.NARROW, "end_time": last.end_time - DAY},
            2: {"action": LabelAction.REVOKE, "reason": "owner_request" if reason_known else "nonsense"},
        }
        records.append(replace(last, revision=last.revision + 1, **steps[act]))
    ends: list[LabelRecord | None] = [None, None]
    for record in records:
        judgements = [judge_label(record, label_context(previous=held)) for held in ends]
        assert judgements[0] == judgements[1]
        if judgements[0] is None:
            ends = [record, record]


def decision(outcome: LabelOutcome, **changes: Any) -> LabelDecisionRecord:
    """A decision on the first statement of a grant, made now, with changes."""
    approves = outcome is LabelOutcome.APPROVED
    good = LabelDecisionRecord(
        grant_id=GRANT,
        revision=1,
        outcome=outcome,
        scope=REPRINT if approves else 0,
        end_time=AT + 100 * DAY if approves else 0,
        reason="" if approves else "licence_mismatch",
        decided_time=AT,
    )
    return replace(good, **changes)


@pytest.mark.parametrize(
    ("verdict", "statement", "held", "expected"),
    [
        (decision(LabelOutcome.APPROVED), asked(), None, None),
        (decision(LabelOutcome.REFUSED), asked(), None, None),
        (decision(LabelOutcome.OBJECTED), label(), grant(), None),
        (decision(LabelOutcome.REVOKED), label(), grant(), None),
        (decision(LabelOutcome.REVOKED), None, None, "GRANT_UNKNOWN"),
        (decision(LabelOutcome.REVOKED, revision=2), label(), grant(), "REVISION_OUT_OF_ORDER"),
        (decision(LabelOutcome.REVOKED), asked(), None, "OUTCOME_WRONG"),
        (decision(LabelOutcome.REFUSED), label(), grant(), "OUTCOME_WRONG"),
        (decision(LabelOutcome.APPROVED), label(), grant(), "OUTCOME_WRONG"),
        (decision(LabelOutcome.OBJECTED), label(), grant(end_time=AT), "GRANT_ENDED"),
        (decision(LabelOutcome.REVOKED), label(), grant(revoked_time=AT), "GRANT_ENDED"),
        (decision(LabelOutcome.REVOKED, reason="whim"), label(), grant(), "REASON_UNKNOWN"),
        (decision(LabelOutcome.APPROVED, scope=BOTH), asked(), None, "SCOPE_TOO_WIDE"),
        (decision(LabelOutcome.APPROVED, end_time=AT + 100 * DAY + 1), asked(), None, "APPROVAL_EXCEEDED"),
        (decision(LabelOutcome.APPROVED, end_time=AT), asked(), None, "END_PASSED"),
        (
            decision(LabelOutcome.APPROVED, end_time=AT + 370 * DAY),
            asked(end_time=AT + 400 * DAY),
            None,
            "APPROVAL_TOO_LONG",
        ),
    ],
)
def test_art_7_2_regulator_decides_on_labels(
    verdict: LabelDecisionRecord, statement: LabelRecord | None, held: Grant | None, expected: str | None
) -> None:
    """Art. 7(2): a regulator approves within what was asked, and refuses, objects and revokes with a reason."""
    assert expected == reason_of(judge_label_decision(verdict, statement, held, POLICY))


def test_statement_before_the_first_policy_is_refused() -> None:
    """What claims to be made before any policy was in force is refused alone by that."""
    assert ["TIME_TOO_EARLY"] == rules_of(judge_label(label(created_time=1), label_context()))
