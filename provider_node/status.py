"""How the node stands: its deliveries, its documents and its certificate, for whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Final

from provider_node.licence_watch import licence_warning, renewal_due
from provider_node.standing import ReadStanding, Standing
from shared.alarms import Alarms
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.delivery.outbox import DestinationStatus, destination_statuses
from shared.errors import Violation
from shared.network import NetworkView
from shared.provisions.filings import ProviderState
from shared.provisions.licences import Licence
from shared.simulated_clock import simulated_time

NODE_DENIED: Final = "NODE_DENIED"

MOST_WARNINGS: Final = 10
MOST_CHARACTERS: Final = 300
"""What the contract has room for."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The state of the node.

    Attributes:
        accounts: how many there are at this node.
        state: whether the provider may take part, by the newest directory held.
        licence: None where the directory has none (Art. 4).
        licence_renewal_due: whether it is time to ask for its renewal.
        simulated_time: what the node takes for the time, where that is simulated; None where it is the machine's.
        warnings: what keeps the provider from filing, or soon will, each with the mend.
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
    state: ProviderState
    warnings: Sequence[Violation]


class StatusReader:
    """Reads the state.

    Args:
        database: the node's own.
        view: the documents it holds.
        standing: reads its standing.
        certificate_expire_time: reads when its certificate ends.
        refusal: reads why its regulator refuses to be followed, "REASON: message"; empty where it does not.
        clock: tells the time.
        alarms: what the node found wrong with a regulator's log.
    """

    def __init__(
        self,
        database: Database,
        view: NetworkView,
        standing: ReadStanding,
        certificate_expire_time: Callable[[], datetime],
        refusal: Callable[[], str],
        clock: Clock,
        alarms: Alarms,
    ) -> None:
        self._alarms = alarms
        self._refusal = refusal
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
            state=standing.state,
            warnings=[*warnings(standing, self._refusal(), self._clock()), *self._alarmed()][:MOST_WARNINGS],
        )

    def _alarmed(self) -> list[Violation]:
        return [
            Violation(f"log.{alarm.jurisdiction}", alarm.reason, alarm.mend[:MOST_CHARACTERS])
            for alarm in self._alarms.open()
        ]


def warnings(standing: Standing, refusal: str, now: datetime) -> list[Violation]:
    """Says what keeps a provider from filing, or soon will, and what to do about it (Art. 4).

    Args:
        standing: the provider's.
        refusal: why its regulator refuses to be followed, "REASON: message". A denied provider hears of it only so:
            nobody sends it the directory that says it.
        now: aware.

    Returns:
        The warnings, the gravest first; none where all is well.
    """
    found = []
    if standing.state is ProviderState.DENIED or refusal.startswith(NODE_DENIED):
        mend = "ask the nation's office why, and have it activate this node: until then every call of it is refused"
        found.append(Violation("provider.state", NODE_DENIED, mend))
    elif standing.state is ProviderState.SUSPENDED:
        mend = "settle the suspension with the nation's office: what waits is delivered afterwards"
        found.append(Violation("provider.state", "PROVIDER_SUSPENDED", mend))
    licence = licence_warning(standing, now)
    return [*found, licence] if licence is not None else found
