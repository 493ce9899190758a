"""The outbox: entries wait here from the transaction that made them until a receipt for them is at hand.

An entry is serialised once, when it is queued; from then on only these bytes exist, unless it waits behind a refused one
and gets another place in the stream before it was ever taken in. Its state says where it is; nothing but delivery, a
signed refusal or a person's decision changes it, and no row is ever removed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from google.protobuf.message import Message

from shared.clock import from_micros, micros
from shared.database import Transaction
from shared.egress import check_message
from shared.errors import Conflict, InvalidInput, NotFound, Violation
from shared.evidence.receipts import build_receipt
from shared.identifiers import new_entry_id
from shared.mapping.filing_contract import entry_violations
from shared.pb.filingnet.network.v1 import entry_pb2, filing_pb2

PROVIDER_ITSELF: Final = str(uuid.UUID(int=0))
"""Stands in place of the account with what a provider states about itself: a refusal of it parks no account."""

_FILING: Final = "filing"

_OF_TIMES: Final = "TIME_"
"""How the reasons begin by which an entry is refused for its times."""


class OutboxState(IntEnum):
    """Where an entry is."""

    QUEUED = 0
    DELIVERED = 1
    PARKED = 2
    REJECTED = 3
    CONFLICT = 4
    SUPERSEDED = 5


_STOPPED: Final = (OutboxState.PARKED, OutboxState.REJECTED, OutboxState.CONFLICT)


@dataclass(frozen=True, slots=True)
class QueuedEntry:
    """An entry that was queued: its id and its position in the stream to the destination."""

    entry_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """How delivery to one destination stands."""

    name: str
    queued: int
    parked: int
    oldest_time: datetime | None
    last_success_time: datetime | None
    next_attempt_time: datetime | None
    last_error: str
    attempts: int


def ensure_destination(transaction: Transaction, name: str) -> None:
    """Creates a destination's row, once.

    Args:
        transaction: a write.
        name: the regulator's node name.
    """
    transaction.execute(
        "INSERT INTO destination (name, next_sequence, attempts, last_error, directive_cursor) VALUES (?, 1, 0, '', 0)"
        " ON CONFLICT (name) DO NOTHING",
        (name,),
    )


def enqueue(
    transaction: Transaction,
    *,
    destination: str,
    jurisdiction: str,
    origin: str,
    now: datetime,
    filings: Sequence[tuple[str, filing_pb2.Filing]] = (),
    bodies: Sequence[tuple[str, str, Message]] = (),
    last: bool = False,
) -> list[QueuedEntry]:
    """Queues statements in the transaction of the business change that they tell of.

    The id that stands with each is what a refusal parks: the account, for filings, labels, escalations and whatever
    else tells of an account; PROVIDER_ITSELF for what tells of the provider.

    Args:
        transaction: a write.
        destination: the regulator's node name.
        jurisdiction: the regulator's jurisdiction.
        origin: this node's name.
        now: when the entries are made.
        filings: pairs of account id (a UUID) and filing, queued before the bodies.
        bodies: triples of account id, field of the entry's body (e.g. "label_grant") and statement.
        last: whether it is what closes the stream, to a destination that the provider left.

    Returns:
        One queued entry per statement, in order.

    Raises:
        Conflict: REGULATOR_CHANGED, the provider was transferred meanwhile (Art. 3).
        InvalidInput when a statement breaks its contract or the guard finds identity data; nothing is queued then.
    """
    statements = [(account_id, _FILING, filing) for account_id, filing in filings] + list(bodies)
    if not statements:
        return []
    ensure_destination(transaction, destination)
    first = _take_sequences(transaction, destination, len(statements), last=last)
    queued, rows, queued_time = [], [], micros(now)
    for sequence, (account_id, field, message) in enumerate(statements, first):
        entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=origin, jurisdiction=jurisdiction, sequence=sequence)
        getattr(entry, field).CopyFrom(message)
        entry.created_time.FromMicroseconds(queued_time)
        _refuse_bad(entry)
        queued.append(QueuedEntry(entry.entry_id, sequence))
        data = entry.SerializeToString()
        rows.append((destination, sequence, entry.entry_id, account_id, field, data, OutboxState.QUEUED, queued_time))
    transaction.insert_many(
        "outbox", ("destination", "sequence", "entry_id", "account_id", "body", "entry", "state", "queued_time"), rows
    )
    return queued


def _take_sequences(transaction: Transaction, destination: str, count: int, *, last: bool = False) -> int:
    """Takes places in the stream to a destination; returns the first."""
    rows = transaction.execute(
        "UPDATE destination SET next_sequence = next_sequence + ? WHERE name = ? AND departed <= ?"
        " RETURNING next_sequence",
        (count, destination, int(last)),
    )
    if not rows:
        message = (
            f"this provider no longer files with {destination}: make the call again, for the one it files with now"
        )
        raise Conflict(message, "REGULATOR_CHANGED")
    return int(rows[0][0]) - count


def _refuse_bad(entry: entry_pb2.Entry) -> None:
    what = str(entry.WhichOneof("body")).replace("_", " ")
    violations = entry_violations(entry)
    if violations:
        raise InvalidInput(f"the {what} breaks its contract", "FIELD_VIOLATIONS", violations)
    findings = check_message(entry, no_unknown_fields=True)
    if findings:
        raise InvalidInput(
            f"the {what} holds identity data, which never leaves the provider", "IDENTITY_DATA", findings
        )


def supersede(transaction: Transaction, account_id: str) -> int:
    """Sets aside the filings of an account that were refused or wait behind a refused one, because a newer filing
    replaces them. Whatever else waits behind them keeps waiting, see `send_on`.

    Returns:
        The number of filings set aside.
    """
    return len(
        transaction.execute(
            "UPDATE outbox SET state = ? WHERE account_id = ? AND body = ? AND state IN (?, ?, ?) RETURNING sequence",
            (OutboxState.SUPERSEDED, account_id, _FILING, *_STOPPED),
        )
    )


def supersede_entries(transaction: Transaction, entry_ids: Sequence[str]) -> None:
    """Sets aside those of some entries that were refused or wait behind a refused one: a newer statement replaces them."""
    transaction.executemany(
        "UPDATE outbox SET state = ? WHERE entry_id = ? AND state IN (?, ?, ?)",
        [(OutboxState.SUPERSEDED, entry_id, *_STOPPED) for entry_id in entry_ids],
    )


def wait_behind(transaction: Transaction, entry_id: str) -> None:
    """Lets an entry that was just queued wait as well, because what it follows waits behind a refused one."""
    transaction.execute(
        "UPDATE outbox SET state = ?, reason = 'WAITS_FOR_EARLIER' WHERE entry_id = ?", (OutboxState.PARKED, entry_id)
    )


def send_on(transaction: Transaction, destination: str, account_id: str) -> int:
    """Queues what waits behind a refused entry of an account again, behind all that is queued.

    Called once what replaces the refused entry is queued, so that it arrives first. Where another refused entry of the
    account still stands, they wait on. The entries were never taken in; each gets a new place in the stream, and with
    it new bytes.

    Returns:
        The number of entries queued.
    """
    ((standing,),) = transaction.execute(
        "SELECT COUNT(*) FROM outbox WHERE account_id = ? AND state IN (?, ?)",
        (account_id, OutboxState.REJECTED, OutboxState.CONFLICT),
    )
    waiting = transaction.execute(
        "SELECT sequence, entry FROM outbox WHERE destination = ? AND account_id = ? AND state = ? ORDER BY sequence",
        (destination, account_id, OutboxState.PARKED),
    )
    if standing or not waiting:
        return 0
    following = _take_sequences(transaction, destination, len(waiting))
    rows = []
    for place, (sequence, data) in enumerate(waiting, following):
        entry = entry_pb2.Entry.FromString(bytes(data))
        entry.sequence = place
        rows.append((place, entry.SerializeToString(), OutboxState.QUEUED, destination, sequence))
    transaction.executemany(
        "UPDATE outbox SET sequence = ?, entry = ?, state = ?, reason = NULL, violations = NULL, rejection = NULL"
        " WHERE destination = ? AND sequence = ?",
        rows,
    )
    return len(waiting)


def mark_departed(transaction: Transaction, left: Sequence[str], destination: str) -> None:
    """Lets nothing more be queued for the destinations that were left, from here on (Art. 3).

    Args:
        transaction: a write.
        left: the regulators' node names.
        destination: of the one that everything is queued for now.
    """
    for name in (*left, destination):
        ensure_destination(transaction, name)
        departed = int(name != destination)
        transaction.execute(
            "UPDATE destination SET departed = ? WHERE name = ? AND departed <> ?", (departed, name, departed)
        )


def readdress(transaction: Transaction, left: str, destination: str, jurisdiction: str) -> int:
    """Readdresses what a destination refused, and what waits behind it, to another, once nothing else is left there.

    None of it is in the log of the one that was left. What no refused entry of its account holds up any more is sent; the
    rest stands as it stood, to be replaced or sent again.

    Args:
        transaction: a write.
        left: the regulator that the provider left.
        destination: the one that it files with now.
        jurisdiction: that one's.

    Returns:
        The number of entries readdressed.
    """
    rows = transaction.execute(
        "SELECT sequence, entry, account_id, state FROM outbox WHERE destination = ? AND state IN (?, ?)"
        " ORDER BY sequence",
        (left, OutboxState.PARKED, OutboxState.REJECTED),
    )
    if not rows:
        return 0
    held = {account for _, _, account, state in rows if state == OutboxState.REJECTED}
    held.update(
        account
        for (account,) in transaction.execute(
            "SELECT DISTINCT account_id FROM outbox WHERE destination = ? AND state = ?", (left, OutboxState.CONFLICT)
        )
    )
    following = _take_sequences(transaction, destination, len(rows), last=True)
    changed = []
    for place, (sequence, data, account, state) in enumerate(rows, following):
        entry = entry_pb2.Entry.FromString(bytes(data))
        entry.sequence, entry.jurisdiction = place, jurisdiction
        now = OutboxState.QUEUED if state == OutboxState.PARKED and account not in held else OutboxState(state)
        changed.append((destination, place, entry.SerializeToString(), now, left, sequence))
    transaction.executemany(
        "UPDATE outbox SET destination = ?, sequence = ?, entry = ?, state = ?, rejection = NULL"
        " WHERE destination = ? AND sequence = ?",
        changed,
    )
    return len(rows)


def replay(transaction: Transaction, account_id: str, now: datetime) -> int:
    """Queues what was refused of an account, and what waits behind it, again as it is.

    Only the times of making and of the review become the present one, where they have not come yet, by a clock that was
    ahead and is right again, or where an entry was refused for a time: it would be refused so again. The entries were
    never taken in.

    Args:
        transaction: a write.
        account_id: whose.
        now: by the node's clock.

    Returns:
        The number of entries queued.
    """
    stopped = (account_id, OutboxState.PARKED, OutboxState.REJECTED)
    rows = transaction.execute(
        "SELECT destination, sequence, entry, reason FROM outbox WHERE account_id = ? AND state IN (?, ?)", stopped
    )
    made_now = []
    for destination, sequence, data, reason in rows:
        entry = entry_pb2.Entry.FromString(bytes(data))
        if entry.created_time.ToMicroseconds() > micros(now) or str(reason).startswith(_OF_TIMES):
            entry.created_time.FromMicroseconds(micros(now))
            if entry.HasField(_FILING) and entry.filing.reviewed_time.ToMicroseconds() > micros(now):
                # The same clock told when it was reviewed, and no filing is made before its review.
                entry.filing.reviewed_time.CopyFrom(entry.created_time)
            made_now.append((entry.SerializeToString(), destination, sequence))
    transaction.executemany("UPDATE outbox SET entry = ? WHERE destination = ? AND sequence = ?", made_now)
    transaction.execute(
        "UPDATE outbox SET state = ?, reason = NULL, violations = NULL, rejection = NULL"
        " WHERE account_id = ? AND state IN (?, ?)",
        (OutboxState.QUEUED, *stopped),
    )
    return len(rows)


def violations_from_json(text: str | None) -> list[Violation]:
    """Reads the violations column of an outbox row."""
    return [Violation(*row) for row in json.loads(text)] if text else []


def violations_to_json(violations: Sequence[Violation]) -> str:
    """Writes the violations column of an outbox row."""
    return json.dumps([(violation.field, violation.rule, violation.mend) for violation in violations])


def destination_statuses(transaction: Transaction) -> list[DestinationStatus]:
    """Reads how delivery stands, destination by destination."""
    counts = {
        name: (queued, parked, oldest)
        for name, queued, parked, oldest in transaction.execute(
            "SELECT destination, SUM(CASE WHEN state = 0 THEN 1 ELSE 0 END),"
            " SUM(CASE WHEN state IN (2, 3, 4) THEN 1 ELSE 0 END), MIN(CASE WHEN state = 0 THEN queued_time END)"
            " FROM outbox WHERE state IN (0, 2, 3, 4) GROUP BY destination"
        )
    }
    rows = transaction.execute(
        "SELECT name, last_success_time, next_attempt_time, last_error, attempts FROM destination ORDER BY name"
    )
    statuses = []
    for name, success, attempt, error, attempts in rows:
        queued, parked, oldest = counts.get(name, (0, 0, None))
        statuses.append(
            DestinationStatus(name, queued, parked, _time(oldest), _time(success), _time(attempt), error, attempts)
        )
    return statuses


def receipt(transaction: Transaction, entry_id: str) -> bytes:
    """Builds the receipt of a delivered entry out of the acknowledgement that the node kept.

    Args:
        transaction: a read.
        entry_id: the entry.

    Returns:
        A serialised Receipt.

    Raises:
        NotFound when the entry is unknown or not delivered yet.
    """
    rows = transaction.execute(
        "SELECT entry, log_index, batch_index, acknowledgement, header, signature, leaf_hashes FROM outbox"
        " JOIN delivered_run ON delivered_run.destination = outbox.destination AND first_index = run_first_index"
        " JOIN sent_batch ON sent_batch.destination = outbox.destination AND sent_batch.batch_id = outbox.batch_id"
        " WHERE entry_id = ? AND state = ?",
        (str(uuid.UUID(entry_id)), OutboxState.DELIVERED),
    )
    if not rows:
        raise NotFound("there is no receipt for this filing yet: it was not acknowledged", "RECEIPT_UNKNOWN")
    entry, log_index, batch_index, acknowledgement, header, signature, leaf_hashes = rows[0]
    return build_receipt(
        acknowledgement=bytes(acknowledgement),
        entry=bytes(entry),
        log_index=log_index,
        batch_header=bytes(header),
        batch_signature=bytes(signature),
        batch_leaf_hashes=bytes(leaf_hashes),
        batch_index=batch_index,
    )


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)
