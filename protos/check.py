"""Checks the contracts: their form, their layout, and that no change breaks a node that speaks an older copy.

Promises that every finding is about a file of ours, and that a branch cannot merge a change that would break main or
the newest release (`git tag v*`). The wire outlives any one node: a provider upgrades years after its regulator.

Run as `python protos/check.py` after `pip install -e '.[dev]'`. Needs no network.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from generate import PROTOS, write_image

BUF = Path(sys.executable).with_name("buf")
ROOT = PROTOS.parent
MAIN_BRANCHES = ("refs/remotes/origin/main", "refs/heads/main")


def run(*command: str | Path) -> bool:
    """Runs a command at the top of the checkout, its findings on our own output; returns whether it found nothing."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def git(*arguments: str) -> bytes | None:
    """Returns what git prints, or None where git refuses: no such revision, or no checkout at all."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True)  # noqa: S607
    return result.stdout if result.returncode == 0 else None


def revision(*arguments: str) -> str | None:
    """Returns the one revision or tag that git prints, or None."""
    return (git(*arguments) or b"").decode().strip() or None


def baselines() -> dict[str, str]:
    """Names what the contracts in the work tree must stay compatible with.

    Returns: words for people → revision. The point where this branch left main (HEAD itself on main, so that a change
    is judged before it is committed), and the newest release that HEAD descends from.
    """
    found = {}
    main = next((branch for branch in MAIN_BRANCHES if revision("rev-parse", "--verify", "--quiet", branch)), None)
    if main and (fork := revision("merge-base", "HEAD", main)):
        found["main"] = fork
    if release := revision("describe", "--tags", "--abbrev=0", "--match", "v*"):
        found[f"release {release}"] = release
    return found


def unbroken(image: Path, name: str, commit: str) -> bool:
    """Compares an image of the work tree with the contracts of a commit; returns whether nothing is broken."""
    archive = git("archive", "--format=tar", commit, "protos")
    if archive is None:
        print(f"contracts: {name} ({commit[:12]}) has no protos yet; nothing to break")
        return True
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
        against = Path(folder, "against.binpb")
        write_image(against, Path(folder, "protos"))
        print(f"contracts: comparing with {name} ({commit[:12]})")
        return run(BUF, "breaking", image, "--against", against)


def check() -> bool:
    """Runs every check, so that one run shows every finding; returns whether all found nothing."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "contracts.binpb")
        write_image(image)
        results = [run(BUF, "format", "-d", "--exit-code", "protos"), run(BUF, "lint", image)]
        compared = baselines()
        if not compared:
            print("contracts: no main branch and no release in this checkout; nothing to compare with")
        results += [unbroken(image, name, commit) for name, commit in compared.items()]
    return all(results)


if __name__ == "__main__":
    sys.exit(0 if check() else "contracts: the findings above have to be mended")
