"""What a cluster consists of: its nodes, their folders, addresses and command lines. Pure data, kept in cluster.json.

A node has its data in FOLDER/<name with a hyphen>, e.g. FOLDER/provider-wave, and its log beside the others in
FOLDER/logs. A folder that holds a network can so be served again with the same keys, addresses and data.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from shared.cluster.made_up import licence_number
from shared.cluster.ports import Ports
from shared.errors import FailedPrecondition, InvalidInput
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.regions import NATION, PROVINCES
from shared.trust.names import tls_host

STATE_FILE: Final = "cluster.json"
NATION_NAME: Final = f"regulator/{NATION}"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node of a cluster.

    Attributes:
        name: e.g. "provider/wave".
        jurisdiction: GB/T 2260.
        title: its public name; says that it is a sample.
        network_address: host:port of a regulator's network listener; empty for a provider.
        public_address: host:port of a regulator's public listener; empty for a provider.
        network_endpoint: host:port by which others know the network listener, where that is another.
        public_endpoint: the same of the public listener.
        database_url: empty for the file in its folder.
    """

    name: str
    jurisdiction: str
    title: str
    network_address: str = ""
    public_address: str = ""
    network_endpoint: str = ""
    public_endpoint: str = ""
    database_url: str = ""

    @property
    def is_regulator(self) -> bool:
        """Whether it is a regulator."""
        return self.name.startswith("regulator/")

    @property
    def module(self) -> str:
        """The program that is the node, for `python -m`."""
        return "regulator_node" if self.is_regulator else "provider_node"

    def folder(self, root: Path) -> Path:
        """Its data folder in the cluster's."""
        return root / self.name.replace("/", "-")

    def log_path(self, root: Path) -> Path:
        """Its log."""
        return root / "logs" / f"{self.name.replace('/', '-')}.log"

    def token_path(self, root: Path) -> Path:
        """The token file with which it joins."""
        return root / "tokens" / f"{self.name.replace('/', '-')}.token"

    def socket(self, root: Path) -> str:
        """Its local socket, as gRPC writes it."""
        return f"unix:{self.folder(root) / ('operator.sock' if self.is_regulator else 'backend.sock')}"

    def serve(self, root: Path) -> tuple[str, ...]:
        """The command line that serves it."""
        return (self.module, "serve", "--data", str(self.folder(root)))

    def found(self, root: Path, certificate_lifetime_hours: float = 0) -> tuple[str, ...]:
        """The command line that founds the nation."""
        lifetime = (
            ("--certificate-lifetime-hours", str(certificate_lifetime_hours)) if certificate_lifetime_hours else ()
        )
        identity = ("--jurisdiction", self.jurisdiction, "--title", self.title)
        public = ("--public-endpoint", self.public_endpoint) if self.public_endpoint else ()
        return (self.module, "init", "--data", str(self.folder(root)), *identity, *self._places(), *public, *lifetime)

    def join(self, root: Path) -> tuple[str, ...]:
        """The command line with which it joins by its token file."""
        token = ("--token-file", str(self.token_path(root)))
        return (self.module, "init", "--data", str(self.folder(root)), *token, *self._places())

    def _places(self) -> tuple[str, ...]:
        listen = ("--network-listen", self.network_address, "--public-listen", self.public_address)
        endpoint = ("--network-endpoint", self.network_endpoint) if self.network_endpoint else ()
        database = ("--database", self.database_url) if self.database_url else ()
        return (*(listen if self.is_regulator else ()), *endpoint, *database)


def licence_of(plan: NodePlan, serial: int, now: datetime) -> Licence:
    """Makes up the platform licence of a provider, in force since the beginning of last year, for three years."""
    start, end = (datetime(now.year + years, 1, 1, tzinfo=UTC) for years in (-1, 2))
    return Licence(licence_number(plan.jurisdiction, serial, year=start.year), start, end, LicenceState.VALID)


def plan_regulator(jurisdiction: str, ports: Ports, databases: Mapping[str, str], *, proxied: bool) -> NodePlan:
    """Plans a regulator on free ports.

    Args:
        jurisdiction: GB/T 2260 province, or 100000.
        ports: where to take them from.
        proxied: whether others know it by a name that only the cluster's proxies resolve.
        databases: URLs by node name; nodes that are not in it keep a file.

    Raises:
        InvalidInput: REGION_UNKNOWN.
    """
    if jurisdiction not in PROVINCES:
        raise InvalidInput(f"{jurisdiction} is no province: give a code like 330000", "REGION_UNKNOWN")
    name = f"regulator/{jurisdiction}"
    title = f"样例监管节点·{PROVINCES[jurisdiction].name_zh}"
    network, public = ports.take(), ports.take()
    plan = NodePlan(name, jurisdiction, title, network, public, database_url=databases.get(name, ""))
    if not proxied:
        return plan
    endpoints = (f"{tls_host(name)}:{address.rpartition(':')[2]}" for address in (network, public))
    return dataclasses.replace(plan, network_endpoint=next(endpoints), public_endpoint=next(endpoints))


def plan_provider(identifier: str, jurisdiction: str, databases: Mapping[str, str]) -> NodePlan:
    """Plans a provider, e.g. "wave" in 330000."""
    name = f"provider/{identifier}"
    return NodePlan(name, jurisdiction, f"样例服务·{identifier}", database_url=databases.get(name, ""))


def write_state(root: Path, plans: Sequence[NodePlan], pids: Mapping[str, int]) -> None:
    """Writes down what the cluster consists of and which processes serve it.

    Args:
        root: the cluster's folder.
        plans: its nodes, the nation first.
        pids: process ids by node name; nodes that are down are not in it.
    """
    nodes = [dataclasses.asdict(plan) | {"pid": pids.get(plan.name, 0)} for plan in plans]
    temporary = root / f"{STATE_FILE}.new"
    temporary.write_text(json.dumps({"version": 1, "nodes": nodes}, ensure_ascii=False, indent=2), encoding="utf-8")
    temporary.replace(root / STATE_FILE)


def read_state(root: Path) -> tuple[tuple[NodePlan, ...], dict[str, int]]:
    """Reads what a cluster's folder says; nothing at all where it holds no cluster.

    Args:
        root: the cluster's folder.

    Returns:
        Its nodes, the nation first, and the process ids last known by node name.

    Raises:
        FailedPrecondition: CLUSTER_STATE_WRONG where the file cannot be read.
    """
    path = root / STATE_FILE
    if not path.exists():
        return (), {}
    try:
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        pids = {node["name"]: node.pop("pid") for node in nodes}
        return tuple(NodePlan(**node) for node in nodes), {name: pid for name, pid in pids.items() if pid}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FailedPrecondition(
            f"{path} cannot be read: stop the network's processes yourself and remove {root}", "CLUSTER_STATE_WRONG"
        ) from error
