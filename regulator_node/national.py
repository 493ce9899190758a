"""The national office: who takes part, where each files and listens, and with which keys it signs. On the nation's node.

What it says bites at a node's next call, because every node judges its callers by the newest directory.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from regulator_node.authorities import Authorities
from regulator_node.enrolments import Enrolments, check_licence
from regulator_node.nation_documents import NationDocuments
from regulator_node.node_keys import add_signing_key
from regulator_node.register_departures import departures_held
from shared.clock import Clock
from shared.database import Database
from shared.errors import FailedPrecondition, NotFound
from shared.evidence.names import regulator_of
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, policy_pb2
from shared.provisions.routing import check_unrouted
from shared.provisions.transfers import check_transfer
from shared.trust.names import NATION

MOST_KEYS: Final = 16
"""Signing keys of one node that the directory can hold."""

Changed = tuple[directory_pb2.Node, int]
"""A node as it was changed, and the directory version that says so."""


class NationalOffice:
    """Changes the directory.

    Args:
        database: the nation's register.
        view: the documents held.
        documents: states them.
        enrolments: lets nodes join.
        authorities: replaces the CA.
        clock: tells the time.

    Attributes:
        enrolments: lets nodes join and certifies them.
        authorities: replaces the CA, and denies certificates.
    """

    def __init__(
        self,
        database: Database,
        view: NetworkView,
        documents: NationDocuments,
        enrolments: Enrolments,
        authorities: Authorities,
        clock: Clock,
    ) -> None:
        self._database = database
        self._view = view
        self._documents = documents
        self.enrolments = enrolments
        self.authorities = authorities
        self._clock = clock

    async def publish_policy(self, policy: policy_pb2.Policy, validate_only: bool) -> policy_pb2.Policy:
        """Publishes the next policy; see `NationDocuments.publish_policy`."""
        return await self._documents.publish_policy(policy, validate_only)

    async def set_node_state(self, node_name: str, state: directory_pb2.NodeState) -> Changed:
        """Sets whether a node may take part; it bites at the node's next call.

        Raises:
            NotFound when there is no such node; FailedPrecondition for the nation itself.
        """
        if node_name == NATION:
            raise FailedPrecondition("the nation is the trust root and cannot be suspended", "NODE_IS_THE_NATION")
        denies = state != directory_pb2.NODE_STATE_ACTIVE
        return await self._documents.change_node(node_name, lambda node: setattr(node, "state", state), denies=denies)

    async def set_licence(self, node_name: str, licence: directory_pb2.Licence) -> Changed:
        """Sets a provider's licence.

        Raises:
            InvalidInput when the licence cannot be one; NotFound when there is no such node.
        """
        check_licence(licence)
        return await self._documents.change_node(node_name, lambda node: node.licence.CopyFrom(licence))

    async def set_endpoint(self, node_name: str, endpoint: str) -> Changed:
        """Sets where a regulator listens; whoever calls it goes there from then on.

        Raises:
            NotFound when there is no such node.
        """
        return await self._documents.change_node(node_name, lambda node: setattr(node, "endpoint", endpoint))

    async def add_signing_key(self, node_name: str, public_key: bytes) -> Changed:
        """Adds a key with which a node will sign. Its earlier keys stay: what they signed stays proven.

        Raises:
            NotFound when there is no such node; FailedPrecondition: TOO_MANY_KEYS.
        """
        return await self._documents.change_node(node_name, _with_key(public_key, self._clock()))

    async def transfer(self, node_name: str, to: str) -> Changed:
        """Transfers a provider to another jurisdiction, whose regulator it files with from then on (Art. 3).

        Raises:
            NotFound when there is no such node; FailedPrecondition: REGULATOR_MISSING, FILES_THERE_ALREADY,
            PROVIDER_MOVES, or ROUTED_BY_POLICY where the policy in force has it file elsewhere.
        """
        held = await self._database.read(lambda transaction: departures_held(transaction, node_name))
        now = self._clock()
        check_unrouted(self._view.policy_at(now), node_name, to)

        def move(node: directory_pb2.Node) -> None:
            former = [each.jurisdiction for each in node.former_jurisdictions]
            check_transfer(node_name, node.jurisdiction, to, former, held)
            # Where no regulator ever joined nothing was filed, and there is nothing to depart from.
            if self._view.directory.node(regulator_of(node.jurisdiction)) is not None:
                node.former_jurisdictions.add(jurisdiction=node.jurisdiction).end_time.FromDatetime(now)
            node.jurisdiction = to

        if self._view.directory.node(node_name) is None:
            raise NotFound(f"there is no node {node_name} in the directory", "NODE_UNKNOWN")
        regulator = self._view.directory.node(regulator_of(to))
        if regulator is None or regulator.state == directory_pb2.NODE_STATE_DENIED:
            message = f"regulator/{to} takes no part: let it join before providers are transferred to it"
            raise FailedPrecondition(message, "REGULATOR_MISSING")
        return await self._documents.change_node(node_name, move)


def the_office(office: NationalOffice | None, view: NetworkView) -> NationalOffice:
    """Returns the national office.

    Args:
        office: this node's; None at a province.
        view: the documents held.

    Raises:
        FailedPrecondition: NATION_ONLY, this node is a province; says where the nation is.
    """
    if office is None:
        nation = view.directory.node(NATION)
        place = f" at {nation.endpoint}" if nation is not None else ""
        raise FailedPrecondition(f"only the nation does this: ask {NATION}{place}", "NATION_ONLY")
    return office


def _with_key(public_key: bytes, now: datetime) -> Callable[[directory_pb2.Node], None]:
    def add(node: directory_pb2.Node) -> None:
        if any(key.public_key == public_key for key in node.signing_keys):
            return
        if len(node.signing_keys) >= MOST_KEYS:
            message = f"the directory holds {MOST_KEYS} signing keys of {node.name}, which is all it can"
            raise FailedPrecondition(message + ": have the node join under another name", "TOO_MANY_KEYS")
        add_signing_key(node, public_key, now)

    return add
