"""A provider without its node: its own key and certificate, calls made by hand, and entries as bad as a test likes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from shared.channel import translated
from shared.clock import system_clock
from shared.cluster.nodes import ProviderNode, RegulatorNode
from shared.evidence.batches import sign_batch
from shared.evidence.keys import SigningKey
from shared.identifiers import new_account_id, new_entry_id
from shared.pb.filingnet.network.v1 import (
    entry_pb2,
    evidence_pb2,
    filing_pb2,
    intake_service_pb2,
    intake_service_pb2_grpc,
)
from shared.peer import Peer
from shared.trust.credentials import Credentials

ACCEPTED = intake_service_pb2.ENTRY_OUTCOME_ACCEPTED
DUPLICATE = intake_service_pb2.ENTRY_OUTCOME_DUPLICATE
CONFLICT = intake_service_pb2.ENTRY_OUTCOME_CONFLICT
REJECTED = intake_service_pb2.ENTRY_OUTCOME_REJECTED


class RawProvider:
    """Sends what it is told to, signed as its provider.

    Args:
        provider: whose credentials and key it uses.
        regulator: whom it calls, at its own address.
        credentials: others than the provider's own.
    """

    def __init__(
        self, provider: ProviderNode, regulator: RegulatorNode, credentials: Credentials | None = None
    ) -> None:
        self.name = provider.name
        self.jurisdiction = regulator.jurisdiction
        self.address = regulator.network_address
        self.key = SigningKey.load(provider.folder / "signing.pem")
        own = credentials or Credentials.load(provider.folder / "tls")
        self.peer = Peer(regulator.name, lambda: self.address, own)
        self._stub = self.peer.stub(intake_service_pb2_grpc.IntakeServiceStub)

    async def submit(self, *entries: bytes, patient: bool = False) -> Answer:
        """Signs entries as one batch, sends it and returns what came of each.

        Args:
            entries: exact bytes.
            patient: waits for a regulator that is down, as long as a call may take.
        """
        batch = sign_batch(entries, self.name, self.jurisdiction, self.key)
        request = intake_service_pb2.SubmitEntriesRequest(batch=batch.signed_header(), entries=entries)
        return Answer(await translated(self._stub.SubmitEntries(request, timeout=30, wait_for_ready=patient)))

    async def high_water_mark(self) -> int:
        """Asks how far its stream was answered."""
        request = intake_service_pb2.GetHighWaterMarkRequest()
        return int((await translated(self._stub.GetHighWaterMark(request, timeout=30))).sequence)

    def entry(self, filing: filing_pb2.Filing, sequence: int = 1, **changes: Any) -> bytes:
        """Makes the exact bytes of an entry."""
        fields = {"entry_id": new_entry_id(), "origin": self.name, "jurisdiction": self.jurisdiction}
        entry = entry_pb2.Entry(**{**fields, "sequence": sequence, "filing": filing, **changes})
        entry.created_time.FromDatetime(system_clock())
        return entry.SerializeToString()


class Answer:
    """What a regulator answered to a batch.

    Attributes:
        outcomes: one for each entry.
        places: index in the log and the acknowledgement's exact bytes of each entry that is in the log.
        reasons: of each entry that is not, by its signed rejection.
    """

    def __init__(self, response: intake_service_pb2.SubmitEntriesResponse) -> None:
        self.outcomes = [result.outcome for result in response.results]
        self.places = [
            (result.log_index, response.acknowledgements[result.acknowledgement])
            for result in response.results
            if result.outcome in (ACCEPTED, DUPLICATE)
        ]
        self.reasons = [
            evidence_pb2.Rejection.FromString(result.rejection.rejection).reason
            for result in response.results
            if result.outcome in (CONFLICT, REJECTED)
        ]


@asynccontextmanager
async def raw_provider(
    provider: ProviderNode, regulator: RegulatorNode, credentials: Credentials | None = None
) -> AsyncIterator[RawProvider]:
    """A raw provider that is closed at the end."""
    raw = RawProvider(provider, regulator, credentials)
    yield raw
    await raw.peer.close()


def made_up_filing(account_id: str = "", revision: int = 1, **changes: Any) -> filing_pb2.Filing:
    """A good filing of a made-up person's account, with changes."""
    filing = filing_pb2.Filing(
        account_id=account_id or new_account_id(),
        revision=revision,
        action=filing_pb2.FILING_ACTION_OPEN if revision == 1 else filing_pb2.FILING_ACTION_AMEND,
        display_name="样例手工账号",
        category="lifestyle",
        subject_kind=filing_pb2.SUBJECT_KIND_PERSON,
        person_reference=bytes(16),
        subject_region="330000",
        agreement_version=1,
    )
    for name, seconds in (("identity_verified_time", 3), ("reviewed_time", 2), ("effective_time", 1)):
        getattr(filing, name).FromDatetime(system_clock() - timedelta(seconds=seconds))
    for name, value in changes.items():
        setattr(filing, name, value)
    return filing


def changed(entry: bytes, display_name: str) -> bytes:
    """Returns an entry with the same id and another name in it."""
    message = entry_pb2.Entry.FromString(entry)
    message.filing.display_name = display_name
    return message.SerializeToString()


def ids_of(entries: Sequence[bytes]) -> list[str]:
    """Returns the ids of entries."""
    return [entry_pb2.Entry.FromString(entry).entry_id for entry in entries]
