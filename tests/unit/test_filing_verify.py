"""filing-verify as a court runs it: exit codes, words and JSON, on files alone."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.evidence.ranges import RunTree
from shared.evidence.runs import write_run
from tests.unit.evidence_samples import SampleLog


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the program."""
    return subprocess.run(
        [sys.executable, "-m", "shared.evidence", *arguments], check=False, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a receipt, two checkpoints and the proof between them, the whole log, and the keys."""
    folder, log = tmp_path_factory.mktemp("evidence"), SampleLog()
    log.grow(3)
    (folder / "old.note").write_bytes(log.checkpoint())
    before = log.held.copy()
    log.grow(4)
    proof = RunTree(before, log.batches[1].leaf_hashes).consistency_path()
    (folder / "proof.txt").write_bytes(b"\n".join(map(base64.b64encode, proof)))
    (folder / "new.note").write_bytes(log.checkpoint())
    (folder / "receipt").write_bytes(log.receipts[5])
    (folder / "keys.json").write_text(log.ring.to_json())
    with (folder / "log").open("wb") as file:
        for run in log.runs:
            write_run(file, run)
    return folder


def test_receipt_is_proven(files: Path) -> None:
    """A true receipt ends with 0 and says what was proven and what was not."""
    result = verify("receipt", files / "receipt", "--keys", files / "keys.json")
    assert result.returncode == 0
    assert "provider/wave stated a filing_decision" in result.stdout
    assert "not proven" in result.stdout


def test_receipt_as_json(files: Path) -> None:
    """A program reads the same verdict as JSON."""
    result = verify("receipt", files / "receipt", "--keys", files / "keys.json", "--json")
    facts = json.loads(result.stdout)
    assert (facts["verdict"], facts["log_index"], facts["log_size"]) == ("proven", 5, 7)


def test_changed_receipt_is_refuted(files: Path, tmp_path: Path) -> None:
    """A receipt with one changed byte of its signature ends with 1 or 2, never with 0, and says so."""
    data = bytearray((files / "receipt").read_bytes())
    data[-3] ^= 1
    (tmp_path / "receipt").write_bytes(data)
    result = verify("receipt", tmp_path / "receipt", "--keys", files / "keys.json", "--json")
    assert result.returncode in (1, 2)
    assert json.loads(result.stdout)["verdict"] in ("refuted", "not judged")


def test_checkpoints_are_consistent(files: Path) -> None:
    """The newer head is proven to continue the older; the other way round is refuted."""
    keys = ("--keys", files / "keys.json", "--proof", files / "proof.txt")
    assert verify("checkpoints", files / "old.note", files / "new.note", *keys).returncode == 0
    assert verify("checkpoints", files / "new.note", files / "old.note", *keys).returncode == 1


def test_split_view_is_refuted(files: Path, tmp_path: Path) -> None:
    """Two signed heads of one size and different roots refute each other."""
    other = SampleLog()
    other.grow(7)
    ring = SampleLog()
    ring.keys = other.keys
    ring.grow(7)
    (tmp_path / "keys.json").write_text(other.ring.to_json())
    (tmp_path / "one.note").write_bytes(other.checkpoint())
    (tmp_path / "two.note").write_bytes(ring.checkpoint())
    result = verify("checkpoints", tmp_path / "one.note", tmp_path / "two.note", "--keys", tmp_path / "keys.json")
    assert result.returncode == 1
    assert "different roots" in result.stdout


def test_whole_log_is_proven(files: Path) -> None:
    """An exported log verifies from its first entry to its last head; cut, it cannot be judged."""
    keys = ("--jurisdiction", "330000", "--keys", files / "keys.json")
    result = verify("log", files / "log", *keys, "--json")
    assert (result.returncode, json.loads(result.stdout)["size"]) == (0, 7)
    cut = files / "cut"
    cut.write_bytes((files / "log").read_bytes()[:-5])
    assert verify("log", cut, *keys).returncode == 2


def test_missing_file_cannot_be_judged(files: Path) -> None:
    """A file that is not there ends with 2 and names it."""
    result = verify("receipt", files / "nothing", "--keys", files / "keys.json")
    assert result.returncode == 2
    assert "nothing" in result.stdout
