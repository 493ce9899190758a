"""What reporters and owners wrote, sealed under a key of the vault (Art. 5(2)), and the codes by which they ask.

The words lie in the node's database as AES-256-GCM ciphertexts bound to their row and column; the key is derived from
the vault's root secret and exists in memory only, so that the database alone, or a backup of it, shows nobody's words.

A tracking code is 26 characters of Crockford's base 32: 130 bits under a second key, made from a random number that is
kept with the request. A request that is sent again gets its code again, although only the digest of a code is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from provider_node.blind_index import derived_key
from provider_node.envelope import open_field, seal_field

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, so that a code is read out and typed without a mistake."""

CODE_CHARACTERS: Final = 26
SEED_BYTES: Final = 16
_BITS: Final = 5
_KEY_VERSION: Final = 1


class SealedWords:
    """Seals words and makes tracking codes.

    Args:
        root: the vault's root secret, 32 bytes.
    """

    def __init__(self, root: bytes) -> None:
        self._words_key = derived_key(root, "sealed words")
        self._codes_key = derived_key(root, "tracking codes")

    def seal(self, table: str, row: str, column: str, text: str) -> bytes:
        """Seals a text for one place in the database.

        Args:
            table: of the place.
            row: the key of the row, as text.
            column: of the place.
            text: the words.
        """
        return seal_field(self._words_key, table, row.encode(), column, _KEY_VERSION, text)

    def open(self, table: str, row: str, column: str, sealed: bytes) -> str:
        """Opens what was sealed for that place.

        Raises:
            Internal: VAULT_SEAL_BROKEN, it was changed, moved, or sealed in another vault.
        """
        return open_field(self._words_key, table, row.encode(), column, _KEY_VERSION, sealed)

    def tracking_code(self, seed: bytes) -> str:
        """Returns the tracking code that belongs to a random seed of 16 bytes."""
        number = int.from_bytes(hmac.digest(self._codes_key, seed, "sha256"), "big")
        return "".join(ALPHABET[number >> _BITS * place & 31] for place in range(CODE_CHARACTERS))


def new_seed() -> bytes:
    """Returns a random seed for a tracking code."""
    return os.urandom(SEED_BYTES)


def tracking_digest(code: str) -> bytes:
    """Returns the SHA-256 of a tracking code: all that is stored of it, and all that travels."""
    return hashlib.sha256(code.encode()).digest()
