"""The hashes of RFC 6962 trees, and the errors of all evidence.

Leaves and inner nodes are hashed with different prefixes, so that neither can pass for the other. Whatever does not
prove what it claims ends in a `ProofError`; what cannot even be judged ends in its subclass `UnusableProof`.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32
"""Bytes in a hash."""

MAX_TREE_SIZE: Final = 2**63 - 1
"""Most leaves a tree can have: what an int64 on the wire can count."""

EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without leaves (RFC 9162, 2.1.1)."""

LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"


class ProofError(ValueError):
    """A proof does not prove what it claims. The message says in a plain sentence what failed."""


class UnusableProof(ProofError):  # noqa: N818 - a kind of ProofError, named for what the caller holds
    """What was given cannot be judged at all: it is malformed, or a key is missing. The message says how to mend it."""


def leaf_hash(data: bytes) -> bytes:
    """Hashes the exact bytes of an entry as a leaf.

    Args:
        data: the entry's bytes, any length.

    Returns:
        32 bytes: SHA-256(0x00 || data), RFC 6962, 2.1.
    """
    return sha256(LEAF_PREFIX + data).digest()


def leaf_hashes_of(entries: Iterable[bytes]) -> list[bytes]:
    """Hashes many entries as leaves, in order: `leaf_hash` of each without the price of a call."""
    sha, leaf = sha256, LEAF_PREFIX
    return [sha(leaf + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hashes two neighbouring subtrees.

    Args:
        left: root of the left subtree, 32 bytes.
        right: root of the right subtree, 32 bytes.

    Returns:
        32 bytes: SHA-256(0x01 || left || right), RFC 6962, 2.1.
    """
    return sha256(NODE_PREFIX + left + right).digest()


def split_hashes(data: bytes) -> list[bytes]:
    """Splits hashes that are stored or sent one after the other.

    Args:
        data: a multiple of 32 bytes.

    Returns:
        The hashes, 32 bytes each, in order.

    Raises:
        UnusableProof: the length is not a multiple of 32.
    """
    if len(data) % HASH_SIZE:
        raise UnusableProof("A list of hashes is cut: its length is not a multiple of 32 bytes; fetch it again.")
    return [data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE)]
