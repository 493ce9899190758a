"""Grants as the node's database knows them: what was stated, what regulators decided, and what follows from both.

A grant's row is folded out of its statements and the decisions on it, in one place, whenever one is added or refused.
A statement that the regulator's register refused never was: it gives no right and took no revision. A revocation closes
the right all the same, whatever becomes of its statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final, TypeAlias

from shared.database import Transaction
from shared.delivery.outbox import OutboxState, supersede_entries
from shared.errors import NotFound
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.labels import Approval, Grant, LabelAction, LabelRecord, grant_after, revoked
from shared.provisions.spans import FOREVER

Rows: TypeAlias = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs a SELECT with its parameters: `Transaction.execute`, or `SqliteReader.rows`."""


class LabelState(IntEnum):
    """Where a grant stands, with the numbers of the wire."""

    UNSPECIFIED = 0
    ASKED = 1
    GRANTED = 2
    OBJECTED = 3
    LAPSED = 4
    REVOKED = 5
    REFUSED = 6
    APPROVED = 7


@dataclass(slots=True)
class GrantRow:
    """A grant after its newest statement that counts, and the newest decision on that.

    Attributes:
        statements: how many were made, whatever became of them.
        revision: of the newest statement that counts; 0 where every one was refused.
        action: the number of its LabelAction.
        granted: whether it gives or gave a right: it was not only asked for.
        scope: what is granted or asked for; of what was asked for and approved, what is approved.
        end_time: likewise.
        revoked_time: when it was revoked or what was asked for withdrawn; FOREVER where neither.
        outcome: the number of the LabelOutcome that stands; 0 for none.
        reason: of that outcome, or of the revocation.
        version: grows with every change.
    """

    grant_id: str
    account_id: str
    statements: int
    revision: int
    action: int
    granted: int
    basis: int
    licence_number: str
    scope: int
    start_time: int
    end_time: int
    revoked_time: int
    outcome: int
    reason: str
    note: str
    version: int

    @property
    def grant(self) -> Grant | None:
        """What rights are derived from; None where it was only asked for."""
        if not self.granted:
            return None
        return Grant(
            self.grant_id,
            self.basis,
            self.licence_number,
            self.scope,
            self.start_time,
            self.end_time,
            self.revoked_time,
        )

    @property
    def ended(self) -> bool:
        """Whether it was revoked, or what was asked for refused: nothing but a revocation may follow."""
        return self.outcome in _ENDS or self.revoked_time != FOREVER


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement on a grant: its place among them from 1, its entry, and whether its register refused it.

    Attributes:
        waits: whether it waits behind a refused entry of the account.
    """

    position: int
    entry_id: str
    refused: bool
    waits: bool
    record: LabelRecord


@dataclass(frozen=True, slots=True)
class Decision:
    """A regulator's decision on a grant, out of its directive; times in microseconds, an unset one is 0."""

    entry_id: str
    grant_id: str
    account_id: str
    revision: int
    outcome: int
    scope: int
    end_time: int
    reason: str
    note: str
    decided_time: int
    log_index: int
    receipt: bytes

    @property
    def approval(self) -> Approval:
        """What it approves."""
        return Approval(self.entry_id, self.grant_id, self.scope, self.end_time)


RECORD_COLUMNS: Final = tuple(field.name for field in fields(LabelRecord))
GRANT_COLUMNS: Final = tuple(field.name for field in fields(GrantRow))
DECISION_COLUMNS: Final = tuple(field.name for field in fields(Decision))
ALL_COLUMNS: Final = ", ".join(GRANT_COLUMNS)

STATE_SQL: Final = (
    "CASE WHEN revoked_time <= ? THEN 5 WHEN revision = 0 OR outcome = 2 THEN 6 WHEN end_time <= ? THEN 4"
    " WHEN action = 1 AND outcome = 1 THEN 7 WHEN action = 1 THEN 1 WHEN ? = 0 THEN 4 WHEN outcome = 3 THEN 3 ELSE 2 END"
)
"""What `state_of` tells, over a row of label_grant; its parameters are those of `state_parameters`."""

_GRANT: Final = "grant_id, basis, licence_number, scope, start_time, end_time, revoked_time"
_REFUSED: Final = (OutboxState.REJECTED, OutboxState.CONFLICT, OutboxState.SUPERSEDED)
_ENDS: Final = (LabelOutcome.REVOKED, LabelOutcome.REFUSED)


def state_of(row: GrantRow, now: int, *, licensed: bool) -> LabelState:
    """Tells where a grant stands.

    Args:
        row: the grant.
        now: the moment, in microseconds.
        licensed: whether the provider's own licence holds at it.
    """
    if row.revoked_time <= now:
        return LabelState.REVOKED
    if row.revision == 0 or row.outcome == LabelOutcome.REFUSED:
        return LabelState.REFUSED
    if row.end_time <= now:
        return LabelState.LAPSED
    if row.action == LabelAction.ASK:
        return LabelState.APPROVED if row.outcome == LabelOutcome.APPROVED else LabelState.ASKED
    if not licensed:
        return LabelState.LAPSED
    return LabelState.OBJECTED if row.outcome == LabelOutcome.OBJECTED else LabelState.GRANTED


def state_parameters(now: int, licensed: bool) -> tuple[int, int, int]:
    """Returns the parameters of STATE_SQL: the moment, and whether the provider's own licence holds at it."""
    return now, now, int(licensed)


def all_grants(rows: Rows) -> Iterable[tuple[str, Grant]]:
    """Reads every grant that gives or gave a right, with its account, in order of its start."""
    sql = f"SELECT account_id, {_GRANT} FROM label_grant WHERE granted = 1 ORDER BY start_time, grant_id"  # noqa: S608
    return ((row[0], Grant(*row[1:])) for row in rows(sql, ()))


def grants_of(rows: Rows, account_id: str) -> list[Grant]:
    """Reads the grants of an account that give or gave a right, in order of their start."""
    sql = (
        f"SELECT {_GRANT} FROM label_grant WHERE account_id = ? AND granted = 1"  # noqa: S608 - fixed text
        " ORDER BY start_time, grant_id"
    )
    return [Grant(*row) for row in rows(sql, (account_id,))]


def find_grant(transaction: Transaction, grant_id: str) -> GrantRow | None:
    """Reads a grant; None where there is none."""
    rows = transaction.execute(
        f"SELECT {ALL_COLUMNS} FROM label_grant WHERE grant_id = ?",  # noqa: S608 - fixed text
        (grant_id.lower(),),
    )
    return GrantRow(*rows[0]) if rows else None


def read_grant(transaction: Transaction, grant_id: str) -> GrantRow:
    """Reads a grant.

    Raises:
        NotFound: GRANT_NOT_FOUND.
    """
    grant = find_grant(transaction, grant_id)
    if grant is None:
        raise NotFound("there is no grant under this id", "GRANT_NOT_FOUND")
    return grant


def grants_on(transaction: Transaction, account_id: str) -> list[GrantRow]:
    """Reads every grant of an account, what was only asked for included, in order of their start."""
    sql = f"SELECT {ALL_COLUMNS} FROM label_grant WHERE account_id = ? ORDER BY start_time, grant_id"  # noqa: S608
    return [GrantRow(*row) for row in transaction.execute(sql, (account_id,))]


def read_statements(transaction: Transaction, grant_id: str) -> list[Statement]:
    """Reads the statements on a grant, oldest first."""
    columns = ", ".join(f"s.{name}" for name in RECORD_COLUMNS)
    rows = transaction.execute(
        f"SELECT s.position, s.entry_id, o.state, {columns} FROM label_statement s"  # noqa: S608 - fixed text
        " JOIN outbox o ON o.entry_id = s.entry_id WHERE s.grant_id = ? ORDER BY s.position",
        (grant_id,),
    )
    return [
        Statement(position, entry_id, state in _REFUSED, state == OutboxState.PARKED, LabelRecord(*record))
        for position, entry_id, state, *record in rows
    ]


def counting(statements: Sequence[Statement]) -> list[Statement]:
    """Returns those statements that count: not refused, and each with the revision that follows the one before."""
    counted: list[Statement] = []
    for statement in statements:
        if not statement.refused and statement.record.revision == len(counted) + 1:
            counted.append(statement)
    return counted


def read_decisions(transaction: Transaction, grant_id: str) -> list[Decision]:
    """Reads the decisions on a grant, in the order in which they were made."""
    sql = (
        f"SELECT {', '.join(DECISION_COLUMNS)} FROM label_decision WHERE grant_id = ?"  # noqa: S608 - fixed text
        " ORDER BY decided_time, entry_id"
    )
    return [Decision(*row) for row in transaction.execute(sql, (grant_id,))]


def insert_statement(transaction: Transaction, position: int, entry_id: str, record: LabelRecord) -> None:
    """Stores a statement whose entry is queued."""
    values = tuple(getattr(record, name) for name in RECORD_COLUMNS)
    transaction.insert_many(
        "label_statement", ("position", "entry_id", *RECORD_COLUMNS), [(position, entry_id, *values)]
    )


def insert_decisions(transaction: Transaction, decisions: Sequence[Decision]) -> None:
    """Stores decisions, each once."""
    transaction.executemany(
        f"INSERT INTO label_decision ({', '.join(DECISION_COLUMNS)})"  # noqa: S608 - fixed text
        f" VALUES ({', '.join('?' * len(DECISION_COLUMNS))}) ON CONFLICT (entry_id) DO NOTHING",
        [tuple(getattr(decision, name) for name in DECISION_COLUMNS) for decision in decisions],
    )


def fold_again(transaction: Transaction, grant_id: str) -> GrantRow | None:
    """Writes a grant's row anew out of its statements and decisions, and sets aside what can no longer follow.

    Args:
        transaction: a write.
        grant_id: the grant.

    Returns:
        The row; None where nothing was stated of the grant.
    """
    statements = read_statements(transaction, grant_id)
    if not statements:
        return None
    counted = counting(statements)
    stranded = [each.entry_id for each in statements if each.waits and each not in counted]
    supersede_entries(transaction, stranded)
    row = _fold(statements, counted, read_decisions(transaction, grant_id))
    versions = transaction.execute("SELECT version FROM label_grant WHERE grant_id = ?", (grant_id,))
    row.version = versions[0][0] + 1 if versions else 1
    transaction.execute("DELETE FROM label_grant WHERE grant_id = ?", (grant_id,))
    transaction.insert_many("label_grant", GRANT_COLUMNS, [tuple(getattr(row, name) for name in GRANT_COLUMNS)])
    return row


def fold_all_again(transaction: Transaction, account_ids: Iterable[str]) -> None:
    """Writes the rows of every grant of some accounts anew, because an entry of theirs was refused or sent again."""
    for account_id in account_ids:
        for (grant_id,) in transaction.execute("SELECT grant_id FROM label_grant WHERE account_id = ?", (account_id,)):
            fold_again(transaction, grant_id)


def _fold(statements: Sequence[Statement], counted: Sequence[Statement], decisions: Sequence[Decision]) -> GrantRow:
    newest = (counted or statements)[-1].record
    # Of a revocation only its moment is of interest: what it ends was stated before.
    stated = next((each.record for each in reversed(counted) if each.record.action != LabelAction.REVOKE), newest)
    revocations = [each.record for each in statements if each.record.action == LabelAction.REVOKE]
    revoked_time = min((record.created_time for record in revocations), default=FOREVER)
    row = GrantRow(
        grant_id=newest.grant_id,
        account_id=newest.account_id,
        statements=len(statements),
        revision=counted[-1].record.revision if counted else 0,
        action=counted[-1].record.action if counted else LabelAction.UNSPECIFIED,
        granted=0,
        basis=stated.basis,
        licence_number=stated.licence_number,
        scope=stated.scope,
        start_time=stated.start_time,
        end_time=stated.end_time,
        revoked_time=revoked_time,
        outcome=0,
        reason=revocations[-1].reason if revocations else "",
        note="",
        version=1,
    )
    _decide(row, [decision for decision in decisions if decision.account_id == row.account_id])
    grant = _grant_of(counted)
    if grant is not None:
        row.granted = 1
        row.revoked_time = revoked(grant, row.revoked_time).revoked_time
    return row


def _grant_of(counted: Sequence[Statement]) -> Grant | None:
    grant: Grant | None = None
    for statement in counted:
        grant = grant_after(statement.record, grant)
    return grant


def _decide(row: GrantRow, decisions: Sequence[Decision]) -> None:
    for decision in decisions:
        ends = decision.outcome in _ENDS
        if row.outcome in _ENDS or not (ends or decision.revision == row.revision):
            continue
        row.outcome, row.reason, row.note = decision.outcome, decision.reason, decision.note
        if decision.outcome == LabelOutcome.REVOKED:
            row.revoked_time = min(row.revoked_time, decision.decided_time)
        elif decision.outcome == LabelOutcome.APPROVED and row.action == LabelAction.ASK:
            row.scope, row.end_time = decision.scope, decision.end_time
