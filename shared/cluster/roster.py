"""The nodes of a cluster, found by name, by jurisdiction or by identifier."""

from __future__ import annotations

from shared.cluster.nodes import Node, ProviderNode, RegulatorNode
from shared.errors import NotFound
from shared.provisions.regions import NATION


class Roster:
    """Who is in a cluster.

    Attributes:
        nodes: every node by name, the nation first.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    @property
    def nation(self) -> RegulatorNode:
        """The national regulator."""
        return self.regulator(NATION)

    def regulator(self, jurisdiction: str) -> RegulatorNode:
        """Returns the regulator of a jurisdiction.

        Raises:
            NotFound: NODE_UNKNOWN.
        """
        name = f"regulator/{jurisdiction}"
        found = {node.name: node for node in self.regulators}
        if name not in found:
            raise self.unknown(name)
        return found[name]

    def provider(self, identifier: str) -> ProviderNode:
        """Returns a provider, e.g. "wave".

        Raises:
            NotFound: NODE_UNKNOWN.
        """
        name = f"provider/{identifier}"
        found = {node.name: node for node in self.providers}
        if name not in found:
            raise self.unknown(name)
        return found[name]

    @property
    def regulators(self) -> tuple[RegulatorNode, ...]:
        """All regulators, the nation first."""
        return tuple(node for node in self.nodes.values() if isinstance(node, RegulatorNode))

    @property
    def providers(self) -> tuple[ProviderNode, ...]:
        """All providers."""
        return tuple(node for node in self.nodes.values() if isinstance(node, ProviderNode))

    def unknown(self, name: str) -> NotFound:
        """Makes the error for a node that the cluster does not have."""
        return NotFound(f"this cluster has no {name}; it has {', '.join(self.nodes)}", "NODE_UNKNOWN")
