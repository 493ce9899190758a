"""The national office: who takes part, and by which policy. Runs on the nation's node only.

Every change of the directory or of the policy is an entry of the nation's own log, signed like any other, and a
document that all nodes follow. A change is made from the newest directory, in the transaction that appends it, so that
two officers at once make two versions and neither is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message

from regulator_node.log import RegisterLog
from regulator_node.policy_holdings import count_filings
from regulator_node.register import apply_entries
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound, Unauthenticated, Violation
from shared.mapping.licence import licence_from_wire
from shared.mapping.policy import policy_from_wire
from shared.network import NetworkView, store_document
from shared.pb.filingnet.network.v1 import directory_pb2, enrolment_service_pb2, entry_pb2, evidence_pb2, policy_pb2
from shared.provisions.licences import judge_licence
from shared.provisions.policy_succession import check_publication, removed_categories
from shared.trust.authority import Authority, IssuedCertificate
from shared.trust.enrolment import check_enrolment, keys_digest
from shared.trust.names import NATION, jurisdiction_of
from shared.trust.tokens import EnrolmentToken, make_token, token_hash
from shared.validation import validate

Change = Callable[[directory_pb2.Directory], None]
DEFAULT_TOKEN_HOURS = 24


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """What the office is set to.

    Attributes:
        join_endpoint: host:port of the nation's public listener, written into tokens.
        certificate_lifetime: how long a leaf holds.
    """

    join_endpoint: str
    certificate_lifetime: timedelta


class NationalOffice:
    """Changes the directory and the policy.

    Args:
        database: the nation's register.
        log: the nation's log.
        view: the documents held; told of every change.
        authority: the CA.
        settings: see OfficeSettings.
        clock: tells the time.
        on_change: called after each change, to wake those who follow the log.
        trust_clock: tells the machine's time, by which tokens and certificates hold; None for the same.
    """

    def __init__(
        self,
        database: Database,
        log: RegisterLog,
        view: NetworkView,
        authority: Authority,
        settings: OfficeSettings,
        clock: Clock,
        on_change: Callable[[], None],
        trust_clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._log = log
        self._view = view
        self._authority = authority
        self._settings = settings
        self._clock = clock
        self._trust_clock = trust_clock or clock
        self._on_change = on_change

    async def found(self, own: directory_pb2.Node, policy: policy_pb2.Policy) -> None:
        """Founds the network: the first directory, with this node alone in it, and the first policy; once."""
        if self._view.joined:
            return
        now = self._clock()
        directory = directory_pb2.Directory(version=1, nodes=[own], ca_certificates=[self._authority.certificate_pem])
        directory.issue_time.FromDatetime(now)

        def work(transaction: Transaction) -> None:
            self._log.create(transaction, now)
            self._state(transaction, [("directory", directory), ("policy", policy)], now)

        await self._database.write(work)
        await self._changed()

    async def create_token(
        self,
        node_name: str,
        jurisdiction: str,
        title: str,
        licence: directory_pb2.Licence | None,
        lifetime_hours: int,
    ) -> tuple[str, datetime]:
        """Makes a one-time token with which one node may join.

        Args:
            node_name: the node that will join.
            jurisdiction: a provider's jurisdiction; empty for a regulator.
            title: public name of the company or the office.
            licence: a provider's licence.
            lifetime_hours: hours until the token ends; 0 for 24.

        Returns:
            The token file's text, and when it ends.

        Raises:
            InvalidInput when jurisdiction or licence do not fit the node, or the licence cannot be one; AlreadyExists
            when it joined.
        """
        place = self._place(node_name, jurisdiction, licence)
        if self._view.directory.node(node_name) is not None:
            raise AlreadyExists(f"{node_name} has joined already: choose another name", "NODE_EXISTS")
        expires = self._trust_clock() + timedelta(hours=lifetime_hours or DEFAULT_TOKEN_HOURS)
        text, secret_hash = make_token(
            EnrolmentToken(self._settings.join_endpoint, node_name, place, self._authority.certificate_pem)
        )
        await self._database.write(
            lambda transaction: transaction.execute(
                "INSERT INTO enrolment_token (token_hash, node, jurisdiction, title, licence, expire_time)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    secret_hash,
                    node_name,
                    place,
                    title,
                    licence.SerializeToString() if licence else None,
                    micros(expires),
                ),
            )
        )
        return text, expires

    @staticmethod
    def _place(node_name: str, jurisdiction: str, licence: directory_pb2.Licence | None) -> str:
        if node_name.startswith("regulator/"):
            return jurisdiction_of(node_name)
        if not jurisdiction:
            mend = "name the province whose regulator the provider files with"
            raise InvalidInput(
                "a provider needs a jurisdiction",
                "JURISDICTION_MISSING",
                [Violation("jurisdiction", "JURISDICTION_MISSING", mend)],
            )
        if licence is None:
            mend = "give the provider's news information service licence (Art. 4)"
            raise InvalidInput(
                "a provider needs a licence", "LICENCE_MISSING", [Violation("licence", "LICENCE_MISSING", mend)]
            )
        _check_licence(licence)
        return jurisdiction

    async def enrol(self, request: enrolment_service_pb2.EnrolRequest) -> enrolment_service_pb2.EnrolResponse:
        """Lets a node join: uses up its token, signs its certificate and puts it in the directory, all or nothing.

        Raises:
            Unauthenticated: the token is unknown, ended or used by other keys.
            InvalidInput: the request does not fit the token.
            AlreadyExists: the node joined with another token.
        """
        now, certified = self._clock(), self._trust_clock()
        digest = keys_digest(request)

        def work(transaction: Transaction) -> str:
            secret_hash = token_hash(request.token)
            rows = transaction.execute(
                "SELECT node, jurisdiction, title, licence, expire_time, used_digest, certificate_chain"
                " FROM enrolment_token WHERE token_hash = ?",
                (secret_hash,),
            )
            if not rows:
                raise Unauthenticated("the token is unknown: ask an officer for a new one", "TOKEN_INVALID")
            node, jurisdiction, title, licence, expires, used, chain = rows[0]
            if used is not None:
                if bytes(used) == digest:
                    return str(chain)
                raise Unauthenticated("the token was used: ask an officer for a new one", "TOKEN_INVALID")
            if micros(certified) >= expires:
                raise Unauthenticated("the token has ended: ask an officer for a new one", "TOKEN_EXPIRED")
            check_enrolment(request, node)
            if any(member.name == node for member in _newest(transaction, "directory").directory.nodes):
                raise AlreadyExists(f"{node} has joined already with another token", "NODE_EXISTS")
            issued = self._issue(transaction, request.certificate_request, node, request.endpoint, certified)
            member = _member(node, jurisdiction, title, licence, request, now)
            self._change(transaction, lambda directory: _replace_node(directory, member), now)
            transaction.execute(
                "UPDATE enrolment_token SET used_digest = ?, certificate_chain = ? WHERE token_hash = ?",
                (digest, issued.chain_pem, secret_hash),
            )
            return issued.chain_pem

        chain = await self._database.write(work)
        await self._changed()
        documents = await self._database.read(_all_documents)
        return enrolment_service_pb2.EnrolResponse(certificate_chain=chain, documents=documents)

    async def renew(self, name: str, certificate_request: str) -> IssuedCertificate:
        """Signs a new certificate for a node that holds a valid one.

        Args:
            name: the caller.
            certificate_request: PKCS #10 in PEM.

        Raises:
            InvalidInput when the request names another node or is not P-256.
        """
        now = self._trust_clock()
        node = self._view.directory.node(name)
        endpoint = node.endpoint if node is not None else ""
        return await self._database.write(
            lambda transaction: self._issue(transaction, certificate_request, name, endpoint, now)
        )

    async def issue_officer_certificate(
        self, jurisdiction: str, role: str, post: str, certificate_request: str, lifetime_hours: int
    ) -> IssuedCertificate:
        """Signs a certificate for an officer's post.

        Raises:
            InvalidInput when the request names another post or is not P-256.
        """
        now = self._trust_clock()
        issued = self._authority.sign_officer_request(
            certificate_request, jurisdiction, role, post, timedelta(hours=lifetime_hours or DEFAULT_TOKEN_HOURS), now
        )
        await self._database.write(lambda transaction: _record_certificate(transaction, issued, now))
        return issued

    async def set_node_state(self, node_name: str, state: directory_pb2.NodeState) -> tuple[directory_pb2.Node, int]:
        """Sets whether a node may take part; it bites at the node's next call.

        Returns:
            The node, and the directory version that says so.

        Raises:
            NotFound when there is no such node; FailedPrecondition for the nation itself.
        """
        if node_name == NATION:
            raise FailedPrecondition("the nation is the trust root and cannot be suspended", "NODE_IS_THE_NATION")
        return await self._change_node(node_name, lambda node: setattr(node, "state", state))

    async def set_licence(self, node_name: str, licence: directory_pb2.Licence) -> tuple[directory_pb2.Node, int]:
        """Sets a provider's licence.

        Returns:
            The node, and the directory version that says so.

        Raises:
            InvalidInput when the licence cannot be one; NotFound when there is no such node.
        """
        _check_licence(licence)
        return await self._change_node(node_name, lambda node: node.licence.CopyFrom(licence))

    async def publish_policy(self, policy: policy_pb2.Policy, validate_only: bool) -> policy_pb2.Policy:
        """Publishes the next policy.

        Raises:
            InvalidInput when it does not follow the newest one, begins before now, or takes a category away that is in
            use.
        """
        now = self._clock()

        def work(transaction: Transaction) -> None:
            self._log.lock(transaction)
            newest = policy_from_wire(_newest(transaction, "policy").policy)
            following = policy_from_wire(policy)
            in_use = count_filings(transaction, removed_categories(newest, following))
            violations = check_publication(newest, following, now, in_use)
            if violations:
                raise InvalidInput("the policy does not follow the newest one", "POLICY_SUCCESSION", violations)
            if not validate_only:
                self._state(transaction, [("policy", policy)], now)

        await self._database.write(work)
        await self._changed()
        return policy

    async def _change_node(
        self, node_name: str, change: Callable[[directory_pb2.Node], None]
    ) -> tuple[directory_pb2.Node, int]:
        now = self._clock()
        changed = directory_pb2.Node()

        def apply(directory: directory_pb2.Directory) -> None:
            for node in directory.nodes:
                if node.name == node_name:
                    change(node)
                    changed.CopyFrom(node)
                    return
            raise NotFound(f"there is no node {node_name} in the directory", "NODE_UNKNOWN")

        version = await self._database.write(lambda transaction: self._change(transaction, apply, now))
        await self._changed()
        return changed, version

    def _change(self, transaction: Transaction, change: Change, now: datetime) -> int:
        self._log.lock(transaction)
        directory = directory_pb2.Directory()
        directory.CopyFrom(_newest(transaction, "directory").directory)
        change(directory)
        directory.version += 1
        directory.issue_time.FromDatetime(now)
        certified = self._trust_clock()
        ended = [row for row in directory.denied_certificates if row.expire_time.ToDatetime(UTC) < certified]
        for row in ended:
            directory.denied_certificates.remove(row)
        self._state(transaction, [("directory", directory)], now)
        return directory.version

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

    def _issue(
        self, transaction: Transaction, certificate_request: str, name: str, endpoint: str, now: datetime
    ) -> IssuedCertificate:
        hosts = [endpoint.rpartition(":")[0]] if endpoint else []
        issued = self._authority.sign_request(
            certificate_request, name, self._settings.certificate_lifetime, now, extra_hosts=hosts
        )
        _record_certificate(transaction, issued, now)
        return issued

    async def _changed(self) -> None:
        await self._view.load()
        self._on_change()


def _check_licence(licence: directory_pb2.Licence) -> None:
    violations = list(judge_licence(licence_from_wire(licence)))
    if violations:
        message = f"the licence cannot be one: {violations[0].mend}"
        raise InvalidInput(message, violations[0].rule, violations)


def _record_certificate(transaction: Transaction, issued: IssuedCertificate, now: datetime) -> None:
    transaction.execute(
        "INSERT INTO certificate (serial_number, name, issue_time, expire_time) VALUES (?, ?, ?, ?)",
        (issued.serial_number, issued.name, micros(now), micros(issued.expire_time)),
    )


def _member(
    name: str,
    jurisdiction: str,
    title: str,
    licence: bytes | None,
    request: enrolment_service_pb2.EnrolRequest,
    now: datetime,
) -> directory_pb2.Node:
    node = directory_pb2.Node(
        name=name,
        role=(
            directory_pb2.NODE_ROLE_PROVIDER
            if name.startswith("provider/")
            else directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR
        ),
        jurisdiction=jurisdiction,
        title=title,
        endpoint=request.endpoint,
        state=directory_pb2.NODE_STATE_ACTIVE,
    )
    key = node.signing_keys.add(
        key_id=hashlib.sha256(request.signing_public_key).hexdigest()[:16], public_key=request.signing_public_key
    )
    key.start_time.FromDatetime(now)
    if licence is not None:
        node.licence.ParseFromString(bytes(licence))
    return node


def _replace_node(directory: directory_pb2.Directory, member: directory_pb2.Node) -> None:
    nodes = sorted(
        [*(node for node in directory.nodes if node.name != member.name), member], key=lambda node: node.name
    )
    del directory.nodes[:]
    directory.nodes.extend(nodes)


def _newest(transaction: Transaction, kind: str) -> entry_pb2.Entry:
    ((signed,),) = transaction.execute(
        "SELECT signed FROM document WHERE kind = ? ORDER BY version DESC LIMIT 1", (kind,)
    )
    return entry_pb2.Entry.FromString(evidence_pb2.SignedDocument.FromString(bytes(signed)).entry)


def _all_documents(transaction: Transaction) -> list[evidence_pb2.SignedDocument]:
    directory = transaction.execute(
        "SELECT signed FROM document WHERE kind = 'directory' ORDER BY version DESC LIMIT 1"
    )
    policies = transaction.execute("SELECT signed FROM document WHERE kind = 'policy' ORDER BY version")
    return [evidence_pb2.SignedDocument.FromString(bytes(signed)) for (signed,) in [*directory, *policies]]
