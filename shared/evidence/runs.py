"""Runs: how a log grows, checked step by step by whoever follows it.

A run is what one batch brought into a log, with the checkpoint that this made. A follower that holds the compact range
of what it verified so far needs nothing else to check the next run; when it passes, the follower holds exactly the log
that the regulator signed. Of an entry that was disposed of the run has the leaf hash and the certificate
(`disposed_entries`): what is proven of it is its place, and no longer what it said. An exported log is a file of runs,
each preceded by its length as a base-128 varint, from index 0 on: what protobuf's own delimited streams look like in
every language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO, Final

from google.protobuf.message import DecodeError

from shared.evidence.batches import KeyLookup, parse_entry, verify_batch
from shared.evidence.checkpoints import verify_checkpoint
from shared.evidence.disposed_entries import run_leaf_hashes, verify_disposed_entries
from shared.evidence.hashing import ProofError, UnusableProof, split_hashes
from shared.evidence.names import log_origin
from shared.evidence.notes import Keys
from shared.evidence.ranges import CompactRange
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2

MAX_RUN_BYTES: Final = 8 * 1024 * 1024
"""Longest run that is read from a file, in bytes."""

_MAX_VARINT_BYTES: Final = 5


def verify_run(run: evidence_pb2.Run, before: CompactRange, key_lookup: KeyLookup, log_key: Keys) -> CompactRange:
    """Verifies the next run of a log.

    Args:
        run: the run.
        before: the log before it, as verified so far; it is not changed.
        key_lookup: finds the origin's key.
        log_key: the key of the regulator that keeps the log, or its keys while one is rotated.

    Returns:
        The log after the run.

    Raises:
        UnusableProof: the run is malformed or a key is not known.
        ProofError: the run is not the next one, its origin did not sign it, or the regulator signed another log.
    """
    if run.first_index != before.size:
        raise ProofError(f"The run begins at entry {run.first_index} of the log, but {before.size} is the next.")
    signed, batch_hashes = run.batch.signed_header, split_hashes(run.batch.leaf_hashes)
    header = verify_batch(signed.header, signed.signature, batch_hashes, key_lookup)
    if header.jurisdiction != run.jurisdiction:
        raise ProofError("The batch is meant for another jurisdiction's log.")
    leaf_hashes = run_leaf_hashes(run)
    if run.disposed:
        verify_disposed_entries(run, key_lookup)
    _check_places(leaf_hashes, run.batch_indexes, batch_hashes)
    _check_entries(run.entries, header)
    checkpoint = verify_checkpoint(run.checkpoint, log_origin(run.jurisdiction), log_key)
    after = before.copy()
    after.extend(leaf_hashes)
    if checkpoint.size != after.size:
        raise ProofError("The checkpoint of the run is not the one at its end.")
    if checkpoint.root != after.root():
        raise ProofError("The log after the run does not have the root that the regulator signed.")
    return after


def write_run(file: BinaryIO, run: evidence_pb2.Run) -> None:
    """Appends a run to an exported log.

    Args:
        file: open for writing bytes.
        run: the next run.
    """
    data = run.SerializeToString(deterministic=True)
    length, prefix = len(data), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    file.write(bytes(prefix))
    file.write(data)


def read_runs(file: BinaryIO) -> Iterator[evidence_pb2.Run]:
    """Reads an exported log, one run at a time.

    Args:
        file: open for reading bytes.

    Yields:
        The runs in order, not verified.

    Raises:
        UnusableProof: the file is cut or damaged.
    """
    while (length := _read_length(file)) is not None:
        if length > MAX_RUN_BYTES:
            raise UnusableProof("A run in the exported log is longer than 8 MiB; export the log again.")
        data = file.read(length)
        if len(data) != length:
            raise UnusableProof("The exported log is cut within a run; export the log again.")
        try:
            run = evidence_pb2.Run.FromString(data)
        except DecodeError as error:
            raise UnusableProof("A run in the exported log is damaged; export the log again.") from error
        yield run


def _read_length(file: BinaryIO) -> int | None:
    length = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            if place:
                raise UnusableProof("The exported log is cut between two runs; export the log again.")
            return None
        length |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80:
            return length
    raise UnusableProof("The file is not an exported log; export the log again.")


def _check_places(leaf_hashes: Sequence[bytes], places: Sequence[int], batch_hashes: Sequence[bytes]) -> None:
    if not leaf_hashes:
        raise UnusableProof("The run holds no entry; fetch it again.")
    if not places:
        if leaf_hashes != batch_hashes:
            raise ProofError("The entries of the run are not those of the batch that the origin signed.")
        return
    if len(places) != len(leaf_hashes):
        raise UnusableProof("The run does not name a place in the batch for each of its entries; fetch it again.")
    if places[0] < 0 or places[-1] >= len(batch_hashes):
        raise ProofError("The run names a place outside of its batch.")
    if any(place >= following for place, following in pairwise(places)):
        raise ProofError("The run does not keep the order of the batch, or holds an entry of it twice.")
    if any(batch_hashes[place] != leaf for place, leaf in zip(places, leaf_hashes, strict=True)):
        raise ProofError("An entry of the run is not the one that the origin signed at that place of the batch.")


def _check_entries(entries: Sequence[bytes], header: entry_pb2.BatchHeader) -> None:
    for entry in entries:
        if entry:
            parse_entry(entry, header)
