"""Runs the services of docker-compose.yml as local processes, each as the file says: what stands in for containers.

Paths in volumes become folders, host names of services become loopback addresses, and everything else is taken from the
file as `docker-compose config` resolves it: command, environment, order, health check.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from shared.cluster.ports import Ports
from shared.cluster.process import Command, NodeProcess, run_to_end

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def services() -> dict[str, dict[str, Any]]:
    """Reads the compose file with the docker-compose binary."""
    output = subprocess.run(
        [BIN / "docker-compose", "--file", ROOT / "docker-compose.yml", "config", "--format", "json"],
        check=True,
        capture_output=True,
    ).stdout
    found: dict[str, dict[str, Any]] = json.loads(output)["services"]
    return found


class LocalCompose:
    """The services of the compose file on this machine.

    Args:
        root: an empty folder with a short path: sockets are in it.
    """

    def __init__(self, root: Path) -> None:
        self.services = services()
        self.root = root
        self.nodes: dict[str, NodeProcess] = {}
        self.one_shots: list[str] = []
        self._ports = Ports()
        self._addresses: dict[tuple[str, str], str] = {}

    async def up(self) -> None:
        """Starts every service after what it depends on."""
        order = {name: set(service.get("depends_on") or {}) for name, service in self.services.items()}
        for name in TopologicalSorter(order).static_order():
            await self._start(name)

    async def down(self) -> dict[str, int]:
        """Stops every service, the last one first, and returns the exit codes."""
        codes = {}
        for name, node in reversed(self.nodes.items()):
            if node.running:
                codes[name] = await node.stop()
        self._ports.close()
        return codes

    def path(self, service: str, path: str) -> Path:
        """Returns where a path inside a service is on this machine."""
        return Path(self._local(service, path))

    async def _start(self, name: str) -> None:
        service = self.services[name]
        for condition in (service.get("depends_on") or {}).items():
            self._check_condition(*condition)
        command = self.command(name, service["command"])
        if service["restart"] == "no":
            await run_to_end(command)
            self.one_shots.append(name)
            return
        self.nodes[name] = NodeProcess(command)
        await self.nodes[name].start()
        kind, *health = service["healthcheck"]["test"]
        assert "CMD" == kind
        await run_to_end(self.command(name, health))

    def _check_condition(self, dependency: str, wanted: Mapping[str, Any]) -> None:
        # A node that is in the table has passed its health check; see _start.
        done = {"service_healthy": self.nodes, "service_completed_successfully": self.one_shots}
        assert dependency in done[wanted["condition"]]

    def command(self, name: str, arguments: list[str]) -> Command:
        """Returns what a service runs, as a command of this machine."""
        environment = {key: self._local(name, value) for key, value in (self._environment(name)).items()}
        return Command(
            name=name,
            # compose writes a literal dollar as two.
            arguments=tuple(self._local(name, argument.replace("$$", "$")) for argument in arguments),
            log_path=self.root / f"{name}.log",
            environment={**environment, "PATH": f"{BIN}:/usr/bin:/bin"},
        )

    def _environment(self, name: str) -> Mapping[str, str]:
        return self.services[name].get("environment") or {}

    def _local(self, service: str, text: str) -> str:
        for target, folder in self._volumes(service):
            text = re.sub(rf"(?<![\w./-]){re.escape(target)}(?![\w-])", str(folder), text)
        text = re.sub(r"\b0\.0\.0\.0:(\d+)", lambda found: self._address(service, found[1]), text)
        hosts = "|".join(self.services)
        return re.sub(rf"(?<![\w./-])({hosts}):(\d+)", lambda found: self._address(found[1], found[2]), text)

    def _volumes(self, service: str) -> Iterator[tuple[str, Path]]:
        for volume in sorted(self.services[service]["volumes"], key=lambda volume: -len(volume["target"])):
            assert "volume" == volume["type"]
            folder = self.root / str(volume["source"])
            folder.mkdir(mode=0o700, exist_ok=True)
            yield volume["target"], folder

    def _address(self, service: str, port: str) -> str:
        # A one-shot service of a node speaks of the node's own listener.
        node = service.removesuffix("-init")
        if (node, port) not in self._addresses:
            self._addresses[node, port] = self._ports.take()
        return self._addresses[node, port]
