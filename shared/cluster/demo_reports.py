"""The demo's reports from the public (Arts. 5(3), 8 and 9, answers 1 and 2), one of which goes all the way.

Every report is about a made-up account, and all but one are settled in time. That one is left alone: in simulated time
its clock runs out, it leaves for the province by itself, the reporter complains at the nation too, an officer orders a
measure, the provider carries it out, the owner appeals, and the province overturns it. Nothing is shown that the nodes
did not say themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypedDict

from shared import cli
from shared.client.label_types import Duty, DutyProfile
from shared.client.officer_case_types import (
    Case,
    CaseFilter,
    CaseKind,
    CaseState,
    CaseVerdict,
    EscalationOutcome,
    ProviderFigures,
)
from shared.client.provider import ProviderClient
from shared.client.report_types import Order, ReportState, SubmittedReport
from shared.cluster.demo_filing import AT_ONCE, PERSONS
from shared.cluster.demo_scene import GateAnswer, Scene, stage
from shared.provisions.directives import OrderAnswer
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.publication import PublicationAct

REPORTS: Final = 40
"""How many reports come in, the one that is left alone included."""
LEFT_ALONE: Final = "样例个人账号3"
"""The account that the report is about which nobody handles."""
BASELINE: Final = 7
"""Truthfulness of information (Art. 6(2))."""
ORDERED_DAYS: Final = 30
DUTIES: Final = ("account_review", "report_handling", "measures_and_records")


class Item(TypedDict):
    """A public item: its address, and the digest of it as it stood."""

    item_url: str
    item_digest: bytes


@dataclass(frozen=True, slots=True)
class OnTime:
    """How a provider handles reports.

    Attributes:
        provider: node name.
        reports: that came in.
        settled_in_time: before their time was up.
        escalated: that left for the regulator when it was.
        orders_in_time: of the regulator, that were answered in time.
        orders_late: that were not.
        staff: specialised, in persons, as its duty profile says (Art. 5(1)).
        users: of the service, likewise.
    """

    provider: str
    reports: int
    settled_in_time: int
    escalated: int
    orders_in_time: int
    orders_late: int
    staff: int
    users: int


@dataclass(frozen=True, slots=True)
class TakenMeasure:
    """A measure as the nation's register holds it in the end, and what the gate said before, during and after it.

    Attributes:
        display_name: of the account.
        kind: what it is.
        reason: code of the act.
        ordered: whether a regulator ordered it.
        days: how long it was to last.
        state: how it stands at its provider.
        gate: the gate's answers.
        reporter_told: what the reporter is told by the tracking code.
    """

    display_name: str
    kind: str
    reason: str
    ordered: bool
    days: int
    state: str
    gate: Sequence[GateAnswer]
    reporter_told: str


@dataclass(frozen=True, slots=True)
class Oversight:
    """What the demo saw of public supervision."""

    on_time: Sequence[OnTime]
    measures: Sequence[TakenMeasure]


class ReportDesk:
    """What the demo does about reports, in the order of time: `take_in`, `escalate`, `appeal`, `result`.

    Args:
        scene: the network.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._account = scene.accounts[LEFT_ALONE]
        self._officer = scene.officer(LEFT_ALONE)
        self._overdue: SubmittedReport | None = None
        self._measure_id = ""
        self._complaint_code = ""
        self._gate: list[GateAnswer] = []

    async def take_in(self) -> None:
        """Takes reports in; all but one are answered and settled at once. Providers file their duty profiles."""
        with (
            stage(self._scene.say, f"taking in {REPORTS} reports from the public; all but one are settled in time"),
            cli.progress("reports handled", REPORTS) as advance,
        ):
            await self._file_duties()
            self._gate.append(await self._ask(allowed=True))
            account = self._account
            self._overdue = await account.backend.submit_report(
                account.account_id, baseline=BASELINE, **_item(0), statement="样例举报：信息不实"
            )
            answer = "已受理，正在核实。"
            await account.backend.answer_report(self._overdue.report.report_id, answer, actor="report-desk-1")
            self._scene.note(account.provider, f"answers a report about {LEFT_ALONE}, and leaves it at that")
            advance(1)
            free = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as tasks:
                for number in range(1, REPORTS):
                    tasks.create_task(self._handle(number, free, lambda: advance(1)))

    async def escalate(self) -> None:
        """Lets the time of a report run out, has an officer order a measure, and carries it out."""
        report = self._taken().report
        assert report.settle_due_time is not None
        self._scene.move_to(report.settle_due_time + timedelta(minutes=1), "a report falls overdue")
        with stage(self._scene.say, "waiting for the report to leave for the province by itself"):
            case = await self._case(CaseKind.REPORT)
            self._scene.note("clock", f"the report leaves for {case.responsible}: {case.cause.name.lower()}")
            await self._until_nation_has(CaseKind.REPORT, CaseState.OPEN)
        await self._complain()
        await self._scene.audit("undecided")
        with stage(self._scene.say, "an officer orders a measure; the provider carries it out"):
            case = await self._officer.assign_case(case.case_id, "case-desk-1")
            verdict = CaseVerdict(
                case.case_id,
                EscalationOutcome.VERIFIED,
                "false_information",
                ordered_measure=MeasureKind.SUSPEND_UPDATES,
                gravity=Gravity.GRAVE,
                days=ORDERED_DAYS,
                etag=case.etag,
            )
            await self._officer.decide_case(verdict)
            self._scene.note(self._province, f"orders: suspend updates for {ORDERED_DAYS} days, a grave act")
            order = await self._order(case)
            self._scene.note(self._account.provider, "acknowledges the order by itself")
            await self._carry_out(order)

    async def appeal(self) -> None:
        """Has the owner appeal, at the provider and then at the province, which overturns the measure."""
        provider, backend = self._account.provider, self._account.backend
        self._scene.move_to(self._scene.cluster.now() + timedelta(days=1), "the owner thinks about it")
        with stage(self._scene.say, "the owner appeals to the provider, then to the province, which overturns"):
            measure = await backend.submit_appeal(self._measure_id, "样例申诉：处置过重")
            self._scene.note("owner", "appeals at the provider against the measure")
            measure = await backend.decide_appeal(
                self._measure_id, overturned=False, actor="appeal-desk-1", etag=measure.etag
            )
            self._scene.note(provider, "upholds it: a regulator ordered it")
            await backend.appeal_to_regulator(self._measure_id)
            self._scene.note("owner", "appeals to the regulator")
            case = await self._case(CaseKind.APPEAL)
            verdict = CaseVerdict(case.case_id, EscalationOutcome.APPEAL_GRANTED, "disproportionate", etag=case.etag)
            await self._officer.decide_case(verdict)
            self._scene.note(self._province, "grants the appeal: disproportionate")
            self._gate.append(await self._ask(allowed=True))
            self._scene.note(provider, "undoes the measure by itself; the gate is open")
            await self._until_nation_has(CaseKind.APPEAL, CaseState.CLOSED)

    async def result(self) -> Oversight:
        """Reads what became of it all, at the nation and at the providers."""
        backend = self._account.backend
        figures = {each.provider: each for each in await self._scene.nation.figures()}
        names = [node.name for node in self._scene.cluster.providers]
        on_time = [await _on_time(name, self._backend(name), figures[name]) for name in names]
        measure = await backend.get_measure(self._measure_id)
        outcome = await backend.report_outcome(self._taken().tracking_code)
        assert measure.end_time is not None
        taken = TakenMeasure(
            LEFT_ALONE,
            measure.kind.name.lower(),
            measure.reason,
            bool(measure.order_entry_id),
            (measure.end_time - measure.start_time).days,
            measure.state.name.lower(),
            tuple(self._gate),
            f"{outcome.state.name.lower()}: {outcome.outcome}",
        )
        return Oversight(on_time, [taken])

    @property
    def _province(self) -> str:
        return f"regulator/{self._account.jurisdiction}"

    def _taken(self) -> SubmittedReport:
        assert self._overdue is not None
        return self._overdue

    def _backend(self, provider: str) -> ProviderClient:
        return next(each.backend for each in self._scene.accounts.values() if each.provider == provider)

    async def _file_duties(self) -> None:
        now = self._scene.cluster.now()
        for number, node in enumerate(self._scene.cluster.providers, start=1):
            duties = [Duty(code, now - timedelta(days=365)) for code in DUTIES]
            profile = DutyProfile(duties, staff=400 * number, users=10_000_000 * number, counted_time=now)
            await self._backend(node.name).file_duty_profile(profile)

    async def _handle(self, number: int, free: asyncio.Semaphore, handled: Callable[[], None]) -> None:
        account = self._scene.accounts[f"样例个人账号{number % PERSONS + 1}"]
        async with free:
            taken = await account.backend.submit_report(account.account_id, baseline=BASELINE, **_item(number))
            report_id, actor = taken.report.report_id, "report-desk-1"
            await account.backend.answer_report(report_id, "已受理，正在核实。", actor=actor)
            await account.backend.settle_report(report_id, "no_violation", actor=actor)
        handled()

    async def _case(self, kind: CaseKind) -> Case:
        found: list[Case] = []

        async def there() -> bool:
            found[:] = [
                case
                async for case in self._officer.cases(CaseFilter(state=CaseState.OPEN, kind=kind))
                if case.account_id == self._account.account_id
            ]
            return bool(found)

        await self._scene.until(there, f"the {kind.name.lower()} about {LEFT_ALONE} is a case at {self._province}")
        return found[0]

    @property
    def _codes(self) -> tuple[str, str]:
        return self._taken().tracking_code, self._complaint_code

    async def _complain(self) -> None:
        """Has the reporter go straight to the nation, with the code that the provider gave (answer 2)."""
        with stage(self._scene.say, "the reporter, who got no proper answer, complains at the nation"):
            complaint = await self._scene.anybody.submit_complaint(
                self._account.account_id,
                baseline=BASELINE,
                statement="样例投诉：没有答复",
                report_code=self._taken().tracking_code,
            )
        self._complaint_code = complaint.tracking_code
        case = "the case of the report" if complaint.joined else "a case of its own"
        self._scene.note("reporter", f"complains at the nation: {case}")

    async def _order(self, case: Case) -> Order:
        """Waits until the order came to the provider, and its acknowledgement back to the province."""
        found: list[Order] = []

        async def acknowledged() -> bool:
            found[:] = [order async for order in self._account.backend.orders()]
            standing = await self._officer.case(case.jurisdiction, case.case_id)
            return bool(found) and standing.case.state == CaseState.ACKNOWLEDGED

        await self._scene.until(acknowledged, "the provider acknowledges the order")
        return found[0]

    async def _carry_out(self, order: Order) -> None:
        measure = await self._account.backend.apply_measure(
            order.account_id,
            order.ordered_measure,
            baseline=order.baseline,
            reason=order.reason,
            gravity=order.gravity,
            order_entry_id=order.order_entry_id,
        )
        self._measure_id = measure.measure_id
        # Asked once, not until it is so: a measure bites before the call that took it returns.
        self._gate.append(await self._scene.gate(LEFT_ALONE, PublicationAct.OTHER, is_news=False))
        self._scene.note(self._account.provider, "takes the measure; the gate is closed before the call returns")
        await self._account.backend.answer_order(order.order_entry_id, OrderAnswer.DONE)
        await self._until_nation_has(CaseKind.REPORT, CaseState.CLOSED)
        self._scene.note(self._account.provider, "answers the order: done")
        told = [await self._scene.anybody.get_complaint(code) for code in self._codes]
        heard = "; ".join(f"{each.state}, {each.outcome}" for each in told)
        self._scene.note("reporter", f"asks the nation by both codes: {heard}")

    async def _until_nation_has(self, kind: CaseKind, state: CaseState) -> None:
        async def so() -> bool:
            cases = self._scene.nation.cases(CaseFilter(state=state, kind=kind))
            return any([case.account_id == self._account.account_id async for case in cases])

        await self._scene.until(
            so, f"the nation has the {kind.name.lower()} about {LEFT_ALONE} as {state.name.lower()}"
        )

    async def _ask(self, *, allowed: bool) -> GateAnswer:
        return await self._scene.gate_until(LEFT_ALONE, PublicationAct.OTHER, is_news=False, allowed=allowed)


async def _on_time(provider: str, backend: ProviderClient, figures: ProviderFigures) -> OnTime:
    states = [report.state async for report in backend.reports()]
    return OnTime(
        provider,
        reports=len(states),
        settled_in_time=states.count(ReportState.SETTLED),
        escalated=figures.escalated,
        orders_in_time=figures.orders_in_time,
        orders_late=figures.orders_late,
        staff=figures.duties.staff if figures.duties else 0,
        users=figures.duties.users if figures.duties else 0,
    )


def _item(number: int) -> Item:
    url = f"https://example.org/items/{number}"
    return {"item_url": url, "item_digest": hashlib.sha256(url.encode()).digest()}
