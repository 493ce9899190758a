"""Measures and appeals as the node's database knows them, and the history of an account that the rules judge by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final

from provider_node.account_rows import read_account
from provider_node.etags import etag_of
from provider_node.filing_states import FilingStatus, live_revision
from provider_node.gate_facts import Rows
from provider_node.order_rows import read_orders_of
from provider_node.statement_states import statement_statuses
from shared.database import Transaction
from shared.errors import NotFound
from shared.provisions.account_history import AccountHistory, Appeal, Measure
from shared.provisions.appeals import appeal_by, final_time
from shared.provisions.measure_kinds import MeasureAction, MeasureKind
from shared.provisions.policy import Policy
from shared.provisions.spans import FOREVER


class MeasureState(IntEnum):
    """Where a measure stands, with the numbers of the local contract."""

    UNSPECIFIED = 0
    IN_FORCE = 1
    EXPIRED = 2
    LIFTED = 3
    OVERTURNED = 4
    FINAL = 5


class AppealState(IntEnum):
    """Where an appeal stands, with the numbers of the local contract."""

    UNSPECIFIED = 0
    AT_PROVIDER = 1
    UPHELD_BY_PROVIDER = 2
    AT_REGULATOR = 3
    UPHELD_BY_REGULATOR = 4
    OVERTURNED = 5


@dataclass(frozen=True, slots=True)
class StoredAppeal:
    """An appeal with what only the provider has of it.

    Attributes:
        appeal: as the rules see it.
        decided_by: the backend's own name for whoever decided; empty before.
        statement_digest: SHA-256 of the owner's words.
    """

    appeal: Appeal
    decided_by: str
    statement_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredMeasure:
    """A measure with its appeal, the statement of reasons, and where its newest statement is on its way.

    Attributes:
        measure: as the rules see it.
        account_id: of the account.
        reasons: for the owner, in Chinese.
        version: grows with every change of the measure or of the appeal against it.
        appeal: None where there is none.
        report: where its newest statement is on its way.
    """

    measure: Measure
    account_id: str
    reasons: str
    version: int
    appeal: StoredAppeal | None = None
    report: FilingStatus | None = None

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return etag_of(self.version)

    @property
    def appeal_state(self) -> AppealState:
        """Where the appeal stands."""
        return AppealState.UNSPECIFIED if self.appeal is None else appeal_state(self.appeal.appeal)

    def state(self, policies: Sequence[Policy], at: int) -> MeasureState:
        """Says where the measure stands at a moment, in microseconds; nothing of it is stored."""
        measure = self.measure
        if measure.overturned:
            return MeasureState.OVERTURNED
        if measure.stopped_time != FOREVER:
            return MeasureState.LIFTED
        if at >= measure.end_time:
            return MeasureState.EXPIRED
        appeal = self.appeal.appeal if self.appeal else None
        return MeasureState.FINAL if at >= final_time(measure, appeal, policies) else MeasureState.IN_FORCE

    def appeal_by(self, policies: Sequence[Policy]) -> int:
        """Returns until when, exclusive, in microseconds, the owner may appeal at the provider."""
        return appeal_by(self.measure, policies)


def appeal_state(appeal: Appeal) -> AppealState:
    """Says where an appeal stands."""
    if appeal.won:
        return AppealState.OVERTURNED
    if appeal.regulator_decided_time != FOREVER:
        return AppealState.UPHELD_BY_REGULATOR
    if appeal.regulator_appealed_time != FOREVER:
        return AppealState.AT_REGULATOR
    return AppealState.AT_PROVIDER if appeal.decided_time == FOREVER else AppealState.UPHELD_BY_PROVIDER


_MEASURE: Final = (
    "m.measure_id, m.kind, m.baseline, m.reason, m.gravity, m.start_time, m.end_time, m.order_entry_id,"
    " m.stopped_time, m.action, m.revision"
)
_APPEAL: Final = (
    "a.appeal_id, a.measure_id, a.revision, a.appealed_time, a.decided_time, a.overturned, a.regulator_appealed_time,"
    " a.regulator_decided_time, a.granted, a.decided_by, a.statement_digest"
)
_STORED: Final = f"{_MEASURE}, m.account_id, m.reasons, m.version, s.entry_id, {_APPEAL}"
_TABLES: Final = (
    "measure m JOIN escalation_statement s ON s.escalation_id = m.measure_id AND s.revision = m.revision"
    " LEFT JOIN appeal a ON a.measure_id = m.measure_id"
)
_MEASURE_COLUMNS: Final = 11

STATE_SQL: Final = {
    MeasureState.IN_FORCE: "m.action = 1 AND m.end_time > {now}",
    MeasureState.EXPIRED: "m.action IN (1, 3) AND m.end_time <= {now}",
    MeasureState.LIFTED: "m.action = 2",
    MeasureState.OVERTURNED: "m.action = 4",
    MeasureState.FINAL: f"m.kind = {int(MeasureKind.CLOSE)} AND m.action = 1",
}
"""What a measure in each state fulfils; a closing in force may still be final."""


def read_measure(transaction: Transaction, measure_id: str) -> StoredMeasure:
    """Reads a measure with its appeal and its newest statement.

    Raises:
        NotFound: MEASURE_NOT_FOUND.
    """
    rows = transaction.execute(
        f"SELECT {_STORED} FROM {_TABLES} WHERE m.measure_id = ?",  # noqa: S608 - fixed text
        (measure_id.lower(),),
    )
    if not rows:
        raise NotFound("there is no measure under this id", "MEASURE_NOT_FOUND")
    return _stored(transaction, rows)[0]


def list_measures(
    transaction: Transaction,
    before: tuple[int, str],
    limit: int,
    account_id: str = "",
    state: MeasureState = MeasureState.UNSPECIFIED,
    now: int = 0,
) -> list[StoredMeasure]:
    """Lists measures, newest first.

    Args:
        transaction: a read.
        before: start in microseconds and id of the measure before the first.
        limit: the most measures.
        account_id: only of this account; empty for all.
        state: only those that may be in this state at now; UNSPECIFIED for all.
        now: in microseconds.
    """
    condition = "(m.start_time, m.measure_id) < (?, ?)"
    parameters: list[object] = [*before]
    if account_id:
        condition += " AND m.account_id = ?"
        parameters.append(account_id.lower())
    if state:
        condition += " AND " + STATE_SQL[state].format(now=int(now))
    rows = transaction.execute(
        f"SELECT {_STORED} FROM {_TABLES} WHERE {condition}"  # noqa: S608 - fixed text
        " ORDER BY m.start_time DESC, m.measure_id DESC LIMIT ?",
        (*parameters, limit),
    )
    return _stored(transaction, rows)


def measures_with_words(
    transaction: Transaction, until: int, after: tuple[int, str], limit: int, *, of_appeals: bool
) -> list[StoredMeasure]:
    """Lists measures whose statement of reasons is still kept, or against which an appeal with its owner's words is.

    Args:
        transaction: a read or a write.
        until: only those that began, or were appealed against, until then, in microseconds.
        after: that time and the id of the measure, or the appeal, before the first.
        limit: the most measures.
        of_appeals: whether the words of the appeals are meant.

    Returns:
        The measures in the order of that time.
    """
    condition, place = ("m.reasons <> ''", "m.start_time, m.measure_id")
    if of_appeals:
        condition, place = ("LENGTH(a.sealed) > 0", "a.appealed_time, a.appeal_id")
    rows = transaction.execute(
        f"SELECT {_STORED} FROM {_TABLES} WHERE {condition} AND ({place}) > (?, ?)"  # noqa: S608 - fixed text
        f" AND {place.partition(',')[0]} <= ? ORDER BY {place} LIMIT ?",
        (*after, until, limit),
    )
    return _stored(transaction, rows)


class StoredMeasures:
    """The measures as the publication gate reads them."""

    def all_measures(self, rows: Rows, after: int) -> Iterable[tuple[str, Measure]]:
        """Reads, with its account's id, every measure that is or will be in force later than a moment."""
        found = rows(
            f"SELECT m.account_id, {_MEASURE} FROM measure m"  # noqa: S608 - fixed text
            " WHERE m.end_time > ? AND m.stopped_time > ?",
            (after, after),
        )
        return [(row[0], Measure(*row[1:])) for row in found]

    def measures_of(self, rows: Rows, account_id: str) -> Sequence[Measure]:
        """Reads every measure ever taken on an account, oldest first."""
        found = rows(
            f"SELECT {_MEASURE} FROM measure m WHERE m.account_id = ?"  # noqa: S608 - fixed text
            " ORDER BY m.start_time, m.measure_id",
            (account_id,),
        )
        return [Measure(*row) for row in found]


def read_history(transaction: Transaction, account_id: str) -> AccountHistory:
    """Reads what an account has gone through; raises NotFound where there is no such account."""
    account = read_account(transaction, account_id)
    return history_of(
        transaction,
        account.account_id,
        filed=live_revision(transaction, account.account_id) > 0,
        withdrawn=account.withdrawn,
    )


def history_of(transaction: Transaction, account_id: str, *, filed: bool, withdrawn: bool) -> AccountHistory:
    """Reads what was stated of an account, whether or not this provider has the account."""
    appeals = transaction.execute(
        f"SELECT {_APPEAL} FROM appeal a WHERE a.account_id = ?",  # noqa: S608 - fixed text
        (account_id,),
    )
    return AccountHistory(
        filed=filed,
        withdrawn=withdrawn,
        measures=tuple(StoredMeasures().measures_of(transaction.execute, account_id)),
        appeals=tuple(_appeal(row).appeal for row in appeals),
        orders=tuple(read_orders_of(transaction, account_id)),
    )


def due_to_expire(transaction: Transaction, now: int, limit: int) -> list[tuple[str, str]]:
    """Lists the measures that have run out and of which nothing says so yet: account and measure, in that order."""
    rows = transaction.execute(
        "SELECT account_id, measure_id FROM measure WHERE action = 1 AND end_time <= ? ORDER BY end_time LIMIT ?",
        (now, limit),
    )
    return sorted((account_id, measure_id) for account_id, measure_id in rows)


def next_expiry(transaction: Transaction, after: int) -> int:
    """Returns when, in microseconds, the next measure runs out after a moment; FOREVER where none will."""
    ((end,),) = transaction.execute("SELECT MIN(end_time) FROM measure WHERE action = 1 AND end_time > ?", (after,))
    return FOREVER if end is None else int(end)


def insert_measure(transaction: Transaction, measure: Measure, account_id: str, reasons: str) -> None:
    """Stores a new measure."""
    transaction.execute(
        "INSERT INTO measure (measure_id, kind, baseline, reason, gravity, start_time, end_time, order_entry_id,"
        " stopped_time, action, revision, account_id, reasons, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (
            measure.measure_id,
            int(measure.kind),
            measure.baseline,
            measure.reason,
            int(measure.gravity),
            measure.start_time,
            measure.end_time,
            measure.order_entry_id,
            measure.stopped_time,
            int(measure.action),
            measure.revision,
            account_id,
            reasons,
        ),
    )


def update_measure(transaction: Transaction, measure: Measure) -> None:
    """Stores how a measure stands after a statement."""
    transaction.execute(
        "UPDATE measure SET stopped_time = ?, action = ?, revision = ?, version = version + 1 WHERE measure_id = ?",
        (measure.stopped_time, int(measure.action), measure.revision, measure.measure_id),
    )


def insert_appeal(
    transaction: Transaction, appeal: Appeal, account_id: str, statement_digest: bytes, sealed: bytes
) -> None:
    """Stores an appeal that an owner made at the provider."""
    transaction.execute(
        "INSERT INTO appeal (appeal_id, measure_id, account_id, revision, appealed_time, decided_time, decided_by,"
        " overturned, regulator_appealed_time, regulator_decided_time, granted, statement_digest, sealed)"
        " VALUES (?, ?, ?, 0, ?, ?, '', 0, ?, ?, 0, ?, ?)",
        (
            appeal.appeal_id,
            appeal.measure_id,
            account_id,
            appeal.appealed_time,
            FOREVER,
            FOREVER,
            FOREVER,
            statement_digest,
            sealed,
        ),
    )
    _touch(transaction, appeal.measure_id)


def update_appeal(transaction: Transaction, appeal: Appeal, decided_by: str = "") -> None:
    """Stores how an appeal stands; decided_by is kept where it is empty."""
    transaction.execute(
        "UPDATE appeal SET revision = ?, decided_time = ?, overturned = ?, regulator_appealed_time = ?,"
        " regulator_decided_time = ?, granted = ?, decided_by = CASE WHEN ? = '' THEN decided_by ELSE ? END"
        " WHERE appeal_id = ?",
        (
            appeal.revision,
            appeal.decided_time,
            int(appeal.overturned),
            appeal.regulator_appealed_time,
            appeal.regulator_decided_time,
            int(appeal.granted),
            decided_by,
            decided_by,
            appeal.appeal_id,
        ),
    )
    _touch(transaction, appeal.measure_id)


def find_appeal(transaction: Transaction, appeal_id: str) -> Appeal | None:
    """Reads an appeal by its own id; None where there is none."""
    rows = transaction.execute(
        f"SELECT {_APPEAL} FROM appeal a WHERE a.appeal_id = ?",  # noqa: S608 - fixed text
        (appeal_id,),
    )
    return _appeal(rows[0]).appeal if rows else None


def is_expirable(measure: Measure, now: int) -> bool:
    """Tells whether a measure has run out and nothing says so yet."""
    return measure.action == MeasureAction.APPLY and measure.end_time <= now


def _touch(transaction: Transaction, measure_id: str) -> None:
    transaction.execute("UPDATE measure SET version = version + 1 WHERE measure_id = ?", (measure_id,))


def _stored(transaction: Transaction, rows: Sequence[tuple[Any, ...]]) -> list[StoredMeasure]:
    found = []
    for row in rows:
        account_id, reasons, version, entry_id, *appeal = row[_MEASURE_COLUMNS:]
        stored_appeal = None if appeal[0] is None else _appeal(tuple(appeal))
        measure = Measure(*row[:_MEASURE_COLUMNS])
        found.append((entry_id, StoredMeasure(measure, account_id, reasons, version, stored_appeal)))
    revisions = [(entry_id, stored.measure.revision) for entry_id, stored in found]
    statuses = statement_statuses(transaction, revisions)
    return [replace(stored, report=statuses.get(entry_id)) for entry_id, stored in found]


def _appeal(row: tuple[Any, ...]) -> StoredAppeal:
    appeal_id, measure_id, revision, appealed, decided, overturned, to_regulator, by_regulator, granted, who, digest = (
        row
    )
    appeal = Appeal(
        appeal_id, measure_id, revision, appealed, decided, bool(overturned), to_regulator, by_regulator, bool(granted)
    )
    return StoredAppeal(appeal, who, bytes(digest))
