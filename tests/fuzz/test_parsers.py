"""Promise 3 and 9: no parser of bytes from outside fails in a way that it does not document, whatever bytes come."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.tried import Tried

ROOT = Path(__file__).parents[2]
SECONDS = 1
SECONDS_AT_FULL_SIZE = 20
FEWEST_TARGETS = 50


@pytest.mark.timeout(300)
async def test_no_parser_fails_of_what_it_reads(tried: Tried, full_size: bool, tmp_path: Path) -> None:
    """Every parser refuses or reads whatever comes, in bounded time and memory; what is read is written as it was."""
    seconds = SECONDS_AT_FULL_SIZE if full_size else SECONDS
    command = (sys.executable, "-m", "tests.fuzz", "--json", "--seconds", str(seconds), "--folder", str(tmp_path))
    run = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, said = await run.communicate()
    assert 0 == run.returncode, said.decode()
    told = json.loads(printed.splitlines()[-1])
    targets = told["targets"]
    assert (True, []) == (
        len(targets) >= FEWEST_TARGETS,
        [name for name, outcome in targets.items() if not outcome["inputs"]],
    )
    tried(
        3,
        "fuzzed parsers",
        targets=len(targets),
        inputs=sum(outcome["inputs"] for outcome in targets.values()),
        crashes=sum(outcome["failed"] for outcome in targets.values()),
        by=told["engine"],
    )
