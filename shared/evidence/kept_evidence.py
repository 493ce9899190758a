"""What a provider kept of its side, as a folder, and how it is judged without the provider and without any regulator.

index.json           every file below by name, so that one that was taken away is missed
keys.json            the network's public keys as the provider held them; who judges brings keys of its own
sent/…receipt        an entry in its regulator's log
refused/…entry       an entry that its regulator refused, and beside it …rejection, the signed refusal
waiting/…entry       an entry that nobody acknowledged yet: it proves nothing
directives/…receipt  what a regulator told the provider
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from shared.evidence.hashing import ProofError, UnusableProof, leaf_hash
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.evidence.rejections import verify_rejection
from shared.pb.filingnet.network.v1 import evidence_pb2

INDEX: Final = "index.json"
KEYS: Final = "keys.json"
SENT, REFUSED, WAITING, DIRECTIVES = "sent", "refused", "waiting", "directives"
RECEIPT, ENTRY, REJECTION = ".receipt", ".entry", ".rejection"

_PROVIDER: Final = "provider/"
_REGULATOR: Final = "regulator/"
_SHAPES: Final = {SENT: {RECEIPT}, REFUSED: {ENTRY, REJECTION}, WAITING: {ENTRY}, DIRECTIVES: {RECEIPT}}


@dataclass
class Findings:
    """What came of a folder.

    Attributes:
        files: how many there are, without index and keys.
        sent: entries that are proven to be in a log; final: of these, how many another regulator cosigned.
        refused: refusals that are proven.
        waiting: entries that prove nothing.
        directives: directives that are proven.
        failures: every file that is not proven, with the reason.
    """

    files: int = 0
    sent: int = 0
    final: int = 0
    refused: int = 0
    waiting: int = 0
    directives: int = 0
    failures: list[tuple[Path, ProofError]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Returns the numbers."""
        names = ("files", "sent", "final", "refused", "waiting", "directives")
        return {name: getattr(self, name) for name in names}


def verify_folder(folder: Path, keys: KeyRing) -> Findings:
    """Verifies every file of a folder.

    Args:
        folder: as `provider-node evidence export` writes it.
        keys: pinned, of the provider and of every regulator.

    Returns:
        What is proven, and what fails.

    Raises:
        UnusableProof: there is no index, or it is damaged.
        OSError: a file cannot be read.
    """
    findings = Findings()
    judges: dict[str, Callable[[Path], None]] = {
        SENT: lambda path: _judge_sent(path, keys, findings),
        REFUSED: lambda path: _judge_refused(path, keys, findings),
        WAITING: lambda path: _judge_waiting(path, findings),
        DIRECTIVES: lambda path: _judge_directive(path, keys, findings),
    }
    listed = _listed(folder)
    for name in sorted({*listed, *_present(folder)}):
        path = folder / name
        kind = Path(name).parts[0]
        findings.files += 1
        try:
            if name not in listed:
                raise UnusableProof("It is not in index.json; take it away, or export again.")
            if not path.is_file():
                raise ProofError("It is in index.json and missing from the folder.")
            if len(Path(name).parts) != 2 or path.suffix not in _SHAPES.get(kind, ()):
                raise UnusableProof("No evidence has such a name; export again.")
            judges[kind](path)
        except ProofError as error:
            findings.failures.append((Path(name), error))
    return findings


def _listed(folder: Path) -> set[str]:
    try:
        files = json.loads((folder / INDEX).read_bytes())["files"]
        if not all(isinstance(name, str) and Path(name).parts and ".." not in Path(name).parts for name in files):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableProof("The folder's index.json is damaged; export again.") from error
    return set(files)


def _present(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in (INDEX, KEYS):
            yield name


def _judge_sent(path: Path, keys: KeyRing, findings: Findings) -> None:
    verified = verify_receipt(path.read_bytes(), keys)
    if not verified.entry.origin.startswith(_PROVIDER) or verified.entry.entry_id not in path.name:
        raise ProofError("The receipt is true, and of another entry than the file is named for.")
    findings.sent += 1
    findings.final += bool(verified.head.cosignatures)


def _judge_directive(path: Path, keys: KeyRing, findings: Findings) -> None:
    verified = verify_receipt(path.read_bytes(), keys)
    if not verified.entry.origin.startswith(_REGULATOR) or verified.entry.entry_id not in path.name:
        raise ProofError("The receipt is true, and of another directive than the file is named for.")
    findings.directives += 1


def _judge_refused(path: Path, keys: KeyRing, findings: Findings) -> None:
    if path.suffix == ENTRY:
        if not path.with_suffix(REJECTION).is_file():
            raise ProofError("The regulator's signed refusal of it is missing.")
        return
    entry = path.with_suffix(ENTRY)
    if not entry.is_file():
        raise ProofError("The entry that it refuses is missing.")
    try:
        signed = evidence_pb2.SignedRejection.FromString(path.read_bytes())
    except DecodeError as error:
        raise UnusableProof("It is no signed refusal, or damaged; export again.") from error
    verify_rejection(signed, keys.lookup, leaf_hash=leaf_hash(entry.read_bytes()))
    findings.refused += 1


def _judge_waiting(path: Path, findings: Findings) -> None:
    del path
    findings.waiting += 1
