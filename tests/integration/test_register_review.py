"""Review: verdicts judged one by one, decided once for ever, and on their way to the provider, on both databases."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from regulator_node.filing_filter import FilingFilter, Order
from regulator_node.filing_receipts import FilingReceipts
from regulator_node.history import FilingHistory
from regulator_node.queries import FilingQueries
from regulator_node.registered_filing import RegisteredFiling
from regulator_node.review import FILING_FIELDS, Outcome, Review, Verdict
from regulator_node.verdicts import VerdictResult
from shared.errors import Conflict, NotFound
from shared.evidence.receipts import verify_receipt
from shared.identifiers import id_text, new_account_id
from shared.provisions.policy import initial_policy
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    REGULATOR,
    Register,
    made_up_entry,
    made_up_filing,
)

_EVERYTHING, _OLDEST_FIRST = FilingFilter(), Order.OLDEST_FIRST
OFFICER = "officer/330000/reviewer/review-desk-2"
WITHDRAW = {"action": "FILING_ACTION_WITHDRAW", "withdrawal_reason": "WITHDRAWAL_REASON_CLOSED"}


class Desk:
    """A register and a desk that decides in it."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.changes = 0
        self.sequence = 0
        self.review = Review(
            register.database,
            register.log,
            lambda _: initial_policy(),
            lambda: register.now,
            feed_regions=False,
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1

    async def file(self, account_id: str = "", revision: int = 1, **changes: object) -> RegisteredFiling:
        """Has a filing taken in, and reads it."""
        self.sequence += 1
        filing = made_up_filing(account_id, revision, **changes)
        response = await self.register.submit(made_up_entry(filing, self.sequence))
        assert not response.results[0].HasField("rejection")
        return await self.read(filing.account_id)

    async def read(self, account_id: str) -> RegisteredFiling:
        """Reads an account's filing."""
        return await FilingQueries(self.register.database).get(JURISDICTION, PROVIDER, account_id)

    async def decide(self, *verdicts: Verdict, request_id: str = "") -> list[VerdictResult]:
        """Decides, by a new request if none is named."""
        return await self.review.decide(request_id or str(uuid.uuid4()), OFFICER, verdicts)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """A desk at an empty register."""
    opened = Desk(await Register.open(database_url))
    yield opened
    await opened.register.database.close()


def accept(filing: RegisteredFiling, **changes: object) -> Verdict:
    """Accepts a filing as it was read, with changes."""
    verdict = Verdict(PROVIDER, id_text(filing.account_id), filing.revision, Outcome.ACCEPTED, etag=filing.etag)
    return replace(verdict, **changes)  # type: ignore[arg-type]


def send_back(filing: RegisteredFiling, **changes: object) -> Verdict:
    """Returns a filing for correction, with changes."""
    given = {"reason": "category_mismatch", "fields": ("category",), "note": "请更正类别"} | changes
    return accept(filing, outcome=Outcome.RETURNED, **given)


async def test_decisions_are_in_the_register_the_log_and_on_their_way(desk: Desk) -> None:
    """A decision shows in the register, is a directive to its provider, and has a receipt that verifies offline."""
    first, second = await desk.file(), await desk.file()
    results = await desk.decide(accept(first), send_back(second))
    assert [VerdictResult(log_index=2), VerdictResult(log_index=3)] == results
    accepted, returned = await desk.read(id_text(first.account_id)), await desk.read(id_text(second.account_id))
    assert (2, NOW, "", "") == (accepted.state, desk.register.now, accepted.reason, accepted.fields)
    assert (3, "category_mismatch", "category", "请更正类别") == (
        returned.state,
        returned.reason,
        returned.fields,
        returned.note,
    )
    assert first.etag != accepted.etag
    directives = await desk.register.database.read(
        lambda transaction: transaction.execute("SELECT addressee, log_index FROM directive ORDER BY log_index")
    )
    assert [(PROVIDER, 2), (PROVIDER, 3)] == directives
    proof = verify_receipt(await FilingReceipts(desk.register.database).read(JURISDICTION, 3), desk.register.ring)
    assert (REGULATOR, id_text(second.account_id), 2) == (
        proof.entry.origin,
        proof.entry.filing_decision.account_id,
        proof.entry.filing_decision.outcome,
    )
    assert 1 == desk.changes


async def test_each_verdict_is_judged_by_itself(desk: Desk) -> None:
    """A verdict that cannot stand is refused with a reason of its own, and those beside it stand."""
    good, old, gone, done, changed = [await desk.file() for _ in range(5)]
    await desk.file(id_text(old.account_id), 2)
    await desk.file(id_text(gone.account_id), 2, **WITHDRAW)
    await desk.decide(accept(done))
    gone = await desk.read(id_text(gone.account_id))
    verdicts = {
        "FILING_UNKNOWN": accept(good, account_id=new_account_id()),
        "FILING_UNKNOWN ": accept(good, revision=2),
        "FILING_UNKNOWN  ": accept(good, provider="provider/other"),
        "FILING_REPLACED": accept(old),
        "FILING_WITHDRAWN": accept(gone),
        "ALREADY_DECIDED": send_back(done),
        "FILING_CHANGED": accept(changed, etag="0123456789abcdef"),
        "REASON_MISSING": send_back(changed, reason=""),
        "REASON_UNKNOWN": send_back(changed, reason="it_rains"),
        "REASON_NOT_ALLOWED": accept(changed, reason="other"),
        "REASON_NOT_ALLOWED ": accept(changed, fields=("category",)),
        "FIELD_UNKNOWN": send_back(changed, fields=("category", "real_name")),
        "IDENTITY_DATA": send_back(changed, note="请致电13800138000"),
        "": accept(good),
        "ALREADY_DECIDED ": send_back(good, account_id=id_text(good.account_id).upper()),
        " ": accept(changed, etag=""),
    }
    results = await desk.decide(*verdicts.values())
    assert [reason.strip() for reason in verdicts] == [result.error_reason for result in results]
    assert all(result.error_message for result in results if result.error_reason)
    assert all("138" not in result.error_message for result in results)
    assert 2 == sum(not result.error_reason for result in results)


async def test_a_request_that_is_sent_again_gets_the_same_answer(desk: Desk) -> None:
    """Whoever lost the answer asks again with the same id and gets it; nothing is decided twice."""
    filing = await desk.file()
    request_id = str(uuid.uuid4())
    verdicts = [accept(filing), accept(filing, account_id=new_account_id())]
    first = await desk.decide(*verdicts, request_id=request_id)
    desk.register.now = NOW.replace(year=2027)
    assert first == await desk.decide(*verdicts, request_id=request_id)
    assert 1 == len(
        await desk.register.database.read(lambda transaction: transaction.execute("SELECT * FROM directive"))
    )
    with pytest.raises(Conflict) as refused:
        await desk.decide(send_back(filing), request_id=request_id)
    assert "REQUEST_ID_REUSED" == refused.value.reason
    with pytest.raises(Conflict):
        await desk.review.decide(request_id, "officer/330000/reviewer/review-desk-3", verdicts)


async def test_of_two_officers_the_second_is_told(desk: Desk) -> None:
    """When many decide at once on the same filing, one decision stands and the others learn of it."""
    filing = await desk.file()
    answers = await asyncio.gather(*(desk.decide(accept(filing) if n % 2 else send_back(filing)) for n in range(8)))
    reasons = sorted(answer.error_reason for (answer,) in answers)
    assert ["", *["ALREADY_DECIDED"] * 7] == reasons


async def test_a_correction_can_be_decided_anew(desk: Desk) -> None:
    """A decision is final for its revision only: the corrected one is a filing like the first."""
    filing = await desk.file()
    account = id_text(filing.account_id)
    await desk.decide(send_back(filing))
    corrected = await desk.file(account, 2, category="education")
    assert [VerdictResult(log_index=3)] == await desk.decide(accept(corrected))
    history = await FilingHistory(desk.register.database).revisions(JURISDICTION, PROVIDER, account)
    assert [(2, 2), (1, 3)] == [(revision.revision, revision.state) for revision in history.filings]


async def test_five_hundred_verdicts_are_one_request(desk: Desk) -> None:
    """A desk decides a whole day at once."""
    entries = [made_up_entry(made_up_filing(), number) for number in range(1, 501)]
    await desk.register.submit(*entries)
    page = await FilingQueries(desk.register.database).search(_EVERYTHING, _OLDEST_FIRST, 500)
    results = await desk.decide(*map(accept, page.filings))
    assert list(range(500, 1000)) == [result.log_index for result in results]


async def test_fields_to_correct_are_those_of_a_filing() -> None:
    """What an officer can ask to correct is what a filing has."""
    assert {"display_name", "category", "subject_region", "uscc"} < FILING_FIELDS


async def test_what_is_not_in_a_log_has_no_receipt(desk: Desk) -> None:
    """A place in a log that nobody filed at has no receipt, and a forwarded filing has the one it came with."""
    receipts = FilingReceipts(desk.register.database)
    with pytest.raises(NotFound):
        await receipts.read(JURISDICTION, 0)
    await desk.register.database.write(
        lambda transaction: transaction.execute(
            "INSERT INTO foreign_receipt (jurisdiction, log_index, receipt) VALUES ('440000', 7, ?)", (b"proof",)
        )
    )
    assert b"proof" == await receipts.read("440000", 7)
