"""A provider with the filed account of a made-up news unit, ready for a label, and the regulator's decisions on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from provider_node.account_rows import Account
from provider_node.label_terms import GrantTerms, LicenceTerms
from provider_node.labels import Label
from shared.clock import micros
from shared.cluster.made_up import organisation
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import evidence_pb2, follow_service_pb2, label_pb2
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.publication import Answer, Audience, PublicationAct, PublicationForm
from shared.provisions.subjects import SubjectKind
from tests.integration.filing_samples import PROVIDER
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_network, made_up_provider

PUBLISHER, REPRINTER, PLATFORM = "33120240001", "33220240001", "33320240002"
LICENCE_START, LICENCE_END = datetime(2024, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)


def licence(number: str = PUBLISHER, end: datetime = LICENCE_END, start: datetime = LICENCE_START) -> LicenceTerms:
    """A subject's own licence."""
    return LicenceTerms(number, micros(start), micros(end))


def news_unit(**changes: Any) -> GrantTerms:
    """A news unit's label for all that its licence allows, with changes."""
    return GrantTerms(**{"basis": LabelBasis.NEWS_UNIT, "licence": licence(), **changes})


APPROVAL = GrantTerms(LabelBasis.SPECIAL_APPROVAL, scope=LabelScope.REPRINT)


@dataclass
class Labelling:
    """A provider with one filed account."""

    provider: MadeUpProvider
    network: MadeUpNetwork
    account: Account

    async def grant(self, terms: GrantTerms | None = None, request_id: str = "", account_id: str = "") -> Label:
        """Grants a label to the account, a news unit's unless told otherwise."""
        account = account_id or self.account.account_id
        return await self.provider.labels.grant(request_id or new_account_id(), account, terms or news_unit())

    async def ask(
        self,
        act: PublicationAct = PublicationAct.PUBLISH,
        *,
        is_news: bool = True,
        audience: Audience = Audience.PUBLIC,
        account_id: str = "",
        form: PublicationForm = PublicationForm.PUBLIC_ACCOUNT,
    ) -> Answer:
        """Asks the gate, about publishing news unless told otherwise."""
        return await self.provider.gate.check(account_id or self.account.account_id, act, is_news, audience, form)

    async def reason(self, act: PublicationAct = PublicationAct.PUBLISH, **changes: Any) -> str:
        """The gate's reason."""
        return (await self.ask(act, **changes)).reason

    async def decide(self, label: Label, outcome: str, **changes: Any) -> evidence_pb2.Receipt:
        """Has the regulator decide on a grant and the provider take the decision; returns the directive."""
        decision = label_pb2.LabelDecision(
            provider=PROVIDER,
            account_id=label.row.account_id,
            grant_id=label.row.grant_id,
            revision=label.row.revision,
            outcome=f"LABEL_OUTCOME_{outcome}",
        )
        decision.decided_time.FromDatetime(self.provider.clock())
        for name, value in changes.items():
            if isinstance(value, datetime):
                getattr(decision, name).FromDatetime(value)
            else:
                setattr(decision, name, value)
        receipt = await self.network.state("label_decision", decision)
        await self.take(receipt)
        return receipt

    async def approve(self, label: Label, scope: str = "REPRINT", days: int = 30) -> evidence_pb2.Receipt:
        """Has the regulator approve what was asked for."""
        end = self.provider.clock() + days * DAY
        return await self.decide(label, "APPROVED", scope=f"LABEL_SCOPE_{scope}", end_time=end)

    async def take(self, *receipts: evidence_pb2.Receipt) -> None:
        """Hands the provider a page."""
        cursor = max(receipt.log_index for receipt in receipts) + 1
        page = follow_service_pb2.FollowDirectivesResponse(directives=receipts, cursor=cursor)
        await self.provider.directives.take(page)

    async def install(self, **changes: Any) -> None:
        """Has the nation publish a directory with changes to the provider."""
        await self.provider.view.install([self.network.directory(**changes)])

    async def statements(self) -> list[tuple[int, int]]:
        """Action and revision of every statement on labels, in order."""
        query = "SELECT action, revision FROM label_statement ORDER BY grant_id, position"
        return [
            (action, revision)
            for action, revision in await self.provider.database.read(lambda transaction: transaction.execute(query))
        ]


async def filed_unit(provider: MadeUpProvider, number: int = 1) -> Account:
    """The account of a made-up news unit, on file."""
    unit = organisation(number, f"样例报社{number}", SubjectKind.PUBLIC_INSTITUTION, "330000")
    subject = await provider.registered(unit, kind=SubjectKind.PUBLIC_INSTITUTION)
    account = await provider.filed(subject)
    await provider.deliver()
    return account


@asynccontextmanager
async def labelling_provider(folder: Path, url: str = "") -> AsyncIterator[Labelling]:
    """A provider with one filed account."""
    async with made_up_network(folder) as network, made_up_provider(folder, network, url) as provider:
        yield Labelling(provider, network, await filed_unit(provider))
