"""How the node stands: its deliveries, its documents and its certificate, for whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from provider_node.licence_watch import renewal_due
from provider_node.standing import ReadStanding
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.delivery.outbox import DestinationStatus, destination_statuses
from shared.network import NetworkView
from shared.provisions.licences import Licence
from shared.simulated_clock import simulated_time


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The state of the node.

    Attributes:
        accounts: how many there are at this node.
        licence: None where the directory has none (Art. 4).
        licence_renewal_due: whether it is time to ask for its renewal.
        simulated_time: what the node takes for the time, where that is simulated; None where it is the machine's.
    """

    name: str
    jurisdiction: str
    destinations: Sequence[DestinationStatus]
    certificate_expire_time: datetime
    directory_version: int
    policy_version: int
    accounts: int
    software_version: str
    licence: Licence | None
    licence_renewal_due: bool
    simulated_time: datetime | None


class StatusReader:
    """Reads the state.

    Args:
        database: the node's own.
        view: the documents it holds.
        standing: reads its standing.
        certificate_expire_time: reads when its certificate ends.
        clock: tells the time.
    """

    def __init__(
        self,
        database: Database,
        view: NetworkView,
        standing: ReadStanding,
        certificate_expire_time: Callable[[], datetime],
        clock: Clock,
    ) -> None:
        self._database = database
        self._view = view
        self._standing = standing
        self._certificate_expire_time = certificate_expire_time
        self._clock = clock

    async def read(self) -> NodeStatus:
        """Reads the state as it is now."""

        def work(transaction: Transaction) -> tuple[list[DestinationStatus], int]:
            ((accounts,),) = transaction.execute("SELECT COUNT(*) FROM account")
            return destination_statuses(transaction), accounts

        destinations, accounts = await self._database.read(work)
        standing = self._standing()
        directory_version, policy_version = self._view.versions
        return NodeStatus(
            name=standing.name,
            jurisdiction=standing.jurisdiction,
            destinations=destinations,
            certificate_expire_time=self._certificate_expire_time(),
            directory_version=directory_version,
            policy_version=policy_version,
            accounts=accounts,
            software_version=version("filingnet"),
            licence=standing.licence,
            licence_renewal_due=renewal_due(standing, self._clock()),
            simulated_time=simulated_time(self._clock),
        )
