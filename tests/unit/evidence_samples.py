"""Made-up evidence for tests: two regulators, one provider, a small log with every proof that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.evidence.acknowledgements import build_acknowledgement
from shared.evidence.batches import SignedBatch, sign_batch
from shared.evidence.checkpoints import Checkpoint, sign_checkpoint
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.names import log_origin
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import ReceiptMaker
from shared.identifiers import new_entry_id
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2, evidence_pb2

PROVIDER, PROVINCE, NATION = "provider/wave", "regulator/330000", "regulator/100000"
JURISDICTION = "330000"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def made_up_entry(sequence: int, origin: str = PROVIDER) -> bytes:
    """Makes the exact bytes of an entry; what it states does not matter to evidence."""
    entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=origin, jurisdiction=JURISDICTION, sequence=sequence)
    entry.created_time.FromDatetime(NOW)
    entry.filing_decision.CopyFrom(decision_pb2.FilingDecision(provider=PROVIDER, revision=sequence))
    return entry.SerializeToString()


@dataclass
class SampleLog:
    """The log of 330000, grown by batches of its provider."""

    keys: dict[str, SigningKey] = field(
        default_factory=lambda: {name: SigningKey.generate() for name in (PROVIDER, PROVINCE, NATION)}
    )
    held: CompactRange = field(default_factory=CompactRange)
    runs: list[evidence_pb2.Run] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    acknowledgements: list[bytes] = field(default_factory=list)
    batches: list[SignedBatch] = field(default_factory=list)

    @property
    def ring(self) -> KeyRing:
        """The public keys of everyone."""
        return KeyRing({name: [key.verifying_key] for name, key in self.keys.items()})

    def checkpoint(self, held: CompactRange | None = None) -> bytes:
        """The signed head of the log, or of another state of it."""
        state = held or self.held
        return sign_checkpoint(Checkpoint(log_origin(JURISDICTION), state.size, state.root()), self.keys[PROVINCE])

    def grow(self, count: int, places: list[int] | None = None) -> evidence_pb2.Run:
        """Appends a batch of made-up entries, or only those at some places of it."""
        entries = [made_up_entry(self.held.size + offset + 1) for offset in range(count)]
        batch = sign_batch(entries, PROVIDER, JURISDICTION, self.keys[PROVIDER])
        kept = list(range(count)) if places is None else places
        leaves = [batch.leaf_hashes[place] for place in kept]
        before = self.held.copy()
        self.held.extend(leaves)
        acknowledgement = build_acknowledgement(JURISDICTION, before, leaves, self.checkpoint())
        maker = ReceiptMaker(acknowledgement, batch.header, batch.signature, b"".join(batch.leaf_hashes))
        run = evidence_pb2.Run(
            jurisdiction=JURISDICTION,
            first_index=before.size,
            entries=[entries[place] for place in kept],
            batch=batch.origin_batch(),
            batch_indexes=[] if places is None else places,
            checkpoint=self.checkpoint(),
        )
        run.filed_time.FromDatetime(NOW)
        self.runs.append(run)
        self.acknowledgements.append(acknowledgement)
        self.batches.append(batch)
        self.receipts += [
            maker.receipt(entries[place], before.size + offset, place) for offset, place in enumerate(kept)
        ]
        return run
