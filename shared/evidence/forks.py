"""Forks: two signed heads of one log that cannot both be true, as a file that proves it without anybody's help.

No log has two roots at one size; and a tree commits to all that came before, so that a smaller head and a larger one
contradict each other when the larger tree does not begin with the smaller one's root. The proof of that is a few hashes
of the larger tree: the subtrees that cover it up to the smaller size, and those from there on. Together they have to
lead to the larger root, which the regulator signed, so nobody can invent them; the first part alone then says what the
larger tree began with.

The file is JSON, for people to read: the two heads as signed notes, and the hashes in base64. A file may also hold two
heads without hashes, kept because they looked wrong: it then proves nothing, and says so.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.evidence.checkpoints import Checkpoint, SignedHead, parse_head
from shared.evidence.grown_trees import GrownTree, cover_from, hashes_beyond
from shared.evidence.hashing import HASH_SIZE, ProofError, UnusableProof, split_hashes
from shared.evidence.keyring import KeyRing
from shared.evidence.notes import parse_note
from shared.evidence.ranges import CompactRange
from shared.pb.filingnet.network.v1 import evidence_pb2

FORMAT: Final = "filingnet fork 1"
"""What a file says that it is."""

MAX_FORK_BYTES: Final = 64 * 1024
"""Longest file that is read, in bytes."""

_MOST_HASHES: Final = 127
_FIELDS: Final = {"format", "smaller", "larger", "before", "beyond"}

ReadRoots = Callable[[Sequence[tuple[int, int]]], Awaitable[Sequence[bytes]]]
"""Reads the roots of subtrees of the larger head's tree, each given by first index and end (exclusive)."""


class Contradiction(ProofError):  # noqa: N818 - a kind of ProofError, named for what was met
    """What a log shows contradicts a head that its regulator signed before.

    Attributes:
        held: the signed note that was kept.
        shown: the signed note that is shown now.
        kept: hashes of the larger tree where they follow from what is kept already; None where they have to be asked for.
    """

    def __init__(self, message: str, held: bytes, shown: bytes, kept: TreeParts | None = None) -> None:
        super().__init__(message)
        self.held = held
        self.shown = shown
        self.kept = kept


@dataclass(frozen=True, slots=True)
class TreeParts:
    """Roots of the subtrees that cover a tree up to a size, largest first, and from there on; 32 bytes each."""

    before: tuple[bytes, ...] = ()
    beyond: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedFork:
    """Two heads that one regulator signed and that cannot both be true.

    Attributes:
        smaller: the head of fewer entries, or either of two of one size.
        larger: the other.
        began_with: the root of the larger tree at the smaller size, 32 bytes.
    """

    smaller: SignedHead
    larger: SignedHead
    began_with: bytes


def parts_needed(smaller: int, larger: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Lists the subtrees of a larger tree that cover it up to a smaller size, and from there on."""
    before, place = [], 0
    for bit in reversed(range(smaller.bit_length())):
        if smaller >> bit & 1:
            before.append((place, place + (1 << bit)))
            place += 1 << bit
    return before, cover_from(smaller, larger)


def parts_in_run(size: int, run: evidence_pb2.Acknowledgement) -> TreeParts | None:
    """Reads out of an acknowledgement how the tree at its end was at a smaller size; None where it does not say.

    Args:
        size: of the smaller head.
        run: acknowledged under the larger head.
    """
    before, leaves = CompactRange.from_bytes(run.first_index, run.before), split_hashes(run.leaf_hashes)
    end = before.size + len(leaves)
    if not before.size <= size <= end:
        return None

    def range_at(at: int) -> CompactRange:
        held = before.copy()
        held.extend(leaves[: at - before.size])
        return held

    beyond = hashes_beyond(size, end, range_at, lambda index: leaves[index - before.size]) if size < end else []
    return TreeParts(range_at(size).hashes if size < end else (), tuple(beyond))


def overlap(held: bytes, shown: bytes, first: int) -> Contradiction | None:
    """Compares a run that is acknowledged now with the last one kept that begins before it ends.

    Args:
        held: the acknowledgement that was kept.
        shown: the other one, verified.
        first: index of the first entry of the other one.

    Returns:
        What contradicts what; None where the two cover no index in common.
    """
    kept, new = (evidence_pb2.Acknowledgement.FromString(each) for each in (held, shown))
    if kept.first_index < first and size_of(kept.checkpoint) <= first:
        return None
    return _between_runs(
        "The regulator acknowledged two entries at one place of its log: keep both checkpoints.",
        kept.checkpoint,
        new,
        kept,
    )


def beside_cosigned(note: bytes, shown: bytes) -> Contradiction:
    """Says that a run was acknowledged where the log was cosigned before.

    Args:
        note: the cosigned head.
        shown: the acknowledgement, verified.
    """
    new = evidence_pb2.Acknowledgement.FromString(shown)
    message = "The regulator filed anew at a place that was cosigned: its log was put back to an earlier state."
    return _between_runs(message, note, new, None)


def _between_runs(
    message: str, held: bytes, new: evidence_pb2.Acknowledgement, kept: evidence_pb2.Acknowledgement | None
) -> Contradiction:
    shown, parts = size_of(new.checkpoint), None
    if held and size_of(held) <= shown:
        parts = parts_in_run(size_of(held), new)
    elif kept is not None:
        parts = parts_in_run(shown, kept)
    return Contradiction(message, held, new.checkpoint, parts)


async def find_fork(first: bytes, second: bytes, keys: KeyRing, read: ReadRoots) -> bytes | None:
    """Makes the proof that two heads contradict each other, if they do.

    Args:
        first: a signed note.
        second: another of the same log; the order does not matter.
        keys: of the regulator and of the cosigners.
        read: reads roots of the larger head's tree, from wherever that tree is; not called where none are needed.

    Returns:
        The file; None where the heads do not contradict each other, as far as the roots that were read show.
    """
    smaller, larger = in_order(first, second)
    size, whole = size_of(smaller), size_of(larger)
    parts = TreeParts()
    if size < whole:
        before, beyond = parts_needed(size, whole)
        roots = list(await read([*before, *beyond]))
        parts = TreeParts(tuple(roots[: len(before)]), tuple(roots[len(before) :]))
    return proven(first, second, keys, parts)


def proven(first: bytes, second: bytes, keys: KeyRing, parts: TreeParts) -> bytes | None:
    """Writes the proof that two heads contradict each other; None where these parts of the larger tree do not show it."""
    found = fork_file(first, second, parts)
    try:
        verify_fork(found, keys)
    except ProofError:
        return None
    return found


def fork_file(first: bytes, second: bytes, parts: TreeParts | None = None) -> bytes:
    """Writes two heads, and what is known of the larger tree, to a file; whether it proves anything is another matter."""
    smaller, larger = in_order(first, second)
    hashes = parts or TreeParts()
    content = {
        "format": FORMAT,
        "smaller": smaller.decode(),
        "larger": larger.decode(),
        "before": [base64.b64encode(each).decode() for each in hashes.before],
        "beyond": [base64.b64encode(each).decode() for each in hashes.beyond],
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def verify_fork(data: bytes, keys: KeyRing) -> VerifiedFork:
    """Verifies that a regulator signed two heads that cannot both be true.

    Args:
        data: the file.
        keys: pinned keys of the regulator, and of whoever cosigned.

    Returns:
        The two heads.

    Raises:
        UnusableProof: the file is damaged, the heads are of different logs, or a key is not known.
        ProofError: a signature does not hold, or the file does not show that the heads contradict each other.
    """
    fields = _fields(data)
    smaller = parse_head(fields["smaller"].encode(), keys.keys_of)
    larger = parse_head(fields["larger"].encode(), keys.keys_of)
    low, high = smaller.checkpoint, larger.checkpoint
    if low.origin != high.origin:
        raise UnusableProof("The two heads are of different logs; no two logs contradict each other.")
    if low.size > high.size:
        raise UnusableProof("The file names the larger head as the smaller one; write it anew.")
    parts = TreeParts(tuple(_hashes(fields["before"])), tuple(_hashes(fields["beyond"])))
    began = began_with(low.size, high, parts)
    if began == low.root:
        if low.size == high.size:
            raise ProofError("The two heads are of the same size and the same root: they say the same.")
        raise ProofError("The larger tree begins with all of the smaller one: both heads can be true.")
    return VerifiedFork(smaller, larger, began)


def began_with(size: int, larger: Checkpoint, parts: TreeParts) -> bytes:
    """Computes the root that the tree of a larger head had at a smaller size.

    Args:
        size: the smaller size.
        larger: the head.
        parts: of its tree; none where the sizes are the same.

    Returns:
        The root, 32 bytes.

    Raises:
        ProofError: the parts are not those of the head's tree.
    """
    if size == larger.size:
        if parts != TreeParts():
            raise UnusableProof("Two heads of one size need no hashes beside them; write the file anew.")
        return larger.root
    if parts == TreeParts():
        raise ProofError("The file holds two heads of different sizes alone: by themselves both can be true.")
    held = CompactRange(size, parts.before)
    if GrownTree(held, (), parts.beyond, larger.size).root() != larger.root:
        raise ProofError("The hashes in the file do not lead to the root of the larger head: they prove nothing of it.")
    return held.root()


def in_order(first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """Returns two signed notes, the one of fewer entries first."""
    return (first, second) if size_of(first) <= size_of(second) else (second, first)


def size_of(note: bytes) -> int:
    """Reads how many entries a checkpoint says that its log has; the signature is not looked at."""
    return Checkpoint.decode(parse_note(note).text).size


def _fields(data: bytes) -> dict[str, Any]:
    damaged = UnusableProof("It is no file of two heads, or damaged; get it again from the node that wrote it.")
    if len(data) > MAX_FORK_BYTES:
        raise damaged
    try:
        fields = json.loads(data)
    except ValueError as error:
        raise damaged from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS or fields["format"] != FORMAT:
        raise damaged
    if not all(isinstance(fields[name], str) for name in ("smaller", "larger")):
        raise damaged
    if not all(isinstance(fields[name], list) for name in ("before", "beyond")):
        raise damaged
    return fields


def _hashes(values: Sequence[Any]) -> list[bytes]:
    try:
        found = [base64.b64decode(value, validate=True) for value in values]
    except (TypeError, ValueError, binascii.Error) as error:
        raise UnusableProof("A hash in the file is not base64; get the file again.") from error
    if len(found) > _MOST_HASHES or any(len(each) != HASH_SIZE for each in found):
        raise UnusableProof("A hash in the file is not 32 bytes long, or there are too many; get the file again.")
    return found
