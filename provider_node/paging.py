"""Page tokens: where the next page begins, as an opaque word that fits only the list it came from."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Final

from shared.errors import InvalidInput, Violation

DEFAULT_PAGE_SIZE: Final = 100
"""Rows on a page where the caller asks for no number."""

_NUMBERS: Final = 2**63

Position = Sequence[int | str]
"""The sort key of the last row on a page."""


def page_token(of_list: str, last: Position) -> str:
    """Makes the token of the page after a row.

    Args:
        of_list: names the list with its filter, so that a token cannot be used for another.
        last: the sort key of the last row on this page.
    """
    text = json.dumps([of_list, *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(of_list: str, token: str, first: Position) -> Position:
    """Reads a token.

    Args:
        of_list: names the list, as in `page_token`.
        token: from the page before; empty for the first page.
        first: what to return for the first page; it also says how many values of which types a position has.

    Raises:
        InvalidInput: PAGE_TOKEN_WRONG, the token was changed or belongs to another list.
    """
    if not token:
        return first
    try:
        read = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, list) or read[:1] != [of_list] or not _is_place(read[1:], first):
        mend = "send the token of the page before, for the same list and filter, or none for the first page"
        raise InvalidInput(
            "the page token does not belong to this list",
            "PAGE_TOKEN_WRONG",
            [Violation("page_token", "PAGE_TOKEN_WRONG", mend)],
        )
    return read[1:]


def _is_place(read: list[object], first: Position) -> bool:
    """Tells whether a position has values of the right types that every database can look for."""
    if [type(each) for each in read] != [*map(type, first)]:
        return False
    return all(abs(each) < _NUMBERS if isinstance(each, int) else str(each).isprintable() for each in read)
