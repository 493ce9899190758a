"""The links between the nodes of one cluster: each node's own proxy, and one link for each pair that talks.

A node's proxy tells by the destination whom a connection is for. Destinations are names that nothing but the proxies
can resolve, e.g. "330000.regulator.filingnet:40001", so that no call can go around them. Everything lives on the
cluster's background loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from shared.cluster.names import NameServer, name_of_proxy
from shared.cluster.proxy import Link, Proxy
from shared.errors import NotFound


class Links:
    """All links of a cluster.

    Args:
        places: gives, for a destination, the name of the node that it is and the host:port where it listens.
        named: whether nodes look their proxies up by name.

    Attributes:
        names: the name server that they ask; nobody asks it where they are not named.
    """

    def __init__(self, places: Callable[[str], tuple[str, str]], *, named: bool = False) -> None:
        self._places = places
        self._named = named
        self._resolver = ""
        self.names = NameServer()
        self._links: dict[tuple[str, str], Link] = {}
        self._proxies: dict[str, Proxy] = {}

    async def environment(self, name: str) -> Mapping[str, str]:
        """Returns the environment by which a node calls out through its own proxy, which is started for it.

        Args:
            name: the node that calls.
        """
        proxy = self._proxies.get(name)
        if proxy is None:
            proxy = Proxy(partial(self._route, name))
            await proxy.start()
            self._proxies[name] = proxy
        return {"grpc_proxy": f"http://{await self._place_of(name, proxy)}", "no_grpc_proxy": ""}

    async def _place_of(self, name: str, proxy: Proxy) -> str:
        if not self._named:
            return proxy.address
        if not self._resolver:
            self._resolver = await self.names.start()
        # gRPC takes what is decoded here for a target of its own: a name, and the server to ask for it.
        return f"dns:%2F%2F{self._resolver}%2F{name_of_proxy(name)}:{proxy.address.rpartition(':')[2]}"

    def link(self, caller: str, peer: str) -> Link:
        """Returns the link from one node to another; it is there before the first connection.

        Args:
            caller: the node that connects.
            peer: the node that listens.

        Raises:
            NotFound: LINK_UNKNOWN where the caller has no proxy.
        """
        if caller not in self._proxies:
            raise NotFound(
                f"{caller} does not call through a proxy: start the cluster with proxied=True, and correct the name",
                "LINK_UNKNOWN",
            )
        return self._links.setdefault((caller, peer), Link(f"{caller} → {peer}"))

    @property
    def all(self) -> Mapping[tuple[str, str], Link]:
        """Every link by (caller, peer)."""
        return dict(self._links)

    async def close(self) -> None:
        """Ends every proxy."""
        for proxy in self._proxies.values():
            await proxy.close()
        self._proxies.clear()
        self.names.close()

    def _route(self, caller: str, destination: str) -> tuple[Link, str]:
        name, address = self._places(destination)
        return self.link(caller, name), address
