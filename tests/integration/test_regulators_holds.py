"""A hold that a regulator places at a provider (Arts. 8(2), 9): directed, taken with proof, honoured, acknowledged, lifted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provider_node.evidence import EvidenceKind, EvidenceReader
from regulator_node.directive_feed import read_directives
from regulator_node.fsck import check_register
from regulator_node.record_holds import RecordHolds
from regulator_node.register_holds import list_directed, read_directed
from shared.clock import micros
from shared.errors import FilingnetError
from shared.evidence.receipts import parse_receipt
from shared.identifiers import new_account_id
from shared.mapping.record_hold import hold_answer_to_wire
from shared.pb.filingnet.network.v1 import follow_service_pb2, intake_service_pb2
from shared.provisions.retention import Hold, HoldScope, RecordClass
from shared.provisions.spans import FOREVER
from shared.records.disposal import UPKEEP, Disposals
from shared.records.hold_rows import StoredHold
from tests.integration.filing_samples import JURISDICTION, MIGRATIONS, PROVIDER, REGULATOR
from tests.integration.label_samples import body_entry
from tests.integration.oversight_samples import ACTOR, DAY, Supervised, supervised
from tests.integration.test_provider_records import SEVEN_MONTHS, disposals_of, settled

COURT = "court_order"


@dataclass
class Held:
    """A provider with records, and the regulator that directs holds on them."""

    made: Supervised
    holds: RecordHolds
    disposals: Disposals

    async def direct(self, scope: HoldScope = HoldScope.ACCOUNT, **changes: Any) -> StoredHold:
        """Directs a hold, on the provider's account unless something else is given."""
        target = changes.pop("target", self.made.account.account_id if scope is HoldScope.ACCOUNT else "")
        provider, reason = changes.pop("provider", PROVIDER), changes.pop("reason", COURT)
        values = {"hold_id": new_account_id(), "target": target, "placed_time": 0, "end_time": FOREVER, **changes}
        return await self.holds.direct(provider, Hold(scope=scope, **values), reason)

    async def hear(self) -> follow_service_pb2.FollowDirectivesResponse:
        """Has the provider take all directives that there are."""
        register = self.made.provider.network.register
        found = await register.database.read(
            lambda transaction: read_directives(transaction, JURISDICTION, PROVIDER, 0, 99)
        )
        page = follow_service_pb2.FollowDirectivesResponse(directives=found.receipts, cursor=found.cursor)
        await self.made.provider.directives.take(page)
        return page

    async def at_regulator(self, hold_id: str) -> StoredHold:
        """A hold as the regulator shows it."""
        register = self.made.provider.network.register
        found = await register.database.read(lambda transaction: read_directed(transaction, hold_id))
        assert found is not None
        return found

    async def at_provider(self, *, lifted_too: bool = False) -> list[StoredHold]:
        """The holds as the provider lists them."""
        return await self.disposals.holds((FOREVER, ""), 99, lifted_too=lifted_too)


@pytest.fixture
async def held(tmp_path: Path, database_url: str) -> AsyncIterator[Held]:
    """A provider on each engine, and its regulator."""
    async with supervised(tmp_path, database_url) as made:
        provider = made.provider
        register = provider.network.register
        await provider.deliver()
        changed = list[bool]()
        holds = RecordHolds(
            register.database,
            register.log,
            provider.view,
            provider.clock,
            on_change=lambda: changed.append(True),
        )
        yield Held(made, holds, disposals_of(provider))


async def reason(work: Any) -> str:
    """The reason of what is refused."""
    with pytest.raises(FilingnetError) as refused:
        await work
    return refused.value.reason


async def test_art_8_2_a_regulators_hold_is_honoured_until_the_regulator_lifts_it(held: Held) -> None:
    """Art. 8(2): beyond its period the report stays; the provider's own lifting changes nothing; lifted, it goes."""
    report_id, _ = await settled(held.made)
    placed = await held.direct()
    await held.hear()
    held.made.later(SEVEN_MONTHS)
    assert [] == await held.disposals.dispose(UPKEEP)
    (standing, *_) = await held.disposals.due()
    assert (RecordClass.REPORT, 0, 1) == (standing.record_class, standing.due, standing.held)
    assert "HOLD_OF_REGULATOR" == await reason(held.disposals.lift(placed.hold.hold_id, "court_done", ACTOR))
    assert [] == await held.disposals.dispose(UPKEEP)
    lifted = await held.holds.lift(placed.hold.hold_id, "court_done")
    assert (REGULATOR, "court_done") == (lifted.lifted_by, lifted.lift_reason)
    assert [] == await held.disposals.dispose(UPKEEP), "before the provider heard of it"
    await held.hear()
    (made,) = await held.disposals.dispose(UPKEEP)
    assert (RecordClass.REPORT, 1) == (made.record_class, made.records)
    assert 0 == await held.made.provider.count(f"report WHERE report_id = '{report_id}'")


async def test_art_8_2_a_hold_is_acknowledged_by_itself_in_time_and_once(held: Held) -> None:
    """Art. 8(2): in the transaction that took it, within its clock, as the regulator shows; a page twice changes nothing."""
    placed = await held.direct()
    assert 0 == placed.acknowledged_time
    page = await held.hear()
    (there,) = await held.at_provider()
    expected = (placed.hold.scope, placed.hold.target, REGULATOR, COURT)
    assert expected == (there.hold.scope, there.hold.target, there.placed_by, there.reason)
    await held.made.provider.deliver()
    here = await held.at_regulator(placed.hold.hold_id)
    assert (there.acknowledge_by, there.acknowledged_time) == (here.acknowledge_by, here.acknowledged_time)
    assert 0 < here.acknowledged_time < here.acknowledge_by
    queued = await held.made.provider.count("outbox")
    page.cursor += 1
    await held.made.provider.directives.take(page)
    assert (queued, 1) == (await held.made.provider.count("outbox"), len(await held.at_provider(lifted_too=True)))
    await held.holds.lift(placed.hold.hold_id, "court_done")
    await held.hear()
    assert 0 == (await held.at_regulator(placed.hold.hold_id)).acknowledged_time
    await held.made.provider.deliver()
    assert 0 < (await held.at_regulator(placed.hold.hold_id)).acknowledged_time
    assert [] == await held.at_provider()
    found = await check_register(
        held.made.provider.network.register.database, MIGRATIONS, held.made.provider.network.register.ring
    )
    assert [] == found.rows()


async def test_art_8_2_a_hold_on_a_class_ends_by_itself(held: Held) -> None:
    """Art. 8(2): from its start to its end it keeps every report, then the period counts again; it is listed while it holds."""
    await settled(held.made)
    start, end = micros(held.made.now + 100 * DAY), micros(held.made.now + 230 * DAY)
    await held.direct(HoldScope.CLASS, record_class=RecordClass.REPORT, placed_time=start, end_time=end)
    await held.hear()
    held.made.later(215 * DAY)
    assert [] == await held.disposals.dispose(UPKEEP)
    assert [(start, end)] == [(each.hold.placed_time, each.hold.end_time) for each in await held.at_provider()]
    held.made.later(15 * DAY)
    assert [1] == [each.records for each in await held.disposals.dispose(UPKEEP)]
    assert ([], 1) == (await held.at_provider(), len(await held.at_provider(lifted_too=True)))
    register, at = held.made.provider.network.register, micros(held.made.now)
    for lifted_too, expected in ((False, 0), (True, 1)):
        listed = await register.database.read(
            lambda transaction, too=lifted_too: list_directed(transaction, (FOREVER, ""), 99, at, lifted_too=too)  # type: ignore[misc]
        )
        assert expected == len(listed)


async def test_art_8_2_the_same_directive_again_has_one_effect(held: Held) -> None:
    """Art. 8(2): one entry and one hold; another one under its id is refused."""
    hold_id = new_account_id()
    first = await held.direct(hold_id=hold_id)
    held.made.later(DAY)
    assert first == await held.direct(hold_id=hold_id)
    assert "HOLD_EXISTS" == await reason(held.direct(hold_id=hold_id, reason="inspection"))
    lifted = await held.holds.lift(hold_id, "court_done")
    held.made.later(DAY)
    assert lifted == await held.holds.lift(hold_id, "court_done")
    register = held.made.provider.network.register
    entries = await register.database.read(lambda transaction: transaction.execute("SELECT action FROM record_hold"))
    assert [1, 2] == sorted(action for (action,) in entries)


async def test_art_8_2_what_a_regulator_may_not_direct(held: Held) -> None:
    """Art. 8(2): nothing that a provider does not keep, no class for ever, nobody else's provider; nothing enters the log."""
    assert "HOLD_SCOPE_WRONG" == await reason(held.direct(HoldScope.CASE, target=new_account_id()))
    assert "HOLD_WITHOUT_END" == await reason(held.direct(HoldScope.CLASS, record_class=RecordClass.REPORT))
    assert "HOLD_TIMES_WRONG" == await reason(held.direct(end_time=1))
    assert "NODE_UNKNOWN" == await reason(held.direct(provider="provider/nobody"))
    assert "HOLD_UNKNOWN" == await reason(held.holds.lift(new_account_id(), "court_done"))
    register = held.made.provider.network.register
    assert [] == await register.database.read(lambda transaction: transaction.execute("SELECT 1 FROM record_hold"))


async def test_art_8_2_a_providers_hold_of_the_same_id_gives_way(held: Held) -> None:
    """Art. 8(2): an operator who guessed the id of a directive does not keep its hold out, and cannot lift it."""
    await settled(held.made)
    placed = await held.direct()
    own = Hold(placed.hold.hold_id, HoldScope.CLASS, RecordClass.APPEAL)
    await held.disposals.place(own, "own_reasons", ACTOR)
    await held.hear()
    (there,) = await held.at_provider()
    assert (REGULATOR, HoldScope.ACCOUNT) == (there.placed_by, there.hold.scope)
    held.made.later(SEVEN_MONTHS)
    assert [] == await held.disposals.dispose(UPKEEP)


async def test_art_8_2_an_acknowledgement_that_nothing_asks_for_is_refused(held: Held) -> None:
    """Promise 6: of no directive, of another hold, or again: each is refused by itself, with a reason."""
    placed = await held.direct()
    await held.hear()
    await held.made.provider.deliver()
    register, at = held.made.provider.network.register, micros(held.made.now)
    ((entry_id,),) = await register.database.read(
        lambda transaction: transaction.execute("SELECT entry_id FROM record_hold")
    )
    answers = [
        (new_account_id(), placed.hold.hold_id, "HOLD_UNKNOWN"),
        (entry_id, new_account_id(), "HOLD_UNKNOWN"),
        (entry_id, placed.hold.hold_id, "HOLD_ANSWERED"),
    ]
    for directive, hold_id, expected in answers:
        entry = body_entry("record_hold_answer", hold_answer_to_wire(directive, hold_id, at), held.made.now)
        (result,) = (await register.submit(entry)).results
        assert intake_service_pb2.ENTRY_OUTCOME_REJECTED == result.outcome
        assert expected in str(result.rejection.rejection)


async def test_art_8_2_the_provider_proves_what_it_was_told_to_keep(held: Held) -> None:
    """Promise 3: the directive's receipt and the acknowledgement are among the evidence, about the provider itself."""
    await held.direct()
    await held.hear()
    await held.made.provider.deliver()
    pieces = [each async for page in EvidenceReader(held.made.provider.database).pages() for each in page]
    (directive,) = [each for each in pieces if each.kind is EvidenceKind.DIRECTIVE]
    assert b"court_order" in directive.entry
    assert ("", directive.entry) == (directive.account_id, parse_receipt(directive.proof).entry)
    sent = [each for each in pieces if each.kind is EvidenceKind.SENT and not each.account_id]
    assert 1 == len(sent)
