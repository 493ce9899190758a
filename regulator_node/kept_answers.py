"""Answers kept with the requests that they belong to: a request that is sent again gets the same answer, for ever."""

from __future__ import annotations

import json
from typing import Any

from shared.database import Transaction
from shared.errors import Conflict


def kept_answer(transaction: Transaction, method: str, request_id: str, digest: bytes) -> Any | None:
    """Reads the answer that a request got before.

    Args:
        transaction: the one in which the request would be carried out; the caller holds a lock.
        method: under which answers are kept.
        request_id: chosen by the caller.
        digest: of what was asked, and by whom.

    Returns:
        What `keep_answer` was given; None for a request that is new.

    Raises:
        Conflict: REQUEST_ID_REUSED, another request had the id.
    """
    rows = transaction.execute(
        "SELECT digest, response FROM request WHERE request_id = ? AND method = ?", (request_id, method)
    )
    if not rows:
        return None
    if bytes(rows[0][0]) != digest:
        raise Conflict("another request had this request_id: make a new one", "REQUEST_ID_REUSED")
    return json.loads(bytes(rows[0][1]))


def keep_answer(transaction: Transaction, method: str, request_id: str, digest: bytes, answer: object) -> None:
    """Keeps an answer, in the transaction that carries the request out; it is made of what JSON knows."""
    transaction.execute(
        "INSERT INTO request (request_id, method, digest, response) VALUES (?, ?, ?, ?)",
        (request_id, method, digest, json.dumps(answer).encode()),
    )
