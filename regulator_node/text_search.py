"""Finds filings by text: candidates from the text index in the order of pages, each checked against its names.

SQLite gives the rows of its text index in the order of their numbers, forwards or backwards and from any number on, so
that the newest fifty of a million matches cost as much as fifty. A row's number is its place in the log of its
jurisdiction, and a log never goes back in time: each jurisdiction's matches come in the order of pages, and are merged.
When there are few matches altogether, all are fetched and sorted. PostgreSQL plans for itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import peewee

from regulator_node.filing_filter import END_OF_TIME, Order, Selection, beyond, ordering
from regulator_node.registered_filing import Position, RegisteredFiling
from regulator_node.tables import FILING, FILING_TEXT, NEWEST, READ_COLUMNS
from regulator_node.text_index import LOG_INDEX_BITS, TextQuery, match_expression, row_number
from shared.database import Transaction

FEW_MATCHES: Final = 400
"""Up to so many matches are fetched and sorted."""

FIRST_CHUNK: Final = 16
"""Rows read first of each of several jurisdictions."""

LARGEST_CHUNK: Final = 1000
"""Most rows read at once."""

_LOG_INDEXES: Final = 2**LOG_INDEX_BITS - 1


def find(
    transaction: Transaction, selection: Selection, query: TextQuery, order: Order, after: Position | None, limit: int
) -> list[RegisteredFiling]:
    """Finds the next filings of a selection by text.

    Args:
        transaction: a read.
        selection: which filings.
        query: the text.
        order: in which order.
        after: the place after which to begin; None for the beginning.
        limit: at most so many.
    """
    return list(islice(stream(transaction, selection, query, order, after, limit), limit))


def stream(
    transaction: Transaction,
    selection: Selection,
    query: TextQuery,
    order: Order,
    after: Position | None = None,
    expected: int = LARGEST_CHUNK,
) -> Iterator[RegisteredFiling]:
    """Finds all filings of a selection by text, a few at a time.

    Args:
        transaction: a read; the stream ends with it.
        selection: which filings.
        query: the text.
        order: in which order.
        after: the place after which to begin; None for the beginning.
        expected: how many are likely to be taken.

    Yields:
        The filings in order.
    """
    search = _SqliteSearch if transaction.dialect == "sqlite" else _PostgresqlSearch
    for filing in search(transaction, selection, query, order, after, expected).candidates():
        if query.matches(filing.display_name, filing.organisation_name):
            yield filing


class _Search:
    """One search of one transaction."""

    def __init__(
        self,
        transaction: Transaction,
        selection: Selection,
        query: TextQuery,
        order: Order,
        after: Position | None,
        expected: int,
    ) -> None:
        self._transaction = transaction
        self._selection = selection
        self._query = query
        self._order = order
        self._after = after
        self._expected = min(expected, LARGEST_CHUNK)
        self._conditions = [*selection.conditions(FILING), selection.shown(FILING)]
        if after is not None:
            self._conditions.append(beyond(FILING, order, after))

    def _rows(self, query: peewee.Select) -> list[RegisteredFiling]:
        return [RegisteredFiling._make(row) for row in self._transaction.query(query)]


class _PostgresqlSearch(_Search):
    def candidates(self) -> Iterator[RegisteredFiling]:
        """Yields what has all tokens, in order."""
        text = FILING_TEXT
        joined = FILING.join(
            text, on=(text.c.jurisdiction == FILING.jurisdiction) & (text.c.log_index == FILING.log_index)
        )
        has_tokens = peewee.SQL("t.tokens @> %s::text[]", [list(self._query.tokens)])
        place, size = self._after, self._expected
        while True:
            conditions = self._conditions if place is None else [*self._conditions, beyond(FILING, self._order, place)]
            rows = self._rows(
                joined.select(READ_COLUMNS)
                .where(has_tokens, *conditions)
                .order_by(*ordering(FILING, self._order))
                .limit(size)
            )
            yield from rows
            if len(rows) < size:
                return
            place, size = rows[-1].position, LARGEST_CHUNK


class _SqliteSearch(_Search):
    def candidates(self) -> Iterator[RegisteredFiling]:
        """Yields what has all tokens, in order."""
        match = match_expression(self._query)
        few = self._transaction.execute(
            "SELECT rowid FROM filing_text WHERE filing_text MATCH ? LIMIT ?", (match, FEW_MATCHES + 1)
        )
        self._joined = peewee.Select((FILING_TEXT.join(FILING, peewee.JOIN.CROSS),), (READ_COLUMNS,)).where(
            peewee.SQL("t.filing_text MATCH ?", [match]),
            peewee.SQL(f"f.jurisdiction = (t.rowid >> {LOG_INDEX_BITS}) || '0000'"),
            peewee.SQL(f"f.log_index = (t.rowid & {_LOG_INDEXES})"),
            *self._conditions,
        )
        if len(few) <= FEW_MATCHES:
            return iter(self._rows(self._joined.order_by(*ordering(FILING, self._order))))
        jurisdictions = self._jurisdictions()
        streams = [self._of_jurisdiction(jurisdiction, len(jurisdictions)) for jurisdiction in jurisdictions]
        newest_first = self._order is Order.NEWEST_FIRST
        return heapq.merge(*streams, key=lambda filing: filing.position, reverse=newest_first)

    def _jurisdictions(self) -> Sequence[str]:
        """Returns the jurisdictions that have filings and are selected."""
        if self._selection.filter.jurisdiction:
            return [self._selection.filter.jurisdiction]
        found: list[str] = []
        last = ""
        while True:
            ((last,),) = self._transaction.execute(
                "SELECT MIN(jurisdiction) FROM filing WHERE jurisdiction > ?", (last,)
            )
            if last is None:
                return found
            found.append(last)

    def _of_jurisdiction(self, jurisdiction: str, jurisdictions: int) -> Iterator[RegisteredFiling]:
        first, last = self._log_indexes(jurisdiction)
        size = self._expected if jurisdictions == 1 else FIRST_CHUNK
        rowid = FILING_TEXT.c.rowid
        newest_first = self._order is Order.NEWEST_FIRST
        while first <= last:
            rows = self._rows(
                self._joined.where(rowid >= row_number(jurisdiction, first), rowid <= row_number(jurisdiction, last))
                .order_by(rowid.desc() if newest_first else rowid.asc())
                .limit(size)
            )
            yield from rows
            if len(rows) < size:
                return
            if newest_first:
                last = rows[-1].log_index - 1
            else:
                first = rows[-1].log_index + 1
            size = min(2 * size, LARGEST_CHUNK)

    def _log_indexes(self, jurisdiction: str) -> tuple[int, int]:
        """Returns the first and the last log index of a jurisdiction at which a filing of this search can be."""
        start, end = self._selection.filed_times()
        if self._after is not None:
            if self._order is Order.NEWEST_FIRST:
                end = min(end, self._after.filed_time)
            else:
                start = max(start, self._after.filed_time)
        first, last = 0, _LOG_INDEXES
        if start > 0:
            first = self._edge(jurisdiction, ">=", start, "ASC", _LOG_INDEXES)
        if end < END_OF_TIME:
            last = self._edge(jurisdiction, "<=", end, "DESC", -1)
        return first, last

    def _edge(self, jurisdiction: str, sign: str, time: int, direction: str, none: int) -> int:
        """Returns the outermost log index whose filed time is within a bound."""
        found: list[int] = [
            index
            for newest in (0, 1)
            for (index,) in self._transaction.execute(
                f"SELECT log_index FROM filing AS f INDEXED BY filing_jurisdiction WHERE jurisdiction = ?"  # noqa: S608
                f" AND {NEWEST.sql} = ? AND filed_time {sign} ? ORDER BY filed_time {direction}, log_index {direction}"
                " LIMIT 1",
                (jurisdiction, newest, time),
            )
        ]
        if not found:
            return none
        return min(found) if direction == "ASC" else max(found)
