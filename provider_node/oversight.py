"""What serves public supervision at a provider (Arts. 5(3), 8 and 9), put together: reports, measures, appeals, orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from provider_node.appeals import Appeals
from provider_node.conservation import ReportAudit
from provider_node.gate import Gate
from provider_node.gated_writes import GatedWrites
from provider_node.measure_servicer import MeasureServicer
from provider_node.measures import Measures
from provider_node.orders import Orders
from provider_node.report_clock import ReportClock
from provider_node.report_servicer import ReportServicer
from provider_node.reports import Reports
from provider_node.standing import ReadStanding
from provider_node.vault import Vault
from shared.changes import Changes
from shared.clock import Clock
from shared.database import Database
from shared.pb.filingnet.provider.v1 import measure_service_pb2_grpc, report_service_pb2_grpc
from shared.server import NodeServer


@dataclass(frozen=True, slots=True)
class Oversight:
    """The use cases of public supervision, their clock, and what wakes it."""

    measures: Measures
    appeals: Appeals
    orders: Orders
    reports: Reports
    clock: ReportClock
    changes: Changes
    audit: ReportAudit
    standing: ReadStanding

    @classmethod
    def of(
        cls,
        database: Database,
        vault: Vault,
        standing: ReadStanding,
        clock: Clock,
        gate: Gate,
        on_queued: Callable[[], None],
    ) -> Self:
        """Makes them.

        Args:
            database: the node's own.
            vault: seals words, digests requests, keeps the audit trail.
            standing: reads the provider's standing.
            clock: tells the time.
            gate: of publications, made with `StoredMeasures`.
            on_queued: called after something was queued.
        """
        changes = Changes()
        writes = GatedWrites(database, gate, changes, on_queued)
        measures = Measures(writes, vault.index, standing, clock)
        return cls(
            measures=measures,
            appeals=Appeals(writes, vault.words, standing, clock),
            orders=Orders(writes, standing, clock),
            reports=Reports(writes, vault, standing, clock),
            clock=ReportClock(writes, measures, standing, changes, clock),
            changes=changes,
            audit=ReportAudit(database, clock),
            standing=standing,
        )

    def add_to(self, server: NodeServer) -> None:
        """Serves them at the local API."""
        server.add(
            report_service_pb2_grpc.add_ReportServiceServicer_to_server,
            ReportServicer(self.reports, self.audit, self.standing),
        )
        server.add(
            measure_service_pb2_grpc.add_MeasureServiceServicer_to_server,
            MeasureServicer(self.measures, self.appeals, self.orders),
        )
