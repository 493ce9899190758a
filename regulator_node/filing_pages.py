"""Reads filings off the indexes, page by page, in the order of their filed time.

Newest revisions and replaced ones stand apart in every index. Newest ones are what a page is mostly made of; replaced
ones that still count (as of a time, or since the first page was read) are then looked for only within the stretch of
time that the page covers. Nothing is sorted but one page, whatever the size of the register.
"""

from __future__ import annotations

import peewee

from regulator_node import text_search
from regulator_node.filing_filter import Order, Selection, beyond, ordering, up_to
from regulator_node.index_choice import IndexChoice
from regulator_node.registered_filing import Position, RegisteredFiling
from regulator_node.tables import FILED_INDEX, NEWEST, READ_COLUMNS, by_index
from shared.database import Transaction


class FilingReader:
    """Reads filings of one register.

    Args:
        indexes: chooses the index to go by.
    """

    def __init__(self, indexes: IndexChoice) -> None:
        self._indexes = indexes

    def read(
        self, transaction: Transaction, selection: Selection, order: Order, after: Position | None, limit: int
    ) -> list[RegisteredFiling]:
        """Reads the next filings of a selection.

        Args:
            transaction: a read.
            selection: which filings.
            order: in which order.
            after: the place after which to begin; None for the beginning.
            limit: at most so many.

        Returns:
            The filings in order, each as it stood at the filter's `as_of`.

        Raises:
            InvalidInput: TEXT_TOO_SHORT.
        """
        query = selection.filter.text_query()
        if query is not None:
            found = text_search.find(transaction, selection, query, order, after, limit)
        else:
            found = self._read_page(transaction, selection, order, after, limit)
        as_of = selection.filter.as_of
        return found if as_of is None else [filing.known_at(as_of) for filing in found]

    def _read_page(
        self, transaction: Transaction, selection: Selection, order: Order, after: Position | None, limit: int
    ) -> list[RegisteredFiling]:
        index = self._indexes.choose(transaction, selection)
        page = _read_branch(transaction, selection, index, order, (after, None), limit, newest=True)
        if selection.known is None:
            return page
        last = page[-1].position if len(page) == limit else None
        replaced = _read_branch(transaction, selection, index, order, (after, last), limit, newest=False)
        if not replaced:
            return page
        page += replaced
        page.sort(key=lambda filing: filing.position, reverse=order is Order.NEWEST_FIRST)
        return page[:limit]


def newest_filed_time(transaction: Transaction) -> int:
    """Reads the filed time of the newest filing of the register; 0 for an empty one."""
    filing = by_index(transaction.dialect, FILED_INDEX)
    query = filing.select(filing.filed_time).where(_newest(True)).order_by(*ordering(filing, Order.NEWEST_FIRST))
    rows = transaction.query(query.limit(1))
    return int(rows[0][0]) if rows else 0


def _read_branch(
    transaction: Transaction,
    selection: Selection,
    index: str,
    order: Order,
    between: tuple[Position | None, Position | None],
    limit: int,
    *,
    newest: bool,
) -> list[RegisteredFiling]:
    filing = by_index(transaction.dialect, index)
    conditions = [_newest(newest), *selection.conditions(filing)]
    if not newest:
        conditions.append(selection.shown_though_replaced(filing))
    after, last = between
    if after is not None:
        conditions.append(beyond(filing, order, after))
    if last is not None:
        conditions.append(up_to(filing, order, last))
    query = filing.select(READ_COLUMNS).where(*conditions).order_by(*ordering(filing, order)).limit(limit)
    return [RegisteredFiling._make(row) for row in transaction.query(query)]


def _newest(newest: bool) -> peewee.Expression:
    return NEWEST == peewee.SQL("1" if newest else "0")
