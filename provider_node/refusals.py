"""What follows where the regulator's register refuses an entry of an account: a right that it refused is no right."""

from __future__ import annotations

from collections.abc import Collection

from provider_node.gate import Gate
from provider_node.label_rows import fold_all_again
from shared.database import Transaction


class Refusals:
    """Is told by delivery.

    Args:
        gate: lets it take effect.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def store_refused(self, transaction: Transaction, account_ids: Collection[str]) -> None:
        """Stores what it makes of the accounts' grants."""
        for account_id in sorted(account_ids):
            transaction.lock(f"account {account_id}")
        fold_all_again(transaction, account_ids)

    def refused(self, account_ids: Collection[str]) -> None:
        """Lets the gate know."""
        self._gate.changed(account_ids)
