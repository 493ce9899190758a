"""What entries on labels mean to the register (Art. 7): each statement is kept, and how its grant stands after it.

The grant keeps what its right follows from, basis, licence, scope, dates, revocation and the last decision, and no
state: whoever asks gets the state of that moment. A revocation leaves the right as it was stated and ends it.
"""

from __future__ import annotations

from collections.abc import Sequence

from regulator_node.register_departures import bring_along, logs_of, marks
from shared.database import Transaction
from shared.identifiers import id_bytes
from shared.mapping.label import label_decision_from_wire, label_from_wire
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction, LabelBasis, LabelRecord
from shared.provisions.spans import FOREVER

_LABEL_COLUMNS = (
    "jurisdiction",
    "log_index",
    "provider",
    "account_id",
    "grant_id",
    "revision",
    "action",
    "basis",
    "licence_number",
    "licence_start_time",
    "licence_end_time",
    "scope",
    "start_time",
    "end_time",
    "reason",
    "approval_entry_id",
    "created_time",
    "filed_time",
)
_GRANT_COLUMNS = (
    "jurisdiction",
    "provider",
    "grant_id",
    "account_id",
    "log_index",
    "revision",
    "action",
    "granted",
    "basis",
    "licence_number",
    "scope",
    "start_time",
    "end_time",
    "revoked_time",
    "outcome",
    "decided_time",
    "reason",
    "note",
    "filed_time",
    "first_filed_time",
)
_DECISION_COLUMNS = (
    "jurisdiction",
    "log_index",
    "entry_id",
    "provider",
    "account_id",
    "grant_id",
    "revision",
    "outcome",
    "scope",
    "end_time",
    "reason",
    "note",
    "decided_time",
)
_INSERT_GRANT = (
    f"INSERT INTO label_grant ({', '.join(_GRANT_COLUMNS)}) VALUES ({', '.join('?' * len(_GRANT_COLUMNS))})"  # noqa: S608
    " ON CONFLICT (jurisdiction, provider, grant_id) DO UPDATE SET log_index = excluded.log_index,"
    " revision = excluded.revision, action = excluded.action, outcome = 0, decided_time = 0,"
    " reason = excluded.reason, note = '', filed_time = excluded.filed_time,"
)
_STATE = (
    f"{_INSERT_GRANT} granted = excluded.granted, basis = excluded.basis, licence_number = excluded.licence_number,"
    " scope = excluded.scope, start_time = excluded.start_time, end_time = excluded.end_time"
)
_REVOKE = (
    f"{_INSERT_GRANT} revoked_time = CASE WHEN label_grant.revoked_time < excluded.revoked_time"
    " THEN label_grant.revoked_time ELSE excluded.revoked_time END"
)


def apply_labels(
    transaction: Transaction, jurisdiction: str, entries: Sequence[tuple[int, entry_pb2.Entry]], filed_time: int
) -> None:
    """Applies statements on grants, in log order.

    Args:
        transaction: where they are applied.
        jurisdiction: whose log.
        entries: pairs of log index and entry, all of which hold a label grant.
        filed_time: when they entered the log, microseconds since 1970.
    """
    rows: list[tuple[object, ...]] = []
    stated: list[tuple[object, ...]] = []
    revoked: list[tuple[object, ...]] = []
    for index, entry in entries:
        record = label_from_wire(entry.label_grant, micros_of(entry.created_time))
        rows.append(_label_row(jurisdiction, index, entry.origin, record, filed_time))
        grant = _grant_row(jurisdiction, index, entry.origin, record, filed_time)
        (revoked if record.action == LabelAction.REVOKE else stated).append(grant)
    transaction.insert_many("label", _LABEL_COLUMNS, rows)
    for provider in sorted({entry.origin for _, entry in entries}):
        grants = {id_bytes(entry.label_grant.grant_id) for _, entry in entries if entry.origin == provider}
        bring_along(transaction, "label_grant", "grant_id", grants, jurisdiction, provider)
    # Nothing follows a revocation, so that the order within a grant is kept.
    if stated:
        transaction.executemany(_STATE, stated)
    if revoked:
        transaction.executemany(_REVOKE, revoked)


def apply_label_decision(transaction: Transaction, jurisdiction: str, index: int, entry: entry_pb2.Entry) -> None:
    """Applies a regulator's decision on a label: kept, and shown by its grant while that stands at the revision decided.

    Args:
        transaction: where it is applied.
        jurisdiction: whose log.
        index: of the entry in it.
        entry: holds the decision.
    """
    wire, decision = entry.label_decision, label_decision_from_wire(entry.label_decision)
    grant = id_bytes(decision.grant_id)
    row = (
        jurisdiction,
        index,
        entry.entry_id,
        wire.provider,
        id_bytes(wire.account_id),
        grant,
        decision.revision,
        decision.outcome,
        decision.scope,
        decision.end_time,
        decision.reason,
        wire.note,
        decision.decided_time,
    )
    transaction.insert_many("label_decision", _DECISION_COLUMNS, [row])
    logs = logs_of(transaction, jurisdiction, wire.provider)
    decided = f"WHERE jurisdiction IN ({marks(logs)}) AND provider = ? AND grant_id = ? AND revision = ?"
    place = (*logs, wire.provider, grant, decision.revision)
    transaction.execute(
        f"UPDATE label_grant SET outcome = ?, decided_time = ?, reason = ?, note = ? {decided}",  # noqa: S608
        (decision.outcome, decision.decided_time, decision.reason, wire.note, *place),
    )
    if decision.outcome == LabelOutcome.REVOKED:
        transaction.execute(
            f"UPDATE label_grant SET revoked_time = ? {decided} AND revoked_time > ?",  # noqa: S608
            (decision.decided_time, *place, decision.decided_time),
        )
    elif decision.outcome == LabelOutcome.APPROVED:
        # Until it is granted, what was asked for is shown as it was approved.
        transaction.execute(
            f"UPDATE label_grant SET scope = ?, end_time = ? {decided} AND granted = 0",  # noqa: S608
            (decision.scope, decision.end_time, *place),
        )


def region_of_account(transaction: Transaction, jurisdiction: str, provider: str, account_id: str) -> str | None:
    """Returns the region of an account's subject as it was filed last; None where this register has no filing of it."""
    logs = logs_of(transaction, jurisdiction, provider)
    rows = transaction.execute(
        f"SELECT subject_region FROM filing {transaction.by_index('filing_account')}"  # noqa: S608
        f" WHERE jurisdiction IN ({marks(logs)}) AND provider = ? AND account_id = ? ORDER BY revision DESC LIMIT 1",
        (*logs, provider, id_bytes(account_id)),
    )
    return str(rows[0][0]) if rows else None


def label_indexes_of(transaction: Transaction, jurisdiction: str, provider: str, account_id: str) -> list[int]:
    """Returns where in the log everything about an account's labels is, in order: what a region that it moves to is told."""
    grants = transaction.execute(
        "SELECT grant_id FROM label_grant WHERE account_id = ? AND jurisdiction = ? AND provider = ?",
        (id_bytes(account_id), jurisdiction, provider),
    )
    indexes: list[int] = []
    for (grant,) in grants:
        for table in ("label", "label_decision"):
            rows = transaction.execute(
                f"SELECT log_index FROM {table} WHERE jurisdiction = ? AND provider = ? AND grant_id = ?",  # noqa: S608
                (jurisdiction, provider, grant),
            )
            indexes.extend(index for (index,) in rows)
    return sorted(indexes)


def _label_row(
    jurisdiction: str, index: int, provider: str, record: LabelRecord, filed_time: int
) -> tuple[object, ...]:
    return (
        jurisdiction,
        index,
        provider,
        id_bytes(record.account_id),
        id_bytes(record.grant_id),
        record.revision,
        record.action,
        record.basis,
        record.licence_number,
        record.licence_start_time,
        record.licence_end_time,
        record.scope,
        record.start_time,
        record.end_time,
        record.reason,
        record.approval_entry_id,
        record.created_time,
        filed_time,
    )


def _grant_row(
    jurisdiction: str, index: int, provider: str, record: LabelRecord, filed_time: int
) -> tuple[object, ...]:
    revokes = record.action == LabelAction.REVOKE
    # Told of in the copy of a region that did not see it granted, a revocation still says whether it was.
    asked = record.action == LabelAction.ASK or (
        revokes and record.basis == LabelBasis.SPECIAL_APPROVAL and not record.approval_entry_id
    )
    return (
        jurisdiction,
        provider,
        id_bytes(record.grant_id),
        id_bytes(record.account_id),
        index,
        record.revision,
        record.action,
        0 if asked else 1,
        record.basis,
        record.licence_number,
        record.scope,
        record.start_time,
        record.end_time,
        record.created_time if revokes else FOREVER,
        0,
        0,
        record.reason,
        "",
        filed_time,
        filed_time,
    )
