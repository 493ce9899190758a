"""Envelope encryption with AES-256-GCM: the master key seals data keys, a data key seals one subject's fields.

Every ciphertext is bound to its place. A field's associated data is `table|row|column|key version`, a data key's is
its subject, its own version and the version of the master key that wraps it; moved anywhere else, it does not open. A
sealed value is a random 12-byte nonce followed by ciphertext and tag.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from provider_node.master_key import KEY_BYTES, MasterKeys
from shared.errors import Internal

NONCE_BYTES = 12


def new_key() -> bytes:
    """Returns a random 256-bit key."""
    return os.urandom(KEY_BYTES)


def seal_field(data_key: bytes, table: str, row: bytes, column: str, key_version: int, text: str) -> bytes:
    """Encrypts one field of one row under its subject's data key."""
    return _seal(data_key, text.encode(), _field_place(table, row, column, key_version))


def open_field(data_key: bytes, table: str, row: bytes, column: str, key_version: int, sealed: bytes) -> str:
    """Decrypts one field.

    Raises:
        Internal: The ciphertext was changed or belongs elsewhere.
    """
    return _open(data_key, sealed, _field_place(table, row, column, key_version)).decode()


def wrap_key(masters: MasterKeys, owner: bytes, key_version: int, key: bytes) -> tuple[int, bytes]:
    """Wraps a key under the newest master key.

    Args:
        masters: The master keys at hand.
        owner: What the key belongs to: a subject's reference, or the vault itself.
        key_version: The key's own version.
        key: 32 bytes.

    Returns:
        The master key's version and the wrapped key.
    """
    version = masters.current
    return version, _seal(masters.secret(version), key, _key_place(owner, key_version, version))


def unwrap_key(masters: MasterKeys, owner: bytes, key_version: int, master_version: int, wrapped: bytes) -> bytes:
    """Unwraps a key.

    Raises:
        FailedPrecondition: That version of the master key is not at hand.
        Internal: The wrapped key was changed, belongs elsewhere, or was wrapped under another master key.
    """
    return _open(masters.secret(master_version), wrapped, _key_place(owner, key_version, master_version))


def _field_place(table: str, row: bytes, column: str, key_version: int) -> bytes:
    return f"{table}|{row.hex()}|{column}|{key_version}".encode()


def _key_place(owner: bytes, key_version: int, master_version: int) -> bytes:
    return f"key|{owner.hex()}|{key_version}|{master_version}".encode()


def _seal(key: bytes, plaintext: bytes, place: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, place)


def _open(key: bytes, sealed: bytes, place: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
    except (InvalidTag, ValueError):
        raise Internal(
            "a sealed value does not open: it was changed, moved, or sealed under another master key",
            reason="VAULT_SEAL_BROKEN",
        ) from None
