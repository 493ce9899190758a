"""Two heads of one log: which can both be true, which cannot, and what a file proves of it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.evidence.checkpoints import Checkpoint, sign_checkpoint
from shared.evidence.forks import TreeParts, find_fork, fork_file, parts_needed, proven, verify_fork
from shared.evidence.hashing import ProofError, UnusableProof, leaf_hash
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.names import log_origin
from shared.evidence.ranges import root_of
from tests.unit.evidence_samples import PROVINCE

KEY = SigningKey.generate()
RING = KeyRing({PROVINCE: [KEY.verifying_key]})
MOST = 9


def leaves_of(size: int, other_from: int | None = None) -> list[bytes]:
    """The leaves of a log; from an index on those of another history."""
    return [leaf_hash(f"{index}{other_from is not None and index >= other_from}".encode()) for index in range(size)]


def head(leaves: Sequence[bytes], key: SigningKey = KEY, jurisdiction: str = "330000") -> bytes:
    """The signed head of a log of these leaves."""
    return sign_checkpoint(Checkpoint(log_origin(jurisdiction), len(leaves), root_of(leaves)), key)


def parts_of(size: int, leaves: Sequence[bytes]) -> TreeParts:
    """What a file holds of the larger tree."""
    before, beyond = parts_needed(size, len(leaves))
    return TreeParts(
        tuple(root_of(leaves[low:high]) for low, high in before),
        tuple(root_of(leaves[low:high]) for low, high in beyond),
    )


async def find(one: Sequence[bytes], two: Sequence[bytes]) -> bytes | None:
    """Looks for the proof that two logs contradict each other."""
    larger = max(one, two, key=len)

    async def read(ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return [root_of(larger[low:high]) for low, high in ranges]

    return await find_fork(head(one), head(two), RING, read)


async def test_every_fork_is_proven_and_no_honest_log_is() -> None:
    """Promise 4: for all small sizes and every place where histories part, in either order; growth alone proves nothing."""
    forks = honest = 0
    for size in range(1, MOST):
        for larger in range(size, MOST):
            assert await find(leaves_of(size), leaves_of(larger)) is None
            honest += 1
            for place in range(size):
                for one, two in (
                    (leaves_of(size), leaves_of(larger, place)),
                    (leaves_of(larger, place), leaves_of(size)),
                    (leaves_of(size, place), leaves_of(larger)),
                ):
                    proof = await find(one, two)
                    assert proof is not None, (size, larger, place)
                    found = verify_fork(proof, RING)
                    assert (size, larger) == (found.smaller.checkpoint.size, found.larger.checkpoint.size)
                    forks += 1
            # What differs only after the smaller head contradicts nothing.
            assert await find(leaves_of(size), leaves_of(larger, size)) is None
    assert forks > 3 * honest


def test_hashes_that_nobody_signed_prove_nothing() -> None:
    """An accuser cannot invent the larger tree: its hashes have to lead to the root that the regulator signed."""
    true, other = leaves_of(7), leaves_of(7, 1)
    assert proven(head(true[:3]), head(true), RING, parts_of(3, other)) is None
    with pytest.raises(ProofError, match="do not lead to the root"):
        verify_fork(fork_file(head(true[:3]), head(true), parts_of(3, other)), RING)
    with pytest.raises(ProofError, match="both heads can be true"):
        verify_fork(fork_file(head(true[:3]), head(true), parts_of(3, true)), RING)
    with pytest.raises(ProofError, match="both can be true"):
        verify_fork(fork_file(head(true[:3]), head(other)), RING)
    with pytest.raises(ProofError, match="say the same"):
        verify_fork(fork_file(head(true), head(true)), RING)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "filingnet fork 2"}, "damaged"),
        ({"more": 1}, "damaged"),
        ({"before": ["x"]}, "not base64"),
        ({"before": [base64.b64encode(b"x").decode()]}, "not 32 bytes"),
        ({"beyond": []}, "do not fit"),
        ({"smaller": 5}, "damaged"),
        ({"smaller": head(leaves_of(7)).decode(), "larger": head(leaves_of(3)).decode()}, "larger head as the smaller"),
        ({"smaller": head(leaves_of(3), SigningKey.generate()).decode()}, "not known"),
    ],
)
def test_what_cannot_be_judged_is_said(change: dict[str, object], words: str) -> None:
    """A damaged file, and one of an unknown key, is no refutation and no proof."""
    other = leaves_of(7, 1)
    good = json.loads(fork_file(head(leaves_of(3)), head(other), parts_of(3, other)))
    with pytest.raises(UnusableProof, match=words):
        verify_fork(json.dumps(good | change).encode(), RING)


def test_heads_of_two_logs_never_contradict_each_other() -> None:
    """The heads of two provinces are not put beside each other."""
    ring = KeyRing({PROVINCE: [KEY.verifying_key], "regulator/440000": [KEY.verifying_key]})
    with pytest.raises(UnusableProof, match="different logs"):
        verify_fork(fork_file(head(leaves_of(3)), head(leaves_of(3, 1), jurisdiction="440000")), ring)


def judged(file: Path, keys: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs filing-verify as an auditor does."""
    command = [sys.executable, "-m", "shared.evidence", "fork", str(file), "--keys", str(keys), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_court_judges_the_file(tmp_path: Path) -> None:
    """Exit codes, words and JSON: proven, refuted, not to be judged; and what a fork does not prove is said."""
    keys, file = tmp_path / "keys.json", tmp_path / "LOG_FORKED-330000.fork"
    keys.write_text(RING.to_json())
    other = leaves_of(7, 1)
    file.write_bytes(fork_file(head(leaves_of(3)), head(other), parts_of(3, other)))
    found = judged(file, keys)
    assert (0, True) == (found.returncode, found.stdout.startswith("PROVEN"))
    assert "does not begin with the smaller one" in found.stdout
    assert "which of the two heads was signed first" in found.stdout
    facts = json.loads(judged(file, keys, "--json").stdout)
    assert ("proven", 3, 7) == (facts["verdict"], facts["smaller_size"], facts["larger_size"])
    file.write_bytes(fork_file(head(leaves_of(3)), head(leaves_of(7)), parts_of(3, leaves_of(7))))
    refuted = judged(file, keys, "--json")
    assert (1, "refuted") == (refuted.returncode, json.loads(refuted.stdout)["verdict"])
    file.write_bytes(b"{}")
    assert 2 == judged(file, keys).returncode
