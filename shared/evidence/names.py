"""The names that evidence is signed under, and how they follow from one another.

A node is "regulator/<jurisdiction>" or "provider/<id>". The log of a jurisdiction is kept and signed by its regulator;
its checkpoints carry the origin "filingnet/log/<jurisdiction>" (c2sp.org/tlog-checkpoint).
"""

from __future__ import annotations

import re
from typing import Final

from shared.evidence.hashing import UnusableProof

NATION: Final = "100000"
"""The nation's jurisdiction."""

_JURISDICTION: Final = re.compile(r"[1-8][0-9]0000")
_NODE: Final = re.compile(r"regulator/[1-8][0-9]0000|provider/[a-z][a-z0-9-]{1,30}")
_LOG_PREFIX: Final = "filingnet/log/"


def is_jurisdiction(text: str) -> bool:
    """Tells whether a text has the form of a jurisdiction: a GB/T 2260 province code, or 100000."""
    return _JURISDICTION.fullmatch(text) is not None


def is_node_name(text: str) -> bool:
    """Tells whether a text has the form of a node name."""
    return _NODE.fullmatch(text) is not None


def regulator_of(jurisdiction: str) -> str:
    """Returns the name of the node that keeps a jurisdiction's log, e.g. "regulator/330000".

    Raises:
        UnusableProof: the jurisdiction is malformed.
    """
    if not is_jurisdiction(jurisdiction):
        raise UnusableProof("The jurisdiction is not a six-digit province code that ends in 0000; correct it.")
    return f"regulator/{jurisdiction}"


def log_origin(jurisdiction: str) -> str:
    """Returns the origin line of a jurisdiction's checkpoints, e.g. "filingnet/log/330000".

    Raises:
        UnusableProof: the jurisdiction is malformed.
    """
    return _LOG_PREFIX + regulator_of(jurisdiction).removeprefix("regulator/")


def jurisdiction_of_log(origin: str) -> str:
    """Returns the jurisdiction that an origin line names.

    Raises:
        UnusableProof: the origin is not that of a log of this network.
    """
    jurisdiction = origin.removeprefix(_LOG_PREFIX)
    if not origin.startswith(_LOG_PREFIX) or not is_jurisdiction(jurisdiction):
        raise UnusableProof("The checkpoint is not one of this network: its first line is not filingnet/log/<code>.")
    return jurisdiction
