"""Promise 1 for what is outside of the databases: keys, settings and secrets are on the disk before anybody goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.tried import Tried


def test_no_file_of_a_node_hangs_on_the_power(tmp_path: Path, tried: Tried) -> None:
    """Promise 1: bytes and names of all that init, key rotation, alarms and exports make are synced when the call returns."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.synced_files", str(tmp_path)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert [] == told["found"]
    assert told["looked_at"] > 20
    tried(
        1, "files outside of the databases, each looked at when the call that made it returned", files=told["looked_at"]
    )
