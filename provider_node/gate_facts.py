"""What the publication gate holds of an account: where it stands, its grants and its measures.

It is read by plain statements, so that the same works in a transaction and on the gate's own connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from provider_node.label_rows import Rows, grants_of
from shared.provisions.account_history import Measure
from shared.provisions.account_states import ReviewOutcome
from shared.provisions.labels import Grant
from shared.provisions.publication import AccountState

__all__ = ["ACCOUNT", "ACCOUNTS", "Facts", "MeasureSource", "NoMeasures", "Rows", "read_facts", "state_of_row"]

ACCOUNT: Final = "SELECT review_outcome, withdrawn, filings FROM account WHERE account_id = ?"
ACCOUNTS: Final = "SELECT account_id, review_outcome, withdrawn, filings FROM account LIMIT ?"
"""The same of many accounts, each with its id."""


class Facts(NamedTuple):
    """An account as the gate knows it."""

    state: AccountState
    grants: tuple[Grant, ...] = ()
    measures: tuple[Measure, ...] = ()


class MeasureSource(Protocol):
    """Where the measures on accounts are read (Art. 8(1)).

    Whoever changes a measure writes it by `Gate.changing`, which lets the gate know before anybody is answered.
    """

    def all_measures(self, rows: Rows, after: int) -> Iterable[tuple[str, Measure]]:
        """Reads, with its account's id, every measure that is or will be in force later than a moment, in
        microseconds.
        """

    def measures_of(self, rows: Rows, account_id: str) -> Sequence[Measure]:
        """Reads every measure ever taken on an account, those that ended included."""


class NoMeasures:
    """Stands for the measures of a provider that takes none."""

    def all_measures(self, rows: Rows, after: int) -> Iterable[tuple[str, Measure]]:
        """Reads none."""
        return ()

    def measures_of(self, rows: Rows, account_id: str) -> Sequence[Measure]:
        """Reads none."""
        return ()


def state_of_row(row: Sequence[Any]) -> AccountState:
    """Reads where an account stands out of a row of ACCOUNT.

    An account that was filed has passed a review, also while an amendment waits for its own.
    """
    outcome, withdrawn, filings = row
    if withdrawn:
        return AccountState.WITHDRAWN
    return AccountState.REVIEWED if filings or outcome == ReviewOutcome.PASSED else AccountState.UNREVIEWED


def read_facts(rows: Rows, account_id: str, measures: MeasureSource) -> Facts:
    """Reads all of an account."""
    found = rows(ACCOUNT, (account_id,))
    if not found:
        return Facts(AccountState.UNKNOWN)
    return Facts(
        state_of_row(found[0]), tuple(grants_of(rows, account_id)), tuple(measures.measures_of(rows, account_id))
    )
