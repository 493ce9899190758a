"""Runs one target for a time: by atheris, which goes by coverage, or by blind changes where atheris cannot be had.

atheris is installed from wheels, and has none for every machine and every Python: pyproject.toml says for which. Without
it inputs are changed at random from the same seeds, and what ran says so.
"""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from pathlib import Path

from tests.fuzz.target import Target

try:
    import atheris
except ImportError:
    atheris = None

ENGINE = "atheris" if atheris is not None else "blind changes, as atheris has no wheel for this Python or machine"
SECONDS_AN_INPUT = 20
MOST_MEBIBYTES = 1024
COUNTED = "stat::number_of_executed_units: "
"""What stands before the number of inputs in a target's output."""

_PACKAGES = ["shared", "provider_node", "regulator_node", "tomllib"]
_CHANGES = 6


def instrumented() -> AbstractContextManager[object]:
    """Returns a context in which what is imported tells the engine which branches it takes."""
    if atheris is None:
        return nullcontext()
    context: AbstractContextManager[object] = atheris.instrument_imports(include=_PACKAGES, exclude=["shared.pb"])
    return context


def run_target(target: Target, seconds: int, folder: Path, seed: int) -> None:
    """Runs a target in this process, which ends with it: by 0, or by whatever failed, with the input in a file.

    Args:
        target: what to run.
        seconds: for how long.
        folder: of the target; its corpus is kept there, and inputs that failed as `failed-…`.
        seed: of chance.
    """
    work, corpus = folder / "work", folder / "corpus"
    for each in (work, corpus):
        each.mkdir(parents=True, exist_ok=True)
    for data in target.seeds:
        (corpus / sha256(data).hexdigest()).write_bytes(data)
    if atheris is None:
        _run_blind(target, seconds, folder, seed)
        os._exit(0)
    arguments = [
        target.name,
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={target.longest}",
        f"-timeout={SECONDS_AN_INPUT}",
        f"-rss_limit_mb={MOST_MEBIBYTES}",
        f"-artifact_prefix={folder}/failed-",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup(arguments, lambda data: target.try_input(data, work))
    atheris.Fuzz()


def _run_blind(target: Target, seconds: int, folder: Path, seed: int) -> None:
    faulthandler.enable()
    chance, tried, end = random.Random(seed), 0, time.monotonic() + seconds
    pending = list(target.seeds)
    while time.monotonic() < end:
        data = pending.pop() if pending else _changed(chance.choice(target.seeds), target.seeds, chance)
        failed = folder / f"failed-{tried}"
        failed.write_bytes(data)
        # Not caught by Python: what takes too long may sit in a library.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS_AN_INPUT)
        target.try_input(data[: target.longest], folder / "work")
        signal.alarm(0)
        failed.unlink()
        tried += 1
    print(f"{COUNTED}{tried}", flush=True)


def _changed(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, _CHANGES)):
        place, length = chance.randint(0, len(data)), chance.choice((0, 1, 1, 4, 64))
        other = chance.choice(seeds)
        start = chance.randint(0, len(other))
        put = chance.choice((b"", chance.randbytes(chance.randint(1, 8)), other[start : start + 64], data[place:] * 2))
        data = data[:place] + put + data[place + length :]
    return data
