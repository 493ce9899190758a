"""Checks of a register what follows from logs and from more than logs: how cases stand, feeds, complaints, the text index.

How a case stands follows from all that happened to it, what officers did without a log included; so it is folded anew from
the events that are stored. Feeds hold each entry once, in the order of its log, at positions that their readers count on:
what is missing is added at the end, what is too much is taken out, and nothing is ever moved. Complaints are in no log: it
is checked that the case of each is there. The text index holds the tokens of each filing's names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from regulator_node import text_index
from regulator_node.case_rows import CaseFile, read_cases, read_happenings, read_standing
from regulator_node.feed_positions import last_position
from regulator_node.text_index import LOG_INDEX_BITS
from shared.database import Transaction
from shared.provisions.escalations import CaseEvent

PAGE: Final = 5_000
"""Filings whose tokens are looked at, or written, at once."""

FEEDS: Final = {"region_feed": "region", "passed_directive": "addressee"}
"""The tables that feed others, each with the column that says whom."""

_STANDING: Final = ("shown_state", "due_time", "rise_time", "assignee", "outcome")
_MODULI: Final = (998_244_353, 1_000_003)

Mend = Callable[[Transaction], None]


@dataclass(frozen=True, slots=True)
class Derived:
    """Something that does not follow from what it should follow from.

    Attributes:
        table: in which.
        row: which row, by its key.
        problem: what is wrong, without a value.
        mend: puts it right; None where nothing here can.
    """

    table: str
    row: str
    problem: str
    mend: Mend | None = None


def check_cases(transaction: Transaction, jurisdiction: str) -> list[Derived]:
    """Checks how the cases of a jurisdiction stand against what happened to them."""
    found = []
    for case in read_cases(transaction, "WHERE jurisdiction = ? ORDER BY case_id", (jurisdiction,)):
        row = f"{jurisdiction}/{case.case_id.hex()}"
        expected = _standing(transaction, case)
        if not expected:
            problem = "nothing that happened to it says how it was opened"
            found.append(Derived("case_file", row, problem, partial(stand, case)))
        differing = [name for name, value in expected.items() if getattr(case, name) != value]
        if differing:
            problem = f"not what follows from its events: {', '.join(differing)}"
            found.append(Derived("case_file", row, problem, partial(stand, case)))
    return found


def stand(case: CaseFile, transaction: Transaction) -> None:
    """Writes how a case stands after what happened to it."""
    expected = _standing(transaction, case)
    if not expected:
        return
    transaction.execute(
        f"UPDATE case_file SET {', '.join(f'{name} = ?' for name in expected)}"  # noqa: S608
        " WHERE jurisdiction = ? AND case_id = ?",
        (*expected.values(), case.jurisdiction, case.case_id),
    )


def _standing(transaction: Transaction, case: CaseFile) -> dict[str, Any]:
    """Folds how a case stands; nothing where its events do not say how it was opened."""
    if not any(each.event is CaseEvent.OPEN for each in read_happenings(transaction, case)):
        return {}
    standing = read_standing(transaction, case)
    values = (int(standing.shown), standing.due_time, standing.rise_time, standing.assignee, standing.outcome)
    return dict(zip(_STANDING, values, strict=True))


def check_complaints(transaction: Transaction) -> list[Derived]:
    """Checks that the case of every complaint is there, and about the same account."""
    rows = transaction.execute(
        "SELECT c.jurisdiction, c.complaint_id FROM complaint c LEFT JOIN case_file f"
        " ON f.jurisdiction = c.case_jurisdiction AND f.case_id = c.case_id AND f.account_id = c.account_id"
        " WHERE f.case_id IS NULL ORDER BY c.jurisdiction, c.complaint_id"
    )
    problem = "the case that it belongs to is not there, or is about another account"
    return [Derived("complaint", f"{place}/{bytes(key).hex()}", problem) for place, key in rows]


def read_feed(transaction: Transaction, table: str) -> dict[tuple[str, str], list[int]]:
    """Reads a feed: for each reader and log the indexes, in the order in which they are fed.

    What was disposed of is left out: it stays in the feed, by which its certificate travels, and cannot be replayed.
    """
    found: dict[tuple[str, str], list[int]] = {}
    rows = transaction.execute(
        f"SELECT {FEEDS[table]}, jurisdiction, log_index FROM {table} f WHERE NOT EXISTS (SELECT 1 FROM disposed_entry d"  # noqa: S608
        f" WHERE d.jurisdiction = f.jurisdiction AND d.log_index = f.log_index) ORDER BY {FEEDS[table]}, position"
    )
    for reader, jurisdiction, index in rows:
        found.setdefault((reader, jurisdiction), []).append(index)
    return found


def compare_feeds(
    table: str, stored: Mapping[tuple[str, str], Sequence[int]], replayed: Mapping[tuple[str, str], Sequence[int]]
) -> Iterator[Derived]:
    """Compares a feed with the one that replaying the logs gives."""
    for reader, jurisdiction in sorted({*stored, *replayed}):
        mine, theirs = stored.get((reader, jurisdiction), []), replayed.get((reader, jurisdiction), [])
        held, wanted = set(mine), set(theirs)
        place = f"{reader}/{jurisdiction}"
        for index in sorted(wanted - held):
            mend = partial(_feed, table, (reader, jurisdiction, index))
            yield Derived(table, f"{place}/{index}", "it is missing", mend)
        for index in sorted(held - wanted):
            mend = partial(_unfeed, table, (reader, jurisdiction, index))
            yield Derived(table, f"{place}/{index}", "no entry of the log makes such a row", mend)
        if held == wanted and list(dict.fromkeys(mine)) != list(dict.fromkeys(theirs)):
            yield Derived(table, place, "the order is not that of the log; whoever read it has it so")


def _feed(table: str, row: tuple[str, str, int], transaction: Transaction) -> None:
    column = FEEDS[table]
    if table == "region_feed":
        last = last_position(transaction, row[0])
    else:
        ((last,),) = transaction.execute(f"SELECT COALESCE(MAX(position), 0) FROM {table} WHERE {column} = ?", row[:1])  # noqa: S608
    transaction.insert_many(
        table, (column, "position", "jurisdiction", "log_index"), [(row[0], last + 1, row[1], row[2])]
    )


def _unfeed(table: str, row: tuple[str, str, int], transaction: Transaction) -> None:
    transaction.execute(
        f"DELETE FROM {table} WHERE {FEEDS[table]} = ? AND jurisdiction = ? AND log_index = ?",  # noqa: S608
        row,
    )


def read_terms(transaction: Transaction) -> dict[str, tuple[int, ...]]:
    """Reads off the index on SQLite how many rows each token leads to, and two sums by which these are compared."""
    sums = ", ".join(f"SUM(doc % {modulus})" for modulus in _MODULI)
    rows = transaction.execute(f"SELECT term, COUNT(*), {sums} FROM filing_text_term GROUP BY term")  # noqa: S608
    return {term: tuple(numbers) for term, *numbers in rows}


def rows_of_term(transaction: Transaction, term: str) -> set[int]:
    """Reads the rows that a token leads to."""
    return {doc for (doc,) in transaction.execute("SELECT doc FROM filing_text_term WHERE term = ?", (term,))}


def text_difference(rows: set[int]) -> list[Derived]:
    """Says which filings the index does not find, or finds by what is not in their names."""
    names = [f"{row >> LOG_INDEX_BITS}0000/{row & (1 << LOG_INDEX_BITS) - 1}" for row in sorted(rows)]
    problem = "the index does not find it by its names, or by others"
    return [Derived("filing_text", name, problem, index_anew if name == names[0] else _nothing_more) for name in names]


def check_text_rows(transaction: Transaction, filings: Sequence[tuple[str, int, str, str]]) -> list[Derived]:
    """Checks the tokens of a page of filings on PostgreSQL, where each filing has a row of them.

    Args:
        transaction: a read.
        filings: jurisdiction, log index, display name and organisation's name of neighbours in one log.
    """
    if not filings:
        return []
    place = (filings[0][0], filings[0][1], filings[-1][1])
    rows = transaction.execute(
        "SELECT log_index, tokens FROM filing_text WHERE jurisdiction = ? AND log_index BETWEEN ? AND ?", place
    )
    stored = {index: set(found) for index, found in rows}
    wanted = {index: set(text_index.tokens(display, name)) for _, index, display, name in filings}
    differing = sorted(index for index in {*stored, *wanted} if stored.get(index) != wanted.get(index))
    problem = "the index does not find it by its names, or by others"
    return [
        Derived("filing_text", f"{place[0]}/{index}", problem, partial(_index_row, place[0], index))
        for index in differing
    ]


def read_names(transaction: Transaction, jurisdiction: str, after: int) -> list[tuple[str, int, str, str]]:
    """Reads a page of filings with their names."""
    rows = transaction.execute(
        "SELECT jurisdiction, log_index, display_name, organisation_name FROM filing"
        " WHERE jurisdiction = ? AND log_index > ? ORDER BY log_index LIMIT ?",
        (jurisdiction, after, PAGE),
    )
    return [(place, index, display, name) for place, index, display, name in rows]


def index_anew(transaction: Transaction) -> None:
    """Makes the whole index on SQLite anew out of the filings: no row of it can be taken out by itself."""
    transaction.execute("INSERT INTO filing_text (filing_text) VALUES ('delete-all')")
    for (jurisdiction,) in transaction.execute("SELECT DISTINCT jurisdiction FROM filing"):
        after = -1
        while page := read_names(transaction, jurisdiction, after):
            after = page[-1][1]
            _insert(transaction, page)


def _index_row(jurisdiction: str, index: int, transaction: Transaction) -> None:
    transaction.execute("DELETE FROM filing_text WHERE jurisdiction = ? AND log_index = ?", (jurisdiction, index))
    page = read_names(transaction, jurisdiction, index - 1)
    _insert(transaction, [row for row in page if row[1] == index])


def _insert(transaction: Transaction, page: Sequence[tuple[str, int, str, str]]) -> None:
    rows = [(place, index, text_index.tokens(display, name)) for place, index, display, name in page]
    text_index.insert_rows(transaction, rows)


def _nothing_more(transaction: Transaction) -> None:
    del transaction
