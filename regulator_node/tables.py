"""The register's tables as queries see them: unbound, so that one process can ask several registers.

SQLite keeps no statistics of its own accord and without them takes any index that fits; a query therefore says which
one it goes by. PostgreSQL is left to its planner.
"""

from __future__ import annotations

from typing import Any, Final

import peewee

FILING_COLUMNS: Final = (
    "jurisdiction",
    "log_index",
    "provider",
    "account_id",
    "revision",
    "display_name",
    "category",
    "subject_kind",
    "person_reference",
    "uscc",
    "organisation_name",
    "subject_region",
    "state",
    "filed_time",
    "effective_time",
    "superseded_time",
    "decided_time",
    "reason",
    "fields",
    "note",
)
"""What a query reads of a filing, in the order of `RegisteredFiling`."""

READ_COLUMNS: Final = peewee.SQL(", ".join(f"f.{column}" for column in FILING_COLUMNS))
"""The same as one piece of SQL: peewee takes longer to write out twenty columns than SQLite to read fifty rows."""

NEWEST: Final = peewee.SQL("(CASE WHEN f.superseded_time IS NULL THEN 1 ELSE 0 END)")
"""1 for the newest revision of an account, 0 for one that was replaced; as the indexes have it."""

INDEXED_COLUMNS: Final = ("jurisdiction", "provider", "category", "subject_kind", "subject_region", "state")
"""Columns with an index of their own (`index_of`): column, NEWEST, filed_time, jurisdiction, log_index."""


def index_of(column: str) -> str:
    """Returns the name of a column's own index."""
    return f"filing_{column}"


FILED_INDEX: Final = "filing_filed"
"""The index of all filings in the order of pages: NEWEST, filed_time, jurisdiction, log_index."""


class FilingTable(peewee.Table):
    """The table `filing` under the alias f.

    Args:
        index: the index that SQLite is to go by; empty to leave it to SQLite.
        alias: for a second look at the same table.
    """

    jurisdiction: peewee.Column
    log_index: peewee.Column
    provider: peewee.Column
    account_id: peewee.Column
    revision: peewee.Column
    subject_kind: peewee.Column
    state: peewee.Column
    filed_time: peewee.Column
    effective_time: peewee.Column
    superseded_time: peewee.Column
    decided_time: peewee.Column

    def __init__(self, index: str = "", *, alias: str = "f") -> None:
        super().__init__("filing", (*FILING_COLUMNS, "action", "decision_index"), alias=alias)
        self.index = index

    def __sql__(self, context: Any) -> Any:
        """Writes the table, and the index behind it where it is read from."""
        context = super().__sql__(context)  # type: ignore[no-untyped-call]
        if self.index and context.scope == peewee.SCOPE_SOURCE:
            context.literal(f" INDEXED BY {self.index}")
        return context


FILING: Final = FilingTable()
"""The table `filing` with no index named."""

LATER_FILING: Final = FilingTable(alias="later")
"""The same table, for the revisions after one."""

FILING_TEXT: Final = peewee.Table("filing_text", alias="t")
"""The text index: `rowid` on SQLite, `jurisdiction`, `log_index` and `tokens` on PostgreSQL."""


def by_index(dialect: str, index: str) -> FilingTable:
    """Returns the table `filing`, read by an index on SQLite and by the planner's choice on PostgreSQL."""
    return _BY_INDEX[index] if dialect == "sqlite" else FILING


_BY_INDEX: Final = {index: FilingTable(index) for index in (FILED_INDEX, *map(index_of, INDEXED_COLUMNS))}
