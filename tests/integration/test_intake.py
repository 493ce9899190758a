"""Intake on both engines: row by row, once for ever, with evidence for every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

import pytest

from regulator_node.prepared_batches import prepare
from regulator_node.replication import LogCopy
from regulator_node.stored_runs import read_receipt, read_runs
from shared.clock import micros
from shared.errors import InvalidInput, Unavailable
from shared.evidence.acknowledgements import verify_acknowledgement
from shared.evidence.batches import sign_batch
from shared.evidence.hashing import leaf_hash
from shared.evidence.keys import SigningKey
from shared.evidence.ranges import CompactRange
from shared.evidence.receipts import verify_receipt
from shared.evidence.rejections import verify_rejection
from shared.evidence.runs import verify_run
from shared.identifiers import new_account_id, new_entry_id
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2, evidence_pb2, filing_pb2, intake_service_pb2
from tests.captured_log import captured_log
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    REGULATOR,
    Register,
    as_request,
    made_up_entry,
    made_up_filing,
)

ACCEPTED = intake_service_pb2.ENTRY_OUTCOME_ACCEPTED
DUPLICATE = intake_service_pb2.ENTRY_OUTCOME_DUPLICATE
CONFLICT = intake_service_pb2.ENTRY_OUTCOME_CONFLICT
REJECTED = intake_service_pb2.ENTRY_OUTCOME_REJECTED


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[Register]:
    """An empty register on each engine."""
    opened = await Register.open(database_url)
    yield opened
    await opened.database.close()


def outcomes(response: intake_service_pb2.SubmitEntriesResponse) -> list[int]:
    """What became of each entry."""
    return [result.outcome for result in response.results]


async def count(register: Register, table: str) -> int:
    """Rows in a table."""
    rows = await register.database.read(lambda transaction: transaction.execute(f"SELECT COUNT(*) FROM {table}"))
    return int(rows[0][0])


def rejection_of(register: Register, result: intake_service_pb2.EntryResult) -> evidence_pb2.Rejection:
    """The verified refusal in a result."""
    return verify_rejection(result.rejection, register.ring.lookup)


async def test_accepted_entries_are_in_the_log_with_receipts(register: Register) -> None:
    """What is acknowledged is in the log and the tables, and its receipt verifies with pinned keys alone."""
    entries = [made_up_entry(made_up_filing(), number) for number in (1, 2, 3)]
    response = await register.submit(*entries)
    assert [ACCEPTED] * 3 == outcomes(response)
    leaves = [leaf_hash(entry) for entry in entries]
    run = verify_acknowledgement(response.acknowledgements[0], leaves, register.ring.keys_of(REGULATOR))
    assert (0, 3) == (run.first_index, run.checkpoint.size)
    for index, entry in enumerate(entries):
        receipt = await register.database.read(partial(read_receipt, jurisdiction=JURISDICTION, log_index=index))
        assert entry == verify_receipt(receipt, register.ring).entry_bytes
    assert [3, 3] == [await count(register, "log_entry"), await count(register, "filing")]


async def test_one_bad_row_never_fails_the_rest(register: Register) -> None:
    """A bad entry gets a signed refusal that names field, rule and mend; its neighbours stand."""
    bad = made_up_entry(made_up_filing(category="poetry"), 2)
    response = await register.submit(made_up_entry(made_up_filing()), bad, made_up_entry(made_up_filing(), 3))
    assert [ACCEPTED, REJECTED, ACCEPTED] == outcomes(response)
    assert [0, 1] == [response.results[0].log_index, response.results[2].log_index]
    refusal = verify_rejection(response.results[1].rejection, register.ring.lookup, leaf_hash=leaf_hash(bad))
    assert ("CATEGORY_UNKNOWN", "filing.category") == (refusal.reason, refusal.violations[0].field)
    assert [2, 1] == [await count(register, "log_entry"), await count(register, "refusal")]


async def test_replay_gets_the_first_answer_byte_for_byte(register: Register) -> None:
    """The same entries again, in other batches and 400 days later, have one effect and the first acknowledgement."""
    entries = [made_up_entry(made_up_filing(), number) for number in (1, 2, 3)]
    first = await register.submit(*entries)
    register.now = NOW + timedelta(days=400)
    again = await register.submit(entries[2], made_up_entry(made_up_filing(), 4), entries[0], licence=None)
    assert [DUPLICATE, REJECTED, DUPLICATE] == outcomes(again)
    assert [2, 0] == [again.results[0].log_index, again.results[2].log_index]
    assert list(first.acknowledgements) == list(again.acknowledgements)
    assert 3 == await count(register, "log_entry")


async def test_changed_replay_is_a_conflict(register: Register) -> None:
    """Other bytes under a known entry id change nothing, are refused and recorded."""
    entry_id = new_entry_id()
    account = new_account_id()
    await register.submit(made_up_entry(made_up_filing(account), entry_id=entry_id))
    response = await register.submit(made_up_entry(made_up_filing(account, category="sports"), entry_id=entry_id))
    assert [CONFLICT] == outcomes(response)
    assert "CONFLICT" == rejection_of(register, response.results[0]).reason
    rows = await register.database.read(lambda transaction: transaction.execute("SELECT category FROM filing"))
    assert [("lifestyle",)] == rows
    assert 1 == await count(register, "refusal")


async def test_revisions_follow_one_another_within_a_batch(register: Register) -> None:
    """Opening, amending and withdrawing in one batch stand; what follows the withdrawal is refused."""
    account = new_account_id()
    withdrawal = made_up_filing(
        account,
        3,
        action=filing_pb2.FILING_ACTION_WITHDRAW,
        withdrawal_reason=filing_pb2.WITHDRAWAL_REASON_CLOSED,
    )
    filings = [made_up_filing(account), made_up_filing(account, 2), withdrawal, made_up_filing(account, 4)]
    response = await register.submit(*(made_up_entry(filing, number) for number, filing in enumerate(filings, 1)))
    assert [ACCEPTED, ACCEPTED, ACCEPTED, REJECTED] == outcomes(response)
    assert "ACCOUNT_WITHDRAWN" == rejection_of(register, response.results[3]).reason
    late = await register.submit(made_up_entry(made_up_filing(account, 2), 9))
    assert "ACCOUNT_WITHDRAWN" == rejection_of(register, late.results[0]).reason


async def test_stale_revision_is_refused(register: Register) -> None:
    """A revision that does not follow the last is refused with the one that would."""
    account = new_account_id()
    await register.submit(made_up_entry(made_up_filing(account)))
    response = await register.submit(made_up_entry(made_up_filing(account, 3), 2))
    refusal = rejection_of(register, response.results[0])
    assert ("REVISION_OUT_OF_ORDER", "the next revision of the account is 2") == (
        refusal.reason,
        refusal.violations[0].mend,
    )


def with_unknown_field(entry: bytes) -> bytes:
    """An entry with a field that the contract does not know."""
    return entry + b"\xfa\x07\x03abc"


# A made-up number whose holder would have been born in 1885.
PLANTED = "330106188501010010"

BAD_ENTRIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "no message": (lambda: b"\xff\xff\xff", "MALFORMED_ENTRY"),
    "another message": (lambda: made_up_filing().SerializeToString(), "MALFORMED_ENTRY"),
    "nothing in it": (lambda: made_up_entry(filing_pb2.Filing()), "FIELD_VIOLATIONS"),
    "unknown field": (lambda: with_unknown_field(made_up_entry(made_up_filing())), "ENTRY_NOT_MINIMAL"),
    "a field twice": (lambda: made_up_entry(made_up_filing()) + b"\x20\x01", "ENTRY_NOT_MINIMAL"),
    "unknown enum value": (lambda: made_up_entry(made_up_filing(subject_kind=17)), "FIELD_VIOLATIONS"),
    "control character": (lambda: made_up_entry(made_up_filing(display_name="样例\u0007")), "FIELD_VIOLATIONS"),
    "line separator": (lambda: made_up_entry(made_up_filing(display_name="样例\u2028号")), "FIELD_VIOLATIONS"),
    "too long": (lambda: made_up_entry(made_up_filing(display_name="样" * 65)), "FIELD_VIOLATIONS"),
    "identity number": (lambda: made_up_entry(made_up_filing(display_name=f"样例{PLANTED}")), "IDENTITY_DATA"),
    "mobile number": (lambda: made_up_entry(made_up_filing(display_name="订餐13800138000")), "IDENTITY_DATA"),
    "somebody else's origin": (lambda: made_up_entry(made_up_filing(), origin="provider/harbour"), "ORIGIN_WRONG"),
    "another jurisdiction": (lambda: made_up_entry(made_up_filing(), jurisdiction="110000"), "JURISDICTION_WRONG"),
    "a regulator's word": (lambda: decision_entry(), "BODY_NOT_ALLOWED"),
    "far future": (lambda: made_up_entry(dated(effective_time=400)), "TIME_IN_FUTURE"),
    "long ago": (lambda: made_up_entry(dated(reviewed_time=-9000)), "TIME_TOO_EARLY"),
}


def decision_entry() -> bytes:
    """An entry in which a provider decides on its own filing."""
    entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=PROVIDER, jurisdiction=JURISDICTION, sequence=1)
    entry.created_time.FromDatetime(NOW)
    decision = decision_pb2.FilingDecision(
        provider=PROVIDER, account_id=new_account_id(), revision=1, outcome=decision_pb2.DECISION_OUTCOME_ACCEPTED
    )
    decision.decided_time.FromDatetime(NOW)
    entry.filing_decision.CopyFrom(decision)
    return entry.SerializeToString()


def dated(**days: int) -> filing_pb2.Filing:
    """A filing with one time moved, in days from now."""
    filing = made_up_filing()
    for name, value in days.items():
        getattr(filing, name).FromDatetime(NOW + timedelta(days=value))
    return filing


@pytest.mark.parametrize("name", BAD_ENTRIES)
async def test_bad_entry_is_refused_with_a_reason(register: Register, name: str) -> None:
    """Bad input is normal input: refused by a stable reason, recorded, and no value repeated; the next entry stands."""
    make, reason = BAD_ENTRIES[name]
    bad = make()
    response = await register.submit(bad, made_up_entry(made_up_filing(), 2))
    assert [REJECTED, ACCEPTED] == outcomes(response)
    refusal = verify_rejection(response.results[0].rejection, register.ring.lookup, leaf_hash=leaf_hash(bad))
    assert reason == refusal.reason
    assert all(violation.rule and violation.mend for violation in refusal.violations)
    assert not any(value in str(refusal) for value in (PLANTED, "13800138000"))


@pytest.mark.parametrize("entry", [b"\x0a\x02\xed\xa0", b"\x0a\x03\xed\xa0\x80"])
async def test_lone_surrogates_are_refused(register: Register, entry: bytes) -> None:
    """Text that is not Unicode is a malformed entry, not a crash."""
    response = await register.submit(entry)
    assert ["MALFORMED_ENTRY"] == [rejection_of(register, result).reason for result in response.results]


async def test_entry_twice_in_a_batch(register: Register) -> None:
    """The same entry twice in one batch enters the log once."""
    entry = made_up_entry(made_up_filing())
    response = await register.submit(entry, entry)
    assert [ACCEPTED, REJECTED] == outcomes(response)
    assert 1 == await count(register, "log_entry")


async def test_unsigned_batch_is_refused_whole(register: Register) -> None:
    """A batch that its sender did not sign changes nothing, whatever is wrong with the signature."""
    entry = made_up_entry(made_up_filing())
    foreign = sign_batch([entry], PROVIDER, JURISDICTION, SigningKey.generate())
    other = sign_batch([entry, entry], PROVIDER, JURISDICTION, register.provider_key)
    elsewhere = sign_batch([entry], PROVIDER, "110000", register.provider_key)
    for batch in (foreign, other, elsewhere):
        with pytest.raises(InvalidInput) as raised:
            prepare(
                as_request(batch, [entry]), origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=register.ring.lookup
            )
        assert raised.value.reason in ("BATCH_SIGNATURE", "BATCH_MISADDRESSED")
    signed = sign_batch([entry], PROVIDER, JURISDICTION, register.provider_key)
    with pytest.raises(InvalidInput) as raised:
        prepare(
            as_request(signed, [entry]),
            origin="provider/harbour",
            jurisdiction=JURISDICTION,
            key_lookup=register.ring.lookup,
        )
    assert "BATCH_MISADDRESSED" == raised.value.reason
    assert 0 == await count(register, "log_entry")


async def test_a_day_of_clock_skew(register: Register) -> None:
    """A sender whose clock is a day ahead is told to set it; within the policy's minutes its filings stand."""
    ahead = await register.submit(made_up_entry(made_up_filing()), now=NOW - timedelta(days=1))
    assert "TIME_IN_FUTURE" == rejection_of(register, ahead.results[0]).reason
    slightly = await register.submit(made_up_entry(made_up_filing(), 2), now=NOW - timedelta(hours=1, minutes=4))
    assert [ACCEPTED] == outcomes(slightly)


async def test_log_replays_to_its_signed_heads(register: Register) -> None:
    """Whoever follows the log from nothing arrives at each head that the regulator signed, partial batches included."""
    for size in (1, 3, 2):
        good = [made_up_entry(made_up_filing(), number) for number in range(1, size + 1)]
        await register.submit(*good, made_up_entry(made_up_filing(category="poetry")))
    runs = await register.database.read(lambda transaction: read_runs(transaction, JURISDICTION, 0, 10, 1 << 20))
    held = CompactRange()
    for run in runs:
        held = verify_run(run, held, register.ring.lookup, register.ring.keys_of(REGULATOR))
    assert (3, 6) == (len(runs), held.size)


async def test_high_water_mark_never_goes_back(register: Register) -> None:
    """The stream's position is the highest sequence answered, whatever comes later."""
    for sequence in (5, 2):
        await register.submit(made_up_entry(made_up_filing(), sequence))
    rows = await register.database.read(
        lambda transaction: transaction.execute("SELECT origin, sequence FROM stream_position")
    )
    assert [(PROVIDER, 5)] == rows


async def test_filed_times_always_rise(register: Register) -> None:
    """A clock that is set back never files something before what was filed: the order of the log is that of its times."""
    for hours in (0, -5, 0, 2):
        register.now = NOW + timedelta(hours=hours)
        await register.submit(made_up_entry(made_up_filing()))
    rows = await register.database.read(
        lambda transaction: transaction.execute("SELECT filed_time FROM filing ORDER BY log_index")
    )
    times = [time for (time,) in rows]
    assert (sorted(set(times)), micros(NOW + timedelta(hours=2))) == (times, times[-1])


async def test_a_log_that_is_held_back_refuses_nothing_for_good(register: Register) -> None:
    """Promise 6: a province that was put back to an earlier state lacks what a filing follows, and signs no rejection."""
    register.log.held_back = ("LOG_BEHIND", "run regulator-node recover")
    with pytest.raises(Unavailable) as raised:
        await register.submit(made_up_entry(made_up_filing(revision=2)))
    assert ("LOG_BEHIND", 0) == (raised.value.reason, await count(register, "refusal"))


async def test_a_copy_outlives_that_nothing_can_be_stored(register: Register) -> None:
    """Guards: where even the reason why following stopped cannot be stored, following goes on all the same."""
    copy = LogCopy(register.database, "440000", lambda: pytest.fail("nobody is asked"), lambda: NOW)
    await register.database.close()
    with captured_log() as lines:
        await copy.failed("PEER_SILENT")
    assert "replication_state_not_stored" in lines.getvalue()
