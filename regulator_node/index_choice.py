"""Chooses the index that a query with several filters goes by, where SQLite has to be told.

The index of the rarest value leaves the fewest rows to look at. How rare a value is, is counted off its index and
remembered for a minute: a filter that officers use all day costs nothing, and a choice that is out of date costs time
and never an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from regulator_node.filing_filter import Selection
from regulator_node.tables import FILED_INDEX, NEWEST, index_of
from shared.database import Transaction

MOST_COUNTED: Final = 20_000
"""Rows of an index that are counted, at most: any value above is common, and fifty of it are soon found."""

REMEMBERED_SECONDS: Final = 60.0

BY_USUAL_RARITY: Final = ("provider", "category", "subject_region", "subject_kind", "state", "jurisdiction")
"""Columns by how rare their values are as a rule: decides between common values."""

_COUNT: Final = {
    column: f"SELECT COUNT(*) FROM (SELECT 1 FROM filing AS f INDEXED BY {index_of(column)} WHERE {column} = ?"  # noqa: S608
    f" AND {NEWEST.sql} = 1 LIMIT {MOST_COUNTED})"
    for column in BY_USUAL_RARITY
}


class IndexChoice:
    """Chooses for one register; for use by several threads.

    Args:
        monotonic: tells seconds that pass.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._counted: dict[tuple[str, str | int], tuple[int, float]] = {}

    def choose(self, transaction: Transaction, selection: Selection) -> str:
        """Returns the name of the index to go by; on PostgreSQL, whose planner has its own statistics, any one."""
        values = selection.index_values()
        columns = [column for column in BY_USUAL_RARITY if column in values]
        if not columns:
            return FILED_INDEX
        if len(columns) == 1 or transaction.dialect != "sqlite":
            return index_of(columns[0])
        return index_of(min(columns, key=self._counts(transaction, values).__getitem__))

    def _counts(self, transaction: Transaction, values: Mapping[str, str | int]) -> Mapping[str, int]:
        now = self._monotonic()
        counts = {}
        for column, value in values.items():
            count, until = self._counted.get((column, value), (0, now))
            if until <= now:
                ((count,),) = transaction.execute(_COUNT[column], (value,))
                self._counted[column, value] = count, now + REMEMBERED_SECONDS
            counts[column] = count
        return counts
