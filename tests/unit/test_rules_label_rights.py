"""The rights that follow from news labels (Art. 7(2), 7(3)): never more than their basis, and over at their moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisions.labels import (
    Approval,
    Grant,
    LabelAction,
    LabelBasis,
    LabelRecord,
    LabelScope,
    LabelStanding,
    grant_after,
    grant_rights,
    judge_label,
    label_standing,
    reminders_due,
    revoked,
    rights_of,
)
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.provider_standing import LicenceSpan, licence_span
from shared.provisions.spans import FOREVER
from tests.unit.provision_samples import LICENCE
from tests.unit.rule_samples import (
    APPROVAL,
    AT,
    DAY,
    GRANT,
    LICENCE_END,
    LICENCE_START,
    OTHER_GRANT,
    PLATFORM,
    POLICY,
    PUBLISHER,
    REPRINTER,
    SPAN,
    asked,
    grant,
    label,
    label_context,
    lapsed_licence,
)
from tests.unit.test_rules_labels import APPROVED


def test_art_7_2_lapse_closes_the_right_at_its_moment() -> None:
    """Art. 7(2): the right opens at its start and closes at its end, to the microsecond and by itself."""
    held = grant(start_time=AT, end_time=AT + DAY)
    moments = (AT - 1, AT, AT + DAY - 1, AT + DAY)
    assert [False, True, True, False] == [grant_rights(held, at).may_publish for at in moments]
    assert [AT, AT + DAY, AT + DAY, FOREVER] == [grant_rights(held, at).until for at in moments]
    assert [False, True] == [grant_rights(revoked(held, AT + 5), at).may_reprint for at in (AT + 5, AT + 4)]
    assert AT + 5 == grant_rights(revoked(held, AT + 5), AT).until


def test_art_7_2_chain_names_grant_class_and_jurisdiction() -> None:
    """Art. 7(2): the reasons are read out of the grant and its licence number, for programs to follow."""
    rights = rights_of(LabelBasis.NEWS_UNIT, "10120190017", BOTH, 0, FOREVER, AT, GRANT)
    assert [
        ("Art. 7(2)", "grant", GRANT, "MAY_PUBLISH_AND_REPRINT"),
        ("Art. 7(2)", "licence", "10120190017", "CLASS_1_OF_100000"),
    ] == list(rights.chain)


BOTH, REPRINT = LabelScope.PUBLISH_AND_REPRINT, LabelScope.REPRINT
NUMBERS = st.sampled_from([PUBLISHER, REPRINTER, PLATFORM, "10120190017", "47120240001", "3312024000", ""])
TIMES = st.integers(AT - 3, AT + 3)


@given(st.integers(0, 5), NUMBERS, st.integers(-1, 4), TIMES, TIMES, TIMES)
def test_art_7_2_rights_never_exceed_basis(basis: int, number: str, scope: int, start: int, end: int, at: int) -> None:
    """Art. 7(2): whatever a grant says, it gives no more than basis, class, scope and dates each allow."""
    rights = rights_of(basis, number, scope, start, end, at)
    if rights.may_publish or rights.may_reprint:
        assert start <= at < end
        assert scope in (BOTH, REPRINT)
        assert number[2:3] in ("1", "2", "")
        assert (basis == LabelBasis.SPECIAL_APPROVAL) == (number == "")
    if rights.may_publish:
        assert scope == BOTH
        assert rights.may_reprint
        assert basis in (1, 2, 4)
        assert number[2:3] in ("1", "")
    assert rights.until > at


@given(
    st.builds(
        label,
        revision=st.integers(0, 3),
        action=st.integers(0, 6),
        basis=st.integers(0, 5),
        licence_number=NUMBERS,
        scope=st.integers(0, 3),
        start_time=st.sampled_from([0, AT - DAY, AT, AT + DAY]),
        end_time=st.sampled_from([0, AT - DAY, AT, AT + DAY, LICENCE_END, FOREVER]),
        licence_start_time=st.sampled_from([0, LICENCE_START]),
        licence_end_time=st.sampled_from([0, LICENCE_END]),
        reason=st.sampled_from(["", "owner_request"]),
        approval_entry_id=st.sampled_from(["", APPROVAL]),
    ),
    st.sampled_from([None, label(), asked()]),
    st.sampled_from([None, APPROVED]),
    st.booleans(),
)
def test_art_7_2_what_is_taken_gives_what_it_states(
    record: LabelRecord, previous: LabelRecord | None, approval: Approval | None, ended: bool
) -> None:
    """Art. 7(2): a statement that passes gives exactly its scope between its dates, and a revocation gives nothing."""
    if judge_label(record, label_context(previous=previous, approval=approval, ended=ended)) is not None:
        return
    earlier = None if previous is None else grant_after(previous, None)
    held = grant_after(record, earlier)
    if record.action == LabelAction.ASK:
        assert held is None
    elif record.action == LabelAction.REVOKE:
        assert held is None or not grant_rights(held, record.created_time).may_reprint
    else:
        assert held is not None
        assert record.scope == grant_rights(held, record.start_time).scope
        assert record.scope == grant_rights(held, record.end_time - 1).scope
        assert not grant_rights(held, record.end_time).may_reprint


def test_art_4_provider_without_licence_loses_all_labels_at_once() -> None:
    """Art. 4: the moment the provider's licence ends, no label of it is genuine."""
    span = LicenceSpan(0, AT)
    assert [LabelStanding.GENUINE, LabelStanding.LAPSED] == [
        label_standing((grant(),), span, at) for at in (AT - 1, AT)
    ]
    revoked_licence = Licence(LICENCE.number, LICENCE.start_time, LICENCE.end_time, LicenceState.REVOKED)
    assert LabelStanding.LAPSED == label_standing((grant(),), licence_span(revoked_licence), AT)


def test_licence_span_says_why_it_does_not_hold() -> None:
    """What stops a licence is named as the filing rules name it."""
    suspended = lapsed_licence(state=LicenceState.SUSPENDED)
    found = [licence_span(each).finding_at(AT) for each in (None, suspended, lapsed_licence(), LICENCE)]
    assert ["LICENCE_MISSING", "LICENCE_SUSPENDED", "LICENCE_LAPSED", ""] == found
    assert "LICENCE_NOT_STARTED" == SPAN.finding_at(SPAN.start_time - 1)


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ((), LabelStanding.NONE),
        ((grant(start_time=AT + 1, end_time=AT + 2),), LabelStanding.NONE),
        ((grant(),), LabelStanding.GENUINE),
        ((grant(end_time=AT),), LabelStanding.LAPSED),
        ((grant(revoked_time=AT - 1),), LabelStanding.REVOKED),
        ((grant(revoked_time=AT - 1), grant(grant_id=OTHER_GRANT)), LabelStanding.GENUINE),
        ((grant(end_time=AT - 9), grant(grant_id=OTHER_GRANT, revoked_time=AT - 1)), LabelStanding.REVOKED),
        ((grant(licence_number=PLATFORM),), LabelStanding.LAPSED),
    ],
)
def test_art_7_3_anyone_can_check_a_label(grants: tuple[Grant, ...], expected: LabelStanding) -> None:
    """Art. 7(3): the public is told whether a label is genuine, lapsed or revoked, or that there is none."""
    assert expected == label_standing(grants, SPAN, AT)


def test_reminders_come_60_and_30_days_before_the_end() -> None:
    """Administrative: an owner is reminded twice before a label ends, and not once it has ended."""
    end = AT + 60 * DAY
    days = [
        [each.days for each in reminders_due(POLICY, end, now)] for now in (AT - 1, AT, AT + 30 * DAY, end - 1, end)
    ]
    assert [[], [60], [60, 30], [60, 30], []] == days
