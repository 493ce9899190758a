"""C2SP signed notes: a text and below it the signatures of those who stand by it (c2sp.org/signed-note).

The format is kept to the byte, so that any implementation can read ours: the text ends in a newline, an empty line
follows, then one line per signature, "— <name> <base64 of 4 bytes of key hash and the signature>". Base64 is accepted
in its one canonical form only, so that no bit of a note can change unnoticed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keys import SIGNATURE_SIZE, SigningKey, VerifyingKey

ED25519: Final = 0x01
"""Signature type of an Ed25519 signature over the text."""

COSIGNATURE: Final = 0x04
"""Signature type of a witness's timestamped cosignature (c2sp.org/tlog-cosignature)."""

MAX_NOTE_BYTES: Final = 65536
"""Longest note that is read, in bytes."""

MAX_SIGNATURES: Final = 64
"""Most signature lines that are read; the format asks for at least 16."""

_KEY_HASH_SIZE: Final = 4
_KEY_NAME: Final = re.compile(r"[^\s+]+")
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")

Keys = VerifyingKey | Sequence[VerifyingKey]
"""The key of a signer, or several while or after a key is rotated."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, not verified."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart, not verified: its text must not be believed."""

    text: str
    signatures: tuple[NoteSignature, ...]


def keys_in(keys: Keys) -> tuple[VerifyingKey, ...]:
    """Returns one key or several as a tuple."""
    return (keys,) if isinstance(keys, VerifyingKey) else tuple(keys)


def key_hash(name: str, signature_type: int, public_key: bytes) -> bytes:
    """Names a signer's key within a note.

    Args:
        name: the signer's key name.
        signature_type: `ED25519` or `COSIGNATURE`.
        public_key: raw public key, 32 bytes.

    Returns:
        The first 4 bytes of SHA-256(name || newline || type || public key).
    """
    return sha256(name.encode() + b"\n" + bytes([signature_type]) + public_key).digest()[:_KEY_HASH_SIZE]


def signature_line(name: str, hashed_key: bytes, signature: bytes) -> bytes:
    """Writes one signature line.

    Args:
        name: the signer's key name: not empty, without white space or "+".
        hashed_key: 4 bytes, see `key_hash`.
        signature: what the signature type prescribes.

    Returns:
        The line with its newline.

    Raises:
        ValueError: the name is not allowed.
    """
    if not _is_key_name(name):
        raise ValueError("a key name must not be empty or hold white space or a plus sign")
    return f"— {name} {base64.b64encode(hashed_key + signature).decode()}\n".encode()


def sign_note(text: str, name: str, key: SigningKey) -> bytes:
    """Signs a text.

    Args:
        text: ends in a newline; no control characters but newlines.
        name: the signer's key name: a node name.
        key: the signer's key.

    Returns:
        The whole note.

    Raises:
        ValueError: the text or the name is not allowed.
    """
    if not text.endswith("\n") or _has_control_characters(text):
        raise ValueError("the text of a note must end in a newline and hold no control characters")
    hashed_key = key_hash(name, ED25519, key.public_bytes)
    return text.encode() + b"\n" + signature_line(name, hashed_key, key.sign(text.encode()))


def parse_note(note: bytes) -> Note:
    """Takes a note apart without verifying it.

    Args:
        note: the whole note.

    Returns:
        Its text and its signature lines.

    Raises:
        UnusableProof: it is not a signed note.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise UnusableProof("The signed note is longer than 65,536 bytes; fetch it again.")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableProof("The signed note is not UTF-8 text; fetch it again as it was sent.") from error
    text, separator, tail = whole.rpartition("\n\n")
    if not separator or not tail.endswith("\n") or _has_control_characters(whole):
        raise UnusableProof("The signed note is cut or damaged; fetch it again as it was sent.")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise UnusableProof("The signed note has more than 64 signatures; ask for one with fewer.")
    return Note(text + "\n", tuple(_parse_line(line) for line in lines))


def verify_note(note: bytes, keys: Mapping[str, Keys]) -> tuple[str, tuple[str, ...]]:
    """Verifies a note against known Ed25519 keys. Signatures by other keys are ignored, as the format asks.

    Args:
        note: the whole note.
        keys: key name → key or keys.

    Returns:
        The text, and the names whose signatures hold, in the note's order.

    Raises:
        UnusableProof: it is not a signed note, or none of the known keys signed it.
        ProofError: a signature by a known key does not hold.
    """
    parsed = parse_note(note)
    names: list[str] = []
    for line in parsed.signatures:
        key = find_key(line, ED25519, keys.get(line.name, ()))
        if key is None:
            continue
        if not key.verifies(line.signature, parsed.text.encode()):
            raise ProofError(f"The signature of {line.name} does not hold for the text of the note.")
        if line.name not in names:
            names.append(line.name)
    if not names:
        raise UnusableProof("None of the given keys signed the note; give the key of its signer.")
    return parsed.text, tuple(names)


def find_key(line: NoteSignature, signature_type: int, keys: Keys) -> VerifyingKey | None:
    """Finds the key that a signature line names, for one signature type; None if it is not among the keys."""
    for key in keys_in(keys):
        if key_hash(line.name, signature_type, key.public_bytes) == line.key_hash:
            return key
    return None


def _is_key_name(name: str) -> bool:
    return _KEY_NAME.fullmatch(name) is not None


def _has_control_characters(text: str) -> bool:
    return _CONTROL_CHARACTER.search(text) is not None


def _parse_line(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_key_name(parts[1]):
        raise UnusableProof("A signature line of the note is damaged; fetch the note again as it was sent.")
    try:
        data = base64.b64decode(parts[2], validate=True)
    except (ValueError, binascii.Error) as error:
        raise UnusableProof("A signature of the note is not base64; fetch the note again as it was sent.") from error
    if len(data) < _KEY_HASH_SIZE + SIGNATURE_SIZE or base64.b64encode(data).decode() != parts[2]:
        raise UnusableProof("A signature of the note is cut or damaged; fetch the note again as it was sent.")
    return NoteSignature(parts[1], data[:_KEY_HASH_SIZE], data[_KEY_HASH_SIZE:])
