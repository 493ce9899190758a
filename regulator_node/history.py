"""The history of one account: every revision that was ever filed of it, newest first. Nothing of it is ever removed."""

from __future__ import annotations

from typing import Final

import peewee

from regulator_node.paging import DEFAULT_PAGE, make_token, read_token
from regulator_node.prepared import Slot, run
from regulator_node.queries import OF_ACCOUNT, FilingPage, account_values, unknown_filing
from regulator_node.registered_filing import RegisteredFiling
from regulator_node.tables import FILING, READ_COLUMNS
from shared.database import Database

MOST_REVISIONS: Final = 2**31 - 1
"""Higher than any revision."""


class FilingHistory:
    """Reads histories.

    Args:
        database: the register.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revisions(
        self, jurisdiction: str, provider: str, account_id: str, page_size: int = 0, page_token: str = ""
    ) -> FilingPage:
        """Reads a page of an account's revisions, newest first.

        Args:
            jurisdiction: where it was filed.
            provider: the provider's node name.
            account_id: the account, a UUID.
            page_size: revisions a page; 0 for 50.
            page_token: from the page before; empty for the first.

        Raises:
            NotFound: FILING_UNKNOWN.
            InvalidInput: PAGE_TOKEN_WRONG.
        """
        bound_to = f"history/{jurisdiction}/{provider}/{account_id}".encode()
        limit = page_size or DEFAULT_PAGE
        values = {**account_values(jurisdiction, provider, account_id), "limit": limit + 1, "before": MOST_REVISIONS}
        if page_token:
            (values["before"],) = read_token(page_token, bound_to, 1)
        rows = await self._database.read(lambda transaction: run(transaction, "history", _query, values))
        if not rows and not page_token:
            raise unknown_filing()
        filings = [RegisteredFiling._make(row) for row in rows[:limit]]
        return FilingPage(filings, make_token(bound_to, (filings[-1].revision,)) if len(rows) > limit else "")


def _query() -> peewee.Query:
    revisions = FILING.select(READ_COLUMNS).where(*OF_ACCOUNT, FILING.revision < Slot("before"))
    return revisions.order_by(FILING.revision.desc()).limit(Slot("limit"))
