"""Complaints that come straight to a regulator: joined or not, followed by a code, and sealed, on both databases."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from regulator_node.case_fold import ShownState
from regulator_node.case_queries import CaseFilter, CaseView
from regulator_node.complaint_words import KEY_FILE, ComplaintWords
from regulator_node.public_servicer import NewComplaint
from shared.errors import Conflict, Internal, NotFound
from shared.identifiers import id_text, new_account_id
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.provisions.escalations import CaseKind
from tests.integration.case_samples import REPORT_CODE, Provinces, made_up_answer, made_up_report
from tests.integration.filing_samples import NOW, PROVIDER, REGULATOR

WORDS = "这个公众号发布的消息不真实"
ITEM = "https://wave.example/items/1"


def complaint(account_id: str, report_code: str = "", request_id: str = "") -> NewComplaint:
    """A made-up complaint."""
    return NewComplaint(request_id or str(uuid.uuid4()), account_id, 7, ITEM, report_code, WORDS)


async def only_case(both: Provinces, kind: int = CaseKind.COMPLAINT) -> CaseView:
    """Reads the only case of a kind at the province."""
    (case,) = (await both.cases.search(CaseFilter(kind=kind))).cases
    return case


async def test_answer_2_a_complaint_is_joined_to_the_report_of_its_code(both: Provinces) -> None:
    """With the provider's tracking code the complaint follows the case of the report; no second case is opened."""
    report = made_up_report(await both.file())
    await both.tell(report)
    taken = await both.office.complaints.submit(complaint(report.account_id, REPORT_CODE))
    assert taken.joined
    case = await both.case_of(report)
    assert [case.file.case_id] == [each.file.case_id for each in (await both.cases.search(CaseFilter())).cases]
    assert (ITEM, WORDS) == await both.office.complaints.words_of(case.file)
    await both.decide(case, pb.ESCALATION_OUTCOME_DISMISSED, "not_verified")
    told = await both.office.complaints.get(taken.tracking_code)
    assert ("dismissed", "not_verified", None) == (told.state, told.outcome, told.due_time)


async def test_answer_2_a_case_came_in_when_its_log_says_and_every_copy_has_it_so(both: Provinces) -> None:
    """Guards: a clock that was set back does not make the case older here than the run in which it entered the log."""
    account = await both.file()
    both.register.now -= timedelta(hours=1)
    await both.office.complaints.submit(complaint(account))
    here = await only_case(both)
    there = await both.at_nation(here)
    assert (here.file.received_time, here.standing.due_time) == (there.file.received_time, there.standing.due_time)
    assert [each.time for each in here.happened] == [each.time for each in there.happened]


async def test_answer_2_a_complaint_that_no_report_fits_has_a_case_of_its_own(both: Provinces) -> None:
    """A code of another account's report joins nothing: the complaint is heard by itself, to its end."""
    report = made_up_report(await both.file())
    await both.tell(report)
    account = await both.file()
    taken = await both.office.complaints.submit(complaint(account, REPORT_CODE))
    assert not taken.joined
    case = await only_case(both)
    assert (PROVIDER, account, ShownState.OPEN, REGULATOR) == (
        case.file.provider,
        id_text(case.file.account_id),
        case.standing.shown,
        case.responsible,
    )
    assert "open" == (await both.office.complaints.get(taken.tracking_code)).state
    await both.decide(case, pb.ESCALATION_OUTCOME_VERIFIED, "false_information")
    assert "verified" == (await both.office.complaints.get(taken.tracking_code)).state
    (directive,) = await both.directives()
    await both.tell(made_up_answer(case, 1, directive.entry_id, pb.ORDER_ANSWER_DONE, NOW))
    assert "closed" == (await both.office.complaints.get(taken.tracking_code)).state


async def test_answer_2_a_complaint_left_undecided_rises_to_the_nation(both: Provinces) -> None:
    """The nation's copy knows a province's complaint, without its words, and takes it over when its time runs out."""
    taken = await both.office.complaints.submit(complaint(await both.file()))
    both.register.now = NOW + timedelta(days=30)
    risen = await both.at_nation(await only_case(both))
    assert (ShownState.AT_NATION, PROVIDER) == (risen.standing.shown, risen.file.provider)
    assert ("", "") == await both.nation_office.complaints.words_of(risen.file)
    assert "at_nation" == (await both.office.complaints.get(taken.tracking_code)).state


async def test_answer_2_a_complaint_sent_again_is_taken_once(both: Provinces) -> None:
    """The same request, also twice at once, gets the same code; other words under its id are refused."""
    account, request = await both.file(), str(uuid.uuid4())
    first, again = await asyncio.gather(
        *(both.office.complaints.submit(complaint(account, request_id=request)) for _ in range(2))
    )
    assert first == again
    await only_case(both)
    with pytest.raises(Conflict) as error:
        await both.office.complaints.submit(complaint(await both.file(), request_id=request))
    assert "REQUEST_ID_REUSED" == error.value.reason


async def test_answer_2_what_is_not_known_is_not_found(both: Provinces) -> None:
    """A complaint about an account that is on file nowhere, and a wrong code, are answered with the mend."""
    with pytest.raises(NotFound) as account:
        await both.office.complaints.submit(complaint(new_account_id()))
    with pytest.raises(NotFound) as code:
        await both.office.complaints.get(REPORT_CODE)
    assert ["ACCOUNT_UNKNOWN", "COMPLAINT_UNKNOWN"] == [account.value.reason, code.value.reason]


async def test_art_5_2_the_words_are_sealed_and_in_no_log(both: Provinces) -> None:
    """Neither the register's tables nor the log hold the words, the address or the code; the key's file is its owner's."""
    taken = await both.office.complaints.submit(complaint(await both.file()))
    rows = await both.register.database.read(
        lambda transaction: [
            *transaction.execute("SELECT * FROM complaint"),
            *transaction.execute("SELECT * FROM request"),
            *transaction.execute("SELECT * FROM case_file"),
            *transaction.execute("SELECT entry FROM log_entry"),
        ]
    )
    kept = b"|".join(
        bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode() for row in rows for value in row
    )
    assert [False] * 3 == [text.encode() in kept for text in (WORDS, ITEM, taken.tracking_code)]
    key_file = both.folder / "province" / KEY_FILE
    assert 0o600 == key_file.stat().st_mode & 0o777
    assert ComplaintWords.load(key_file.parent).tracking_code(bytes(16)) == (
        ComplaintWords.load(key_file.parent).tracking_code(bytes(16))
    )


def test_art_5_2_words_open_only_where_they_were_sealed(tmp_path: Path) -> None:
    """A sealed text that was moved to another complaint or column, or is read under another key, does not open."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    words, other = ComplaintWords.load(tmp_path / "one"), ComplaintWords.load(tmp_path / "two")
    sealed = words.seal(bytes(16), "statement", WORDS)
    assert WORDS == words.open(bytes(16), "statement", sealed)
    for key, complaint_id, column in ((words, bytes(15) + b"1", "statement"), (words, bytes(16), "item")):
        with pytest.raises(Internal):
            key.open(complaint_id, column, sealed)
    with pytest.raises(Internal):
        other.open(bytes(16), "statement", sealed)
