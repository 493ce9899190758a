"""What nodes keep of a history that the nation's log lost, and what a provider queues again, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from provider_node import settings as provider_settings
from provider_node.lost_runs import queue_again
from regulator_node.audit import Audit, record_command
from regulator_node.lost_history import LostHistory, is_lost, keep_lost
from regulator_node.settings import MIGRATIONS
from shared.clock import system_clock
from shared.database import Database, Transaction, open_database
from shared.delivery.outbox import OutboxState
from shared.pb.filingnet.network.v1 import evidence_pb2

NATION = "regulator/100000"
LOST = LostHistory("100000", 5, 4_104, b"head", b"proof")


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[Database]:
    """A register."""
    database = open_database(database_url, MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
async def outbox(database_url: str) -> AsyncIterator[Database]:
    """A provider's database: six entries in three runs acknowledged by the nation, one at a province, one refused."""
    database = open_database(database_url, provider_settings.MIGRATIONS)
    states: list[tuple[str, int, int, int | None, int | None]] = [
        (NATION, sequence, 1, 10 + sequence, 10 + sequence // 2 * 2) for sequence in range(6)
    ]
    states += [(NATION, 6, 2, None, None), ("regulator/330000", 0, 1, 12, 12)]

    def work(transaction: Transaction) -> None:
        for name, sequence, state, index, run in states:
            row = (name, sequence, f"{name}{sequence}", "account", b"entry", state, 1, index, run)
            transaction.execute(
                "INSERT INTO outbox (destination, sequence, entry_id, account_id, body, entry, state, queued_time, log_index,"
                " run_first_index) VALUES (?, ?, ?, ?, 'filing', ?, ?, ?, ?, ?)",
                row,
            )
        for name, first in ((NATION, 10), (NATION, 12), (NATION, 14), ("regulator/330000", 12)):
            transaction.execute("INSERT INTO delivered_run VALUES (?, ?, ?)", (name, first, b"run"))
            transaction.execute("INSERT INTO final_run VALUES (?, ?, ?, ?, ?)", (name, first, first + 2, b"note", b""))

    await database.write(work)
    yield database
    await database.close()


async def test_a_lost_history_is_kept_once_and_covers_what_is_below_where_the_log_goes_on(register: Database) -> None:
    """Promise 4: the first head and proof stay; a head of the new history is none of the lost ones."""

    def keep(transaction: Transaction) -> None:
        keep_lost(transaction, LOST)
        keep_lost(transaction, LostHistory("100000", 5, 4_104, b"other", b""))
        record_command(transaction, "330000", system_clock(), "regulator-node log accept", "log of 100000")

    await register.write(keep)
    rows = await register.read(lambda transaction: transaction.execute("SELECT head, proof FROM lost_history"))
    assert [(b"head", b"proof")] == [(bytes(head), bytes(proof)) for head, proof in rows]
    for jurisdiction, size, lost in (("100000", 8, True), ("100000", 4_104, False), ("330000", 8, False)):
        assert lost is await register.read(lambda transaction, at=(jurisdiction, size): is_lost(transaction, *at))  # type: ignore[misc]
    (line,), _ = await Audit(register, "330000", system_clock).page(10, "")
    assert ("operator", "operator", "regulator-node log accept") == (line.actor, line.role, line.method)


async def test_what_was_acknowledged_by_a_lost_history_waits_again_and_nothing_else(outbox: Database) -> None:
    """Promise 1: entries of the lost runs are queued in their old places; acknowledgements are kept, others untouched."""
    assert 4 == await outbox.write(lambda transaction: queue_again(transaction, 12, 4_104, system_clock()))

    def read(transaction: Transaction) -> tuple[list[tuple[object, ...]], ...]:
        queued = (
            "SELECT sequence FROM outbox WHERE state = 0 AND log_index IS NULL AND destination = ? ORDER BY sequence"
        )
        return (
            transaction.execute(queued, (NATION,)),
            transaction.execute("SELECT destination, first_index FROM delivered_run ORDER BY destination, first_index"),
            transaction.execute("SELECT destination, first_index FROM final_run ORDER BY destination, first_index"),
            transaction.execute("SELECT first_index, resumed_size FROM lost_run ORDER BY first_index"),
        )

    queued, delivered, final, lost = await outbox.read(read)
    assert [2, 3, 4, 5] == [sequence for (sequence,) in queued]
    assert (
        [(NATION, 10), ("regulator/330000", 12)] == [tuple(row) for row in delivered] == [tuple(row) for row in final]
    )
    assert [(12, 4_104), (14, 4_104)] == [tuple(row) for row in lost]


@pytest.mark.parametrize(("size", "again"), [(12, True), (4_104, True), (11, False)])
async def test_what_was_refused_for_want_of_what_was_lost_is_sent_again(
    outbox: Database, size: int, again: bool
) -> None:
    """Promise 6: a refusal by a log that lacked what came before it stops its account no longer; an earlier one stands."""
    rejection = evidence_pb2.Rejection(reason="REVISION_OUT_OF_ORDER", log_size=size).SerializeToString()
    signed = evidence_pb2.SignedRejection(rejection=rejection).SerializeToString()

    def refuse(transaction: Transaction) -> None:
        refused = "UPDATE outbox SET state = ?, rejection = ? WHERE destination = ? AND sequence = 6"
        transaction.execute(refused, (OutboxState.REJECTED, signed, NATION))

    await outbox.write(refuse)
    assert 4 + again == await outbox.write(lambda transaction: queue_again(transaction, 12, 4_104, system_clock()))
    query = "SELECT state FROM outbox WHERE destination = ? AND sequence = 6"
    ((state,),) = await outbox.read(lambda transaction: transaction.execute(query, (NATION,)))
    assert (OutboxState.QUEUED if again else OutboxState.REJECTED) == state
