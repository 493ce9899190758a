"""Reads filings off the indexes, page by page, in the order of their filed time (see branches)."""

from __future__ import annotations

import peewee

from regulator_node import text_search
from regulator_node.branches import branch_conditions, is_newest, read_page
from regulator_node.filing_filter import Order, Selection, ordering, place_values
from regulator_node.index_choice import IndexChoice
from regulator_node.prepared import Slot, run
from regulator_node.registered_filing import Position, RegisteredFiling
from regulator_node.tables import FILED_INDEX, READ_COLUMNS, by_index
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

        def read_branch(newest: bool, last: Position | None) -> list[RegisteredFiling]:
            def make() -> peewee.Query:
                filing = by_index(transaction.dialect, index)
                bounds = {"after": after is not None, "last": last is not None}
                page = filing.select(READ_COLUMNS).where(*branch_conditions(selection, filing, order, newest, **bounds))
                return page.order_by(*ordering(filing, order)).limit(Slot("limit"))

            shape = ("page", transaction.dialect, index, order, newest, after is None, last is None, selection.shape)
            places = {**place_values("after", after), **place_values("last", last), "limit": limit}
            rows = run(transaction, shape, make, {**selection.values(), **places})
            return list(map(RegisteredFiling._make, rows))

        return read_page(selection, order, limit, read_branch)


def newest_filed_time(transaction: Transaction) -> int:
    """Reads the filed time of the newest filing of the register; 0 for an empty one."""

    def make() -> peewee.Query:
        filing = by_index(transaction.dialect, FILED_INDEX)
        newest_first = ordering(filing, Order.NEWEST_FIRST)
        return filing.select(filing.filed_time).where(is_newest(True)).order_by(*newest_first).limit(1)

    rows = run(transaction, ("newest filed time", transaction.dialect), make, {})
    return int(rows[0][0]) if rows else 0
