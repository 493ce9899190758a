"""The simulated nodes: each life is put together of the product's real parts, as the programs' bootstrap modules do it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from provider_node import lost_runs
from provider_node.accounts import Accounts
from provider_node.blind_index import BlindIndex
from provider_node.gate import Gate, LicenceReader
from provider_node.label_decisions import LABEL_DECISION, LabelDecisions
from provider_node.measure_rows import StoredMeasures
from provider_node.refusals import Refusals
from provider_node.regulator_link import RegulatorLink
from provider_node.standing import own_licence, read_standing
from regulator_node import accepted_logs
from regulator_node.follow_servicer import FollowServicer
from regulator_node.followers import Following, follow_nation, follow_provinces
from regulator_node.intake import Intake
from regulator_node.intake_servicer import UNVALIDATED, IntakeServicer
from regulator_node.log import RegisterLog
from regulator_node.log_watch import RegulatorWatch
from regulator_node.nation_guard import NationGuard
from regulator_node.nation_recovery import NationRecovered, recover_nation
from regulator_node.own_log import OwnLogGuard, recover
from regulator_node.review import Review
from regulator_node.witness import Witness
from regulator_node.witness_servicer import WitnessServicer
from shared.alarms import Alarms
from shared.changes import Changes
from shared.errors import FilingnetError
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import (
    follow_service_pb2_grpc,
    intake_service_pb2_grpc,
    witness_service_pb2_grpc,
)
from shared.told_head import ToldHead
from shared.upkeep import for_ever
from tests.faults.simulation.disks import Disk, SimulatedDatabase
from tests.faults.simulation.founded import BEGIN, NATION, founded, key_of
from tests.faults.simulation.lives import Life
from tests.faults.simulation.serving import Served
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.wire import Wire

AGAIN_SECONDS: Final = 1.0
"""After which a node that could not start is started again."""

Answer = TypeVar("Answer")

INDEX_KEY = b"simulated blind index, 32 bytes."


@dataclass
class Surroundings:
    """What all nodes live in."""

    wire: Wire
    trace: Trace
    chance: random.Random


class RaisedAlarms(Alarms):
    """Alarms that are kept by the trace instead of by files."""

    def __init__(self, name: str, trace: Trace) -> None:
        super().__init__(Path(name))
        self._name = name
        self._trace = trace

    def raise_alarm(
        self, reason: str, jurisdiction: str, detail: str, heads: bytes | None = None, *, proven: bool = False
    ) -> None:
        """Notes it."""
        self._trace.note(f"{self._name} raises {reason} about {jurisdiction}: {detail}")


class Node:
    """A node through all its lives.

    Args:
        name: e.g. "regulator/330000".
        surroundings: what it lives in.

    Attributes:
        disk: what outlives its crashes.
        life: the present one, or the last.
        ahead: by how much its clock is wrong.
    """

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self.around = surroundings
        self.disk = Disk(founded().disks[name])
        self.ahead = timedelta()
        self.lives = 0
        self.life = Life(name, 0)
        self.life.alive = False
        self.ended: list[Life] = []
        self.parts: Any = None
        self.alarms = RaisedAlarms(name, surroundings.trace)

    @property
    def up(self) -> bool:
        """Whether it lives."""
        return self.life.alive

    def clock(self) -> datetime:
        """Tells the time as this node has it."""
        return BEGIN + timedelta(seconds=round(asyncio.get_running_loop().time(), 6)) + self.ahead

    def start(self) -> None:
        """Begins a life."""
        assert not self.up
        self.lives += 1
        self.around.trace.note(f"{self.name} starts")
        self.life = Life(self.name, self.lives)
        self.database = SimulatedDatabase(self.disk, self.around.chance, self.life)
        self.life.spawn(self._begin(self.life))

    async def _begin(self, life: Life) -> None:
        try:
            await self.live()
        except FilingnetError as error:
            # The program ends and says why, on a full disk say; whoever runs it starts it again.
            self.around.trace.note(f"{self.name} does not start: {error.reason}")
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._again, life)

    def _again(self, life: Life) -> None:
        if life.alive:
            self.crash()
            self.start()

    def crash(self) -> None:
        """Ends the life at this moment."""
        self.around.trace.note(f"{self.name} crashes")
        self.ended.append(self.life)
        self.life.kill()
        self.parts = None

    async def aside(self, work: Callable[[SimulatedDatabase, NetworkView], Awaitable[Answer]]) -> Answer:
        """Runs a command beside the stopped node: a life of its own.

        Raises:
            FilingnetError: as the command refuses.
        """
        if self.up:
            self.crash()
        life = Life(self.name, self.lives)
        self.ended.append(life)
        try:
            answer: Answer = await life.spawn(self._aside(SimulatedDatabase(self.disk, self.around.chance, life), work))
            return answer
        finally:
            life.kill()

    async def _aside(
        self, database: SimulatedDatabase, work: Callable[[SimulatedDatabase, NetworkView], Awaitable[Answer]]
    ) -> Answer:
        view = NetworkView(database)
        await view.load()
        return await work(database, view)

    async def live(self) -> None:
        """Puts the parts together and runs them."""
        raise NotImplementedError


@dataclass
class RegulatorParts:
    """What people use of a regulator."""

    review: Review
    log: RegisterLog
    view: NetworkView


class RegulatorNode(Node):
    """A regulator: the nation, or a province.

    Attributes:
        asks: whether it asks others what they hold of its log. A nation does where its disk is put back; otherwise that
            would change nothing, but every seed.
    """

    parts: RegulatorParts | None

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        super().__init__(name, surroundings)
        self.asks = name != NATION

    @property
    def jurisdiction(self) -> str:
        """Whose register it keeps."""
        return self.name.partition("/")[2]

    async def recover(self) -> None:
        """Runs `regulator-node recover` at a province.

        Raises:
            FailedPrecondition: LOG_FORKED.
        """

        async def work(database: SimulatedDatabase, view: NetworkView) -> None:
            peer = self.around.wire.peer(self.name)(NATION)
            recovered = await recover(database, self._own_log(), view, peer, self.clock)
            self.around.trace.note(f"{self.name} recovered {recovered.entries} entries")

        await self.aside(work)

    async def recover_as_nation(self) -> NationRecovered:
        """Runs `regulator-node recover` at the nation.

        Raises:
            FailedPrecondition: LOG_FORKED.
        """

        async def work(database: SimulatedDatabase, view: NetworkView) -> NationRecovered:
            peer = self.around.wire.peer(self.name)
            return await recover_nation(database, self._own_log(), view, peer, self.clock)

        return await self.aside(work)

    async def accept(self, told: ToldHead) -> None:
        """Runs `regulator-node log accept` at a province.

        Raises:
            FailedPrecondition: NOTHING_TO_ACCEPT.
        """

        async def work(database: SimulatedDatabase, view: NetworkView) -> None:
            peer = self.around.wire.peer(self.name)(NATION)
            await accepted_logs.accept_log(database, view, peer, self.alarms, self.jurisdiction, told)

        await self.aside(work)

    def _own_log(self) -> RegisterLog:
        return RegisterLog(self.name, self.jurisdiction, key_of(self.name))

    async def live(self) -> None:
        """Puts a regulator together (regulator_node/bootstrap.py)."""
        database, clock, own = self.database, self.clock, self.jurisdiction
        view, log_changes = NetworkView(database), Changes()
        await view.load()
        log = self._own_log()
        await database.write(lambda transaction: log.create(transaction, clock()))
        peer, nation = self.around.wire.peer(self.name), self.name == NATION
        guard = OwnLogGuard(database, log, view, partial(peer, NATION), self.alarms)
        witness = Witness(log, clock)
        intake = Intake(log, feed_regions=nation)
        servicers: list[tuple[Any, Any]] = [
            (
                intake_service_pb2_grpc.add_IntakeServiceServicer_to_server,
                IntakeServicer(database, intake, own, view, clock, log_changes, guard.shown),
            ),
            (
                follow_service_pb2_grpc.add_FollowServiceServicer_to_server,
                FollowServicer(database, own, log_changes, view.changes),
            ),
            (
                witness_service_pb2_grpc.add_WitnessServiceServicer_to_server,
                WitnessServicer(database, own, witness, view, log_changes, guard),
            ),
        ]
        served = Served(self.life, view, clock, own, servicers, UNVALIDATED)
        asking = NationGuard(view, peer, guard) if nation else guard
        if self.asks:
            await asking.ask()
        self.around.wire.serve(served)
        review = Review(database, log, view.policy_at, clock, feed_regions=nation, on_change=log_changes.notify)
        self.parts = RegulatorParts(review, log, view)
        watch = RegulatorWatch(database, view, self.alarms)
        following = Following(database, view, peer, log_changes, clock, watch)
        if nation:
            works: dict[str, Any] = {"provinces": partial(follow_provinces, following, witness)}
        else:
            works = {"nation": partial(follow_nation, following, witness)}
        if self.asks:
            works["own log"] = asking.ask_for_ever
        for name, work in works.items():
            self.life.spawn(for_ever(name, work))


@dataclass
class ProviderParts:
    """What a backend uses of a provider."""

    accounts: Accounts


class ProviderNode(Node):
    """A provider.

    Attributes:
        use_ahead: by how much the clock is wrong that new filings are made by.
    """

    parts: ProviderParts | None

    def __init__(self, name: str, surroundings: Surroundings, regulator: str, max_entries: int) -> None:
        super().__init__(name, surroundings)
        self._max_entries = max_entries
        self.regulator = regulator
        self.use_ahead = timedelta()

    def use_clock(self) -> datetime:
        """Tells the time by which filings are made."""
        return self.clock() + self.use_ahead

    async def live(self) -> None:
        """Puts a provider together (provider_node/bootstrap.py)."""
        database, clock = self.database, self.clock
        view = NetworkView(database)
        await view.load()
        standing = partial(read_standing, view, self.name)
        measures = StoredMeasures()
        gate = Gate(database, measures, LicenceReader(lambda: view.directory, partial(own_licence, standing)), clock)
        await gate.load()
        handlers: Mapping[str, Any] = {LABEL_DECISION: LabelDecisions(gate)}
        link = RegulatorLink(
            database,
            view,
            standing,
            self.around.wire.peer(self.name),
            key_of(self.name),
            clock,
            self.alarms,
            handlers,
            Refusals(gate),
            max_entries=self._max_entries,
        )
        accounts = Accounts(database, BlindIndex(INDEX_KEY), standing, self.use_clock, link.wake, gate)
        self.parts = ProviderParts(accounts)
        self.life.spawn(for_ever("delivery", link.run))

    async def accept(self, told: ToldHead) -> int:
        """Runs `provider-node log accept`; returns how many entries wait again.

        Raises:
            FailedPrecondition: NOTHING_TO_ACCEPT.
        """

        async def work(database: SimulatedDatabase, view: NetworkView) -> int:
            return await lost_runs.accept_log(database, view, self.around.wire.peer(self.name)(NATION), told)

        return await self.aside(work)
