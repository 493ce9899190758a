"""Entries of logs go when their time is over (Art. 8(2)), on both databases; what is left proves all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regulator_node.entry_sources import entry_sources
from regulator_node.follow_servicer import read_region
from regulator_node.record_sources import record_sources
from regulator_node.replication import RegionCopy
from regulator_node.stored_runs import read_receipt
from shared.database import Database, open_database, sqlite_url
from shared.errors import NotFound
from shared.evidence.disposals import verify_disposal
from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.receipts import verify_receipt
from shared.evidence.rejections import verify_rejection
from shared.identifiers import id_bytes, new_account_id
from shared.pb.filingnet.network.v1 import entry_pb2, intake_service_pb2
from shared.provisions.policy import initial_policy
from shared.provisions.retention import SCOPES_OF_REGULATOR, Hold, HoldScope, RecordClass
from shared.records.disposal import UPKEEP, Disposals
from tests.integration.entry_disposal_samples import (
    ALL_CLASSES,
    LONG_AFTER,
    NAME,
    NATION,
    WITHDRAW,
    Copied,
    copied,
    verified,
)
from tests.integration.filing_samples import JURISDICTION, MIGRATIONS, PROVIDER, REGULATOR, made_up_filing
from tests.integration.filing_samples import made_up_entry as filing_entry
from tests.integration.label_samples import body_entry, made_up_grant, new_id
from tests.integration.test_intake_kinds import warning

DESK, ELSEWHERE = "desk-1", "regulator/440000"
OF_ACCOUNT = ("filing", "label", "measure", "escalation_thread", "label_grant", "account_entry", "directive")


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[Copied]:
    """A province on each engine, and the nation's copy."""
    async with copied(database_url, tmp_path) as opened:
        yield opened


async def over(both: Copied) -> list[bytes]:
    """An account whose life is over for long, and one that is on file; returns the entries of the first."""
    ended = await both.life()
    await both.life(withdrawn=False)
    await both.follow()
    both.register.now += LONG_AFTER
    return ended


async def test_art_8_2_a_withdrawn_accounts_entries_go_and_the_log_verifies(both: Copied) -> None:
    """Art. 8(2): bytes and rows are gone, the tree, each run and every other entry verify, and it is said how many."""
    ended = await over(both)
    before, size = await both.verified(), len(await both.select("SELECT 1 FROM log_entry"))
    standing = {each.record_class: each.due for each in await both.disposals.due() if each.record_class.of_log}
    assert {RecordClass.LABEL_ENTRY: 2, RecordClass.ESCALATION_ENTRY: 1, RecordClass.FILING_ENTRY: 0} == standing
    made = await both.disposals.dispose(UPKEEP)
    assert ALL_CLASSES == [each.record_class for each in made]
    assert [2, 1, 3] == [each.records for each in made]
    after = await both.verified()
    assert (before.size, before.root, before.heads, 6) == (after.size, after.root, after.heads, after.disposed)
    found = await both.checked()
    assert ([], {JURISDICTION: 6}) == (found.rows(), found.disposed)
    account = id_bytes(entry_pb2.Entry.FromString(ended[0]).filing.account_id)
    for table in ("filing", "label", "label_grant", "measure", "escalation_thread", "account_entry"):
        assert [] == await both.select(f"SELECT 1 FROM {table} WHERE account_id = ?", account), table
    assert 1 == len(await both.select("SELECT 1 FROM directive"))
    assert 6 == len(await both.select("SELECT 1 FROM log_entry WHERE entry = ?", b""))
    assert size == len(await both.select("SELECT 1 FROM log_entry"))
    assert [] == await both.disposals.dispose(UPKEEP)


async def test_art_8_2_a_replay_of_a_disposed_entry_gets_its_first_answer(both: Copied) -> None:
    """Promise 2: years later, byte for byte, and without effect; the same id with other bytes is a conflict still."""
    entry = filing_entry(made_up_filing(display_name=NAME))
    account = entry_pb2.Entry.FromString(entry).filing.account_id
    first = await both.submit(entry)
    await both.submit(filing_entry(made_up_filing(account, 2, **WITHDRAW), 2))
    await both.follow()
    both.register.now += LONG_AFTER
    assert [2] == [each.records for each in await both.disposals.dispose(UPKEEP)]
    for as_new in (True, False):
        again = await both.register.submit(entry)
        assert [intake_service_pb2.ENTRY_OUTCOME_DUPLICATE] == [each.outcome for each in again.results], as_new
        assert list(first.acknowledgements) == list(again.acknowledgements)
        assert (0, 0) == (again.results[0].log_index, again.results[0].acknowledgement)
    other = entry_pb2.Entry.FromString(entry)
    other.filing.category = "sports"
    answer = await both.register.submit(other.SerializeToString())
    assert [intake_service_pb2.ENTRY_OUTCOME_CONFLICT] == [each.outcome for each in answer.results]
    assert [] == await both.select("SELECT 1 FROM filing")
    assert (2, 2) == ((await both.verified()).size, (await both.verified()).disposed)


async def test_art_8_2_an_account_that_ended_begins_no_second_life(both: Copied) -> None:
    """Art. 8(2): its id is refused as before its disposal, alone or among others; who holds the first life stores no other,
    and whoever copies the log goes on."""
    account = entry_pb2.Entry.FromString((await over(both))[0]).filing.account_id
    await both.disposals.dispose(UPKEEP)
    # By then the sample's licence has lapsed.
    both.register.now -= LONG_AFTER
    again = [made_up_filing(account, revision) for revision in (1, 2, 3)]
    fresh = made_up_filing()
    response = await both.register.submit(*(filing_entry(each, 9) for each in (again[0], fresh)))
    assert ["ACCOUNT_WITHDRAWN", ""] == [
        verify_rejection(each.rejection, both.ring.lookup).violations[0].rule if each.HasField("rejection") else ""
        for each in response.results
    ]
    for each in again:
        (result,) = (await both.register.submit(filing_entry(each, 10))).results
        assert intake_service_pb2.ENTRY_OUTCOME_REJECTED == result.outcome
    label = body_entry("label_grant", made_up_grant(account, new_id()), sequence=11)
    assert ["ACCOUNT_WITHDRAWN"] == both.office.reasons(await both.register.submit(label))
    assert [] == await both.select("SELECT 1 FROM filing WHERE account_id = ?", id_bytes(account))
    await both.follow()
    for database in (both.register.database, both.nation):
        assert [] == (await both.checked(database)).rows()
    assert 2 == len(await both.select("SELECT 1 FROM filing WHERE account_id = ?", id_bytes(account), at=both.nation))


async def test_art_8_2_nothing_of_a_live_account_goes(both: Copied) -> None:
    """Art. 8(2): an account on file keeps every revision, every ended label and every measure, however old."""
    await both.life(withdrawn=False)
    await both.follow()
    both.register.now += 10 * LONG_AFTER
    assert [] == await both.disposals.dispose(UPKEEP)
    assert [0, 0, 0] == [each.due for each in await both.disposals.due() if each.record_class.of_log]


async def test_art_8_2_a_policy_without_a_period_keeps_entries_for_ever(both: Copied) -> None:
    """Art. 8(2): the general period of records does not reach the log; a period for one class lets that class go alone."""
    await over(both)
    policy = initial_policy()
    of_log = {each.period_name for each in RecordClass if each.of_log}
    silent = tuple(each for each in policy.periods if each.name not in of_log)
    both.policies = (replace(policy, periods=silent),)
    assert "record_retention" in {each.name for each in silent}
    both.register.now += 10 * LONG_AFTER
    assert [] == await both.disposals.dispose(UPKEEP)
    label = next(each for each in policy.periods if each.name == RecordClass.LABEL_ENTRY.period_name)
    both.policies = (replace(policy, periods=(*silent, label)),)
    assert [RecordClass.LABEL_ENTRY] == [each.record_class for each in await both.disposals.dispose(UPKEEP)]
    assert ([], 2) == ((await both.checked()).rows(), (await both.verified()).disposed)


@pytest.mark.parametrize("scope", [HoldScope.ACCOUNT, HoldScope.CLASS, HoldScope.ESCALATION])
async def test_art_8_2_a_hold_keeps_entries(both: Copied, scope: HoldScope) -> None:
    """Art. 8(2): under a hold on the account, its escalation or the class nothing of it goes; filings never before."""
    ended = await over(both)
    account = entry_pb2.Entry.FromString(ended[0]).filing.account_id
    measure = entry_pb2.Entry.FromString(ended[2]).escalation.escalation_id
    targets = {HoldScope.ACCOUNT: account, HoldScope.ESCALATION: measure, HoldScope.CLASS: ""}
    of_class = RecordClass.ESCALATION_ENTRY if scope is HoldScope.CLASS else RecordClass.UNSPECIFIED
    hold = Hold(new_account_id(), scope, of_class, targets[scope])
    await both.disposals.place(hold, "court_order", DESK)
    gone = [] if scope is HoldScope.ACCOUNT else [RecordClass.LABEL_ENTRY]
    assert gone == [each.record_class for each in await both.disposals.dispose(UPKEEP)]
    standing = {each.record_class: (each.due, each.held) for each in await both.disposals.due()}
    assert (0, 1) == standing[RecordClass.ESCALATION_ENTRY]
    assert 0 == standing[RecordClass.FILING_ENTRY][0]
    await both.disposals.lift(hold.hold_id, "court_done", DESK)
    made = await both.disposals.dispose(UPKEEP)
    assert [each for each in ALL_CLASSES if each not in gone] == [each.record_class for each in made]
    assert 6 == (await both.verified()).disposed


async def test_art_8_2_a_measure_that_is_not_over_keeps_all_of_its_account(both: Copied) -> None:
    """Art. 8(2): a label that ended goes; a measure still in force, and with it the filings, stay until it has ended."""
    account, measure = new_id(), new_id()
    await both.submit(filing_entry(made_up_filing(account)))
    long = warning(account, measure)
    long.measure.end_time.FromDatetime(both.register.now + timedelta(days=30))
    await both.submit(body_entry("escalation", long, sequence=2))
    await both.submit(filing_entry(made_up_filing(account, 2, **WITHDRAW), 3))
    await both.follow()
    # Three years after the withdrawal, and less than that after the measure, against which nobody can appeal any more.
    both.register.now += timedelta(days=3 * 365 + 10)
    assert [] == await both.disposals.dispose(UPKEEP)
    both.register.now += timedelta(days=60)
    made = await both.disposals.dispose(UPKEEP)
    assert [RecordClass.ESCALATION_ENTRY, RecordClass.FILING_ENTRY] == [each.record_class for each in made]


async def test_art_8_2_what_the_nation_has_not_copied_stays(both: Copied) -> None:
    """Art. 8(2): a nation that is away for years still gets every byte; afterwards the province disposes of its own."""
    await both.life()
    both.register.now += LONG_AFTER
    assert [] == await both.disposals.dispose(UPKEEP)
    await both.follow()
    assert 3 == len(await both.disposals.dispose(UPKEEP))
    assert 0 == (await both.verified(both.nation)).disposed


async def test_art_8_2_each_regulator_disposes_of_its_copy_under_its_own_certificate(both: Copied) -> None:
    """Art. 8(2): the nation keeps its copy until it disposes of it itself; its copy then verifies by its certificates."""
    await over(both)
    await both.disposals.dispose(UPKEEP)
    assert ([], {}) == ((await both.checked(both.nation)).rows(), (await both.checked(both.nation)).disposed)
    made = await both.nation_disposals.dispose(UPKEEP)
    assert [2, 1, 3] == [each.records for each in made]
    found = await both.checked(both.nation)
    assert ([], {JURISDICTION: 6}) == (found.rows(), found.disposed)
    assert await both.verified() == await both.verified(both.nation)
    proof = await both.nation_disposals.proof(1)
    certificate = verify_disposal(proof.SerializeToString(), both.ring.lookup).certificate
    assert (NATION, 1) == (certificate.node, certificate.number)
    nodes = {row[0] for row in await both.select("SELECT node FROM disposed_entry", at=both.nation)}
    assert {NATION} == nodes


async def test_art_8_2_a_new_follower_applies_nothing_of_what_is_gone(both: Copied, tmp_path: Path) -> None:
    """Art. 8(2): it verifies every run, holds the same tree and the certificates, and makes the same register."""
    await over(both)
    await both.disposals.dispose(UPKEEP)
    late = open_database(sqlite_url(tmp_path / "late.db"), MIGRATIONS)
    try:
        await both.follow(late)
        assert await both.verified() == await both.verified(late)
        found = await both.checked(late)
        assert ([], {JURISDICTION: 6}) == (found.rows(), found.disposed)
        for table in OF_ACCOUNT:
            mine, theirs = (
                await both.select(f"SELECT * FROM {table}"),
                await both.select(f"SELECT * FROM {table}", at=late),
            )
            assert sorted(map(repr, _plain(mine))) == sorted(map(repr, _plain(theirs))), table
        ids = "SELECT log_index, origin, entry_id FROM log_entry ORDER BY log_index"
        assert _plain(await both.select(ids)) == _plain(await both.select(ids, at=late))
        # By then the sample's licence has lapsed.
        both.register.now -= LONG_AFTER
        await both.life()
        await both.follow(late)
        assert await both.verified() == await both.verified(late)
    finally:
        await late.close()


async def test_art_8_2_receipts_of_neighbours_stand_and_a_disposed_one_is_told(both: Copied) -> None:
    """Promise 3: the receipt of an entry beside disposed ones verifies; for a disposed one the reason is stable."""
    await over(both)
    runs = await both.runs()
    await both.disposals.dispose(UPKEEP)
    (kept,) = [run.first_index for run in runs if len(run.entries) == 3 and run.first_index > 0]
    for offset in range(3):
        receipt = await both.register.database.read(
            lambda transaction, index=kept + offset: read_receipt(transaction, JURISDICTION, index)  # type: ignore[misc]
        )
        assert kept + offset == verify_receipt(receipt, both.ring).log_index
    with pytest.raises(NotFound) as refused:
        await both.register.database.read(lambda transaction: read_receipt(transaction, JURISDICTION, 0))
    assert "ENTRY_DISPOSED_OF" == refused.value.reason


async def test_art_8_2_bytes_that_are_gone_without_a_certificate_are_damage(both: Copied) -> None:
    """Promise 4: an entry that somebody emptied is named, offline and by fsck; a certificate of another does not help."""
    await over(both)
    await both.disposals.dispose(UPKEEP)
    (live,) = await both.select("SELECT MIN(log_index) FROM log_entry WHERE entry <> ?", b"")
    where = "jurisdiction = ? AND log_index = ?"

    await _change(both, f"UPDATE log_entry SET entry = ? WHERE {where}", b"", JURISDICTION, live[0])
    with pytest.raises(UnusableProof):
        await both.verified()
    problems = [(each.table, each.problem) for each in (await both.checked()).problems]
    assert ("log_entry", "its bytes are gone, and no certificate says why") in problems

    copied_row = "SELECT ?, ?, node, number, position, record, path FROM disposed_entry WHERE log_index = 0"
    await _change(both, f"INSERT INTO disposed_entry {copied_row}", JURISDICTION, live[0])
    with pytest.raises(ProofError):
        await both.verified()
    assert "its certificate covers another entry" in [each.problem for each in (await both.checked()).problems]


async def test_art_8_2_no_bit_of_what_stands_for_an_entry_can_change(both: Copied) -> None:
    """Promise 3: leaf hash, index, position, path, certificate and signature: whatever is changed is refused."""
    await over(both)
    await both.disposals.dispose(UPKEEP)
    runs = await both.runs()
    assert 6 == verified(runs, both.ring).disposed
    place = next(number for number, run in enumerate(runs) if len(run.disposed) == 3)
    for part in ("record", "path", "certificate", "signature", "position", "offset", "which", "node", "class"):
        run = type(runs[place]).FromString(runs[place].SerializeToString())
        disposed, signed = run.disposed[1], run.certificates[run.disposed[1].certificate]
        if part == "record":
            disposed.record = disposed.record[:-1] + bytes([disposed.record[-1] ^ 1])
        elif part == "path":
            longest = max(run.disposed, key=lambda each: len(each.path))
            longest.path = longest.path[:-1] + bytes([longest.path[-1] ^ 1])
        elif part == "certificate":
            signed.certificate = signed.certificate[:-1] + bytes([signed.certificate[-1] ^ 1])
        elif part == "signature":
            signed.signature = bytes([signed.signature[0] ^ 1]) + signed.signature[1:]
        elif part == "position":
            run.disposed[0].position ^= 1
        elif part == "offset":
            run.disposed[0].offset, disposed.offset = disposed.offset, run.disposed[0].offset
        elif part == "which":
            disposed.certificate = (disposed.certificate + 1) % len(run.certificates)
        elif part == "node":
            del run.certificates[:]
        else:
            del run.disposed[1]
        with pytest.raises(ProofError):
            verified([*runs[:place], run, *runs[place + 1 :]], both.ring)


async def test_art_8_2_a_certificate_of_another_node_does_not_cover_an_entry(both: Copied) -> None:
    """Promise 4: only the regulator of a log, or the nation, may dispose of what is in it."""
    await over(both)
    other = SigningKey.generate()
    sources = entry_sources(JURISDICTION, ELSEWHERE)
    policies, clock = (initial_policy(),), lambda: both.register.now
    database = both.register.database
    disposals = Disposals(database, ELSEWHERE, other, lambda: policies, sources, SCOPES_OF_REGULATOR, clock)
    assert 3 == len(await disposals.dispose(UPKEEP))
    ring = KeyRing(
        {ELSEWHERE: [other.verifying_key], **{name: both.ring.keys_of(name) for name in (PROVIDER, REGULATOR)}}
    )
    with pytest.raises(ProofError, match="may not dispose"):
        verified(await both.runs(), ring)


async def test_art_8_2_a_region_is_told_of_what_is_gone_and_applies_nothing(both: Copied, tmp_path: Path) -> None:
    """Art. 3: in place of a receipt comes the certificate, which proves itself; what a region disposed of stays gone."""
    await both.life()
    await both.follow()
    await _change(
        both, "INSERT INTO region_feed SELECT ?, log_index + 1, jurisdiction, log_index FROM log_entry", "440000"
    )
    read = partial(read_region, region="440000", cursor=0)
    told = await both.register.database.read(read)
    assert (6, 6) == (len(told.entries), told.cursor)
    async with region(both, tmp_path / "region.db") as (database, copy, disposals):
        await copy.store(told)
        assert 2 == len(await both.select("SELECT 1 FROM filing", at=database))
        both.register.now += LONG_AFTER
        await both.disposals.dispose(UPKEEP)
        gone = await both.register.database.read(read)
        for forwarded in gone.entries:
            assert not forwarded.HasField("receipt")
            verify_disposal(forwarded.disposed.SerializeToString(), both.ring.lookup)
        assert [2, 1, 3] == [each.records for each in await disposals.dispose(UPKEEP)]
        for page in (told, gone):
            await copy.store(page)
            for table in (*OF_ACCOUNT, "foreign_receipt"):
                assert [] == await both.select(f"SELECT 1 FROM {table}", at=database), table
    async with region(both, tmp_path / "late.db") as (database, copy, _):
        await copy.store(gone)
        assert (6, []) == (await copy.cursor(), await both.select("SELECT 1 FROM filing", at=database))


@asynccontextmanager
async def region(both: Copied, file: Path) -> AsyncIterator[tuple[Database, RegionCopy, Disposals]]:
    """The register of another province, which follows the nation's feed, and its disposals."""
    database, clock = open_database(sqlite_url(file), MIGRATIONS), lambda: both.register.now
    directory: Any = SimpleNamespace(key_ring=lambda: both.ring)
    sources, key = record_sources("440000"), SigningKey.generate()
    disposals = Disposals(database, ELSEWHERE, key, lambda: both.policies, sources, SCOPES_OF_REGULATOR, clock)
    yield database, RegionCopy(database, lambda: directory, clock), disposals
    await database.close()


def _plain(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [tuple(bytes(each) if isinstance(each, memoryview) else each for each in row) for row in rows]


async def _change(both: Copied, sql: str, *values: object) -> None:
    await both.register.database.write(lambda transaction: transaction.execute(sql, values))
