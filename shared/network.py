"""The nation's documents as a node holds them: who takes part, and by which policy.

Documents are signed, numbered and only ever go forward. A node believes a document when it is signed with a key of the
nation in the directory it already holds; the first directory it believes because it came in the answer to its
enrolment, from the nation whose CA the token file named. What is held is stored, so that a node that starts while
everyone else is away still knows whom to trust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from shared.changes import Changes
from shared.database import Database, Transaction
from shared.document_store import newest_documents, store_document
from shared.errors import FailedPrecondition
from shared.evidence.documents import verify_document
from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keyring import KeyRing
from shared.mapping.policy import policy_from_wire
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from shared.provisions.policy import Policy, policy_at
from shared.provisions.policy_succession import check_order
from shared.trust.directory import Directory, check_succession
from shared.validation import field_violations

REFRESH_SECONDS: Final = 2.0
"""How often a process looks for documents that another process on the same database stored."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """The newest directory and all policies, oldest first."""

    directory: Directory | None = None
    policies: tuple[Policy, ...] = ()

    def advanced(self, entry: entry_pb2.Entry) -> _Held:
        """Returns what is held after a document; the same object where the document is not newer."""
        if entry.HasField("directory"):
            directory = Directory.from_wire(entry.directory)
            if self.directory is not None:
                if directory.version <= self.directory.version:
                    return self
                check_succession(self.directory, directory)
            return _Held(directory, self.policies)
        policy = policy_from_wire(entry.policy)
        if self.policies and policy.version <= self.policies[-1].version:
            return self
        wrong = check_order(self.policies[-1] if self.policies else None, policy)
        if wrong:
            raise ProofError(f"Policy {policy.version} does not follow the one that is held: {wrong[0].rule}.")
        return _Held(self.directory, (*self.policies, policy))

    def verified(self, signed: evidence_pb2.SignedDocument) -> entry_pb2.Entry:
        """Verifies a document against the keys held; the first directory vouches for itself (see above)."""
        if self.directory is not None:
            return _sound(verify_document(signed, self.directory.key_ring().lookup))
        try:
            entry = entry_pb2.Entry.FromString(signed.entry)
        except DecodeError as error:
            raise UnusableProof("The first document is damaged; fetch it again.") from error
        if not entry.HasField("directory"):
            raise ProofError("The first document has to be a directory.")
        return _sound(verify_document(signed, Directory.from_wire(entry.directory).key_ring().lookup))


def _sound(entry: entry_pb2.Entry) -> entry_pb2.Entry:
    """Returns a document of which a policy keeps its contract: the reading of its rules rests on that."""
    for violation in field_violations(entry.policy) if entry.HasField("policy") else ():
        raise ProofError(f"The policy breaks its contract: {violation.field}, {violation.rule}.")
    return entry


class NetworkView:
    """The newest documents a node holds.

    Args:
        database: where they are stored.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = _Held()
        self.changes = Changes()

    @property
    def directory(self) -> Directory:
        """The newest directory.

        Raises:
            FailedPrecondition: before the node joined.
        """
        if self._held.directory is None:
            raise FailedPrecondition("this node has not joined the network: run init with a token file", "NOT_JOINED")
        return self._held.directory

    @property
    def joined(self) -> bool:
        """Whether a directory is held."""
        return self._held.directory is not None

    @property
    def policies(self) -> Sequence[Policy]:
        """All policies, oldest first."""
        return self._held.policies

    @property
    def versions(self) -> tuple[int, int]:
        """The versions of the newest directory and of the newest policy; 0 for none."""
        directory, policies = self._held.directory, self._held.policies
        return (directory.version if directory else 0, policies[-1].version if policies else 0)

    def policy_at(self, time: datetime) -> Policy:
        """Returns the policy in force at a time, aware."""
        return policy_at(self._held.policies, time)

    def key_ring(self) -> KeyRing:
        """Returns the keys of every node of the directory.

        Raises:
            FailedPrecondition: before the node joined.
        """
        return self.directory.key_ring()

    async def load(self) -> None:
        """Loads what is stored and newer than what is held."""
        directory, policy = self.versions
        rows = await self._database.read(lambda transaction: newest_documents(transaction, directory, policy))
        held = self._held
        for _, _, signed in rows:
            held = held.advanced(_entry(signed))
        if held is not self._held:
            self._held = held
            self.changes.notify()

    async def refresh_for_ever(self) -> None:
        """Loads what other processes on the same database store, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.load()

    async def install(self, documents: Sequence[evidence_pb2.SignedDocument]) -> None:
        """Verifies documents, stores the new ones, and holds them once they are stored.

        Args:
            documents: the newest directory first, then policies in order of version.

        Raises:
            ProofError: one is not signed by the nation, or does not follow what is held.
        """
        held = self._held
        accepted: list[tuple[str, int, bytes]] = []
        for signed in documents:
            entry = held.verified(signed)
            after = held.advanced(entry)
            if after is not held:
                kind = "directory" if entry.HasField("directory") else "policy"
                accepted.append((kind, getattr(entry, kind).version, signed.SerializeToString()))
                held = after
        if not accepted:
            return
        await self._database.write(lambda transaction: _store(transaction, accepted))
        await self.load()
        log.info("documents_installed", versions=[f"{kind} {version}" for kind, version, _ in accepted])


def _store(transaction: Transaction, documents: Sequence[tuple[str, int, bytes]]) -> None:
    for document in documents:
        store_document(transaction, *document)


def _entry(signed: bytes) -> entry_pb2.Entry:
    return entry_pb2.Entry.FromString(evidence_pb2.SignedDocument.FromString(signed).entry)
