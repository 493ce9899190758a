"""Batches that open one account each and are stored together: the same log and tables as one by one, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from regulator_node.prepared_batches import PreparedBatch, only_opens, prepare
from regulator_node.stored_runs import read_receipt
from shared.errors import Conflict
from shared.evidence.batches import sign_batch
from shared.evidence.hashing import leaf_hash
from shared.evidence.receipts import verify_receipt
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import intake_service_pb2
from shared.provisions.filings import FilingContext
from tests.integration.filing_samples import (
    JURISDICTION,
    PROVIDER,
    Register,
    as_request,
    made_up_entry,
    made_up_filing,
)

Answers = list[intake_service_pb2.SubmitEntriesResponse | None]


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[Register]:
    """An empty register on each engine."""
    opened = await Register.open(database_url)
    yield opened
    await opened.database.close()


def prepared(register: Register, *entries: bytes) -> PreparedBatch:
    """A batch of the provider, signed and prepared."""
    request = as_request(sign_batch(entries, PROVIDER, JURISDICTION, register.provider_key), entries)
    return prepare(request, origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=register.ring.lookup)


async def store(register: Register, *entries: bytes) -> Answers:
    """Stores entries together, each as a batch of its own."""
    openings: list[tuple[PreparedBatch, FilingContext]] = [
        (prepared(register, entry), register.context()) for entry in entries
    ]
    return await register.database.write(partial(register.intake.store_openings, openings=openings))


async def rows(register: Register, sql: str) -> list[tuple[object, ...]]:
    """What a statement reads."""
    return await register.database.read(lambda transaction: transaction.execute(sql))


async def test_each_has_a_run_and_a_receipt_of_its_own(register: Register) -> None:
    """Indexes and filed times rise one by one, every receipt verifies, and the tables hold what the log says."""
    entries = [made_up_entry(made_up_filing(new_account_id()), number) for number in (1, 2, 3)]
    answers = await store(register, *entries)
    assert [0, 1, 2] == [answer.results[0].log_index for answer in answers if answer is not None]
    for index, entry in enumerate(entries):
        receipt = await register.database.read(partial(read_receipt, jurisdiction=JURISDICTION, log_index=index))
        assert entry == verify_receipt(receipt, register.ring).entry_bytes
    runs = await rows(register, "SELECT first_index, size, filed_time FROM run ORDER BY first_index")
    filed = await rows(register, "SELECT log_index, 1, filed_time FROM filing ORDER BY log_index")
    assert runs == filed
    assert len({time for *_, time in runs}) == 3
    assert [(3,)] == await rows(register, "SELECT sequence FROM stream_position")


async def test_what_is_refused_is_left_to_be_stored_alone(register: Register) -> None:
    """Nothing of it is stored; its neighbours are, without a gap."""
    good = [made_up_entry(made_up_filing(new_account_id()), number) for number in (1, 3)]
    bad = made_up_entry(made_up_filing(new_account_id(), category="poetry"), 2)
    first, refused, last = await store(register, good[0], bad, good[1])
    assert refused is None
    assert first is not None
    assert last is not None
    assert [0, 1] == [first.results[0].log_index, last.results[0].log_index]
    assert [(0,)] == await rows(register, "SELECT COUNT(*) FROM refusal")


@pytest.mark.parametrize("twice", ["entry", "account"])
async def test_what_is_not_new_fails_the_group_and_leaves_nothing(register: Register, twice: str) -> None:
    """An entry that is in the log, or an account that is open already: the tables' keys tell."""
    account = new_account_id()
    known = made_up_entry(made_up_filing(account))
    await register.submit(known)
    again = known if twice == "entry" else made_up_entry(made_up_filing(account), 2)
    with pytest.raises(Conflict) as refused:
        await store(register, made_up_entry(made_up_filing(new_account_id()), 3), again)
    assert "STORAGE_CONFLICT" == refused.value.reason
    logged = await rows(register, "SELECT entry FROM log_entry")
    assert [leaf_hash(known)] == [
        leaf_hash(bytes(entry)) for (entry,) in logged if isinstance(entry, bytes | memoryview)
    ]


def test_only_openings_are_stored_together(register: Register) -> None:
    """An amendment, or an entry that was refused when it was read, is stored by itself."""
    opening = made_up_entry(made_up_filing(new_account_id()))
    amendment = made_up_entry(made_up_filing(new_account_id(), revision=2, action="FILING_ACTION_AMEND"))
    assert [True, False, False] == [
        only_opens(prepared(register, *entries)) for entries in ((opening,), (opening, amendment), (b"\xff",))
    ]
