"""The text index: how public names are found by what is in them.

Chinese is written without spaces, so it is indexed by pairs of neighbouring characters; everything else by words, each
with its beginnings, so that both databases answer by looking up whole tokens and nothing else. PostgreSQL's own prefix
search would need a second index over words and SQLite's a merge of every word that begins so; a Latin word in a public
name is rare and short, and its few beginnings cost less than either.

What matches is defined here once, by `TextQuery.matches`, and the tokens only find candidates for it:

- Names and queries are compared in NFKC, casefolded, without invisible characters; what is neither letter, digit nor
  mark separates words.
- Every word of the query has to occur in the display name or in the organisation's name. A word that begins with a
  Chinese character may begin anywhere; any other begins where a word of the name begins, or right behind a Chinese
  character. How it ends is free.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import add
from typing import Final

from shared.database import Transaction
from shared.errors import InvalidInput, Violation

_DENSE: Final = (
    # Han and its marks of repetition, kana and bopomofo, Hangul, Yi: scripts found by pairs of characters.
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_DENSE_WORD: Final = re.compile(f"[{_DENSE}]+")
_PLAIN: Final = re.compile("[\u4e00-\u9fff]+")
_FOLDED: Final = re.compile("[\u4e00-\u9fff0-9a-z ]+")
_SPARSE_RUNS: Final = re.compile(f"[^{_DENSE}]+").findall
_PAIRS: Final = re.compile(f"(?=([{_DENSE}].|.[{_DENSE}]))", re.DOTALL).findall

BEGINNINGS: Final = (1, 2, 3, 4, 6, 8, 12)
"""Lengths, in characters, of the beginnings of a word that are tokens of its name."""

_LENGTHS: Final = [[length for length in BEGINNINGS if length <= whole] for whole in range(BEGINNINGS[-1] + 1)]

LOG_INDEX_BITS: Final = 48
"""Low bits of a row number of the index on SQLite, which hold the log index; above them is the province's prefix."""


class _Separators(dict[int, int | str | None]):
    """What each character becomes between normalising and splitting; filled as characters are met."""

    def __missing__(self, code: int) -> int | str | None:
        self[code] = value = self._value(code)
        return value

    @staticmethod
    def _value(code: int) -> int | str | None:
        category = unicodedata.category(chr(code))
        # Ideographs of the supplementary planes may be newer than this Python's tables.
        if 0x20000 <= code < 0x40000:
            return code
        if category == "Cf" or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
            return None
        return code if category[0] in "LNM" else " "


_SEPARATORS: Final = _Separators()


def searchable(text: str) -> str:
    """Returns a text as it is compared: words in one spelling, with spaces between them."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_SEPARATORS)


def tokens(display_name: str, organisation_name: str) -> list[str]:
    """Returns the tokens under which a filing is found.

    Args:
        display_name: the account's public name.
        organisation_name: the organisation's public name; empty for a person.

    Returns:
        Each token once. None of them holds a space.
    """
    found = dict.fromkeys(_name_tokens(display_name))
    if organisation_name:
        found.update(dict.fromkeys(_name_tokens(organisation_name)))
    return list(found)


def _name_tokens(name: str) -> Iterable[str]:
    if _PLAIN.fullmatch(name):
        # Most names: one word of ideographs that are in their only spelling. Bulk filing calls this for every row.
        return map(add, name, name[1:])
    words = name if _FOLDED.fullmatch(name) else searchable(name)
    return chain.from_iterable(map(_word_tokens, words.split()))


def _word_tokens(word: str) -> Iterable[str]:
    # A pair across the seam of scripts counts too, so that "A股" is found by its two characters.
    return chain(_PAIRS(word), *map(_beginnings, _SPARSE_RUNS(word)))


def _beginnings(run: str) -> list[str]:
    return [run[:length] for length in _LENGTHS[min(len(run), BEGINNINGS[-1])]]


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text to search for.

    Attributes:
        tokens: each has to be a token of a filing that matches.
        words: patterns, each of which has to be found in the filing's searchable names.
    """

    tokens: tuple[str, ...]
    words: tuple[re.Pattern[str], ...]

    def matches(self, display_name: str, organisation_name: str) -> bool:
        """Returns whether a filing with these names is one that was searched for."""
        text = searchable(f"{display_name}\n{organisation_name}")
        return all(word.search(text) for word in self.words)


def parse_query(text: str) -> TextQuery:
    """Reads the text of a filter.

    Args:
        text: what an officer typed; not empty.

    Returns:
        The query.

    Raises:
        InvalidInput: TEXT_TOO_SHORT, there is nothing to search for, or a single Chinese character.
    """
    words = list(dict.fromkeys(searchable(text).split()))
    if not words or any(len(word) == 1 and _DENSE_WORD.match(word) for word in words):
        mend = "write two or more neighbouring Chinese characters, or the beginning of a word in another script"
        raise InvalidInput(
            f"the text is too short: {mend}", "TEXT_TOO_SHORT", [Violation("filter.text", "TEXT_TOO_SHORT", mend)]
        )
    found = dict.fromkeys(chain.from_iterable(map(_query_tokens, words)))
    return TextQuery(tuple(found), tuple(map(_pattern, words)))


def _query_tokens(word: str) -> Iterable[str]:
    longest = (_beginnings(run)[-1:] for run in _SPARSE_RUNS(word))
    return chain(_PAIRS(word), *longest)


def _pattern(word: str) -> re.Pattern[str]:
    if _DENSE_WORD.match(word):
        return re.compile(re.escape(word))
    return re.compile(f"(?<![^ {_DENSE}]){re.escape(word)}")


def row_number(jurisdiction: str, log_index: int) -> int:
    """Returns the row of the index on SQLite for a filing: the province's two digits, then the log index."""
    return int(jurisdiction[:2]) << LOG_INDEX_BITS | log_index


def insert_rows(transaction: Transaction, rows: Sequence[tuple[str, int, list[str]]]) -> None:
    """Indexes filings.

    Args:
        transaction: where the filings themselves are inserted.
        rows: jurisdiction, log index and tokens of each.
    """
    if transaction.dialect == "sqlite":
        transaction.insert_many(
            "filing_text",
            ("rowid", "tokens"),
            [(row_number(jurisdiction, index), " ".join(found)) for jurisdiction, index, found in rows],
        )
    else:
        transaction.insert_many("filing_text", ("jurisdiction", "log_index", "tokens"), rows)


def delete_rows(transaction: Transaction, rows: Sequence[tuple[str, int, list[str]]]) -> None:
    """Takes filings out of the index, so that no part of it names them any more.

    Args:
        transaction: where the filings themselves are removed.
        rows: jurisdiction, log index and tokens of each, as they were indexed.
    """
    if transaction.dialect == "sqlite":
        # Otherwise a deletion is noted beside what it deletes, which stays until the parts of the index are merged.
        transaction.execute("INSERT INTO filing_text (filing_text, rank) VALUES ('secure-delete', 1)")
        transaction.executemany(
            "INSERT INTO filing_text (filing_text, rowid, tokens) VALUES ('delete', ?, ?)",
            [(row_number(jurisdiction, index), " ".join(found)) for jurisdiction, index, found in rows],
        )
    else:
        transaction.executemany(
            "DELETE FROM filing_text WHERE jurisdiction = ? AND log_index = ?", [row[:2] for row in rows]
        )


def match_expression(query: TextQuery) -> str:
    """Returns the query in the language of SQLite's FTS5. A token holds letters, digits and marks only, so no quote."""
    return " AND ".join(f'"{token}"' for token in query.tokens)
