"""Goes along a write path with one fault in each run, and has a fresh process judge what every run left.

Runs are processes forked off one that has the product loaded, so that a run takes a fraction of a second. What a worker
was told is stored, it tells by a pipe before it goes on; what it told and what it left on the disk are compared.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from shared import telemetry
from shared.errors import FilingnetError
from tests.faults.injected import Fault, Point, Strace
from tests.faults.write_paths import Answer, Opened, WritePath

LONGEST_SECONDS: Final = 60.0
"""What a process may take to say its next word; it is found hanging then, as a worker is whose thread died."""

_PRELOADED: Final = (
    *("pytest", "tests.faults.sweep"),
    *("tests.faults.provider_paths", "tests.faults.regulator_paths", "tests.faults.disposal_paths"),
)
Worker = Callable[..., Awaitable[None]]
"""Runs in a process: takes its pipe, a path and a folder."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(_PRELOADED))


@dataclass
class Run:
    """What came of one run."""

    fault: Fault
    fired: bool = False
    acknowledged: dict[str, Answer] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


class Process:
    """A process that works on a folder and says how far it is."""

    def __init__(self, target: Any, *arguments: object) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = _processes.Process(target=_guarded, args=(target, theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, word: str | dict[str, Answer]) -> None:
        """Tells it to go on, or asks it what of the acknowledged is lost."""
        self._pipe.send(word)

    def hear(self) -> tuple[Any, ...] | None:
        """The next word; None at its end.

        Raises:
            AssertionError: it hangs, or failed in a way that no caller of the product may see.
        """
        assert wait([self._pipe], LONGEST_SECONDS), "it hangs: nothing was heard of it"
        try:
            said: tuple[Any, ...] = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            return None
        if said[0] == "failed":
            raise AssertionError(said[1])
        return said

    def kill(self) -> None:
        """Kills it."""
        self._process.kill()

    def end(self) -> int | None:
        """Waits until it is gone and returns its exit code; -9 when it was killed."""
        self._process.join(LONGEST_SECONDS)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._pipe.close()
        return code


def _guarded(target: Any, pipe: Connection, *arguments: object) -> None:
    telemetry.configure("CRITICAL")
    try:
        asyncio.run(target(pipe, *arguments))
    except BaseException:  # noqa: BLE001 - it is told to the test
        pipe.send(("failed", traceback.format_exc()))


async def lay(pipe: Connection, path: WritePath, folder: Path) -> None:
    """Lays what every run begins with."""
    await path.lay(folder)
    pipe.send(("laid",))


async def work(pipe: Connection, path: WritePath, folder: Path) -> None:
    """Opens a path, takes its steps and tells of each; takes them again or says what is lost where asked to, and closes."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(path.opened(folder))
        pipe.send(("ready", dict(opened.threads)))
        while (word := await asyncio.to_thread(pipe.recv)) != "close":
            if isinstance(word, dict):
                pipe.send(("lost", await opened.lost(word)))
                continue
            assert word == "go"
            await _take_steps(pipe, opened)
            pipe.send(("rested",))
    pipe.send(("closed",))


async def start(pipe: Connection, path: WritePath, folder: Path) -> None:
    """Opens a path, takes its steps and closes it, whenever it is told to; what opens it is what is harmed."""
    pipe.send(("ready", {"main": threading.get_native_id()}))
    while pipe.recv() != "close":
        try:
            async with path.opened(folder) as opened:
                await _take_steps(pipe, opened)
        except FilingnetError as error:
            pipe.send(("refused", "open", error.reason))
        pipe.send(("rested",))
    pipe.send(("closed",))


async def _take_steps(pipe: Connection, opened: Opened) -> None:
    for name, step in opened.steps.items():
        try:
            pipe.send(("done", name, await step()))
        except FilingnetError as error:
            pipe.send(("refused", name, error.reason))


async def judge(pipe: Connection, path: WritePath, folder: Path, acknowledged: dict[str, Answer]) -> None:
    """Says what of the acknowledged is lost, takes every step again, and says what is there twice."""
    async with path.opened(folder) as opened:
        lost = await opened.lost(acknowledged)
        await opened.verify()
        for name, step in opened.steps.items():
            answer = await step()
            assert acknowledged.get(name, answer) == answer, f"{name} was answered otherwise when it was asked again"
        await opened.verify()
        pipe.send(("judged", lost, await opened.twice()))


class Sweep:
    """Sweeps one path.

    Args:
        path: the write path.
        folder: an empty folder to work in.
        worker: what is harmed: `work`, or `start`.

    Attributes:
        name: of the path.
    """

    def __init__(self, path: WritePath, folder: Path, worker: Worker = work) -> None:
        self.name = path.name
        self._path = path
        self._worker = worker
        self._folder = folder
        self._number = 0
        self._laid = folder / "laid"
        self._laid.mkdir()
        laying = Process(lay, path, self._laid)
        assert laying.hear() == ("laid",)
        assert laying.end() == 0

    def points(self) -> list[Point]:
        """Every system call of the path, from its first step until it is closed, as one run without a fault makes them."""
        folder = self._copied()
        process = Process(self._worker, self._path, folder)
        threads = heard(process, "ready")[1]
        with Strace(folder.with_suffix(".calls"), threads) as strace:
            acknowledged, refused = take(process)
            assert not refused
            close(process)
        assert process.end() == 0
        self._judge(folder, run := Run(Fault(Point("", "", 0)), acknowledged=acknowledged))
        assert ([], []) == (run.lost, run.twice)
        found = strace.points(folder)
        self._clear(folder)
        return found

    def run(self, fault: Fault) -> Run:
        """Runs the path with a fault, and judges what is left."""
        folder = self._copied()
        process = Process(self._worker, self._path, folder)
        threads = heard(process, "ready")[1]
        run = Run(fault)
        with Strace(folder.with_suffix(".calls"), threads, fault) as strace:
            try:
                run.acknowledged, run.refusals = take(process)
                if strace.fired:
                    strace.let_go()
                    if fault.killed_after:
                        process.kill()
                    else:
                        self._take_again(process, run)
                close(process)
            except EOFError as death:
                run.acknowledged.update(death.args[0])
        code = process.end()
        run.fired = strace.fired or code == -9
        assert code in (0, -9), code
        self._judge(folder, run)
        self._clear(folder)
        return run

    def _take_again(self, process: Process, run: Run) -> None:
        """Once the fault is gone, the same process does all that it was asked for."""
        again, refused = take(process)
        assert not refused, f"refused although the fault is gone: {refused}"
        for step, answer in run.acknowledged.items():
            assert again[step] == answer, f"{step} was answered otherwise when it was asked again"
        run.acknowledged = again

    def _judge(self, folder: Path, run: Run) -> None:
        judging = Process(judge, self._path, folder, run.acknowledged)
        _, run.lost, run.twice = heard(judging, "judged")
        assert judging.end() == 0

    def _copied(self) -> Path:
        self._number += 1
        folder = self._folder / f"run-{self._number}"
        shutil.copytree(self._laid, folder)
        return folder

    def _clear(self, folder: Path) -> None:
        shutil.rmtree(folder)
        folder.with_suffix(".calls").unlink()


def swept(sweep: Sweep, faults: Iterable[Fault], *, to_the_end: bool) -> list[Run]:
    """Runs faults one after the other.

    Args:
        sweep: of the path.
        faults: in any order.
        to_the_end: whether to go on behind the last point of each thread and call until a fault is not met any more.

    Returns:
        The runs in which the fault was met.
    """
    runs = [sweep.run(fault) for fault in faults]
    last: dict[tuple[object, ...], Fault] = {}
    for fault in (run.fault for run in runs if to_the_end):
        kind = (fault.point.thread, fault.point.call, fault.error, fault.lasting, fault.killed_after)
        if kind not in last or last[kind].point.number < fault.point.number:
            last[kind] = fault
    for fault in last.values():
        while True:
            fault = replace(fault, point=replace(fault.point, number=fault.point.number + 1, file=""))
            runs.append(run := sweep.run(fault))
            if not run.fired:
                break
    return [run for run in runs if run.fired]


def heard(process: Process, word: str) -> tuple[Any, ...]:
    said = process.hear()
    assert said is not None
    assert said[0] == word, said
    return said


def take(process: Process) -> tuple[dict[str, Answer], list[str]]:
    """Has the steps taken.

    Raises:
        EOFError: the process died; with what it had acknowledged.
    """
    acknowledged: dict[str, Answer] = {}
    refused: list[str] = []
    process.tell("go")
    while (said := process.hear()) is not None:
        if said[0] == "done":
            acknowledged[said[1]] = said[2]
        elif said[0] == "refused":
            refused.append(said[2])
        else:
            return acknowledged, refused
    raise EOFError(acknowledged)


def close(process: Process) -> None:
    """Has it close, which may be where it dies."""
    try:
        process.tell("close")
    except BrokenPipeError:
        return
    said = process.hear()
    assert said in (("closed",), None), said
