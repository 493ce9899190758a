"""Writes docs/promises.md from what the suites told: `make faults`, or `python -m tests.promises`.

The page has nothing that no test said, but for the promises' own words. A test holds page and figures together.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.tried import FIGURES, counted

PAGE: Final = FIGURES.with_name("promises.md")

PROMISES: Final = {
    1: "Nothing acknowledged is lost: kill -9, power loss, full disk, cut network, at any step, on both nodes.",
    2: "One effect for each entry, for ever, under duplicates, reordering and replays years later.",
    3: "Both sides can prove what was filed, offline, in milliseconds; any flipped bit is refused.",
    4: "A rewritten history is found and proven.",
    5: "After an outage of any length delivery resumes by itself within a minute of healing; a dead peer does not slow"
    " others.",
    6: "A bad entry blocks only its own account, with a reason that a person can act on.",
    7: "Revoked or expired means out at the next call.",
    8: "What the method table does not allow is denied: the whole matrix of role, jurisdiction and method is tested.",
    9: "No identity data leaves the provider: wire, logs, regulators' databases, errors and crash output are searched"
    " for planted people.",
    10: "A deleted person cannot be read from any live file or any later backup.",
}

HEAD: Final = """# Promises

What Filingnet promises, which tests would fail if a promise were broken, and what they last tried. `make faults` runs
them at full size and writes this page and `docs/promises.json` out of their own output; `make test` runs every one of
them at a small size. Nothing here is written by hand.
"""


def rows() -> list[dict[str, Any]]:
    """Reads what the suites told."""
    read: list[dict[str, Any]] = json.loads(FIGURES.read_text("utf-8"))
    return read


def page(told: Sequence[dict[str, Any]]) -> str:
    """Makes the page.

    Args:
        told: rows with test, promise, what, counts, size and date.
    """
    return HEAD + "".join(
        f"\n## {number}. {words}\n\n" + "\n".join(_table(row for row in told if row["promise"] == number)) + "\n"
        for number, words in PROMISES.items()
    )


def _table(told: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield "| tried | figures | size | when | test |"
    yield "|---|---|---|---|---|"
    for row in told:
        test = row["test"].partition("[")[0]
        yield f"| {row['what']} | {counted(row['counts'])} | {row['size']} | {row['date']} | `{test}` |"


if __name__ == "__main__":
    Path(PAGE).write_text(page(rows()), "utf-8")
    sys.stdout.write(f"written: {PAGE.name}\n")
