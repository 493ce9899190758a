"""Art. 3: a provider's history in several logs is one history to the register, on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from regulator_node.filing_filter import FilingFilter, Order
from regulator_node.history import FilingHistory
from regulator_node.prepared_batches import prepare
from regulator_node.queries import FilingQueries
from regulator_node.register import apply_entries
from regulator_node.review import Outcome, Review, Verdict
from shared.clock import micros
from shared.database import Transaction
from shared.errors import Unavailable
from shared.evidence.batches import sign_batch
from shared.identifiers import id_bytes, new_account_id, new_entry_id
from shared.pb.filingnet.network.v1 import departure_pb2, entry_pb2, filing_pb2, intake_service_pb2
from shared.provisions.policy import initial_policy
from shared.provisions.transfers import Transfers
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    Register,
    as_request,
    made_up_entry,
    made_up_filing,
)

OLD = "110000"
MOVED = Transfers(JURISDICTION, (OLD,), 1)
ACCEPTED, REJECTED = intake_service_pb2.ENTRY_OUTCOME_ACCEPTED, intake_service_pb2.ENTRY_OUTCOME_REJECTED
FILED_TIME = micros(NOW - timedelta(days=30))


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[Register]:
    """The register of the province that the provider moves to."""
    register = await Register.open(database_url)
    yield register
    await register.database.close()


def departure(number: int = 1, to: str = JURISDICTION) -> entry_pb2.Entry:
    """The provider's departure from its old log."""
    entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=PROVIDER, jurisdiction=OLD, sequence=9)
    entry.departure.CopyFrom(departure_pb2.Departure(number=number, to_jurisdiction=to))
    entry.created_time.FromDatetime(NOW)
    return entry


def filed_before(account_id: str, **changes: Any) -> entry_pb2.Entry:
    """A filing in the old log."""
    filing = made_up_filing(account_id, **changes)
    return entry_pb2.Entry.FromString(made_up_entry(filing, jurisdiction=OLD))


async def bring(register: Register, *entries: entry_pb2.Entry, first: int = 0, feed_regions: bool = False) -> None:
    """Applies entries of the old log, one after another, as they come down from the nation."""

    def work(transaction: Transaction) -> None:
        for index, entry in enumerate(entries, first):
            row = (OLD, index, entry.origin, id_bytes(entry.entry_id), entry.SerializeToString())
            transaction.insert_many("log_entry", ("jurisdiction", "log_index", "origin", "entry_id", "entry"), [row])
            apply_entries(transaction, OLD, [(index, entry)], FILED_TIME + index, feed_regions=feed_regions)

    await register.database.write(work)


async def submit(register: Register, *filings: filing_pb2.Filing) -> list[int]:
    """Has the provider that moved send filings to its new regulator."""
    entries = [made_up_entry(filing, sequence) for sequence, filing in enumerate(filings, 1)]
    request = as_request(sign_batch(entries, PROVIDER, JURISDICTION, register.provider_key), entries)
    prepared = prepare(request, origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=register.ring.lookup)
    context = register.context()
    response = await register.database.write(
        lambda transaction: register.intake.store(transaction, prepared, context, transfers=MOVED)
    )
    return [result.outcome for result in response.results]


async def test_art_3_nothing_is_taken_in_before_the_whole_history_came(register: Register) -> None:
    """Art. 3: until its departure has come, a provider that moved is told to send again, and nothing of it is refused."""
    account = new_account_id()
    await bring(register, filed_before(account))
    with pytest.raises(Unavailable) as awaited:
        await submit(register, made_up_filing(account, 2))
    assert "HISTORY_AWAITED" == awaited.value.reason
    await bring(register, departure(), first=1)
    assert [ACCEPTED, REJECTED] == await submit(
        register, made_up_filing(account, 2), made_up_filing(new_account_id(), 2)
    )


async def test_art_3_revisions_in_two_logs_are_one_account(register: Register) -> None:
    """Art. 3: search shows an account once, history all of it, and the register as of an earlier time what held then."""
    account, other = new_account_id(), new_account_id()
    await bring(register, filed_before(account), filed_before(other), departure())
    assert [ACCEPTED] == await submit(register, made_up_filing(account, 2, display_name="搬家以后"))
    queries, history = FilingQueries(register.database), FilingHistory(register.database)
    page = await queries.search(FilingFilter(provider=PROVIDER), Order.NEWEST_FIRST)
    assert [(1, OLD), (2, JURISDICTION)] == sorted((each.revision, each.jurisdiction) for each in page.filings)
    for place in (OLD, JURISDICTION):
        assert 2 == (await queries.get(place, PROVIDER, account)).revision
        revisions = (await history.revisions(place, PROVIDER, account)).filings
        assert [(2, JURISDICTION), (1, OLD)] == [(each.revision, each.jurisdiction) for each in revisions]
    before = micros(NOW) - 1
    page = await queries.search(FilingFilter(provider=PROVIDER, as_of=before), Order.NEWEST_FIRST)
    assert [(1, OLD)] * 2 == [(each.revision, each.jurisdiction) for each in page.filings]
    page = await queries.search(
        FilingFilter(provider=PROVIDER, as_of=micros(NOW + timedelta(days=1))), Order.NEWEST_FIRST
    )
    assert [(1, OLD), (2, JURISDICTION)] == sorted((each.revision, each.jurisdiction) for each in page.filings)


async def test_art_3_the_new_regulator_decides_on_what_was_filed_before(register: Register) -> None:
    """Art. 3: its decision stands in its own log and is shown by the filing in the old one; of another's, it decides not."""
    account, elsewhere = new_account_id(), new_account_id()
    review = Review(
        register.database,
        register.log,
        lambda time: initial_policy(),
        lambda: NOW,
        feed_regions=False,
        on_change=lambda: None,
    )
    await bring(register, filed_before(account))
    verdict = Verdict(PROVIDER, account, 1, Outcome.ACCEPTED)
    (unknown,) = await review.decide(new_entry_id(), "officer", [verdict])
    await bring(register, departure(), first=1)
    (decided,) = await review.decide(new_entry_id(), "officer", [verdict])
    filing = await FilingQueries(register.database).get(OLD, PROVIDER, account)
    assert ("FILING_UNKNOWN", "", 2) == (unknown.error_reason, decided.error_reason, filing.state)
    await bring(register, departure(2, "440000"), filed_before(elsewhere), first=2)
    (gone,) = await review.decide(new_entry_id(), "officer", [Verdict(PROVIDER, elsewhere, 1, Outcome.ACCEPTED)])
    assert "FILING_UNKNOWN" == gone.error_reason


async def test_art_3_the_nation_feeds_the_whole_history_and_the_departure_last(register: Register) -> None:
    """Art. 3: the province that the provider moves to is sent all of it once; the regions of its subjects, that it left."""
    accounts = [new_account_id() for _ in range(3)]
    regions = ("440000", JURISDICTION, OLD)
    filings = [filed_before(account, subject_region=region) for account, region in zip(accounts, regions, strict=True)]
    await bring(register, *filings, departure(), feed_regions=True)

    def fed(transaction: Transaction) -> list[tuple[str, int]]:
        rows = transaction.execute("SELECT region, log_index FROM region_feed ORDER BY region, position")
        return [(str(region), int(index)) for region, index in rows]

    expected = [(JURISDICTION, 1), *((JURISDICTION, index) for index in range(4))]
    assert [*expected, ("440000", 0), ("440000", 3)] == await register.database.read(fed)
