"""What complainants wrote, sealed under a key of this node (Art. 5(2)), and the codes by which they ask.

The key lies in a file of its own, so that the register alone, or a backup of it, shows nobody's words. A tracking code
is 26 characters of Crockford's base 32, 130 bits under a second key, made from a random seed that is kept with the
request: a request that is sent again gets its code again, although only the digest of a code is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from regulator_node.secret_files import write_secret
from shared.errors import AlreadyExists, FailedPrecondition, Internal

KEY_FILE: Final = "complaints.key"
"""Name of the file in the node's folder that holds the key."""

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, so that a code is read out and typed without a mistake."""

CODE_CHARACTERS: Final = 26
SEED_BYTES: Final = 16
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_BITS: Final = 5


class ComplaintWords:
    """Seals words and makes tracking codes.

    Args:
        root: 32 bytes.
    """

    def __init__(self, root: bytes) -> None:
        self._words = AESGCM(_derived(root, b"words of complaints"))
        self._codes_key = _derived(root, b"tracking codes of complaints")
        self._requests_key = _derived(root, b"requests of complaints")

    @classmethod
    def load(cls, folder: Path) -> ComplaintWords:
        """Reads the node's key, and makes it, mode 0600, where the node has none yet.

        Raises:
            FailedPrecondition: COMPLAINT_KEY_WRONG, the file is no key.
        """
        path = folder / KEY_FILE
        if not path.exists():
            # Another process of this node may make it at the same moment.
            with suppress(AlreadyExists):
                write_secret(path, os.urandom(_KEY_BYTES).hex() + "\n")
        try:
            root = bytes.fromhex(path.read_text("ascii").strip())
        except ValueError:
            root = b""
        if len(root) != _KEY_BYTES:
            raise FailedPrecondition(f"{path} is damaged: restore it from the backup", "COMPLAINT_KEY_WRONG")
        return cls(root)

    def seal(self, complaint_id: bytes, column: str, text: str) -> bytes:
        """Seals a text for one column of one complaint."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._words.encrypt(nonce, text.encode(), _place(complaint_id, column))

    def open(self, complaint_id: bytes, column: str, sealed: bytes) -> str:
        """Opens what was sealed for that column.

        Raises:
            Internal: COMPLAINT_SEAL_BROKEN, it was changed, moved, or sealed under another key.
        """
        try:
            text = self._words.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _place(complaint_id, column))
        except InvalidTag:
            mend = f"a complaint does not open: restore {KEY_FILE} from the backup"
            raise Internal(mend, "COMPLAINT_SEAL_BROKEN") from None
        return text.decode()

    def tracking_code(self, seed: bytes) -> str:
        """Returns the tracking code that belongs to a random seed of 16 bytes."""
        number = int.from_bytes(hmac.digest(self._codes_key, seed, "sha256"), "big")
        return "".join(ALPHABET[number >> _BITS * place & 31] for place in range(CODE_CHARACTERS))

    def request_digest(self, content: str) -> bytes:
        """Returns by what a request that is sent again is known; without the key it tells nothing of its words."""
        return hmac.digest(self._requests_key, content.encode(), "sha256")


def tracking_digest(code: str) -> bytes:
    """Returns the SHA-256 of a tracking code: all that is stored of it, and all that travels."""
    return hashlib.sha256(code.encode()).digest()


def _place(complaint_id: bytes, column: str) -> bytes:
    return b"complaint|" + complaint_id + b"|" + column.encode()


def _derived(root: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, None, purpose).derive(root)
