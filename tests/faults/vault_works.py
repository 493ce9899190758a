"""Works on a vault in a process of their own, for tests that kill it or look into it: `python -m tests.faults.vault_works`.

`rotate FOLDER` rotates the master key as the command does. `read FOLDER` reads the first person once it is told to, and
prints the name. `hold FOLDER` holds the people in its memory until it is told how to end.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import os
import resource
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from provider_node.master_key import add_master_key_version, load_master_keys
from provider_node.vault import open_vault
from shared import telemetry
from shared.cluster.made_up import person
from shared.provisions.verification import PersonIdentity

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
GET_DUMPABLE, SET_DUMPABLE = 3, 4
FIRST = 41_000
"""Number of the first person in a vault made here."""


def reference(number: int) -> bytes:
    """The reference of a person in a vault made here."""
    return number.to_bytes(16)


def planted(number: int) -> PersonIdentity:
    """A person in a vault made here."""
    return person(FIRST + number)


async def fill(folder: Path, people: int) -> None:
    """Makes a vault with so many people, whose master key is beside it in `master.key`."""
    key = folder / "master.key"
    if not key.exists():
        add_master_key_version(key)
    vault = open_vault(folder / "vault", load_master_keys(f"file:{key}"))
    for number in range(people):
        version = await vault.stage(reference(number), planted(number), NOW)
        await vault.settle(reference(number), version, NOW)
    await vault.close()


async def _rotate(folder: Path) -> None:
    add_master_key_version(folder / "master.key")
    await open_vault(folder / "vault", load_master_keys(f"file:{folder / 'master.key'}")).close()


async def _read(folder: Path) -> None:
    vault = open_vault(folder / "vault", load_master_keys(f"file:{folder / 'master.key'}"))
    (thread,) = (each for each in threading.enumerate() if each.name == "vault")
    print(thread.native_id, flush=True)  # noqa: T201 - read by the test
    await asyncio.to_thread(sys.stdin.readline)
    read = await vault.read(reference(0), 1, "account_recovery", "desk-1", NOW)
    assert isinstance(read, PersonIdentity)
    print(read.real_name, flush=True)  # noqa: T201 - read by the test
    await vault.close()


async def _hold(folder: Path, user: int) -> None:
    vault = open_vault(folder / "vault", load_master_keys(f"file:{folder / 'master.key'}"))
    held = await vault.read(reference(0), 1, "account_recovery", "desk-1", NOW)
    libc = ctypes.CDLL(None)
    os.chdir(folder)
    if user:
        os.setuid(user)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    for guarded in (False, True):
        # First as a program that takes no care of it, then as a node.
        libc.prctl(SET_DUMPABLE, 1, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        if guarded:
            telemetry.configure()
        print("guarded" if guarded else "open", libc.prctl(GET_DUMPABLE, 0, 0, 0, 0), flush=True)  # noqa: T201
        word = sys.stdin.readline().strip()
        if word:
            faulthandler.enable()
            os.kill(os.getpid(), getattr(signal, word))
            signal.pause()
    assert held is not None


if __name__ == "__main__":
    work, where = sys.argv[1], Path(sys.argv[2])
    if work == "hold":
        asyncio.run(_hold(where, int(sys.argv[3])))
    else:
        asyncio.run({"rotate": _rotate, "read": _read}[work](where))
