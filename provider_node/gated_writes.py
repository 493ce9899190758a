"""Changes of measures: committed, then in force at the gate, then answered; finished whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from provider_node.gate import Gate
from shared.changes import Changes
from shared.database import Database, Transaction

T = TypeVar("T")


class GatedWrites:
    """Writes what concerns measures, appeals, orders and reports.

    Args:
        database: the node's own.
        gate: told of every change after its commit and before its call is answered.
        changes: told when a due time may have changed.
        on_queued: called after something was queued.
    """

    def __init__(self, database: Database, gate: Gate, changes: Changes, on_queued: Callable[[], None]) -> None:
        self.database = database
        self._gate = gate
        self._changes = changes
        self._on_queued = on_queued

    async def write(self, work: Callable[[Transaction], T], account_ids: Sequence[str] = ()) -> T:
        """Commits a work.

        Args:
            work: to be run in a write.
            account_ids: the accounts of which it changes what the gate answers.
        """
        return await self._gate.changing(account_ids, self._write(work))

    def announce(self, account_ids: Sequence[str]) -> None:
        """Lets the gate know of accounts that somebody else's commit changed, and wakes everybody."""
        self._gate.changed(account_ids)
        self._changes.notify()
        self._on_queued()

    def sent(self) -> None:
        """Wakes the sender after a commit that queued something and brought no due time nearer."""
        self._on_queued()

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        result = await self.database.write(work)
        self._changes.notify()
        self._on_queued()
        return result
