"""Questions to the register about cases and measures, page by page without a cap.

A case is shown as it stands at the moment of the question: one that its province did not decide in time is the nation's
from that moment on, though nobody wrote anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from regulator_node.case_fold import Happening, ShownState, Standing, standing_at
from regulator_node.case_rows import (
    NATION_JURISDICTION,
    CaseFile,
    held_policies,
    read_case,
    read_cases,
    read_happenings,
    read_standing,
)
from regulator_node.paging import DEFAULT_PAGE, make_token, read_token
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.identifiers import id_bytes
from shared.provisions.escalations import CaseEvent, CaseKind, Party
from shared.provisions.spans import FOREVER

_MEASURE_COLUMNS: Final = (
    "jurisdiction, provider, account_id, measure_id, kind, action, baseline, reason, gravity, start_time, end_time,"
    " order_entry_id, log_index, filed_time"
)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; 0 and empty for all: state as it is shown, kind, provider and jurisdiction."""

    state: int = 0
    kind: int = 0
    provider: str = ""
    jurisdiction: str = ""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case at a moment.

    Attributes:
        file: what it is about.
        standing: how it stands.
        happened: what happened, oldest first, with its rise to the nation.
        responsible: node name of whoever has to act; empty where it is over.
        etag: changes with every change.
        overdue: whether whoever has to act let the time run out.
    """

    file: CaseFile
    standing: Standing
    happened: Sequence[Happening]
    responsible: str
    etag: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class CasePage:
    """A page of cases, and the token of the next one; empty after the last."""

    cases: Sequence[CaseView]
    next_token: str


@dataclass(frozen=True, slots=True)
class MeasureFilter:
    """Which measures; empty and 0 for all."""

    provider: str = ""
    account_id: str = ""
    kind: int = 0


@dataclass(frozen=True, slots=True)
class RegisteredMeasure:
    """A measure as the register holds it; times in microseconds, end_time FOREVER for closing."""

    jurisdiction: str
    provider: str
    account_id: bytes
    measure_id: bytes
    kind: int
    action: int
    baseline: int
    reason: str
    gravity: int
    start_time: int
    end_time: int
    order_entry_id: str
    log_index: int
    filed_time: int


@dataclass(frozen=True, slots=True)
class MeasurePage:
    """A page of measures, and the token of the next one; empty after the last."""

    measures: Sequence[RegisteredMeasure]
    next_token: str


class CaseQueries:
    """Reads cases and measures.

    Args:
        database: the register.
        clock: tells the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def search(self, given: CaseFilter, page_size: int = 0, page_token: str = "") -> CasePage:
        """Reads a page of cases, those first that are due first; those that are over come last.

        Args:
            given: which cases.
            page_size: cases a page; 0 for 50.
            page_token: from the page before, with the same filter; empty for the first.

        Raises:
            InvalidInput: PAGE_TOKEN_WRONG.
        """
        bound_to = hashlib.sha256(f"cases/{given}".encode()).digest()
        after = read_token(page_token, bound_to, 4) if page_token else None
        limit, now = page_size or DEFAULT_PAGE, micros(self._clock())
        conditions, parameters = _conditions(given, now)
        if after is not None:
            due, jurisdiction, high, low = after
            case_id = high.to_bytes(8, "big", signed=True) + low.to_bytes(8, "big", signed=True)
            conditions.append("(due_time, jurisdiction, case_id) > (?, ?, ?)")
            parameters += [due, f"{jurisdiction:06}", case_id]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""

        def work(transaction: Transaction) -> CasePage:
            order = f"{where} ORDER BY due_time, jurisdiction, case_id LIMIT ?"
            found = read_cases(transaction, order, (*parameters, limit + 1))
            views = [view_of(transaction, case, now) for case in found[:limit]]
            return CasePage(views, _case_token(bound_to, found[limit - 1]) if len(found) > limit else "")

        return await self._database.read(work)

    async def get(self, jurisdiction: str, case_id: str) -> CaseView:
        """Reads one case.

        Raises:
            NotFound: CASE_UNKNOWN.
        """
        now = micros(self._clock())

        def work(transaction: Transaction) -> CaseView:
            case = read_case(transaction, jurisdiction, id_bytes(case_id))
            if case is None:
                raise unknown_case()
            return view_of(transaction, case, now)

        return await self._database.read(work)

    async def measures(self, given: MeasureFilter, page_size: int = 0, page_token: str = "") -> MeasurePage:
        """Reads a page of measures, newest statement first.

        Args:
            given: which measures.
            page_size: measures a page; 0 for 50.
            page_token: from the page before, with the same filter; empty for the first.

        Raises:
            InvalidInput: PAGE_TOKEN_WRONG.
        """
        bound_to = hashlib.sha256(f"measures/{given}".encode()).digest()
        after = read_token(page_token, bound_to, 3) if page_token else None
        limit = page_size or DEFAULT_PAGE
        account = id_bytes(given.account_id) if given.account_id else None
        wanted: list[tuple[str, object]] = [("provider", given.provider), ("account_id", account), ("kind", given.kind)]
        conditions = [f"{column} = ?" for column, value in wanted if value]
        parameters = [value for _, value in wanted if value]
        if after is not None:
            conditions.append("(filed_time, jurisdiction, log_index) < (?, ?, ?)")
            parameters += [after[0], f"{after[1]:06}", after[2]]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = await self._database.read(
            lambda transaction: transaction.execute(
                f"SELECT {_MEASURE_COLUMNS} FROM measure {where}"  # noqa: S608
                " ORDER BY filed_time DESC, jurisdiction DESC, log_index DESC LIMIT ?",
                (*parameters, limit + 1),
            )
        )
        found = [_measure(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return MeasurePage(found, "")
        last = found[-1]
        return MeasurePage(found, make_token(bound_to, (last.filed_time, int(last.jurisdiction), last.log_index)))


def view_of(transaction: Transaction, case: CaseFile, now: int) -> CaseView:
    """Returns a case at a moment, in microseconds."""
    happened = read_happenings(transaction, case)
    standing = standing_at(read_standing(transaction, case), CaseKind(case.kind), held_policies(transaction), now)
    shown = list(happened)
    if standing.risen:
        rise = Happening(standing.risen_time, CaseEvent.RISE, actor="clock")
        shown = sorted([*happened, rise], key=lambda each: (each.event is not CaseEvent.OPEN, each.time))
    etag = hashlib.sha256(f"{case.case_id.hex()}/{len(happened)}/{standing.shown}".encode()).hexdigest()[:16]
    return CaseView(case, standing, shown, _responsible(case, standing), etag, standing.due_time <= now)


def unknown_case() -> NotFound:
    """Returns the error that this node has no such case."""
    return NotFound("this node has no such case: check jurisdiction and case", "CASE_UNKNOWN")


def _responsible(case: CaseFile, standing: Standing) -> str:
    party = standing.responsible(case.home)
    if party is Party.NOBODY:
        return ""
    if party is Party.PROVIDER:
        return case.provider
    return f"regulator/{NATION_JURISDICTION if party is Party.NATION else case.jurisdiction}"


def _conditions(given: CaseFilter, now: int) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    parameters: list[object] = []
    for column, value in (("kind", given.kind), ("provider", given.provider), ("jurisdiction", given.jurisdiction)):
        if value:
            conditions.append(f"{column} = ?")
            parameters.append(value)
    if given.state == ShownState.AT_NATION:
        conditions.append("(shown_state = ? OR rise_time <= ?)")
        parameters += [given.state, now]
    elif given.state:
        conditions.append("shown_state = ? AND rise_time > ?")
        parameters += [given.state, now]
    return conditions, parameters


def _case_token(bound_to: bytes, case: CaseFile) -> str:
    high, low = (int.from_bytes(half, "big", signed=True) for half in (case.case_id[:8], case.case_id[8:]))
    return make_token(bound_to, (min(case.due_time, FOREVER), int(case.jurisdiction), high, low))


def _measure(row: tuple[Any, ...]) -> RegisteredMeasure:
    values: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    return RegisteredMeasure(*values)
