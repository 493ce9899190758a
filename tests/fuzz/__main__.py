"""Fuzzes every parser that reads bytes from outside: `python -m tests.fuzz`, which is what `make fuzz` runs.

Each target has a process of its own, two at a time. Inputs that a target learned from are kept and are where its next
run begins; one that failed is kept as well, and its way is shown.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import traceback
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from tests.fuzz.engine import COUNTED, ENGINE, instrumented, run_target

AT_ONCE = 2
_LINES_SHOWN = 40


def main() -> int:
    """Runs the targets; returns 1 where one failed."""
    chosen = _arguments()
    # Each module that is instrumented would be told.
    with instrumented(), redirect_stderr(io.StringIO()):
        from tests.fuzz.targets import all_targets
    with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
        targets = all_targets(Path(made))
    targets = [target for target in targets if not chosen.targets or target.name in chosen.targets]
    waiting, tried = list(targets), dict[str, dict[str, Any]]()
    running: dict[int, Any] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            target = waiting.pop(0)
            running[_start(target, chosen)] = target
        pid, status = os.wait()
        target = running.pop(pid)
        folder = chosen.folder / target.name
        tried[target.name] = _outcome(folder, os.waitstatus_to_exitcode(status))
        if not chosen.json or tried[target.name]["failed"]:
            _say(target.name, tried[target.name], folder)
    if chosen.json:
        print(json.dumps({"engine": ENGINE, "targets": tried}))
    return int(any(each["failed"] for each in tried.values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="names of targets; all if left out")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1, help="of chance")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="for what was learned and what failed")
    parser.add_argument("--json", action="store_true", help="prints what was tried as JSON")
    return parser.parse_args()


def _start(target: Any, chosen: argparse.Namespace) -> int:
    folder = chosen.folder.absolute() / target.name
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    output = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        run_target(target, chosen.seconds, folder, chosen.seed)
    except BaseException:  # noqa: BLE001 - the parent goes by the exit code
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _outcome(folder: Path, exit_code: int) -> dict[str, Any]:
    output = (folder / "output.txt").read_text("utf-8", "replace")
    counts = [line.removeprefix(COUNTED) for line in output.splitlines() if line.startswith(COUNTED)]
    return {"inputs": int(counts[-1]) if counts else 0, "failed": exit_code != 0 or not counts}


def _say(name: str, outcome: dict[str, Any], folder: Path) -> None:
    if outcome["failed"]:
        lines = (folder / "output.txt").read_text("utf-8", "replace").splitlines()[-_LINES_SHOWN:]
        print(f"{name}: FAILED; the input is beside {folder}/output.txt", *lines, sep="\n", file=sys.stderr)
    else:
        print(f"{name}: {outcome['inputs']:,} inputs", flush=True)


if __name__ == "__main__":
    sys.exit(main())
