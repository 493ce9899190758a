"""Providers that moved: what a departure means to the register, and in which logs a provider's history stands (Art. 3).

A log is never rewritten, so that the history of a provider that moved stands in several: what it filed where. What is
asked of an account, a grant or a measure is therefore asked of all of them. At the nation a departure also queues the
provider's whole history for the province that it moves to, itself as the last of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from regulator_node.feed_positions import last_position
from shared.database import Transaction
from shared.errors import FailedPrecondition
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.regions import NATION

LOGS_OF_PROVIDER: Final = "SELECT jurisdiction FROM station WHERE provider = "
"""Reads the logs of a provider that moved; to be followed by the provider."""

_HISTORY: Final = (
    "INSERT INTO region_feed (region, position, jurisdiction, log_index)"
    " SELECT ?, ? + ROW_NUMBER() OVER (ORDER BY h.log_index), h.jurisdiction, h.log_index FROM ("
    "SELECT jurisdiction, log_index FROM log_entry WHERE jurisdiction = ? AND origin = ?"
    " UNION SELECT jurisdiction, log_index FROM directive WHERE jurisdiction = ? AND addressee = ?) h"
)


def apply_departures(
    transaction: Transaction,
    jurisdiction: str,
    entries: Sequence[tuple[int, entry_pb2.Entry]],
    *,
    feed_regions: bool,
) -> None:
    """Applies departures.

    Args:
        transaction: where they are applied.
        jurisdiction: whose log.
        entries: pairs of log index and entry, all of which hold a departure.
        feed_regions: whether to queue the history for the province that the provider moves to (the nation does).
    """
    for index, entry in entries:
        provider, departure = entry.origin, entry.departure
        columns = ("provider", "number", "jurisdiction", "log_index", "to_jurisdiction")
        row = (provider, departure.number, jurisdiction, index, departure.to_jurisdiction)
        transaction.insert_many("departure", columns, [row])
        for place in (jurisdiction, departure.to_jurisdiction):
            transaction.execute(
                "INSERT INTO station (provider, jurisdiction) VALUES (?, ?)"
                " ON CONFLICT (provider, jurisdiction) DO NOTHING",
                (provider, place),
            )
        if feed_regions:
            _feed_history(transaction, provider, departure.number, departure.to_jurisdiction)
            _feed_departure(transaction, provider, jurisdiction, index, departure.to_jurisdiction)


def departures_held(transaction: Transaction, provider: str) -> int:
    """Reads the number of the newest departure of a provider that this register holds; 0 for none."""
    ((number,),) = transaction.execute("SELECT COALESCE(MAX(number), 0) FROM departure WHERE provider = ?", (provider,))
    return int(number)


def moved_to(transaction: Transaction, provider: str) -> str | None:
    """Reads where a provider moved to last; None where it never moved."""
    rows = transaction.execute(
        "SELECT to_jurisdiction FROM departure WHERE provider = ? ORDER BY number DESC LIMIT 1", (provider,)
    )
    return str(rows[0][0]) if rows else None


def logs_of(transaction: Transaction, jurisdiction: str, provider: str) -> tuple[str, ...]:
    """Reads in which logs a provider's history may stand: a regulator's, and where the provider moved, all of its others.

    Args:
        transaction: a read.
        jurisdiction: the regulator's.
        provider: the provider's node name.
    """
    rows = transaction.execute(f"{LOGS_OF_PROVIDER}? ORDER BY jurisdiction", (provider,))
    return (jurisdiction, *(place for (place,) in rows if place != jurisdiction))


def decided_logs(transaction: Transaction, jurisdiction: str, provider: str) -> tuple[str, ...]:
    """Reads in which logs that stands of a provider which a regulator decides on: all where the provider files with it.

    Raises:
        FailedPrecondition: PROVIDER_MOVED, it files with another regulator now.
    """
    place = moved_to(transaction, provider)
    if place is None:
        return (jurisdiction,)
    logs = logs_of(transaction, jurisdiction, provider)
    if place == jurisdiction:
        return logs
    if (jurisdiction,) == logs[:1] and _filed_here(transaction, jurisdiction, provider):
        message = f"{provider} files with regulator/{place} now, which has its history: decide there"
        raise FailedPrecondition(message, "PROVIDER_MOVED")
    return (jurisdiction,)


def bring_along(
    transaction: Transaction, table: str, key: str, keys: Collection[bytes], jurisdiction: str, provider: str
) -> None:
    """Moves how something stands to the log of its newest statement, where an earlier one is in another log.

    Args:
        transaction: in which the statement is applied, before it.
        table: holds one row for each, with the log of its newest statement: `label_grant` or another such table.
        key: its column beside jurisdiction and provider.
        keys: which rows.
        jurisdiction: the log of the statement.
        provider: the provider's node name.
    """
    for place in logs_of(transaction, jurisdiction, provider)[1:]:
        transaction.execute(
            f"UPDATE {table} SET jurisdiction = ? WHERE jurisdiction = ? AND provider = ?"  # noqa: S608
            f" AND {key} IN ({marks(keys)})",
            (jurisdiction, place, provider, *keys),
        )


def marks(values: Collection[object]) -> str:
    """Returns a parameter for each of some values, e.g. "?, ?"."""
    return ", ".join("?" * len(values))


def _filed_here(transaction: Transaction, jurisdiction: str, provider: str) -> bool:
    query = "SELECT 1 FROM departure WHERE provider = ? AND jurisdiction = ? LIMIT 1"
    return bool(transaction.execute(query, (provider, jurisdiction)))


def _feed_history(transaction: Transaction, provider: str, number: int, region: str) -> None:
    logs = [
        place
        for (place,) in transaction.execute(
            "SELECT jurisdiction FROM departure WHERE provider = ? AND number <= ? GROUP BY jurisdiction"
            " ORDER BY MAX(number)",
            (provider, number),
        )
    ]
    for place in logs:
        if region not in (place, NATION):
            last = last_position(transaction, region)
            transaction.execute(_HISTORY, (region, last, place, provider, place, provider))


def _feed_departure(transaction: Transaction, provider: str, jurisdiction: str, index: int, to: str) -> None:
    # Whoever holds filings of the provider, for subjects of its region, has to know that newer ones come out of another log.
    regions = transaction.execute(
        "SELECT DISTINCT subject_region FROM filing WHERE jurisdiction = ? AND provider = ?", (jurisdiction, provider)
    )
    for (region,) in sorted(regions):
        if region not in (jurisdiction, to, NATION):
            transaction.execute(
                "INSERT INTO region_feed (region, position, jurisdiction, log_index) VALUES (?, ?, ?, ?)",
                (region, last_position(transaction, region) + 1, jurisdiction, index),
            )
