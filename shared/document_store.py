"""The nation's documents as a node stores them, and which of them somebody who holds older ones is given.

The newest directory is all that a follower needs, if it holds a directory that lists the key which signed it. One that
was off while the nation replaced its signing key does not. Keys are never taken out of the directory, and a key signs
only after a directory lists it: so the first directory that lists a key was signed by one before, and leads on to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from shared.database import Transaction
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from shared.trust.names import NATION

StoredDocument = tuple[str, int, bytes]
"""Kind ("directory" or "policy"), version, and serialised SignedDocument."""

_DIRECTORY = "SELECT kind, version, signed FROM document WHERE kind = 'directory' AND version "


def store_document(transaction: Transaction, kind: str, version: int, signed: bytes) -> None:
    """Stores a document, once."""
    transaction.execute(
        "INSERT INTO document (kind, version, signed) VALUES (?, ?, ?) ON CONFLICT (kind, version) DO NOTHING",
        (kind, version, signed),
    )


def newest_documents(transaction: Transaction, after_directory: int, after_policy: int) -> list[StoredDocument]:
    """Reads the documents newer than those that are held.

    Args:
        transaction: a read.
        after_directory: the directory version held; 0 for none.
        after_policy: the policy version held; 0 for none.

    Returns:
        The newest directory first, then all newer policies in order.
    """
    directory = transaction.execute(f"{_DIRECTORY}> ? ORDER BY version DESC LIMIT 1", (after_directory,))
    policies = transaction.execute(
        "SELECT kind, version, signed FROM document WHERE kind = 'policy' AND version > ? ORDER BY version",
        (after_policy,),
    )
    return [(kind, version, bytes(signed)) for kind, version, signed in [*directory, *policies]]


def next_documents(transaction: Transaction, after_directory: int, after_policy: int) -> list[StoredDocument]:
    """Reads what a follower is given next; it asks again until there is nothing.

    Args:
        transaction: a read.
        after_directory: the directory version that it holds; 0 for none: it believes the first that it is given.
        after_policy: the policy version that it holds; 0 for none.

    Returns:
        The directory that leads on to the nation's next key, alone, where the follower lacks one; else as
        `newest_documents`.
    """
    leading = leading_directories(transaction, after_directory) if after_directory else []
    return leading[:1] or newest_documents(transaction, after_directory, after_policy)


def all_documents(transaction: Transaction) -> list[evidence_pb2.SignedDocument]:
    """Reads what whoever joins is given: the directories that lead on to each key of the nation, the newest directory, and
    every policy in order. One that joins again holds a directory, of whatever day.
    """
    leading, newest = leading_directories(transaction, 0), newest_documents(transaction, 0, 0)
    found = [*(each for each in leading if each not in newest), *newest]
    return [evidence_pb2.SignedDocument.FromString(signed) for _, _, signed in found]


def leading_directories(transaction: Transaction, after: int) -> list[StoredDocument]:
    """Reads the first directory that lists each of the nation's keys that was added after a version, in order.

    Args:
        transaction: a read.
        after: the version; 0 for that of the oldest directory that is stored.
    """
    newest = transaction.execute("SELECT MAX(version) FROM document WHERE kind = 'directory'")[0][0]
    keys = _nation_keys(transaction, newest) if newest else ()
    if len(keys) < 2:
        return []
    rows = transaction.execute("SELECT version FROM document WHERE kind = 'directory' ORDER BY version")
    stored = [version for (version,) in rows]
    held = [version for version in stored if version <= (after or stored[0])]
    known = _nation_keys(transaction, held[-1]) if held else ()
    later = stored[len(held) :]
    firsts = {
        later[bisect_left(later, True, key=lambda version, key=key: key in _nation_keys(transaction, version))]  # type: ignore[misc]
        for key in keys
        if key not in known
    }
    return [_read(transaction, version) for version in sorted(firsts)]


def _read(transaction: Transaction, version: int) -> StoredDocument:
    ((kind, _, signed),) = transaction.execute(f"{_DIRECTORY}= ?", (version,))
    return kind, version, bytes(signed)


def _nation_keys(transaction: Transaction, version: int) -> Sequence[str]:
    """Reads the ids of the nation's keys in a directory."""
    _, _, signed = _read(transaction, version)
    entry = entry_pb2.Entry.FromString(evidence_pb2.SignedDocument.FromString(signed).entry)
    return [key.key_id for node in entry.directory.nodes if node.name == NATION for key in node.signing_keys]
