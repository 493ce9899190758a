"""The provider's duty profile (Art. 5(1)): filed and amended like an account, each profile whole and numbered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provider_node.filing_states import FilingStatus
from provider_node.standing import ReadStanding
from provider_node.statement_states import statement_status
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.delivery.outbox import PROVIDER_ITSELF, OutboxState, enqueue, supersede_entries
from shared.errors import FailedPrecondition, InvalidInput
from shared.mapping.duty import duty_profile_from_wire
from shared.pb.filingnet.network.v1 import duty_pb2
from shared.provisions.duties import DutyContext, judge_duty_profile
from shared.provisions.provider_standing import ProviderStanding

PROVIDER_FIELDS: Final = ("origin", "jurisdiction")
_REFUSED: Final = (OutboxState.REJECTED, OutboxState.CONFLICT, OutboxState.SUPERSEDED, OutboxState.PARKED)


@dataclass(frozen=True, slots=True)
class FiledProfile:
    """A duty profile as it was filed, and where it is on its way."""

    profile: duty_pb2.DutyProfile
    status: FilingStatus


@dataclass(frozen=True, slots=True)
class _Stored:
    position: int
    entry_id: str
    refused: bool
    profile: duty_pb2.DutyProfile
    created_time: int


class Duties:
    """Files duty profiles.

    Args:
        database: the node's own.
        standing: reads the provider's standing.
        clock: tells the time.
        on_queued: called after something was queued.
    """

    def __init__(self, database: Database, standing: ReadStanding, clock: Clock, on_queued: Callable[[], None]) -> None:
        self._database = database
        self._standing = standing
        self._clock = clock
        self._on_queued = on_queued

    async def file(self, profile: duty_pb2.DutyProfile) -> FiledProfile:
        """Files the next profile. The same one as the last that counts changes nothing.

        Args:
            profile: its revision is set here.

        Raises:
            InvalidInput: the profile breaks a rule or its contract.
            FailedPrecondition: the regulator would refuse every profile of this provider.
        """
        now = self._clock()
        filed = await self._database.write(lambda transaction: self._file(transaction, profile, now))
        self._on_queued()
        return filed

    async def newest(self) -> FiledProfile | None:
        """Reads the newest profile; None before the first."""

        def work(transaction: Transaction) -> FiledProfile | None:
            stored = _read(transaction)
            return _filed(transaction, stored[-1]) if stored else None

        return await self._database.read(work)

    def _file(self, transaction: Transaction, profile: duty_pb2.DutyProfile, now: datetime) -> FiledProfile:
        transaction.lock("duty profile")
        standing = self._standing()
        stored = _read(transaction)
        counting = [each for each in stored if not each.refused]
        previous = counting[-1] if counting else None
        next_profile = duty_pb2.DutyProfile()
        next_profile.CopyFrom(profile)
        next_profile.revision = previous.profile.revision if previous else 0
        if previous is not None and next_profile == previous.profile:
            return _filed(transaction, previous)
        next_profile.revision += 1
        refusal = judge_duty_profile(
            duty_profile_from_wire(next_profile, micros(now)),
            DutyContext(
                ProviderStanding(standing.licence, standing.state, standing.jurisdiction, standing.jurisdiction),
                standing.policies,
                now,
                duty_profile_from_wire(previous.profile, previous.created_time) if previous else None,
            ),
        )
        if refusal is not None:
            first = refusal.violations[0]
            kind = FailedPrecondition if first.field.startswith(PROVIDER_FIELDS) else InvalidInput
            raise kind(f"the regulator would refuse this profile: {first.mend}", refusal.reason, refusal.violations)
        supersede_entries(transaction, [each.entry_id for each in stored if each.refused])
        (queued,) = enqueue(
            transaction,
            destination=standing.regulator,
            jurisdiction=standing.jurisdiction,
            origin=standing.name,
            now=now,
            bodies=[(PROVIDER_ITSELF, "duty_profile", next_profile)],
        )
        position = stored[-1].position + 1 if stored else 1
        columns = ("position", "entry_id", "profile", "created_time")
        row = (position, queued.entry_id, next_profile.SerializeToString(), micros(now))
        transaction.insert_many("duty_profile", columns, [row])
        return _filed(transaction, _Stored(position, queued.entry_id, False, next_profile, micros(now)))


def _read(transaction: Transaction) -> list[_Stored]:
    """Reads every profile, oldest first."""
    rows = transaction.execute(
        "SELECT p.position, p.entry_id, o.state, p.profile, p.created_time FROM duty_profile p"
        " JOIN outbox o ON o.entry_id = p.entry_id ORDER BY p.position"
    )
    return [
        _Stored(position, entry_id, state in _REFUSED, duty_pb2.DutyProfile.FromString(bytes(profile)), created)
        for position, entry_id, state, profile, created in rows
    ]


def _filed(transaction: Transaction, stored: _Stored) -> FiledProfile:
    return FiledProfile(stored.profile, statement_status(transaction, stored.entry_id, stored.profile.revision))
