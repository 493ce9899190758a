"""Compares the tables that a log makes with what replaying the log gives, row by row, and mends them by it.

What is compared follows from logs alone. What officers, the public and arrival add to it is left out here and looked at in
`fsck_derived`: how a case stands, complaints, the order in which regions and providers were fed, and the index of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from regulator_node.case_rows import DESK
from shared.database import Transaction

KEYS: Final[Mapping[str, Sequence[str]]] = {
    "filing": ("jurisdiction", "log_index"),
    "label": ("jurisdiction", "log_index"),
    "label_decision": ("jurisdiction", "log_index"),
    "duty_profile": ("jurisdiction", "log_index"),
    "escalation_decision": ("jurisdiction", "log_index"),
    "order_answer": ("jurisdiction", "log_index"),
    "account_entry": ("jurisdiction", "log_index"),
    "record_hold": ("jurisdiction", "log_index"),
    "record_hold_answer": ("jurisdiction", "log_index"),
    "directive": ("jurisdiction", "addressee", "log_index"),
    "label_grant": ("jurisdiction", "provider", "grant_id"),
    "escalation_thread": ("jurisdiction", "provider", "escalation_id"),
    "measure": ("jurisdiction", "provider", "measure_id"),
    "appeal": ("jurisdiction", "provider", "measure_id"),
    "case_file": ("jurisdiction", "case_id"),
    "case_event": ("jurisdiction", "case_id", "source", "position"),
    "case_code": ("jurisdiction", "case_id", "digest"),
}
"""The tables that follow from logs, each with its primary key."""

OTHERS: Final[Mapping[str, Mapping[str, object]]] = {
    "case_file": {"shown_state": 0, "due_time": 0, "rise_time": 0, "assignee": "", "outcome": ""}
}
"""Columns that follow from more than logs, and what they hold until that is folded in (`fsck_derived`)."""

_FROM_LOGS: Final = {"case_event": f" AND source <> '{DESK}'"}
"""The rows of a table that follow from logs, where others do not: what an officer did that no log holds."""

PAGE_INDEXES: Final = 5_000
"""Log indexes that are compared at once."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says.

    Attributes:
        table: which.
        key: values of its primary key.
        columns: which differ; none where one of the two has no such row.
        stored: whether the register has such a row.
        replayed: the row as the log makes it, all columns; None where the log makes none.
    """

    table: str
    key: Row
    columns: tuple[str, ...]
    stored: bool
    replayed: Row | None

    @property
    def problem(self) -> str:
        """Says what is wrong, without a value: a name of an account is nobody's business here."""
        if self.replayed is None:
            return "no entry of the log makes such a row"
        if not self.stored:
            return "it is missing"
        return f"not what the log says: {', '.join(self.columns)}"

    @property
    def row(self) -> str:
        """Names the row by its key."""
        return "/".join(each.hex() if isinstance(each, bytes) else str(each) for each in self.key)


def columns_of(scratch: Transaction, table: str) -> list[str]:
    """Lists a table's columns that follow from logs, as the scratch database has them."""
    names = scratch.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))
    return [name for (name,) in names if name not in OTHERS.get(table, ())]


def pages_of(jurisdiction: str, table: str, top: int) -> Iterator[tuple[str, Row]]:
    """Gives the conditions by which a table of a jurisdiction is read in pages."""
    if "log_index" not in KEYS[table]:
        yield "jurisdiction = ?", (jurisdiction,)
        return
    for start in range(0, top, PAGE_INDEXES):
        yield "jurisdiction = ? AND log_index >= ? AND log_index < ?", (jurisdiction, start, start + PAGE_INDEXES)
    yield "jurisdiction = ? AND log_index >= ?", (jurisdiction, top)


def read_rows(transaction: Transaction, table: str, columns: Sequence[str], where: str, values: Row) -> dict[Row, Row]:
    """Reads rows by primary key."""
    places = [columns.index(name) for name in KEYS[table]]
    condition = where + _FROM_LOGS.get(table, "")
    rows = transaction.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {condition}", values)  # noqa: S608
    plain = (tuple(bytes(each) if isinstance(each, memoryview) else each for each in row) for row in rows)
    return {tuple(row[place] for place in places): row for row in plain}


def compare(
    table: str, columns: Sequence[str], stored: Mapping[Row, Row], replayed: Mapping[Row, Row]
) -> list[Difference]:
    """Compares the rows of one page."""
    found = []
    for key in sorted({*stored, *replayed}, key=repr):
        mine, theirs = stored.get(key), replayed.get(key)
        if mine == theirs:
            continue
        differing: tuple[str, ...] = ()
        if mine is not None and theirs is not None:
            differing = tuple(name for name, one, other in zip(columns, mine, theirs, strict=True) if one != other)
        found.append(Difference(table, key, differing, mine is not None, theirs))
    return found


def mend(transaction: Transaction, differences: Sequence[Difference], columns: Mapping[str, Sequence[str]]) -> None:
    """Writes what the log says in place of what is stored; never touches the log.

    Args:
        transaction: a write.
        differences: what was found.
        columns: of each table.
    """
    for each in differences:
        if each.stored and each.replayed is not None and each.table in OTHERS:
            continue
        where = " AND ".join(f"{name} = ?" for name in KEYS[each.table])
        transaction.execute(f"DELETE FROM {each.table} WHERE {where}", each.key)  # noqa: S608
    for each in differences:
        if each.replayed is None:
            continue
        others, names = OTHERS.get(each.table, {}), columns[each.table]
        if each.stored and others:
            where = " AND ".join(f"{name} = ?" for name in KEYS[each.table])
            values = ", ".join(f"{name} = ?" for name in names)
            transaction.execute(f"UPDATE {each.table} SET {values} WHERE {where}", (*each.replayed, *each.key))  # noqa: S608
        else:
            transaction.insert_many(each.table, [*names, *others], [(*each.replayed, *others.values())])
