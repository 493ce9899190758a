"""A made-up register and the same facts as plain Python values, to compare what the register answers with."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from regulator_node.register import apply_entries
from regulator_node.settings import MIGRATIONS
from shared.database import Database, Transaction, open_database
from shared.identifiers import new_entry_id
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2, filing_pb2

START = 1_700_000_000_000_000
"""Filed time of the first run, microseconds since 1970."""
SECOND = 1_000_000
DAY = 86_400 * SECOND

CATEGORIES = ("education", "sports", "society_law", "other")
PROVIDERS = ("provider/wave", "provider/delta", "provider/rarely")
JURISDICTIONS = ("330000", "440000", "100000")
REGIONS = ("330000", "440000", "500000", "100000")
FRONT = ("杭州", "浙江", "广东", "West Lake ", "深圳A", "2024", "北京市海淀", "江南")
BACK = ("新闻", "发布", "卫视", "News", "日报24小时", "股市", "市政府", "晚报", "闻新", "①号")


@dataclass(frozen=True)
class Fact:
    """One revision as it was filed, and its decision."""

    jurisdiction: str
    log_index: int
    filed_time: int
    provider: str
    account_id: str
    revision: int
    withdrawn: bool
    display_name: str
    category: str
    subject_kind: int
    organisation_name: str
    subject_region: str
    effective_time: int
    decision: int = 0
    decided_time: int | None = None

    @property
    def position(self) -> tuple[int, str, int]:
        """Its place in the order of pages."""
        return (self.filed_time, self.jurisdiction, self.log_index)

    def state_at(self, time: int | None) -> int:
        """1 filed, 2 accepted, 3 returned, 4 withdrawn."""
        if self.withdrawn:
            return 4
        if self.decided_time is None or (time is not None and self.decided_time > time):
            return 1
        return 1 + self.decision


@dataclass
class MadeRegister:
    """A database and the facts in it."""

    database: Database
    randomness: random.Random
    facts: list[Fact] = field(default_factory=list)
    now: int = START
    sizes: dict[str, int] = field(default_factory=dict)

    async def file(self, jurisdiction: str, revisions: Sequence[Fact]) -> list[Fact]:
        """Enters revisions into a log as one run, one second after the run before."""
        self.now += SECOND
        first = self.sizes.get(jurisdiction, 0)
        self.sizes[jurisdiction] = first + len(revisions)
        facts = [
            replace(fact, jurisdiction=jurisdiction, log_index=first + offset, filed_time=self.now)
            for offset, fact in enumerate(revisions)
        ]
        entries = [(fact.log_index, filing_entry(fact)) for fact in facts]
        await self._apply(jurisdiction, entries)
        self.facts.extend(facts)
        return facts

    async def decide(self, fact: Fact, decision: int) -> Fact:
        """Enters a decision: 1 accepts, 2 returns."""
        self.now += SECOND
        index = self.sizes[fact.jurisdiction]
        self.sizes[fact.jurisdiction] = index + 1
        decided = replace(fact, decision=decision, decided_time=self.now)
        await self._apply(fact.jurisdiction, [(index, decision_entry(decided))])
        self.facts[self.facts.index(fact)] = decided
        return decided

    async def _apply(self, jurisdiction: str, entries: Sequence[tuple[int, entry_pb2.Entry]]) -> None:
        def work(transaction: Transaction) -> None:
            apply_entries(transaction, jurisdiction, entries, self.now, feed_regions=False)

        await self.database.write(work)

    def new_account(self, **given: object) -> Fact:
        """Makes up the first revision of an account."""
        choose = self.randomness.choice
        kind = self.randomness.randint(1, 5)
        fact = Fact(
            jurisdiction="",
            log_index=-1,
            filed_time=0,
            provider=self.randomness.choices(PROVIDERS, (60, 39, 1))[0],
            account_id=str(uuid.UUID(int=self.randomness.getrandbits(128), version=4)),
            revision=1,
            withdrawn=False,
            display_name=(choose(FRONT) + choose(BACK))[:64],
            category=choose(CATEGORIES),
            subject_kind=kind,
            organisation_name="" if kind == 1 else choose(FRONT) + choose(BACK) + "有限公司",
            subject_region=choose(REGIONS),
            effective_time=self.now + self.randomness.choice((-DAY, 0, 40 * SECOND)),
        )
        return replace(fact, **given)  # type: ignore[arg-type]

    def next_revision(self, fact: Fact) -> Fact:
        """Makes up what follows a revision."""
        changed = replace(self.new_account(), provider=fact.provider, account_id=fact.account_id)
        withdrawn = self.randomness.random() < 0.2
        return replace(changed, revision=fact.revision + 1, withdrawn=withdrawn)

    async def fill(self, runs: int) -> None:
        """Enters runs of new accounts, further revisions and decisions."""
        for _ in range(runs):
            jurisdiction = self.randomness.choices(JURISDICTIONS, (70, 25, 5))[0]
            batch = [self.new_account() for _ in range(self.randomness.randint(1, 12))]
            newest = [fact for fact in self.shown() if fact.jurisdiction == jurisdiction and not fact.withdrawn]
            batch += [self.next_revision(fact) for fact in self.randomness.sample(newest, min(len(newest), 4))]
            filed = await self.file(jurisdiction, batch)
            for fact in filed:
                if not fact.withdrawn and self.randomness.random() < 0.25:
                    await self.decide(fact, self.randomness.choice((1, 2)))

    def shown(self, as_of: int | None = None) -> list[Fact]:
        """Returns the revision of each account that a search shows."""
        held: dict[tuple[str, str, str], Fact] = {}
        for fact in self.facts:
            if as_of is not None and (fact.filed_time > as_of or fact.effective_time > as_of):
                continue
            key = (fact.jurisdiction, fact.provider, fact.account_id)
            if key not in held or held[key].revision < fact.revision:
                held[key] = fact
        return sorted(held.values(), key=lambda fact: fact.position)


def made_register(url: str, seed: int = 7) -> MadeRegister:
    """Opens an empty register."""
    return MadeRegister(open_database(url, MIGRATIONS), random.Random(seed))


def filing_entry(fact: Fact) -> entry_pb2.Entry:
    """Makes the entry of a revision."""
    entry = entry_pb2.Entry(
        entry_id=new_entry_id(), origin=fact.provider, jurisdiction=fact.jurisdiction, sequence=fact.log_index + 1
    )
    entry.created_time.FromMicroseconds(fact.filed_time)
    filing = entry.filing
    filing.account_id = fact.account_id
    filing.revision = fact.revision
    filing.action = (
        filing_pb2.FILING_ACTION_WITHDRAW
        if fact.withdrawn
        else filing_pb2.FILING_ACTION_OPEN
        if fact.revision == 1
        else filing_pb2.FILING_ACTION_AMEND
    )
    filing.display_name = fact.display_name
    filing.category = fact.category
    filing.subject_kind = fact.subject_kind  # type: ignore[assignment]
    if fact.subject_kind == filing_pb2.SUBJECT_KIND_PERSON:
        filing.person_reference = uuid.UUID(fact.account_id).bytes
    else:
        filing.uscc = "91330100MA27X0AB0C"
    filing.organisation_name = fact.organisation_name
    filing.subject_region = fact.subject_region
    filing.agreement_version = 1
    filing.effective_time.FromMicroseconds(fact.effective_time)
    return entry


def decision_entry(fact: Fact) -> entry_pb2.Entry:
    """Makes the entry of the decision on a revision."""
    assert fact.decided_time is not None
    entry = entry_pb2.Entry(
        entry_id=new_entry_id(), origin=f"regulator/{fact.jurisdiction}", jurisdiction=fact.jurisdiction, sequence=1
    )
    entry.created_time.FromMicroseconds(fact.decided_time)
    decision = entry.filing_decision
    decision.provider = fact.provider
    decision.account_id = fact.account_id
    decision.revision = fact.revision
    decision.outcome = fact.decision  # type: ignore[assignment]
    if fact.decision == decision_pb2.DECISION_OUTCOME_RETURNED:
        decision.reason = "other"
        decision.fields.append("display_name")
        decision.note = "改名"
    decision.decided_time.FromMicroseconds(fact.decided_time)
    return entry
