"""The blind index: tells whether an identity is known without keeping the identity in a form that can be enumerated.

A token is HMAC-SHA-256 under a key that exists only inside the vault. One identity is one subject: a person is found
by identity number, an organisation by its unified social credit code; what is indexed says which, so that the two can
never meet. The same key also digests requests that carry identity, for the same reason: a plain hash of an identity
number is a few hours of guessing.
"""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

DERIVED_BYTES = 32


def derived_key(root: bytes, purpose: str) -> bytes:
    """Derives 32 bytes for one purpose from the vault's root secret (RFC 5869, HKDF-SHA-256)."""
    return HKDF(algorithm=SHA256(), length=DERIVED_BYTES, salt=None, info=f"filingnet {purpose} v1".encode()).derive(
        root
    )


class BlindIndex:
    """Makes tokens under one key.

    Args:
        key: 32 bytes, from `derived_key`.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def person(self, id_number: str) -> bytes:
        """Returns the 32-byte token of a person's identity number; x and X are the same character."""
        return self._token("person", id_number.upper().encode())

    def organisation(self, uscc: str) -> bytes:
        """Returns the 32-byte token of an organisation's unified social credit code."""
        return self._token("organisation", uscc.upper().encode())

    def request(self, method: str, content: bytes) -> bytes:
        """Returns the 32-byte digest of a request that may carry identity."""
        return self._token(f"request {method}", content)

    def _token(self, kind: str, value: bytes) -> bytes:
        return hmac.digest(self._key, kind.encode() + b"\0" + value, "sha256")
