"""Which filings a query is about, and what that means in SQL.

A search shows one revision of each account:

- Without a time, the newest revision that the register holds. A withdrawal is a revision like any other, with the state
  WITHDRAWN.
- As of a time, the revision that held then: of those filed by then and in effect by then, the highest; with the state
  it had then, so that a later decision is not shown. An account whose first revision had not taken effect is not shown.

Pages belong together. The first one notes the filed time of the newest filing of the register, and the later ones show
the register as it stood with that filing: an account that is filed anew in between is found where it was, once. This is
exact because the entries of a log never go back in time (`log.RegisterLog.append`); in a copy of another log that lags
behind, a filing that arrives in between counts from the time at which it was filed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import peewee

from regulator_node.prepared import Slot
from regulator_node.register import ACCEPTED, FILED, RETURNED
from regulator_node.registered_filing import Position
from regulator_node.tables import INDEXED_COLUMNS, LATER_FILING, NEWEST, FilingTable
from regulator_node.text_index import TextQuery, parse_query

END_OF_TIME: Final = 2**62
"""Later than any time in the register, in microseconds since 1970."""


_NOT_REPLACED_ELSEWHERE: Final = peewee.SQL(
    "NOT EXISTS (SELECT 1 FROM station s JOIN filing m ON m.jurisdiction = s.jurisdiction AND m.provider = s.provider"
    " WHERE s.provider = f.provider AND s.jurisdiction <> f.jurisdiction AND m.account_id = f.account_id"
    " AND m.revision > f.revision AND m.filed_time <= ? AND m.effective_time <= ?)",
    [Slot("known"), Slot("as_of")],
)
"""No later revision held, in another log of a provider that moved (Art. 3)."""


class Order(IntEnum):
    """Order of filings by filed time, with the numbers of the wire."""

    NEWEST_FIRST = 1
    OLDEST_FIRST = 2


@dataclass(frozen=True, slots=True)
class FilingFilter:
    """Which filings. What is empty, 0 or None does not filter.

    Attributes:
        jurisdiction: where filed, GB/T 2260.
        provider: the provider's node name.
        category: category code.
        subject_kind: number of the subject kind.
        subject_region: region of the subject, GB/T 2260.
        state: number of the state.
        filed_from: filed at or after, microseconds since 1970.
        filed_before: filed before, microseconds since 1970.
        text: in the public names, see text_index.
        as_of: the register as it stood at this time, microseconds since 1970; None for now.
    """

    jurisdiction: str = ""
    provider: str = ""
    category: str = ""
    subject_kind: int = 0
    subject_region: str = ""
    state: int = 0
    filed_from: int | None = None
    filed_before: int | None = None
    text: str = ""
    as_of: int | None = None

    def text_query(self) -> TextQuery | None:
        """Returns what its text searches for; None without a text.

        Raises:
            InvalidInput: TEXT_TOO_SHORT.
        """
        return parse_query(self.text) if self.text else None

    def equalities(self) -> Mapping[str, str | int]:
        """Returns the values that columns with an index must have."""
        return {column: value for column in INDEXED_COLUMNS if (value := getattr(self, column))}

    def digest(self, order: Order) -> bytes:
        """Returns what binds a page token to this filter and an order: 32 bytes."""
        values = tuple(getattr(self, name) for name in self.__slots__)
        return hashlib.sha256(repr((int(order), *values)).encode()).digest()


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter at a state of the register.

    Attributes:
        filter: which filings.
        known: filed time of the last filing that is taken into account; None for all there are.
    """

    filter: FilingFilter
    known: int | None

    @classmethod
    def of(cls, filing_filter: FilingFilter, pinned: int | None) -> Selection:
        """Selects by a filter.

        Args:
            filing_filter: which filings.
            pinned: filed time of the newest filing when the first page was read; None for the first page.
        """
        times = [time for time in (pinned, filing_filter.as_of) if time is not None]
        return cls(filing_filter, min(times, default=None))

    @property
    def shape(self) -> tuple[object, ...]:
        """Tells the conditions of this selection from those of any other, apart from their values."""
        given, (first, last) = self.filter, self.filed_times()
        return (
            *(column for column in given.equalities() if column != "state"),
            # As of a time, each state is asked for in its own way.
            given.state if given.as_of is not None else given.state > 0,
            first > 0,
            last < END_OF_TIME,
            given.as_of is not None,
            self.known is not None,
        )

    def values(self) -> dict[str, object]:
        """Returns the values of the conditions' slots."""
        first, last = self.filed_times()
        times = {"first": first, "last": last, "known": self.known, "as_of": self.filter.as_of}
        return {**self.filter.equalities(), **times}

    def conditions(self, filing: FilingTable) -> list[peewee.Expression]:
        """Returns what a revision must be, apart from being the one of its account that is shown."""
        given, (first, last) = self.filter, self.filed_times()
        found = [getattr(filing, column) == Slot(column) for column in given.equalities() if column != "state"]
        if given.state:
            found.append(self._has_state(filing))
        if first > 0:
            found.append(filing.filed_time >= Slot("first"))
        if last < END_OF_TIME:
            found.append(filing.filed_time <= Slot("last"))
        if given.as_of is not None:
            found.append(filing.effective_time <= Slot("as_of"))
        return found

    def filed_times(self) -> tuple[int, int]:
        """Returns the first and the last filed time that is selected, in microseconds since 1970."""
        given = self.filter
        ends = [END_OF_TIME if self.known is None else self.known]
        if given.filed_before is not None:
            ends.append(given.filed_before - 1)
        return given.filed_from or 0, min(ends)

    def index_values(self) -> Mapping[str, str | int]:
        """Returns the columns, with their values, whose index finds every filing that is selected."""
        values = dict(self.filter.equalities())
        if self.filter.as_of is not None and self.filter.state == FILED:
            # Those decided later were FILED then.
            del values["state"]
        return values

    def shown(self, filing: FilingTable) -> peewee.Expression:
        """Returns when a revision is the one of its account that is shown."""
        if self.known is None:
            return NEWEST == peewee.SQL("1")
        return filing.superseded_time.is_null() | self.shown_though_replaced(filing)

    def shown_though_replaced(self, filing: FilingTable) -> peewee.Expression:
        """Returns when a revision that was replaced is nevertheless the one that is shown."""
        if self.filter.as_of is None:
            return filing.superseded_time > Slot("known")
        later = LATER_FILING
        replacement = peewee.fn.EXISTS(
            later.select(peewee.SQL("1")).where(
                (later.jurisdiction == filing.jurisdiction)
                & (later.provider == filing.provider)
                & (later.account_id == filing.account_id)
                & (later.revision > filing.revision)
                & (later.filed_time <= Slot("known"))
                & (later.effective_time <= Slot("as_of"))
            )
        )
        none: peewee.Expression = ~replacement & _NOT_REPLACED_ELSEWHERE
        return none

    def _has_state(self, filing: FilingTable) -> peewee.Expression:
        state, as_of = Slot("state"), Slot("as_of")
        if self.filter.as_of is None:
            return filing.state == state
        if self.filter.state == FILED:
            return (filing.state == state) | (filing.decided_time > as_of)
        if self.filter.state in (ACCEPTED, RETURNED):
            return (filing.state == state) & (filing.decided_time <= as_of)
        return filing.state == state


def beyond(filing: FilingTable, order: Order, place: str) -> peewee.Expression:
    """Returns when a filing comes after a place in an order; its slots are filled with `place_values`."""
    here, there = _columns_and_slots(filing, place)
    found: peewee.Expression = here < there if order is Order.NEWEST_FIRST else here > there
    return found


def up_to(filing: FilingTable, order: Order, place: str) -> peewee.Expression:
    """Returns when a filing comes before a place in an order, or is there."""
    here, there = _columns_and_slots(filing, place)
    found: peewee.Expression = here >= there if order is Order.NEWEST_FIRST else here <= there
    return found


def place_values(place: str, position: Position | None) -> dict[str, object]:
    """Returns the values of the slots of a place; none where there is no position."""
    if position is None:
        return {}
    return {f"{place}_{field}": value for field, value in zip(Position._fields, position, strict=True)}


def _columns_and_slots(filing: FilingTable, place: str) -> tuple[Any, Any]:
    columns = peewee.Tuple(filing.filed_time, filing.jurisdiction, filing.log_index)
    return columns, peewee.Tuple(*(Slot(f"{place}_{field}") for field in Position._fields))


def ordering(filing: FilingTable, order: Order) -> list[peewee.Ordering]:
    """Returns the ORDER BY of an order."""
    columns = (filing.filed_time, filing.jurisdiction, filing.log_index)
    return [column.desc() if order is Order.NEWEST_FIRST else column.asc() for column in columns]
