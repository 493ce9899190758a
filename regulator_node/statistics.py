"""Counts filings by one or two dimensions, over the filter of a search (Art. 7(4)).

What is counted is what the search would show: one revision of each account. Months are those of China Standard Time.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import peewee

from regulator_node import text_search
from regulator_node.filing_filter import FilingFilter, Order, Selection
from regulator_node.index_choice import IndexChoice
from regulator_node.prepared import Slot, run
from regulator_node.register import ACCEPTED, FILED, RETURNED, WITHDRAWN
from regulator_node.registered_filing import RegisteredFiling
from regulator_node.tables import FILED_INDEX, FILING, INDEXED_COLUMNS, FilingTable, by_index, index_of
from regulator_node.text_index import TextQuery
from shared.database import Database, Transaction
from shared.errors import Exhausted
from shared.provisions.subjects import SubjectKind

MAX_ROWS: Final = 30_000
"""Most rows of one answer, which has to fit into a message of 4 MiB."""


class Dimension(IntEnum):
    """What to count by, with the numbers of the wire."""

    JURISDICTION = 1
    PROVIDER = 2
    CATEGORY = 3
    SUBJECT_KIND = 4
    SUBJECT_REGION = 5
    STATE = 6
    FILED_MONTH = 7


@dataclass(frozen=True, slots=True)
class Count:
    """The values of the dimensions, in the order asked, and the number of filings."""

    keys: tuple[str, ...]
    count: int


STATE_NAMES: Final = {FILED: "filed", ACCEPTED: "accepted", RETURNED: "returned", WITHDRAWN: "withdrawn"}
"""What a state is called in a count."""

_COLUMNS: Final[dict[Dimension, str]] = {
    dimension: dimension.name.lower() for dimension in Dimension if dimension != Dimension.FILED_MONTH
}
_HOUR: Final = 3600 * 1_000_000
_DAY: Final = 24 * _HOUR
_CHINA_OFFSET: Final = 8 * _HOUR
_EPOCH: Final = datetime.date(1970, 1, 1)

_Key = tuple[str | int, ...]


class FilingStatistics:
    """Counts in the register.

    Args:
        database: the register.
        max_rows: most rows of one answer.
    """

    def __init__(self, database: Database, max_rows: int = MAX_ROWS) -> None:
        self._database = database
        self._max_rows = max_rows
        self._indexes = IndexChoice()

    async def count(self, filing_filter: FilingFilter, dimensions: Sequence[Dimension]) -> list[Count]:
        """Counts the filings that match.

        Args:
            filing_filter: which filings.
            dimensions: one or two.

        Returns:
            One row per combination that occurs, by keys.

        Raises:
            InvalidInput: TEXT_TOO_SHORT.
            Exhausted: STATISTICS_TOO_LARGE, more than 30,000 combinations occur.
        """
        query = filing_filter.text_query()
        selection = Selection.of(filing_filter, None)

        def work(transaction: Transaction) -> list[Count]:
            if query is not None:
                return _rows(_count_found(transaction, selection, query, dimensions), dimensions, self._max_rows)
            filing = self._table(transaction, selection, dimensions)
            return _rows(_count_rows(transaction, filing, selection, dimensions), dimensions, self._max_rows)

        return await self._database.read(work)

    def _table(self, transaction: Transaction, selection: Selection, dimensions: Sequence[Dimension]) -> FilingTable:
        """Returns the table by the index that holds what is counted, or that finds the fewest rows."""
        if selection.index_values() and selection.known is None:
            return by_index(transaction.dialect, self._indexes.choose(transaction, selection))
        columns = {_COLUMNS.get(dimension, "") for dimension in dimensions} - {""}
        if selection.known is None and len(columns) < 2 and columns <= set(INDEXED_COLUMNS):
            return by_index(transaction.dialect, index_of(columns.pop()) if columns else FILED_INDEX)
        return FILING


def _count_rows(
    transaction: Transaction, filing: FilingTable, selection: Selection, dimensions: Sequence[Dimension]
) -> Counter[_Key]:
    def make() -> peewee.Query:
        columns = [_value(filing, dimension, selection) for dimension in dimensions]
        places = [peewee.SQL(str(number)) for number in range(1, len(columns) + 1)]
        counted = filing.select(*columns, peewee.fn.COUNT(peewee.SQL("*")))
        return counted.where(selection.shown(filing), *selection.conditions(filing)).group_by(*places)

    shape = ("count", filing.index, tuple(dimensions), selection.shape)
    return Counter({tuple(key): count for *key, count in run(transaction, shape, make, selection.values())})


def _value(filing: FilingTable, dimension: Dimension, selection: Selection) -> peewee.Node:
    if dimension is Dimension.FILED_MONTH:
        # By days, which both databases reckon alike; months are made of them afterwards.
        return (filing.filed_time + peewee.SQL(str(_CHINA_OFFSET))) / peewee.SQL(str(_DAY))
    if dimension is Dimension.STATE and selection.filter.as_of is not None:
        return peewee.Case(None, [(filing.decided_time > Slot("as_of"), peewee.SQL(str(FILED)))], filing.state)
    column: peewee.Column = getattr(filing, _COLUMNS[dimension])
    return column


def _count_found(
    transaction: Transaction, selection: Selection, query: TextQuery, dimensions: Sequence[Dimension]
) -> Counter[_Key]:
    found = text_search.stream(transaction, selection, query, Order.OLDEST_FIRST)
    as_of = selection.filter.as_of
    return Counter(tuple(_value_of(filing.known_at(as_of), each) for each in dimensions) for filing in found)


def _rows(counted: Counter[_Key], dimensions: Sequence[Dimension], max_rows: int) -> list[Count]:
    counts: Counter[tuple[str, ...]] = Counter()
    for key, count in counted.items():
        counts[tuple(map(_named, dimensions, key))] += count
    if len(counts) > max_rows:
        raise Exhausted(
            f"there are more than {max_rows} rows to count: narrow the filter or count by one dimension",
            "STATISTICS_TOO_LARGE",
        )
    return [Count(keys, count) for keys, count in sorted(counts.items())]


def _value_of(filing: RegisteredFiling, dimension: Dimension) -> str | int:
    if dimension is Dimension.FILED_MONTH:
        return (filing.filed_time + _CHINA_OFFSET) // _DAY
    value: str | int = getattr(filing, _COLUMNS[dimension])
    return value


def _named(dimension: Dimension, value: str | int) -> str:
    if dimension is Dimension.FILED_MONTH:
        return (_EPOCH + datetime.timedelta(days=int(value))).isoformat()[:7]
    if dimension is Dimension.STATE:
        return STATE_NAMES[int(value)]
    if dimension is Dimension.SUBJECT_KIND:
        return SubjectKind(int(value)).name.lower()
    return str(value)
