"""A network that goes on after the program that started it: found again, looked at and stopped by its folder.

Only processes that are the network's own are ever touched: a process id is believed when the process's command line
serves that node's folder.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.cluster.layout import NodePlan, read_state, write_state
from shared.cluster.process import STOP_SECONDS
from shared.errors import FailedPrecondition, FilingnetError
from shared.health_check import wait_until_serving

HEALTH_SECONDS: Final = 5.0
_GONE_CHECK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class NodeReport:
    """How one node of a network is.

    Attributes:
        name: e.g. "provider/wave".
        state: "serving", "not serving" or "down".
        pid: of its process; 0 where it is down.
        network_address: of a regulator's network listener; empty for a provider.
        public_address: of a regulator's public listener; empty for a provider.
        socket: of its local API.
        folder: its data.
        log: its log file.
    """

    name: str
    state: str
    pid: int
    network_address: str
    public_address: str
    socket: str
    folder: str
    log: str


def look_at(root: Path) -> list[NodeReport]:
    """Says how each node of a network is.

    Args:
        root: the network's folder.

    Returns:
        One report for each node, the nation first; empty where the folder holds no network.
    """
    plans, pids = read_state(root)
    return [_report(plan, root, pids.get(plan.name, 0)) for plan in plans]


def running_nodes(root: Path) -> dict[str, int]:
    """Returns the process ids of the network's nodes that run, by name."""
    plans, pids = read_state(root)
    return {plan.name: pids[plan.name] for plan in plans if is_own(plan, root, pids.get(plan.name, 0))}


def stop_all(root: Path) -> list[str]:
    """Stops every node of a network that runs, those first that call others, and waits until each is gone.

    Args:
        root: the network's folder.

    Returns:
        The names of those that were stopped.

    Raises:
        FailedPrecondition: NODE_NOT_STOPPED where one had to be killed; the others are stopped all the same.
    """
    plans, pids = read_state(root)
    stopped, killed = [], []
    for plan in reversed(plans):
        pid = pids.get(plan.name, 0)
        if is_own(plan, root, pid):
            stopped.append(plan.name)
            if not _stop(pid):
                killed.append(plan.name)
    if plans:
        write_state(root, plans, {})
    if killed:
        raise FailedPrecondition(
            f"{', '.join(killed)} did not stop within {STOP_SECONDS:.0f} s and had to be killed; read {root / 'logs'}",
            "NODE_NOT_STOPPED",
        )
    return stopped


def is_own(plan: NodePlan, root: Path, pid: int) -> bool:
    """Tells whether a process serves a node of this network.

    Args:
        plan: the node.
        root: the network's folder.
        pid: a process id; 0 for none.
    """
    return pid > 0 and _command_line(pid).endswith(" ".join(plan.serve(root)))


def _report(plan: NodePlan, root: Path, pid: int) -> NodeReport:
    state = "down"
    if is_own(plan, root, pid):
        state = "serving"
        try:
            wait_until_serving(plan.socket(root), HEALTH_SECONDS)
        except FilingnetError:
            state = "not serving"
    return NodeReport(
        name=plan.name,
        state=state,
        pid=0 if state == "down" else pid,
        network_address=plan.network_address,
        public_address=plan.public_address,
        socket=plan.socket(root),
        folder=str(plan.folder(root)),
        log=str(plan.log_path(root)),
    )


def _command_line(pid: int) -> str:
    """Returns the arguments of a process joined by spaces; empty where there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").replace("\0", " ")
    if Path("/proc/self").exists():
        return ""
    arguments = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False).stdout.strip()


def _stop(pid: int) -> bool:
    """Asks a process to stop; kills it after a while. Returns whether it stopped by itself."""
    try:
        with _watched(pid) as gone:
            os.kill(pid, signal.SIGTERM)
            if gone(STOP_SECONDS):
                return True
            os.kill(pid, signal.SIGKILL)
            gone(STOP_SECONDS)
    except ProcessLookupError:
        return True
    return False


class _Gone:
    """Waits until a process that is nobody's child here is gone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1

    def __call__(self, seconds: float) -> bool:
        if self.handle >= 0:
            return bool(select.select([self.handle], [], [], seconds)[0])
        end = time.monotonic() + seconds
        # Only Linux lets a process that is no child be waited for; elsewhere it has to be asked after.
        while time.monotonic() < end:
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(_GONE_CHECK_SECONDS)
        return False


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[_Gone]:
    gone = _Gone(pid)
    try:
        yield gone
    finally:
        if gone.handle >= 0:
            os.close(gone.handle)
