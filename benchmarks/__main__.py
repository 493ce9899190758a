"""Runs the benchmarks and prints a table: `make bench`, or `python -m benchmarks --filings 20000 --rounds 3`.

Figures are rates in rounds that alternate with their floor; medians with lowest and highest. All of it also goes to
benchmarks/results/latest.json with the machine and the versions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import apsw
from rich.console import Console
from rich.table import Table

from benchmarks.bulk import bulk
from benchmarks.gate import gate
from benchmarks.measure import Comparison
from benchmarks.reports import reports
from benchmarks.single import single

RESULTS = Path(__file__).parent / "results" / "latest.json"


async def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """Runs what was asked for, one after the other."""
    runs: dict[str, Callable[[], Awaitable[Comparison]]] = {
        "bulk": lambda: bulk(arguments.filings, arguments.rounds),
        "single": lambda: single(arguments.calls, arguments.rounds),
        "gate": lambda: gate(arguments.accounts, arguments.calls, arguments.rounds * 3),
        "reports": lambda: reports(arguments.rounds),
    }
    return [await run() for name, run in runs.items() if arguments.only in ("", name)]


def machine() -> dict[str, object]:
    """Names the machine and the versions that matter."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        **{name: version(name) for name in ("grpcio", "protobuf", "protovalidate", "cryptography", "peewee")},
    }


def show(comparisons: Sequence[Comparison]) -> None:
    """Prints the table."""
    table = Table("what", "figure", "floor", "ratio", "asked", title="Speed: median (lowest to highest)", expand=False)
    for each in comparisons:
        table.add_row(each.name, str(each.figure), str(each.floor), f"{each.ratio:.2f}", f"≥ {each.wanted:.2f}")
    Console().print(table)
    for each in comparisons:
        sys.stdout.write(f"{each.name}: {each.detail}; floor: {each.floor_name}\n")


def main() -> None:
    """Runs the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=int, default=40_000, help="filings in each bulk round")
    parser.add_argument("--calls", type=int, default=4_000, help="calls in each round of single filings")
    parser.add_argument("--accounts", type=int, default=200_000, help="accounts behind the publication gate")
    parser.add_argument(
        "--only", choices=("bulk", "single", "gate", "reports"), default="", help="one of them; all if left out"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds")
    arguments = parser.parse_args()
    comparisons = asyncio.run(measure(arguments))
    show(comparisons)
    RESULTS.parent.mkdir(exist_ok=True)
    result = {
        "measured_time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv[1:]),
        **machine(),
        "results": [each.as_json() for each in comparisons],
    }
    RESULTS.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"written to {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}\n"
    )


if __name__ == "__main__":
    main()
