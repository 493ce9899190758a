"""A provider with an account on its way to the register, which the public reports and which measures are taken on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provider_node.account_rows import Account
from provider_node.measure_rows import MeasureState, StoredMeasure
from provider_node.measures import Application
from provider_node.oversight import Oversight
from provider_node.reports import ToldReport
from provider_node.submissions import Submission
from regulator_node.stored_runs import read_receipt
from shared.clock import micros
from shared.errors import FilingnetError
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import entry_pb2, escalation_pb2, evidence_pb2, follow_service_pb2
from shared.provisions.directives import EscalationOutcome
from shared.provisions.escalations import directive_times
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.policy import initial_policy
from shared.provisions.publication import Audience, PublicationAct, PublicationForm
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_network, made_up_provider

WARN, RESTRICT, SUSPEND, CLOSE = (
    MeasureKind.WARN,
    MeasureKind.RESTRICT_PUBLISHING,
    MeasureKind.SUSPEND_UPDATES,
    MeasureKind.CLOSE,
)
ORDINARY, GRAVE = Gravity.ORDINARY, Gravity.GRAVE
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DIGEST = b"i" * 32
URL = "https://wave.example/item/7"
ACTOR = "desk-3"


@dataclass
class Supervised:
    """The provider and its account."""

    provider: MadeUpProvider
    account: Account

    @property
    def oversight(self) -> Oversight:
        """The use cases under test."""
        return self.provider.oversight

    @property
    def now(self) -> datetime:
        """The time on the provider's clock."""
        return self.provider.clock()

    def later(self, time: timedelta) -> None:
        """Sets the clock forward, or back."""
        self.provider.clock.now += time

    def set_clock(self, time: datetime) -> None:
        """Sets the clock."""
        self.provider.clock.now = time

    async def take(self, kind: MeasureKind = WARN, gravity: Gravity = ORDINARY, **changes: Any) -> StoredMeasure:
        """Takes a measure, for a week unless it closes."""
        values: dict[str, Any] = {
            "account_id": self.account.account_id,
            "kind": kind,
            "baseline": 7,
            "reason": "false_information",
            "gravity": gravity,
            "end_time": None if kind is CLOSE else self.now + 7 * DAY,
        }
        request_id = changes.pop("request_id", "") or new_account_id()
        return await self.oversight.measures.apply(request_id, Application(**{**values, **changes}))

    async def state(self, stored: StoredMeasure) -> MeasureState:
        """Where a measure stands now."""
        return self.oversight.measures.state_of(await self.oversight.measures.get(stored.measure.measure_id))

    async def gate(self, *, news: bool = False) -> str:
        """The gate's reason for a public post of the account."""
        act, audience, form = PublicationAct.PUBLISH, Audience.PUBLIC, PublicationForm.PUBLIC_ACCOUNT
        return (await self.provider.gate.check(self.account.account_id, act, news, audience, form)).reason

    async def report(self, **changes: Any) -> tuple[ToldReport, str, bool]:
        """Has somebody report an item of the account."""
        request_id = changes.pop("request_id", "") or new_account_id()
        values = {
            "account_id": self.account.account_id,
            "baseline": 7,
            "item_url": URL,
            "item_digest": DIGEST,
            "statement": "这条消息不实",
        }
        return await self.oversight.reports.submit(request_id, Submission(**{**values, **changes}))

    async def escalations(self) -> list[escalation_pb2.Escalation]:
        """What was told to the regulator, in order."""
        rows = await self.provider.database.read(
            lambda transaction: transaction.execute(
                "SELECT entry FROM outbox WHERE body = 'escalation' ORDER BY sequence"
            )
        )
        return [entry_pb2.Entry.FromString(bytes(entry)).escalation for (entry,) in rows]

    async def told(self) -> list[str]:
        """What was told, each as its matter and what it says of it."""
        return [_summary(each) for each in await self.escalations()]

    async def decide(
        self, escalation_id: str, outcome: EscalationOutcome = EscalationOutcome.VERIFIED, **changes: Any
    ) -> evidence_pb2.Receipt:
        """Has the province decide on an escalation; returns the directive."""
        decision = escalation_pb2.EscalationDecision(
            **{
                "provider": PROVIDER,
                "account_id": self.account.account_id,
                "escalation_id": escalation_id,
                "outcome": escalation_pb2.EscalationOutcome.Name(outcome),
                "reason": "facts_wrong" if outcome >= EscalationOutcome.APPEAL_REFUSED else "false_information",
                **changes,
            }
        )
        decision.decided_time.FromDatetime(self.now)
        acknowledge_by, answer_by = directive_times(initial_policy(), micros(self.now))
        decision.acknowledge_by.FromMicroseconds(acknowledge_by)
        decision.answer_by.FromMicroseconds(answer_by)
        register = self.provider.network.register

        def work(transaction: Any) -> bytes:
            stated = register.log.append_own(transaction, [("escalation_decision", decision)], NOW)
            return read_receipt(transaction, JURISDICTION, stated.indexes[0])

        return evidence_pb2.Receipt.FromString(await register.database.write(work))

    async def order(self, escalation_id: str, kind: MeasureKind = SUSPEND, days: int = 7) -> evidence_pb2.Receipt:
        """Has the province order a measure."""
        terms: dict[str, Any] = {
            "ordered_measure": escalation_pb2.MeasureKind.Name(kind),
            "baseline": 7,
            "gravity": "GRAVITY_GRAVE",
            "days": days,
        }
        return await self.decide(escalation_id, **terms)

    async def receive(self, *directives: evidence_pb2.Receipt) -> None:
        """Hands the provider a page of directives."""
        cursor = max(each.log_index + 1 for each in directives)
        page = follow_service_pb2.FollowDirectivesResponse(directives=directives, cursor=cursor)
        await self.provider.directives.take(page)


@asynccontextmanager
async def supervised(folder: Path, url: str = "") -> AsyncIterator[Supervised]:
    """A provider with an account that was filed."""
    async with made_up_network(folder) as network, served(folder, network, url) as provider:
        yield Supervised(provider, await provider.filed(await provider.registered()))


@asynccontextmanager
async def served(
    folder: Path, network: MadeUpNetwork, url: str = "", now: datetime = NOW
) -> AsyncIterator[MadeUpProvider]:
    """The provider in a folder; served again, it finds what it stored."""
    place = folder / "wave"
    place.mkdir(exist_ok=True)
    async with made_up_provider(place, network, url, now) as provider:
        yield provider


async def refusal(call: Any) -> str:
    """The reason with which a call is refused."""
    with pytest.raises(FilingnetError) as refused:
        await call
    return refused.value.reason


def entry_id_of(directive: evidence_pb2.Receipt) -> str:
    """The id of the entry with a decision: that of its order."""
    return entry_pb2.Entry.FromString(directive.entry).entry_id


def _summary(escalation: escalation_pb2.Escalation) -> str:
    matter = escalation.WhichOneof("matter")
    if matter == "measure":
        told = escalation_pb2.MeasureAction.Name(escalation.measure.action).removeprefix("MEASURE_ACTION_")
    elif matter == "appeal":
        told = escalation_pb2.AppealStage.Name(escalation.appeal.stage).removeprefix("APPEAL_STAGE_")
    elif matter == "order_answered":
        told = escalation_pb2.OrderAnswer.Name(escalation.order_answered.answer).removeprefix("ORDER_ANSWER_")
    elif matter == "report":
        told = escalation_pb2.EscalationCause.Name(escalation.report.cause).removeprefix("ESCALATION_CAUSE_")
    elif matter == "report_joined":
        return f"{matter} {escalation.revision}"
    else:
        told = escalation.report_settled.outcome
    return f"{matter} {told.lower()} {escalation.revision}"
