"""Holds that this regulator has providers keep (Arts. 8(2), 9): each is a directive in the own log, and placed once.

Who may direct it is the regulator that the provider files with, by the directory, or the nation: the same who may lift it,
whoever placed it. The provider hears it on the stream of directives, and acknowledges it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from regulator_node.log import RegisterLog
from regulator_node.own_facts import state_facts
from regulator_node.register_holds import home_log_of, read_directed
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound
from shared.mapping.record_hold import hold_directive_to_wire
from shared.network import NetworkView
from shared.provisions.escalations import directive_times
from shared.provisions.record_holds import HoldAction, HoldDirective, judge_hold_directive
from shared.provisions.regions import NATION
from shared.provisions.retention import Hold
from shared.provisions.spans import FOREVER
from shared.records.hold_rows import StoredHold, read_hold
from shared.validation import validate


class RecordHolds:
    """Places and lifts them.

    Args:
        database: the register.
        log: this regulator's.
        view: the documents held.
        clock: tells the time.
        on_change: called after a directive entered the log, to wake those who follow it.
    """

    def __init__(
        self,
        database: Database,
        log: RegisterLog,
        view: NetworkView,
        clock: Clock,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._log = log
        self._view = view
        self._clock = clock
        self._on_change = on_change

    async def direct(self, provider: str, hold: Hold, reason: str) -> StoredHold:
        """Has a provider keep records.

        Args:
            provider: its node name.
            hold: placed_time is from when it holds, 0 for now; end_time until when, FOREVER for until it is lifted.
            reason: why, as a code.

        Returns:
            The hold; the same again for the same request.

        Raises:
            InvalidInput: HOLD_SCOPE_WRONG, HOLD_WITHOUT_END, HOLD_TIMES_WRONG.
            NotFound: NODE_UNKNOWN.
            FailedPrecondition: PROVIDER_ELSEWHERE, PROVIDER_UNHEARD.
            AlreadyExists: HOLD_EXISTS, another hold has the id.
        """
        now = self._clock()
        directive = self._directive(
            provider,
            hold.hold_id.lower(),
            HoldAction.PLACE,
            reason,
            now,
            (hold.scope, hold.record_class, hold.target.lower(), hold.placed_time or micros(now), hold.end_time),
        )
        refusal = judge_hold_directive(directive, self._view.policy_at(now))
        if refusal is not None:
            mend = refusal.violations[0].mend
            raise InvalidInput(f"no provider is told so: {mend}", refusal.reason, list(refusal.violations))
        self._check_provider(provider)

        def work(transaction: Transaction) -> StoredHold:
            self._log.lock(transaction)
            known = read_directed(transaction, directive.hold_id)
            if known is not None and _same(known, directive, stated_start=bool(hold.placed_time)):
                return known
            if known is not None or read_hold(transaction, directive.hold_id) is not None:
                raise AlreadyExists("another hold has this id: choose a new one", "HOLD_EXISTS")
            self._check_heard(transaction, provider)
            return self._state(transaction, directive, now)

        return await self._write(work)

    async def lift(self, hold_id: str, reason: str) -> StoredHold:
        """Lets a provider's records go again; a hold that was lifted before is returned as it is.

        Raises:
            NotFound: HOLD_UNKNOWN.
            FailedPrecondition: PROVIDER_ELSEWHERE.
        """
        now = self._clock()

        def work(transaction: Transaction) -> StoredHold:
            self._log.lock(transaction)
            known = read_directed(transaction, hold_id)
            if known is None:
                raise NotFound("no provider has a hold under this id: list them", "HOLD_UNKNOWN")
            if known.hold.lifted_time != FOREVER:
                return known
            self._check_provider(known.provider)
            directive = self._directive(known.provider, known.hold.hold_id, HoldAction.LIFT, reason, now)
            return self._state(transaction, directive, now)

        return await self._write(work)

    async def _write(self, work: Callable[[Transaction], StoredHold]) -> StoredHold:
        stored = await self._database.write(work)
        self._on_change()
        return stored

    def _directive(
        self,
        provider: str,
        hold_id: str,
        action: HoldAction,
        reason: str,
        now: datetime,
        terms: tuple[object, ...] = (),
    ) -> HoldDirective:
        at = micros(now)
        due, _ = directive_times(self._view.policy_at(now), at)
        return HoldDirective(provider, hold_id, action, reason, at, due, *terms)  # type: ignore[arg-type]

    def _state(self, transaction: Transaction, directive: HoldDirective, now: datetime) -> StoredHold:
        body = hold_directive_to_wire(directive)
        validate(body)
        national = self._log.jurisdiction == NATION
        state_facts(transaction, self._log, [("record_hold", body)], now, feed_regions=national)
        stored = read_directed(transaction, directive.hold_id)
        assert stored is not None
        return stored

    def _check_provider(self, provider: str) -> None:
        node = self._view.directory.node(provider)
        if node is None or not provider.startswith("provider/"):
            raise NotFound("the directory has no such provider: list the nodes", "NODE_UNKNOWN")
        if self._log.jurisdiction not in (NATION, node.jurisdiction):
            message = f"{provider} files with regulator/{node.jurisdiction}: have it, or the nation, direct the hold"
            raise FailedPrecondition(message, "PROVIDER_ELSEWHERE")

    def _check_heard(self, transaction: Transaction, provider: str) -> None:
        node = self._view.directory.node(provider)
        elsewhere = node is not None and node.jurisdiction != self._log.jurisdiction
        if elsewhere and home_log_of(transaction, provider) is None:
            message = f"{provider} has stated nothing yet that the nation holds: have its own regulator direct the hold"
            raise FailedPrecondition(message, "PROVIDER_UNHEARD")


def _same(known: StoredHold, directive: HoldDirective, *, stated_start: bool) -> bool:
    hold = known.hold
    start = hold.placed_time if stated_start else directive.start_time
    mine = (known.provider, hold.scope, hold.record_class, hold.target, start, hold.end_time, known.reason)
    terms = (directive.scope, directive.record_class, directive.target, directive.start_time, directive.end_time)
    return mine == (directive.provider, *terms, directive.reason)
