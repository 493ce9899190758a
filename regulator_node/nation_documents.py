"""The nation's documents, directory and policy: every change is an entry of the nation's own log, signed like any other,
and a document that all nodes follow. A change is made from the newest one, in the transaction that appends it, so that
two officers at once make two versions and neither is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from google.protobuf.message import Message

from regulator_node.log import RegisterLog
from regulator_node.policy_holdings import count_filings
from regulator_node.register import apply_entries
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.document_store import store_document
from shared.errors import FailedPrecondition, InvalidInput, NotFound
from shared.mapping.policy import policy_from_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, entry_pb2, evidence_pb2, policy_pb2
from shared.provisions.policy_succession import check_publication, removed_categories
from shared.provisions.routing import check_routes
from shared.validation import validate

Change = Callable[[directory_pb2.Directory], None]


class NationDocuments:
    """States the directory and the policy.

    Args:
        database: the nation's register.
        log: the nation's log.
        view: the documents held; told of every change.
        clock: tells the time.
        on_change: called after each change, to wake those who follow the log.
        trust_clock: tells the machine's time, by which certificates hold; None for the same.
        compared: tells whether this node knows that it holds the newest documents (nation_guard.py).
    """

    def __init__(
        self,
        database: Database,
        log: RegisterLog,
        view: NetworkView,
        clock: Clock,
        on_change: Callable[[], None],
        trust_clock: Clock | None = None,
        compared: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._log = log
        self._view = view
        self._clock = clock
        self._on_change = on_change
        self._trust_clock = trust_clock or clock
        self._compared = compared

    async def found(self, own: directory_pb2.Node, ca_certificate: str, policy: policy_pb2.Policy) -> None:
        """Founds the network: the first directory, with this node alone in it, and the first policy; once."""
        if self._view.joined:
            return
        now = self._clock()
        directory = directory_pb2.Directory(version=1, nodes=[own], ca_certificates=[ca_certificate])
        directory.issue_time.FromDatetime(now)

        def work(transaction: Transaction) -> None:
            self._log.create(transaction, now)
            self._state(transaction, [("directory", directory), ("policy", policy)], now)

        await self._database.write(work)
        await self.changed()

    async def publish_policy(self, policy: policy_pb2.Policy, validate_only: bool) -> policy_pb2.Policy:
        """Publishes the next policy.

        Raises:
            InvalidInput when it does not follow the newest one, begins before now, takes a category away that is in
            use, or routes providers where nobody takes part.
        """
        now = self._clock()

        def work(transaction: Transaction) -> None:
            self._log.lock(transaction)
            before = policy_from_wire(newest(transaction, "policy").policy)
            following = policy_from_wire(policy)
            in_use = count_filings(transaction, removed_categories(before, following))
            violations = check_publication(before, following, now, in_use)
            violations += check_routes(before, following, taking_part(newest(transaction, "directory").directory.nodes))
            if violations:
                raise InvalidInput("the policy does not follow the newest one", "POLICY_SUCCESSION", violations)
            if not validate_only:
                self._check_newest()
                self._state(transaction, [("policy", policy)], now)

        await self._database.write(work)
        await self.changed()
        return policy

    async def change_node(
        self, node_name: str, change: Callable[[directory_pb2.Node], None], *, denies: bool = False
    ) -> tuple[directory_pb2.Node, int]:
        """Changes one node of the directory.

        Args:
            node_name: the node.
            change: changes it; may refuse.
            denies: as for `change`.

        Returns:
            The node, and the directory version that says so.

        Raises:
            NotFound: NODE_UNKNOWN.
        """
        now = self._clock()
        changed = directory_pb2.Node()

        def apply(directory: directory_pb2.Directory) -> None:
            for node in directory.nodes:
                if node.name == node_name:
                    change(node)
                    changed.CopyFrom(node)
                    return
            raise NotFound(f"there is no node {node_name} in the directory", "NODE_UNKNOWN")

        version = await self._database.write(lambda transaction: self.change(transaction, apply, now, denies=denies))
        await self.changed()
        return changed, version

    def change(self, transaction: Transaction, change: Change, now: datetime, *, denies: bool = False) -> int:
        """States the next directory; the caller tells of it (`changed`) once that is committed.

        Args:
            transaction: a write.
            change: changes the newest one.
            now: when.
            denies: whether it shuts somebody out and does nothing else, which waits for nothing.

        Returns:
            Its version.

        Raises:
            FailedPrecondition: NOT_COMPARED.
        """
        if not denies:
            self._check_newest()
        self._log.lock(transaction)
        directory = directory_pb2.Directory()
        directory.CopyFrom(newest(transaction, "directory").directory)
        change(directory)
        directory.version += 1
        directory.issue_time.FromDatetime(now)
        certified = self._trust_clock()
        ended = [row for row in directory.denied_certificates if row.expire_time.ToDatetime(UTC) < certified]
        for row in ended:
            directory.denied_certificates.remove(row)
        self._state(transaction, [("directory", directory)], now)
        return directory.version

    def _check_newest(self) -> None:
        """Refuses to state a document while a newer one may be held elsewhere, which it would undo."""
        if not self._compared():
            raise FailedPrecondition(
                "no province has said since this node started which documents it holds, and this node may have been put back"
                " to an older backup: try again once a province is reached, or deny those that are gone",
                "NOT_COMPARED",
            )

    def _state(self, transaction: Transaction, bodies: list[tuple[str, Message]], now: datetime) -> None:
        for _, body in bodies:
            validate(body)
        stated = self._log.append_own(transaction, bodies, now)
        apply_entries(
            transaction,
            self._log.jurisdiction,
            list(zip(stated.indexes, stated.entries, strict=True)),
            stated.filed_time,
            feed_regions=True,
        )
        for position, (kind, body) in enumerate(bodies):
            store_document(
                transaction,
                kind,
                body.version,  # type: ignore[attr-defined]
                stated.document(position).SerializeToString(),
            )

    async def changed(self) -> None:
        """Tells of what was stated: this node, and those who follow its log."""
        await self._view.load()
        self._on_change()


def taking_part(nodes: Iterable[directory_pb2.Node]) -> frozenset[str]:
    """Returns the names of the nodes that are not denied."""
    return frozenset(node.name for node in nodes if node.state != directory_pb2.NODE_STATE_DENIED)


def newest(transaction: Transaction, kind: str) -> entry_pb2.Entry:
    """Reads the entry of the newest document of a kind, "directory" or "policy"."""
    ((signed,),) = transaction.execute(
        "SELECT signed FROM document WHERE kind = ? ORDER BY version DESC LIMIT 1", (kind,)
    )
    return entry_pb2.Entry.FromString(evidence_pb2.SignedDocument.FromString(bytes(signed)).entry)
