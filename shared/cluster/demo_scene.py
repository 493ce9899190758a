"""What the demo's parts share: who may be asked, what is said meanwhile, and the simulated time that they move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared import cli
from shared.client.officer import OfficerClient
from shared.client.provider import ProviderClient
from shared.client.public import PublicClient
from shared.cluster.demo_audit import Audit, audit_all
from shared.cluster.network import Cluster
from shared.provisions.publication import PublicationAct

Say = Callable[[str], None]
"""Tells a person what is being done."""

ARRIVAL_SECONDS: Final = 120.0
"""How long the demo waits at most for what the network does by itself."""


@dataclass(frozen=True, slots=True)
class FiledAccount:
    """An account on file: its id, its provider's node name and client, and where it is filed."""

    account_id: str
    provider: str
    backend: ProviderClient
    jurisdiction: str


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What the gate said: whether the account may, and why."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, at the time that the nodes took for the time: by whom, and what."""

    time: datetime
    who: str
    what: str


@dataclass(slots=True)
class Scene:
    """A network with accounts on file, and who may ask it.

    Attributes:
        cluster: its time can be moved.
        say: tells a person what is being done.
        accounts: by display name.
        officers: a reviewer's client of each province, by jurisdiction.
        nation: a reader's client of the nation.
        anybody: asks the nation without credentials.
        moments: what happened so far.
        audits: made so far.
    """

    cluster: Cluster
    say: Say
    accounts: Mapping[str, FiledAccount]
    officers: Mapping[str, OfficerClient]
    nation: OfficerClient
    anybody: PublicClient
    moments: list[Moment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)

    def officer(self, name: str) -> OfficerClient:
        """Returns a reviewer's client of the province where an account is filed."""
        return self.officers[self.accounts[name].jurisdiction]

    def note(self, who: str, what: str) -> None:
        """Notes what just happened."""
        self.moments.append(Moment(self.cluster.now(), who, what))

    def move_to(self, moment: datetime, why: str) -> None:
        """Moves the simulated time forward to a moment, and says so."""
        by = max(moment - self.cluster.now(), timedelta(0))
        now = self.cluster.advance(by)
        self.say(f"SIMULATED TIME moves {_span(by)} on, to {now:%Y-%m-%d %H:%M} UTC: {why}")

    async def gate(self, name: str, act: PublicationAct, *, is_news: bool) -> GateAnswer:
        """Asks the gate of its provider whether an account may do something now."""
        account = self.accounts[name]
        answer = await account.backend.check_publication(account.account_id, act, is_news=is_news)
        return GateAnswer(answer.allowed, answer.reason)

    async def audit(self, when: str) -> None:
        """Has every regulator's own program prove that no report is lost and none is with two."""
        with (
            stage(self.say, f"auditing the conservation of reports at every regulator, {when}"),
            cli.progress("regulators audited", len(self.cluster.regulators)) as advance,
        ):
            self.audits.append(await audit_all(self.cluster, when, lambda: advance(1)))

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Waits for what the network does by itself.

        Raises:
            Unavailable: WAITED_IN_VAIN.
        """
        await self.cluster.wait_until(holds, what, ARRIVAL_SECONDS)

    async def gate_until(self, name: str, act: PublicationAct, *, is_news: bool, allowed: bool) -> GateAnswer:
        """Asks the gate until it opened or closed to an account."""
        answer = GateAnswer(not allowed, "")

        async def so() -> bool:
            nonlocal answer
            answer = await self.gate(name, act, is_news=is_news)
            return answer.allowed is allowed

        await self.until(so, f"the gate {'opens' if allowed else 'closes'} to {name}")
        return answer


@contextmanager
def stage(say: Say, what: str) -> Iterator[None]:
    """Says what is being done; an error that is raised meanwhile carries it as a note."""
    say(what)
    try:
        yield
    except BaseException as error:
        error.add_note(f"this happened while {what}")
        raise


def _span(by: timedelta) -> str:
    return f"{by.days} d {by.seconds // 3600} h {by.seconds % 3600 // 60:02d} min"
