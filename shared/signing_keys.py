"""Replacing the key with which a node signs, with overlap: what the old key signed stays proven.

The next key is made beside the one in use and its public part goes to the nation, which enters it into the directory.
Once the node holds that directory, the next key takes the place of the one in use, which is kept under its own name. Keys
of the directory are dated and never taken out, so that every entry, receipt and checkpoint verifies for ever.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from shared.errors import FailedPrecondition, InvalidInput
from shared.evidence.keys import SigningKey, VerifyingKey
from shared.joining import load_signing_key
from shared.network import NetworkView

_TITLE: Final = "filingnet signing key v1"
_HEX: Final = re.compile(r"[0-9a-f]{64}")


def next_key_file(signing_key_file: Path) -> Path:
    """Returns where the key is kept that will take another's place."""
    return signing_key_file.with_name(f"next-{signing_key_file.name}")


def prepare_next_key(signing_key_file: Path) -> str:
    """Makes the next key, or keeps the one that is made already.

    Args:
        signing_key_file: of the key in use.

    Returns:
        The text of its public part, for the nation.

    Raises:
        FailedPrecondition: KEY_UNREADABLE.
    """
    file = next_key_file(signing_key_file)
    if not file.exists():
        SigningKey.generate().save(file)
    return f"{_TITLE}\n{load_signing_key(file).public_bytes.hex()}\n"


def read_public_key(text: str) -> bytes:
    """Reads what `prepare_next_key` returned: 32 bytes.

    Raises:
        InvalidInput: KEY_FILE_WRONG.
    """
    title, _, digits = text.strip().partition("\n")
    if title.strip() != _TITLE or _HEX.fullmatch(digits.strip()) is None:
        raise InvalidInput("it is no signing key's public part: copy what signing-key next printed", "KEY_FILE_WRONG")
    return VerifyingKey(bytes.fromhex(digits.strip())).public_bytes


def use_next_key(signing_key_file: Path, view: NetworkView, name: str) -> SigningKey:
    """Puts the next key in the place of the one in use; the node is stopped meanwhile.

    Args:
        signing_key_file: of the key in use.
        view: the documents that the node holds.
        name: the node.

    Returns:
        The key that is in use now.

    Raises:
        FailedPrecondition: NEXT_KEY_MISSING; SIGNING_KEY_UNKNOWN, the directory that the node holds does not have it yet.
    """
    file = next_key_file(signing_key_file)
    if not file.exists():
        raise FailedPrecondition("there is no next key: make one with signing-key next", "NEXT_KEY_MISSING")
    key, used = load_signing_key(file), load_signing_key(signing_key_file)
    if key.verifying_key not in view.directory.keys_of(name):
        raise FailedPrecondition(
            f"the directory that this node holds does not have the key {key.key_id}: have the nation add it, then let the"
            " node run until it has heard",
            "SIGNING_KEY_UNKNOWN",
        )
    kept = signing_key_file.with_name(f"{used.key_id}-{signing_key_file.name}")
    if not kept.exists():
        kept.hardlink_to(signing_key_file)
    file.replace(signing_key_file)
    return key
