"""Made-up filings as a provider signs them, and a register to send them to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

import regulator_node
from regulator_node.intake import Intake
from regulator_node.log import RegisterLog
from regulator_node.prepared_batches import prepare
from shared.database import Database, open_database
from shared.evidence.batches import SignedBatch, sign_batch
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import new_account_id, new_entry_id
from shared.pb.filingnet.network.v1 import entry_pb2, filing_pb2, intake_service_pb2
from shared.provisions.filings import FilingContext, ProviderState
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.policy import initial_policy

PROVIDER, JURISDICTION = "provider/wave", "330000"
REGULATOR = f"regulator/{JURISDICTION}"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MIGRATIONS = Path(regulator_node.__file__).parent / "migrations"
USCC = "91330000000000012B"


def made_up_filing(account_id: str = "", revision: int = 1, **changes: Any) -> filing_pb2.Filing:
    """A good filing of a made-up enterprise's account, with changes."""
    filing = filing_pb2.Filing(
        account_id=account_id or new_account_id(),
        revision=revision,
        action="FILING_ACTION_OPEN" if revision == 1 else "FILING_ACTION_AMEND",
        display_name="样例公众号",
        category="lifestyle",
        subject_kind="SUBJECT_KIND_ENTERPRISE",
        uscc=USCC,
        organisation_name="样例企业",
        subject_region="330000",
        agreement_version=1,
    )
    for name, days in (("identity_verified_time", 3), ("reviewed_time", 2), ("effective_time", 1)):
        getattr(filing, name).FromDatetime(NOW - timedelta(days=days))
    for name, value in changes.items():
        setattr(filing, name, value)
    return filing


def made_up_entry(filing: filing_pb2.Filing, sequence: int = 1, **changes: Any) -> bytes:
    """The exact bytes of an entry of the provider."""
    entry = entry_pb2.Entry(
        **{
            "entry_id": new_entry_id(),
            "origin": PROVIDER,
            "jurisdiction": JURISDICTION,
            "sequence": sequence,
            "filing": filing,
            **changes,
        }
    )
    entry.created_time.FromDatetime(NOW - timedelta(hours=1))
    return entry.SerializeToString()


def as_request(batch: SignedBatch, entries: Sequence[bytes]) -> intake_service_pb2.SubmitEntriesRequest:
    """The batch as it travels."""
    return intake_service_pb2.SubmitEntriesRequest(batch=batch.signed_header(), entries=entries)


@dataclass
class Register:
    """A register with its log and intake, and the keys of everyone in it."""

    database: Database
    provider_key: SigningKey = field(default_factory=SigningKey.generate)
    key: SigningKey = field(default_factory=SigningKey.generate)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.log = RegisterLog(REGULATOR, JURISDICTION, self.key)
        self.intake = Intake(self.log, feed_regions=False)

    @classmethod
    async def open(cls, url: str) -> Register:
        """Opens an empty register."""
        register = cls(open_database(url, MIGRATIONS))
        await register.database.write(lambda transaction: register.log.create(transaction, NOW))
        return register

    @property
    def ring(self) -> KeyRing:
        """The public keys of the provider and the regulator."""
        return KeyRing({PROVIDER: [self.provider_key.verifying_key], REGULATOR: [self.key.verifying_key]})

    def context(self, **changes: Any) -> FilingContext:
        """What the provider's filings are judged against, with changes."""
        licence = Licence("33320240001", NOW - timedelta(days=400), NOW + timedelta(days=400), LicenceState.VALID)
        values: dict[str, Any] = {
            "licence": licence,
            "provider_state": ProviderState.ACTIVE,
            "provider_jurisdiction": JURISDICTION,
            "regulator_jurisdiction": JURISDICTION,
            "policies": (initial_policy(),),
            "now": self.now,
        }
        return FilingContext(**{**values, **changes})

    async def submit(self, *entries: bytes, **changes: Any) -> intake_service_pb2.SubmitEntriesResponse:
        """Signs entries as one batch and has them taken in."""
        batch = sign_batch(entries, PROVIDER, JURISDICTION, self.provider_key)
        return await self.send(as_request(batch, entries), **changes)

    async def send(
        self, request: intake_service_pb2.SubmitEntriesRequest, **changes: Any
    ) -> intake_service_pb2.SubmitEntriesResponse:
        """Has a batch taken in as it is."""
        prepared = prepare(request, origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=self.ring.lookup)
        context = self.context(**changes)
        return await self.database.write(lambda transaction: self.intake.store(transaction, prepared, context))


def put(message: Message, name: str, value: Any) -> None:
    """Sets a field of a message; a time from an aware one."""
    if isinstance(value, datetime):
        getattr(message, name).FromDatetime(value)
    else:
        setattr(message, name, value)
