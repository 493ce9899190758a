"""Who makes a call: a name, a role, and the jurisdiction that the role is held in.

A caller is made from a certificate and the directory, from a bearer token's record or from the socket the call came in
by; never from a field of the request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.pb.filingnet.network.v1 import directory_pb2


class Role(StrEnum):
    """What a caller is."""

    NATION = "nation"
    """The national regulator's node."""
    PROVINCE = "province"
    """A provincial regulator's node."""
    PROVIDER = "provider"
    """A provider's node."""
    READER = "reader"
    """An officer who reads the register."""
    REVIEWER = "reviewer"
    """An officer who reads and decides."""
    ADMINISTRATOR = "administrator"
    """An officer who also sees to the network's own affairs."""
    OPERATOR = "operator"
    """Whoever runs a regulator's node, by its own Unix socket."""
    BACKEND = "backend"
    """A provider's backend, by its node's local API."""
    ANYONE = "anyone"
    """Somebody without credentials."""


NODES: Final = frozenset({Role.NATION, Role.PROVINCE, Role.PROVIDER})
"""Roles of nodes."""

OFFICERS: Final = frozenset({Role.READER, Role.REVIEWER, Role.ADMINISTRATOR})
"""Roles of officers."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        name: a node's name, the name of an officer's post, "operator", "backend" or "anyone".
        role: what it is.
        jurisdiction: of a node by the directory, of an officer by the certificate or the token's record; the node's own
            for local callers; empty for anyone.
        serial_number: of the certificate, hexadecimal; empty without one.
        expire_time: when what it was known by ends; None where nothing ends.
        state: a NodeState; that of the directory for nodes, active for everyone else.
        issuer: PEM of the network's CA that signed the certificate; empty without one of the network.
    """

    name: str
    role: Role
    jurisdiction: str
    serial_number: str = ""
    expire_time: datetime | None = None
    state: int = directory_pb2.NODE_STATE_ACTIVE
    issuer: str = field(default="", repr=False)
