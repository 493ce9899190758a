"""Verdicts of officers that come together: carried out once for each request, and answered one by one.

Each verdict is judged by itself, and a bad one never fails the others. All that stand enter the log together, in the
transaction that also keeps the answer, so that a request that is sent again gets the same answer and decides nothing
twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from google.protobuf.message import Message

from regulator_node.kept_answers import keep_answer, kept_answer
from regulator_node.log import RegisterLog
from regulator_node.own_facts import state_facts
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.provisions.policy import Policy


@dataclass(frozen=True, slots=True)
class VerdictResult:
    """What became of one verdict: a stable reason and the mend where it was refused, else its index in the log."""

    error_reason: str = ""
    error_message: str = ""
    log_index: int = 0


class Desk:
    """What officers decide at, in the jurisdiction of one regulator.

    Args:
        database: the register.
        log: this regulator's.
        policy_at: finds the policy in force at a time.
        clock: tells the time.
        feed_regions: whether this is the nation, which feeds the provinces (Art. 3).
        on_change: called after decisions entered the log, to wake those who follow it.
    """

    def __init__(
        self,
        database: Database,
        log: RegisterLog,
        policy_at: Callable[[datetime], Policy],
        clock: Clock,
        *,
        feed_regions: bool,
        on_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._log = log
        self._policy_at = policy_at
        self._clock = clock
        self._feed_regions = feed_regions
        self._on_change = on_change

    async def _decide_each(
        self,
        method: str,
        request_id: str,
        asked: object,
        decide: Callable[[Transaction, Policy, datetime], list[VerdictResult]],
    ) -> list[VerdictResult]:
        """Carries a request out, or gives the answer that it got before.

        Args:
            method: under which answers are kept.
            request_id: chosen by the caller.
            asked: what, and by whom.
            decide: carries it out by the policy of this moment; may be run again from the start.

        Raises:
            Conflict: REQUEST_ID_REUSED, another request had the id.
        """
        digest = request_digest(asked)
        now = self._clock()
        policy = self._policy_at(now)

        def work(transaction: Transaction) -> list[VerdictResult]:
            self._log.lock(transaction)
            answered = kept_answer(transaction, method, request_id, digest)
            if answered is not None:
                return [VerdictResult(*values) for values in answered]
            results = decide(transaction, policy, now)
            keep_answer(transaction, method, request_id, digest, [astuple(result) for result in results])
            return results

        results = await self._database.write(work)
        self._on_change()
        return results

    def _state_decisions(
        self,
        transaction: Transaction,
        refusals: Sequence[VerdictResult | None],
        bodies: Sequence[tuple[str, Message]],
        now: datetime,
    ) -> list[VerdictResult]:
        """States the decisions that stand.

        Args:
            transaction: a write.
            refusals: of each verdict, in order; None where it stands.
            bodies: of those that stand, in order, each with the Entry body field's name.
            now: when they are stated.

        Returns:
            One result per verdict, in order.
        """
        indexes: Iterator[int] = iter(())
        if bodies:
            stated = state_facts(transaction, self._log, bodies, now, feed_regions=self._feed_regions)
            indexes = iter(stated.indexes)
        return [VerdictResult(log_index=next(indexes)) if refusal is None else refusal for refusal in refusals]


def request_digest(asked: object) -> bytes:
    """Returns a digest of what was asked, and by whom; of what is asked again it is the same."""
    return hashlib.sha256(repr(asked).encode()).digest()
