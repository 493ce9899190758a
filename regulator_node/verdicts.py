"""Verdicts of officers that come together: carried out once for each request, and answered one by one.

Each verdict is judged by itself, and a bad one never fails the others. All that stand enter the log together, in the
transaction that also keeps the answer, so that a request that is sent again gets the same answer and decides nothing
twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from google.protobuf.message import Message

from regulator_node.kept_answers import keep_answer, kept_answer
from regulator_node.log import RegisterLog
from regulator_node.own_facts import state_facts
from shared.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class VerdictResult:
    """What became of one verdict: a stable reason and the mend where it was refused, else its index in the log."""

    error_reason: str = ""
    error_message: str = ""
    log_index: int = 0


def request_digest(officer: str, asked: object) -> bytes:
    """Returns a digest of what an officer asked; of what is asked again it is the same."""
    return hashlib.sha256(repr((officer, asked)).encode()).digest()


async def decide_once(
    database: Database,
    log: RegisterLog,
    method: str,
    request_id: str,
    digest: bytes,
    decide: Callable[[Transaction], list[VerdictResult]],
) -> list[VerdictResult]:
    """Carries a request out, or gives the answer that it got before.

    Args:
        database: the register.
        log: this regulator's; locked meanwhile.
        method: under which answers are kept.
        request_id: chosen by the caller.
        digest: of what was asked, and by whom.
        decide: carries it out; may be run again from the start.

    Raises:
        Conflict: REQUEST_ID_REUSED, another request had the id.
    """

    def work(transaction: Transaction) -> list[VerdictResult]:
        log.lock(transaction)
        answered = kept_answer(transaction, method, request_id, digest)
        if answered is not None:
            return [VerdictResult(*values) for values in answered]
        results = decide(transaction)
        keep_answer(transaction, method, request_id, digest, [astuple(result) for result in results])
        return results

    return await database.write(work)


def state_decisions(
    transaction: Transaction,
    log: RegisterLog,
    refusals: Sequence[VerdictResult | None],
    bodies: Sequence[tuple[str, Message]],
    now: datetime,
    *,
    feed_regions: bool,
) -> list[VerdictResult]:
    """States the decisions that stand.

    Args:
        transaction: a write.
        log: this regulator's.
        refusals: of each verdict, in order; None where it stands.
        bodies: of those that stand, in order, each with the Entry body field's name.
        now: when they are stated.
        feed_regions: whether this is the nation, which feeds the provinces (Art. 3).

    Returns:
        One result per verdict, in order.
    """
    stated = state_facts(transaction, log, bodies, now, feed_regions=feed_regions).indexes if bodies else ()
    indexes = iter(stated)
    return [VerdictResult(log_index=next(indexes)) if refusal is None else refusal for refusal in refusals]
