"""Measures on public accounts (Art. 8): taken, lifted, over; each told to the owner and to the regulator.

A measure is judged as the regulator will judge it, stored, and its report queued in one transaction: either all of it
is there after a crash or nothing. The gate is changed after the commit and before the call is answered, so that whoever
is told that a measure was taken can count on it. Expiry needs nobody: what has run out is derived from its end, and the
clock worker says so to the regulator once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from provider_node.account_rows import read_account
from provider_node.answers import request_of, store_answer, stored_answer
from provider_node.blind_index import BlindIndex
from provider_node.escalation_statements import Teller
from provider_node.etags import check_etag
from provider_node.gated_writes import GatedWrites
from provider_node.measure_rows import (
    MeasureState,
    StoredMeasure,
    due_to_expire,
    insert_measure,
    is_expirable,
    list_measures,
    next_expiry,
    read_history,
    read_measure,
    update_measure,
)
from provider_node.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from provider_node.reasons_statement import statement_of_reasons
from provider_node.standing import ReadStanding
from shared.clock import Clock, micros
from shared.database import Transaction
from shared.errors import FailedPrecondition, InvalidInput, NotFound
from shared.identifiers import new_account_id
from shared.provisions.account_history import AccountHistory, Measure
from shared.provisions.measure_kinds import Gravity, MeasureAction, MeasureKind
from shared.provisions.measures import MeasureRecord, measure_after
from shared.provisions.spans import FOREVER

BEFORE_ALL: Final = (FOREVER, "~")
EXPIRIES_TOGETHER: Final = 100
"""Measures whose end is told in one transaction."""

log = structlog.get_logger(__name__)

_DAY: Final = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Application:
    """What is asked when a measure is taken.

    Attributes:
        account_id: the account.
        kind: what it is.
        baseline: that the act broke, 1 to 7.
        reason: code of the act.
        gravity: UNSPECIFIED for ordinary.
        end_time: aware; None for closing, and where an order says for how long.
        order_entry_id: the order it carries out; empty for the provider's own.
    """

    account_id: str
    kind: MeasureKind
    baseline: int
    reason: str
    gravity: Gravity = Gravity.UNSPECIFIED
    end_time: datetime | None = None
    order_entry_id: str = ""


class Measures:
    """Takes and lifts measures.

    Args:
        writes: commits changes and brings them to the gate.
        index: digests requests under the vault's key.
        standing: reads the provider's standing.
        clock: tells the time.
    """

    def __init__(self, writes: GatedWrites, index: BlindIndex, standing: ReadStanding, clock: Clock) -> None:
        self._writes = writes
        self._database = writes.database
        self._index = index
        self._standing = standing
        self._clock = clock

    async def apply(self, request_id: str, application: Application) -> StoredMeasure:
        """Takes a measure; it bites before this returns.

        Returns:
            The measure; for a request sent again, the one that was taken then, as it stands now.

        Raises:
            NotFound: there is no such account.
            InvalidInput: act, baseline, end or gravity are missing or wrong, or the ladder is jumped.
            FailedPrecondition: the account is not filed, withdrawn or closed; or the order was carried out or is unknown.
        """
        request = request_of(self._index, request_id, "ApplyMeasure", _plain(application))
        now = self._clock()

        def work(transaction: Transaction) -> StoredMeasure:
            transaction.lock(f"request {request.request_id}")
            answer = stored_answer(transaction, request)
            if answer is not None:
                return read_measure(transaction, answer["measure_id"])
            transaction.lock(f"account {application.account_id.lower()}")
            account = read_account(transaction, application.account_id)
            history = read_history(transaction, account.account_id)
            record = _record(application, account.account_id, history, micros(now))
            standing = self._standing()
            Teller(transaction, standing, now).tell(record, history)
            measure = measure_after(record, None)
            insert_measure(transaction, measure, account.account_id, statement_of_reasons(measure, standing.policies))
            store_answer(transaction, request, account.reference, {"measure_id": measure.measure_id})
            return read_measure(transaction, measure.measure_id)

        return await self._writes.write(work, [application.account_id])

    async def lift(self, measure_id: str, etag: str) -> StoredMeasure:
        """Lifts a measure before its end; the gate opens before this returns.

        Raises:
            NotFound: there is no such measure.
            FailedPrecondition: it is over, final, or a regulator ordered it.
            Conflict: it was changed meanwhile.
        """
        now = self._clock()

        def work(transaction: Transaction) -> StoredMeasure:
            stored, history = read_for_change(transaction, measure_id, etag)
            teller = Teller(transaction, self._standing(), now)
            restate(transaction, teller, stored, history, MeasureAction.LIFT)
            return read_measure(transaction, measure_id)

        return await self._writes.write(work, [(await self.get(measure_id)).account_id])

    async def get(self, measure_id: str) -> StoredMeasure:
        """Reads a measure; raises NotFound."""
        return await self._database.read(lambda transaction: read_measure(transaction, measure_id))

    async def list_page(
        self, account_id: str, state: MeasureState, page_size: int, token: str
    ) -> tuple[list[StoredMeasure], str]:
        """Lists measures, newest first.

        Args:
            account_id: only of this account; empty for all.
            state: only those in it now; UNSPECIFIED for all.
            page_size: the most measures; 0 for 100.
            token: from the page before; empty for the first.

        Returns:
            A page, and the token of the next; empty after the last. A page may hold fewer than were asked for.
        """
        of_list, size = f"measures {account_id.lower()} {int(state)}", page_size or DEFAULT_PAGE_SIZE
        start, last = position_of(of_list, token, BEFORE_ALL)
        at, policies = micros(self._clock()), self._standing().policies
        found = await self._database.read(
            lambda transaction: list_measures(transaction, (int(start), str(last)), size + 1, account_id, state, at)
        )
        page = found[:size]
        following = ""
        if len(found) > size:
            following = page_token(of_list, (page[-1].measure.start_time, page[-1].measure.measure_id))
        return [each for each in page if not state or each.state(policies, at) is state], following

    async def expire_due(self) -> int:
        """Tells the regulator of measures that have run out, each once.

        Returns:
            How many; there are more where it is EXPIRIES_TOGETHER.
        """
        now = self._clock()
        at = micros(now)
        if not await self._database.read(lambda transaction: due_to_expire(transaction, at, 1)):
            return 0

        def work(transaction: Transaction) -> int:
            told = 0
            for account_id, measure_id in due_to_expire(transaction, at, EXPIRIES_TOGETHER):
                transaction.lock(f"account {account_id}")
                stored = read_measure(transaction, measure_id)
                if is_expirable(stored.measure, at):
                    told += self._expire(transaction, stored, now)
            return told

        # Nothing changes at the gate: it looks at the end of a measure by itself.
        told = await self._database.write(work)
        if told:
            self._writes.sent()
        return told

    async def next_expiry(self, after: int) -> int:
        """Returns when, in microseconds, the next measure runs out after a moment; FOREVER where none will."""
        return await self._database.read(lambda transaction: next_expiry(transaction, after))

    def state_of(self, stored: StoredMeasure) -> MeasureState:
        """Says where a measure stands now."""
        return stored.state(self._standing().policies, micros(self._clock()))

    def appeal_by(self, stored: StoredMeasure) -> int:
        """Returns until when, exclusive, in microseconds, the owner may appeal at the provider."""
        return stored.appeal_by(self._standing().policies)

    def _expire(self, transaction: Transaction, stored: StoredMeasure, now: datetime) -> int:
        teller = Teller(transaction, self._standing(), now)
        history = read_history(transaction, stored.account_id)
        try:
            restate(transaction, teller, stored, history, MeasureAction.EXPIRE)
        except (FailedPrecondition, InvalidInput) as error:
            # The provider itself may state nothing now; the end holds all the same, and is told later.
            log.warning("expiry_cannot_be_told", measure_id=stored.measure.measure_id, reason=error.reason)
            return 0
        return 1


def read_for_change(transaction: Transaction, measure_id: str, etag: str) -> tuple[StoredMeasure, AccountHistory]:
    """Locks the account of a measure and reads both; raises NotFound, Conflict."""
    transaction.lock(f"account {read_measure(transaction, measure_id).account_id}")
    stored = read_measure(transaction, measure_id)
    check_etag(etag, stored.version, "measure")
    return stored, read_history(transaction, stored.account_id)


def restate(
    transaction: Transaction, teller: Teller, stored: StoredMeasure, history: AccountHistory, action: MeasureAction
) -> Measure:
    """Tells that a measure was lifted, ran out or was overturned, and stores how it stands then.

    Raises:
        FilingnetError: what the rules refuse.
    """
    measure = stored.measure
    record = MeasureRecord(
        escalation_id=measure.measure_id,
        account_id=stored.account_id,
        revision=0,
        created_time=0,
        action=action,
        kind=measure.kind,
        baseline=measure.baseline,
        reason=measure.reason,
        gravity=measure.gravity,
        start_time=measure.start_time,
        end_time=0 if measure.end_time == FOREVER else measure.end_time,
        order_entry_id=measure.order_entry_id,
    )
    teller.tell(record, history)
    after = measure_after(record, measure)
    update_measure(transaction, after)
    return after


def _record(application: Application, account_id: str, history: AccountHistory, start: int) -> MeasureRecord:
    end = micros(application.end_time) if application.end_time else 0
    order = history.order(application.order_entry_id.lower()) if application.order_entry_id else None
    if application.order_entry_id and order is None:
        raise NotFound("no regulator gave this order about this account", "ORDER_UNKNOWN")
    if order is not None and not end and order.days:
        end = start + order.days * _DAY
    return MeasureRecord(
        escalation_id=new_account_id(),
        account_id=account_id,
        revision=0,
        created_time=start,
        action=MeasureAction.APPLY,
        kind=application.kind,
        baseline=application.baseline,
        reason=application.reason,
        gravity=application.gravity or Gravity.ORDINARY,
        start_time=start,
        end_time=end,
        order_entry_id=application.order_entry_id.lower(),
    )


def _plain(application: Application) -> list[object]:
    return [
        application.account_id.lower(),
        int(application.kind),
        application.baseline,
        application.reason,
        int(application.gravity),
        micros(application.end_time) if application.end_time else 0,
        application.order_entry_id.lower(),
    ]
