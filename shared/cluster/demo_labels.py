"""The demo's news labels (Art. 7): every unit of the real list by its kind, and two by special approval.

What goes badly happens to made-up accounts alone: a special approval is revoked by the province, another lapses. What
each may do is asked at the gate of its provider, and what anybody is told of its label at the nation.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared import cli
from shared.client.label_types import LabelState, SubjectLicence
from shared.client.officer_label_types import LabelFilter, LabelOutcome, LabelVerdict
from shared.client.officer_label_types import LabelState as RegisterState
from shared.cluster import made_up
from shared.cluster.demo_filing import AT_ONCE
from shared.cluster.demo_scene import GateAnswer, Scene, stage
from shared.cluster.sample import NewsUnit, news_units
from shared.errors import Unavailable
from shared.provisions.label_rights import LabelBasis, LabelScope, LabelStanding
from shared.provisions.publication import PublicationAct

REVOKED: Final = "样例个人账号1"
LAPSING: Final = "样例个人账号2"
LABEL_DAYS: Final = 40
"""How long the special approvals hold that are given."""


@dataclass(frozen=True, slots=True)
class EndedLabel:
    """A label that ended.

    Attributes:
        display_name: of the account.
        before: the gate's answer while the label held.
        after: the gate's answer since.
        told: the standing that anybody is told since.
    """

    display_name: str
    before: GateAnswer
    after: GateAnswer
    told: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of the demo.

    Attributes:
        by_basis: labels at the nation while they all held, by basis and scope.
        checked: what anybody was told of a real unit's label: standing, subject's name, number of the made-up licence.
        revoked: by a decision of the province.
        lapsed: by itself, at its time.
        by_state: labels at the nation in the end, by state.
    """

    by_basis: Mapping[str, Mapping[str, int]]
    checked: tuple[str, str, str]
    revoked: EndedLabel
    lapsed: EndedLabel
    by_state: Mapping[str, int]


def licence_of_unit(unit: NewsUnit, now: datetime) -> SubjectLicence:
    """Makes up the news licence of a unit: for three years, from the beginning of last year."""
    start, end = (datetime(now.year + years, 1, 1, tzinfo=UTC) for years in (-1, 2))
    number = made_up.licence_number(unit.region, unit.number, unit.licence_class, start.year)
    return SubjectLicence(number, start, end)


class LabelDesk:
    """What the demo does about labels, in the order of time: `grant`, `revoke`, `lapse`.

    Args:
        scene: the network.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._end_time = scene.cluster.now() + timedelta(days=LABEL_DAYS)
        self._before: GateAnswer | None = None
        self._by_basis: dict[str, dict[str, int]] = {}
        self._checked = ("", "", "")
        self._revoked: EndedLabel | None = None

    async def grant(self) -> None:
        """Grants every label; ends when the nation holds them all."""
        units = news_units()
        with (
            stage(self._scene.say, f"granting {len(units)} labels by kind of unit, and two by special approval"),
            cli.progress("labels granted", len(units)) as advance,
        ):
            free = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as tasks:
                for unit in units:
                    tasks.create_task(self._grant(unit, free, lambda: advance(1)))
                for person in (REVOKED, LAPSING):
                    tasks.create_task(self._approve(person))
        with stage(self._scene.say, "waiting until the nation holds every label"):
            with cli.progress("labels at the nation", len(units) + 2) as advance:
                await self._wait_for_nation(len(units) + 2, advance)
            self._before = await self._ask(LAPSING, allowed=True)
            checked = await self._scene.anybody.check_label(self._scene.accounts[units[0].name].account_id)
            self._checked = (checked.standing.name.lower(), checked.subject_name, checked.licence_number)

    async def revoke(self) -> None:
        """Has an officer revoke a label, and asks at the gate until it closed."""
        with stage(self._scene.say, f"revoking the label of {REVOKED} at its province, and asking at the gate"):
            before = await self._ask(REVOKED, allowed=True)
            officer = self._scene.officer(REVOKED)
            labels = [label async for label in officer.search_labels(self._of(REVOKED, RegisterState.GRANTED))]
            verdicts = [LabelVerdict.against(label, LabelOutcome.REVOKED, "granted_in_error") for label in labels]
            for result in await officer.decide_labels(verdicts):
                if result.error_reason:
                    raise Unavailable(f"the revocation was refused: {result.error_message}", result.error_reason)
            self._revoked = await self._ended(REVOKED, before, LabelStanding.REVOKED)

    async def lapse(self) -> Labels:
        """Moves the time to the end of a label, and asks at the gate.

        Returns:
            All that was seen of labels.
        """
        self._scene.move_to(self._end_time, f"the label of {LAPSING} ends")
        assert self._before is not None
        assert self._revoked is not None
        with stage(self._scene.say, "asking at the gate after that label lapsed by itself"):
            lapsed = await self._ended(LAPSING, self._before, LabelStanding.LAPSED)
            states = Counter([label.state.name.lower() async for label in self._scene.nation.search_labels()])
        return Labels(self._by_basis, self._checked, self._revoked, lapsed, dict(states))

    async def _grant(self, unit: NewsUnit, free: asyncio.Semaphore, granted: Callable[[], None]) -> None:
        account = self._scene.accounts[unit.name]
        licence = licence_of_unit(unit, self._scene.cluster.now())
        async with free:
            await account.backend.grant_label(account.account_id, unit.label_basis, licence=licence)
        granted()

    async def _approve(self, person: str) -> None:
        """Asks for a special approval, has the province give it, and takes it up (Art. 7(2))."""
        account, officer = self._scene.accounts[person], self._scene.officer(person)
        basis, scope = LabelBasis.SPECIAL_APPROVAL, LabelScope.REPRINT
        asked = await account.backend.grant_label(account.account_id, basis, scope=scope, end_time=self._end_time)

        async def given() -> bool:
            labels = [label async for label in officer.search_labels(self._of(person, RegisterState.ASKED))]
            results = await officer.decide_labels(list(map(LabelVerdict.approve, labels)))
            return any(not result.error_reason for result in results)

        async def heard() -> bool:
            return (await account.backend.get_label(asked.grant_id)).state == LabelState.APPROVED

        await self._scene.until(given, f"the province gives the special approval for {person}")
        await self._scene.until(heard, f"the provider hears of the special approval for {person}")
        await account.backend.grant_label(account.account_id, basis, scope=scope)

    async def _wait_for_nation(self, wanted: int, advance: Callable[[int], None]) -> None:
        shown = 0

        async def all_held() -> bool:
            nonlocal shown
            held: dict[str, dict[str, int]] = {}
            async for label in self._scene.nation.search_labels(LabelFilter(state=RegisterState.GRANTED)):
                scopes = held.setdefault(label.basis.name.lower(), {})
                scopes[label.scope.name.lower()] = scopes.get(label.scope.name.lower(), 0) + 1
            self._by_basis = held
            count = sum(sum(scopes.values()) for scopes in held.values())
            advance(count - shown)
            shown = count
            return count >= wanted

        await self._scene.until(all_held, f"the nation holds {wanted} labels")

    async def _ask(self, person: str, *, allowed: bool) -> GateAnswer:
        return await self._scene.gate_until(person, PublicationAct.REPRINT, is_news=True, allowed=allowed)

    async def _ended(self, person: str, before: GateAnswer, standing: LabelStanding) -> EndedLabel:
        after = await self._ask(person, allowed=False)

        async def told() -> bool:
            checked = await self._scene.anybody.check_label(self._scene.accounts[person].account_id)
            return checked.standing == standing

        await self._scene.until(told, f"anybody is told that the label of {person} is {standing.name.lower()}")
        return EndedLabel(person, before, after, standing.name.lower())

    def _of(self, person: str, state: RegisterState) -> LabelFilter:
        return LabelFilter(account_id=self._scene.accounts[person].account_id, state=state)
