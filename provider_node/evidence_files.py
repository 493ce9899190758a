"""Writes what a provider can prove as a folder that `filing-verify evidence` judges: see `shared.evidence.kept_evidence`.

The folder grows beside its place and is moved there when it is whole: a folder that is there is a whole one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.client.provider import EvidenceKind, EvidencePiece
from shared.errors import InvalidInput, Violation
from shared.evidence.kept_evidence import (
    DIRECTIVES,
    ENTRY,
    INDEX,
    KEYS,
    RECEIPT,
    REFUSED,
    REJECTION,
    SENT,
    WAITING,
)

UNFINISHED: Final = ".partial"


@dataclass(frozen=True, slots=True)
class WrittenEvidence:
    """What was written: the folder, and how many pieces of each kind are in it."""

    path: str
    sent: int
    final: int
    refused: int
    waiting: int
    directives: int


async def write_evidence(
    pieces: AsyncIterator[EvidencePiece],
    key_ring: str,
    target: Path,
    *,
    kinds: Iterable[EvidenceKind] = tuple(EvidenceKind),
    advance: Callable[[int], None] = lambda steps: None,
) -> WrittenEvidence:
    """Writes evidence to a new folder.

    Args:
        pieces: what the node has.
        key_ring: content of a key ring file.
        target: the folder; nothing may be there yet.
        kinds: which to write.
        advance: told of each piece.

    Returns:
        What was written.

    Raises:
        InvalidInput: FOLDER_EXISTS.
    """
    place, wanted = _new_folder(target), set(kinds)
    listed: list[str] = []
    counts = dict.fromkeys(EvidenceKind, 0)
    final = 0
    async for piece in pieces:
        advance(1)
        if piece.kind not in wanted:
            continue
        counts[piece.kind] += 1
        final += piece.final
        for name, content in _files_of(piece):
            path = place / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            listed.append(name)
    (place / KEYS).write_text(key_ring, "utf-8")
    (place / INDEX).write_text(json.dumps({"files": listed}, indent=1) + "\n", "utf-8")
    place.replace(target)
    return WrittenEvidence(
        str(target),
        counts[EvidenceKind.SENT],
        final,
        counts[EvidenceKind.REFUSED],
        counts[EvidenceKind.WAITING],
        counts[EvidenceKind.DIRECTIVE],
    )


def _new_folder(target: Path) -> Path:
    if target.exists():
        violation = Violation("output", "FOLDER_EXISTS", "choose another name, or move it away")
        raise InvalidInput(f"{target} is there already: {violation.mend}", "FOLDER_EXISTS", [violation])
    place = target.with_name(target.name + UNFINISHED)
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


def _files_of(piece: EvidencePiece) -> list[tuple[str, bytes]]:
    name = f"{piece.sequence:09d}-{piece.entry_id}"
    if piece.kind is EvidenceKind.SENT:
        return [(f"{SENT}/{name}{RECEIPT}", piece.proof)]
    if piece.kind is EvidenceKind.REFUSED:
        return [(f"{REFUSED}/{name}{ENTRY}", piece.entry), (f"{REFUSED}/{name}{REJECTION}", piece.proof)]
    if piece.kind is EvidenceKind.DIRECTIVE:
        return [(f"{DIRECTIVES}/{piece.entry_id}{RECEIPT}", piece.proof)]
    return [(f"{WAITING}/{name}{ENTRY}", piece.entry)]
