"""Disposal of records whose time is over (Art. 8(2)), with a signed certificate.

What is due is found by the rules, class by class. At most 2,000 records of one class and one policy go in one
transaction, which removes them and stores the certificate: a node that is killed in between has either both or neither,
and a disposal that is asked for again finds nothing left of what was done. Holds are placed and lifted under the same
lock, so that a hold that was answered keeps what it covers.

Entries of logs go account by account, all that belongs together in one transaction, be it under several certificates. Of
an entry its leaf hash, its id and the certificate stay, so that the log verifies after a disposal as it did before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from shared.clock import Clock, from_micros, micros
from shared.database import Database, Transaction
from shared.errors import (
    AlreadyExists,
    Exhausted,
    FailedPrecondition,
    FilingnetError,
    InvalidInput,
    NotFound,
    Violation,
)
from shared.evidence.disposals import MAX_RECORDS, disposal_root, prove_disposal, record_bytes, sign_disposal
from shared.evidence.keys import SigningKey
from shared.mapping.policy import period_to_wire
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.policy import Policy
from shared.provisions.retention import (
    Hold,
    HoldScope,
    RecordClass,
)
from shared.provisions.spans import FOREVER
from shared.records.certificate_rows import (
    Summary,
    insert_certificate,
    last_certificate,
    list_certificates,
    read_certificate,
)
from shared.records.due import Found, Leaf, Standing, collect, leaves_of, named_holds, order_of_leaf, standing_of
from shared.records.erasure import leave_no_trace, overwrite_what_is_freed
from shared.records.hold_rows import StoredHold, holds_in_force, insert_hold, lift_hold, list_holds, read_hold
from shared.records.sources import RecordSource

UPKEEP: Final = "upkeep"
"""The actor where the node disposes of records by itself."""

UPKEEP_SECONDS: Final = 3_600.0
"""How often the node looks for what is due."""

JUMP_SECONDS: Final = 24 * 3_600.0
"""A clock that moved so much more, or less, than time passed was set: what is due by it is not disposed of at once."""

BELIEVED_AFTER_SECONDS: Final = 24 * 3_600.0
"""How long a clock that was set has to go on evenly until it is believed: in that time somebody can put it right."""

CERTIFICATES_TOGETHER: Final = 20
"""Certificates of one call that names no number."""

MOST_HOLDS: Final = 1_000
"""Holds in force at one node: each certificate names them all."""

RECORDS_LOCK: Final = "records"
"""Held by whoever places or lifts a hold, and by each disposal."""

log = structlog.get_logger(__name__)


class DirectedHolds(Protocol):
    """Lists the holds that a regulator placed at providers."""

    def __call__(
        self, transaction: Transaction, before: tuple[int, str], limit: int, at: int, *, lifted_too: bool
    ) -> list[StoredHold]:
        """Lists them, newest first, as `hold_rows.list_holds` does."""


class Disposals:
    """Holds, disposes and certifies.

    Args:
        database: the node's own.
        node: its name.
        key: signs certificates.
        policies: reads the policies held, in the order of their versions.
        sources: the classes of records at this node.
        scopes: what a hold of this node may keep.
        clock: tells the time.
        together: the most records of a certificate, up to 2,000.
        monotonic: tells seconds that pass, whatever the clock is set to.
        directed: at a regulator, lists the holds that it placed at providers, as `hold_rows.list_holds` does.
    """

    def __init__(
        self,
        database: Database,
        node: str,
        key: SigningKey,
        policies: Callable[[], Sequence[Policy]],
        sources: Sequence[RecordSource],
        scopes: frozenset[HoldScope],
        clock: Clock,
        *,
        together: int = MAX_RECORDS,
        monotonic: Callable[[], float] = time.monotonic,
        directed: DirectedHolds | None = None,
    ) -> None:
        self._directed = directed
        self._database = database
        self._together = together
        self._node = node
        self._key = key
        self._policies = policies
        self._sources = tuple(sources)
        self._scopes = scopes
        self._clock = clock
        self._monotonic = monotonic
        self._looked = clock(), monotonic()
        self._believed_from = monotonic()
        self._traces = False

    async def place(self, hold: Hold, reason: str, actor: str) -> StoredHold:
        """Places a hold; in force when this returns.

        Args:
            hold: its times are set here.
            reason: why, as a code.
            actor: who.

        Returns:
            The hold; the same again for the same request.

        Raises:
            InvalidInput: HOLD_SCOPE_WRONG, this node keeps nothing of the kind.
            AlreadyExists: HOLD_EXISTS, another hold has the id.
            Exhausted: TOO_MANY_HOLDS.
        """
        self._check_scope(hold)
        now = micros(self._clock())
        target = hold.target.lower()
        placed = Hold(hold.hold_id.lower(), hold.scope, hold.record_class, target, now, FOREVER)

        def work(transaction: Transaction) -> StoredHold:
            transaction.lock(RECORDS_LOCK)
            known = read_hold(transaction, placed.hold_id)
            if known is not None:
                _check_same(known, placed, reason)
                return known
            if len(holds_in_force(transaction, now)) >= MOST_HOLDS:
                raise Exhausted(f"{MOST_HOLDS:,} holds are in force: lift one, or hold a class", "TOO_MANY_HOLDS")
            stored = StoredHold(placed, reason, actor)
            insert_hold(transaction, stored)
            return stored

        return await self._database.write(work)

    async def lift(self, hold_id: str, reason: str, actor: str) -> StoredHold:
        """Lifts a hold; one that was lifted before is returned as it is.

        Raises:
            NotFound: HOLD_UNKNOWN.
            FailedPrecondition: HOLD_OF_REGULATOR, a regulator placed it: nobody at the provider lifts it.
        """
        now = micros(self._clock())

        def work(transaction: Transaction) -> StoredHold:
            transaction.lock(RECORDS_LOCK)
            known = read_hold(transaction, hold_id)
            if known is not None and known.regulator:
                message = f"{known.regulator} placed this hold, and it or the nation alone lifts it: ask them"
                raise FailedPrecondition(message, "HOLD_OF_REGULATOR")
            if known is not None and known.hold.lifted_time == FOREVER:
                lift_hold(transaction, hold_id, max(now, known.hold.placed_time), actor, reason)
                known = read_hold(transaction, hold_id)
            if known is None:
                raise NotFound("there is no hold under this id: list them", "HOLD_UNKNOWN")
            return known

        return await self._database.write(work)

    async def holds(self, before: tuple[int, str], limit: int, *, lifted_too: bool) -> list[StoredHold]:
        """Lists holds, newest first: those before a placed_time in microseconds and an id."""
        now, directed = micros(self._clock()), self._directed

        def work(transaction: Transaction) -> list[StoredHold]:
            found = list_holds(transaction, before, limit, now, lifted_too=lifted_too)
            if directed is not None:
                found += directed(transaction, before, limit, now, lifted_too=lifted_too)
            return sorted(found, key=lambda each: (each.hold.placed_time, each.hold.hold_id), reverse=True)[:limit]

        return await self._database.read(work)

    async def due(self) -> list[Standing]:
        """Says how the records of each class stand now, and changes nothing."""
        now, policies = micros(self._clock()), self._policies()

        def work(transaction: Transaction) -> list[Standing]:
            holds = holds_in_force(transaction, now)
            return [standing_of(transaction, source, policies, holds, now) for source in self._sources]

        return await self._database.read(work)

    async def dispose(
        self,
        actor: str,
        record_class: RecordClass = RecordClass.UNSPECIFIED,
        most: int = CERTIFICATES_TOGETHER,
        *,
        compact: bool = False,
    ) -> list[Summary]:
        """Disposes of what is due.

        Args:
            actor: who.
            record_class: only this class; UNSPECIFIED for all.
            most: certificates; where there are more, it is called again.
            compact: rewrite a SQLite file whatever its size.

        Returns:
            The certificates made, oldest first; none where nothing was due.

        Raises:
            InvalidInput: RECORD_CLASS_ELSEWHERE, this node keeps no such records.
            Unavailable: STORAGE_BUSY, with compact: everything was disposed of, and the file is in use.
        """
        sources = [source for source in self._sources if record_class in (source.record_class, RecordClass.UNSPECIFIED)]
        if not sources:
            mend = "name a class that this node keeps, or none for all"
            violation = Violation("record_class", "RECORD_CLASS_ELSEWHERE", mend)
            raise InvalidInput(f"this node keeps no such records: {mend}", "RECORD_CLASS_ELSEWHERE", [violation])
        made: list[Summary] = []
        for source in sources:
            while len(made) < most and await self._database.read(self._finding(source)):
                summaries = await self._database.write(self._disposing(source, actor))
                if not summaries:
                    break
                made += summaries
                self._traces = True
                for summary in summaries:
                    log.info("records_disposed", certificate=summary.number, records=summary.records, actor=actor)
        if self._traces or compact:
            await self._clean(compact=compact)
        return made

    async def _clean(self, *, compact: bool) -> None:
        try:
            await leave_no_trace(self._database, compact=compact)
        except FilingnetError as error:
            # What was disposed of is disposed of: a file that is in use is cleaned after the next disposal, or hour.
            log.warning("disposal_left_traces", reason=error.reason)
            if compact:
                raise
        else:
            self._traces = False

    async def certificates(self, before: int, limit: int) -> list[Summary]:
        """Lists certificates with a smaller number than another, newest first."""
        return await self._database.read(lambda transaction: list_certificates(transaction, before, limit))

    async def proof(self, number: int, record_id: str = "") -> disposal_pb2.DisposalProof:
        """Reads a certificate as one file.

        Args:
            number: of the certificate.
            record_id: one record, for a proof of this one alone; empty for all.

        Raises:
            NotFound: CERTIFICATE_UNKNOWN, or RECORD_UNKNOWN, the certificate is not about that record.
        """
        found = await self._database.read(lambda transaction: read_certificate(transaction, number))
        if found is None:
            raise NotFound("there is no certificate of this number: list them", "CERTIFICATE_UNKNOWN")
        signed, records = found
        if not record_id:
            return prove_disposal(signed, records)
        for position, record in enumerate(records):
            if disposal_pb2.DisposedRecord.FromString(record).record_id == record_id.lower():
                return prove_disposal(signed, records, position)
        raise NotFound("that record is not in this certificate", "RECORD_UNKNOWN")

    async def run(self) -> None:
        """Disposes of what is due, now and every hour, until cancelled."""
        while True:
            await self.upkeep()
            await asyncio.sleep(UPKEEP_SECONDS)

    async def upkeep(self) -> None:
        """Disposes of what is due, unless the clock was set not long ago: what is gone does not come back with it."""
        if self._clock_is_believed():
            while await self.dispose(UPKEEP):
                pass

    def _clock_is_believed(self) -> bool:
        (seen, at), now, passed = self._looked, self._clock(), self._monotonic()
        self._looked = now, passed
        jump = (now - seen).total_seconds() - (passed - at)
        if abs(jump) > JUMP_SECONDS:
            log.warning("disposal_waits_because_the_clock_was_set", by_seconds=round(jump))
            self._believed_from = passed + BELIEVED_AFTER_SECONDS
        return passed >= self._believed_from

    def _check_scope(self, hold: Hold) -> None:
        kept = {source.record_class for source in self._sources}
        if hold.scope not in self._scopes or (hold.scope is HoldScope.CLASS and hold.record_class not in kept):
            mend = "hold what this node keeps: its own classes, and a case at a regulator only"
            violation = Violation("hold.scope", "HOLD_SCOPE_WRONG", mend)
            raise InvalidInput(f"this node keeps nothing of the kind: {mend}", "HOLD_SCOPE_WRONG", [violation])

    def _finding(self, source: RecordSource) -> Callable[[Transaction], bool]:
        now, policies = micros(self._clock()), self._policies()

        def work(transaction: Transaction) -> bool:
            holds = holds_in_force(transaction, now)
            return bool(collect(transaction, source, policies, holds, now, 1).records)

        return work

    def _disposing(self, source: RecordSource, actor: str) -> Callable[[Transaction], list[Summary]]:
        now, policies = micros(self._clock()), self._policies()

        def work(transaction: Transaction) -> list[Summary]:
            transaction.lock(RECORDS_LOCK)
            source.lock(transaction)
            holds = holds_in_force(transaction, now)
            found = collect(transaction, source, policies, holds, now, self._together)
            if not found.records:
                return []
            overwrite_what_is_freed(transaction)
            source.remove(transaction, found.records)
            leaves = sorted((leaf for each in found.records for leaf in leaves_of(each)), key=order_of_leaf)
            parts = [leaves[start : start + MAX_RECORDS] for start in range(0, len(leaves), MAX_RECORDS)]
            return [self._certify(transaction, source, found, part, holds, actor, now) for part in parts]

        return work

    def _certify(
        self,
        transaction: Transaction,
        source: RecordSource,
        found: Found,
        records: Sequence[Leaf],
        holds: Sequence[Hold],
        actor: str,
        now: int,
    ) -> Summary:
        number, previous = last_certificate(transaction)
        leaves = [
            record_bytes(each.record_class, each.record_id, from_micros(each.ceased_time), each.entry)
            for each in records
        ]
        assert found.retention is not None
        certificate = disposal_pb2.DisposalCertificate(
            node=self._node,
            number=number + 1,
            previous_digest=previous,
            record_class=int(records[0].record_class),  # type: ignore[arg-type]
            records=len(records),
            root=disposal_root(leaves),
            policy_version=found.retention.policy_version,
            period=period_to_wire(found.retention.period),
            actor=actor,
            holds=[
                disposal_pb2.ConsideredHold(
                    hold_id=hold.hold_id,
                    scope=int(hold.scope),  # type: ignore[arg-type]
                    kept=found.kept[hold.hold_id],
                )
                for hold in named_holds(records[0].record_class, holds, found.kept)
            ],
        )
        certificate.first_ceased_time.FromMicroseconds(min(record.ceased_time for record in records))
        certificate.last_ceased_time.FromMicroseconds(max(record.ceased_time for record in records))
        certificate.disposed_time.FromMicroseconds(now)
        signed = sign_disposal(certificate, self._key)
        record_class, version = records[0].record_class, found.retention.policy_version
        summary = Summary(number + 1, record_class, len(records), version, now, actor)
        insert_certificate(transaction, summary, signed, leaves)
        source.certified(transaction, summary.number, signed, leaves)
        return summary


def _check_same(known: StoredHold, placed: Hold, reason: str) -> None:
    same = (known.hold.scope, known.hold.record_class, known.hold.target, known.reason)
    if same != (placed.scope, placed.record_class, placed.target, reason):
        raise AlreadyExists("another hold has this id: choose a new one", "HOLD_EXISTS")
