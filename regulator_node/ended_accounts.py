"""Accounts that were withdrawn and of which every entry was disposed of (Art. 8(2)): their ids, and nothing else.

A withdrawn account takes no further filing, and that stays so when nothing is left by which it could be seen: another
regulator may hold the account's entries still, and could store no second account of the same id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from regulator_node.register_departures import marks
from shared.database import Transaction


def keep_ended(transaction: Transaction, places: Iterable[tuple[str, int]]) -> None:
    """Keeps the accounts of filings that are about to be removed, each with its last revision."""
    for place in places:
        transaction.execute(
            "INSERT INTO ended_account (provider, account_id, revision)"
            " SELECT provider, account_id, revision FROM filing WHERE jurisdiction = ? AND log_index = ?"
            " ON CONFLICT (provider, account_id) DO UPDATE SET revision = excluded.revision"
            " WHERE excluded.revision > ended_account.revision",
            place,
        )


def read_ended(transaction: Transaction, provider: str, accounts: Collection[bytes]) -> dict[bytes, int]:
    """Reads which of a provider's accounts have ended so, with their last revision."""
    if not accounts or not transaction.execute("SELECT 1 FROM ended_account WHERE provider = ? LIMIT 1", (provider,)):
        return {}
    rows = transaction.execute(
        f"SELECT account_id, revision FROM ended_account WHERE provider = ? AND account_id IN ({marks(accounts)})",  # noqa: S608
        (provider, *accounts),
    )
    return {bytes(account): revision for account, revision in rows}
