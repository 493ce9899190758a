"""Finds filings by text: candidates from the text index in the order of pages, each checked against its names.

SQLite gives the rows of its text index in the order of their numbers, forwards or backwards and from any number on, so
that the newest fifty of a million matches cost as much as fifty. A row's number is its place in the log of its
jurisdiction, and a log never goes back in time: each jurisdiction's matches come in the order of pages, and are merged.
When there are few matches altogether, all are fetched and sorted. PostgreSQL plans for itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

import peewee

from regulator_node.branches import branch_conditions, read_page
from regulator_node.filing_filter import END_OF_TIME, Order, Selection, beyond, ordering, place_values
from regulator_node.prepared import Slot, run
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
        self._values = {**selection.values(), **place_values("after", after)}

    def _rows(self, kind: Hashable, make: Callable[[], peewee.Query], **values: object) -> list[RegisteredFiling]:
        shape = (kind, self._order, self._after is None, self._selection.shape)
        return list(map(RegisteredFiling._make, run(self._transaction, shape, make, {**self._values, **values})))


class _PostgresqlSearch(_Search):
    def candidates(self) -> Iterator[RegisteredFiling]:
        """Yields what has all tokens, in order."""
        self._values["tokens"] = list(self._query.tokens)
        size = self._expected
        while True:
            page = read_page(self._selection, self._order, size, partial(self._read_branch, size))
            yield from page
            if len(page) < size:
                return
            self._after = page[-1].position
            self._values.update(place_values("after", self._after))
            size = LARGEST_CHUNK

    def _read_branch(self, size: int, newest: bool, last: Position | None) -> list[RegisteredFiling]:
        make = partial(self._make, newest, last)
        return self._rows(("text branch", newest, last is None), make, **place_values("last", last), limit=size)

    def _make(self, newest: bool, last: Position | None) -> peewee.Query:
        text = FILING_TEXT
        joined = FILING.join(
            text, on=(text.c.jurisdiction == FILING.jurisdiction) & (text.c.log_index == FILING.log_index)
        )
        bounds = {"after": self._after is not None, "last": last is not None}
        page = joined.select(READ_COLUMNS).where(
            peewee.SQL("t.tokens @> ?::text[]", [Slot("tokens")]),
            *branch_conditions(self._selection, FILING, self._order, newest, **bounds),
        )
        return page.order_by(*ordering(FILING, self._order)).limit(Slot("limit"))


class _SqliteSearch(_Search):
    def candidates(self) -> Iterator[RegisteredFiling]:
        """Yields what has all tokens, in order."""
        self._values["match"] = match = match_expression(self._query)
        few = self._transaction.execute(
            "SELECT rowid FROM filing_text WHERE filing_text MATCH ? LIMIT ?", (match, FEW_MATCHES + 1)
        )
        if len(few) <= FEW_MATCHES:
            return iter(self._rows("text all", self._make_all))
        jurisdictions = self._jurisdictions()
        streams = [self._of_jurisdiction(jurisdiction, len(jurisdictions)) for jurisdiction in jurisdictions]
        newest_first = self._order is Order.NEWEST_FIRST
        return heapq.merge(*streams, key=lambda filing: filing.position, reverse=newest_first)

    def _make_all(self) -> peewee.Query:
        return self._matching().order_by(*ordering(FILING, self._order))

    def _make_stretch(self) -> peewee.Query:
        rowid = FILING_TEXT.c.rowid
        stretch = self._matching().where(rowid >= Slot("first_row"), rowid <= Slot("last_row"))
        by_row = rowid.desc() if self._order is Order.NEWEST_FIRST else rowid.asc()
        return stretch.order_by(by_row).limit(Slot("limit"))

    def _matching(self) -> peewee.Select:
        # CROSS JOIN tells SQLite to go from the matches to their filings and not the other way round.
        return peewee.Select((FILING_TEXT.join(FILING, peewee.JOIN.CROSS),), (READ_COLUMNS,)).where(
            peewee.SQL("t.filing_text MATCH ?", [Slot("match")]),
            peewee.SQL(f"f.jurisdiction = (t.rowid >> {LOG_INDEX_BITS}) || '0000'"),
            peewee.SQL(f"f.log_index = (t.rowid & {_LOG_INDEXES})"),
            *self._conditions(),
        )

    def _conditions(self) -> list[peewee.Expression]:
        conditions = [*self._selection.conditions(FILING), self._selection.shown(FILING)]
        return conditions if self._after is None else [*conditions, beyond(FILING, self._order, "after")]

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
        newest_first = self._order is Order.NEWEST_FIRST
        while first <= last:
            rows = self._rows(
                "text stretch",
                self._make_stretch,
                first_row=row_number(jurisdiction, first),
                last_row=row_number(jurisdiction, last),
                limit=size,
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
