"""Envelope encryption and the blind index: bound to their place, and to a key that exists once."""

from __future__ import annotations

import pytest

from provider_node.blind_index import BlindIndex, derived_key
from provider_node.envelope import new_key, open_field, seal_field, unwrap_key, wrap_key
from provider_node.master_key import KEY_BYTES, MasterKeys
from shared.errors import Internal

MASTERS = MasterKeys({1: b"a" * KEY_BYTES, 2: b"b" * KEY_BYTES})
FIELD = ("identity", b"row", "phone", 1)


@pytest.mark.parametrize(
    ("table", "row", "column", "version"),
    [
        ("other", b"row", "phone", 1),
        ("identity", b"other", "phone", 1),
        ("identity", b"row", "real_name", 1),
        ("identity", b"row", "phone", 2),
    ],
)
def test_field_opens_only_in_its_place(table: str, row: bytes, column: str, version: int) -> None:
    """A ciphertext moved to another table, row, column or key version does not open."""
    key = new_key()
    sealed = seal_field(key, *FIELD, "样例")
    assert "样例" == open_field(key, *FIELD, sealed)
    with pytest.raises(Internal):
        open_field(key, table, row, column, version, sealed)


def test_field_with_a_flipped_bit_does_not_open() -> None:
    """Any bit of a sealed value that changes is noticed, and a value that was cut is no crash."""
    key = new_key()
    sealed = seal_field(key, *FIELD, "样例")
    for place in range(len(sealed)):
        bent = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(Internal):
            open_field(key, *FIELD, bent)
    for length in (0, 5, 12, 20):
        with pytest.raises(Internal):
            open_field(key, *FIELD, sealed[:length])


def test_same_text_is_sealed_differently_each_time() -> None:
    """Equal values do not show as equal ciphertexts."""
    key = new_key()
    assert seal_field(key, *FIELD, "样例") != seal_field(key, *FIELD, "样例")


@pytest.mark.parametrize("moved", [(b"other", 1, 2), (b"owner", 2, 2), (b"owner", 1, 1)])
def test_key_unwraps_only_for_its_owner(moved: tuple[bytes, int, int]) -> None:
    """A wrapped key of another subject, version or master key does not unwrap; the newest master key wraps."""
    key = new_key()
    master_version, wrapped = wrap_key(MASTERS, b"owner", 1, key)
    assert (2, key) == (master_version, unwrap_key(MASTERS, b"owner", 1, 2, wrapped))
    with pytest.raises(Internal):
        unwrap_key(MASTERS, *moved, wrapped)


def test_tokens_never_meet() -> None:
    """A person, an organisation and a request of the same characters have different tokens, and so under other keys."""
    index, other = BlindIndex(derived_key(b"r" * KEY_BYTES, "blind index")), BlindIndex(b"o" * KEY_BYTES)
    text = "91330000000000012B"
    tokens = [index.person(text), index.organisation(text), index.request("m", text.encode()), other.person(text)]
    assert (4, {32}) == (len(set(tokens)), {len(token) for token in tokens})
    assert index.request("a", b"bc") != index.request("ab", b"c")
    assert derived_key(b"r" * KEY_BYTES, "blind index") != derived_key(b"r" * KEY_BYTES, "vault file")
