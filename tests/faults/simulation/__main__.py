"""Runs seeds by hand: `python -m tests.faults.simulation --seed 4711 --trace`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.faults.simulation.run import run_seed


def told(line: str) -> None:
    """Prints a line."""
    sys.stdout.write(line + "\n")


def main() -> int:
    """Runs what is asked for; returns 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--trace", action="store_true", help="show everything that happens")
    parser.add_argument("--old-nation", action="store_true", help="put the nation's disk back to an earlier image")
    arguments = parser.parse_args()
    failed, began = 0, time.process_time()
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        outcome = run_seed(seed, told if arguments.trace else None, old_nation=arguments.old_nation)
        for sentence in outcome.broken:
            told(f"seed {seed}: {sentence}")
        failed += bool(outcome.broken)
        if arguments.count == 1:
            told(str(outcome))
    told(f"{arguments.count} seeds, {failed} failed, {time.process_time() - began:.1f} s of CPU")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
