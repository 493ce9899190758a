"""The nodes of a cluster as tests use them: start, stop, kill, pause, and a client for whoever may call them.

Methods may be called from any event loop. A client belongs to the loop that made it and is closed by its user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from shared.client.officer import OfficerClient, OfficerRole
from shared.client.provider import ProviderClient
from shared.client.public import PublicClient
from shared.cluster.background import BackgroundLoop
from shared.cluster.layout import NodePlan
from shared.cluster.process import READY_SECONDS, Command, NodeProcess, run_to_end
from shared.errors import FailedPrecondition
from shared.health_check import wait_until_serving
from shared.trust.names import tls_host

EnvironmentOf = Callable[[str], Awaitable[Mapping[str, str]]]
"""Gives the environment of a node's processes by its name; runs on the background loop."""


class Node:
    """One node of a cluster.

    Args:
        plan: what it is.
        root: the cluster's folder.
        background: where its process lives.
        environment: of its processes.
        detached: whether it goes on when this process ends.
    """

    def __init__(
        self, plan: NodePlan, root: Path, background: BackgroundLoop, environment: EnvironmentOf, *, detached: bool
    ) -> None:
        self.plan = plan
        self.name = plan.name
        self.folder = plan.folder(root)
        self.log_path = plan.log_path(root)
        self.socket = plan.socket(root)
        self._root = root
        self._background = background
        self._environment = environment
        self._detached = detached
        self._process: NodeProcess | None = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """The process id of its last start."""
        return self._serving().pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of its last start, negative for a signal; None while it runs."""
        return self._serving().exit_code

    async def run(self, *arguments: str) -> str:
        """Runs one of the node's programs to its end, with the node's environment and log.

        Args:
            *arguments: module and arguments, e.g. "regulator_node", "status", "--data", str(node.folder).

        Returns:
            What it printed on stdout.

        Raises:
            FailedPrecondition: COMMAND_FAILED.
        """
        return await self._background.run(self._run(arguments))

    async def start(self) -> Mapping[str, Any]:
        """Serves it, and waits until it is ready and healthy.

        Returns:
            What its ready line says.

        Raises:
            FailedPrecondition: it ended before it was ready, or does not serve.
            Unavailable: it took too long.
        """
        ready = await self._background.run(self._start())
        await asyncio.to_thread(wait_until_serving, self.socket, READY_SECONDS)
        return ready

    async def stop(self) -> int:
        """Asks it to stop, waits until it is gone and returns its exit code."""
        return await self._background.run(self._serving().stop())

    async def kill(self) -> None:
        """Kills it (SIGKILL), as a power cut would."""
        await self._background.run(self._serving().kill())

    async def restart(self) -> None:
        """Stops it and starts it again."""
        await self.stop()
        await self.start()

    async def wait(self) -> int:
        """Waits until it ends by itself and returns its exit code."""
        return await self._background.run(self._serving().wait())

    def pause(self) -> None:
        """Holds it (SIGSTOP): it accepts connections and never answers."""
        self._background.call(self._serving().pause)

    def resume(self) -> None:
        """Lets it go on after a pause."""
        self._background.call(self._serving().resume)

    def log_text(self) -> str:
        """Returns all that it wrote to its log."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def _serving(self) -> NodeProcess:
        if self._process is None:
            raise FailedPrecondition(f"{self.name} was never started: start it first", "NODE_NEVER_STARTED")
        return self._process

    async def _run(self, arguments: tuple[str, ...]) -> str:
        return await run_to_end(Command.module(self.name, arguments, self.log_path, await self._environment(self.name)))

    async def _start(self) -> Mapping[str, Any]:
        if not self.running:
            environment = await self._environment(self.name)
            arguments = self.plan.serve(self._root)
            self._process = NodeProcess(
                Command.module(self.name, arguments, self.log_path, environment, detached=self._detached)
            )
        return await self._serving().start()


class RegulatorNode(Node):
    """A regulator of a cluster."""

    @property
    def jurisdiction(self) -> str:
        """Its jurisdiction."""
        return self.plan.jurisdiction

    @property
    def network_address(self) -> str:
        """host:port of its network listener (mTLS)."""
        return self.plan.network_address

    @property
    def public_address(self) -> str:
        """host:port of its public listener (TLS)."""
        return self.plan.public_address

    @property
    def tls_name(self) -> str:
        """The host name in its certificate."""
        return tls_host(self.name)

    def client(self) -> OfficerClient:
        """Returns a client of its operator's socket."""
        return OfficerClient(self.socket)

    def public(self) -> PublicClient:
        """Returns a client of its public listener without any credentials, as anybody may have one."""
        return PublicClient(self.public_address, ca=self.ca_pem(), server_name=self.name)

    def ca_pem(self) -> str:
        """Returns the CA certificates by which the network is known."""
        return (self.folder / "tls" / "ca.pem").read_text("ascii")

    async def officer(self, role: OfficerRole, post: str = "review-desk-1") -> OfficerClient:
        """Has the node make a bearer token for an officer's post.

        Args:
            role: what the officer may do.
            post: the post's name.

        Returns:
            A client that calls the public listener with it.
        """
        async with self.client() as operator:
            token = await operator.create_officer_token(post, role)
        return OfficerClient(self.public_address, ca=self.ca_pem(), token=token.token, server_name=self.name)


class ProviderNode(Node):
    """A provider of a cluster."""

    def client(self) -> ProviderClient:
        """Returns a client of its local API, as the provider's backend has one."""
        return ProviderClient(self.socket)
