"""Judges a whole exported log, run by run, and says where it fails and in which way.

A log is refuted by the first run that does not fit: one that is missing or out of its place, an entry that its origin
did not sign, a head that the regulator did not sign for it. What was cut off the end, or rewritten and signed anew by the
regulator itself, shows only against a head that somebody kept: such heads are given beside the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.evidence.checkpoints import SignedHead
from shared.evidence.disposed_entries import run_leaf_hashes
from shared.evidence.hashing import EMPTY_ROOT, ProofError, UnusableProof
from shared.evidence.keyring import KeyRing
from shared.evidence.names import log_origin, regulator_of
from shared.evidence.ranges import CompactRange
from shared.evidence.runs import verify_run
from shared.pb.filingnet.network.v1 import evidence_pb2


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """A log that was verified: number of entries and of signed heads on the way, the root, and entries disposed of."""

    size: int
    heads: int
    root: bytes
    disposed: int = 0


def verify_log(
    runs: Iterable[evidence_pb2.Run], jurisdiction: str, keys: KeyRing, heads: Mapping[Any, SignedHead]
) -> VerifiedLog:
    """Verifies a log from its first entry on.

    Args:
        runs: in order.
        jurisdiction: whose log it must be.
        keys: of every origin and of the regulator.
        heads: signed heads that must be of this log, by what they are called.

    Returns:
        What was verified.

    Raises:
        UnusableProof: a run is damaged, or a key is missing.
        ProofError: it is refuted; the message names the run, or the head.
    """
    for name, head in heads.items():
        if head.checkpoint.jurisdiction != jurisdiction:
            raise UnusableProof(f"{name} is a head of another log than {log_origin(jurisdiction)}; leave it out.")
    held, count, disposed, roots = CompactRange(), 0, 0, {0: EMPTY_ROOT}
    wanted = {head.checkpoint.size for head in heads.values()}
    log_keys = keys.keys_of(regulator_of(jurisdiction))
    for run in runs:
        if run.jurisdiction != jurisdiction:
            raise ProofError(f"The file holds a run of another log than {log_origin(jurisdiction)}.")
        before = held
        try:
            held = verify_run(run, before, keys.lookup, log_keys)
        except UnusableProof as error:
            raise UnusableProof(f"{_place(run, before, count)}: {error}") from error
        except ProofError as error:
            raise ProofError(f"{_place(run, before, count)}: {error}") from error
        count += 1
        disposed += len(run.disposed)
        roots.update(_roots_within(run, before, wanted))
    for name, head in heads.items():
        size = head.checkpoint.size
        if size > held.size:
            raise ProofError(
                f"The log ends after {held.size:,} entries, but {name} signs {size:,}: {size - held.size:,} are cut off."
            )
        if roots[size] != head.checkpoint.root:
            raise ProofError(
                f"{name} signs another log of {size:,} entries than this one: one of the two was rewritten."
            )
    return VerifiedLog(held.size, count, held.root(), disposed)


def _place(run: evidence_pb2.Run, before: CompactRange, count: int) -> str:
    return f"Run {count + 1:,} of the file, which should begin at entry {before.size:,}"


def _roots_within(run: evidence_pb2.Run, before: CompactRange, wanted: set[int]) -> dict[int, bytes]:
    leaves = run_leaf_hashes(run)
    roots = {}
    for size in wanted:
        if before.size < size <= before.size + len(leaves):
            state = before.copy()
            state.extend(leaves[: size - before.size])
            roots[size] = state.root()
    return roots
