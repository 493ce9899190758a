"""The outbox on its way, on both engines and to a real intake: nothing lost or twice, one account stopped alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from regulator_node.intake import Intake
from shared.channel import RemoteError
from shared.database import Database, open_database, sqlite_url
from shared.delivery.outbox import (
    destination_statuses,
    receipt,
    replay,
    supersede,
    violations_from_json,
)
from shared.delivery.retry import Persistence
from shared.delivery.worker import Withheld, nothing_withheld
from shared.errors import InvalidInput, NotFound
from shared.evidence.hashing import ProofError
from shared.evidence.receipts import verify_receipt
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import filing_pb2, intake_service_pb2
from tests.integration.delivery_samples import MIGRATIONS, logged, queue, states, unreachable, worker_to
from tests.integration.filing_samples import NOW, REGULATOR, Register, made_up_filing


@pytest.fixture
async def register(tmp_path: Path) -> AsyncIterator[Register]:
    """The regulator's register."""
    opened = await Register.open(sqlite_url(tmp_path / "register.db"))
    yield opened
    await opened.database.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The provider's database."""
    opened = open_database(database_url, MIGRATIONS)
    yield opened
    await opened.close()


async def test_delivered_entries_have_receipts(database: Database, register: Register) -> None:
    """Everything queued arrives in order, and the receipt the provider keeps verifies with pinned keys alone."""
    queued = await queue(database, *(made_up_filing() for _ in range(25)))
    assert await worker_to(database, register, max_entries=10).drain()
    assert [1] * 25 == await states(database)
    for index, entry in enumerate(queued):
        made = await database.read(partial(receipt, entry_id=entry.entry_id))
        verified = verify_receipt(made, register.ring)
        assert (entry.entry_id, index) == (verified.entry.entry_id, verified.log_index)
    (status,) = await database.read(destination_statuses)
    assert (0, 0, "", NOW) == (status.queued, status.parked, status.last_error, status.last_success_time)


async def test_lost_answer_has_one_effect(database: Database, register: Register) -> None:
    """An answer that is lost after the regulator stored it is asked for again; the log holds each entry once."""
    await queue(database, *(made_up_filing() for _ in range(3)))
    losing = True

    async def submit(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        response = await register.send(request)
        if losing:
            raise unreachable()
        return response

    worker = worker_to(database, register, submit)
    with pytest.raises(RemoteError):
        await worker.drain()
    assert [0, 0, 0] == await states(database)
    losing = False
    await queue(database, made_up_filing())
    assert await worker.drain()
    assert ([1] * 4, 4) == (await states(database), await logged(register))


async def test_an_answer_in_pieces_is_stored_piece_by_piece(database: Database, register: Register) -> None:
    """Known entries, a refused one and new ones in one batch: one round, and each receipt is of its own entry and place."""
    queued = await queue(database, made_up_filing(), made_up_filing())
    sent: list[int] = []

    async def submit(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        sent.append(len(request.entries))
        response = await register.send(request)
        if len(sent) == 1:
            raise unreachable()
        return response

    worker = worker_to(database, register, submit)
    with pytest.raises(RemoteError):
        await worker.drain()
    await queue(database, made_up_filing(category="poetry"))
    queued += await queue(database, *(made_up_filing() for _ in range(3)))
    assert await worker.drain()
    assert [2, 6] == sent
    assert [1, 1, 3, 1, 1, 1] == await states(database)
    for index, entry in enumerate(queued):
        verified = verify_receipt(await database.read(partial(receipt, entry_id=entry.entry_id)), register.ring)
        assert (entry.entry_id, index) == (verified.entry.entry_id, verified.log_index)


async def test_refusal_stops_its_account_alone(database: Database, register: Register) -> None:
    """A refused entry and the later ones of its account wait with a reason; others go on; mended, they follow."""
    account = new_account_id()
    refused = await queue(
        database, made_up_filing(account, category="poetry"), made_up_filing(account, 2), made_up_filing()
    )
    await worker_to(database, register).drain()
    await queue(database, made_up_filing())
    await worker_to(database, register).drain()
    assert [3, 2, 1, 1] == await states(database)
    rows = await database.read(
        lambda transaction: transaction.execute(
            "SELECT reason, violations FROM outbox WHERE entry_id = ?", (refused[0].entry_id,)
        )
    )
    assert "CATEGORY_UNKNOWN" == rows[0][0]
    assert ["filing.category"] == [violation.field for violation in violations_from_json(rows[0][1])]
    assert 2 == await database.write(lambda transaction: supersede(transaction, account))
    await queue(database, made_up_filing(account))
    await worker_to(database, register).drain()
    assert [5, 5, 1, 1, 1] == await states(database)


async def test_later_filings_of_a_stopped_account_wait(database: Database, register: Register) -> None:
    """What was queued after a refused entry of the same account is parked with it, and replay queues all again."""
    account = new_account_id()
    await queue(database, made_up_filing(account, category="poetry"))
    await queue(database, made_up_filing(account, 2))
    await worker_to(database, register, max_entries=1).drain()
    assert [3, 2] == await states(database)
    assert 2 == await database.write(lambda transaction: replay(transaction, account, NOW))
    assert [0, 0] == await states(database)


async def test_an_answer_that_no_message_holds_comes_in_parts(database: Database, register: Register) -> None:
    """Promise 2: entries sent again out of many runs, whose acknowledgements fill no one message, are sent in fewer."""
    losing = True

    async def submit(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        response = await register.send(request)
        if losing:
            raise unreachable()
        return response

    for count in range(1, 13):
        await queue(database, made_up_filing())
        with pytest.raises(RemoteError):
            await worker_to(database, register, submit, max_entries=count).drain()
    losing = False
    register.intake = Intake(register.log, feed_regions=False, max_answer_bytes=1500)
    worker = worker_to(database, register, submit)
    delivery = asyncio.create_task(worker.run())
    while 0 in await states(database):
        ticket = worker.recorded.ticket()
        if 0 in await states(database):
            await ticket.wait()
    delivery.cancel()
    await asyncio.gather(delivery, return_exceptions=True)
    assert ([1] * 12, 12) == (await states(database), await logged(register))


async def test_what_a_clock_ahead_had_made_can_be_sent_again_once_it_is_right(
    database: Database, register: Register
) -> None:
    """Promise 1: an entry refused for a time of making years ahead is not refused for years: sent again, it is made now."""
    account = new_account_id()
    filing, ahead = made_up_filing(account), NOW + timedelta(days=3 * 365)
    filing.reviewed_time.FromDatetime(ahead)
    await queue(database, filing, now=ahead)
    await queue(database, made_up_filing(account, 2))
    worker = worker_to(database, register)
    await worker.drain()
    assert [3, 2] == await states(database)
    assert 2 == await database.write(lambda transaction: replay(transaction, account, NOW))
    await worker.drain()
    assert ([1, 1], 2) == (await states(database), await logged(register))


async def test_what_is_sent_again_under_way_does_not_overtake(database: Database, register: Register) -> None:
    """Promise 6: an account that is replayed while the worker is beyond its first entry is sent on in the next round."""
    bad, other = made_up_filing(category="poetry"), made_up_filing(category="poetry")
    await queue(database, bad, other, made_up_filing(bad.account_id, 2))
    await worker_to(database, register).drain()
    assert [3, 3, 2] == await states(database)
    await database.write(lambda transaction: replay(transaction, other.account_id, NOW))
    rounds: list[int] = []

    async def submit(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        if not rounds:
            await database.write(lambda transaction: replay(transaction, bad.account_id, NOW))
        rounds.append(len(request.entries))
        return await register.send(request)

    worker = worker_to(database, register, submit)
    while await worker.drain():
        pass
    assert ([1, 2], [3, 3, 2]) == (rounds, await states(database))


async def test_what_is_withheld_waits_and_delays_nothing_else(database: Database, register: Register) -> None:
    """What may not be sent yet stays queued in its place, the status says why, and it follows once it may."""
    await queue(database, *(made_up_filing(display_name="留下") for _ in range(5)), made_up_filing())
    withheld: list[Withheld] = [Withheld("NODE_SUSPENDED: 暂停", lambda raw: "留下".encode() in raw)]
    worker = worker_to(
        database, register, max_entries=2, withheld=lambda: withheld[0] if withheld else nothing_withheld()
    )
    assert await worker.drain()
    await queue(database, made_up_filing())
    assert await worker.drain()
    assert not await worker.drain()
    (status,) = await database.read(destination_statuses)
    assert ([0] * 5 + [1, 1], "NODE_SUSPENDED: 暂停") == (await states(database), status.last_error)
    withheld.clear()
    assert await worker.drain()
    (status,) = await database.read(destination_statuses)
    assert ([1] * 7, "", 7) == (await states(database), status.last_error, await logged(register))


async def test_wrong_evidence_is_not_believed(database: Database, register: Register) -> None:
    """An answer whose acknowledgement does not verify leaves everything queued, and the status says why."""
    await queue(database, made_up_filing())
    tried = asyncio.Event()

    async def submit(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        response = await register.send(request)
        response.results[0].log_index += 1
        return response

    worker = worker_to(database, register, submit)
    with pytest.raises(ProofError):
        await worker.drain()
    assert [0] == await states(database)

    async def on_pause(error: BaseException, attempts: int, seconds: float) -> None:
        del attempts, seconds
        assert isinstance(error, ProofError)
        tried.set()

    persistence = Persistence(
        cap_seconds=9.0, expected=lambda error: True, transient=lambda error: False, on_pause=on_pause
    )
    task = asyncio.create_task(persistence.run(worker.drain))
    await asyncio.wait_for(tried.wait(), 10)
    task.cancel()


async def test_outage_is_stored_and_heals_by_itself(database: Database, register: Register) -> None:
    """While the regulator is away the status tells attempts and reason; what is heard from it ends the wait at once."""
    away, tried = True, asyncio.Event()

    async def submit(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        if away:
            tried.set()
            raise unreachable()
        return await register.send(request)

    worker = worker_to(database, register, submit, cap_seconds=3600.0)
    await queue(database, made_up_filing(), made_up_filing())
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(tried.wait(), 10)
    away = False
    ticket = worker.recorded.ticket()
    while not await worker.recorded.wait(ticket, 0.1):
        worker.peer_spoke()
    task.cancel()
    assert ([1, 1], 2) == (await states(database), await logged(register))
    (status,) = await database.read(destination_statuses)
    assert (0, 0, "") == (status.queued, status.attempts, status.last_error)


async def test_queueing_wakes_the_worker(database: Database, register: Register) -> None:
    """An idle worker sends what is queued as soon as it is woken."""
    worker = worker_to(database, register)
    task = asyncio.create_task(worker.run())
    ticket = worker.recorded.ticket()
    await queue(database, made_up_filing())
    worker.wake()
    assert await worker.recorded.wait(ticket, 10)
    task.cancel()
    assert [1] == await states(database)


BAD_FILINGS: dict[str, Callable[[], filing_pb2.Filing]] = {
    "FIELD_VIOLATIONS": lambda: made_up_filing(display_name="样" * 65),
    "IDENTITY_DATA": lambda: made_up_filing(display_name="订餐13800138000"),
}


@pytest.mark.parametrize("reason", BAD_FILINGS)
async def test_nothing_bad_is_queued(database: Database, reason: str) -> None:
    """What breaks the contract or holds identity data is refused before it is stored, with the good ones beside it."""
    with pytest.raises(InvalidInput) as raised:
        await queue(database, made_up_filing(), BAD_FILINGS[reason]())
    assert reason == raised.value.reason
    assert "13800138000" not in f"{raised.value.message}{raised.value.violations}"
    assert [] == await states(database)


async def test_no_receipt_before_delivery(database: Database) -> None:
    """A filing that waits has no receipt, and the error says so."""
    (queued,) = await queue(database, made_up_filing())
    with pytest.raises(NotFound) as raised:
        await database.read(lambda transaction: receipt(transaction, queued.entry_id))
    assert "RECEIPT_UNKNOWN" == raised.value.reason


async def test_a_cosignature_that_overtakes_the_answer_is_no_reason_to_doubt_it(
    database: Database, register: Register
) -> None:
    """What was sent before another jurisdiction cosigned may lie below its cosignature: the nation can be that quick."""
    await queue(database, made_up_filing())

    async def overtaken(
        request: intake_service_pb2.SubmitEntriesRequest, _: float
    ) -> intake_service_pb2.SubmitEntriesResponse:
        response = await register.send(request)
        await database.write(
            lambda transaction: transaction.execute(
                "UPDATE destination SET final_size = 1 WHERE name = ?", (REGULATOR,)
            )
        )
        return response

    await worker_to(database, register, overtaken).drain()
    assert [1] == await states(database)
