"""The gate on the path of every post (Arts. 2, 7(2), 8(1)): answers from what this node holds, whoever else is away.

The grants and measures of every account that has any are in memory from the start on, and so is where a million accounts
stand: some 125 bytes each. Of the accounts beyond that it is read by their index, in the calling thread, and remembered
for those that post. Whatever changes an account is written by `changing`: the gate reads the account anew once the
change is stored and before anybody is told, also when the caller has gone away meanwhile. So a right opens and closes,
and a measure bites, within the call that does it.

Of a private act nothing is looked up, held, counted or logged: it leaves no trace (Art. 2, answer 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, Final, TypeVar

from provider_node.gate_facts import ACCOUNT, ACCOUNTS, Facts, MeasureSource, read_facts, state_of_row
from provider_node.label_rows import all_grants
from shared.clock import Clock, micros
from shared.database import Database, Transaction, local_reader
from shared.errors import FilingnetError
from shared.provisions.account_history import Measure
from shared.provisions.labels import Grant
from shared.provisions.provider_standing import LicenceSpan
from shared.provisions.publication import (
    AccountState,
    Answer,
    Audience,
    PublicationAct,
    PublicationForm,
    check_publication,
)
from shared.provisions.spans import FOREVER

T = TypeVar("T")

REMEMBERED: Final = 1_048_576
"""Most accounts without grant or measure of which the gate remembers where they stand."""

FORGOTTEN_AT_ONCE: Final = 64
"""One in so many is forgotten at once where there are more: finding the oldest of a dict again and again is slow."""

_PLAIN: Final[dict[int, Facts]] = {state: Facts(state) for state in AccountState}
"""Accounts without grant or measure; most accounts share one of these."""
_NOBODY: Final = _PLAIN[AccountState.UNKNOWN]
_PRIVATE: Final = int(Audience.PRIVATE)


class Gate:
    """Answers whether an account may do something now; for use on one event loop.

    Args:
        database: the node's own.
        measures: reads the measures.
        licence: reads when the provider's own licence holds.
        clock: tells the time.
        remembered: most accounts without grant or measure of which it remembers where they stand.
    """

    def __init__(
        self,
        database: Database,
        measures: MeasureSource,
        licence: Callable[[], LicenceSpan],
        clock: Clock,
        *,
        remembered: int = REMEMBERED,
    ) -> None:
        self._database = database
        self._measures = measures
        self._licence = licence
        self._clock = clock
        self._most_remembered = remembered
        self._reader = local_reader(database)
        self._held: dict[str, Facts] = {}
        self._remembered: dict[str, Facts] = {}
        self._stale: set[str] = set()
        self._changes = 0
        self._under_way: set[asyncio.Task[Any]] = set()

    async def load(self) -> None:
        """Loads the grants and measures of every account that has any, and where the others stand. To be called before
        the first question.
        """
        now = micros(self._clock())
        self._held, self._remembered = await self._database.read(lambda transaction: self._load(transaction, now))

    async def close(self) -> None:
        """Waits for the changes under way, and closes the gate's own connection."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._reader is not None:
            self._reader.close()

    async def changing(self, account_ids: Iterable[str], write: Coroutine[Any, Any, T]) -> T:
        """Runs a write that changes accounts, their grants or their measures, and lets the gate know.

        The write is finished also when the caller is cancelled meanwhile.

        Args:
            account_ids: the accounts.
            write: writes to the database.

        Returns:
            What the write returned.
        """
        task = asyncio.ensure_future(self._change(list(account_ids), write))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def changed(self, account_ids: Iterable[str]) -> None:
        """Reads accounts anew, because a change of them is stored: here, or at the next question where that fails."""
        self._changes += 1
        for account_id in account_ids:
            known = account_id.lower()
            self._remembered.pop(known, None)
            self._stale.add(known)
            # Whoever changed the account did so, and is not told that this failed.
            with suppress(FilingnetError):
                self._facts_at_hand(known)

    def plain_state(self, account_id: str) -> AccountState | None:
        """Returns where an account stands that is known to have neither grant nor measure; None of any other.

        Args:
            account_id: the account, a UUID in lower case.
        """
        # What changed was taken out, so that nothing here is stale.
        facts = self._remembered.get(account_id)
        return None if facts is None else facts.state

    async def check(
        self, account_id: str, act: PublicationAct, is_news: bool, audience: Audience, form: PublicationForm
    ) -> Answer:
        """Answers whether an account may do something now; see `check_publication`.

        Args:
            account_id: the account, a UUID.
            act: what it is about to do.
            is_news: whether it is current-political news, by the caller's word.
            audience: who will see it.
            form: by which form.

        Raises:
            FilingnetError: the account could not be read.
        """
        if audience == _PRIVATE:
            return check_publication(AccountState.UNKNOWN, act, is_news, audience, form, (), (), self._licence(), 0)
        known = account_id.lower()
        state, grants, measures = self._facts_at_hand(known) or await self._fetch(known)
        # Nothing of an account that has neither depends on the time.
        at = micros(self._clock()) if grants or measures else 0
        return check_publication(state, act, is_news, audience, form, grants, measures, self._licence(), at)

    async def _change(self, account_ids: list[str], write: Coroutine[Any, Any, T]) -> T:
        try:
            return await write
        finally:
            # Also when it raised: a failure during a commit may have stored it all the same.
            self.changed(account_ids)
            if self._reader is None:
                with suppress(FilingnetError):
                    for account_id in account_ids:
                        await self._fetch(account_id.lower())

    def _facts_at_hand(self, account_id: str) -> Facts | None:
        """Returns what is in memory or can be read in this thread; None where it has to be fetched."""
        if account_id in self._stale:
            if self._reader is None:
                return None
            read = read_facts(self._reader.rows, account_id, self._measures)
            self._keep(account_id, read)
            return read
        facts = self._remembered.get(account_id) or self._held.get(account_id)
        if facts is not None or self._reader is None:
            return facts
        rows = self._reader.rows(ACCOUNT, (account_id,))
        if not rows:
            return _NOBODY
        return self._remember(account_id, _PLAIN[state_of_row(rows[0])])

    async def _fetch(self, account_id: str) -> Facts:
        changes = self._changes
        facts = await self._database.read(
            lambda transaction: read_facts(transaction.execute, account_id, self._measures)
        )
        if changes == self._changes:
            self._keep(account_id, facts)
        return facts

    def _keep(self, account_id: str, facts: Facts) -> None:
        """Takes what was just read in place of what is held."""
        self._stale.discard(account_id)
        self._held.pop(account_id, None)
        if facts.grants or facts.measures:
            self._held[account_id] = facts
        elif facts.state:
            self._remember(account_id, facts)

    def _remember(self, account_id: str, facts: Facts) -> Facts:
        if len(self._remembered) >= self._most_remembered:
            # Those that were read the longest ago.
            for oldest in [*islice(self._remembered, self._most_remembered // FORGOTTEN_AT_ONCE + 1)]:
                del self._remembered[oldest]
        self._remembered[account_id] = facts
        return facts

    def _load(self, transaction: Transaction, now: int) -> tuple[dict[str, Facts], dict[str, Facts]]:
        grants: dict[str, list[Grant]] = {}
        for account_id, grant in all_grants(transaction.execute):
            grants.setdefault(account_id, []).append(grant)
        measures: dict[str, list[Measure]] = {}
        for account_id, measure in self._measures.all_measures(transaction.execute, now):
            measures.setdefault(account_id, []).append(measure)
        found = transaction.execute(ACCOUNTS, (self._most_remembered,))
        plain = {account_id: _PLAIN[state_of_row(row)] for account_id, *row in found}
        held = {}
        for account_id in grants.keys() | measures.keys():
            known = plain.pop(account_id, None) or Facts(state_of_row(*transaction.execute(ACCOUNT, (account_id,))))
            held[account_id] = Facts(known.state, (*grants.get(account_id, ()),), (*measures.get(account_id, ()),))
        return held, plain


class LicenceReader:
    """Reads when the provider's own licence holds, once for each directory.

    Args:
        version: of the newest directory.
        read: reads it out of the newest directory.
    """

    def __init__(self, version: Callable[[], object], read: Callable[[], LicenceSpan]) -> None:
        self._version = version
        self._read = read
        self._known: tuple[object, LicenceSpan] = (None, LicenceSpan(0, FOREVER))

    def __call__(self) -> LicenceSpan:
        """Returns when it holds."""
        version = self._version()
        if self._known[0] is not version:
            self._known = (version, self._read())
        return self._known[1]
