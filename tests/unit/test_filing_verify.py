"""filing-verify as a court runs it: exit codes, words and JSON, on files alone."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.evidence.hashing import leaf_hash
from shared.evidence.ranges import RunTree
from shared.evidence.receipts import verify_receipt
from shared.evidence.rejections import sign_rejection
from shared.evidence.runs import read_runs, write_run
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from tests.unit.evidence_samples import JURISDICTION, PROVIDER, PROVINCE, SampleLog, made_up_entry


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


def test_a_head_shows_what_was_cut_off(files: Path) -> None:
    """A log that ends at an earlier head is true by itself, and refuted by a later head that somebody kept."""
    keys = ("--jurisdiction", "330000", "--keys", files / "keys.json")
    with (files / "log").open("rb") as whole, (files / "short.log").open("wb") as short:
        write_run(short, next(read_runs(whole)))
    alone = verify("log", files / "short.log", *keys, "--json")
    assert (0, 3) == (alone.returncode, json.loads(alone.stdout)["size"])
    assert "does not go on" in alone.stdout
    beside = verify("log", files / "short.log", *keys, "--checkpoint", files / "new.note", "--json")
    assert 1 == beside.returncode
    assert "4 are cut off" in json.loads(beside.stdout)["reason"]
    both = ("--checkpoint", files / "old.note", "--checkpoint", files / "new.note")
    whole_log = verify("log", files / "log", *keys, *both)
    assert 0 == whole_log.returncode
    assert "cosigned by nobody" in whole_log.stdout


def test_a_log_that_was_rewritten_and_signed_anew_is_refuted_by_a_kept_head(files: Path, tmp_path: Path) -> None:
    """The regulator itself can sign another history; a head of the first one says so."""
    log = SampleLog()
    log.grow(3)
    (tmp_path / "kept.note").write_bytes(log.checkpoint())
    other = SampleLog()
    other.keys = log.keys
    other.grow(3)
    (tmp_path / "keys.json").write_text(log.ring.to_json())
    with (tmp_path / "log").open("wb") as file:
        write_run(file, other.runs[0])
    keys = ("--jurisdiction", "330000", "--keys", tmp_path / "keys.json")
    assert 0 == verify("log", tmp_path / "log", *keys).returncode
    refuted = verify("log", tmp_path / "log", *keys, "--checkpoint", tmp_path / "kept.note")
    assert 1 == refuted.returncode
    assert "rewritten" in refuted.stdout
    foreign = verify("log", tmp_path / "log", *keys, "--checkpoint", files / "old.note")
    assert 2 == foreign.returncode


def kept_evidence(folder: Path) -> SampleLog:
    """Writes a folder with a receipt, a refused entry and one that waits, as a provider keeps them."""
    log = SampleLog()
    log.grow(2)
    waiting, refused = made_up_entry(8), made_up_entry(9)
    rejection = evidence_pb2.Rejection(origin=PROVIDER, jurisdiction=JURISDICTION, leaf_hash=leaf_hash(refused))
    rejection.reason = "CATEGORY_UNKNOWN"
    signed = sign_rejection(rejection, log.keys[PROVINCE])
    name = entry_pb2.Entry.FromString(verify_receipt(log.receipts[0], log.ring).entry_bytes).entry_id
    contents = {
        f"sent/000000001-{name}.receipt": log.receipts[0],
        "refused/000000009-x.entry": refused,
        "refused/000000009-x.rejection": signed.SerializeToString(),
        "waiting/000000008-x.entry": waiting,
    }
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "index.json").write_text(json.dumps({"files": list(contents)}))
    (folder / "keys.json").write_text(log.ring.to_json())
    return log


def test_what_a_provider_kept_is_judged_file_by_file(tmp_path: Path) -> None:
    """What is in a log, what was refused with the regulator's signature, and what proves nothing yet."""
    kept_evidence(tmp_path)
    found = verify("evidence", tmp_path, "--keys", tmp_path / "keys.json", "--json")
    said = json.loads(found.stdout)
    assert (0, 1, 1, 1) == (found.returncode, said["sent"], said["refused"], said["waiting"])


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("refused/000000009-x.entry", b"another", "x.rejection: The rejection refuses another entry"),
        ("refused/000000009-x.rejection", b"\xff", "no signed refusal"),
        ("refused/000000009-x.rejection", None, "missing"),
        ("refused/000000009-x.entry", None, "missing"),
        ("waiting/000000008-x.entry", None, "missing"),
        ("sent/stray.receipt", b"", "not in index.json"),
        ("index.json", b"{}", "index.json is damaged"),
    ],
)
def test_evidence_that_does_not_hold_is_named(tmp_path: Path, path: str, content: bytes | None, words: str) -> None:
    """Every way in which a folder can be tampered with ends with 1 or 2 and names the file."""
    kept_evidence(tmp_path)
    if content is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_bytes(content)
    found = verify("evidence", tmp_path, "--keys", tmp_path / "keys.json")
    assert found.returncode in (1, 2)
    assert path.partition(".")[0] in found.stdout
    assert words in found.stdout


def test_missing_file_cannot_be_judged(files: Path) -> None:
    """A file that is not there ends with 2 and names it."""
    result = verify("receipt", files / "nothing", "--keys", files / "keys.json")
    assert result.returncode == 2
    assert "nothing" in result.stdout
