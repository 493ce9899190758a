"""Questions to the register about labels (Art. 7): search, and what was stated of one grant.

A search shows how each grant stands at one moment, that of its first page, with the grants first that end first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from regulator_node.paging import DEFAULT_PAGE, make_token, read_token
from regulator_node.register_departures import LOGS_OF_PROVIDER, logs_of, marks
from regulator_node.registered_label import COLUMNS, STATE, RegisteredLabel, label_of_row, state_at_revision
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.identifiers import id_bytes, id_text

MOST_REVISIONS: Final = 1000
"""Revisions of a grant that are listed; the newest."""


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which grants; what is empty, 0 or None does not filter. end_before is in microseconds since 1970."""

    jurisdiction: str = ""
    provider: str = ""
    account_id: str = ""
    basis: int = 0
    state: int = 0
    end_before: int | None = None


@dataclass(frozen=True, slots=True)
class LabelPage:
    """A page of grants, and the token of the next one; empty after the last."""

    labels: Sequence[RegisteredLabel]
    next_token: str


class LabelQueries:
    """Reads the labels of a register.

    Args:
        database: the register.
        clock: tells the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def search(self, given: LabelFilter, page_size: int = 0, page_token: str = "") -> LabelPage:
        """Reads a page of the grants that match, those first that end first.

        Args:
            given: which grants.
            page_size: grants a page; 0 for 50.
            page_token: from the page before, with the same filter; empty for the first.

        Raises:
            InvalidInput: PAGE_TOKEN_WRONG.
        """
        bound_to = b"labels" + hashlib.sha256(repr(astuple(given)).encode()).digest()
        place = read_token(page_token, bound_to, 4) if page_token else None
        at = place[0] if place else micros(self._clock())
        limit = page_size or DEFAULT_PAGE

        def work(transaction: Transaction) -> LabelPage:
            labels = _search(transaction, given, at, place[1:] if place else None, limit + 1)
            if len(labels) <= limit:
                return LabelPage(labels, "")
            last = labels[limit - 1]
            token = make_token(bound_to, (at, last.end_time, int(last.jurisdiction), last.log_index))
            return LabelPage(labels[:limit], token)

        return await self._database.read(work)

    async def revisions(self, jurisdiction: str, provider: str, grant_id: str) -> list[RegisteredLabel]:
        """Reads what was stated of a grant, newest first; the newest as it stands now, an earlier one as it was decided.

        Args:
            jurisdiction: where it was filed.
            provider: the provider's node name.
            grant_id: the grant, a UUID.

        Raises:
            NotFound: GRANT_UNKNOWN.
        """
        at = micros(self._clock())
        return await self._database.read(
            lambda transaction: _revisions(transaction, (jurisdiction, provider, id_bytes(grant_id)), at)
        )


def _search(
    transaction: Transaction, given: LabelFilter, at: int, after: Sequence[int] | None, limit: int
) -> list[RegisteredLabel]:
    conditions, parameters = _conditions(given, at)
    if after is not None:
        end, jurisdiction, log_index = after
        conditions.append("(g.end_time, g.jurisdiction, g.log_index) > (?, ?, ?)")
        parameters += [end, f"{jurisdiction:06}", log_index]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = transaction.execute(
        f"{_select(transaction)} {where} ORDER BY g.end_time, g.jurisdiction, g.log_index LIMIT ?",
        (at, *parameters, limit),
    )
    return [label_of_row(row) for row in rows]


def _conditions(given: LabelFilter, at: int) -> tuple[list[str], list[object]]:
    asked: list[tuple[str, tuple[object, ...]]] = []
    if given.jurisdiction:
        asked.append(("g.jurisdiction = ?", (given.jurisdiction,)))
    if given.provider:
        asked.append(("g.provider = ?", (given.provider,)))
    if given.account_id:
        asked.append(("g.account_id = ?", (id_bytes(given.account_id),)))
    if given.basis:
        asked.append(("g.basis = ?", (given.basis,)))
    if given.end_before is not None:
        asked.append(("g.end_time < ?", (given.end_before,)))
    if given.state:
        asked.append((f"{STATE} = ?", (at, given.state)))
    return [condition for condition, _ in asked], [value for _, values in asked for value in values]


def _select(transaction: Transaction) -> str:
    return (
        f"SELECT {COLUMNS}, f.display_name, {STATE} FROM label_grant g"  # noqa: S608
        f" LEFT JOIN filing f {transaction.by_index('filing_account')} ON f.jurisdiction IN (SELECT g.jurisdiction"
        f" UNION ALL {LOGS_OF_PROVIDER}g.provider AND jurisdiction <> g.jurisdiction)"
        " AND f.provider = g.provider AND f.account_id = g.account_id AND f.superseded_time IS NULL"
    )


def _revisions(transaction: Transaction, grant: tuple[str, str, bytes], at: int) -> list[RegisteredLabel]:
    jurisdiction, provider, _ = grant
    logs = logs_of(transaction, jurisdiction, provider)
    where, place = f"WHERE g.jurisdiction IN ({marks(logs)}) AND g.provider = ? AND g.grant_id = ?", (*logs, *grant[1:])
    rows = transaction.execute(f"{_select(transaction)} {where}", (at, *place))
    if not rows:
        raise NotFound("there is no such grant: check jurisdiction, provider and grant", "GRANT_UNKNOWN")
    newest = label_of_row(rows[0])
    decisions = {
        revision: (outcome, reason, note)
        for revision, outcome, reason, note in transaction.execute(
            "SELECT g.revision, g.outcome, g.reason, g.note FROM label_decision g"  # noqa: S608
            f" {where} ORDER BY g.decided_time, g.log_index",
            place,
        )
    }
    earlier = transaction.execute(
        "SELECT g.jurisdiction, g.log_index, g.account_id, g.grant_id, g.revision, g.action, g.basis, g.licence_number,"  # noqa: S608
        f" g.scope, g.start_time, g.end_time, g.filed_time, g.reason FROM label g {where} AND g.revision < ?"
        " ORDER BY g.revision DESC LIMIT ?",
        (*place, newest.revision, MOST_REVISIONS - 1),
    )
    return [newest, *(_earlier(row, newest, decisions) for row in earlier)]


def _earlier(
    row: tuple[Any, ...], newest: RegisteredLabel, decisions: dict[int, tuple[int, str, str]]
) -> RegisteredLabel:
    jurisdiction, log_index, account_id, grant_id, revision, action, *terms, stated_reason = row
    outcome, reason, note = decisions.get(revision, (0, stated_reason, ""))
    place = (jurisdiction, log_index, newest.provider, id_text(bytes(account_id)), id_text(bytes(grant_id)))
    said = (reason, note, newest.display_name, state_at_revision(action, outcome), "")
    return RegisteredLabel._make((*place, revision, action, *terms, *said))
