"""What directives on providers' records mean to the register (Arts. 8(2), 9): what was directed, and what was answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from regulator_node.register_departures import marks, moved_to
from shared.database import Transaction
from shared.mapping.record_hold import hold_answer_from_wire, hold_directive_from_wire
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.record_holds import HeldDirective, HoldAction
from shared.provisions.regions import NATION
from shared.provisions.retention import Hold, HoldScope, RecordClass
from shared.provisions.spans import FOREVER
from shared.records.hold_rows import StoredHold

_COLUMNS: Final = (
    "jurisdiction",
    "log_index",
    "entry_id",
    "provider",
    "hold_id",
    "action",
    "scope",
    "record_class",
    "target",
    "reason",
    "start_time",
    "end_time",
    "directed_time",
    "acknowledge_by",
)
_ANSWER: Final = ("jurisdiction", "log_index", "provider", "directive_entry_id", "answered_time")
_DIRECTED: Final = (
    "SELECT p.provider, p.hold_id, p.scope, p.record_class, p.target, p.reason, p.start_time, p.end_time, p.jurisdiction,"  # noqa: S608 - fixed text
    " p.acknowledge_by, (SELECT MIN(a.answered_time) FROM record_hold_answer a WHERE a.directive_entry_id = p.entry_id),"
    " l.directed_time, l.jurisdiction, l.reason, l.acknowledge_by,"
    " (SELECT MIN(a.answered_time) FROM record_hold_answer a WHERE a.directive_entry_id = l.entry_id)"
    " FROM record_hold p LEFT JOIN record_hold l ON l.hold_id = p.hold_id AND l.provider = p.provider"
    f" AND l.action = {HoldAction.LIFT:d} WHERE p.action = {HoldAction.PLACE:d}"
)


def apply_record_hold(transaction: Transaction, jurisdiction: str, index: int, entry: entry_pb2.Entry) -> None:
    """Applies a directive on a hold."""
    told = hold_directive_from_wire(entry.record_hold)
    row = (
        jurisdiction,
        index,
        entry.entry_id.lower(),
        told.provider,
        told.hold_id,
        int(told.action),
        int(told.scope),
        int(told.record_class),
        told.target,
        told.reason,
        told.start_time,
        told.end_time,
        told.directed_time,
        told.acknowledge_by,
    )
    transaction.insert_many("record_hold", _COLUMNS, [row])


def apply_hold_answers(
    transaction: Transaction, jurisdiction: str, entries: Sequence[tuple[int, entry_pb2.Entry]]
) -> None:
    """Applies providers' acknowledgements."""
    rows = []
    for index, entry in entries:
        answer = hold_answer_from_wire(entry.record_hold_answer, micros_of(entry.created_time))
        rows.append((jurisdiction, index, entry.origin, answer.directive_entry_id, answer.answered_time))
    transaction.insert_many("record_hold_answer", _ANSWER, rows)


def read_held_directives(transaction: Transaction, entry_ids: Collection[str]) -> dict[str, HeldDirective]:
    """Reads directives on holds by their entry ids, with whether each was acknowledged."""
    if not entry_ids:
        return {}
    rows = transaction.execute(
        "SELECT h.entry_id, h.hold_id, h.provider, (SELECT COUNT(*) FROM record_hold_answer a"  # noqa: S608
        f" WHERE a.directive_entry_id = h.entry_id) FROM record_hold h WHERE h.entry_id IN ({marks(entry_ids)})",
        tuple(entry_ids),
    )
    return {entry_id: HeldDirective(hold_id, provider, answers > 0) for entry_id, hold_id, provider, answers in rows}


def read_directed(transaction: Transaction, hold_id: str) -> StoredHold | None:
    """Reads a hold that was placed at a provider; None where there is none under that id."""
    rows = transaction.execute(f"{_DIRECTED} AND p.hold_id = ?", (hold_id.lower(),))
    return _stored(rows[0]) if rows else None


def list_directed(
    transaction: Transaction, before: tuple[int, str], limit: int, at: int, *, lifted_too: bool
) -> list[StoredHold]:
    """Lists holds at providers, as `hold_rows.list_holds` lists the node's own."""
    condition = "" if lifted_too else f" AND l.hold_id IS NULL AND p.end_time > {at:d}"
    rows = transaction.execute(
        f"{_DIRECTED} AND (p.start_time, p.hold_id) < (?, ?){condition}"
        " ORDER BY p.start_time DESC, p.hold_id DESC LIMIT ?",
        (*before, limit),
    )
    return [_stored(row) for row in rows]


def home_log_of(transaction: Transaction, provider: str) -> str | None:
    """Finds through whose log a provider hears, at the nation: where it moved to, else where it stated anything."""
    place = moved_to(transaction, provider)
    if place is not None:
        return place
    for (jurisdiction,) in transaction.execute("SELECT jurisdiction FROM log ORDER BY jurisdiction"):
        query = "SELECT 1 FROM log_entry WHERE jurisdiction = ? AND origin = ? LIMIT 1"
        if transaction.execute(query, (jurisdiction, provider)):
            return str(jurisdiction)
    return None


def region_of_hold(transaction: Transaction, jurisdiction: str, provider: str) -> str | None:
    """Returns the province through which a directive of the nation on a hold reaches its provider; None for none."""
    place = home_log_of(transaction, provider) if jurisdiction == NATION else None
    return None if place == NATION else place


def _stored(row: tuple[Any, ...]) -> StoredHold:
    provider, hold_id, scope, record_class, target, reason, start, end, placed_at, due, answered, *lift = row
    lifted_time, lifted_at, lift_reason, lift_due, lift_answered = lift
    lifted = lifted_time is not None
    until = max(lifted_time, start) if lifted else FOREVER
    hold = Hold(hold_id, HoldScope(scope), RecordClass(record_class), target, start, until, end)
    return StoredHold(
        hold,
        reason,
        f"regulator/{placed_at}",
        f"regulator/{lifted_at}" if lifted else "",
        lift_reason if lifted else "",
        provider=provider,
        acknowledge_by=lift_due if lifted else due,
        acknowledged_time=(lift_answered if lifted else answered) or 0,
    )
