"""The history of one account: every revision that was ever filed of it, newest first. Nothing of it is ever removed."""

from __future__ import annotations

from regulator_node.paging import DEFAULT_PAGE, make_token, read_token
from regulator_node.queries import FilingPage, account_filter, unknown_filing
from regulator_node.registered_filing import RegisteredFiling
from regulator_node.tables import FILING, READ_COLUMNS
from shared.database import Database


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
        query = FILING.select(READ_COLUMNS).where(account_filter(jurisdiction, provider, account_id))
        if page_token:
            (before,) = read_token(page_token, bound_to, 1)
            query = query.where(FILING.revision < before)
        query = query.order_by(FILING.revision.desc()).limit(limit + 1)
        rows = await self._database.read(lambda transaction: transaction.query(query))
        if not rows and not page_token:
            raise unknown_filing()
        filings = [RegisteredFiling._make(row) for row in rows[:limit]]
        return FilingPage(filings, make_token(bound_to, (filings[-1].revision,)) if len(rows) > limit else "")
