"""Ed25519 keys (RFC 8032) with which nodes sign entries, checkpoints and rejections.

A node has one signing key beside its TLS key; the private half lives in one file that only its owner can read and never
leaves the node. A key is named by the first 8 bytes of SHA-256 over its public half.
"""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from shared.durable_files import PRIVATE, write_new_file

PUBLIC_KEY_SIZE: Final = 32
"""Bytes in a public key."""

SIGNATURE_SIZE: Final = 64
"""Bytes in a signature."""


class KeyFileError(ValueError):
    """A key cannot be used. The message says in a plain sentence how to mend it."""


class VerifyingKey:
    """The public half of a signing key."""

    __slots__ = ("_key", "key_id", "public_bytes")

    def __init__(self, public_bytes: bytes) -> None:
        """Takes a raw public key.

        Args:
            public_bytes: 32 bytes.

        Raises:
            KeyFileError: it is not a public key.
        """
        if len(public_bytes) != PUBLIC_KEY_SIZE:
            raise KeyFileError("A public key must be 32 bytes long; copy the whole Ed25519 key.")
        self.public_bytes = bytes(public_bytes)
        self.key_id = sha256(self.public_bytes).digest()[:8].hex()
        self._key = Ed25519PublicKey.from_public_bytes(self.public_bytes)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tells whether this key made the signature over exactly these bytes.

        Args:
            signature: 64 bytes; any other length is no signature.
            data: what was signed.
        """
        if len(signature) != SIGNATURE_SIZE:
            return False
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        """Compares the public bytes."""
        return isinstance(other, VerifyingKey) and self.public_bytes == other.public_bytes

    def __hash__(self) -> int:
        """Hashes the public bytes."""
        return hash(self.public_bytes)

    def __repr__(self) -> str:
        """Names the key by its id."""
        return f"VerifyingKey({self.key_id})"


class SigningKey:
    """The private half, which signs. Its text form never shows it."""

    __slots__ = ("_key", "verifying_key")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Takes a private key; `generate` and `load` make one."""
        self._key = key
        self.verifying_key = VerifyingKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> SigningKey:
        """Makes a new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Reads a key from the file that `save` wrote.

        Args:
            path: a PEM file (PKCS #8, not encrypted) that nobody but its owner and group can read.

        Raises:
            KeyFileError: the file is open to everyone, or holds no Ed25519 private key.
            OSError: the file cannot be read.
        """
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            raise KeyFileError(f"Everyone can read the signing key {path.name}; run chmod 600 on it.")
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(f"{path.name} holds no readable private key; restore it from a backup.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path.name} holds a key of another kind; a signing key is Ed25519.")
        return cls(key)

    def save(self, path: Path) -> None:
        """Writes the key to a new file with mode 0600, durably. A key is never overwritten.

        Args:
            path: the file to make.

        Raises:
            FileExistsError: the file exists.
            OSError: the file cannot be written.
        """
        text = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_new_file(path, text, PRIVATE)

    def sign(self, data: bytes) -> bytes:
        """Signs exact bytes. The same bytes always give the same signature.

        Args:
            data: what to sign, with the prefix that says what it is.

        Returns:
            64 bytes.
        """
        return self._key.sign(data)

    @property
    def public_bytes(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self.verifying_key.public_bytes

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that name the key."""
        return self.verifying_key.key_id

    def __repr__(self) -> str:
        """Names the key by its id."""
        return f"SigningKey({self.key_id})"
