"""Sealed words and tracking codes (Art. 5(2)): bound to their place, opaque, the same again for the same seed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_node.sealed_words import ALPHABET, CODE_CHARACTERS, SealedWords, new_seed, tracking_digest
from shared.errors import Internal

WORDS = SealedWords(b"r" * 32)


@given(st.text(max_size=2000))
def test_art_5_2_words_open_where_they_were_sealed(text: str) -> None:
    """Art. 5(2): any text opens again at its place."""
    assert text == WORDS.open("report", "a", "answer", WORDS.seal("report", "a", "answer", text))


@pytest.mark.parametrize("place", [("other", "a", "answer"), ("report", "b", "answer"), ("report", "a", "item_url")])
def test_art_5_2_words_open_nowhere_else(place: tuple[str, str, str]) -> None:
    """Art. 5(2): moved to another table, row or column, or into another vault, sealed words do not open."""
    sealed = WORDS.seal("report", "a", "answer", "言")
    for words, where in ((WORDS, place), (SealedWords(b"s" * 32), ("report", "a", "answer"))):
        with pytest.raises(Internal):
            words.open(*where, sealed)


@given(st.binary(min_size=16, max_size=16))
def test_art_5_3_tracking_codes_are_of_the_contracts_form(seed: bytes) -> None:
    """Art. 5(3): 26 characters of Crockford's base 32, the same again for the same seed, another in another vault."""
    code = WORDS.tracking_code(seed)
    assert (CODE_CHARACTERS, set()) == (len(code), set(code) - set(ALPHABET))
    assert code == WORDS.tracking_code(seed)
    assert code != SealedWords(b"s" * 32).tracking_code(seed)


def test_art_5_3_tracking_codes_do_not_repeat() -> None:
    """Art. 5(3): every seed gives another code, of which every character varies."""
    codes = {WORDS.tracking_code(new_seed()) for _ in range(2000)}
    assert (2000, 2000) == (len(codes), len({tracking_digest(code) for code in codes}))
    assert {len(ALPHABET)} == {len({code[place] for code in codes}) for place in range(CODE_CHARACTERS)}
