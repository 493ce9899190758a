"""How nodes join at the nation and stay members: one-time tokens, entries in the directory, certificates.

A node that has joined keeps its name, its kind, its jurisdiction and its signing keys. Where its certificate ended, it
joins again with a token made for that: whoever holds its signing key is the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from regulator_node.authorities import Authorities
from regulator_node.issued_certificates import record_certificate
from regulator_node.nation_documents import NationDocuments, newest
from regulator_node.node_keys import add_signing_key
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.document_store import all_documents
from shared.errors import AlreadyExists, InvalidInput, NotFound, Unauthenticated, Violation
from shared.mapping.licence import licence_from_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, enrolment_service_pb2
from shared.provisions.licences import judge_licence
from shared.trust.authority import IssuedCertificate
from shared.trust.enrolment import check_enrolment, keys_digest
from shared.trust.names import jurisdiction_of
from shared.trust.tokens import EnrolmentToken, make_token, token_hash

DEFAULT_TOKEN_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """What the office is set to.

    Attributes:
        join_endpoint: host:port of the nation's public listener, written into tokens.
        certificate_lifetime: how long a leaf holds.
    """

    join_endpoint: str
    certificate_lifetime: timedelta


class TokenUsed(Unauthenticated):
    """Somebody sent a token that other keys have used: one of the two stole it.

    Attributes:
        node: whom the token is for.
    """

    def __init__(self, node: str) -> None:
        super().__init__(
            f"somebody else has joined as {node} with this token: if that was not you, it was stolen; tell the nation's"
            " office at once, which denies that node and makes a token for another name",
            "TOKEN_USED",
        )
        self.node = node


class Enrolments:
    """Lets nodes join and certifies them.

    Args:
        database: the nation's register.
        view: the documents held.
        documents: states the directory.
        authorities: says which CA signs.
        settings: see OfficeSettings.
        clock: tells the time.
        trust_clock: tells the machine's time, by which tokens and certificates hold.
    """

    def __init__(
        self,
        database: Database,
        view: NetworkView,
        documents: NationDocuments,
        authorities: Authorities,
        settings: OfficeSettings,
        clock: Clock,
        trust_clock: Clock,
    ) -> None:
        self._database = database
        self._view = view
        self._documents = documents
        self._authorities = authorities
        self._settings = settings
        self._clock = clock
        self._trust_clock = trust_clock

    async def create_token(
        self,
        node_name: str,
        jurisdiction: str,
        title: str,
        licence: directory_pb2.Licence | None,
        lifetime_hours: int,
        *,
        rejoin: bool = False,
    ) -> tuple[str, datetime]:
        """Makes a one-time token with which one node may join, or join again.

        Args:
            node_name: the node that will join.
            jurisdiction: a provider's jurisdiction; empty for a regulator.
            title: public name of the company or the office.
            licence: a provider's licence.
            lifetime_hours: hours until the token ends; 0 for 24.
            rejoin: whether it is for a node that has joined and whose certificate ended.

        Returns:
            The token file's text, and when it ends.

        Raises:
            InvalidInput when jurisdiction or licence do not fit the node, or the licence cannot be one;
            AlreadyExists: NODE_EXISTS; NotFound: NODE_UNKNOWN, nobody of that name can join again.
        """
        node = self._view.directory.node(node_name)
        if rejoin:
            if node is None:
                message = f"there is no node {node_name} in the directory: make a token for a new one"
                raise NotFound(message, "NODE_UNKNOWN")
            place, title, licence = node.jurisdiction, node.title, None
        else:
            place = self._place(node_name, jurisdiction, licence)
            if node is not None:
                mend = "choose another name, or make a token to rejoin for the node itself"
                raise AlreadyExists(f"{node_name} has joined already: {mend}", "NODE_EXISTS")
        expires = self._trust_clock() + timedelta(hours=lifetime_hours or DEFAULT_TOKEN_HOURS)
        # All of them: which one the nation's own certificate is by when the node joins is not known yet.
        ca_certificates = "".join(self._view.directory.ca_certificates)
        text, secret_hash = make_token(EnrolmentToken(self._settings.join_endpoint, node_name, place, ca_certificates))
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
        check_licence(licence)
        return jurisdiction

    async def enrol(self, request: enrolment_service_pb2.EnrolRequest) -> enrolment_service_pb2.EnrolResponse:
        """Lets a node join: uses up its token, signs its certificate and puts it in the directory, all or nothing.

        Raises:
            Unauthenticated: the token is unknown or ended; TokenUsed: other keys used it.
            InvalidInput: the request does not fit the token.
            AlreadyExists: the node joined before with another signing key, or was transferred since the token was made.
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
                raise TokenUsed(node)
            if micros(certified) >= expires:
                raise Unauthenticated("the token has ended: ask an officer for a new one", "TOKEN_EXPIRED")
            check_enrolment(request, node)
            known = [each for each in newest(transaction, "directory").directory.nodes if each.name == node]
            for each in known:
                _check_same(each, jurisdiction, request)
            issued = self._issue(transaction, request.certificate_request, node, request.endpoint, certified)
            if not known:
                member = _member(node, jurisdiction, title, licence, request, now)
                self._documents.change(transaction, lambda directory: _add_node(directory, member), now)
            elif known[0].endpoint != request.endpoint:
                self._documents.change(
                    transaction, lambda directory: _move_node(directory, node, request.endpoint), now
                )
            transaction.execute(
                "UPDATE enrolment_token SET used_digest = ?, certificate_chain = ? WHERE token_hash = ?",
                (digest, issued.chain_pem, secret_hash),
            )
            return issued.chain_pem

        chain = await self._database.write(work)
        await self._documents.changed()
        documents = await self._database.read(all_documents)
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
        lifetime = timedelta(hours=lifetime_hours or DEFAULT_TOKEN_HOURS)
        authority = self._authorities.in_use
        issued = authority.sign_officer_request(certificate_request, jurisdiction, role, post, lifetime, now)
        await self._database.write(lambda transaction: record_certificate(transaction, issued, now))
        return issued

    def _issue(
        self, transaction: Transaction, certificate_request: str, name: str, endpoint: str, now: datetime
    ) -> IssuedCertificate:
        hosts = [endpoint.rpartition(":")[0]] if endpoint else []
        issued = self._authorities.in_use.sign_request(
            certificate_request, name, self._settings.certificate_lifetime, now, extra_hosts=hosts
        )
        record_certificate(transaction, issued, now)
        return issued


def check_licence(licence: directory_pb2.Licence) -> None:
    """Checks that a provider's licence can be one.

    Raises:
        InvalidInput: its number names no jurisdiction, no class, or a year after its start; or it ends before it starts.
    """
    violations = list(judge_licence(licence_from_wire(licence)))
    if violations:
        message = f"the licence cannot be one: {violations[0].mend}"
        raise InvalidInput(message, violations[0].rule, violations)


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
    add_signing_key(node, request.signing_public_key, now)
    if licence is not None:
        node.licence.ParseFromString(bytes(licence))
    return node


def _add_node(directory: directory_pb2.Directory, member: directory_pb2.Node) -> None:
    nodes = sorted([*directory.nodes, member], key=lambda node: node.name)
    del directory.nodes[:]
    directory.nodes.extend(nodes)


def _move_node(directory: directory_pb2.Directory, name: str, endpoint: str) -> None:
    for node in directory.nodes:
        if node.name == name:
            node.endpoint = endpoint


def _check_same(member: directory_pb2.Node, jurisdiction: str, request: enrolment_service_pb2.EnrolRequest) -> None:
    if all(key.public_key != request.signing_public_key for key in member.signing_keys):
        raise AlreadyExists(
            f"{member.name} has joined already with another signing key: restore that key from a backup of its folder, or"
            " join under another name",
            "NODE_EXISTS",
        )
    if member.jurisdiction != jurisdiction:
        mend = "ask an officer for a new token"
        raise AlreadyExists(f"{member.name} was transferred since the token was made: {mend}", "NODE_EXISTS")
