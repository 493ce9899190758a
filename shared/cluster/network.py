"""A network of real nodes on this machine: a national regulator, provinces and providers, joined by the real enrolment.

    async with Cluster(provinces=("330000", "110000"), providers={"wave": "330000", "harbour": "110000"}) as cluster:
        async with cluster.provider("wave").client() as backend:
            ...
        cluster.cut("provider/wave", "regulator/330000")

Nodes are processes with TLS, databases and logs of their own, in one folder, on loopback ports that nobody else gets.
Where links are proxied, any two nodes can be parted while the others still talk. The cluster may be used from any event
loop, so that one fixture can serve many tests. On leaving, every process is gone; a temporary folder is removed unless
something failed, and then the error says where the logs are.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shared.cluster.background import BackgroundLoop
from shared.cluster.joining import together, write_token
from shared.cluster.layout import (
    NATION_NAME,
    NodePlan,
    plan_provider,
    plan_regulator,
    read_state,
    write_state,
)
from shared.cluster.links import Links
from shared.cluster.names import name_of_proxy
from shared.cluster.nodes import Node, ProviderNode, RegulatorNode
from shared.cluster.ports import Ports
from shared.cluster.proxy import Link
from shared.cluster.roster import Roster
from shared.cluster.simulated_time import SimulatedTime
from shared.cluster.tap import Tap
from shared.cluster.watching import (
    wait_until_delivered,
    wait_until_failing,
    wait_until_holds,
    wait_until_nation_has,
)
from shared.errors import NotFound
from shared.provisions.regions import NATION

DEFAULT_PROVINCES: Final = ("330000",)
NO_TIME: Final = timedelta(0)
DEFAULT_PROVIDERS: Final[Mapping[str, str]] = {"wave": "330000"}


class Cluster(Roster):
    """A network of processes.

    Args:
        folder: where everything is kept; None for a temporary folder. A folder that holds a network is served again,
            and what it consists of then comes from there.
        provinces: GB/T 2260 codes of the provincial regulators.
        providers: jurisdiction by identifier, e.g. {"wave": "330000"}.
        proxied: whether nodes call one another through proxies, so that links can be cut and counted.
        named: whether nodes look their proxies up by name, so that `forget_name` can take it away.
        detached: whether nodes go on when this process ends.
        databases: database URLs by node name; the others keep a file.
        environment: added to every node's, e.g. {"FILINGNET_LOG_LEVEL": "debug"}.
        certificate_lifetime_hours: how long certificates hold; 0 for the default.
        simulated_time: whether `advance` can move the nodes' time; certificates stay on the machine's.
        keep: whether a temporary folder stays.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        provinces: Sequence[str] = DEFAULT_PROVINCES,
        providers: Mapping[str, str] = DEFAULT_PROVIDERS,
        proxied: bool = True,
        named: bool = False,
        detached: bool = False,
        databases: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        certificate_lifetime_hours: float = 0,
        simulated_time: bool = False,
        keep: bool = False,
    ) -> None:
        super().__init__()
        self._temporary = folder is None
        self._keep = keep
        self._detached = detached
        self._databases = dict(databases or {})
        self._given_environment = dict(environment or {})
        self._certificate_lifetime_hours = certificate_lifetime_hours
        self._ports = Ports()
        self._links = Links(self._place, named=named) if proxied else None
        self._taps: list[Tap] = []
        self._left = False
        plans = read_state(folder.absolute())[0] if folder is not None else ()
        plans = plans or tuple(self._planned(provinces, providers))
        # A short path: the sockets of the nodes are in it, and a socket's path may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="filingnet-")) if folder is None else folder.absolute()
        self._time = SimulatedTime(self.folder, wanted=simulated_time)
        self._background = BackgroundLoop()
        for plan in plans:
            self._add(plan)

    async def __aenter__(self) -> Self:
        """Starts the network."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the network; keeps a temporary folder where something failed."""
        failed = error is not None
        if error is not None:
            error.add_note(f"the nodes' logs are in {self.folder / 'logs'}")
        await self.close(remove=self._temporary and not self._keep and not failed)

    async def start(self, on_serving: Callable[[str], None] = lambda _: None) -> None:
        """Founds the nation, lets every other node join, and serves them all; nodes that are made are only served.

        Args:
            on_serving: told the name of each node once it serves.

        Raises:
            FilingnetError: which node failed, how, and where its log is. Every process is gone then.
        """
        try:
            for name in ("logs", "tokens"):
                (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._make(self.nation, self.nation.plan.found(self.folder, self._certificate_lifetime_hours))
            await self.nation.start()
            self.write_state()
            on_serving(NATION_NAME)
            others = [node for node in self.nodes.values() if node.name != NATION_NAME]
            await self._make_tokens(others)
            # Providers come last: one that finds its regulator at the first try does not begin with a wait.
            for group in (self.regulators[1:], self.providers):
                await together(self._join(node, on_serving) for node in group)
        except BaseException:
            await self.close(remove=False)
            raise

    async def add_province(self, jurisdiction: str) -> RegulatorNode:
        """Lets another province join the running network."""
        await self._join_late(self._plan_regulator(jurisdiction))
        return self.regulator(jurisdiction)

    async def add_provider(self, identifier: str, jurisdiction: str) -> ProviderNode:
        """Lets another provider join the running network."""
        await self._join_late(plan_provider(identifier, jurisdiction, self._databases))
        return self.provider(identifier)

    def now(self) -> datetime:
        """Returns what the nodes take for the time."""
        return self._time.now()

    def advance(self, by: timedelta = NO_TIME, *, days: float = 0, hours: float = 0) -> datetime:
        """Moves the nodes' time forward; whatever is due by then happens by itself, within moments.

        What any node is asked after this returned is judged by the new time. Certificates, tokens and connections stay
        on the machine's time.

        Args:
            by: how far, e.g. until a moment: `cluster.advance(report.settle_due_time - cluster.now())`.
            days: added to it.
            hours: added to it.

        Returns:
            What the nodes take for the time now.

        Raises:
            FailedPrecondition: TIME_NOT_SIMULATED, the cluster was made without simulated_time=True.
            InvalidInput: TIME_GOES_BACK.
        """
        return self._time.advance(by + timedelta(days=days, hours=hours))

    async def stop(self) -> dict[str, int]:
        """Stops every node that runs, those first that call others.

        Returns:
            Exit codes by node name.
        """
        codes: dict[str, int] = {}

        async def stopped(node: Node) -> None:
            codes[node.name] = await node.stop()

        provinces = [node for node in self.regulators if node is not self.nation]
        for nodes in (self.providers, provinces, [self.nation]):
            await together(stopped(node) for node in nodes if node.running)
        return codes

    async def close(self, *, remove: bool = False) -> None:
        """Stops every node, ends the proxies and gives the ports back.

        Args:
            remove: whether to remove the folder as well.
        """
        try:
            await self.stop()
        finally:
            for node in self.nodes.values():
                if node.running:
                    await node.kill()
            await self.leave()
            if remove:
                shutil.rmtree(self.folder, ignore_errors=True)

    async def leave(self) -> None:
        """Lets go of the nodes without stopping them; what is detached goes on."""
        if self._left:
            return
        self._left = True
        for tap in self._taps:
            await self._background.run(tap.close())
        if self._links is not None:
            await self._background.run(self._links.close())
        self._background.close()
        self._ports.close()

    def write_state(self) -> None:
        """Writes down what the cluster consists of and which processes serve it."""
        pids = {node.name: node.pid for node in self.nodes.values() if node.running}
        write_state(self.folder, [node.plan for node in self.nodes.values()], pids)

    def link(self, caller: str, peer: str) -> Link:
        """Returns the link by which one node calls another, to read its counters.

        Args:
            caller: the node that connects, e.g. "provider/wave".
            peer: the node that listens, e.g. "regulator/330000".

        Raises:
            NotFound: LINK_UNKNOWN where links are not proxied.
        """
        for name in (caller, peer):
            if name not in self.nodes:
                raise self.unknown(name)
        if self._links is None:
            raise NotFound("nodes call one another directly: start the cluster with proxied=True", "LINK_UNKNOWN")
        return self._links.link(caller, peer)

    @property
    def links(self) -> Mapping[tuple[str, str], Link]:
        """Every link that was used or asked for, by caller and peer; empty where links are not proxied."""
        return self._links.all if self._links is not None else {}

    def shape(self, caller: str, peer: str, action: Callable[[Link], None]) -> None:
        """Does something to the link by which one node calls another.

        Args:
            caller: the node that connects.
            peer: the node that listens.
            action: e.g. `Link.stall_back` or `lambda link: link.reset_after(out_bytes=1000)`.
        """
        link = self.link(caller, peer)
        self._background.call(lambda: action(link))

    def cut(self, first: str, second: str) -> None:
        """Parts two nodes, whichever calls the other: open connections are reset, new ones are refused."""
        self._shape_both(first, second, Link.cut)

    def stall(self, first: str, second: str) -> None:
        """Lets two nodes connect and never hear from one another."""
        self._shape_both(first, second, Link.stall)

    def heal(self, first: str, second: str) -> None:
        """Lets two nodes talk again."""
        self._shape_both(first, second, Link.heal)

    def forget_name(self, name: str, *, gone: bool = True) -> None:
        """Lets a node's look-ups fail, or succeed again; in a cluster that was made with named=True."""
        if self._links is None:
            raise NotFound("nodes look nothing up: start the cluster with proxied=True, named=True", "NAME_UNKNOWN")
        names = self._links.names
        change = names.gone.add if gone else names.gone.discard
        self._background.call(lambda: change(name_of_proxy(name)))

    async def tap(self, caller: str, peer: str) -> Tap:
        """Reads in clear what one node says to a regulator's network listener from now on, and what it is answered.

        Args:
            caller: the node that connects; it has joined.
            peer: the regulator that listens.
        """
        node = self.regulator(peer.removeprefix("regulator/"))
        tap = Tap(self.nodes[caller].folder / "tls", node.folder / "tls", node.tls_name, node.network_address)
        address = await self._background.run(tap.start())
        self._taps.append(tap)
        self.shape(caller, peer, lambda link: link.divert(address))
        return tap

    async def wait_until(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 60.0) -> None:
        """Waits until something holds that no node tells by itself, by asking again and again.

        Args:
            holds: asks once.
            what: what is waited for, for people.
            seconds: how long at most.

        Raises:
            Unavailable: WAITED_IN_VAIN.
        """
        await wait_until_holds(holds, what, seconds)

    async def wait_until_failing(self, identifier: str, seconds: float = 60.0) -> str:
        """Waits until a provider says why it cannot deliver.

        Returns:
            The reason and the sentence in its status.
        """
        return await wait_until_failing(self.provider(identifier), seconds)

    async def wait_until_delivered(self, identifier: str, seconds: float = 60.0) -> None:
        """Waits until a provider has nothing left that its regulator has not answered.

        Raises:
            Unavailable: NOT_DELIVERED; says what keeps it.
        """
        await wait_until_delivered(self.provider(identifier), seconds)

    async def wait_until_nation_has(
        self, filings: int, seconds: float = 60.0, on_change: Callable[[int], None] | None = None
    ) -> None:
        """Waits until the nation's register holds so many filings, revisions counted one by one.

        Args:
            filings: how many.
            seconds: how long at most.
            on_change: told how many there are, whenever that changed.

        Raises:
            Unavailable: FILINGS_MISSING; says who is behind, and why.
        """
        await wait_until_nation_has(self.nation, self.providers, filings, seconds, on_change)

    def _planned(self, provinces: Sequence[str], providers: Mapping[str, str]) -> list[NodePlan]:
        jurisdictions = (NATION, *(province for province in provinces if province != NATION))
        regulators = [self._plan_regulator(jurisdiction) for jurisdiction in jurisdictions]
        return [*regulators, *(plan_provider(name, home, self._databases) for name, home in providers.items())]

    def _plan_regulator(self, jurisdiction: str) -> NodePlan:
        return plan_regulator(jurisdiction, self._ports, self._databases, proxied=self._links is not None)

    def _add(self, plan: NodePlan) -> Node:
        kind = RegulatorNode if plan.is_regulator else ProviderNode
        node = kind(plan, self.folder, self._background, self._environment, detached=self._detached)
        self.nodes[plan.name] = node
        return node

    def _place(self, destination: str) -> tuple[str, str]:
        for node in self.regulators:
            if destination == node.plan.network_endpoint:
                return node.name, node.network_address
            if destination == node.plan.public_endpoint:
                return node.name, node.public_address
        return destination, destination

    async def _environment(self, name: str) -> Mapping[str, str]:
        proxy = await self._links.environment(name) if self._links is not None else {}
        return {**self._time.environment(), **self._given_environment, **proxy}

    def _shape_both(self, first: str, second: str, action: Callable[[Link], None]) -> None:
        self.shape(first, second, action)
        self.shape(second, first, action)

    async def _make(self, node: Node, arguments: Sequence[str]) -> None:
        if not (node.folder / "node.toml").exists():
            await node.run(*arguments)

    async def _make_tokens(self, nodes: Iterable[Node]) -> None:
        missing = [node for node in nodes if not (node.folder / "node.toml").exists()]
        if not missing:
            return
        async with self.nation.client() as operator:
            for node in missing:
                await write_token(operator, node.plan, self.folder, list(self.nodes).index(node.name))

    async def _join(self, node: Node, on_serving: Callable[[str], None] = lambda _: None) -> None:
        await self._make(node, node.plan.join(self.folder))
        await node.start()
        self.write_state()
        on_serving(node.name)

    async def _join_late(self, plan: NodePlan) -> None:
        node = self._add(plan)
        try:
            await self._make_tokens([node])
            await self._join(node)
        except BaseException:
            del self.nodes[plan.name]
            raise
