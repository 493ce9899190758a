"""Puts the nation's node in order after an older backup of it was put back, out of what the provinces hold.

Nobody else holds the nation's log whole: it says of every province's providers what only the nation may see (Art. 3). What the
provinces do hold, verbatim and signed by the nation, is its directory and its policies, and the heads that they cosigned. So

- the newest directory and the missing policies enter the log again as they were signed: nobody who was denied is let in
  again, and numbers go on from the highest that anybody holds;
- the places of what was lost are not given out again: each is filled with an entry that says that it was lost
  (`LogGap`), so that whatever others keep by its place in this log stays one thing;
- tokens are void, because which of them were used or revoked since is not known;
- the largest lost head is kept, with the proof that the log has two histories. Each province is told the new head by its
  office, and accepts it (`accepted_logs`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from regulator_node.followers import provinces_to_follow
from regulator_node.log import NewRun, OwnEntries, RegisterLog, log_size, read_log
from regulator_node.log_proofs import StoredTree
from regulator_node.lost_history import LostHistory, is_lost, keep_lost
from regulator_node.nation_documents import NationDocuments, newest
from regulator_node.nation_witness import read_witnessed
from regulator_node.own_log import MENDS, compared, forked, own_checkpoint, renew_documents
from shared.channel import Peer, RemoteError, translated
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.document_store import all_documents
from shared.errors import FailedPrecondition
from shared.evidence.batches import SignedBatch
from shared.evidence.checkpoints import Checkpoint
from shared.evidence.documents import verify_document
from shared.evidence.forks import proven, size_of
from shared.evidence.hashing import ProofError, split_hashes
from shared.evidence.notes import parse_note
from shared.evidence.own_log import LogStanding
from shared.identifiers import id_bytes
from shared.joining import check_signing_key
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    directory_pb2,
    entry_pb2,
    evidence_pb2,
    follow_service_pb2,
    follow_service_pb2_grpc,
    log_gap_pb2,
)
from shared.range_roots import ask_roots

CALL_SECONDS: Final = 60.0
"""How long a province may take to send the documents."""

BEYOND: Final = 4_096
"""Places beyond the largest lost head that are not given out either: what was acknowledged there was not cosigned yet."""

_TOGETHER: Final = 1_000


@dataclass(frozen=True, slots=True)
class NationRecovered:
    """What came of it.

    Attributes:
        documents: how many directories and policies entered the log again.
        lost: entries of the largest lost head that the log had not; 0 where nothing was lost, or an earlier call saw to it.
        head: of the log now.
        other: whether others hold a head that contradicts it, and have to accept this one.
    """

    documents: int
    lost: int
    head: Checkpoint
    other: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the provinces showed.

    Attributes:
        lost_head: the largest head that this log does not hold, a signed note; empty where there is none.
        contradicting: the directories of those whose head contradicts this log.
    """

    lost_head: bytes
    contradicting: list[directory_pb2.Directory]


async def recover_nation(
    database: Database,
    register_log: RegisterLog,
    view: NetworkView,
    peer: Callable[[str], Peer],
    clock: Clock,
    *,
    without: Collection[str] = (),
    also_forked: bool = False,
) -> NationRecovered:
    """Brings the documents up to date and the log beyond what was lost of it; nobody else writes to it meanwhile.

    Can be begun again after any failure. Where nothing was lost it voids tokens and changes nothing else.

    Args:
        database: the register.
        register_log: the nation's log.
        view: the documents held.
        peer: opens the channel to a province of the directory.
        clock: tells the time.
        without: provinces that are not asked.
        also_forked: whether to go on also where the log has grown on top of the backup.

    Raises:
        FailedPrecondition: PROVINCE_AWAY, a province that takes part cannot be asked and is not left out by name;
            LOG_FORKED, the log has grown on top of the backup; SIGNING_KEY_UNKNOWN, no directory lists the key.
    """
    shown = await _ask_all(database, register_log, view, peer, without, also_forked=also_forked)
    check_signing_key(view, register_log.node_name, register_log.key)
    documents = NationDocuments(database, register_log, view, clock, on_change=lambda: None)
    now = clock()

    def work(transaction: Transaction) -> NationRecovered:
        register_log.lock(transaction)
        kept = log_size(transaction, register_log.jurisdiction)
        restored = _restore_documents(transaction, register_log, now)
        change = _denying(shown.contradicting, newest(transaction, "directory").directory, now)
        if change is not None:
            documents.change(transaction, change, now)
        lost = size_of(shown.lost_head) if shown.lost_head else 0
        if lost:
            _fill(transaction, register_log, log_gap_pb2.LogGap(kept_size=kept, lost_size=lost), shown.lost_head, now)
            _keep(transaction, register_log, view, kept, shown.lost_head)
        _void_tokens(transaction)
        _, note = read_log(transaction, register_log.jurisdiction)
        head = Checkpoint.decode(parse_note(note).text)
        return NationRecovered(restored, max(0, lost - kept), head, is_lost(transaction, register_log.jurisdiction, 0))

    done = await database.write(work)
    await view.load()
    return done


async def _ask_all(
    database: Database,
    register_log: RegisterLog,
    view: NetworkView,
    peer: Callable[[str], Peer],
    without: Collection[str],
    *,
    also_forked: bool,
) -> _Shown:
    contradicting: list[directory_pb2.Directory] = []
    asked = set(without)
    shown = await database.read(read_witnessed)
    standings = {shown: await _standing(database, register_log, view, "a provider", shown)} if shown else {}
    # A newer directory may name provinces that the older one did not.
    while waiting := sorted(provinces_to_follow(view.directory.nodes) - asked):
        name = waiting[0]
        asked.add(name)
        directory, notes = await _ask(view, peer(name), name)
        theirs = {note: await _standing(database, register_log, view, name, note) for note in notes if note}
        if LogStanding.FORKED in theirs.values():
            contradicting.append(directory)
        standings.update(theirs)
    if LogStanding.FORKED in standings.values() and not also_forked:
        raise forked()
    beyond = [note for note, standing in standings.items() if standing in MENDS]
    return _Shown(max(beyond, key=size_of, default=b""), contradicting)


async def _standing(
    database: Database, register_log: RegisterLog, view: NetworkView, name: str, note: bytes
) -> LogStanding:
    """Compares the log with a head of it that somebody showed."""
    try:
        head = own_checkpoint(note, register_log, view)
    except ProofError as error:
        raise FailedPrecondition(f"{name} shows no head of this log: {error}", "CHECKPOINT_WRONG") from error
    standing, _, _ = await database.read(lambda transaction: compared(transaction, register_log.jurisdiction, head))
    return standing


async def _ask(view: NetworkView, peer: Peer, name: str) -> tuple[directory_pb2.Directory, tuple[bytes, bytes]]:
    """Asks one province for its documents, takes over those that are newer, and for the heads of this log that it knows."""
    try:
        await renew_documents(view, peer)
        stub = peer.stub(follow_service_pb2_grpc.FollowServiceStub)
        _, policy = view.versions
        request = follow_service_pb2.FollowDocumentsRequest(directory_version=0, policy_version=policy)
        stream = stub.FollowDocuments(request, timeout=CALL_SECONDS)
        page = await translated(stream.read())
        stream.cancel()
        # Also where it is no newer one: whom it denies is denied.
        directory = verify_document(page.documents[0], view.key_ring().lookup).directory
        answer = await ask_roots(peer, [], callers_log=True)
    except (RemoteError, ProofError, IndexError) as error:
        why = error.reason if isinstance(error, RemoteError) else str(error)
        message = f"{name} cannot be asked ({why}): have its office start it, or leave it out with --without {name}"
        raise FailedPrecondition(message, "PROVINCE_AWAY") from error
    finally:
        await peer.close()
    return directory, (answer.checkpoint, answer.newest_checkpoint)


def _restore_documents(transaction: Transaction, register_log: RegisterLog, now: datetime) -> int:
    """Appends the documents that are held and not in the log, exactly as they were signed; returns how many."""
    restored = 0
    for signed in all_documents(transaction):
        entry = entry_pb2.Entry.FromString(signed.entry)
        entry_id = id_bytes(entry.entry_id)
        in_log = "SELECT 1 FROM log_entry WHERE jurisdiction = ? AND entry_id = ?"
        if not transaction.execute(in_log, (register_log.jurisdiction, entry_id)):
            register_log.append(transaction, _run_of(signed, entry, entry_id), now)
            restored += 1
    return restored


def _run_of(signed: evidence_pb2.SignedDocument, entry: entry_pb2.Entry, entry_id: bytes) -> NewRun:
    header = signed.batch.signed_header
    batch = SignedBatch(header.header, header.signature, split_hashes(signed.batch.leaf_hashes))
    places = None if len(batch.leaf_hashes) == 1 else [signed.batch_index]
    return NewRun(entry.origin, [signed.entry], [entry_id], batch, places)


def _denying(
    shown: Collection[directory_pb2.Directory], held: directory_pb2.Directory, now: datetime
) -> Callable[[directory_pb2.Directory], None] | None:
    """Returns what makes the directory deny all that a province's directory denies; None where it does."""
    denied = directory_pb2.NODE_STATE_DENIED
    nodes = {node.name for each in shown for node in each.nodes if node.state == denied}
    out = {node.name for node in held.nodes if node.state != denied} & nodes
    known = {row.serial_number for row in held.denied_certificates}
    rows = {row.serial_number: row for each in shown for row in each.denied_certificates}
    late = [row for serial, row in rows.items() if serial not in known and row.expire_time.ToDatetime(UTC) >= now]
    if not out and not late:
        return None

    def deny(directory: directory_pb2.Directory) -> None:
        for node in directory.nodes:
            if node.name in out:
                node.state = denied
        directory.denied_certificates.extend(late)

    return deny


def _fill(
    transaction: Transaction, register_log: RegisterLog, gap: log_gap_pb2.LogGap, lost_head: bytes, now: datetime
) -> None:
    """Fills the places of what was lost, and some beyond, so that none of them is given out again."""
    size = log_size(transaction, register_log.jurisdiction)
    end = max(size, gap.lost_size) + BEYOND
    first = log_gap_pb2.LogGap(kept_size=gap.kept_size, lost_size=gap.lost_size, lost_head=lost_head)
    while size < end:
        bodies = [("log_gap", first), *[("log_gap", gap)] * (min(_TOGETHER, end - size) - 1)]
        first = gap
        stated: OwnEntries = register_log.append_own(transaction, bodies, now)
        size += len(stated.entries)


def _keep(transaction: Transaction, register_log: RegisterLog, view: NetworkView, kept: int, lost_head: bytes) -> None:
    own = register_log.jurisdiction
    size, note = read_log(transaction, own)
    parts = StoredTree(transaction, own).parts_at(size_of(lost_head), size)
    proof = proven(lost_head, note, view.key_ring(), parts)
    keep_lost(transaction, LostHistory(own, kept, size, lost_head, proof or b""))


def _void_tokens(transaction: Transaction) -> None:
    """Voids what lets nodes and officers in: who used or revoked which of them since the backup is not known."""
    transaction.execute("UPDATE enrolment_token SET expire_time = 0 WHERE used_digest IS NULL")
    transaction.execute("DELETE FROM officer_token")
