"""A province, its provider and the nation at work on a disk that can lose its power, and what has to hold after a cut.

Each node has a folder of its own. What a caller was told is kept with the moment; after a cut the nodes are opened on
what is left and asked for it, and then go on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from regulator_node.directive_feed import read_directives
from regulator_node.log import RegisterLog, log_size
from regulator_node.replication import LogCopy
from regulator_node.review import Outcome, Review, Verdict
from regulator_node.settings import MIGRATIONS
from regulator_node.stored_runs import read_runs
from regulator_node.witness import Witness, keep_cosigned, read_cosigned
from shared.cluster.made_up import person
from shared.database import Database, Transaction, open_database, sqlite_url
from shared.delivery.worker import DeliveryWorker, Route
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import id_text, new_account_id
from shared.pb.filingnet.network.v1 import follow_service_pb2, intake_service_pb2
from shared.provisions.policy import initial_policy
from shared.records.erasure import leave_no_trace
from tests.faults.power_disk import PowerDisk
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, REGULATOR, Register
from tests.integration.oversight_samples import Supervised
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_provider
from tests.unit.trust_samples import NATION

PROVIDER_FOLDER, PROVINCE_FOLDER, NATION_FOLDER = "p", "r", "n"
NODES = (PROVIDER_FOLDER, PROVINCE_FOLDER, NATION_FOLDER)
OFFICER = "officer/330000/reviewer/review-desk-2"

CHECKPOINT_PAGES = 60
"""After so many pages a log is written into its database, so that the power goes meanwhile as well."""


@dataclass
class Keys:
    """The keys of the three nodes, which the power takes from nobody."""

    provider: SigningKey = field(default_factory=SigningKey.generate)
    province: SigningKey = field(default_factory=SigningKey.generate)
    nation: SigningKey = field(default_factory=SigningKey.generate)

    @property
    def ring(self) -> KeyRing:
        """The public ones."""
        keys = {PROVIDER: self.provider, REGULATOR: self.province, NATION: self.nation}
        return KeyRing({name: [key.verifying_key] for name, key in keys.items()})


@dataclass(frozen=True)
class Taken:
    """An entry as the province answered to it: its bytes, its place in the log, the acknowledgement's bytes."""

    entry: bytes
    log_index: int
    acknowledgement: bytes


@dataclass
class PoweredNetwork:
    """The three nodes, open, and whom to tell of what callers are told."""

    provider: MadeUpProvider
    register: Register
    nation: Database
    copy: LogCopy
    keys: Keys
    disk: PowerDisk | None = None
    nation_now: datetime = NOW

    def __post_init__(self) -> None:
        self.nation_witness = Witness(RegisterLog(NATION, "100000", self.keys.nation), lambda: self.nation_now)
        self.province_witness = Witness(self.register.log, lambda: self.register.now)
        self.review = Review(
            self.register.database,
            self.register.log,
            lambda _: initial_policy(),
            lambda: self.register.now,
            feed_regions=False,
            on_change=lambda: None,
        )

    @property
    def databases(self) -> dict[str, Database]:
        """The nodes' databases, by folder."""
        opened = (self.provider.database, self.register.database, self.nation)
        return dict(zip(NODES, opened, strict=True))

    def tell(self, what: str, value: Any) -> None:
        """Keeps that a caller was told of something."""
        if self.disk is not None:
            self.disk.tell(what, value)

    async def register_and_file(self, number: int) -> None:
        """A person registers, and an account of theirs is reviewed and filed."""
        subject = await self.provider.registered(person(number))
        self.tell("subject", (subject.reference, number))
        await self.provider.subjects.read_identity(subject.reference, "account_recovery", "desk-3")
        self.tell("identity read", subject.reference)
        account = await self.provider.filed(subject)
        self.tell("account", account.account_id)
        told, _, _ = await Supervised(self.provider, account).report()
        self.tell("report", told.report.report_id)

    async def register_and_delete(self, number: int) -> None:
        """A person registers and leaves again."""
        subject = await self.provider.registered(person(number))
        self.tell("subject", (subject.reference, number))
        self.tell("deletion asked", subject.reference)
        await self.provider.subjects.delete(subject.reference, "")
        self.tell("deleted", subject.reference)

    async def deliver(self) -> None:
        """The provider sends what waits."""

        async def submit(
            request: intake_service_pb2.SubmitEntriesRequest, _: float
        ) -> intake_service_pb2.SubmitEntriesResponse:
            answer = await self.register.send(request)
            for taken in taken_of(request.entries, answer):
                self.tell("taken", taken)
            return answer

        route = Route(REGULATOR, JURISDICTION, PROVIDER, self.keys.provider, lambda: self.keys.ring)
        await DeliveryWorker(self.provider.database, route, submit, self.provider.clock, max_entries=4).drain()

    async def decide(self) -> None:
        """An officer accepts what was filed and not decided yet."""
        query = "SELECT account_id FROM filing WHERE state = 1 AND jurisdiction = ? LIMIT 3"
        rows = await self.register.database.read(lambda transaction: transaction.execute(query, (JURISDICTION,)))
        verdicts = [Verdict(PROVIDER, id_text(bytes(row[0])), 1, Outcome.ACCEPTED) for row in rows]
        if verdicts:
            request_id = new_account_id()
            results = await self.review.decide(request_id, OFFICER, verdicts)
            self.tell("decided", (request_id, verdicts, results))

    async def hear_directives(self) -> None:
        """The provider takes the directives that it does not hold, and the cosigned head."""
        cursor = await self.provider.directives.cursor()

        def work(transaction: Transaction) -> follow_service_pb2.FollowDirectivesResponse:
            page = read_directives(transaction, JURISDICTION, PROVIDER, cursor, 100)
            checkpoint = read_cosigned(transaction, JURISDICTION)[1]
            return follow_service_pb2.FollowDirectivesResponse(
                directives=page.receipts, cursor=page.cursor, cosigned_checkpoint=checkpoint
            )

        page = await self.register.database.read(work)
        await self.provider.directives.take(page)
        self.tell("directives heard", page.cursor)

    async def replicate(self) -> None:
        """The nation copies the province's log, and hands a cosignature back."""
        held = await self.copy.size()

        def work(transaction: Transaction) -> follow_service_pb2.FollowLogResponse:
            runs = read_runs(transaction, JURISDICTION, held, 100, 1 << 20)
            return follow_service_pb2.FollowLogResponse(runs=runs, head_size=log_size(transaction, JURISDICTION))

        page = await self.register.database.read(work)
        held += await self.copy.store(page)
        self.tell("copied", held)
        note = await self.nation.read(lambda transaction: self.nation_witness.cosign(transaction, JURISDICTION))
        if note is None:
            return
        await self.nation.write(lambda transaction: keep_cosigned(transaction, JURISDICTION, held, note))
        self.tell("cosigned", held)
        size = await self.register.database.write(
            lambda transaction: self.province_witness.store_cosignature(transaction, note, self.keys.ring, NATION)
        )
        self.tell("cosignature taken", size)


def taken_of(entries: Sequence[bytes], answer: intake_service_pb2.SubmitEntriesResponse) -> list[Taken]:
    """What an answer says of entries that are in the log."""
    return [
        Taken(entry, result.log_index, answer.acknowledgements[result.acknowledgement])
        for entry, result in zip(entries, answer.results, strict=True)
        if not result.HasField("rejection")
    ]


@asynccontextmanager
async def powered(root: Path, keys: Keys, disk: PowerDisk | None = None) -> AsyncIterator[PoweredNetwork]:
    """The three nodes on what is in a folder; made where there is nothing."""
    for name in NODES:
        (root / name).mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        register = Register(
            open_database(sqlite_url(root / PROVINCE_FOLDER / "register.db"), MIGRATIONS), keys.provider, keys.province
        )
        stack.push_async_callback(register.database.close)
        await register.database.write(lambda transaction: register.log.create(transaction, NOW))
        nation = open_database(sqlite_url(root / NATION_FOLDER / "register.db"), MIGRATIONS)
        stack.push_async_callback(nation.close)
        nation_log = RegisterLog(NATION, "100000", keys.nation)
        await nation.write(lambda transaction: nation_log.create(transaction, NOW))
        provider = await stack.enter_async_context(
            made_up_provider(root / PROVIDER_FOLDER, MadeUpNetwork(register, keys.nation))
        )
        copy = LogCopy(nation, JURISDICTION, lambda: provider.view.directory, lambda: NOW)
        network = PoweredNetwork(provider, register, nation, copy, keys, disk)
        for database in network.databases.values():
            await database.write(
                lambda transaction: transaction.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            )
        yield network


async def work(root: Path, keys: Keys, disk: PowerDisk, rounds: int, randomness: random.Random) -> None:
    """Has the network work, each round after all of its nodes were restarted.

    Args:
        root: the nodes' folders.
        keys: of the nodes.
        disk: records.
        rounds: how many.
        randomness: decides what happens at once.
    """
    number = 0
    for _ in range(rounds):
        async with powered(root, keys, disk) as network:
            for _ in range(3):
                works = [network.register_and_file(number + each) for each in range(1, 4)]
                works += [network.register_and_delete(number + 4), network.deliver(), network.replicate()]
                number += 4
                randomness.shuffle(works)
                await asyncio.gather(*works)
                await asyncio.gather(network.deliver(), network.decide())
                await asyncio.gather(network.replicate(), network.hear_directives())
            database = randomness.choice(list(network.databases.values()))
            await leave_no_trace(database, compact=True)
            await asyncio.gather(network.deliver(), network.replicate())
