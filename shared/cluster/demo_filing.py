"""What the demo's people do: providers register subjects and file their accounts, officers accept or return them.

A provider at first chooses the category by the kind of unit alone. An officer returns an account whose name names
another field (经济日报, "economic daily", filed as current-political news), and the provider amends it. Persons have
accounts as well, so that every kind of subject is seen; they and the organisations' operators are made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.client.officer import Filing, FilingFilter, OfficerClient, Verdict
from shared.client.officer import FilingState as RegisterState
from shared.client.provider import FilingState, ProviderClient
from shared.clock import system_clock
from shared.cluster import made_up
from shared.cluster.sample import category_called_for, news_units
from shared.cluster.watching import wait_until
from shared.errors import FilingnetError, Unavailable
from shared.provisions.regions import PROVINCES
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity

PERSONS: Final = 12
AT_ONCE: Final = 16
"""Calls of one backend under way at the same time."""
PATIENCE_SECONDS: Final = 120.0
"""How long one side waits for the other."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who opens a public account.

    Attributes:
        display_name: of the account, public.
        kind: of the subject.
        category: as the provider files it at first.
        identity: made up, but for an organisation's name.
    """

    display_name: str
    kind: SubjectKind
    category: str
    identity: PersonIdentity | OrganisationIdentity

    @property
    def called_for(self) -> str:
        """The category that an officer will ask for; empty where the first one is accepted."""
        wanted = category_called_for(self.display_name)
        return wanted if wanted != self.category else ""


def applicants() -> list[Applicant]:
    """Returns everybody who files in the demo: one for each news unit of the sample, and some persons."""
    organisations = [
        Applicant(
            unit.name,
            unit.subject_kind,
            unit.usual_category,
            made_up.organisation(unit.number, unit.name, unit.subject_kind, unit.region),
        )
        for unit in news_units()
    ]
    regions = [code for code in PROVINCES if code != "100000"]
    persons = [
        Applicant(f"样例个人账号{number}", SubjectKind.PERSON, "lifestyle", made_up.person(1000 + number, region))
        for number, region in zip(range(1, PERSONS + 1), regions, strict=False)
    ]
    return [*organisations, *persons]


class ProviderDesk:
    """A provider's staff: registers, opens, reviews, files and amends.

    Args:
        backend: the provider's client of its node.
        applicants: whom it serves.
        filed: called once for each account that was filed.
    """

    def __init__(self, backend: ProviderClient, applicants: Sequence[Applicant], filed: Callable[[], None]) -> None:
        self._backend = backend
        self._applicants = applicants
        self._filed = filed
        self._free = asyncio.Semaphore(AT_ONCE)
        self.account_ids: dict[str, str] = {}
        """Account by display name."""

    async def file_all(self) -> None:
        """Registers every applicant and files an account for each."""
        async with asyncio.TaskGroup() as tasks:
            for applicant in self._applicants:
                tasks.create_task(self._file(applicant))

    async def amend_returned(self) -> None:
        """Amends every account that officers return, until all that will be returned are amended."""
        left = {applicant.display_name: applicant for applicant in self._applicants if applicant.called_for}

        async def all_amended() -> bool:
            if left:
                async for account in self._backend.accounts(FilingState.RETURNED):
                    applicant = left.pop(account.display_name, None)
                    if applicant is not None:
                        await self._backend.amend_account(account.account_id, category=applicant.called_for)
            return not left

        await wait_until(all_amended, PATIENCE_SECONDS, _late(lambda: f"{len(left)} accounts were not returned"))

    async def _file(self, applicant: Applicant) -> None:
        async with self._free:
            agreement = (await self._backend.agreement()).signed_at(system_clock())
            nickname, identity = applicant.display_name, applicant.identity
            if isinstance(identity, PersonIdentity):
                subject = await self._backend.register_person(identity, nickname=nickname, agreement=agreement)
            else:
                subject = await self._backend.register_organisation(
                    identity, kind=applicant.kind, nickname=nickname, agreement=agreement
                )
            account = await self._backend.open_account(
                subject.reference, display_name=applicant.display_name, category=applicant.category
            )
            await self._backend.review_account(account.account_id, passed=True)
            self.account_ids[applicant.display_name] = account.account_id
            self._filed()


class OfficerDesk:
    """A province's officers: they decide on what is filed there.

    Args:
        officer: their client of their regulator.
        jurisdiction: the province.
        accounts: how many accounts will be filed there.
    """

    def __init__(self, officer: OfficerClient, jurisdiction: str, accounts: int) -> None:
        self._officer = officer
        self._filed = FilingFilter(jurisdiction=jurisdiction, state=RegisterState.FILED)
        self._jurisdiction = jurisdiction
        self._accounts = accounts
        self.accepted = 0
        self.returned = 0

    async def decide_all(self) -> None:
        """Decides on whatever comes in, until every account is accepted."""

        async def all_accepted() -> bool:
            filings = [filing async for filing in self._officer.search(self._filed)]
            if filings:
                await self._decide(filings)
            return self.accepted >= self._accounts

        failure = _late(lambda: f"{self._jurisdiction} accepted {self.accepted} of {self._accounts} accounts")
        await wait_until(all_accepted, PATIENCE_SECONDS, failure)

    async def _decide(self, filings: Sequence[Filing]) -> None:
        verdicts = [_verdict(filing) for filing in filings]
        for verdict, result in zip(verdicts, await self._officer.decide(verdicts), strict=True):
            if result.error_reason:
                raise Unavailable(f"an officer's decision was refused: {result.error_message}", result.error_reason)
            self.returned += verdict.reason != ""
            self.accepted += verdict.reason == ""


def _verdict(filing: Filing) -> Verdict:
    wanted = category_called_for(filing.display_name)
    if wanted in ("", filing.category):
        return Verdict.accept(filing)
    note = f"名称所示类别为 {wanted}，请更正后重新备案"
    return Verdict.send_back(filing, "category_mismatch", fields=("category",), note=note)


def _late(what: Callable[[], str]) -> Callable[[], Awaitable[FilingnetError]]:
    async def failure() -> FilingnetError:
        return Unavailable(f"after {PATIENCE_SECONDS:g} s {what()}", "DEMO_STUCK")

    return failure
