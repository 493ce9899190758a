"""A page of filings out of two branches of the indexes: newest revisions, and replaced ones that still count.

Newest revisions and replaced ones stand apart in every index. A page is mostly made of newest ones; replaced ones that
still count (as of a time, or since the first page was read) are looked for only within the stretch of time that the page
covers. Nothing is sorted but one page, whatever the size of the register.
"""

from __future__ import annotations

from collections.abc import Callable

import peewee

from regulator_node.filing_filter import Order, Selection, beyond, up_to
from regulator_node.registered_filing import Position, RegisteredFiling
from regulator_node.tables import NEWEST, FilingTable

ReadBranch = Callable[[bool, Position | None], list[RegisteredFiling]]
"""Reads a branch in order from where the page begins: newest revisions or not, up to a position or all, `limit` rows."""


def read_page(selection: Selection, order: Order, limit: int, read_branch: ReadBranch) -> list[RegisteredFiling]:
    """Reads a page.

    Args:
        selection: which filings.
        order: in which order.
        limit: filings at most, also of each branch.
        read_branch: reads one branch.

    Returns:
        The filings in order.
    """
    page = read_branch(True, None)
    if selection.known is None:
        return page
    replaced = read_branch(False, page[-1].position if len(page) == limit else None)
    if not replaced:
        return page
    page += replaced
    page.sort(key=lambda filing: filing.position, reverse=order is Order.NEWEST_FIRST)
    return page[:limit]


def branch_conditions(
    selection: Selection, filing: FilingTable, order: Order, newest: bool, *, after: bool, last: bool
) -> list[peewee.Expression]:
    """Returns the conditions of a branch; `after` and `last` say which places bound it."""
    conditions = [is_newest(newest), *selection.conditions(filing)]
    if not newest:
        conditions.append(selection.shown_though_replaced(filing))
    if after:
        conditions.append(beyond(filing, order, "after"))
    if last:
        conditions.append(up_to(filing, order, "last"))
    return conditions


def is_newest(newest: bool) -> peewee.Expression:
    """Returns the condition that a revision is the newest of its account, or is not."""
    return NEWEST == peewee.SQL("1" if newest else "0")
