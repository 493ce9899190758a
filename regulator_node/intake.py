"""Intake: judges each entry of a provider's batch by itself, stores what stands and answers each with evidence.

The batch was checked without the database (`prepared_batches.prepare`). What needs the register happens here in one
transaction: duplicates, conflicts, the rules of the provisions (`BatchJudge`), the log and the tables. What is answered
is durable. The same entry again, however much later, gets its first acknowledgement again, byte for byte; the same id
with other bytes is a conflict and changes nothing; a refused entry gets a signed rejection and never fails its
neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from regulator_node.admission import admitted
from regulator_node.disposed_entries import disposed_leaves
from regulator_node.intake_contexts import BatchJudge
from regulator_node.log import NewRun, RegisterLog, log_size
from regulator_node.prepared_batches import PreparedBatch, PreparedEntry, refusal_of
from regulator_node.register import apply_entries, apply_openings
from regulator_node.stored_runs import acknowledgement_of
from shared.clock import micros
from shared.database import Transaction
from shared.errors import Exhausted
from shared.evidence.rejections import sign_rejection
from shared.pb.filingnet.network.v1 import evidence_pb2, intake_service_pb2
from shared.provisions.filings import FilingContext, Refusal
from shared.provisions.transfers import Filer, Transfers
from shared.validation import MAX_VIOLATIONS

ACCEPTED = intake_service_pb2.ENTRY_OUTCOME_ACCEPTED
DUPLICATE = intake_service_pb2.ENTRY_OUTCOME_DUPLICATE
CONFLICT = intake_service_pb2.ENTRY_OUTCOME_CONFLICT
REJECTED = intake_service_pb2.ENTRY_OUTCOME_REJECTED

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Of an answer: a message between nodes holds a little more. Entries sent again out of very many runs get as many
acknowledgements, and those of large runs are large."""

CONFLICT_REFUSAL: Final = refusal_of(
    "CONFLICT", "entry_id", "this entry id is in the log with other bytes: give a changed entry a new id"
)
REPEATED_REFUSAL: Final = refusal_of("ENTRY_REPEATED", "entry_id", "send each entry once in a batch")


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What became of one entry: its outcome, its log index where it is a duplicate, its signed refusal otherwise."""

    outcome: intake_service_pb2.EntryOutcome
    log_index: int = -1
    refusal: Refusal | None = None


_STANDS: Final = _Judgement(ACCEPTED)


class _Known(NamedTuple):
    """An entry that is in the log: where, its bytes, and where they were disposed of its leaf hash instead."""

    log_index: int
    raw: bytes
    leaf_hash: bytes


class Intake:
    """Stores prepared batches in the register.

    Args:
        log: this regulator's log.
        feed_regions: whether this is the nation, which feeds the provinces (Art. 3).
        max_answer_bytes: of the answer to a batch.
    """

    def __init__(self, log: RegisterLog, *, feed_regions: bool, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._log = log
        self._feed_regions = feed_regions
        self._max_answer_bytes = max_answer_bytes

    def store(
        self,
        transaction: Transaction,
        batch: PreparedBatch,
        context: FilingContext,
        *,
        transfers: Transfers | None = None,
        as_new: bool = False,
    ) -> intake_service_pb2.SubmitEntriesResponse:
        """Judges the entries against the register, appends those that stand and applies them; all in one transaction.

        Args:
            transaction: a write; the work may be run again from the start.
            batch: what `prepare` returned.
            context: the provider, the policies and the time; last_revision and withdrawn are filled in per account.
            transfers: of the provider, where it was ever transferred.
            as_new: takes the entries for new ones, as almost all are, and saves looking for them; the keys of the
                tables tell if one was there. Not done for one that was transferred, whose entries are in several logs.

        Returns:
            One result per entry, in order, with the acknowledgements they refer to.

        Raises:
            Conflict: STORAGE_CONFLICT, an entry was not new: store the batch again with as_new=False.
            Exhausted: ANSWER_TOO_LARGE, nothing of it is stored: the sender sends fewer entries at once.
        """
        self._log.lock(transaction)
        filer = Filer.HERE
        if transfers is not None:
            filer, context = admitted(transaction, batch.origin, context, transfers)
        judged_by = partial(self._judgements, transaction, batch, context, transfers, filer)
        judgements = judged_by(as_new=True) if as_new and transfers is None else []
        if not judgements or any(judgement.outcome != ACCEPTED for judgement in judgements):
            judgements = judged_by(as_new=False)
        accepted = [place for place, judgement in enumerate(judgements) if judgement.outcome == ACCEPTED]
        refused = self._refuse(transaction, batch, judgements, context.now)
        first_index, acknowledgement = self._append(transaction, batch, accepted, context.now)
        self._record_position(transaction, batch)
        response = intake_service_pb2.SubmitEntriesResponse()
        if acknowledgement:
            response.acknowledgements.append(acknowledgement)
        earlier = _EarlierRuns(transaction, self._log.jurisdiction, response)
        for place, judgement in enumerate(judgements):
            if judgement.outcome == ACCEPTED:
                response.results.add(outcome=ACCEPTED, log_index=first_index)
                first_index += 1
            elif judgement.outcome == DUPLICATE:
                run = earlier.place_of(judgement.log_index)
                response.results.add(outcome=DUPLICATE, log_index=judgement.log_index, acknowledgement=run)
            else:
                response.results.add(outcome=judgement.outcome, rejection=refused[place])
        if response.ByteSize() > self._max_answer_bytes and len(batch.entries) > 1:
            raise Exhausted("the answer would be larger than a message: send fewer entries at once", "ANSWER_TOO_LARGE")
        return response

    def store_openings(
        self, transaction: Transaction, openings: Sequence[tuple[PreparedBatch, FilingContext]]
    ) -> list[intake_service_pb2.SubmitEntriesResponse | None]:
        """Stores small batches that only open accounts, as `store` does one by one, by the statements of one.

        Args:
            transaction: a write; the work may be run again from the start.
            openings: batches for which `only_opens` holds, each with what it is judged against; no provider that was
                ever transferred.

        Returns:
            The answer to each, in order; None where something of it is refused, and nothing of it was stored.

        Raises:
            Conflict: STORAGE_CONFLICT, something was not new: store each by itself.
        """
        self._log.lock(transaction)
        responses: list[intake_service_pb2.SubmitEntriesResponse | None] = [None] * len(openings)
        standing = [
            place
            for place, (batch, context) in enumerate(openings)
            if all(
                judgement.outcome == ACCEPTED
                for judgement in self._judgements(transaction, batch, context, None, Filer.HERE, as_new=True)
            )
        ]
        if not standing:
            return responses
        batches = [openings[place][0] for place in standing]
        now = max(openings[place][1].now for place in standing)
        appended = self._log.append_runs(transaction, [_run_of(batch, batch.entries) for batch in batches], now)
        placed = []
        for place, batch, run in zip(standing, batches, appended, strict=True):
            responses[place] = response = intake_service_pb2.SubmitEntriesResponse(
                acknowledgements=[run.acknowledgement]
            )
            for index, prepared in enumerate(batch.entries, start=run.first_index):
                response.results.add(outcome=ACCEPTED, log_index=index)
                if prepared.entry is not None:
                    placed.append((index, prepared.entry, run.filed_time))
        apply_openings(transaction, self._log.jurisdiction, placed, feed_regions=self._feed_regions)
        for batch in {batch.origin: batch for batch in sorted(batches, key=_last_sequence)}.values():
            self._record_position(transaction, batch)
        return responses

    def _judgements(
        self,
        transaction: Transaction,
        batch: PreparedBatch,
        context: FilingContext,
        transfers: Transfers | None,
        filer: Filer,
        *,
        as_new: bool,
    ) -> list[_Judgement]:
        known = {} if as_new else self._known_entries(transaction, batch)
        place = (transaction, self._log.jurisdiction, batch.origin)
        judge = BatchJudge(*place, batch.entries, context, as_new=as_new, transfers=transfers, filer=filer)
        seen: set[bytes] = set()
        return [_judge(prepared, judge, known, seen) for prepared in batch.entries]

    def _known_entries(self, transaction: Transaction, batch: PreparedBatch) -> dict[bytes, _Known]:
        keys = list({prepared.entry_key for prepared in batch.entries if prepared.entry_key})
        if not keys:
            return {}
        rows = transaction.execute(
            f"SELECT entry_id, log_index, entry FROM log_entry {transaction.by_index('log_entry_id')}"  # noqa: S608
            " WHERE jurisdiction = ? AND origin = ?"
            f" AND entry_id IN ({', '.join('?' * len(keys))})",
            (self._log.jurisdiction, batch.origin, *keys),
        )
        gone = disposed_leaves(transaction, self._log.jurisdiction, [index for _, index, entry in rows if not entry])
        return {bytes(key): _Known(index, bytes(entry), gone.get(index, b"")) for key, index, entry in rows}

    def _append(
        self, transaction: Transaction, batch: PreparedBatch, accepted: Sequence[int], now: datetime
    ) -> tuple[int, bytes]:
        if not accepted:
            return -1, b""
        entries = [batch.entries[place] for place in accepted]
        whole = len(accepted) == len(batch.entries)
        appended = self._log.append(transaction, _run_of(batch, entries, None if whole else accepted), now)
        placed = [(index, prepared.entry) for index, prepared in enumerate(entries, start=appended.first_index)]
        apply_entries(
            transaction,
            self._log.jurisdiction,
            [(index, entry) for index, entry in placed if entry is not None],
            appended.filed_time,
            feed_regions=self._feed_regions,
        )
        return appended.first_index, appended.acknowledgement

    def _record_position(self, transaction: Transaction, batch: PreparedBatch) -> None:
        sequence = _last_sequence(batch)
        transaction.execute(
            "INSERT INTO stream_position (jurisdiction, origin, sequence) VALUES (?, ?, ?)"
            " ON CONFLICT (jurisdiction, origin) DO UPDATE SET sequence = excluded.sequence"
            " WHERE excluded.sequence > stream_position.sequence",
            (self._log.jurisdiction, batch.origin, sequence),
        )

    def _refuse(
        self, transaction: Transaction, batch: PreparedBatch, judgements: Sequence[_Judgement], now: datetime
    ) -> dict[int, evidence_pb2.SignedRejection]:
        refused = {}
        rows = []
        # Most batches have none, and need not ask how long the log is.
        size = None
        for place, judgement in enumerate(judgements):
            if judgement.refusal is not None:
                prepared, refusal = batch.entries[place], judgement.refusal
                size = log_size(transaction, self._log.jurisdiction) if size is None else size
                refused[place] = signed = self._rejection(batch.origin, prepared, refusal, size, now)
                key = (self._log.jurisdiction, batch.origin, prepared.entry_id, prepared.leaf_hash)
                rows.append((*key, judgement.outcome, refusal.reason, signed.SerializeToString(), micros(now)))
        if rows:
            transaction.executemany(
                "INSERT INTO refusal"
                " (jurisdiction, origin, entry_id, leaf_hash, outcome, reason, signed_rejection, refused_time)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (jurisdiction, origin, entry_id, leaf_hash) DO UPDATE"
                " SET outcome = excluded.outcome, reason = excluded.reason,"
                " signed_rejection = excluded.signed_rejection, refused_time = excluded.refused_time",
                rows,
            )
        return refused

    def _rejection(
        self, origin: str, prepared: PreparedEntry, refusal: Refusal, size: int, now: datetime
    ) -> evidence_pb2.SignedRejection:
        rejection = evidence_pb2.Rejection(
            entry_id=prepared.entry_id,
            origin=origin,
            jurisdiction=self._log.jurisdiction,
            leaf_hash=prepared.leaf_hash,
            reason=refusal.reason,
            violations=[
                evidence_pb2.FieldViolation(field=violation.field, rule=violation.rule, mend=violation.mend)
                for violation in refusal.violations[:MAX_VIOLATIONS]
            ],
            log_size=size,
        )
        rejection.rejected_time.FromDatetime(now)
        return sign_rejection(rejection, self._log.key)


def _run_of(batch: PreparedBatch, entries: Sequence[PreparedEntry], places: Sequence[int] | None = None) -> NewRun:
    raw, keys = [prepared.raw for prepared in entries], [prepared.entry_key for prepared in entries]
    return NewRun(batch.origin, raw, keys, batch.batch, places)


def _last_sequence(batch: PreparedBatch) -> int:
    return max((prepared.entry.sequence for prepared in batch.entries if prepared.entry), default=0)


def _judge(prepared: PreparedEntry, judge: BatchJudge, known: Mapping[bytes, _Known], seen: set[bytes]) -> _Judgement:
    if prepared.entry_key in known:
        earlier = known[prepared.entry_key]
        # Of one that was disposed of the hash is known for ever, and tells as much.
        if (earlier.raw == prepared.raw) if earlier.raw else (earlier.leaf_hash == prepared.leaf_hash):
            return _Judgement(DUPLICATE, earlier.log_index)
        return _Judgement(CONFLICT, refusal=CONFLICT_REFUSAL)
    if prepared.refusal is not None or prepared.record is None:
        return _Judgement(REJECTED, refusal=prepared.refusal)
    if prepared.entry_key in seen:
        return _Judgement(REJECTED, refusal=REPEATED_REFUSAL)
    refusal = judge.judge(prepared)
    if refusal is not None:
        return _Judgement(REJECTED, refusal=refusal)
    seen.add(prepared.entry_key)
    return _STANDS


class _EarlierRuns:
    """Finds the acknowledgements of entries that came before, each once per answer."""

    def __init__(
        self, transaction: Transaction, jurisdiction: str, response: intake_service_pb2.SubmitEntriesResponse
    ) -> None:
        self._transaction = transaction
        self._jurisdiction = jurisdiction
        self._response = response
        self._spans: list[tuple[int, int, int]] = []

    def place_of(self, index: int) -> int:
        """Returns where in the answer the acknowledgement is that covers an index of the log; adds it if need be."""
        for first, end, place in self._spans:
            if first <= index < end:
                return place
        first, size, acknowledgement = acknowledgement_of(self._transaction, self._jurisdiction, index)
        place = len(self._response.acknowledgements)
        self._response.acknowledgements.append(acknowledgement)
        self._spans.append((first, first + size, place))
        return place
