"""Who asked this regulator for what: every officer's call leaves an entry, committed before it is answered (Art. 5(2)).

An entry says who, in which role, which method and, in one line, what for. The line is read by the guard: whoever
searches for a person's number leaves the fact of the search here, and not the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import uuid_utils

from shared.clock import Clock, from_micros, micros
from shared.database import Database, Transaction
from shared.egress import findings
from shared.errors import InvalidInput, Violation
from shared.server import current_caller
from shared.trust.callers import Role

MAX_DETAIL: Final = 500
"""Longest detail that is kept, in characters."""

REMOVED: Final = "[identity removed]"
"""Stands for a detail in which the guard found identity data."""

DEFAULT_PAGE: Final = 100
"""Entries a page where the caller names no size."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call: when, by whom, in which role, which method, and what for."""

    time: datetime
    actor: str
    role: str
    method: str
    detail: str


class Audit:
    """The audit trail of one regulator.

    Args:
        database: the register.
        jurisdiction: this regulator's.
        clock: tells the time.
    """

    def __init__(self, database: Database, jurisdiction: str, clock: Clock) -> None:
        self._database = database
        self._jurisdiction = jurisdiction
        self._clock = clock

    async def record(self, method: str, detail: str) -> None:
        """Records the call that is being served; durable when it returns.

        Args:
            method: full method name.
            detail: what was asked, in one line, without its bulk; never a secret.
        """
        caller = current_caller()
        who, now = (caller.name[:80], str(caller.role)[:40]), self._clock()
        await self._database.write(
            lambda transaction: _insert(transaction, self._jurisdiction, now, who, method[:120], detail)
        )

    async def page(self, page_size: int, page_token: str) -> tuple[list[AuditEntry], str]:
        """Reads a page of the trail, newest first.

        Args:
            page_size: entries a page; 0 for 100.
            page_token: from the page before; empty for the first.

        Returns:
            The entries and the token of the next page; empty after the last.

        Raises:
            InvalidInput: PAGE_TOKEN_WRONG.
        """
        limit = page_size or DEFAULT_PAGE
        before = _position(page_token)
        rows = await self._database.read(
            lambda transaction: transaction.execute(
                "SELECT audit_id, audit_time, actor, role, method, detail FROM audit"
                " WHERE jurisdiction = ? AND audit_id < ? ORDER BY audit_id DESC LIMIT ?",
                (self._jurisdiction, before, limit + 1),
            )
        )
        entries = [AuditEntry(from_micros(time), *rest) for _, time, *rest in rows[:limit]]
        return entries, bytes(rows[limit - 1][0]).hex() if len(rows) > limit else ""


def record_command(transaction: Transaction, jurisdiction: str, now: datetime, command: str, detail: str) -> None:
    """Records a command of the operator at a stopped node, in the transaction of what it does.

    Args:
        transaction: a write.
        jurisdiction: this regulator's.
        now: when.
        command: as it is typed.
        detail: as for `Audit.record`.
    """
    _insert(transaction, jurisdiction, now, (str(Role.OPERATOR), str(Role.OPERATOR)), command, detail)


def _insert(
    transaction: Transaction, jurisdiction: str, now: datetime, who: tuple[str, str], method: str, detail: str
) -> None:
    transaction.execute(
        "INSERT INTO audit (jurisdiction, audit_id, audit_time, actor, role, method, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (jurisdiction, uuid_utils.uuid7().bytes, micros(now), *who, method, _kept(detail)),
    )


def _kept(detail: str) -> str:
    # The whole text is read before it is cut: half a number would pass.
    return REMOVED if findings(detail) else " ".join(detail.split())[:MAX_DETAIL]


def _position(page_token: str) -> bytes:
    if not page_token:
        return b"\xff" * 16
    try:
        position = bytes.fromhex(page_token)
    except ValueError:
        position = b""
    if len(position) != 16:
        mend = "send the token of the page before, or none"
        raise InvalidInput(mend, "PAGE_TOKEN_WRONG", [Violation("page_token", "PAGE_TOKEN_WRONG", mend)])
    return position
