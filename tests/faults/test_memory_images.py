"""Promise 9: what a crash leaves, and who can look into a process that holds identities."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.planted_people import PeopleSearch
from tests.faults.vault_works import fill, planted
from tests.tried import Tried

ROOT = Path(__file__).parents[2]
NOBODY = 65534
PATTERN = Path("/proc/sys/kernel/core_pattern")
IMAGES_LIE_BESIDE = (
    PATTERN.is_file()
    and PATTERN.read_text()[:1] not in {"|", "/"}
    and resource.getrlimit(resource.RLIMIT_CORE)[1] == resource.RLIM_INFINITY
)
LOOKER = """
import os, sys
if os.geteuid() == 0:
    os.setuid(int(sys.argv[2]))
try:
    open(f"/proc/{sys.argv[1]}/mem", "rb").close()
except PermissionError:
    print("refused")
else:
    print("seen")
"""
SIGNALS = ("SIGABRT", "SIGSEGV")
SIGNALS_AT_FULL_SIZE = (*SIGNALS, "SIGBUS", "SIGILL", "SIGFPE", "SIGQUIT", "SIGTRAP", "SIGSYS", "SIGXCPU")


@asynccontextmanager
async def holding(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with a person in its memory, which goes as another user where this one is root."""
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.vault_works", "hold", str(folder), str(0 if os.geteuid() else NOBODY)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield run
    finally:
        if run.returncode is None:
            run.kill()
        await run.communicate()


async def word(run: asyncio.subprocess.Process) -> str:
    """What the process says next."""
    assert run.stdout is not None
    return (await run.stdout.readline()).decode().strip()


async def go_on(run: asyncio.subprocess.Process, told: str = "") -> None:
    """Tells the process to go on, or how to end."""
    assert run.stdin is not None
    run.stdin.write(f"{told}\n".encode())
    await run.stdin.drain()


async def seen_by_its_own_user(pid: int) -> str:
    """What another process of the same user is told that opens its memory."""
    looker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOOKER, str(pid), str(NOBODY)), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await looker.communicate()
    return printed.decode().strip()


def images(folder: Path) -> list[Path]:
    """Images of memory in the folder in which the process ran."""
    return [path for path in folder.iterdir() if path.name.startswith("core")]


async def test_a_crash_leaves_no_image_and_no_name(tried: Tried, full_size: bool, tmp_path: Path) -> None:
    """Promise 9: a node that crashes with a person in its memory writes no image of it, and names nobody."""
    made = tmp_path / "made"
    await fill(made, 1)
    search, crashes, left = PeopleSearch([planted(0)]), 0, 0
    for signal_name in SIGNALS_AT_FULL_SIZE if full_size else SIGNALS:
        folder = tmp_path / signal_name
        shutil.copytree(made, folder)
        os.chmod(folder, 0o777)
        async with holding(folder) as run:
            assert "open 1" == await word(run)
            await go_on(run)
            assert "guarded 0" == await word(run)
            await go_on(run, signal_name)
            printed, said = await run.communicate()
        assert run.returncode is not None
        crashes += run.returncode < 0
        left += len(images(folder)) + len(search.kinds_in(printed + said)) + len(search.files_with_people(folder))
    assert (len(SIGNALS_AT_FULL_SIZE if full_size else SIGNALS), 0) == (crashes, left)
    tried(9, "crashes with people in memory", crashes=crashes, left=left)


async def test_the_search_for_images_would_find_one(tmp_path: Path) -> None:
    """Guards: a program that takes no care of it leaves an image with the person in it, where images lie so."""
    await fill(tmp_path, 1)
    os.chmod(tmp_path, 0o777)
    async with holding(tmp_path) as run:
        assert "open 1" == await word(run)
        await go_on(run, "SIGABRT")
        await run.communicate()
    found = images(tmp_path)
    assert IMAGES_LIE_BESIDE == bool(found)
    for image in found:
        assert planted(0).id_number.encode() in image.read_bytes()
        image.unlink()


async def test_memory_is_closed_to_other_processes_of_its_user(tmp_path: Path) -> None:
    """Promise 9: a program that runs under the node's own user cannot look into it, nor a debugger; only root can."""
    await fill(tmp_path / "made", 1)
    async with holding(tmp_path / "made") as run:
        assert "open 1" == await word(run)
        before = await seen_by_its_own_user(run.pid)
        await go_on(run)
        assert "guarded 0" == await word(run)
        assert ("refused", True) == (await seen_by_its_own_user(run.pid), before in {"seen", "refused"})
