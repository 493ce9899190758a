"""What a provider lets pass its regulator takes, whatever happened before: random lives of an account, on real databases.

The rules are the same functions at both ends; here each end feeds them from its own tables, which it filled from what
it was told. A statement that the provider queued and the regulator refused would be a difference between the two.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from provider_node.label_terms import GrantTerms
from regulator_node.held_escalations import read_histories
from regulator_node.register import apply_entries
from shared.clock import micros
from shared.errors import FilingnetError
from shared.identifiers import id_bytes
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from shared.provisions.directives import EscalationOutcome, OrderAnswer
from shared.provisions.labels import LabelScope
from shared.provisions.measure_kinds import Gravity, MeasureKind
from tests.integration.filing_samples import JURISDICTION, PROVIDER
from tests.integration.oversight_samples import DAY, HOUR, Supervised, entry_id_of
from tests.integration.provider_label_samples import Labelling, labelling_provider, licence, news_unit

STEPS = 70
"""Things that are tried in one life."""


class Life:
    """An account to which things happen, some of which the provider refuses."""

    def __init__(self, labelling: Labelling, seed: int) -> None:
        self.random = random.Random(seed)
        self.labelling = labelling
        self.made = Supervised(labelling.provider, labelling.account)
        self.measures: list[str] = []
        self.reports: list[str] = []
        self.appeals: list[str] = []
        self.orders: list[str] = []
        self.grants: list[str] = []
        self.passed = self.refused = 0

    async def step(self) -> None:
        """Lets one thing happen, whether it may or not."""
        self.made.later(self.random.choice([timedelta(minutes=1), HOUR, DAY, 4 * DAY]))
        name = self.random.choice([name for name in dir(self) if name.startswith("try_")])
        call: Callable[[], Awaitable[None]] = getattr(self, name)
        try:
            await call()
        except FilingnetError:
            self.refused += 1
        else:
            self.passed += 1

    def one(self, ids: list[str]) -> str:
        """One of what was made; an unknown id where there is none."""
        return self.random.choice(ids) if ids else "0d9e7a3c-2f52-4c3a-9d7e-6f1f6f0f9a11"

    async def try_measure(self) -> None:
        """A measure of any kind, for any act."""
        kind = self.random.choice(
            [MeasureKind.WARN, MeasureKind.RESTRICT_PUBLISHING, MeasureKind.SUSPEND_UPDATES] * 4 + [MeasureKind.CLOSE]
        )
        gravity = self.random.choice([Gravity.ORDINARY, Gravity.SERIOUS, Gravity.GRAVE])
        self.measures.append((await self.made.take(kind, gravity)).measure.measure_id)

    async def try_carry_out(self) -> None:
        """The measure that an order names."""
        taken = await self.made.take(
            MeasureKind.SUSPEND_UPDATES, Gravity.GRAVE, order_entry_id=self.one(self.orders), end_time=None
        )
        self.measures.append(taken.measure.measure_id)

    async def try_lift(self) -> None:
        """A measure lifted."""
        await self.made.oversight.measures.lift(self.one(self.measures), "")

    async def try_appeal(self) -> None:
        """The owner appeals."""
        await self.made.oversight.appeals.submit(self.one(self.measures), "样例申诉")

    async def try_decide_appeal(self) -> None:
        """The provider decides."""
        await self.made.oversight.appeals.decide(
            self.one(self.measures), overturned=self.random.random() < 0.4, actor="desk-3", etag=""
        )

    async def try_appeal_on(self) -> None:
        """The owner goes on to the regulator."""
        stored = await self.made.oversight.appeals.send_on(self.one(self.measures))
        assert stored.appeal is not None
        self.appeals.append(stored.appeal.appeal.appeal_id)

    async def try_report(self) -> None:
        """Somebody reports an item."""
        told, _, joined = await self.made.report(item_digest=self.random.randbytes(32))
        if not joined:
            self.reports.append(told.report.report_id)

    async def try_settle(self) -> None:
        """The provider settles a report, in time or late."""
        await self.made.oversight.reports.settle(self.one(self.reports), "desk-3", "item_removed", "")

    async def try_hand_over(self) -> None:
        """The provider hands a report over."""
        await self.made.oversight.reports.hand_over(self.one(self.reports), "desk-3", "")

    async def try_tick(self) -> None:
        """What is due happens by itself: escalations, measures that are over."""
        await self.made.oversight.clock.tick()

    async def try_order(self) -> None:
        """The regulator decides on what it was told."""
        await self.labelling.provider.deliver()
        if self.appeals and self.random.random() < 0.5:
            appeal = self.appeals.pop()
            granted = self.random.random() < 0.5
            outcome = EscalationOutcome.APPEAL_GRANTED if granted else EscalationOutcome.APPEAL_REFUSED
            await self.direct(await self.made.decide(appeal, outcome))
            return
        escalated = {each.escalation_id for each in await self.made.escalations() if each.HasField("report")}
        open_ones = sorted(escalated & set(self.reports))
        if open_ones:
            directive = await self.made.order(self.random.choice(open_ones))
            self.orders.append(entry_id_of(directive))
            await self.direct(directive)

    async def direct(self, directive: evidence_pb2.Receipt) -> None:
        """Applies a decision at the regulator and has the provider take it."""
        register, entry = self.made.provider.network.register, entry_pb2.Entry.FromString(directive.entry)
        await register.database.write(
            lambda transaction: apply_entries(
                transaction, JURISDICTION, [(directive.log_index, entry)], micros(self.made.now), feed_regions=False
            )
        )
        await self.made.receive(directive)

    async def try_answer(self) -> None:
        """The provider answers an order."""
        answer = self.random.choice([OrderAnswer.DONE, OrderAnswer.IMPOSSIBLE])
        reason = "legal_obstacle" if answer is OrderAnswer.IMPOSSIBLE else ""
        await self.made.oversight.orders.answer(self.one(self.orders), answer, reason)

    async def try_grant(self) -> None:
        """A label, now or soon, for as long as anybody likes."""
        start = micros(self.made.now + self.random.choice([0, 0, 3, 30]) * DAY)
        terms: GrantTerms = news_unit(
            start_time=start, end_time=start + self.random.choice([0, 5, 60]) * micros_of(DAY)
        )
        self.grants.append((await self.labelling.grant(terms)).row.grant_id)

    async def try_narrow(self) -> None:
        """A label with a smaller scope."""
        await self.labelling.provider.labels.narrow(self.one(self.grants), LabelScope.REPRINT, 0, "")

    async def try_renew(self) -> None:
        """A label with a later end."""
        end = micros(self.made.now + self.random.choice([10, 90]) * DAY)
        await self.labelling.provider.labels.renew(self.one(self.grants), licence(), end, "")

    async def try_revoke(self) -> None:
        """A label revoked."""
        await self.labelling.provider.labels.revoke(self.one(self.grants), "owner_request", "")

    async def try_deliver(self) -> None:
        """What waits is sent."""
        await self.labelling.provider.deliver()


def micros_of(length: timedelta) -> int:
    """A length in microseconds."""
    return length // timedelta(microseconds=1)


async def refused_entries(labelling: Labelling) -> list[tuple[str, str]]:
    """What the regulator refused, by reason."""
    register = labelling.network.register
    rows = await register.database.read(
        lambda transaction: transaction.execute("SELECT entry_id, reason FROM refusal ORDER BY refused_time")
    )
    return [(entry_id, reason) for entry_id, reason in rows]


@pytest.mark.parametrize("seed", range(8))
async def test_art_8_2_what_a_provider_lets_pass_its_regulator_takes(tmp_path: Path, seed: int) -> None:
    """Over a random life of labels, reports, measures, appeals and orders nothing is refused, and both hold the same."""
    async with labelling_provider(tmp_path) as labelling:
        life = Life(labelling, seed)
        for _ in range(STEPS):
            await life.step()
        await labelling.provider.deliver()
        assert [] == await refused_entries(labelling)
        assert life.passed > STEPS // 4
        account = labelling.account.account_id
        held = await labelling.network.register.database.read(
            lambda transaction: read_histories(transaction, JURISDICTION, PROVIDER, [id_bytes(account)])
        )
        at_provider = {
            measure_id: (await life.made.oversight.measures.get(measure_id)).measure for measure_id in life.measures
        }
        at_regulator = {} if account not in held else {each.measure_id: each for each in held[account].measures}
        assert at_provider == at_regulator
