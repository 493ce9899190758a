"""The vault killed at each write: while the master key rotates, and between the audit entry and the plaintext."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from provider_node.master_key import load_master_keys
from provider_node.vault import Vault, open_vault
from tests.faults.vault_works import NOW, fill, planted, reference
from tests.tried import Tried

PEOPLE = 3
ROOT = Path(__file__).parents[2]
CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink"
CALL = re.compile(rf"^(?:\d+ +)?({CALLS.replace(',', '|')})\((.*)$")
MISSING = "strace makes the faults of this test and is not here: install strace (Debian: apt-get install strace)"


def strace(log: Path, *more: str) -> list[str]:
    """The command that watches writes, and what else it is told."""
    program = shutil.which("strace")
    assert program is not None, MISSING
    return [program, "-y", "-s", "0", "-o", str(log), "-e", f"trace={CALLS}", *more]


def points(log: Path, folder: Path) -> list[tuple[str, int]]:
    """The writes to files of a folder that were seen: the name of the call, and the so-manieth of its kind."""
    counted: Counter[str] = Counter()
    found = []
    for line in log.read_text("utf-8", errors="replace").splitlines():
        matched = CALL.match(line)
        if matched is not None:
            counted[matched[1]] += 1
            if str(folder) in matched[2]:
                found.append((matched[1], counted[matched[1]]))
    return found


def thinned(found: Sequence[tuple[str, int]], full_size: bool) -> Sequence[tuple[str, int]]:
    """All points, or a few of them spread over the way; a name stays what it is in every run."""
    return found if full_size else [*found[:: max(1, len(found) // 3)], found[-1]]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Vault]:
    """The vault of a folder, with the master key beside it."""
    vault = open_vault(folder / "vault", load_master_keys(f"file:{folder / 'master.key'}"))
    try:
        yield vault
    finally:
        await vault.close()


async def rotate(folder: Path, *watched: str) -> int:
    """Rotates in a process of its own; returns its exit code."""
    run = await asyncio.create_subprocess_exec(
        *watched, sys.executable, "-m", "tests.faults.vault_works", "rotate", str(folder), cwd=ROOT
    )
    return await run.wait()


async def names_read(folder: Path) -> list[str]:
    """The names of all people of a vault."""
    async with opened(folder) as vault:
        found = [await vault.read(reference(number), 1, "check", "test", NOW) for number in range(PEOPLE)]
    return [each.real_name for each in found if hasattr(each, "real_name")]


@pytest.mark.timeout(300)
async def test_a_rotation_that_is_killed_loses_nobody(tried: Tried, full_size: bool, tmp_path: Path) -> None:
    """Promise 1: killed at any write of a rotation, the vault opens with the master key's file, and rotates anew."""
    made = tmp_path / "made"
    await fill(made, PEOPLE)
    names = [planted(number).real_name for number in range(PEOPLE)]
    watched = tmp_path / "watched"
    shutil.copytree(made, watched)
    assert 0 == await rotate(watched, *strace(tmp_path / "log"))
    kills = lost = 0
    for call, number in thinned(points(tmp_path / "log", watched), full_size):
        folder = tmp_path / "watched-again"
        shutil.copytree(made, folder)
        injected = strace(tmp_path / "killed", "-e", f"inject={call}:signal=KILL:when={number}")
        kills += await rotate(folder, *injected) != 0
        lost += names != await names_read(folder)
        assert 0 == await rotate(folder)
        lost += names != await names_read(folder)
        shutil.rmtree(folder)
    assert (True, 0) == (kills > 3, lost)
    tried(1, "rotation of the master key", kills=kills, lost=lost)


async def read_killed(folder: Path, log: Path, *inject: str) -> bytes:
    """Has a process read the first person while strace is at its vault's thread; returns what it printed."""
    reader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.vault_works", "read", str(folder)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    thread = (await reader.stdout.readline()).decode().strip()
    watcher = await asyncio.create_subprocess_exec(
        *strace(log, *inject, "-p", thread), stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert watcher.stderr is not None
    said = await watcher.stderr.readline()
    assert b"attached" in said, said
    printed, _ = await reader.communicate(b"\n")
    await watcher.wait()
    return printed


@pytest.mark.timeout(300)
async def test_nobody_is_read_without_an_entry_also_when_killed(tried: Tried, full_size: bool, tmp_path: Path) -> None:
    """Promise 9: at whatever write a reading is killed, a plaintext that left has its entry in the audit trail."""
    made = tmp_path / "made"
    await fill(made, 1)
    watched = tmp_path / "watched"
    shutil.copytree(made, watched)
    name = planted(0).real_name.encode()
    assert name in await read_killed(watched, tmp_path / "log")
    async with opened(watched) as vault:
        assert "read" == (await vault.audit_trail())[0].action
    chosen = thinned(points(tmp_path / "log", watched), full_size)
    kills = unseen = entries = 0
    for call, number in chosen:
        folder = tmp_path / "watched-again"
        shutil.copytree(made, folder)
        injected = f"inject={call}:signal=KILL:when={number}"
        answered = name in await read_killed(folder, tmp_path / "killed", "-e", injected)
        kills += "killed by SIGKILL" in (tmp_path / "killed").read_text()
        async with opened(folder) as vault:
            seen = any(entry.action == "read" for entry in await vault.audit_trail())
        unseen += answered and not seen
        entries += seen
        shutil.rmtree(folder)
    assert (len(chosen), True, 0) == (kills, kills > 2, unseen)
    tried(9, "readings killed at a write", kills=kills, entries=entries, read_unseen=unseen)
