"""Art. 3: where policy has a provider file rather than with the regulator of its own jurisdiction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FailedPrecondition
from shared.mapping.policy import policy_from_wire, policy_to_wire
from shared.provisions.policy import Policy, Route, policy_at
from shared.provisions.policy_preview import Holdings, policy_changes, policy_effects
from shared.provisions.policy_succession import check_policy
from shared.provisions.routing import check_routes, check_unrouted, routes_away
from shared.validation import validate
from tests.unit.provision_samples import NOW
from tests.unit.rule_samples import POLICY

WAVE, HARBOUR = "provider/wave", "provider/harbour"
NATION, ZHEJIANG, BEIJING = "100000", "330000", "110000"
NODES = frozenset({WAVE, f"regulator/{NATION}", f"regulator/{ZHEJIANG}"})
BEGINS = NOW + timedelta(days=10)
PLACES = st.sampled_from([NATION, ZHEJIANG, BEIJING])
NAMES = st.sampled_from([f"provider/p{number}" for number in range(6)])


def routed(*routes: Route) -> Policy:
    """The next policy, from ten days on, with routes."""
    return replace(POLICY, version=2, effective_time=BEGINS, routes=routes)


def test_art_3_a_route_holds_from_its_policys_time_on() -> None:
    """Art. 3: nobody moves before the policy holds; then who files elsewhere moves, and who files there stays."""
    policies = [POLICY, routed(Route(WAVE, NATION), Route(HARBOUR, NATION))]
    files = {WAVE: ZHEJIANG, HARBOUR: NATION}
    assert [] == routes_away(policy_at(policies, BEGINS - timedelta(microseconds=1)), files)
    assert [Route(WAVE, NATION)] == routes_away(policy_at(policies, BEGINS), files)
    assert [] == routes_away(policies[1], {})


@given(files=st.dictionaries(NAMES, PLACES), routes=st.dictionaries(NAMES, PLACES))
def test_art_3_routes_followed_once_are_followed(files: Mapping[str, str], routes: Mapping[str, str]) -> None:
    """Art. 3: once everybody routed away has moved nobody is left, and nobody moved whom no route names."""
    policy = routed(*(Route(*each) for each in routes.items()))
    moved = {**files, **{route.provider: route.jurisdiction for route in routes_away(policy, files)}}
    assert [] == routes_away(policy, moved)
    assert {name: routes.get(name, place) for name, place in files.items()} == moved


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (Route(WAVE, NATION), []),
        (Route(HARBOUR, NATION), [("routes[0].provider", "ROUTE_WRONG")]),
        (Route(WAVE, BEIJING), [("routes[0].jurisdiction", "ROUTE_WRONG")]),
    ],
)
def test_art_3_a_route_that_nobody_can_follow_is_not_published(route: Route, expected: list[tuple[str, str]]) -> None:
    """Art. 3: both ends take part when a route is added; one that stood before stands, though an end was denied since."""
    violations = check_routes(POLICY, routed(route), NODES)
    assert expected == [(each.field, each.rule) for each in violations]
    assert [] == check_routes(routed(route), replace(routed(route), version=3), NODES)


def test_art_3_a_provider_has_one_route() -> None:
    """Art. 3: nobody is sent to two regulators."""
    twice = check_policy(routed(Route(WAVE, NATION), Route(WAVE, ZHEJIANG)))
    assert [("routes[1]", "REPEATED")] == [(each.field, each.rule) for each in twice]


def test_art_3_an_officer_transfers_nobody_off_its_route() -> None:
    """Art. 3: policy and officer do not move a provider to and fro: the policy is changed first."""
    with pytest.raises(FailedPrecondition) as refused:
        check_unrouted(routed(Route(WAVE, NATION)), WAVE, ZHEJIANG)
    assert "ROUTED_BY_POLICY" == refused.value.reason
    check_unrouted(routed(Route(WAVE, NATION)), WAVE, NATION)
    check_unrouted(routed(Route(WAVE, NATION)), HARBOUR, ZHEJIANG)


def test_art_3_a_preview_names_who_would_file_elsewhere() -> None:
    """Art. 3: the rule that changes, and of the providers that it names those that would move."""
    policy = routed(Route(WAVE, NATION), Route(HARBOUR, NATION))
    changes = [(each.field, each.kind.name, each.after) for each in policy_changes(POLICY, policy)]
    told = f"files with regulator/{NATION}"
    assert [(f"routes.{WAVE}", "ADDED", told), (f"routes.{HARBOUR}", "ADDED", told)] == changes
    held = Holdings(jurisdictions={WAVE: ZHEJIANG, HARBOUR: NATION})
    effects = [
        (each.kind.name, each.field, each.count, each.successor) for each in policy_effects(POLICY, policy, held)
    ]
    assert [("PROVIDER_FILES_ELSEWHERE", f"routes.{WAVE}", 1, f"regulator/{NATION}")] == effects


def test_art_3_routes_travel_whole() -> None:
    """Art. 3: what the nation publishes is what every node judges by."""
    policy = routed(Route(WAVE, NATION))
    message = policy_to_wire(policy)
    validate(message)
    assert policy == policy_from_wire(message)
