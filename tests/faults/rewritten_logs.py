"""What somebody with a regulator's key can do to its log, done to a copy of its folder, and the copy served beside it.

Everything is signed anew with the regulator's own key, so that each history is a true one by itself: only beside what
others hold does it show. The copy is a real process of the node; links are led to it one by one.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from regulator_node.log import NewRun, RegisterLog, StoredRun, log_size, store_runs
from regulator_node.settings import MIGRATIONS, RegulatorSettings
from regulator_node.stored_runs import read_runs
from shared.clock import system_clock
from shared.cluster.nodes import RegulatorNode
from shared.cluster.ports import Ports
from shared.cluster.process import Command, NodeProcess
from shared.database import Transaction, open_database
from shared.evidence.acknowledgements import build_acknowledgement
from shared.evidence.batches import SignedBatch
from shared.evidence.checkpoints import Checkpoint, sign_checkpoint
from shared.evidence.hashing import leaf_hashes_of, split_hashes
from shared.evidence.keys import SigningKey
from shared.evidence.names import log_origin
from shared.evidence.ranges import CompactRange
from shared.identifiers import id_bytes
from shared.joining import load_signing_key
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2, evidence_pb2

Runs = list[evidence_pb2.Run]
Change = Callable[[Runs], Runs]

UNREACHABLE: Final = {"grpc_proxy": "http://127.0.0.1:9", "no_grpc_proxy": ""}
"""The environment of a process that reaches nobody."""


def edited(runs: Runs) -> Runs:
    """Another text in one entry."""
    run = runs[len(runs) // 2]
    entry = entry_pb2.Entry.FromString(run.entries[-1])
    entry.sequence += 1
    run.entries[-1] = entry.SerializeToString()
    return runs


def deleted(runs: Runs) -> Runs:
    """One run less."""
    return [run for place, run in enumerate(runs) if place != len(runs) // 2]


def reordered(runs: Runs) -> Runs:
    """Two runs in the other order."""
    place = len(runs) // 2
    return [*runs[: place - 1], runs[place], runs[place - 1], *runs[place + 1 :]]


def truncated(runs: Runs) -> Runs:
    """The last run cut off."""
    return runs[:-1]


async def rewrite(folder: Path, change: Change, *, grow: int = 0, to_size: int = 0) -> int:
    """Rewrites the own log in a folder that no process uses, and signs all of it anew.

    Args:
        folder: of a regulator.
        change: makes other runs of those that there are.
        grow: so many entries of the regulator's own are appended.
        to_size: or as many as it takes to come to this size.

    Returns:
        How many entries the log has then.
    """
    settings = RegulatorSettings.load(folder)
    key = load_signing_key(settings.signing_key_file)
    database = open_database(settings.database, MIGRATIONS)
    log = RegisterLog(settings.name, settings.jurisdiction, key)

    def work(transaction: Transaction) -> int:
        _replace(transaction, settings.jurisdiction, key, change)
        more = grow or max(0, to_size - log_size(transaction, settings.jurisdiction))
        for revision in range(more):
            decision = decision_pb2.FilingDecision(provider="provider/other", revision=revision + 1)
            log.append_own(transaction, [("filing_decision", decision)], system_clock())
        return log_size(transaction, settings.jurisdiction)

    try:
        return await database.write(work)
    finally:
        await database.close()


def _replace(transaction: Transaction, jurisdiction: str, key: SigningKey, change: Change) -> None:
    runs = change(read_runs(transaction, jurisdiction, 0, 1_000_000, 1 << 40))
    for table in ("run", "log_entry"):
        transaction.execute(f"DELETE FROM {table} WHERE jurisdiction = ?", (jurisdiction,))
    held, note = CompactRange(), b""
    for run in runs:
        before, leaves = held.copy(), leaf_hashes_of(run.entries)
        held.extend(leaves)
        note = sign_checkpoint(Checkpoint(log_origin(jurisdiction), held.size, held.root()), key)
        entries = [entry_pb2.Entry.FromString(entry) for entry in run.entries]
        new = NewRun(
            entries[0].origin,
            list(run.entries),
            [id_bytes(entry.entry_id) for entry in entries],
            SignedBatch(
                run.batch.signed_header.header, run.batch.signed_header.signature, split_hashes(run.batch.leaf_hashes)
            ),
            list(run.batch_indexes) or None,
        )
        acknowledgement = build_acknowledgement(jurisdiction, before, leaves, note)
        stored = StoredRun(new, before.size, acknowledgement, run.filed_time.ToMicroseconds())
        store_runs(transaction, jurisdiction, [stored])
    transaction.execute(
        "UPDATE log SET size = ?, frontier = ?, checkpoint = ?, head_size = ?, cosigned_size = 0,"
        " cosigned_checkpoint = NULL WHERE jurisdiction = ?",
        (held.size, held.to_bytes(), note, held.size, jurisdiction),
    )


def copy_of(folder: Path, target: Path) -> Path:
    """Copies the folder of a stopped node."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.sock", "alarms", "lock"))
    return target


@asynccontextmanager
async def served(node: RegulatorNode, folder: Path, ports: Ports) -> AsyncIterator[str]:
    """Serves a copy of a node's folder beside the node; it reaches nobody by itself.

    Yields:
        host:port of its network listener, to which links can be diverted.
    """
    network, public = ports.take(), ports.take()
    environment = {
        **UNREACHABLE,
        "FILINGNET_NETWORK_LISTEN": network,
        "FILINGNET_PUBLIC_LISTEN": public,
        "FILINGNET_SHUTDOWN_SECONDS": "1",
    }
    arguments: Sequence[str] = ("regulator_node", "serve", "--data", str(folder))
    process = NodeProcess(Command.module(f"copy of {node.name}", arguments, folder / "copy.log", environment))
    await process.start()
    try:
        yield network
    finally:
        await process.kill()
