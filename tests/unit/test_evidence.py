"""Signed evidence: whatever is not exactly what was signed is refused, bit by bit."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.evidence.acknowledgements import verify_acknowledgement
from shared.evidence.batches import MAX_BATCH_ENTRIES, sign_batch, verify_batch
from shared.evidence.checkpoints import (
    Checkpoint,
    sign_checkpoint,
    sign_cosignature,
    verify_checkpoint,
    verify_cosignature,
    verify_head,
)
from shared.evidence.documents import sign_document, verify_document
from shared.evidence.hashing import ProofError, UnusableProof, leaf_hash, leaf_hashes_of
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import KeyFileError, SigningKey
from shared.evidence.names import log_origin, regulator_of
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import verify_receipt
from shared.evidence.rejections import sign_rejection, verify_rejection
from shared.evidence.runs import read_runs, verify_run, write_run
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from tests.unit.evidence_samples import JURISDICTION, NATION, NOW, PROVIDER, PROVINCE, SampleLog, made_up_entry


@pytest.fixture(scope="module")
def sample() -> SampleLog:
    """A log of seven entries in three runs, the second of which took only part of its batch."""
    log = SampleLog()
    log.grow(3)
    log.grow(4, places=[0, 3])
    log.grow(2)
    return log


def test_receipts_verify(sample: SampleLog) -> None:
    """Every entry's receipt proves its origin and its place, with pinned keys alone."""
    for index, receipt in enumerate(sample.receipts):
        verified = verify_receipt(receipt, sample.ring)
        assert (PROVIDER, index) == (verified.entry.origin, verified.log_index)


def test_no_bit_of_a_receipt_can_change(sample: SampleLog) -> None:
    """Each flipped bit of a whole receipt file is refused."""
    receipt = sample.receipts[4]
    for place in range(len(receipt)):
        for bit in range(8):
            flipped = bytearray(receipt)
            flipped[place] ^= 1 << bit
            with pytest.raises(ProofError):
                verify_receipt(bytes(flipped), sample.ring)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_noise_is_no_receipt(noise: bytes) -> None:
    """Arbitrary bytes are refused in a sentence, never with a crash."""
    with pytest.raises(ProofError):
        verify_receipt(noise, KeyRing({}))


def test_appended_fields_are_refused(sample: SampleLog) -> None:
    """A receipt with a field that nobody signed is refused: there is one encoding only."""
    with pytest.raises(UnusableProof, match="one encoding"):
        verify_receipt(sample.receipts[0] + b"\xfa\x07\x01x", sample.ring)


def test_unknown_key_is_not_a_refutation(sample: SampleLog) -> None:
    """Without the origin's key nothing is proven and nothing refuted, and the message says which file to mend."""
    with pytest.raises(UnusableProof, match="key ring"):
        verify_receipt(sample.receipts[0], KeyRing({PROVINCE: [sample.keys[PROVINCE].verifying_key]}))


def test_cosigned_receipt(sample: SampleLog) -> None:
    """A receipt whose checkpoint a witness cosigned names the witness and its time."""
    receipt = evidence_pb2.Receipt.FromString(sample.receipts[-1])
    receipt.checkpoint = sign_cosignature(receipt.checkpoint, NATION, sample.keys[NATION], NOW)
    verified = verify_receipt(receipt.SerializeToString(deterministic=True), sample.ring)
    assert [(NATION, NOW)] == [(each.name, each.time) for each in verified.head.cosignatures]


def test_acknowledgement_covers_what_was_sent(sample: SampleLog) -> None:
    """An acknowledgement proves its own run, and neither another run nor another log."""
    key = sample.keys[PROVINCE].verifying_key
    leaves = leaf_hashes_of(sample.runs[1].entries)
    verified = verify_acknowledgement(sample.acknowledgements[1], leaves, key, jurisdiction=JURISDICTION)
    verified.check_covers(3, leaves[0])
    with pytest.raises(ProofError):
        verified.check_covers(3, leaves[1])
    with pytest.raises(ProofError):
        verified.check_covers(5, leaves[0])
    with pytest.raises(ProofError, match="other entries"):
        verify_acknowledgement(sample.acknowledgements[1], leaves[::-1], key)
    with pytest.raises(ProofError, match="another jurisdiction"):
        verify_acknowledgement(sample.acknowledgements[1], leaves, key, jurisdiction="110000")
    with pytest.raises(ProofError):
        verify_acknowledgement(sample.acknowledgements[1], leaves, sample.keys[NATION].verifying_key)


def test_batch_covers_its_entries_in_order(sample: SampleLog) -> None:
    """One signature serves the batch, and no entry of it can be exchanged, moved or left out."""
    entries = [made_up_entry(number) for number in (1, 2, 3)]
    batch = sign_batch(entries, PROVIDER, JURISDICTION, sample.keys[PROVIDER])
    header = verify_batch(batch.header, batch.signature, leaf_hashes_of(entries), sample.ring.lookup)
    assert (header.origin, header.size) == (PROVIDER, 3)
    for others in (entries[::-1], entries[:2], [*entries, entries[0]]):
        with pytest.raises(ProofError):
            verify_batch(batch.header, batch.signature, leaf_hashes_of(others), sample.ring.lookup)
    with pytest.raises(ProofError, match="signature"):
        verify_batch(batch.header, bytes(64), batch.leaf_hashes, sample.ring.lookup)


@pytest.mark.parametrize("count", [0, MAX_BATCH_ENTRIES + 1])
def test_batch_is_bounded(count: int) -> None:
    """A batch has 1 to 1,000 entries."""
    with pytest.raises(ValueError, match="1 to 1,000"):
        sign_batch([b"x"] * count, PROVIDER, JURISDICTION, SigningKey.generate())


def test_runs_lead_from_head_to_head(sample: SampleLog) -> None:
    """A follower that verifies run by run ends with exactly the log that the regulator signed."""
    held = CompactRange()
    for run in sample.runs:
        held = verify_run(run, held, sample.ring.lookup, sample.ring.keys_of(PROVINCE))
    assert sample.held == held


CHANGES: dict[str, Callable[[evidence_pb2.Run], object]] = {
    "an entry edited": lambda run: run.entries.__setitem__(0, made_up_entry(1)),
    "an entry left out": lambda run: run.entries.pop(),
    "two entries exchanged": lambda run: run.entries.insert(0, run.entries.pop()),
    "the place moved": lambda run: setattr(run, "first_index", 4),
    "a head of before": lambda run: setattr(run, "checkpoint", b"x"),
    "another log": lambda run: setattr(run, "jurisdiction", "110000"),
    "places repeated": lambda run: run.batch_indexes.extend([0, 0, 0]),
    "places beyond": lambda run: run.batch_indexes.extend([0, 1, 7]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_rewritten_history_is_found(sample: SampleLog, change: str) -> None:
    """Editing, deleting, reordering or moving entries of a run is found at once."""
    run = evidence_pb2.Run()
    run.CopyFrom(sample.runs[0])
    CHANGES[change](run)
    with pytest.raises(ProofError):
        verify_run(run, CompactRange(), sample.ring.lookup, sample.ring.keys_of(PROVINCE))


def test_exported_log_reads_back(sample: SampleLog) -> None:
    """An exported log holds the runs as they were, and a cut one says so."""
    file = io.BytesIO()
    for run in sample.runs:
        write_run(file, run)
    assert sample.runs == list(read_runs(io.BytesIO(file.getvalue())))
    for size in (1, 2, len(file.getvalue()) - 1):
        with pytest.raises(UnusableProof):
            list(read_runs(io.BytesIO(file.getvalue()[:size])))


def test_checkpoint_is_of_one_log(sample: SampleLog) -> None:
    """A checkpoint proves the head of its own log only, under the key of its own regulator."""
    note = sample.checkpoint()
    key = sample.keys[PROVINCE].verifying_key
    assert sample.held.root() == verify_checkpoint(note, log_origin(JURISDICTION), key).root
    with pytest.raises(ProofError):
        verify_checkpoint(note, log_origin("110000"), key)
    foreign = sign_checkpoint(Checkpoint(log_origin(JURISDICTION), 1, bytes(32)), sample.keys[NATION])
    with pytest.raises(ProofError):
        verify_checkpoint(foreign, log_origin(JURISDICTION), key)


def test_cosignature_has_its_own_time(sample: SampleLog) -> None:
    """A cosignature proves who saw the head and when; one of an unknown witness is refused where all must be known."""
    note = sign_cosignature(sample.checkpoint(), NATION, sample.keys[NATION], NOW + timedelta(seconds=0.7))
    assert verify_cosignature(note, NATION, sample.keys[NATION].verifying_key) == NOW
    assert [NATION] == [each.name for each in verify_head(note, JURISDICTION, sample.ring.keys_of).cosignatures]
    stranger = sign_cosignature(sample.checkpoint(), "regulator/110000", SigningKey.generate(), NOW)
    with pytest.raises(UnusableProof):
        verify_head(stranger, JURISDICTION, sample.ring.keys_of)


def test_document_is_the_nations(sample: SampleLog) -> None:
    """A directory or policy is believed when the nation signed it, and nothing else is a document."""
    entry = entry_pb2.Entry(origin=NATION, jurisdiction="100000", sequence=1)
    entry.directory.version = 7
    document = sign_document(entry.SerializeToString(), sample.keys[NATION])
    assert verify_document(document, sample.ring.lookup).directory.version == 7
    forged = sign_document(entry.SerializeToString(), sample.keys[PROVINCE])
    with pytest.raises(ProofError):
        verify_document(forged, sample.ring.lookup)
    other = entry_pb2.Entry(origin=NATION, jurisdiction="100000", sequence=1)
    other.filing.revision = 1
    with pytest.raises(ProofError, match="neither"):
        verify_document(sign_document(other.SerializeToString(), sample.keys[NATION]), sample.ring.lookup)


def test_rejection_binds_the_bytes_refused(sample: SampleLog) -> None:
    """A refusal cannot be denied by its regulator nor turned against another entry."""
    refused = leaf_hash(made_up_entry(1))
    rejection = evidence_pb2.Rejection(jurisdiction=JURISDICTION, leaf_hash=refused, reason="LICENCE_LAPSED")
    signed = sign_rejection(rejection, sample.keys[PROVINCE])
    assert verify_rejection(signed, sample.ring.lookup, leaf_hash=refused).reason == "LICENCE_LAPSED"
    with pytest.raises(ProofError):
        verify_rejection(signed, sample.ring.lookup, leaf_hash=bytes(32))
    with pytest.raises(ProofError):
        verify_rejection(sign_rejection(rejection, sample.keys[NATION]), sample.ring.lookup)


def test_key_ring_file_reads_back(sample: SampleLog) -> None:
    """A key ring file gives the same keys again, and a damaged one says what to mend."""
    again = KeyRing.from_json(sample.ring.to_json())
    assert sample.ring.to_json() == again.to_json()
    assert again.names() != (NATION, PROVIDER, PROVINCE)
    assert again.names() == (PROVIDER, NATION, PROVINCE)
    for text in ("", "[]", '{"nodes": []}', '{"nodes": [{"name": "x", "public_keys": ["AA=="]}]}'):
        with pytest.raises(UnusableProof):
            KeyRing.from_json(text)


def test_signing_key_stays_private(tmp_path: Path) -> None:
    """A key file is its owner's alone, is never overwritten, and is refused once everyone can read it."""
    path = tmp_path / "signing.pem"
    key = SigningKey.generate()
    key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.key_id == SigningKey.load(path).key_id
    with pytest.raises(FileExistsError):
        SigningKey.generate().save(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        SigningKey.load(path)


@pytest.mark.parametrize("jurisdiction", ["", "33000", "330100", "930000", "330000 "])
def test_log_names_are_strict(jurisdiction: str) -> None:
    """Only a province code or the nation names a log."""
    with pytest.raises(UnusableProof):
        regulator_of(jurisdiction)
