"""The pinned public keys of the network's nodes, as a small file for verification without a network.

The file is JSON, made to be read by people and compared by phone: one object with "nodes", each with its "name" and its
"public_keys" in base64, the newest last. Old keys stay in it, because old evidence stays true.

    {"nodes": [{"name": "regulator/330000", "public_keys": ["<44 characters>"]}]}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence

from shared.evidence.hashing import UnusableProof
from shared.evidence.keys import KeyFileError, VerifyingKey
from shared.evidence.names import is_node_name
from shared.pb.filingnet.network.v1 import directory_pb2


class KeyRing:
    """Public keys by node name."""

    def __init__(self, keys: Mapping[str, Sequence[VerifyingKey]]) -> None:
        """Takes the keys.

        Args:
            keys: node name → its keys, newest last.
        """
        self._keys = {name: tuple(keys[name]) for name in sorted(keys)}

    @classmethod
    def from_json(cls, text: str | bytes) -> KeyRing:
        """Reads a key ring file.

        Args:
            text: the file's content.

        Returns:
            The ring.

        Raises:
            UnusableProof: it is not a key ring.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UnusableProof("The key ring is not JSON; export it again from a node you trust.") from error
        nodes = document.get("nodes") if isinstance(document, dict) else None
        if not isinstance(nodes, list) or not nodes:
            raise UnusableProof('The key ring has no list "nodes"; export it again from a node you trust.')
        keys: dict[str, list[VerifyingKey]] = {}
        for node in nodes:
            name, public_keys = _node_of(node)
            if name in keys:
                raise UnusableProof(f"The key ring lists {name} twice; join its public keys in one list.")
            keys[name] = public_keys
        return cls(keys)

    @classmethod
    def from_directory(cls, directory: directory_pb2.Directory) -> KeyRing:
        """Takes the keys of every node of a directory, whatever its state: what it signed before stays signed.

        Args:
            directory: a directory that was verified before.

        Returns:
            The ring.

        Raises:
            UnusableProof: a key id is not that of its key.
        """
        keys: dict[str, list[VerifyingKey]] = {}
        for node in directory.nodes:
            for signing_key in node.signing_keys:
                key = _key_of(signing_key.public_key, node.name)
                if key.key_id != signing_key.key_id:
                    raise UnusableProof(f"A key id of {node.name} is not that of its key; correct the directory.")
                keys.setdefault(node.name, []).append(key)
        return cls(keys)

    def to_json(self) -> str:
        """Returns the content of a key ring file; the same keys give the same text."""
        nodes = [
            {"name": name, "public_keys": [base64.b64encode(key.public_bytes).decode() for key in keys]}
            for name, keys in self._keys.items()
        ]
        return json.dumps({"nodes": nodes}, indent=2) + "\n"

    def merged(self, others: Iterable[KeyRing]) -> KeyRing:
        """Returns a ring with the keys of this one and of the others, each once."""
        keys = {name: list(known) for name, known in self._keys.items()}
        for other in others:
            for name, more in other._keys.items():
                known = keys.setdefault(name, [])
                known.extend(key for key in more if key not in known)
        return KeyRing(keys)

    def keys_of(self, name: str) -> tuple[VerifyingKey, ...]:
        """Returns a node's keys, newest last; none if the node is unknown."""
        return self._keys.get(name, ())

    def lookup(self, key_id: str, origin: str) -> VerifyingKey | None:
        """Finds one key of a node.

        Args:
            key_id: 16 hexadecimal digits.
            origin: the node's name.

        Returns:
            The key, or None if the ring does not have it.
        """
        return next((key for key in self.keys_of(origin) if key.key_id == key_id), None)

    def names(self) -> tuple[str, ...]:
        """Returns the names of the nodes, sorted."""
        return tuple(self._keys)


def _node_of(node: object) -> tuple[str, list[VerifyingKey]]:
    if not isinstance(node, dict) or set(node) != {"name", "public_keys"}:
        raise UnusableProof('A node in the key ring must have just "name" and "public_keys"; correct it.')
    name, public_keys = node["name"], node["public_keys"]
    if not isinstance(name, str) or not is_node_name(name):
        raise UnusableProof('A name in the key ring is not like "regulator/330000" or "provider/wave"; correct it.')
    if not isinstance(public_keys, list) or not public_keys:
        raise UnusableProof(f"The key ring has no list of public keys for {name}; add it.")
    keys = []
    for text in public_keys:
        try:
            public_bytes = base64.b64decode(text, validate=True)
        except (TypeError, ValueError) as error:
            raise UnusableProof(f"A public key of {name} in the key ring is not base64; copy it again.") from error
        keys.append(_key_of(public_bytes, name))
    return name, keys


def _key_of(public_bytes: bytes, name: str) -> VerifyingKey:
    try:
        return VerifyingKey(public_bytes)
    except KeyFileError as error:
        raise UnusableProof(f"A public key of {name} is not 32 bytes long; copy the whole Ed25519 key.") from error
