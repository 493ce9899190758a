"""The text index: which tokens a name has, and what a query finds."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulator_node.text_index import BEGINNINGS, match_expression, parse_query, row_number, searchable, tokens
from shared.errors import InvalidInput

NAMES = st.text(st.sampled_from("浙江新闻报a股ABCé1２3 ·-_ー株ば𠮷𠮷﹏😀\u0301"), max_size=20)
"""Names of Chinese, kana, Latin, digits, marks, symbols and an ideograph beyond the first plane."""


def chinese(character: str) -> bool:
    """Whether a character is written without spaces, by its name in Unicode."""
    name = unicodedata.name(character, "")
    return name.startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"))


def naive(query: str, names: list[str]) -> bool:
    """Says by walking through the names whether each word of a query is in one of them."""
    for word in searchable(query).split():
        found = False
        for text in map(searchable, names):
            for start in range(len(text) - len(word) + 1):
                begins = chinese(word[0]) or start == 0 or text[start - 1] == " " or chinese(text[start - 1])
                found = found or (text[start : start + len(word)] == word and begins)
        if not found:
            return False
    return True


@given(NAMES, NAMES, NAMES)
def test_a_query_finds_what_a_walk_through_the_names_finds(
    query: str, display_name: str, organisation_name: str
) -> None:
    """What matches is what the rule says, and the tokens never lose a match."""
    try:
        asked = parse_query(query)
    except InvalidInput:
        words = searchable(query).split()
        assert not words or any(len(word) == 1 and chinese(word) for word in words)
        return
    expected = naive(query, [display_name, organisation_name])
    assert expected == asked.matches(display_name, organisation_name)
    if expected:
        assert set(asked.tokens) <= set(tokens(display_name, organisation_name))


@given(NAMES, st.data())
def test_any_piece_of_a_name_finds_it(name: str, data: st.DataObject) -> None:
    """Two or more neighbouring Chinese characters of a name find it, wherever they are."""
    runs = ["".join(each) for each in _chinese_runs(searchable(name)) if len(each) > 1]
    if not runs:
        return
    run = data.draw(st.sampled_from(runs))
    start = data.draw(st.integers(0, len(run) - 2))
    end = data.draw(st.integers(start + 2, len(run)))
    assert parse_query(run[start:end]).matches(name, "")
    assert set(parse_query(run[start:end]).tokens) <= set(tokens(name, ""))


def _chinese_runs(text: str) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for character in text:
        if chinese(character):
            runs[-1].append(character)
        elif runs[-1]:
            runs.append([])
    return runs


@given(st.text(max_size=30), st.text(max_size=30))
def test_tokens_fit_both_databases(display_name: str, organisation_name: str) -> None:
    """Whatever a name holds, no token has ASCII but letters and digits, so that SQLite keeps it whole; each comes once."""
    found = tokens(display_name, organisation_name)
    assert len(set(found)) == len(found)
    assert all(character.isalnum() for token in found for character in token if character.isascii())
    assert all(found)


@pytest.mark.parametrize("text", ["浙", "浙 news", "浙江 省", "", " ", "·!？", "😀", "\u200b", "浙\u200b"])
def test_too_short_a_text_is_refused(text: str) -> None:
    """A single Chinese character, or nothing to search for, is refused with the mend."""
    with pytest.raises(InvalidInput) as refused:
        parse_query(text)
    assert "TEXT_TOO_SHORT" == refused.value.reason
    assert "filter.text" == refused.value.violations[0].field
    assert "two or more" in refused.value.message


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("浙江", "浙江新闻", True),
        ("江新闻", "浙江新闻", True),
        ("浙闻", "浙江新闻", False),
        ("新闻新", "新闻报闻新", False),
        ("浙江 新闻", "新闻在浙江", True),
        ("浙江·新闻", "新闻在浙江", True),
        ("NEWS", "浙江News频道", True),
        ("new", "浙江News频道", True),
        ("ews", "浙江News频道", False),
        ("news频道", "浙江News频道", True),
        ("news频道", "浙江goodnews频道", False),
        ("a股", "大A股研究", True),
        ("24小时", "新闻24小时", True),
        ("4小时", "新闻24小时", False),
        ("ｗｅｃｈａｔ", "WeChat号", True),
        ("straße", "STRASSE报", True),
        ("①号", "1号店", True),
        ("浙\u200b江", "浙江", True),
        ("international", "浙江International", True),
        ("internationally", "浙江International", False),
        ("𠮷野", "𠮷野家", True),
        ("塚本", "塚本", True),
    ],
)
def test_examples(query: str, name: str, expected: bool) -> None:
    """What officers expect of a search by name."""
    asked = parse_query(query)
    assert expected == asked.matches(name, "")
    if expected:
        assert set(asked.tokens) <= set(tokens(name, ""))


def test_a_long_word_is_looked_up_by_its_longest_beginning() -> None:
    """Beginnings are few: a word longer than the longest is found by that one and then compared."""
    assert ("international"[: BEGINNINGS[-1]],) == parse_query("internationalisation").tokens
    assert '"internationa"' == match_expression(parse_query("internationalisation"))


def test_row_numbers_keep_province_and_index() -> None:
    """A row's number says whose log and where in it, and grows with the index."""
    assert (33, 5) == divmod(row_number("330000", 5), 2**48)
    assert row_number("330000", 2**48 - 1) < row_number("340000", 0)
