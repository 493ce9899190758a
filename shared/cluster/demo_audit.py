"""The demo's audit: every regulator's own program proves over its logs that no report is lost and none is with two."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.cluster.joining import together
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode


@dataclass(frozen=True, slots=True)
class Balance:
    """What `regulator-node audit conservation` found at one regulator.

    Attributes:
        regulator: node name.
        reports: that left their providers, by the logs that it holds.
        parties: how many are with whom; with nobody are those that are over.
        findings: rules broken by reports that do not add up.
    """

    regulator: str
    reports: int
    parties: Mapping[str, int]
    findings: Sequence[str]


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of a whole network: when it was made, in words, and what it found, the nation first."""

    when: str
    balances: Sequence[Balance]


async def audit_all(cluster: Cluster, when: str, audited: Callable[[], None] = lambda: None) -> Audit:
    """Audits every regulator of a network.

    Args:
        cluster: whose regulators hold what they have to hold.
        when: for people.
        audited: called once for each regulator.

    Raises:
        FailedPrecondition: COMMAND_FAILED where something does not add up.
    """
    found: dict[str, Balance] = {}

    async def audit(node: RegulatorNode) -> None:
        data = ("--data", str(node.folder), "--json")
        told = json.loads(await node.run("regulator_node", "audit", "conservation", *data))
        rules = [finding["rule"] for finding in told["findings"]]
        found[node.name] = Balance(node.name, told["reports"], told["parties"], rules)
        audited()

    await together(audit(node) for node in cluster.regulators)
    return Audit(when, [found[node.name] for node in cluster.regulators])
