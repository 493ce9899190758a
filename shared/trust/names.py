"""The names in certificates: SPIFFE IDs of nodes and of officers' posts, and the host name that a client pins.

A node is "regulator/<jurisdiction>" or "provider/<id>"; an officer's post is "officer/<jurisdiction>/<role>/<post>" and
never a person's name. A name is the path of a SPIFFE ID, spiffe://filingnet/<name>, and means the same everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.errors import InvalidInput
from shared.evidence.names import NATION as NATIONAL_JURISDICTION
from shared.evidence.names import is_jurisdiction, is_node_name, regulator_of
from shared.trust.callers import OFFICERS, Role

TRUST_DOMAIN: Final = "filingnet"
"""Trust domain of every SPIFFE ID, and last label of every pinned host name."""

NATION: Final = regulator_of(NATIONAL_JURISDICTION)
"""The nation's node: the trust root."""

_SPIFFE_PREFIX: Final = f"spiffe://{TRUST_DOMAIN}/"
_POST: Final = re.compile(r"[a-z][a-z0-9-]{1,39}")


@dataclass(frozen=True, slots=True)
class Officer:
    """What the name of an officer's post says."""

    jurisdiction: str
    role: Role
    post: str


def spiffe_id(name: str) -> str:
    """Returns the SPIFFE ID of a node or an officer's post.

    Args:
        name: e.g. "provider/wave".

    Raises:
        InvalidInput: NAME_WRONG, it is neither.
    """
    if not is_node_name(name) and parse_officer_name(name) is None:
        raise InvalidInput("the name is that of neither a node nor an officer's post: correct it", "NAME_WRONG")
    return _SPIFFE_PREFIX + name


def name_of(spiffe: str) -> str:
    """Returns the name that a SPIFFE ID of this network holds.

    Args:
        spiffe: e.g. "spiffe://filingnet/provider/wave".

    Raises:
        InvalidInput: NAME_WRONG, it is not one of this network's.
    """
    name = spiffe.removeprefix(_SPIFFE_PREFIX)
    if spiffe != spiffe_id(name):
        raise InvalidInput("the SPIFFE ID is not one of this network: use spiffe://filingnet/<name>", "NAME_WRONG")
    return name


def jurisdiction_of(regulator_name: str) -> str:
    """Returns the jurisdiction of a regulator, e.g. "330000" of "regulator/330000".

    Raises:
        InvalidInput: NAME_WRONG, it is not a regulator's name.
    """
    kind, _, jurisdiction = regulator_name.partition("/")
    if kind != "regulator" or not is_jurisdiction(jurisdiction):
        raise InvalidInput("the name is not a regulator's: write it like regulator/330000", "NAME_WRONG")
    return jurisdiction


def tls_host(name: str) -> str:
    """Returns the host name in a node's certificate that its clients pin, wherever it listens.

    Args:
        name: a node's name, e.g. "regulator/330000".

    Returns:
        E.g. "330000.regulator.filingnet".

    Raises:
        InvalidInput: NAME_WRONG, it is not a node's name.
    """
    if not is_node_name(name):
        raise InvalidInput("the name is not a node's: write it like regulator/330000 or provider/wave", "NAME_WRONG")
    kind, _, identifier = name.partition("/")
    return f"{identifier}.{kind}.{TRUST_DOMAIN}"


def officer_name(jurisdiction: str, role: str, post: str) -> str:
    """Returns the name of an officer's post, e.g. "officer/330000/reviewer/review-desk-2".

    Args:
        jurisdiction: the jurisdiction the officer serves.
        role: "reader", "reviewer" or "administrator".
        post: a small letter, then 1 to 39 small letters, digits and hyphens; never a person's name.

    Raises:
        InvalidInput: NAME_WRONG, a part is malformed.
    """
    name = f"officer/{jurisdiction}/{role}/{post}"
    if parse_officer_name(name) is None:
        raise InvalidInput(
            "an officer's post needs a province code, a role and a name like review-desk-2: correct them", "NAME_WRONG"
        )
    return name


def parse_officer_name(name: str) -> Officer | None:
    """Takes the name of an officer's post apart; None where it is not one."""
    parts = name.split("/")
    if len(parts) != 4 or parts[0] != "officer":
        return None
    _, jurisdiction, role, post = parts
    if not is_jurisdiction(jurisdiction) or role not in OFFICERS or _POST.fullmatch(post) is None:
        return None
    return Officer(jurisdiction, Role(role), post)
