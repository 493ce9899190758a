"""Wires a provider: the only place where its parts are made and put together.

A node starts only when everything it needs is there and fits: settings, keys, master key, vault, database, directory,
its local address. It stops in an order that loses nothing: it says that it no longer serves, stops its worker and its
followers, lets the calls under way finish, and closes vault and database last. What was queued waits in the outbox.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from provider_node.account_servicer import AccountServicer
from provider_node.accounts import Accounts
from provider_node.directives import DirectiveHandler
from provider_node.duties import Duties
from provider_node.duty_servicer import DutyServicer
from provider_node.evidence import EvidenceReader
from provider_node.gate import Gate, LicenceReader
from provider_node.imports import Imports
from provider_node.label_decisions import LABEL_DECISION, LabelDecisions
from provider_node.label_servicer import LabelServicer
from provider_node.labels import Labels
from provider_node.licence_watch import watch_licence
from provider_node.listen_tls import listener_credentials, read_backend_ca
from provider_node.master_key import load_master_keys
from provider_node.measure_rows import StoredMeasures
from provider_node.node_servicer import NodeServicer
from provider_node.orders import ESCALATION_DECISION
from provider_node.oversight import Oversight
from provider_node.publication_servicer import CHECKED_HERE, PublicationServicer
from provider_node.record_holds import RECORD_HOLD, RegulatorHolds
from provider_node.record_servicer import RecordServicer
from provider_node.record_sources import record_sources
from provider_node.refusals import Refusals
from provider_node.regulator_link import RegulatorLink
from provider_node.settings import MIGRATIONS, ProviderSettings
from provider_node.standing import ReadStanding, own_licence, read_standing
from provider_node.status import StatusReader
from provider_node.subject_servicer import SubjectServicer
from provider_node.subjects import Subjects
from provider_node.vault import Vault, open_vault
from shared.alarms import Alarms
from shared.clock import Clock, system_clock
from shared.database import Database, open_database
from shared.evidence.keys import SigningKey
from shared.joining import check_signing_key, load_credentials, load_signing_key
from shared.listening import UNIX
from shared.membership import Membership
from shared.network import NetworkView
from shared.pb.filingnet.provider.v1 import (
    account_service_pb2_grpc,
    duty_service_pb2_grpc,
    label_service_pb2_grpc,
    node_service_pb2_grpc,
    publication_service_pb2_grpc,
    record_service_pb2_grpc,
    subject_service_pb2_grpc,
)
from shared.provisions.retention import SCOPES_OF_PROVIDER
from shared.provisions.verification import IdentityVerifier, load_verifier
from shared.records.disposal import Disposals
from shared.server import NodeServer
from shared.serving import serve_until_told
from shared.simulated_clock import SimulatedClock, clock_from
from shared.trust.authentication import Authenticator
from shared.trust.callers import Role
from shared.trust.credentials import Credentials
from shared.upkeep import for_ever

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a provider is made of.

    Attributes:
        settings: see ProviderSettings.
        clock: tells the time by which the provisions are judged.
        trust_clock: tells the machine's time, by which certificates and tokens are judged.
        database: everything but identities.
        vault: the identities.
        verifier: verifies them.
        view: the documents held.
        credentials: the TLS key and certificate.
        key: signs entries.
        backend_ca: PEM of the CA by which backends are known; empty where they are known otherwise.
    """

    settings: ProviderSettings
    clock: Clock
    trust_clock: Clock
    database: Database
    vault: Vault
    verifier: IdentityVerifier
    view: NetworkView
    credentials: Credentials
    key: SigningKey
    backend_ca: str

    async def close(self) -> None:
        """Closes vault and database."""
        await self.vault.close()
        await self.database.close()


async def open_parts(settings: ProviderSettings, clock: Clock, trust_clock: Clock | None = None) -> Parts:
    """Opens the keys, the vault and the database, and checks that they belong together.

    Args:
        settings: of the node.
        clock: tells the time.
        trust_clock: tells the machine's time; None for the same.

    Returns:
        The parts, to be closed.

    Raises:
        FailedPrecondition: what is missing or does not fit, with the mend.
    """
    settings.backend_token()
    verifier = load_verifier(settings.verifier, clock)
    key = load_signing_key(settings.signing_key_file)
    credentials = load_credentials(settings.credentials_folder, settings.name)
    vault = open_vault(settings.vault_folder, load_master_keys(settings.master_key_source))
    try:
        database = open_database(settings.database, MIGRATIONS, key=vault.database_key)
    except BaseException:
        await vault.close()
        raise
    try:
        view = NetworkView(database)
        await view.load()
        check_signing_key(view, settings.name, key)
        backend_ca = read_backend_ca(settings, view.directory.ca_certificates)
    except BaseException:
        await vault.close()
        await database.close()
        raise
    return Parts(settings, clock, trust_clock or clock, database, vault, verifier, view, credentials, key, backend_ca)


class Provider:
    """One provider that runs.

    Args:
        parts: opened, and closed by `stop`.

    Attributes:
        membership: in the network.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.membership = Membership(parts.view, parts.credentials)
        self._standing: ReadStanding = partial(read_standing, parts.view, parts.settings.name)
        self._measures = StoredMeasures()
        licence = LicenceReader(lambda: parts.view.directory, partial(own_licence, self._standing))
        self._gate = Gate(parts.database, self._measures, licence, parts.clock)
        self._oversight = Oversight.of(
            parts.database, parts.vault, self._standing, parts.clock, self._gate, lambda: self._link.wake()
        )
        self._alarms = Alarms(parts.settings.folder, parts.trust_clock)
        self._link = RegulatorLink(
            parts.database,
            parts.view,
            self._standing,
            self.membership.peer,
            parts.key,
            parts.clock,
            self._alarms,
            self._directive_handlers(),
            Refusals(self._gate),
        )
        self._disposals = Disposals(
            parts.database,
            parts.settings.name,
            parts.key,
            lambda: parts.view.policies,
            record_sources(),
            SCOPES_OF_PROVIDER,
            parts.clock,
        )
        self._subjects = Subjects(parts.database, parts.vault, parts.verifier, self._standing, parts.clock)
        self._server = self._make_server()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Mapping[str, str]:
        """Settles what a crash left, binds the local API, begins to serve and to deliver.

        Returns:
            Where it listens: backend; where that is no Unix socket, also commands.

        Raises:
            FailedPrecondition: SOCKET_IN_USE, PORT_IN_USE and what else keeps it from listening.
        """
        settings = self._parts.settings
        settled = await self._subjects.settle_left_overs()
        if settled:
            log.info("subjects_settled", count=settled)
        await self._gate.load()
        tls = listener_credentials(settings, self._parts.credentials, self._parts.backend_ca)
        bound = {"backend": await self._server.listen(settings.local_api, tls)}
        if not settings.on_socket:
            bound["commands"] = await self._server.listen(settings.own_socket, None)
        await self._server.start()
        for name, work in self._upkeep().items():
            self._tasks.append(asyncio.create_task(for_ever(name, work)))
        self._server.set_serving(True)
        # What a node holds from its start on stays: looking through it for garbage would hold up calls.
        gc.collect()
        gc.freeze()
        return bound

    async def stop(self) -> None:
        """Stops: not serving, no more delivery, calls under way to their end, then closed."""
        self._server.set_serving(False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop(self._parts.settings.shutdown_seconds)
        await self._subjects.finish()
        await self._gate.close()
        await self._parts.close()

    def _directive_handlers(self) -> dict[str, DirectiveHandler]:
        """Who takes which kind of directives, beside decisions on filings, by the field of an entry's body."""
        return {
            LABEL_DECISION: LabelDecisions(self._gate),
            ESCALATION_DECISION: self._oversight.orders,
            RECORD_HOLD: RegulatorHolds(self._standing, self._parts.clock, lambda: self._link.wake()),
        }

    def _make_server(self) -> NodeServer:
        parts = self._parts
        authenticator = Authenticator(
            directory=lambda: parts.view.directory,
            clock=parts.trust_clock,
            jurisdiction=parts.settings.jurisdiction,
            local_role=Role.BACKEND,
            backend_token=parts.settings.backend_token_hash(),
            backend_ca=parts.backend_ca,
        )
        wake = self._link.wake
        index = parts.vault.index
        accounts = Accounts(parts.database, index, self._standing, parts.clock, wake, self._gate)
        labels = Labels(parts.database, index, self._standing, parts.clock, self._gate, self._measures, wake)
        duties = Duties(parts.database, self._standing, parts.clock, wake)
        imports = Imports(parts.database, self._standing, parts.clock, self._link.wake)
        status = StatusReader(
            parts.database,
            parts.view,
            self._standing,
            lambda: parts.credentials.expire_time,
            lambda: self._link.refusal,
            parts.clock,
            self._alarms,
        )
        on_network = not parts.settings.local_api.startswith(UNIX)
        server = NodeServer(authenticator, open_to_network=on_network, unvalidated=CHECKED_HERE)
        server.add(
            subject_service_pb2_grpc.add_SubjectServiceServicer_to_server,
            SubjectServicer(self._subjects, self._standing, parts.clock),
        )
        server.add(account_service_pb2_grpc.add_AccountServiceServicer_to_server, AccountServicer(accounts, imports))
        server.add(label_service_pb2_grpc.add_LabelServiceServicer_to_server, LabelServicer(labels))
        server.add(
            publication_service_pb2_grpc.add_PublicationServiceServicer_to_server, PublicationServicer(self._gate)
        )
        self._oversight.add_to(server)
        server.add(record_service_pb2_grpc.add_RecordServiceServicer_to_server, RecordServicer(self._disposals))
        server.add(duty_service_pb2_grpc.add_DutyServiceServicer_to_server, DutyServicer(duties))
        server.add(
            node_service_pb2_grpc.add_NodeServiceServicer_to_server,
            NodeServicer(status, accounts, parts.vault, parts.view, EvidenceReader(parts.database)),
        )
        return server

    def _upkeep(self) -> dict[str, Callable[[], Awaitable[object]]]:
        parts = self._parts
        upkeep: dict[str, Callable[[], Awaitable[object]]] = {
            "delivery": self._link.run,
            "certificate": partial(parts.credentials.renew_for_ever, self.membership.renew, parts.trust_clock),
            "trusted CAs": self.membership.trust_for_ever,
            "reports and measures": self._oversight.clock.run,
            "disposal of records": self._disposals.run,
            "licence": partial(watch_licence, self._standing, parts.view.changes, parts.clock),
        }
        if isinstance(parts.clock, SimulatedClock):
            upkeep["simulated time"] = partial(parts.clock.watch, self._time_moved)
        return upkeep

    def _time_moved(self) -> None:
        self._oversight.changes.notify()
        self._parts.view.changes.notify()


async def serve(settings: ProviderSettings, announce: Callable[[Mapping[str, str]], None]) -> None:
    """Runs a provider until the process is told to end (SIGTERM, SIGINT).

    Args:
        settings: of the node.
        announce: told where it listens, once it serves.

    Raises:
        FilingnetError: what keeps it from starting, with the mend.
    """

    async def make() -> Provider:
        return Provider(await open_parts(settings, clock_from(settings.simulated_time_file), system_clock))

    await serve_until_told(settings, "provider node", make, announce)
