"""Compares a log that two regulators hold, range by range, out of the bytes that each of them stores.

Signed heads show what was rewritten and signed anew; they do not show a file in which bytes were changed. So both sides
compute the hashes of ranges from their entries as they are stored, and where two differ the range is split until the very
entries are found, a few exchanges whatever the log's length. What both sides acknowledged then says whose bytes are wrong;
where that differs too, the log has two histories, and nothing here mends that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from shared.errors import FilingnetError
from shared.evidence.hashing import ProofError
from shared.range_roots import MAX_ENTRIES, MAX_RANGES, Range

WAYS: Final = 16
"""Into how many parts a range is split in which something differs."""

MAX_ROWS: Final = 1_000
"""Most entries that are told one by one."""

HERE, THERE, BOTH, FORKED, RUN = "here", "there", "both sides", "two histories", "run damaged here"

Roots = Callable[[Sequence[Range]], Awaitable[Sequence[bytes]]]
"""Reads hashes of ranges on one side."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side holds of the log.

    Attributes:
        size: number of entries.
        checkpoint: the newest signed head; empty where nothing is held.
        stored: hashes computed from stored bytes.
        acknowledged: hashes of what was acknowledged; a FilingnetError where the runs are damaged.
    """

    size: int
    checkpoint: bytes
    stored: Roots
    acknowledged: Roots


@dataclass(frozen=True, slots=True)
class DifferingEntry:
    """An entry that is not the same on both sides: hashes alone, because its text may name somebody.

    Attributes:
        log_index: where.
        here: leaf hash of the bytes stored here, 32 bytes; zeroes where it is missing.
        there: leaf hash of the bytes stored there.
        wrong: whose bytes are not what was acknowledged.
    """

    log_index: int
    here: bytes
    there: bytes
    wrong: str


@dataclass
class Comparison:
    """What a comparison came to.

    Attributes:
        here: entries held here; there: on the other side.
        differing: how many of those that both hold differ.
        entries: these, at most `MAX_ROWS`.
        exchanges: how often the other side was asked.
    """

    here: int
    there: int
    differing: int = 0
    entries: list[DifferingEntry] = field(default_factory=list)
    exchanges: int = 0

    @property
    def same(self) -> bool:
        """Whether both sides hold the same, as far as both hold it."""
        return not self.differing

    @property
    def forked(self) -> bool:
        """Whether the log has two histories."""
        return any(entry.wrong == FORKED for entry in self.entries)


async def compare_logs(here: Side, there: Side, advance: Callable[[int], None] = lambda steps: None) -> Comparison:
    """Compares what two sides hold of one log.

    Args:
        here: this side.
        there: the other side.
        advance: told how many entries were compared since.

    Returns:
        What differs.

    Raises:
        RemoteError: the other side did not answer.
    """
    found = Comparison(here.size, there.size)
    common = min(here.size, there.size)
    for start in range(0, common, MAX_ENTRIES):
        whole = (start, min(start + MAX_ENTRIES, common))
        differing = await _differing(here, there, [whole], found)
        while differing and any(end - first > 1 for first, end in differing):
            differing = await _differing(here, there, list(_split(differing)), found)
        found.differing += len(differing)
        for first, _ in differing[: MAX_ROWS - len(found.entries)]:
            found.entries.append(await _judged(first, here, there, found))
        advance(whole[1] - whole[0])
    return found


async def _differing(here: Side, there: Side, ranges: Sequence[Range], found: Comparison) -> list[Range]:
    differing: list[Range] = []
    for place in range(0, len(ranges), MAX_RANGES):
        some = ranges[place : place + MAX_RANGES]
        found.exchanges += 1
        ours, theirs = await here.stored(some), await there.stored(some)
        differing += [each for each, mine, other in zip(some, ours, theirs, strict=True) if mine != other]
    return differing


def _split(ranges: Sequence[Range]) -> Iterator[Range]:
    for start, end in ranges:
        width = max(1, (1 << (end - start - 1).bit_length()) // WAYS)
        for first in range(start, end, width):
            yield first, min(first + width, end)


async def _judged(index: int, here: Side, there: Side, found: Comparison) -> DifferingEntry:
    one = [(index, index + 1)]
    found.exchanges += 2
    (mine,), (other,) = await here.stored(one), await there.stored(one)
    signed_there = (await there.acknowledged(one))[0]
    try:
        signed_here = (await here.acknowledged(one))[0]
    except (FilingnetError, ProofError, DecodeError):
        return DifferingEntry(index, mine, other, RUN)
    if signed_here != signed_there:
        wrong = FORKED
    elif mine != signed_here and other != signed_here:
        wrong = BOTH
    else:
        wrong = THERE if mine == signed_here else HERE
    return DifferingEntry(index, mine, other, wrong)
