"""Page tokens: where a page ended, bound to the query that it belongs to.

A token gives no right to anything, so it is not secret; but a token that was cut, changed or taken from another query
would show pages that do not follow one another, and is refused.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from typing import Final, NoReturn

from shared.errors import InvalidInput, Violation

DEFAULT_PAGE: Final = 50
"""Rows a page where the caller names no size."""

_CHECK_BYTES: Final = 8


def make_token(bound_to: bytes, numbers: Sequence[int]) -> str:
    """Makes a token.

    Args:
        bound_to: what identifies the query: its kind, filter and order.
        numbers: where the page ended, each a signed number of 64 bits.

    Returns:
        Text of the URL-safe base64 alphabet, about 11 characters a number and 11 more.
    """
    packed = struct.pack(f">{len(numbers)}q", *numbers)
    return base64.urlsafe_b64encode(_check(bound_to, packed) + packed).rstrip(b"=").decode()


def read_token(token: str, bound_to: bytes, count: int, *, field: str = "page_token") -> tuple[int, ...]:
    """Reads a token.

    Args:
        token: as `make_token` made it.
        bound_to: what identifies the query that is asked now.
        count: how many numbers it holds.
        field: the field of the request that holds it.

    Returns:
        The numbers.

    Raises:
        InvalidInput: PAGE_TOKEN_WRONG, it was made for another query, or by nobody.
    """
    try:
        data = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        _refuse(field)
    check, packed = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
    if len(packed) != 8 * count or check != _check(bound_to, packed):
        _refuse(field)
    return struct.unpack(f">{count}q", packed)


def _check(bound_to: bytes, packed: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(bound_to).digest() + packed).digest()[:_CHECK_BYTES]


def _refuse(field: str) -> NoReturn:
    mend = "send the token of the page before with the same filter and order, or none to begin"
    raise InvalidInput(
        f"the page token is not of this query: {mend}", "PAGE_TOKEN_WRONG", [Violation(field, "PAGE_TOKEN_WRONG", mend)]
    ) from None
