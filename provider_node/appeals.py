"""Appeals of owners against measures (answer 1): once at the provider and once at the regulator, each in its time.

The owner's words are sealed at this node; a digest of them travels. What the owner asks at the provider leaves nothing
but the provider's decision, or the appeal to the regulator where the owner goes on. An appeal that is won undoes the
measure in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from provider_node.escalation_statements import Teller, refused
from provider_node.gated_writes import GatedWrites
from provider_node.measure_rows import (
    StoredMeasure,
    insert_appeal,
    read_measure,
    update_appeal,
)
from provider_node.measures import read_for_change, restate
from provider_node.sealed_words import SealedWords
from provider_node.standing import ReadStanding
from shared.clock import Clock, micros
from shared.database import Transaction
from shared.errors import FailedPrecondition
from shared.identifiers import new_account_id
from shared.provisions.account_history import Appeal
from shared.provisions.appeals import AppealRecord, AppealStage, appeal_after, judge_submission
from shared.provisions.measure_kinds import MeasureAction
from shared.provisions.spans import FOREVER

TABLE: Final = "appeal"


class Appeals:
    """Takes appeals in, decides them, and sends them on.

    Args:
        writes: commits changes and brings them to the gate.
        words: seals what owners write.
        standing: reads the provider's standing.
        clock: tells the time.
    """

    def __init__(self, writes: GatedWrites, words: SealedWords, standing: ReadStanding, clock: Clock) -> None:
        self._writes = writes
        self._words = words
        self._standing = standing
        self._clock = clock

    async def submit(self, measure_id: str, statement: str) -> StoredMeasure:
        """Takes an owner's appeal at the provider. Nothing leaves.

        Raises:
            NotFound: there is no such measure.
            FailedPrecondition: APPEAL_REPEATED, APPEAL_TOO_LATE, MEASURE_OVERTURNED.
        """
        now = self._clock()
        digest = hashlib.sha256(statement.encode()).digest()

        def work(transaction: Transaction) -> StoredMeasure:
            stored, history = read_for_change(transaction, measure_id, "")
            refusal = judge_submission(stored.measure, history, self._standing().policies, micros(now))
            if refusal is not None:
                raise refused(refusal)
            appeal = Appeal(new_account_id(), stored.measure.measure_id, 0, micros(now))
            sealed = self._words.seal(TABLE, appeal.appeal_id, "statement", statement)
            insert_appeal(transaction, appeal, stored.account_id, digest, sealed)
            return read_measure(transaction, measure_id)

        return await self._write(measure_id, work)

    async def decide(self, measure_id: str, *, overturned: bool, actor: str, etag: str) -> StoredMeasure:
        """Decides an appeal at the provider; one that is won undoes the measure before this returns.

        Raises:
            NotFound: there is no such measure.
            FailedPrecondition: APPEAL_UNKNOWN, APPEAL_REPEATED where it was decided, MEASURE_ORDERED where a regulator
                ordered the measure: uphold it, so that the owner can go on.
            Conflict: the measure was changed meanwhile.
        """
        stage = AppealStage.PROVIDER_OVERTURNED if overturned else AppealStage.PROVIDER_UPHELD
        now = self._clock()

        def work(transaction: Transaction) -> StoredMeasure:
            stored, history = read_for_change(transaction, measure_id, etag)
            record = _record(stored, stage)
            teller = Teller(transaction, self._standing(), now)
            teller.tell(record, history)
            appeal = appeal_after(record, stored.appeal.appeal if stored.appeal else None)
            update_appeal(transaction, appeal, actor)
            if overturned:
                restate(transaction, teller, stored, history.with_appeal(appeal), MeasureAction.OVERTURN)
            return read_measure(transaction, measure_id)

        return await self._write(measure_id, work)

    async def send_on(self, measure_id: str) -> StoredMeasure:
        """Sends an owner's appeal on to the regulator: after the provider upheld the measure, or let its time run out.

        Raises:
            NotFound: there is no such measure.
            FailedPrecondition: APPEAL_UNKNOWN, APPEAL_REPEATED, APPEAL_TOO_EARLY, APPEAL_TOO_LATE, MEASURE_OVERTURNED.
        """
        now = self._clock()

        def work(transaction: Transaction) -> StoredMeasure:
            stored, history = read_for_change(transaction, measure_id, "")
            record = _record(stored, AppealStage.TO_REGULATOR, micros(now))
            Teller(transaction, self._standing(), now).tell(record, history)
            appeal = stored.appeal.appeal if stored.appeal else None
            update_appeal(transaction, appeal_after(record, appeal))
            return read_measure(transaction, measure_id)

        return await self._write(measure_id, work)

    async def _write(self, measure_id: str, work: Callable[[Transaction], StoredMeasure]) -> StoredMeasure:
        stored = await self._writes.database.read(lambda transaction: read_measure(transaction, measure_id))
        return await self._writes.write(work, [stored.account_id])


def _record(stored: StoredMeasure, stage: AppealStage, appealed_time: int = 0) -> AppealRecord:
    if stored.appeal is None:
        raise FailedPrecondition("the owner has not appealed against this measure", "APPEAL_UNKNOWN")
    appeal = stored.appeal.appeal
    passes_by = stage is AppealStage.TO_REGULATOR and appeal.decided_time == FOREVER
    return AppealRecord(
        escalation_id=appeal.appeal_id,
        account_id=stored.account_id,
        revision=0,
        created_time=0,
        measure_id=appeal.measure_id,
        stage=stage,
        appealed_time=appealed_time or appeal.appealed_time,
        statement_digest=stored.appeal.statement_digest,
        undecided_since_time=appeal.appealed_time if passes_by else 0,
    )
