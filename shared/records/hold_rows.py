"""Legal holds in a node's database. They are kept for ever, lifted ones too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from shared.database import Transaction
from shared.provisions.retention import Hold, HoldScope, RecordClass
from shared.provisions.spans import FOREVER

_COLUMNS: Final = (
    "hold_id",
    "scope",
    "record_class",
    "target",
    "placed_time",
    "lifted_time",
    "reason",
    "placed_by",
    "lifted_by",
    "lift_reason",
    "end_time",
    "regulator",
    "acknowledge_by",
    "acknowledged_time",
)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM legal_hold"  # noqa: S608 - fixed text


@dataclass(frozen=True, slots=True)
class StoredHold:
    """A hold with who placed and lifted it, and why, as codes.

    Attributes:
        hold: what it keeps, and when.
        reason: why it was placed.
        placed_by: who placed it.
        lifted_by: who lifted it; empty while it is in force.
        lift_reason: why.
        regulator: at a provider, whose directive it is; empty for the provider's own.
        provider: at a regulator, at which provider it was placed; empty for the regulator's own.
        acknowledge_by: until when the newest directive on it is to be acknowledged, in microseconds; 0 for none.
        acknowledged_time: when it was, in microseconds; 0 until then.
    """

    hold: Hold
    reason: str
    placed_by: str
    lifted_by: str = ""
    lift_reason: str = ""
    regulator: str = ""
    provider: str = ""
    acknowledge_by: int = 0
    acknowledged_time: int = 0


def read_hold(transaction: Transaction, hold_id: str) -> StoredHold | None:
    """Reads a hold; None where there is none under that id."""
    rows = transaction.execute(f"{_SELECT} WHERE hold_id = ?", (hold_id.lower(),))
    return _stored(rows[0]) if rows else None


def holds_in_force(transaction: Transaction, at: int) -> list[Hold]:
    """Reads every hold in force at a moment, in microseconds, in the order of their ids."""
    rows = transaction.execute(
        f"{_SELECT} WHERE placed_time <= ? AND lifted_time > ? AND end_time > ? ORDER BY hold_id", (at, at, at)
    )
    return [_stored(row).hold for row in rows]


def list_holds(
    transaction: Transaction, before: tuple[int, str], limit: int, at: int, *, lifted_too: bool
) -> list[StoredHold]:
    """Lists holds, newest first.

    Args:
        transaction: a read.
        before: placed_time in microseconds and id of the hold before the first.
        limit: the most holds.
        at: the moment, in microseconds.
        lifted_too: also those that were lifted or have ended.
    """
    condition = "" if lifted_too else f" AND lifted_time = {FOREVER} AND end_time > {at:d}"
    rows = transaction.execute(
        f"{_SELECT} WHERE (placed_time, hold_id) < (?, ?){condition} ORDER BY placed_time DESC, hold_id DESC LIMIT ?",
        (*before, limit),
    )
    return [_stored(row) for row in rows]


def insert_hold(transaction: Transaction, stored: StoredHold) -> None:
    """Stores a new hold."""
    hold = stored.hold
    row = (
        hold.hold_id,
        int(hold.scope),
        int(hold.record_class),
        hold.target,
        hold.placed_time,
        hold.lifted_time,
        stored.reason,
        stored.placed_by,
        stored.lifted_by,
        stored.lift_reason,
        hold.end_time,
        stored.regulator,
        stored.acknowledge_by,
        stored.acknowledged_time,
    )
    transaction.insert_many("legal_hold", _COLUMNS, [row])


def lift_hold(transaction: Transaction, hold_id: str, at: int, actor: str, reason: str) -> None:
    """Stores that a hold was lifted."""
    transaction.execute(
        "UPDATE legal_hold SET lifted_time = ?, lifted_by = ?, lift_reason = ? WHERE hold_id = ?",
        (at, actor, reason, hold_id.lower()),
    )


def delete_hold(transaction: Transaction, hold_id: str) -> None:
    """Removes a hold whose place another takes."""
    transaction.execute("DELETE FROM legal_hold WHERE hold_id = ?", (hold_id.lower(),))


def acknowledge_hold(transaction: Transaction, hold_id: str, directive: str, until: int, at: int) -> None:
    """Stores that the newest directive on a regulator's hold, by its entry id, was acknowledged; microseconds."""
    transaction.execute(
        "UPDATE legal_hold SET directive_entry_id = ?, acknowledge_by = ?, acknowledged_time = ? WHERE hold_id = ?",
        (directive, until, at, hold_id.lower()),
    )


def _stored(row: tuple[Any, ...]) -> StoredHold:
    hold_id, scope, record_class, target, placed, lifted, reason, placed_by, lifted_by, lift_reason, end, *rest = row
    hold = Hold(hold_id, HoldScope(scope), RecordClass(record_class), target, placed, lifted, end)
    regulator, acknowledge_by, acknowledged_time = rest
    return StoredHold(
        hold,
        reason,
        placed_by,
        lifted_by,
        lift_reason,
        regulator=regulator,
        acknowledge_by=acknowledge_by,
        acknowledged_time=acknowledged_time,
    )
