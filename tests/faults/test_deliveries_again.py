"""Promise 2 in numbers: a million deliveries, a third of them again, some 400 days later: one effect, the first answer."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import apsw
import pytest

from shared.clock import system_clock
from shared.cluster.network import Cluster
from shared.cluster.nodes import RegulatorNode
from shared.errors import FilingnetError
from shared.pb.filingnet.network.v1 import entry_pb2
from tests.e2e.raw_provider import ACCEPTED, CONFLICT, DUPLICATE, Answer, RawProvider, made_up_filing, raw_provider
from tests.tried import Tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

UNDER_WAY: Final = 3
"""Batches sent at once, as a provider's node does."""

FIRST_PASS_AGAIN: Final = 0.25
"""Part of a batch that was answered before, while new entries still come."""


@dataclass
class Filer:
    """Sends entries that are told apart by their number alone, and compares what it hears with what it heard first.

    Attributes:
        raw: sends and signs.
        randomness: decides what comes again, and in which order.
        batch: entries in a batch.
    """

    raw: RawProvider
    randomness: random.Random
    batch: int
    started: datetime = field(default_factory=system_clock)
    deliveries: int = 0
    duplicates: int = 0
    differing: int = 0
    conflicts: int = 0
    resent: int = 0
    halved: int = 0
    _indexes: array[int] = field(default_factory=lambda: array("q"))
    _answers: array[int] = field(default_factory=lambda: array("q"))
    _known: dict[bytes, int] = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        filing = made_up_filing(str(uuid.UUID(int=0)))
        template = entry_pb2.Entry(origin=self.raw.name, jurisdiction=self.raw.jurisdiction, filing=filing)
        template.created_time.FromDatetime(self.started)
        self._template = template

    @property
    def answered(self) -> int:
        """How many entries were answered: those numbered below."""
        return len(self._indexes)

    def entry(self, number: int, display_name: str = "") -> bytes:
        """Makes the bytes of an entry, the same for a number each time; others under the same id with another name."""
        entry = entry_pb2.Entry()
        entry.CopyFrom(self._template)
        entry.entry_id = str(uuid.UUID(int=(7 << 76) + number))
        entry.filing.account_id = str(uuid.UUID(int=(4 << 76) + number))
        entry.sequence = number + 1
        entry.filing.display_name = display_name or entry.filing.display_name
        return entry.SerializeToString()

    async def file(self, deliveries: int) -> None:
        """Sends new entries, and between them such as were answered before."""
        while deliveries > 0:
            batches = []
            for _ in range(min(UNDER_WAY, -(-deliveries // self.batch))):
                repeated = int(self.batch * FIRST_PASS_AGAIN) if self.answered else 0
                new = list(range(self._number, self._number + self.batch - repeated))
                self._number += len(new)
                batches.append((new, self._some(repeated)))
                deliveries -= self.batch
            answers = await asyncio.gather(*(self._send(new, again) for new, again in batches))
            for (new, again), (numbers, answer) in zip(batches, answers, strict=True):
                self._first(new, numbers, answer)
                self._compare(again, numbers, answer)

    async def file_again(self, deliveries: int) -> None:
        """Sends entries that were answered before, in other batches and another order, some twice in a batch."""
        while deliveries > 0:
            batches = [self._some(self.batch) for _ in range(min(UNDER_WAY, -(-deliveries // self.batch)))]
            answers = await asyncio.gather(*(self._send([], known) for known in batches))
            for known, (numbers, answer) in zip(batches, answers, strict=True):
                self._compare(known, numbers, answer)
            deliveries -= self.batch * len(batches)

    async def file_changed(self, count: int) -> None:
        """Sends other bytes under the ids of entries that were answered, each beside the entry as it was."""
        for number in self.randomness.sample(range(self.answered), count):
            answer = await self.raw.submit(self.entry(number, "样例改名账号"), self.entry(number))
            assert ([CONFLICT, DUPLICATE], ["CONFLICT"]) == (answer.outcomes, answer.reasons)
            self.conflicts += 1
            self.deliveries += 2
            self._compare([number], [number], answer)

    async def _heard(self, entries: Sequence[bytes]) -> list[Answer]:
        """Sends entries as one batch; in halves where the answer would be larger than a message."""
        try:
            return [await self.raw.submit(*entries, patient=True)]
        except FilingnetError as error:
            if error.reason != "ANSWER_TOO_LARGE":
                raise
        self.halved += 1
        middle = len(entries) // 2
        return [*await self._heard(entries[:middle]), *await self._heard(entries[middle:])]

    async def _send(self, new: Sequence[int], again: Sequence[int]) -> tuple[list[int], Answer]:
        numbers = [*new, *again]
        self.randomness.shuffle(numbers)
        entries = [self.entry(number) for number in numbers]
        self.deliveries += len(entries)
        while True:
            try:
                return numbers, joined(await self._heard(entries))
            except FilingnetError:
                # The regulator was killed: nobody knows whether it took them in. The next call waits until it is back.
                self.resent += 1

    def _some(self, count: int) -> list[int]:
        # Out of a few earlier batches, as what is sent again is; now and then out of as many as there are.
        spread = self.answered if self.randomness.random() < 0.01 else min(self.batch, self.answered)
        starts = [self.randomness.randrange(self.answered - spread + 1) for _ in range(5)]
        return [self.randomness.choice(starts) + self.randomness.randrange(spread) for _ in range(count)]

    def _first(self, new: Sequence[int], numbers: Sequence[int], answer: Answer) -> None:
        heard = dict(zip(numbers, answer.places, strict=True))
        outcomes = dict(zip(numbers, answer.outcomes, strict=True))
        for number in new:
            assert outcomes[number] in (ACCEPTED, DUPLICATE)
            assert number == self.answered
            index, acknowledgement = heard[number]
            self._indexes.append(index)
            self._answers.append(self._key(acknowledgement))

    def _compare(self, again: Sequence[int], numbers: Sequence[int], answer: Answer) -> None:
        outcomes = answer.outcomes if len(answer.outcomes) == len(numbers) else answer.outcomes[1:]
        wanted = set(again)
        for number, outcome, (index, acknowledgement) in zip(numbers, outcomes, answer.places, strict=True):
            if number in wanted:
                first = (DUPLICATE, self._indexes[number], self._answers[number])
                self.duplicates += 1
                self.differing += first != (outcome, index, self._key(acknowledgement))

    def _key(self, acknowledgement: bytes) -> int:
        return self._known.setdefault(hashlib.sha256(acknowledgement).digest(), len(self._known))


def joined(answers: Sequence[Answer]) -> Answer:
    """Answers to the parts of a batch, as one."""
    first, *rest = answers
    for answer in rest:
        first.outcomes += answer.outcomes
        first.places += answer.places
        first.reasons += answer.reasons
    return first


@pytest.fixture
def cluster(filing_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """A nation, a province and a provider, in simulated time."""
    return filing_cluster_factory(simulated_time=True)


def effects(province: RegulatorNode, origin: str) -> dict[str, int]:
    """What is in a register: entries of a provider, ids among them, filings, accounts among them."""
    connection = apsw.Connection(str(province.folder / "register.db"), flags=apsw.SQLITE_OPEN_READONLY)
    query = "SELECT COUNT(*), COUNT(DISTINCT entry_id) FROM log_entry WHERE origin = ?"
    counts = [*connection.execute(query, (origin,))]
    counts += connection.execute("SELECT COUNT(*), COUNT(DISTINCT account_id) FROM filing")
    connection.close()
    return dict(
        zip(
            ("entries", "ids", "filings", "accounts"), (int(str(count)) for row in counts for count in row), strict=True
        )
    )


async def test_a_million_deliveries_have_one_effect_each(cluster: Cluster, tried: Tried, full_size: bool) -> None:
    """Promise 2: again in other batches and orders, across kills and 400 days later: the first receipt, byte by byte."""
    deliveries, batch = (1_000_000, 1000) if full_size else (10_000, 250)
    wave, province = cluster.provider("wave"), cluster.regulator("330000")
    # What is under test is the province alone; its copies are judged elsewhere.
    await wave.stop()
    await cluster.nation.stop()
    async with raw_provider(wave, province) as raw:
        filer = Filer(raw, random.Random(7), batch)
        for _ in range(3):
            filing = asyncio.create_task(filer.file(int(deliveries * 0.87) // 3))
            await asyncio.sleep(0)
            await province.kill()
            await province.start()
            await filing
        cluster.advance(days=400)
        await filer.file_again(int(deliveries * 0.065))
        await province.restart()
        await filer.file_again(deliveries - filer.deliveries - 40)
        await filer.file_changed(20)
    found = effects(province, wave.name)
    assert 0 == filer.differing
    assert {filer.answered} == set(found.values())
    assert filer.duplicates >= 0.3 * filer.deliveries
    tried(
        2,
        "deliveries to a province, duplicates in other batches, across kills and 400 days later",
        deliveries=filer.deliveries,
        duplicates=filer.duplicates,
        batches_sent_to_a_dead_node=filer.resent,
        answers_in_parts=filer.halved,
        effects=found["entries"],
        conflicts_refused=filer.conflicts,
        differing_receipts=filer.differing,
    )
