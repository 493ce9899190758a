"""Exports: every filing that matches, oldest first, page by page, resumable after any page.

The cursor of a page holds where the page ended and the state of the register when the export began, so that a resumed
export goes on with the same filings in the same order: each account once, whatever is filed meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from regulator_node.filing_filter import FilingFilter, Order, Selection
from regulator_node.filing_pages import FilingReader, newest_filed_time
from regulator_node.index_choice import IndexChoice
from regulator_node.queries import FilingPage, make_place, read_place
from shared.database import Database, Transaction

EXPORT_PAGE: Final = 1000
"""Filings a page; of the longest texts they take less than 2 MiB."""


class FilingExport:
    """Exports the register.

    Args:
        database: the register.
        page_size: filings a page.
    """

    def __init__(self, database: Database, page_size: int = EXPORT_PAGE) -> None:
        self._database = database
        self._reader = FilingReader(IndexChoice())
        self._page_size = page_size

    async def pages(self, filing_filter: FilingFilter, cursor: str = "") -> AsyncIterator[FilingPage]:
        """Reads all pages from a cursor on.

        Args:
            filing_filter: which filings.
            cursor: of the last page received; empty to begin.

        Yields:
            Pages; `next_token` is the cursor to resume after each, of the last one too.

        Raises:
            InvalidInput: TEXT_TOO_SHORT, or PAGE_TOKEN_WRONG.
        """
        bound_to = b"export" + filing_filter.digest(Order.OLDEST_FIRST)
        filing_filter.text_query()
        place = read_place(cursor, bound_to, field="cursor") if cursor else None
        if place is None:
            pinned, after = await self._database.read(newest_filed_time), None
        else:
            pinned, after = place
        selection = Selection.of(filing_filter, pinned)
        while True:
            start = after

            def work(transaction: Transaction) -> FilingPage:
                filings = self._reader.read(transaction, selection, Order.OLDEST_FIRST, start, self._page_size)  # noqa: B023
                token = make_place(bound_to, pinned, filings[-1].position) if filings else ""
                return FilingPage(filings, token)

            page = await self._database.read(work)
            if page.filings:
                after = page.filings[-1].position
                yield page
            if len(page.filings) < self._page_size:
                return
