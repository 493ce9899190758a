"""Answers kept with their requests: a retry gets the first answer again, whatever happened since.

A request is known by its id and method, and by a digest under the vault's key, because it may carry identity. An answer
holds no identity. Both go when their subject is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider_node.blind_index import BlindIndex
from shared.database import Transaction
from shared.errors import InvalidInput, Violation


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be sent again.

    Args:
        request_id: chosen by the caller, a UUID.
        method: what is asked, so that one id can serve several methods.
        digest: 32 bytes over everything asked.
    """

    request_id: str
    method: str
    digest: bytes


def request_of(index: BlindIndex, request_id: str, method: str, content: Sequence[object]) -> Request:
    """Makes the key of a request.

    Args:
        index: digests under the vault's key.
        request_id: chosen by the caller.
        method: what is asked.
        content: everything that is asked, in a fixed order; strings, numbers, bytes as hexadecimal, None.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Request(request_id.lower(), method, index.request(method, text.encode()))


def stored_answer(transaction: Transaction, request: Request) -> dict[str, Any] | None:
    """Returns the first answer to a request; None where it was not answered yet.

    Raises:
        InvalidInput: REQUEST_ID_REUSED, the same id came with another content.
    """
    rows = transaction.execute(
        "SELECT digest, response FROM request WHERE request_id = ? AND method = ?", (request.request_id, request.method)
    )
    if not rows:
        return None
    digest, response = rows[0]
    if bytes(digest) != request.digest:
        mend = "make a new id for a new request, and keep the id only to send the same one again"
        raise InvalidInput(
            "this request id was used for another request",
            "REQUEST_ID_REUSED",
            [Violation("request_id", "REQUEST_ID_REUSED", mend)],
        )
    answer: dict[str, Any] = json.loads(bytes(response))
    return answer


def store_answer(transaction: Transaction, request: Request, reference: bytes, answer: Mapping[str, object]) -> None:
    """Stores the answer in the transaction of what it tells of.

    Args:
        transaction: a write.
        request: what was asked.
        reference: the subject, with which the answer goes.
        answer: plain values without identity.
    """
    transaction.execute(
        "INSERT INTO request (request_id, method, digest, response, reference) VALUES (?, ?, ?, ?, ?)",
        (
            request.request_id,
            request.method,
            request.digest,
            json.dumps(answer, ensure_ascii=False).encode(),
            reference,
        ),
    )


def forget_answers(transaction: Transaction, reference: bytes) -> None:
    """Removes the answers that concern a subject."""
    transaction.execute("DELETE FROM request WHERE reference = ?", (reference,))
