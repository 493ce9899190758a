"""Queries that peewee writes once and that run many times.

Writing a query out takes peewee several times as long as reading a page by it. A query is therefore made with slots in
the places of its values, written out once for its shape, and run with the values of each call. Both databases take the
same text; the transaction knows their placeholders.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

import peewee

from shared.database import Transaction

MOST_SHAPES: Final = 4096
"""Queries kept written out; beyond, they are written anew."""


class Slot:
    """Stands for a value that is known when the query runs.

    Args:
        name: of the value.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def run(
    transaction: Transaction,
    shape: Hashable,
    make: Callable[[], peewee.Query],
    values: Mapping[str, object],
) -> list[tuple[Any, ...]]:
    """Runs a query.

    Args:
        transaction: where it runs.
        shape: tells the query from every other one that runs here, apart from the values in its slots.
        make: makes the query; called when the shape is new.
        values: what goes into the slots, by name.

    Returns:
        Its rows.
    """
    sql, parameters = _written.get(shape) or _write(shape, make())
    filled = [values[each.name] if type(each) is Slot else each for each in parameters]
    return transaction.execute(sql, filled)


_written: dict[Hashable, tuple[str, list[object]]] = {}
# Unconnected, and for its language only: `?` for a value and double quotes around names, which both databases take.
_writer: Final = peewee.SqliteDatabase(None)


def _write(shape: Hashable, query: peewee.Query) -> tuple[str, list[object]]:
    if len(_written) >= MOST_SHAPES:
        _written.clear()
    sql, parameters = _writer.get_sql_context().sql(query).query()  # type: ignore[no-untyped-call]
    _written[shape] = written = str(sql), list(parameters)
    return written
