"""One node's process: started until it says that it is ready, stopped, killed, paused, and its log kept.

A node says `{"ready": true, …}` in one line on stdout; that line is awaited, never polled for. Everything else a node
prints is its log: one file for each node, to which every start appends. What goes wrong is raised with the node's name,
the exit code, the last line of the log and where the log is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from shared.errors import FailedPrecondition, FilingnetError, Unavailable

READY_SECONDS: Final = 60.0
"""How long a node may take until it is ready, on a machine that starts several at once."""
STOP_SECONDS: Final = 30.0
"""How long a node may take to stop: the calls under way end first."""
RUN_SECONDS: Final = 120.0
"""How long a command may take."""

_ATTACHED: Final = Path(__file__).with_name("attached.py")
_TAIL_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Attributes:
        name: of the node, for people.
        arguments: program and arguments; the program is found by the PATH.
        log_path: the file that stderr is appended to.
        environment: added to this process's own.
        detached: whether it goes on when the process that started it ends.
    """

    name: str
    arguments: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    detached: bool = False

    @classmethod
    def module(
        cls,
        name: str,
        arguments: Sequence[str],
        log_path: Path,
        environment: Mapping[str, str],
        *,
        detached: bool = False,
    ) -> Self:
        """Makes the command that runs a Python module, e.g. ("provider_node", "serve", "--data", "…")."""
        return cls(name, (sys.executable, "-m", *arguments), log_path, environment, detached)

    @property
    def what(self) -> str:
        """What it does, for people, e.g. "provider_node serve"."""
        told = [argument for argument in self.arguments if argument not in (sys.executable, "-m")]
        return " ".join(told[:2])

    async def spawn(self, log: BinaryIO) -> asyncio.subprocess.Process:
        """Starts it in a session of its own, so that Ctrl-C at a terminal reaches the cluster alone."""
        program = list(self.arguments)
        if not self.detached:
            program = [sys.executable, "-I", "-S", str(_ATTACHED), str(os.getpid()), *program]
        return await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
            start_new_session=True,
        )


async def run_to_end(command: Command) -> str:
    """Runs a command until it ends.

    Args:
        command: what to run.

    Returns:
        What it printed on stdout.

    Raises:
        FailedPrecondition: COMMAND_FAILED where its exit code is not 0.
        Unavailable: COMMAND_TOO_SLOW where it was killed for taking too long.
    """
    with command.log_path.open("ab") as log:
        process = await command.spawn(log)
        try:
            async with asyncio.timeout(RUN_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            raise Unavailable(
                f"{command.name}: {command.what} took longer than {RUN_SECONDS:.0f} s; read {command.log_path}",
                "COMMAND_TOO_SLOW",
            ) from None
        finally:
            _kill(process)
    if process.returncode:
        how = f"failed with exit code {process.returncode}: {last_line(command.log_path)}"
        raise FailedPrecondition(
            f"{command.name}: {command.what} {how}; its log is {command.log_path}", "COMMAND_FAILED"
        )
    return output.decode()


class NodeProcess:
    """The process of one node. All methods belong to one event loop.

    Args:
        command: what serves the node.
    """

    def __init__(self, command: Command) -> None:
        self.command = command
        self._process: asyncio.subprocess.Process | None = None
        self._draining: asyncio.Task[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id; of the last one where it is down.

        Raises:
            FailedPrecondition: NODE_NEVER_STARTED.
        """
        return self._started().pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs and before it started."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> dict[str, Any]:
        """Starts the node and waits until it is ready.

        Returns:
            What its ready line says.

        Raises:
            FailedPrecondition: NODE_RUNNING where it already runs, NODE_ENDED where it ended before it was ready.
            Unavailable: NODE_NOT_READY where it took too long; it is killed.
        """
        if self.running:
            raise FailedPrecondition(f"{self.command.name} is running: stop it first", "NODE_RUNNING")
        with self.command.log_path.open("ab") as log:
            self._process = await self.command.spawn(log)
        try:
            async with asyncio.timeout(READY_SECONDS):
                ready = await self._ready_line(self._process)
        except TimeoutError:
            raise Unavailable(
                f"{self.command.name} was not ready within {READY_SECONDS:.0f} s; read {self.command.log_path}",
                "NODE_NOT_READY",
            ) from None
        except BaseException:
            await self.kill()
            raise
        # A pipe that nobody reads would stop a node that prints more.
        self._draining = asyncio.create_task(_stdout(self._process).read())
        return ready

    async def stop(self) -> int:
        """Asks the node to stop (SIGTERM) and waits until it is gone.

        Returns:
            Its exit code.

        Raises:
            Unavailable: NODE_NOT_STOPPED where it took too long; it is killed.
        """
        process = self._started()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            await self.kill()
            raise Unavailable(
                f"{self.command.name} did not stop within {STOP_SECONDS:.0f} s and was killed; "
                f"read {self.command.log_path}",
                "NODE_NOT_STOPPED",
            ) from None

    async def kill(self) -> None:
        """Kills the node (SIGKILL), as a power cut would, and waits until it is gone."""
        if self._process is not None:
            _kill(self._process)
            await self._process.wait()

    async def wait(self) -> int:
        """Waits until the node ends by itself and returns its exit code."""
        return await self._started().wait()

    def pause(self) -> None:
        """Holds the node (SIGSTOP): it accepts and never answers."""
        self._started().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a held node go on."""
        self._started().send_signal(signal.SIGCONT)

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise FailedPrecondition(f"{self.command.name} was never started", "NODE_NEVER_STARTED")
        return self._process

    async def _ready_line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        while line := await _stdout(process).readline():
            with contextlib.suppress(ValueError):
                ready = json.loads(line)
                if isinstance(ready, dict) and ready.get("ready") is True:
                    return ready
        raise await self._ended(process)

    async def _ended(self, process: asyncio.subprocess.Process) -> FilingnetError:
        code = await process.wait()
        log_path = self.command.log_path
        return FailedPrecondition(
            f"{self.command.name} ended with exit code {code} before it was ready: {last_line(log_path)}; "
            f"its log is {log_path}",
            "NODE_ENDED",
        )


def last_line(log_path: Path) -> str:
    """Returns the last line of a log that says anything, shortened to 300 characters."""
    with log_path.open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")


def _stdout(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise TypeError("a node is started with a pipe for stdout")
    return process.stdout


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
