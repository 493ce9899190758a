"""Questions to the register about filings: search by filters and text, page by page without a cap, and one filing.

What a search shows, now and as of a time, and how its pages belong together, is said in `filing_filter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import peewee

from regulator_node.filing_filter import FilingFilter, Order, Selection
from regulator_node.filing_pages import FilingReader, newest_filed_time
from regulator_node.index_choice import IndexChoice
from regulator_node.paging import DEFAULT_PAGE, make_token, read_token
from regulator_node.prepared import Slot, run
from regulator_node.register_departures import LOGS_OF_PROVIDER
from regulator_node.registered_filing import Position, RegisteredFiling
from regulator_node.tables import FILING, READ_COLUMNS
from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.identifiers import id_bytes


@dataclass(frozen=True, slots=True)
class FilingPage:
    """A page of filings, and the token of the next one; empty after the last."""

    filings: Sequence[RegisteredFiling]
    next_token: str


class FilingQueries:
    """Reads the register.

    Args:
        database: the register.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = FilingReader(IndexChoice())

    async def search(
        self, filing_filter: FilingFilter, order: Order, page_size: int = 0, page_token: str = ""
    ) -> FilingPage:
        """Reads a page of the filings that match.

        Args:
            filing_filter: which filings.
            order: in which order.
            page_size: filings a page; 0 for 50.
            page_token: from the page before, with the same filter and order; empty for the first.

        Raises:
            InvalidInput: TEXT_TOO_SHORT, or PAGE_TOKEN_WRONG.
        """
        bound_to = b"search" + filing_filter.digest(order)
        place = read_place(page_token, bound_to) if page_token else None
        limit = page_size or DEFAULT_PAGE

        def work(transaction: Transaction) -> FilingPage:
            pinned, after = place or (None, None)
            selection = Selection.of(filing_filter, pinned)
            filings = self._reader.read(transaction, selection, order, after, limit + 1)
            if len(filings) <= limit:
                return FilingPage(filings, "")
            pinned = newest_filed_time(transaction) if pinned is None else pinned
            return FilingPage(filings[:limit], make_place(bound_to, pinned, filings[limit - 1].position))

        return await self._database.read(work)

    async def get(
        self, jurisdiction: str, provider: str, account_id: str, as_of: int | None = None
    ) -> RegisteredFiling:
        """Reads the filing of one account: its newest revision, or the one that held at a time.

        Args:
            jurisdiction: where it was filed.
            provider: the provider's node name.
            account_id: the account, a UUID.
            as_of: microseconds since 1970; None for now.

        Raises:
            NotFound: FILING_UNKNOWN, there is no such account, or it had no filing that held then.
        """

        def make() -> peewee.Query:
            query = FILING.select(READ_COLUMNS).where(*OF_ACCOUNT)
            if as_of is not None:
                query = query.where(FILING.filed_time <= Slot("as_of"), FILING.effective_time <= Slot("as_of"))
            return query.order_by(FILING.revision.desc()).limit(1)

        values = {**account_values(jurisdiction, provider, account_id), "as_of": as_of}
        rows = await self._database.read(lambda transaction: run(transaction, ("filing", as_of is None), make, values))
        if not rows:
            raise unknown_filing(as_of is not None)
        return RegisteredFiling._make(rows[0]).known_at(as_of)


OF_ACCOUNT: Final = (
    # Of a provider that moved, in whichever log the revision is (Art. 3).
    peewee.SQL(
        f"f.jurisdiction IN (SELECT ? UNION ALL {LOGS_OF_PROVIDER}? AND jurisdiction <> ?)",
        [Slot("jurisdiction"), Slot("provider"), Slot("jurisdiction")],
    ),
    FILING.provider == Slot("provider"),
    FILING.account_id == Slot("account"),
)
"""The condition that a row is a revision of one account."""


def account_values(jurisdiction: str, provider: str, account_id: str) -> dict[str, object]:
    """Returns the values of the slots of OF_ACCOUNT."""
    return {"jurisdiction": jurisdiction, "provider": provider, "account": id_bytes(account_id)}


def unknown_filing(at_a_time: bool = False) -> NotFound:
    """Returns the error that an account has no filing here."""
    if at_a_time:
        return NotFound("no filing of this account held at that time: ask for a later time", "FILING_UNKNOWN")
    return NotFound("there is no filing of this account: check jurisdiction, provider and account", "FILING_UNKNOWN")


def make_place(bound_to: bytes, pinned: int, position: Position) -> str:
    """Makes the token of a place in a query's pages.

    Args:
        bound_to: what identifies the query.
        pinned: filed time of the newest filing when the first page was read.
        position: of the last filing before the place.
    """
    return make_token(bound_to, (pinned, position.filed_time, int(position.jurisdiction), position.log_index))


def read_place(token: str, bound_to: bytes, *, field: str = "page_token") -> tuple[int, Position]:
    """Reads the token of a place: what it is pinned to, and the position.

    Raises:
        InvalidInput: PAGE_TOKEN_WRONG.
    """
    pinned, filed_time, jurisdiction, log_index = read_token(token, bound_to, 4, field=field)
    return pinned, Position(filed_time, f"{jurisdiction:06}", log_index)
