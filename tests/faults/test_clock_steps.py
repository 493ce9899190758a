"""Promises 1, 2 and 5 where clocks are wrong: stepped by hours and years, apart from one another; nothing hangs on them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc

from regulator_node.fsck import check_register
from regulator_node.settings import MIGRATIONS
from shared.cluster.made_up import person
from shared.database import Database
from shared.delivery.outbox import OutboxState, destination_statuses
from shared.delivery.worker import DeliveryWorker, Route
from shared.errors import FilingnetError
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import entry_pb2, intake_service_pb2
from shared.provisions.reports import ReportState
from tests.faults.power_network import Keys, PoweredNetwork, powered
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, REGULATOR
from tests.integration.oversight_samples import Supervised
from tests.tried import Tried

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
STEPS: Final = (2 * HOUR, 30 * HOUR, 9 * DAY, 3 * YEAR)


@dataclass
class Told:
    """What a caller was told of: a person's number and reference, their account, and the report of it."""

    number: int
    reference: bytes
    account_id: str
    report_id: str = ""


@dataclass
class WrongClocks:
    """Three nodes at work, each by a clock of its own; the true time goes on evenly."""

    network: PoweredNetwork
    randomness: random.Random
    true_time: timedelta = timedelta(0)
    told: list[Told] = field(default_factory=list)
    steps: int = 0
    refused: int = 0
    number: int = 0

    async def round(self) -> None:
        """Steps one node's clock, has a person file and somebody report it, and all that waits go its way."""
        self.true_time += 6 * HOUR
        self.step(self.randomness.choice(STEPS) * self.randomness.choice((-1, 1)))
        self.number += 1
        try:
            await self._file()
        except FilingnetError:
            # By a clock from before the licence began, say: refused, and nobody was told that it was done.
            self.refused += 1
        works = [self.network.provider.oversight.clock.tick(), self.network.deliver(), self.network.replicate()]
        works += [self.network.decide(), self.network.hear_directives()]
        for work in works:
            await work

    def step(self, by: timedelta) -> None:
        """Steps one node's clock, or puts it right."""
        self.steps += 1
        right = NOW + self.true_time
        node = self.randomness.randrange(3)
        time = right if self.randomness.random() < 0.25 else right + by
        if node == 0:
            self.network.provider.clock.now = time
        elif node == 1:
            self.network.register.now = time
        else:
            self.network.nation_now = time

    def set_right(self) -> None:
        """Puts every clock right."""
        right = NOW + self.true_time
        self.network.provider.clock.now = self.network.register.now = self.network.nation_now = right

    async def _file(self) -> None:
        provider = self.network.provider
        subject = await provider.registered(person(self.number))
        account = await provider.filed(subject)
        self.told.append(Told(self.number, subject.reference, account.account_id))
        report, _, _ = await Supervised(provider, account).report()
        self.told[-1].report_id = report.report.report_id

    async def send_again(self) -> None:
        """Has all that was refused sent again, as operators do; and what a wrong clock made of it filed anew."""
        provider = self.network.provider
        for told in self.told:
            await provider.accounts.replay(told.account_id)
        await self.network.deliver()
        for told in self.told:
            if await self.rows(
                provider.database,
                "SELECT 1 FROM outbox WHERE account_id = ? AND body = 'filing' AND state IN (2, 3)",
                told.account_id,
            ):
                await provider.subjects.change_identity(new_account_id(), told.reference, person(told.number), "")
                await provider.accounts.amend(told.account_id, "", "", "", None)
                await self.network.deliver()
                await provider.accounts.replay(told.account_id)
        await self.network.deliver()

    async def rows(self, database: Database, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads rows."""
        return await database.read(lambda transaction: transaction.execute(sql, values))

    async def log(self, database: Database) -> list[entry_pb2.Entry]:
        """The entries of the province's log at a node."""
        rows = await self.rows(
            database, "SELECT entry FROM log_entry WHERE jurisdiction = ? ORDER BY log_index", JURISDICTION
        )
        return [entry_pb2.Entry.FromString(bytes(entry)) for (entry,) in rows]


async def check_all_is_there_once(clocks: WrongClocks) -> dict[str, int]:
    """Everything that a caller was told of is in the log once, by every copy, or stands where it is seen."""
    network = clocks.network
    log = await clocks.log(network.register.database)
    assert [entry.SerializeToString() for entry in log] == [
        entry.SerializeToString() for entry in await clocks.log(network.nation)
    ]
    ids = Counter(entry.entry_id for entry in log)
    lost = twice = 0
    opened = Counter(entry.filing.account_id for entry in log if entry.filing.revision == 1)
    left = Counter(entry.escalation.escalation_id for entry in log if entry.escalation.HasField("report"))
    for told in clocks.told:
        lost += not opened[told.account_id] and not any(entry.filing.account_id == told.account_id for entry in log)
        twice += opened[told.account_id] > 1 or left[told.report_id] > 1
    twice += sum(count > 1 for count in ids.values())
    delivered = await clocks.rows(network.provider.database, "SELECT entry_id, state FROM outbox")
    lost += sum(state == OutboxState.DELIVERED and not ids[entry_id] for entry_id, state in delivered)
    for database in (network.register.database, network.nation):
        assert (await check_register(database, MIGRATIONS, network.keys.ring)).whole
    return {"lost": lost, "twice": twice, "escalated": len(left)}


async def test_clocks_that_step_by_hours_and_years_cost_nothing(tmp_path: Path, tried: Tried, full_size: bool) -> None:
    """Promises 1, 2, 5: three clocks step back and forth while all flows; once they are right, all is there, once."""
    seeds, rounds = (30, 24) if full_size else (2, 12)
    total: Counter[str] = Counter()
    for seed in range(seeds):
        async with powered(tmp_path / str(seed), Keys()) as network:
            clocks = WrongClocks(network, random.Random(seed))
            for _ in range(rounds):
                await clocks.round()
            clocks.set_right()
            await clocks.send_again()
            stopped = "SELECT 1 FROM outbox WHERE body = 'filing' AND state IN (0, 2, 3)"
            assert [] == await clocks.rows(network.provider.database, stopped)
            ((refusals,),) = await clocks.rows(network.register.database, "SELECT COUNT(*) FROM refusal")
            await network.replicate()
            # All that was received by then, by a clock that was right, is overdue by now.
            clocks.true_time += 4 * YEAR
            clocks.set_right()
            await network.provider.oversight.clock.tick()
            await clocks.send_again()
            await network.replicate()
            found = await check_all_is_there_once(clocks)
            handled, _ = await network.provider.oversight.reports.list_page(ReportState.RECEIVED, "", 0, "")
            assert (0, 0, []) == (found["lost"], found["twice"], handled)
            reported = [told for told in clocks.told if told.report_id]
            assert len(reported) == found["escalated"]
            total.update(
                found,
                steps=clocks.steps,
                filed=len(clocks.told),
                refused_calls=clocks.refused,
                refused_for_a_time=int(refusals),
            )
    assert total["refused_for_a_time"]
    tried(5, "clock steps of hours and years both ways, at three nodes apart", **total)


async def test_a_next_try_noted_for_years_ahead_holds_nothing_up(tmp_path: Path) -> None:
    """Promise 1: a node that noted its next try by a clock years ahead delivers at once after the clock was set back."""
    tries: asyncio.Queue[None] = asyncio.Queue()

    async def unanswered(
        _: intake_service_pb2.SubmitEntriesRequest, __: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        tries.put_nowait(None)
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "")

    async def answered(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        return await network.register.send(request)

    async with powered(tmp_path, Keys()) as network:
        provider = network.provider
        await provider.filed(await provider.registered())
        route = Route(REGULATOR, JURISDICTION, PROVIDER, network.keys.provider, lambda: network.keys.ring)
        provider.clock.now = NOW + 3 * YEAR
        trying = asyncio.create_task(DeliveryWorker(provider.database, route, unanswered, provider.clock).run())
        for _ in range(2):
            await tries.get()
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        provider.clock.now = NOW
        (status,) = await provider.database.read(destination_statuses)
        assert status.next_attempt_time is not None
        assert status.next_attempt_time > NOW + 2 * YEAR
        worker = DeliveryWorker(provider.database, route, answered, provider.clock)
        recorded = worker.recorded.ticket()
        trying = asyncio.create_task(worker.run())
        await recorded.wait()
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        (status,) = await provider.database.read(destination_statuses)
        assert (0, None, NOW) == (status.queued, status.next_attempt_time, status.last_success_time)
