"""Art. 3: where policy has a provider file, rather than with the regulator of its own jurisdiction.

A policy says who files where; the directory says who does. The nation brings the second to the first by transfers, one
at a time for each provider, so that a routed provider moves like any other: with its history, and nothing filed twice.
Provider and regulator ask the directory alone. A route that is gone moves nobody back: whoever is not named stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.errors import FailedPrecondition, Violation
from shared.provisions.policy import Policy
from shared.provisions.policy_parts import Route


def routes_away(policy: Policy, jurisdictions: Mapping[str, str]) -> list[Route]:
    """Returns the routes of a policy that providers do not follow yet.

    Args:
        policy: the policy in force.
        jurisdictions: where each provider of the directory files, by node name.

    Returns:
        In the order of the policy; nothing of providers that the directory does not have.
    """
    return [
        route for route in policy.routes if jurisdictions.get(route.provider, route.jurisdiction) != route.jurisdiction
    ]


def check_routes(prev: Policy, next_policy: Policy, nodes: Collection[str]) -> list[Violation]:
    """Checks that the routes which a policy adds or changes can be followed.

    Args:
        prev: the newest policy.
        next_policy: the policy to be published.
        nodes: the names of the nodes that take part.

    Returns:
        ROUTE_WRONG where the provider or the regulator takes no part; empty where nothing is wrong.
    """
    violations = []
    for index, route in enumerate(next_policy.routes):
        if prev.routed.get(route.provider) == route.jurisdiction:
            continue
        field = f"routes[{index}]"
        if route.provider not in nodes:
            mend = "name a provider that takes part: one that is to join is given its jurisdiction by its token"
            violations.append(Violation(f"{field}.provider", "ROUTE_WRONG", mend))
        if f"regulator/{route.jurisdiction}" not in nodes:
            mend = "name a jurisdiction whose regulator takes part, or let it join first"
            violations.append(Violation(f"{field}.jurisdiction", "ROUTE_WRONG", mend))
    return violations


def check_unrouted(policy: Policy, provider: str, to: str) -> None:
    """Checks that the policy in force lets an officer transfer a provider.

    Args:
        policy: the policy in force.
        provider: the provider's node name.
        to: the jurisdiction that it is to file with.

    Raises:
        FailedPrecondition: ROUTED_BY_POLICY where the policy has it file elsewhere.
    """
    routed = policy.routed.get(provider, to)
    if routed != to:
        raise FailedPrecondition(
            f"policy {policy.version} has {provider} file with regulator/{routed}: publish one without that route first",
            "ROUTED_BY_POLICY",
        )
