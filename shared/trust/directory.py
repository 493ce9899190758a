"""The directory as nodes use it: everyone who takes part, made ready for a look-up at every call and every signature.

A key of the directory verifies whatever the node signed with it, whatever its start time and the node's state: what was
signed stays signed. Whether a node may call at all is asked of its state, at each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import VerifyingKey
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.names import NATION

_ROLE_BY_KIND: Final = {
    "regulator": directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR,
    "provider": directory_pb2.NODE_ROLE_PROVIDER,
}


class Directory:
    """One version of the directory. It never changes; a newer one is another object.

    Attributes:
        message: the directory as it is on the wire; not to be changed.
        version: counts the directories, from 1.
        ca_certificates: PEM of the CAs whose leaves are trusted; the last one signs.
        nodes: the nodes by name.
    """

    __slots__ = ("_denied", "_keys", "_ring", "ca_certificates", "message", "nodes", "version")

    def __init__(self, message: directory_pb2.Directory, ring: KeyRing) -> None:
        """Takes a message and its keys; `from_wire` makes one."""
        self.message = message
        self.version = message.version
        self.ca_certificates = tuple(message.ca_certificates)
        self.nodes: Mapping[str, directory_pb2.Node] = MappingProxyType({node.name: node for node in message.nodes})
        self._ring = ring
        self._keys = {(name, key.key_id): key for name in ring.names() for key in ring.keys_of(name)}
        self._denied = frozenset(row.serial_number for row in message.denied_certificates)

    @classmethod
    def from_wire(cls, message: directory_pb2.Directory) -> Directory:
        """Makes a directory ready for use.

        Args:
            message: keeps the contract's field rules; copied.

        Raises:
            UnusableProof: a node is listed twice, its role or jurisdiction is not what its name says, or a key id is
                not that of its key.
        """
        copy = directory_pb2.Directory()
        copy.CopyFrom(message)
        names: set[str] = set()
        for node in copy.nodes:
            if node.name in names:
                raise UnusableProof(f"The directory lists {node.name} twice; ask the nation for a correct one.")
            names.add(node.name)
            _check_node(node)
        return cls(copy, KeyRing.from_directory(copy))

    def node(self, name: str) -> directory_pb2.Node | None:
        """Returns a node; None where it is not in the directory. Not to be changed."""
        return self.nodes.get(name)

    def key(self, origin: str, key_id: str) -> VerifyingKey | None:
        """Returns one key of a node; None where the directory does not have it.

        Args:
            origin: the node's name.
            key_id: 16 hexadecimal digits.
        """
        return self._keys.get((origin, key_id))

    def keys_of(self, name: str) -> tuple[VerifyingKey, ...]:
        """Returns a node's keys, newest last; none where it is not in the directory."""
        return self._ring.keys_of(name)

    def key_ring(self) -> KeyRing:
        """Returns the keys of every node."""
        return self._ring

    def denied(self, serial_number: str) -> bool:
        """Tells whether a certificate is refused before its end.

        Args:
            serial_number: hexadecimal without leading zeros.
        """
        return serial_number in self._denied


def check_succession(old: Directory, new: Directory) -> None:
    """Checks that a directory may take another's place. Versions may be skipped: each directory is whole.

    Args:
        old: the one held.
        new: the one that came, signed by a key of the nation in the old one.

    Raises:
        ProofError: its version does not go forward, or the nation is not in it, so that none could ever follow it.
    """
    if new.version <= old.version:
        raise ProofError(f"The directory goes back from version {old.version} to {new.version}.")
    if new.node(NATION) is None:
        raise ProofError("The directory does not list the nation, whose keys verify the next one.")


def _check_node(node: directory_pb2.Node) -> None:
    kind, _, identifier = node.name.partition("/")
    role = directory_pb2.NODE_ROLE_NATIONAL_REGULATOR if node.name == NATION else _ROLE_BY_KIND.get(kind)
    if node.role != role:
        raise UnusableProof(
            f"The role of {node.name} is not what its name says; ask the nation for a correct directory."
        )
    if kind == "regulator" and node.jurisdiction != identifier:
        raise UnusableProof(f"The jurisdiction of {node.name} is not its own; ask the nation for a correct directory.")
