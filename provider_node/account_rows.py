"""Public accounts as the node's database knows them, each with its newest filing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from provider_node import filing_states
from provider_node.etags import etag_of
from provider_node.filing_states import RARE_STATES, STATE_SQL, FilingStatus, status_of_row
from shared.clock import from_micros, micros
from shared.database import Transaction
from shared.errors import NotFound
from shared.provisions.account_states import FilingState, ReviewOutcome


@dataclass(frozen=True, slots=True)
class Account:
    """A public account.

    Attributes:
        account_id: a random UUID.
        reference: of the subject, 16 bytes.
        reviewed_time: of the newest review; None before the first.
        filings: how many filings were made of it, whatever became of them.
        version: grows with every change.
        filing: the newest filing; None before the first.
    """

    account_id: str
    reference: bytes
    display_name: str
    category: str
    review_outcome: ReviewOutcome
    review_reason: str
    reviewed_time: datetime | None
    withdrawn: bool
    filings: int
    open_time: datetime
    version: int
    filing: FilingStatus | None = None

    @property
    def etag(self) -> str:
        """Changes with every change of the account."""
        return etag_of(self.version)


NAMES: Final = (
    "account_id",
    "reference",
    "display_name",
    "category",
    "review_outcome",
    "review_reason",
    "reviewed_time",
    "withdrawn",
    "filings",
    "open_time",
    "version",
)
_COLUMNS: Final = ", ".join(f"a.{name}" for name in NAMES) + f", {filing_states.COLUMNS}"
_TABLES: Final = (
    "account a LEFT JOIN filing f ON f.account_id = a.account_id AND f.position = a.filings"
    " LEFT JOIN outbox o ON o.entry_id = f.entry_id LEFT JOIN destination t ON t.name = o.destination"
    " LEFT JOIN decision d ON d.account_id = f.account_id AND d.revision = f.revision"
)


def account_of_row(row: tuple[Any, ...]) -> Account:
    """Reads a row: the columns of NAMES, then those of the newest filing."""
    account_id, reference, name, category, outcome, reason, reviewed, withdrawn, filings, opened, version, *filing = row
    return Account(
        account_id=account_id,
        reference=bytes(reference),
        display_name=name,
        category=category,
        review_outcome=ReviewOutcome(outcome),
        review_reason=reason,
        reviewed_time=from_micros(reviewed) if reviewed else None,
        withdrawn=bool(withdrawn),
        filings=filings,
        open_time=from_micros(opened),
        version=version,
        filing=status_of_row(tuple(filing)) if filings else None,
    )


def read_account(transaction: Transaction, account_id: str) -> Account:
    """Reads an account.

    Raises:
        NotFound: ACCOUNT_NOT_FOUND.
    """
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE a.account_id = ?",  # noqa: S608 - fixed text
        (account_id.lower(),),
    )
    if not rows:
        raise NotFound("there is no account under this id", "ACCOUNT_NOT_FOUND")
    return account_of_row(rows[0])


def list_accounts(
    transaction: Transaction, after: tuple[int, str], limit: int, state: FilingState = FilingState.UNSPECIFIED
) -> list[Account]:
    """Lists accounts in order of opening.

    Args:
        transaction: a read.
        after: opening time in microseconds and id of the account before the first.
        limit: the most accounts.
        state: only accounts whose newest filing is in this state; UNSPECIFIED for all.
    """
    order = "a.open_time, a.account_id"
    condition = "(a.open_time, a.account_id) > (?, ?)"
    if state:
        condition += f" AND {STATE_SQL} = {int(state)}"
    if state in RARE_STATES:
        # From the few, by their index, and not through all accounts in order of opening.
        table = "decision d" if state is FilingState.RETURNED else "outbox o"
        few = f"SELECT account_id FROM {table} WHERE {RARE_STATES[state]}"  # noqa: S608 - fixed text
        condition += f" AND a.account_id IN ({few})"
        order = "a.open_time + 0, a.account_id"
    rows = transaction.execute(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE {condition} ORDER BY {order} LIMIT ?",  # noqa: S608 - fixed text
        (*after, limit),
    )
    return [account_of_row(row) for row in rows]


def insert_accounts(transaction: Transaction, accounts: Sequence[Account]) -> None:
    """Stores new accounts."""
    rows = [
        (
            account.account_id,
            account.reference,
            account.display_name,
            account.category,
            int(account.review_outcome),
            account.review_reason,
            micros(account.reviewed_time) if account.reviewed_time else 0,
            int(account.withdrawn),
            account.filings,
            micros(account.open_time),
            account.version,
        )
        for account in accounts
    ]
    transaction.insert_many("account", NAMES, rows)


def update_account(transaction: Transaction, account: Account) -> None:
    """Stores what can change of an account."""
    transaction.execute(
        "UPDATE account SET display_name = ?, category = ?, review_outcome = ?, review_reason = ?, reviewed_time = ?,"
        " withdrawn = ?, filings = ?, version = ? WHERE account_id = ?",
        (
            account.display_name,
            account.category,
            int(account.review_outcome),
            account.review_reason,
            micros(account.reviewed_time) if account.reviewed_time else 0,
            int(account.withdrawn),
            account.filings,
            account.version,
            account.account_id,
        ),
    )


def account_to_plain(account: Account) -> dict[str, object]:
    """Returns an account that has no filing yet as plain values, to be kept as an answer."""
    return {
        "account_id": account.account_id,
        "reference": account.reference.hex(),
        "display_name": account.display_name,
        "category": account.category,
        "open_time": micros(account.open_time),
    }


def account_from_plain(values: Mapping[str, Any]) -> Account:
    """Reads what `account_to_plain` returned: the account as it was opened."""
    return opened_account(
        account_id=values["account_id"],
        reference=bytes.fromhex(values["reference"]),
        display_name=values["display_name"],
        category=values["category"],
        open_time=from_micros(values["open_time"]),
    )


def opened_account(
    *, account_id: str, reference: bytes, display_name: str, category: str, open_time: datetime
) -> Account:
    """Returns an account as it is when it was just opened."""
    return Account(
        account_id=account_id,
        reference=reference,
        display_name=display_name,
        category=category,
        review_outcome=ReviewOutcome.UNSPECIFIED,
        review_reason="",
        reviewed_time=None,
        withdrawn=False,
        filings=0,
        open_time=open_time,
        version=1,
    )
