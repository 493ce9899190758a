"""The signing keys of a node in the directory: dated, and kept for ever, so that what an old one signed stays proven."""

from __future__ import annotations

import hashlib
from datetime import datetime

from shared.pb.filingnet.network.v1 import directory_pb2


def add_signing_key(node: directory_pb2.Node, public_key: bytes, now: datetime) -> None:
    """Adds a key to a node of the directory, from now on."""
    key = node.signing_keys.add(key_id=hashlib.sha256(public_key).hexdigest()[:16], public_key=public_key)
    key.start_time.FromDatetime(now)
