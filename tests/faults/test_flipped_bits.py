"""Promise 3: no bit of a receipt can change unseen, and verifying one takes moments."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

from shared.evidence.checkpoints import sign_cosignature
from shared.evidence.hashing import ProofError
from shared.evidence.receipts import Finality, ReceiptMaker, verify_receipt
from tests.tried import Tried
from tests.unit.evidence_samples import NATION, PROVIDER, SampleLog

SAMPLE = 1500
"""Bits that are flipped in `make test`."""

TIMED = 50


def receipts() -> tuple[SampleLog, list[bytes]]:
    """Receipts of every shape: of a whole batch and of part of one, received and final."""
    log = SampleLog()
    log.grow(3)
    log.grow(5, places=[1, 4])
    log.grow(1)
    batch = log.batches[-1]
    cosigned = sign_cosignature(log.checkpoint(), NATION, log.keys[NATION], datetime(2026, 3, 2, tzinfo=UTC))
    final = Finality(cosigned, log.held.size, [])
    maker = ReceiptMaker(
        log.acknowledgements[-1], batch.header, batch.signature, b"".join(batch.leaf_hashes), finality=final
    )
    return log, [log.receipts[0], log.receipts[3], log.receipts[5], maker.receipt(log.runs[-1].entries[0], 5, 0)]


def test_no_flipped_bit_is_accepted(tried: Tried, full_size: bool) -> None:
    """Promise 3: every bit of whole receipt files, at full size; else a sample of all of them."""
    log, files = receipts()
    ring = log.ring
    for receipt in files:
        assert PROVIDER == verify_receipt(receipt, ring).entry.origin
    assert verify_receipt(files[-1], ring).head.cosignatures
    bits = [(receipt, bit) for receipt in files for bit in range(8 * len(receipt))]
    if not full_size:
        bits = random.Random(20260302).sample(bits, SAMPLE)
    accepted = 0
    for receipt, bit in bits:
        flipped = bytearray(receipt)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            verify_receipt(bytes(flipped), ring)
        except ProofError:
            continue
        accepted += 1
    begin = time.perf_counter()
    for _ in range(TIMED):
        verify_receipt(files[-1], ring)
    milliseconds = round((time.perf_counter() - begin) / TIMED * 1000, 2)
    tried(3, "flipped bits of receipts", bits=len(bits), accepted=accepted, milliseconds_to_verify=milliseconds)
    assert 0 == accepted
