"""What the register holds of grants, as the rules judge by it: read for many grants or accounts in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from regulator_node.register_departures import logs_of, marks
from shared.database import Transaction
from shared.identifiers import id_text
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import Grant, LabelRecord
from shared.provisions.labels import Approval
from shared.provisions.spans import FOREVER

_GRANT: Final = (
    "g.account_id, g.grant_id, g.granted, g.basis, g.licence_number, g.scope, g.start_time, g.end_time, g.revoked_time"
)
_STATEMENT: Final = (
    "l.revision, l.action, l.basis, l.licence_number, l.licence_start_time, l.licence_end_time, l.scope, l.start_time,"
    " l.end_time, l.reason, l.approval_entry_id, l.created_time"
)
_HELD: Final = (
    f"SELECT {_GRANT}, g.outcome, g.decided_time, {_STATEMENT} FROM label_grant g"  # noqa: S608
    " JOIN label l ON l.jurisdiction = g.jurisdiction AND l.log_index = g.log_index WHERE"
)


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A grant as the register holds it.

    Attributes:
        statement: the newest statement on it.
        grant: how it stands; None where it was only asked for.
        outcome: the number of the newest LabelOutcome on that statement; 0 where there is none.
        decided_time: of that decision, in microseconds; 0 where there is none.
        revoked_time: when the provider or a regulator ended it, or the provider took back what it had asked for; FOREVER
            where nobody did.
    """

    statement: LabelRecord
    grant: Grant | None
    outcome: int = 0
    decided_time: int = 0
    revoked_time: int = FOREVER

    @property
    def ended(self) -> bool:
        """Whether a regulator revoked the grant or refused what was asked for."""
        return self.outcome in (LabelOutcome.REFUSED, LabelOutcome.REVOKED)

    @property
    def objected(self) -> bool:
        """Whether a regulator's objection to the newest statement stands."""
        return self.outcome == LabelOutcome.OBJECTED


def read_held_grants(
    transaction: Transaction,
    jurisdiction: str,
    provider: str,
    grants: Collection[bytes],
    logs: Sequence[str] = (),
) -> dict[str, HeldGrant]:
    """Reads grants.

    Args:
        transaction: a read.
        jurisdiction: whose log they are in; of a provider that moved, its earlier logs count as well.
        provider: the provider's node name.
        grants: their ids, 16 bytes each.
        logs: looks in these alone; in all that count where none are given.

    Returns:
        Those that are held, by id in text form.
    """
    if not grants:
        return {}
    logs = logs or logs_of(transaction, jurisdiction, provider)
    rows = transaction.execute(
        f"{_HELD} g.jurisdiction IN ({marks(logs)}) AND g.provider = ? AND g.grant_id IN ({marks(grants)})",
        (*logs, provider, *grants),
    )
    return {id_text(bytes(row[1])): _held(row) for row in rows}


def read_grants_of_accounts(
    transaction: Transaction, jurisdiction: str, provider: str, accounts: Collection[bytes]
) -> dict[str, list[Grant]]:
    """Reads what was granted to accounts, in the order in which it was first stated.

    Args:
        transaction: a read.
        jurisdiction: whose log it is in; of a provider that moved, its earlier logs count as well.
        provider: the provider's node name.
        accounts: their ids, 16 bytes each.

    Returns:
        The grants by account, in text form; what was only asked for is no grant.
    """
    if not accounts:
        return {}
    logs = logs_of(transaction, jurisdiction, provider)
    rows = transaction.execute(
        f"SELECT {_GRANT} FROM label_grant g WHERE g.account_id IN ({marks(accounts)})"  # noqa: S608
        f" AND g.jurisdiction IN ({marks(logs)}) AND g.provider = ? AND g.granted = 1"
        " ORDER BY g.first_filed_time, g.log_index",
        (*accounts, *logs, provider),
    )
    grants: dict[str, list[Grant]] = {}
    for row in rows:
        grants.setdefault(id_text(bytes(row[0])), []).append(grant_of(row[1:]))
    return grants


def read_approvals(
    transaction: Transaction, jurisdiction: str, provider: str, entry_ids: Collection[str]
) -> dict[str, Approval]:
    """Reads the special approvals that entries of the log gave to a provider's grants, by entry id."""
    if not entry_ids:
        return {}
    logs = logs_of(transaction, jurisdiction, provider)
    rows = transaction.execute(
        f"SELECT entry_id, grant_id, scope, end_time FROM label_decision WHERE jurisdiction IN ({marks(logs)})"  # noqa: S608
        f" AND entry_id IN ({marks(entry_ids)}) AND provider = ? AND outcome = ?",
        (*logs, *entry_ids, provider, int(LabelOutcome.APPROVED)),
    )
    return {entry_id: Approval(entry_id, id_text(bytes(grant)), scope, end) for entry_id, grant, scope, end in rows}


def grant_of(row: tuple[Any, ...]) -> Grant:
    """Makes a grant of grant_id, granted, basis, licence_number, scope, start_time, end_time and revoked_time."""
    grant_id, _, basis, licence_number, scope, start, end, revoked = row
    return Grant(id_text(bytes(grant_id)), basis, licence_number, scope, start, end, revoked)


def _held(row: tuple[Any, ...]) -> HeldGrant:
    account_id, grant_id, granted = row[:3]
    outcome, decided_time, revision, action, *terms = row[9:]
    statement = LabelRecord(id_text(bytes(grant_id)), id_text(bytes(account_id)), revision, action, *terms)
    return HeldGrant(statement, grant_of(row[1:9]) if granted else None, outcome, decided_time, row[8])
