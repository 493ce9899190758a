"""Wires a regulator: the only place where its parts are made and put together.

A node starts only when everything it needs is there and fits: settings, keys, register, directory, ports. It stops in
an order that loses nothing: it says that it no longer serves, ends what it follows, lets the calls under way finish,
and closes the register last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from regulator_node.audit import Audit
from regulator_node.case_office import CaseOffice
from regulator_node.enrolment_servicer import EnrolmentServicer
from regulator_node.filing_servicer import ROW_BY_ROW, FilingServicer, FilingUses
from regulator_node.follow_servicer import FollowServicer
from regulator_node.followers import Following, follow_nation, follow_provinces
from regulator_node.intake import Intake
from regulator_node.intake_servicer import UNVALIDATED, IntakeServicer
from regulator_node.label_check import LabelCheck
from regulator_node.label_queries import LabelQueries
from regulator_node.label_review import LabelReview
from regulator_node.label_servicer import LabelServicer
from regulator_node.log import watch_logs
from regulator_node.log_servicer import LogServicer
from regulator_node.log_watch import RegulatorWatch
from regulator_node.nation_guard import NationGuard
from regulator_node.nation_parts import make_office
from regulator_node.network_servicer import SERVICE, NetworkAffairs, NetworkServicer
from regulator_node.officers import OfficerTokens
from regulator_node.own_keys import issue_own
from regulator_node.own_log import OwnLogGuard
from regulator_node.parts import Parts, open_parts
from regulator_node.public_servicer import PublicServicer
from regulator_node.record_holds import RecordHolds
from regulator_node.record_servicer import RecordServicer
from regulator_node.record_sources import record_sources
from regulator_node.register_holds import list_directed
from regulator_node.review import Review
from regulator_node.router import Router
from regulator_node.settings import RegulatorSettings
from regulator_node.status import StatusReader
from regulator_node.token_buckets import TokenBuckets
from regulator_node.trust_servicer import SERVICE as TRUST_SERVICE
from regulator_node.trust_servicer import TrustServicer
from regulator_node.witness import Witness
from regulator_node.witness_servicer import WitnessServicer
from shared.alarms import Alarms
from shared.clock import system_clock
from shared.membership import Membership
from shared.pb.filingnet.network.v1 import (
    enrolment_service_pb2_grpc,
    follow_service_pb2_grpc,
    intake_service_pb2_grpc,
    witness_service_pb2_grpc,
)
from shared.pb.filingnet.regulator.v1 import (
    escalation_service_pb2_grpc,
    filing_service_pb2_grpc,
    label_service_pb2_grpc,
    log_service_pb2_grpc,
    network_service_pb2_grpc,
    public_service_pb2_grpc,
    record_service_pb2_grpc,
    trust_service_pb2_grpc,
)
from shared.provisions.retention import SCOPES_OF_REGULATOR
from shared.records.disposal import Disposals
from shared.server import NodeServer
from shared.serving import serve_until_told
from shared.simulated_clock import SimulatedClock, clock_from
from shared.trust.authentication import Authenticator
from shared.trust.callers import Role
from shared.trust.methods import METHODS, methods_at
from shared.trust.names import NATION
from shared.upkeep import for_ever

METHODS_OF_OFFICERS = {
    method: roles for method, roles in METHODS.items() if method.startswith((SERVICE, TRUST_SERVICE))
}
"""The rows of NetworkService and TrustService, whose methods for the nation alone a province refuses by itself."""


class Regulator:
    """One regulator that runs.

    Args:
        parts: opened, and closed by `stop`.

    Attributes:
        membership: in the network.
        audit: the trail of officers' calls.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.membership = Membership(parts.view, parts.credentials)
        self._alarms = Alarms(parts.settings.folder, parts.trust_clock)
        self._guard = OwnLogGuard(
            parts.database, parts.register_log, parts.view, partial(self.membership.peer, NATION), self._alarms
        )
        asking = NationGuard(parts.view, self.membership.peer, self._guard) if parts.settings.is_nation else None
        self._asking = asking
        self._office = make_office(parts, parts.authority, asking.compared) if parts.authority and asking else None
        self._witness = Witness(parts.register_log, parts.clock)
        self._officers = OfficerTokens(parts.database, parts.settings.jurisdiction, parts.trust_clock)
        self.audit = Audit(parts.database, parts.settings.jurisdiction, parts.clock)
        self._cases = self._make_cases()
        self._record_holds = RecordHolds(
            parts.database, parts.register_log, parts.view, parts.clock, on_change=parts.log_changes.notify
        )
        self._disposals = Disposals(
            parts.database,
            parts.settings.name,
            parts.register_log.key,
            lambda: parts.view.policies,
            record_sources(parts.settings.jurisdiction),
            SCOPES_OF_REGULATOR,
            parts.clock,
            directed=list_directed,
        )
        self._intake = self._make_intake()
        self._server = self._make_server()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Mapping[str, str]:
        """Binds its ports, begins to serve and to follow.

        Returns:
            Where it listens: network, public and operator.

        Raises:
            FailedPrecondition: PORT_IN_USE and what else keeps it from listening.
        """
        settings, credentials = self._parts.settings, self._parts.credentials
        await (self._asking or self._guard).ask()
        listen = {
            "network": await self._server.listen(
                settings.network_listen, credentials.server_credentials(require_client=True)
            ),
            "public": await self._server.listen(
                settings.public_listen, credentials.server_credentials(require_client=False)
            ),
            "operator": await self._server.listen(f"unix:{settings.operator_socket.absolute()}", None),
        }
        await self._server.start()
        for name, work in self._upkeep().items():
            self._tasks.append(asyncio.create_task(for_ever(name, work)))
        self._server.set_serving(True)
        return listen

    async def stop(self) -> None:
        """Stops: not serving, no more following, calls under way to their end, then closed."""
        self._server.set_serving(False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop(self._parts.settings.shutdown_seconds)
        self._intake.close()
        await self._parts.database.close()

    def _make_intake(self) -> IntakeServicer:
        parts = self._parts
        intake = Intake(parts.register_log, feed_regions=parts.settings.is_nation)
        return IntakeServicer(
            parts.database,
            intake,
            parts.settings.jurisdiction,
            parts.view,
            parts.clock,
            parts.log_changes,
            self._guard.shown,
        )

    def _make_server(self) -> NodeServer:
        parts, jurisdiction = self._parts, self._parts.settings.jurisdiction
        authenticator = Authenticator(
            directory=lambda: parts.view.directory,
            clock=parts.trust_clock,
            jurisdiction=jurisdiction,
            local_role=Role.OPERATOR,
            officer_tokens=self._officers.caller,
        )
        server = NodeServer(
            authenticator,
            methods=_methods_at(parts.settings.name),
            calls_per_caller=parts.settings.calls_per_caller,
            streams_per_caller=parts.settings.streams_per_caller,
            open_to_network=True,
            unvalidated=ROW_BY_ROW | UNVALIDATED,
        )
        server.add(intake_service_pb2_grpc.add_IntakeServiceServicer_to_server, self._intake)
        server.add(
            follow_service_pb2_grpc.add_FollowServiceServicer_to_server,
            FollowServicer(parts.database, jurisdiction, parts.log_changes, parts.view.changes),
        )
        server.add(
            witness_service_pb2_grpc.add_WitnessServiceServicer_to_server,
            WitnessServicer(parts.database, jurisdiction, self._witness, parts.view, parts.log_changes, self._guard),
        )
        if self._office is not None:
            server.add(
                enrolment_service_pb2_grpc.add_EnrolmentServiceServicer_to_server,
                EnrolmentServicer(self._office.enrolments, self.audit),
            )
        server.add(
            network_service_pb2_grpc.add_NetworkServiceServicer_to_server, NetworkServicer(self._network_affairs())
        )
        server.add(
            trust_service_pb2_grpc.add_TrustServiceServicer_to_server,
            TrustServicer(parts.view, self._office, self.audit),
        )
        server.add(filing_service_pb2_grpc.add_FilingServiceServicer_to_server, self._make_filing_servicer())
        server.add(
            log_service_pb2_grpc.add_LogServiceServicer_to_server, LogServicer(parts.database, jurisdiction, self.audit)
        )
        server.add(label_service_pb2_grpc.add_LabelServiceServicer_to_server, self._make_label_servicer())
        server.add(escalation_service_pb2_grpc.add_EscalationServiceServicer_to_server, self._cases.servicer)
        server.add(
            record_service_pb2_grpc.add_RecordServiceServicer_to_server,
            RecordServicer(self._disposals, self._record_holds, self.audit),
        )
        server.add(public_service_pb2_grpc.add_PublicServiceServicer_to_server, self._make_public_servicer())
        return server

    def _make_filing_servicer(self) -> FilingServicer:
        parts = self._parts
        review = Review(
            parts.database,
            parts.register_log,
            parts.view.policy_at,
            parts.clock,
            feed_regions=parts.settings.is_nation,
            on_change=parts.log_changes.notify,
        )
        return FilingServicer(FilingUses.of(parts.database, review), self.audit)

    def _make_label_servicer(self) -> LabelServicer:
        parts = self._parts
        review = LabelReview(
            parts.database,
            parts.register_log,
            parts.view.policy_at,
            parts.clock,
            feed_regions=parts.settings.is_nation,
            on_change=parts.log_changes.notify,
        )
        return LabelServicer(LabelQueries(parts.database, parts.clock), review, self.audit)

    def _make_cases(self) -> CaseOffice:
        parts = self._parts
        return CaseOffice(
            parts.database,
            parts.register_log,
            parts.settings.folder,
            parts.view.policy_at,
            parts.clock,
            self.audit,
            feed_regions=parts.settings.is_nation,
            on_change=parts.log_changes.notify,
        )

    def _make_public_servicer(self) -> PublicServicer:
        parts = self._parts
        labels = LabelCheck(parts.database, lambda: parts.view.directory, parts.clock)
        return PublicServicer(labels, self._cases.complaints, TokenBuckets())

    def _network_affairs(self) -> NetworkAffairs:
        parts = self._parts
        return NetworkAffairs(
            name=parts.settings.name,
            database=parts.database,
            view=parts.view,
            office=self._office,
            officers=self._officers,
            audit=self.audit,
            status=StatusReader(parts.settings.jurisdiction),
            register_log=parts.register_log,
            credentials=parts.credentials,
            clock=parts.clock,
            alarms=self._alarms,
        )

    def _upkeep(self) -> dict[str, Callable[[], Awaitable[object]]]:
        parts = self._parts
        watch = RegulatorWatch(parts.database, parts.view, self._alarms)
        following = Following(parts.database, parts.view, self.membership.peer, parts.log_changes, parts.clock, watch)
        upkeep: dict[str, Callable[[], Awaitable[object]]] = {
            "certificate": partial(parts.credentials.renew_for_ever, self._renew, parts.trust_clock),
            "trusted CAs": self.membership.trust_for_ever,
            "disposal of records": self._disposals.run,
        }
        if isinstance(parts.clock, SimulatedClock):
            # Only routes are due at a time: what else follows from it is computed when it is asked for.
            upkeep["simulated time"] = partial(parts.clock.watch, parts.log_changes.notify)
        if parts.database.dialect == "postgresql":
            upkeep["documents of other processes"] = parts.view.refresh_for_ever
            upkeep["log of other processes"] = partial(watch_logs, parts.database, parts.log_changes)
        if self._office is not None:
            upkeep["routes"] = Router(self._office, parts.view, parts.log_changes, parts.clock).run
        upkeep["own log"] = (self._asking or self._guard).ask_for_ever
        if self._parts.settings.is_nation:
            upkeep["provinces"] = partial(follow_provinces, following, self._witness)
        else:
            upkeep["nation"] = partial(follow_nation, following, self._witness)
        return upkeep

    async def _renew(self, certificate_request: str) -> str:
        parts = self._parts
        if self._office is not None:
            authority = self._office.authorities.in_use
            return await issue_own(parts.database, authority, certificate_request, parts.settings, parts.trust_clock)
        return await self.membership.renew(certificate_request)


async def serve(settings: RegulatorSettings, announce: Callable[[Mapping[str, str]], None]) -> None:
    """Runs a regulator until the process is told to end (SIGTERM, SIGINT).

    Args:
        settings: of the node.
        announce: told where it listens, once it serves.

    Raises:
        FilingnetError: what keeps it from starting, with the mend.
    """

    async def make() -> Regulator:
        return Regulator(await open_parts(settings, clock_from(settings.simulated_time_file), system_clock))

    await serve_until_told(settings, "data of a regulator", make, announce)


def _methods_at(name: str) -> Mapping[str, frozenset[Role]]:
    # What officers ask of the wrong regulator is let through to be answered with where the nation is.
    return {**METHODS_OF_OFFICERS, **methods_at(name)}
