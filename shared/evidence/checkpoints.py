"""Signed heads of a log: its size and root at a moment, as C2SP checkpoints and cosignatures.

A checkpoint is a signed note of three lines: origin, size, root (c2sp.org/tlog-checkpoint). The regulator that keeps
the log signs it under its node name. A witness that found it consistent with what it saw before adds a cosignature with
its own time (c2sp.org/tlog-cosignature, cosignature/v1). Logs of this network write no extension lines; none is read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.evidence.hashing import HASH_SIZE, MAX_TREE_SIZE, ProofError, UnusableProof
from shared.evidence.keys import SIGNATURE_SIZE, SigningKey, VerifyingKey
from shared.evidence.names import jurisdiction_of_log, log_origin, regulator_of
from shared.evidence.notes import (
    COSIGNATURE,
    ED25519,
    Keys,
    NoteSignature,
    find_key,
    key_hash,
    parse_note,
    sign_note,
    signature_line,
    verify_note,
)

MAX_CHECKPOINT_BYTES: Final = 4096
"""Longest signed checkpoint that is read, in bytes."""

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_TIMESTAMP_SIZE: Final = 8
_LAST_SECOND: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: origin line, number of entries, root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def jurisdiction(self) -> str:
        """The jurisdiction whose log it is."""
        return jurisdiction_of_log(self.origin)

    def encode(self) -> str:
        """Returns the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def decode(cls, text: str) -> Checkpoint:
        """Reads the three lines; only the exact form that `encode` writes is accepted.

        Raises:
            UnusableProof: the text is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0] or not _SIZE.fullmatch(lines[1]):
            raise UnusableProof("The note is not a checkpoint of three lines: origin, size, root; give another file.")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except (ValueError, binascii.Error) as error:
            raise UnusableProof("The root in the checkpoint is not base64; fetch the checkpoint again.") from error
        checkpoint = cls(lines[0], int(lines[1]), root)
        if len(root) != HASH_SIZE or checkpoint.size > MAX_TREE_SIZE or checkpoint.encode() != text:
            raise UnusableProof("The size or the root in the checkpoint is damaged; fetch the checkpoint again.")
        return checkpoint


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's statement that at a time the checkpoint was the newest it saw, consistent with all before."""

    name: str
    time: datetime


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint of which every signature was verified."""

    checkpoint: Checkpoint
    key_id: str
    cosignatures: tuple[Cosignature, ...]


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Signs a checkpoint as the regulator that keeps the log.

    Args:
        checkpoint: the head; its origin names a log of this network.
        key: the regulator's signing key.

    Returns:
        The signed note.

    Raises:
        UnusableProof: the origin is not that of a log of this network.
    """
    return sign_note(checkpoint.encode(), regulator_of(checkpoint.jurisdiction), key)


def verify_checkpoint(note: bytes, origin: str, key: Keys) -> Checkpoint:
    """Verifies that a regulator signed a checkpoint of its log. Other signatures are ignored.

    Args:
        note: the signed note.
        origin: the origin line expected, e.g. "filingnet/log/330000".
        key: the regulator's key, or its keys while one is rotated.

    Returns:
        The checkpoint.

    Raises:
        UnusableProof: it is no checkpoint, or the key did not sign it.
        ProofError: the signature does not hold, or it is the checkpoint of another log.
    """
    _check_length(note)
    text, _ = verify_note(note, {regulator_of(jurisdiction_of_log(origin)): key})
    checkpoint = Checkpoint.decode(text)
    if checkpoint.origin != origin:
        raise ProofError(f"The checkpoint is not one of the log {origin}.")
    return checkpoint


def verify_head(note: bytes, jurisdiction: str, keys_of: Callable[[str], Sequence[VerifyingKey]]) -> SignedHead:
    """Verifies a checkpoint with all of its signatures; a line that cannot be verified is refused, not ignored.

    Args:
        note: the signed note.
        jurisdiction: whose log it must be.
        keys_of: node name → keys, none if unknown.

    Returns:
        The checkpoint, the id of the key that signed it, and its cosignatures.

    Raises:
        UnusableProof: it is no checkpoint, or it carries a signature of a key that is not known.
        ProofError: a signature does not hold, or it is the checkpoint of another log.
    """
    _check_length(note)
    parsed = parse_note(note)
    checkpoint = Checkpoint.decode(parsed.text)
    if checkpoint.origin != log_origin(jurisdiction):
        raise ProofError(f"The checkpoint is not one of the log {log_origin(jurisdiction)}.")
    lines = [(line.name, line.key_hash) for line in parsed.signatures]
    if len(set(lines)) != len(lines):
        raise ProofError("The checkpoint carries a signature twice.")
    keeper, body = regulator_of(jurisdiction), parsed.text.encode()
    key_id, cosignatures = "", []
    for line in parsed.signatures:
        if line.name != keeper:
            cosignatures.append(_verified_cosignature(line, body, keys_of(line.name)))
            continue
        key = _known_key(line, ED25519, keys_of(line.name))
        if not key.verifies(line.signature, body):
            raise ProofError(f"The signature of {line.name} does not hold for the checkpoint.")
        key_id = key.key_id
    if not key_id:
        raise ProofError(f"The checkpoint is not signed by {keeper}, who keeps the log.")
    return SignedHead(checkpoint, key_id, tuple(cosignatures))


def parse_head(note: bytes, keys_of: Callable[[str], Sequence[VerifyingKey]]) -> SignedHead:
    """Verifies a checkpoint of whichever log of the network it names, with all of its signatures; see `verify_head`."""
    _check_length(note)
    return verify_head(note, Checkpoint.decode(parse_note(note).text).jurisdiction, keys_of)


def sign_cosignature(note: bytes, name: str, key: SigningKey, time: datetime) -> bytes:
    """Adds a witness's cosignature/v1 to a signed checkpoint. Whether it may be added is the witness's to judge.

    Args:
        note: the signed checkpoint.
        name: the witness's node name.
        key: the witness's signing key.
        time: when it cosigns, aware; whole seconds are signed.

    Returns:
        The note with one more line.

    Raises:
        UnusableProof: the note is not a signed checkpoint.
    """
    text = parse_note(note).text
    Checkpoint.decode(text)
    seconds = int(time.timestamp())
    signature = seconds.to_bytes(_TIMESTAMP_SIZE, "big") + key.sign(_cosigned(seconds, text.encode()))
    return note + signature_line(name, key_hash(name, COSIGNATURE, key.public_bytes), signature)


def verify_cosignature(note: bytes, name: str, key: Keys) -> datetime:
    """Verifies that a witness cosigned a checkpoint. Other signatures are ignored.

    Args:
        note: the signed checkpoint.
        name: the witness's node name.
        key: the witness's key, or its keys while one is rotated.

    Returns:
        When it cosigned, by its own clock, in UTC.

    Raises:
        UnusableProof: it is no checkpoint, or the witness's key did not cosign it.
        ProofError: the cosignature does not hold.
    """
    parsed = parse_note(note)
    Checkpoint.decode(parsed.text)
    for line in parsed.signatures:
        if line.name == name and find_key(line, COSIGNATURE, key) is not None:
            return _verified_cosignature(line, parsed.text.encode(), key).time
    raise UnusableProof(f"The checkpoint carries no cosignature by a known key of {name}; ask the witness for one.")


def _check_length(note: bytes) -> None:
    if len(note) > MAX_CHECKPOINT_BYTES:
        raise UnusableProof("The checkpoint is longer than 4,096 bytes; ask for one with fewer cosignatures.")


def _cosigned(seconds: int, body: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n" % seconds + body


def _known_key(line: NoteSignature, signature_type: int, keys: Keys) -> VerifyingKey:
    key = find_key(line, signature_type, keys)
    if key is None:
        raise UnusableProof(
            "The checkpoint carries a signature of a key that is not known; add the signer's key to the key ring."
        )
    return key


def _verified_cosignature(line: NoteSignature, body: bytes, keys: Keys) -> Cosignature:
    key = _known_key(line, COSIGNATURE, keys)
    seconds, signature = int.from_bytes(line.signature[:_TIMESTAMP_SIZE], "big"), line.signature[_TIMESTAMP_SIZE:]
    if len(signature) != SIGNATURE_SIZE or seconds > _LAST_SECOND:
        raise ProofError(f"The cosignature of {line.name} is damaged.")
    if not key.verifies(signature, _cosigned(seconds, body)):
        raise ProofError(f"The cosignature of {line.name} does not hold for the checkpoint.")
    return Cosignature(line.name, datetime.fromtimestamp(seconds, UTC))
