"""The fold of cases: one answer whatever happens, a clock that rises, and nothing that the rules do not let happen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from regulator_node.case_fold import Happening, ShownState, Standing, fold, standing_at
from shared.clock import micros
from shared.provisions.escalations import CaseEvent, CaseKind, CaseState, Party
from shared.provisions.policy import initial_policy
from shared.provisions.spans import FOREVER
from tests.integration.filing_samples import NOW

START = micros(NOW)
HOUR = 3_600_000_000
POLICIES = (initial_policy(),)
OPENED = Happening(START, CaseEvent.OPEN)

later = st.builds(
    Happening,
    st.integers(0, 60 * 24).map(lambda hours: START + hours * HOUR),
    st.sampled_from([event for event in CaseEvent if event not in (CaseEvent.OPEN, CaseEvent.RISE)]),
    st.booleans(),
)


def _folded(home: Party, events: list[Happening]) -> Standing:
    return fold(CaseKind.REPORT, home, [OPENED, *sorted(events, key=lambda each: each.time)], POLICIES)


@given(st.sampled_from([Party.PROVINCE, Party.NATION]), st.lists(later, max_size=8), st.integers(0, 3000))
def test_answer_2_a_case_is_with_exactly_one_party_or_over(home: Party, events: list[Happening], hours: int) -> None:
    """Whatever happens, and whenever it is looked at: open means that one has to act, and by a time while it is undecided."""
    standing = standing_at(_folded(home, events), CaseKind.REPORT, POLICIES, START + hours * HOUR)
    assert (standing.shown is ShownState.CLOSED) == (standing.responsible(home) is Party.NOBODY)
    assert (standing.shown is ShownState.CLOSED) == (standing.due_time == FOREVER)
    assert standing.risen == (standing.nation_state is not CaseState.UNSPECIFIED)
    assert not (standing.risen and home is Party.NATION)


@given(st.lists(later, max_size=8))
def test_answer_2_a_case_rises_when_its_time_is_over_and_not_before(events: list[Happening]) -> None:
    """The clock takes over at the moment it names: one microsecond earlier the province has the case."""
    standing = _folded(Party.PROVINCE, events)
    if standing.rise_time == FOREVER:
        return
    before = standing_at(standing, CaseKind.REPORT, POLICIES, standing.rise_time - 1)
    after = standing_at(standing, CaseKind.REPORT, POLICIES, standing.rise_time)
    assert (False, True) == (before.risen, after.risen)
    assert ShownState.AT_NATION is after.shown


def test_answer_2_what_the_province_does_after_the_rise_changes_nothing() -> None:
    """A decision of the province that is later than its time is nobody's: the nation has the case."""
    late = Happening(START + 60 * 24 * HOUR, CaseEvent.DISMISS)
    assert ShownState.AT_NATION is _folded(Party.PROVINCE, [late]).shown
    by_nation = Happening(START + 60 * 24 * HOUR, CaseEvent.DISMISS, of_nation=True)
    assert ShownState.CLOSED is _folded(Party.PROVINCE, [late, by_nation]).shown


def test_answer_2_without_a_policy_no_clock_runs() -> None:
    """A node that holds no policy of that time shows the case and lets nothing rise."""
    standing = fold(CaseKind.REPORT, Party.PROVINCE, [OPENED], ())
    assert (CaseState.OPEN, FOREVER, FOREVER) == (standing.state, standing.due_time, standing.rise_time)
