"""Page tokens and etags: opaque words that fit only where they came from."""

from __future__ import annotations

import base64
import json

import pytest

from provider_node.etags import check_etag, etag_of
from provider_node.paging import Position, page_token, position_of
from shared.errors import Conflict, InvalidInput

FIRST: Position = (-1, "")


def test_token_leads_to_its_position() -> None:
    """A page follows the one before it; the first page needs no token."""
    assert FIRST == position_of("accounts", "", FIRST)
    assert [7, "b"] == list(position_of("accounts", page_token("accounts", (7, "b")), FIRST))


@pytest.mark.parametrize(
    "token",
    [
        "%%%",
        "bm8",
        page_token("filings", (7, "b")),
        page_token("accounts", (7,)),
        page_token("accounts", ("7", "b")),
        base64.urlsafe_b64encode(json.dumps({"accounts": 7}).encode()).decode(),
    ],
)
def test_token_of_another_list_is_refused(token: str) -> None:
    """A token that was changed, or belongs to another list or filter, is refused and never guessed at."""
    with pytest.raises(InvalidInput) as refused:
        position_of("accounts", token, FIRST)
    assert "PAGE_TOKEN_WRONG" == refused.value.reason


def test_etag_stops_overwriting_what_was_not_seen() -> None:
    """An etag that is not the newest is a conflict; without one the caller overwrites on purpose."""
    check_etag("", 3, "account")
    check_etag(etag_of(3), 3, "account")
    with pytest.raises(Conflict) as refused:
        check_etag(etag_of(2), 3, "account")
    assert "ETAG_STALE" == refused.value.reason
