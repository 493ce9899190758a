"""What people do in a run: backends open, review, amend and withdraw accounts, and officers decide.

A backend whose node crashed under its call makes the same call again once the node is back, and so does an officer. What
they were told goes into the ledger: it has to hold for ever.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from provider_node.account_rows import Account
from provider_node.accounts import Accounts
from regulator_node.review import Outcome, Review, Verdict
from regulator_node.verdicts import VerdictResult
from shared.errors import FilingnetError
from shared.identifiers import id_text, new_account_id
from shared.provisions.account_states import ReviewOutcome
from shared.provisions.filings import WithdrawalReason
from tests.faults.simulation.founded import SUBJECTS
from tests.faults.simulation.nodes import Node, ProviderNode, RegulatorNode

Answer = TypeVar("Answer")

AGAIN_SECONDS: Final = 0.25
TOO_FAR_AHEAD: Final = timedelta(hours=2)
"""A clock so wrong that what is filed by it is refused: TIME_IN_FUTURE."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a backend was told: its account has this filing, whose entry waits or has arrived."""

    provider: str
    account_id: str
    entry_id: str


@dataclass
class Ledger:
    """What people were told.

    Attributes:
        told: filings that were acknowledged to backends.
        opened: account by provider and request id.
        decided: log indexes of decisions that officers were told of, by regulator.
        bad: filings made by a wrong clock.
        calls: calls that were answered.
    """

    told: list[Told] = field(default_factory=list)
    opened: dict[tuple[str, str], str] = field(default_factory=dict)
    decided: list[tuple[str, int]] = field(default_factory=list)
    bad: int = 0
    calls: int = 0


async def called(node: Node, make: Callable[[Any], Coroutine[Any, Any, Answer]]) -> Answer:
    """Makes a call to a node's parts, again and again until a life of the node answers it.

    Raises:
        FilingnetError: as the node refused it.
    """
    while True:
        if not node.up or node.parts is None:
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        task = node.life.spawn(make(node.parts))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()
                raise
        except FilingnetError as error:
            if error.reason not in ("STORAGE_CLOSED", "STORAGE_FULL"):
                raise
            await asyncio.sleep(AGAIN_SECONDS)


class Backend:
    """One provider's backend.

    Args:
        node: the provider.
        chance: decides what it does.
        ledger: takes down what it was told.
    """

    def __init__(self, node: ProviderNode, chance: random.Random, ledger: Ledger) -> None:
        self._node = node
        self._chance = chance
        self._ledger = ledger
        self._accounts: list[str] = []

    async def act(self) -> None:
        """Does one thing."""
        draw = self._chance.random()
        if not self._accounts or draw < 0.5:
            await self._open()
        elif draw < 0.78:
            await self._change(lambda accounts, account_id: accounts.amend(account_id, self._name(), "", "", None))
        elif draw < 0.88:
            await self._badly()
        elif draw < 0.94:
            await self._replay()
        else:
            await self._change(
                lambda accounts, account_id: accounts.withdraw(account_id, WithdrawalReason.OWNER_REQUEST, "")
            )

    def _name(self) -> str:
        return f"样例公众号{chr(0x4E00 + self._chance.randrange(500))}"

    async def _open(self) -> None:
        request, subject, name = new_account_id(), self._chance.choice(SUBJECTS), self._name()
        try:
            account = await called(self._node, lambda parts: parts.accounts.open(request, subject, name, "lifestyle"))
        except FilingnetError:
            return
        self._ledger.calls += 1
        self._ledger.opened[self._node.name, request] = account.account_id
        self._accounts.append(account.account_id)
        await self._file(account.account_id, _review)

    async def _change(self, change: Callable[[Accounts, str], Awaitable[Account]]) -> None:
        await self._file(self._chance.choice(self._accounts), change)

    async def _file(self, account_id: str, change: Callable[[Accounts, str], Awaitable[Account]]) -> None:
        async def make(parts: Any) -> Account:
            return await change(parts.accounts, account_id)

        try:
            account = await called(self._node, make)
        except FilingnetError:
            # Withdrawn before, say: nothing was acknowledged.
            return
        self._ledger.calls += 1
        if account.filing is not None:
            self._ledger.told.append(Told(self._node.name, account_id, account.filing.entry_id))

    async def _badly(self) -> None:
        """Files by a clock that is wrong: the regulator refuses it, and it stops its account alone."""
        self._ledger.bad += 1
        self._node.use_ahead = TOO_FAR_AHEAD
        try:
            await self._change(lambda accounts, account_id: accounts.amend(account_id, self._name(), "", "", None))
        finally:
            self._node.use_ahead = timedelta()

    async def _replay(self) -> None:
        account_id = self._chance.choice(self._accounts)
        await called(self._node, lambda parts: parts.accounts.replay(account_id))


async def _review(accounts: Accounts, account_id: str) -> Account:
    return await accounts.review(account_id, ReviewOutcome.PASSED, "", "", None)


class Officer:
    """An officer of one regulator.

    Args:
        node: the regulator.
        chance: decides.
        ledger: takes down what was answered.
    """

    def __init__(self, node: RegulatorNode, chance: random.Random, ledger: Ledger) -> None:
        self._node = node
        self._chance = chance
        self._ledger = ledger

    async def act(self) -> None:
        """Decides on some of what is in the register."""
        rows = self._node.disk.rows(
            "SELECT provider, account_id, revision FROM filing WHERE jurisdiction = ? AND superseded_time IS NULL"
            " AND decision_index IS NULL ORDER BY log_index",
            self._node.jurisdiction,
        )
        if not rows:
            return
        some = self._chance.sample(rows, min(len(rows), 1 + self._chance.randrange(3)))
        verdicts = [self._verdict(provider, id_text(account), revision) for provider, account, revision in some]
        request = new_account_id()

        async def make(parts: Any) -> list[VerdictResult]:
            review: Review = parts.review
            return await review.decide(request, f"officer/{self._node.jurisdiction}/reviewer/desk-1", verdicts)

        try:
            results = await called(self._node, make)
        except FilingnetError:
            return
        self._ledger.calls += 1
        self._ledger.decided += [(self._node.name, each.log_index) for each in results if not each.error_reason]

    def _verdict(self, provider: str, account_id: str, revision: int) -> Verdict:
        if self._chance.random() < 0.7:
            return Verdict(provider, account_id, revision, Outcome.ACCEPTED)
        return Verdict(provider, account_id, revision, Outcome.RETURNED, "name_misleading", ("display_name",))
