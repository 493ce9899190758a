"""Fuzz targets for evidence: what a court, an auditor or a peer is handed, as bytes, and for what a liar has signed."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

import typer
from google.protobuf.message import DecodeError, Message

from shared.evidence import __main__ as filing_verify
from shared.evidence.acknowledgements import verify_acknowledgement
from shared.evidence.batches import sign_batch, verify_batch
from shared.evidence.checkpoints import Checkpoint, parse_head, sign_checkpoint, sign_cosignature
from shared.evidence.disposals import DISPOSAL_PREFIX, disposal_root, prove_disposal, sign_disposal, verify_disposal
from shared.evidence.hashing import HASH_SIZE, leaf_hashes_of, split_hashes
from shared.evidence.kept_evidence import INDEX, verify_folder
from shared.evidence.keyring import KeyRing
from shared.evidence.merkle import verify_consistency, verify_inclusion
from shared.evidence.names import log_origin
from shared.evidence.notes import parse_note, signature_line
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import ReceiptMaker, parse_receipt, verify_receipt
from shared.evidence.rejections import REJECTION_PREFIX, verify_rejection
from shared.evidence.runs import read_runs, write_run
from shared.evidence.whole_logs import verify_log
from shared.pb.filingnet.network.v1 import disposal_pb2, evidence_pb2
from tests.fuzz.target import Target, signing_key, text_of
from tests.unit.evidence_samples import JURISDICTION, NATION, NOW, PROVIDER, PROVINCE, SampleLog, made_up_entry
from tests.unit.test_disposal_certificates import certificate, leaves

T = TypeVar("T", bound=Message)

KEYS = {name: signing_key(name) for name in (PROVIDER, PROVINCE, NATION)}
LOG = SampleLog(keys=KEYS)
RUNS = [LOG.grow(3), LOG.grow(2, [0])]
RING = LOG.ring
COSIGNED = sign_cosignature(LOG.checkpoint(), NATION, KEYS[NATION], NOW)


def notes(data: bytes, _: Path) -> None:
    """A note that is read is written again as the same bytes: no bit of it can change unnoticed."""
    note = parse_note(data)
    lines = [signature_line(line.name, line.key_hash, line.signature) for line in note.signatures]
    assert note.text.encode() + b"\n" + b"".join(lines) == data


def checkpoints(data: bytes, _: Path) -> None:
    """Lines of a checkpoint have one form only; a head holds only by the known keys."""
    parse_head(data, RING.keys_of)


def checkpoint_lines(data: bytes, _: Path) -> None:
    """What is read of the three lines is written as the same lines, and can be signed and verified."""
    text = text_of(data)
    checkpoint = Checkpoint.decode(text)
    assert checkpoint.encode() == text
    if checkpoint.origin == log_origin(JURISDICTION):
        assert parse_head(sign_checkpoint(checkpoint, KEYS[PROVINCE]), RING.keys_of).checkpoint == checkpoint


def receipts(data: bytes, _: Path) -> None:
    """A receipt has one encoding only."""
    assert parse_receipt(data).SerializeToString(deterministic=True) == data
    verify_receipt(data, RING)


def signed_entries(data: bytes, folder: Path) -> None:
    """Whatever bytes a lying provider signs as an entry: filing-verify judges its receipt and says so in plain lines."""
    batch = sign_batch([data], PROVIDER, JURISDICTION, KEYS[PROVIDER])
    held = LOG.held.copy()
    held.extend(batch.leaf_hashes)
    acknowledgement = evidence_pb2.Acknowledgement(
        jurisdiction=JURISDICTION,
        first_index=LOG.held.size,
        leaf_hashes=batch.leaf_hashes[0],
        before=LOG.held.to_bytes(),
        checkpoint=LOG.checkpoint(held),
    ).SerializeToString()
    maker = ReceiptMaker(acknowledgement, batch.header, batch.signature, batch.leaf_hashes[0])
    (folder / "made.receipt").write_bytes(maker.receipt(data, LOG.held.size, 0))
    _judge_in_plain_lines(filing_verify.receipt, folder / "made.receipt", folder)


def acknowledgements(data: bytes, _: Path) -> None:
    """An acknowledgement that verifies holds the run that it names."""
    verified = verify_acknowledgement(data, None, KEYS[PROVINCE].verifying_key)
    assert verified.tree.size == verified.checkpoint.size == verified.first_index + len(verified.leaf_hashes)


def batches(data: bytes, _: Path) -> None:
    """A batch's header that verifies was signed over just these leaves."""
    batch = parsed(evidence_pb2.OriginBatch, data)
    if batch is not None:
        leaves = split_hashes(batch.leaf_hashes)
        header = verify_batch(batch.signed_header.header, batch.signed_header.signature, leaves, RING.lookup)
        assert header.size == len(leaves)


def rejections(data: bytes, _: Path) -> None:
    """A refusal that a liar signed, and one that nobody did."""
    signed = parsed(evidence_pb2.SignedRejection, data)
    if signed is not None:
        verify_rejection(signed, RING.lookup)


def signed_rejections(data: bytes, _: Path) -> None:
    """Whatever bytes a lying regulator signs as a refusal."""
    signature = KEYS[PROVINCE].sign(REJECTION_PREFIX + data)
    verify_rejection(evidence_pb2.SignedRejection(rejection=data, signature=signature), RING.lookup)


def disposals(data: bytes, _: Path) -> None:
    """The file of a certificate of disposal."""
    verify_disposal(data, RING.lookup)


def signed_disposals(data: bytes, folder: Path) -> None:
    """Whatever a lying node signs as a certificate, with a record that fits it: filing-verify judges it."""
    stated = parsed(disposal_pb2.DisposalCertificate, data)
    if stated is None:
        return
    stated.node, stated.key_id, stated.records = PROVIDER, KEYS[PROVIDER].key_id, 1
    record = disposal_pb2.DisposedRecord(record_class=stated.record_class, record_id="a")
    record.ceased_time.CopyFrom(stated.first_ceased_time)
    records = [record.SerializeToString()]
    stated.root = disposal_root(records)
    data = stated.SerializeToString()
    signature = KEYS[PROVIDER].sign(DISPOSAL_PREFIX + data)
    signed = disposal_pb2.SignedDisposal(certificate=data, signature=signature)
    (folder / "made.certificate").write_bytes(prove_disposal(signed, records).SerializeToString())
    _judge_in_plain_lines(filing_verify.disposal, folder / "made.certificate", folder)


def exported_logs(data: bytes, _: Path) -> None:
    """A file of runs: what is read is written and read again as the same; a log verifies or is refuted."""
    runs = list(read_runs(io.BytesIO(data)))
    written = io.BytesIO()
    for run in runs:
        write_run(written, run)
    written.seek(0)
    assert runs == list(read_runs(written))
    verify_log(runs, JURISDICTION, RING, {"kept": parse_head(COSIGNED, RING.keys_of)})


def inclusion_proofs(data: bytes, _: Path) -> None:
    """A path proves inclusion or does not, whatever index and size it claims."""
    index, size, hashes = _numbers_and_hashes(data)
    leaf, root, *path = [*hashes, bytes(HASH_SIZE), bytes(HASH_SIZE)]
    verify_inclusion(leaf, index, size, path, root)


def consistency_proofs(data: bytes, _: Path) -> None:
    """A path proves consistency or does not, whatever sizes it claims."""
    old_size, size, hashes = _numbers_and_hashes(data)
    old_root, root, *path = [*hashes, bytes(HASH_SIZE), bytes(HASH_SIZE)]
    verify_consistency(old_size, size, path, old_root, root)


def compact_ranges(data: bytes, _: Path) -> None:
    """A range that is read is written as the same bytes, and grows."""
    held = CompactRange.from_bytes(int.from_bytes(data[:8], signed=True), data[8:])
    assert held.to_bytes() == data[8:]
    held.extend(leaf_hashes_of([b"next"]))
    held.root()


def key_rings(data: bytes, _: Path) -> None:
    """A key ring that is read is written and read again as the same."""
    ring = KeyRing.from_json(data)
    assert ring.to_json() == KeyRing.from_json(ring.to_json()).to_json()


def evidence_folders(data: bytes, folder: Path) -> None:
    """The index of an exported folder, which says what else is to be there."""
    (folder / "sent").mkdir(exist_ok=True)
    (folder / "sent" / "x.receipt").write_bytes(b"")
    (folder / INDEX).write_bytes(data)
    assert verify_folder(folder, RING).failures


def _judge_in_plain_lines(command: Callable[..., None], file: Path, folder: Path) -> None:
    (folder / "keys.json").write_text(RING.to_json())
    said = io.StringIO()
    with redirect_stdout(said), suppress(typer.Exit):
        command(file, folder / "keys.json")
    verdict, *lines = said.getvalue().removesuffix("\n").split("\n")
    assert verdict in {"PROVEN", "REFUTED", "NOT JUDGED"}
    for line in lines:
        # A line break or an escape in what a liar wrote would write lines of its own below the verdict.
        assert line.isprintable()
        assert line.startswith(("  proven ", "  not proven ")) == (verdict == "PROVEN")


def parsed(kind: Callable[[], T], data: bytes) -> T | None:
    """Reads a message where the network's library would have done it; None for what is none."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


def _numbers_and_hashes(data: bytes) -> tuple[int, int, list[bytes]]:
    one, other = int.from_bytes(data[:8], signed=True), int.from_bytes(data[8:16], signed=True)
    return one, other, [data[start : start + HASH_SIZE] for start in range(16, len(data), HASH_SIZE)]


def _proof_seeds() -> Iterator[bytes]:
    receipt = parse_receipt(LOG.receipts[0])
    leaf = leaf_hashes_of([receipt.entry])[0]
    numbers = receipt.log_index.to_bytes(8) + (4).to_bytes(8)
    yield numbers + leaf + LOG.held.root() + b"".join(receipt.log_path)


def _exported() -> bytes:
    file = io.BytesIO()
    for run in RUNS:
        write_run(file, run)
    return file.getvalue()


def _rejection() -> evidence_pb2.Rejection:
    return evidence_pb2.Rejection(
        jurisdiction=JURISDICTION, key_id=KEYS[PROVINCE].key_id, leaf_hash=bytes(HASH_SIZE), reason="X"
    )


def _signed_rejection() -> bytes:
    data = _rejection().SerializeToString()
    signed = evidence_pb2.SignedRejection(rejection=data, signature=KEYS[PROVINCE].sign(REJECTION_PREFIX + data))
    return signed.SerializeToString()


def _index() -> bytes:
    return json.dumps({"files": ["sent/x.receipt", "waiting/y.entry"]}).encode()


def _ring() -> bytes:
    public_key = base64.b64encode(KEYS[NATION].public_bytes).decode()
    return json.dumps({"nodes": [{"name": NATION, "public_keys": [public_key]}]}).encode()


def evidence_targets() -> list[Target]:
    """Returns the targets of this module."""
    checkpoint = LOG.checkpoint()
    lines = Checkpoint(log_origin(JURISDICTION), LOG.held.size, LOG.held.root()).encode().encode()
    records = leaves(["a", "b"])
    stated = certificate(records)
    proof = prove_disposal(sign_disposal(stated, KEYS[PROVIDER]), records).SerializeToString()
    return [
        Target("signed-notes", notes, [checkpoint, COSIGNED]),
        Target("checkpoints", checkpoints, [checkpoint, COSIGNED]),
        Target("checkpoint-lines", checkpoint_lines, [lines]),
        Target("receipts", receipts, list(islice(LOG.receipts, 4))),
        Target("entries-of-a-liar", signed_entries, [made_up_entry(1), made_up_entry(2, NATION)]),
        Target("acknowledgements", acknowledgements, LOG.acknowledgements),
        Target("batches", batches, [run.batch.SerializeToString() for run in RUNS]),
        Target("rejections", rejections, [_signed_rejection()]),
        Target("rejections-of-a-liar", signed_rejections, [_rejection().SerializeToString()]),
        Target("disposal-certificates", disposals, [proof]),
        Target("disposals-of-a-liar", signed_disposals, [stated.SerializeToString()]),
        Target("exported-logs", exported_logs, [_exported()]),
        Target("inclusion-proofs", inclusion_proofs, list(_proof_seeds())),
        Target("consistency-proofs", consistency_proofs, list(_proof_seeds())),
        Target("compact-ranges", compact_ranges, [LOG.held.size.to_bytes(8) + LOG.held.to_bytes()]),
        Target("key-rings", key_rings, [_ring(), RING.to_json().encode()]),
        Target("evidence-folders", evidence_folders, [_index()]),
    ]
