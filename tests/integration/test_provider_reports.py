"""Reports from the public at a provider (Art. 5(3)): taken in sealed, joined, answered, settled, told by code."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from provider_node.reports import ToldReport
from shared.clock import micros
from shared.errors import Conflict, InvalidInput
from shared.identifiers import new_account_id
from shared.provisions.directives import EscalationOutcome
from shared.provisions.escalations import Party
from shared.provisions.reports import ReportState
from tests.integration.oversight_samples import ACTOR, DIGEST, HOUR, URL, Supervised, refusal, served, supervised
from tests.integration.provider_samples import files_with, made_up_network, planted_person

CROCKFORD = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
WORDS = "样例举报之言"


def actions(told: ToldReport) -> list[tuple[str, str, str]]:
    """What happened to a report, by whom, and why."""
    return [(event.action, event.actor, event.reason) for event in told.events]


async def test_art_5_3_report_is_taken_in_with_its_clocks(made: Supervised) -> None:
    """Art. 5(3): a report is received with an opaque code and due times by policy; nothing leaves."""
    told, code, joined = await made.report()
    answer_due = (made.now + 24 * HOUR).timestamp() * 1e6
    assert (ReportState.RECEIVED, 1, URL, DIGEST, answer_due, False) == (
        told.report.state,
        told.report.reports,
        told.report.item_url,
        told.report.item_digest,
        told.due.first_answer,
        joined,
    )
    assert (26, set()) == (len(code), set(code) - CROCKFORD)
    assert ([("received", "public", "")], []) == (actions(told), await made.told())
    assert "ACCOUNT_NOT_FOUND" == await refusal(made.report(account_id=new_account_id()))
    assert "ITEM_WRONG" == await refusal(made.report(item_digest=b""))
    whole, _, _ = await made.report(item_url="", item_digest=b"")
    assert ("", b"") == (whole.report.item_url, whole.report.item_digest)


async def test_art_5_3_reports_of_one_item_in_one_matter_are_joined(made: Supervised) -> None:
    """Art. 5(3): the same account, item and baseline are joined while open; each reporter has a code of its own."""
    first, code, _ = await made.report()
    made.later(HOUR)
    second, other_code, joined = await made.report(statement="同样的消息")
    assert (first.report.report_id, 2, True) == (second.report.report_id, second.report.reports, joined)
    assert code != other_code
    assert first.due == second.due
    for changed in ({"baseline": 6}, {"item_digest": b"j" * 32}, {"item_url": "", "item_digest": b""}):
        apart, _, joined = await made.report(**changed)
        assert (True, False) == (apart.report.report_id != first.report.report_id, joined)
    await made.oversight.reports.settle(first.report.report_id, ACTOR, "no_violation", "")
    anew, _, joined = await made.report()
    assert (True, False) == (anew.report.report_id != first.report.report_id, joined)
    outcomes = [await made.oversight.reports.outcome(each) for each in (code, other_code)]
    assert [("no_violation", HOUR), ("no_violation", timedelta(0))] == [
        (each.report.outcome, timedelta(microseconds=outcomes[1].received_time - each.received_time))
        for each in outcomes
    ]


async def test_art_5_3_reporter_hears_by_code_alone(made: Supervised) -> None:
    """Art. 5(3): state, answer and outcome by tracking code; a code that nobody was given tells nothing."""
    told, code, _ = await made.report()
    report_id, reports = told.report.report_id, made.oversight.reports
    await reports.answer(report_id, ACTOR, "已受理,正在核实", told.report.etag)
    answered = await reports.outcome(code)
    assert (ReportState.ANSWERED, "", "已受理,正在核实") == (
        answered.report.state,
        answered.report.outcome,
        answered.answer,
    )
    await reports.settle(report_id, ACTOR, "item_removed", "")
    assert "item_removed" == (await reports.outcome(code)).report.outcome
    assert "TRACKING_CODE_UNKNOWN" == await refusal(reports.outcome("0" * 26))
    assert "IDENTITY_DATA" == await refusal(reports.answer(report_id, ACTOR, "请致电13800001234", ""))


async def test_art_5_3_request_sent_again_gets_its_code_again(made: Supervised) -> None:
    """Promise 2: a retry gets the same report and the same code, although only the code's digest is stored."""
    request_id = new_account_id()
    first = await made.report(request_id=request_id)
    again = await made.report(request_id=request_id)
    assert (first[0].report.report_id, 1, first[1:]) == (again[0].report.report_id, again[0].report.reports, again[1:])
    with pytest.raises(InvalidInput):
        await made.report(request_id=request_id, statement="另一份")


async def test_art_5_2_words_are_read_for_a_purpose_and_audited_first(made: Supervised) -> None:
    """Art. 5(2): the words of every reporter are opened for whoever handles them; the trail says who and why."""
    told, _, _ = await made.report(statement="一")
    await made.report(statement="")
    await made.report(statement="三")
    read, words = await made.oversight.reports.read_words(told.report.report_id, "report_handling", ACTOR)
    (entry,) = [each for each in await made.provider.vault.audit_trail() if each.action == "words_read"]
    assert (["一", "三"], 3) == (words, read.report.reports)
    assert (UUID(told.report.report_id).bytes, "report_handling", ACTOR) == (
        entry.reference,
        entry.purpose,
        entry.reader,
    )
    unknown = new_account_id()
    assert "REPORT_NOT_FOUND" == await refusal(made.oversight.reports.read_words(unknown, "report_handling", ACTOR))
    assert UUID(unknown).bytes == (await made.provider.vault.audit_trail())[0].reference


async def test_art_5_2_words_answer_address_and_code_are_in_no_file(tmp_path: Path) -> None:
    """Art. 5(2): no file holds a reporter's words, an address that names a person, the answer, or a tracking code."""
    planted = planted_person()
    url = f"https://wave.example/{planted.id_number}"
    async with supervised(tmp_path) as made:
        told, code, _ = await made.report(statement=f"{WORDS}{planted.real_name}", item_url=url)
        report_id, reports = told.report.report_id, made.oversight.reports
        await reports.answer(report_id, ACTOR, "样例答复之言", "")
        await reports.hand_over(report_id, ACTOR, "")
        read, words = await reports.read_words(report_id, "report_handling", ACTOR)
        assert ([f"{WORDS}{planted.real_name}"], url) == (words, read.report.item_url)
        (escalation,) = await made.escalations()
    assert ("", DIGEST, hashlib.sha256(code.encode()).digest()) == (
        escalation.report.item_url,
        escalation.report.item_digest,
        escalation.report.tracking_digest,
    )
    assert [] == files_with(tmp_path, WORDS, planted.real_name, planted.id_number, "样例答复之言", code)


async def test_art_5_2_words_do_not_open_elsewhere(made: Supervised) -> None:
    """Art. 5(2): sealed words moved to another report do not open."""
    first, _, _ = await made.report(statement="一")
    second, _, _ = await made.report(statement="二", baseline=6)
    await made.provider.database.write(
        lambda transaction: transaction.execute(
            "UPDATE report_statement SET sealed = (SELECT s.sealed FROM report_statement s WHERE s.report_id = ?)"
            " WHERE report_id = ?",
            (first.report.report_id, second.report.report_id),
        )
    )
    moved = made.oversight.reports.read_words(second.report.report_id, "report_handling", ACTOR)
    assert "VAULT_SEAL_BROKEN" == await refusal(moved)


async def test_art_5_3_settled_in_time_never_leaves(made: Supervised) -> None:
    """Art. 5(3): a report that was answered and settled in time stays at the provider, whatever the clock says later."""
    told, _, _ = await made.report()
    report_id, reports = told.report.report_id, made.oversight.reports
    await reports.answer(report_id, ACTOR, "已受理", "")
    settled = await reports.settle(report_id, ACTOR, "no_violation", "")
    made.later(timedelta(days=400))
    await made.oversight.clock.tick()
    assert ([], ReportState.SETTLED) == (await made.told(), settled.report.state)
    assert [("received", "public", ""), ("answered", ACTOR, ""), ("settled", ACTOR, "no_violation")] == actions(settled)
    assert "REPORT_STATE_WRONG" == await refusal(reports.settle(report_id, ACTOR, "no_violation", ""))
    assert "REPORT_STATE_WRONG" == await refusal(reports.hand_over(report_id, ACTOR, ""))


async def test_art_5_3_only_stated_reasons_and_outcomes_count(made: Supervised) -> None:
    """Art. 5(3): outcomes and reasons for a pause are those of the policy; old etags are refused."""
    told, _, _ = await made.report()
    report_id, reports = told.report.report_id, made.oversight.reports
    assert "OUTCOME_UNKNOWN" == await refusal(reports.settle(report_id, ACTOR, "forgotten", ""))
    assert "REASON_UNKNOWN" == await refusal(reports.pause(report_id, ACTOR, "holidays", ""))
    assert "NOT_PAUSED" == await refusal(reports.resume(report_id, ACTOR, ""))
    await reports.pause(report_id, ACTOR, "awaiting_evidence", told.report.etag)
    assert "ALREADY_PAUSED" == await refusal(reports.pause(report_id, ACTOR, "awaiting_court", ""))
    with pytest.raises(Conflict):
        await reports.resume(report_id, ACTOR, told.report.etag)
    assert "REPORT_NOT_FOUND" == await refusal(reports.resume(new_account_id(), ACTOR, ""))


async def test_art_5_3_handed_over_report_is_settled_and_decided(made: Supervised) -> None:
    """Answer 2: a report that left may still be settled, of which the regulator hears; its decision reaches the reporter."""
    told, code, _ = await made.report()
    report_id, reports = told.report.report_id, made.oversight.reports
    left = await reports.hand_over(report_id, ACTOR, "")
    assert ("escalated", ACTOR, "handed_over") == actions(left)[-1]
    assert "REPORT_STATE_WRONG" == await refusal(reports.hand_over(report_id, ACTOR, ""))
    assert ReportState.ESCALATED is (await reports.answer(report_id, ACTOR, "已移交", "")).report.state
    await reports.settle(report_id, ACTOR, "item_removed", "")
    assert ["report handed_over 1", "report_settled item_removed 2"] == await made.told()
    dismissed = await made.decide(report_id, EscalationOutcome.DISMISSED, reason="settled_already")
    await made.receive(dismissed)
    outcome = await reports.outcome(code)
    assert (ReportState.DECIDED, "dismissed") == (outcome.report.state, outcome.report.outcome)
    read, _ = await reports.read_words(report_id, "report_handling", ACTOR)
    assert ("decided", "regulator/330000", "settled_already") == actions(read)[-1]


async def test_answer_2_every_reporter_is_told_to_the_regulator_by_code(made: Supervised) -> None:
    """Answer 2: the codes of all reporters joined in a report go with it, 500 a statement, and each goes once."""
    told, first, _ = await made.report()
    await made.provider.database.write(
        lambda transaction: transaction.insert_many(
            "report_code",
            ("digest", "report_id", "received_time"),
            [(number.to_bytes(32), told.report.report_id, micros(made.now)) for number in range(1, 1001)],
        )
    )
    await made.provider.database.write(
        lambda transaction: transaction.execute("UPDATE report SET reports = 1001, version = 1001")
    )
    made.later(HOUR)
    await made.report()
    left = await made.oversight.reports.hand_over(told.report.report_id, ACTOR, "")
    escalations = await made.escalations()
    assert ["report handed_over 1", "report_joined 2", "report_joined 3"] == await made.told()
    assert (1002, 500, 500, 1) == (
        escalations[0].report.reports,
        len(escalations[0].report.joined_digests),
        *(len(each.report_joined.tracking_digests) for each in escalations[1:]),
    )
    digests = {escalations[0].report.tracking_digest, *escalations[0].report.joined_digests}
    for each in escalations[1:]:
        digests.update(each.report_joined.tracking_digests)
    assert (1002, True) == (len(digests), hashlib.sha256(first.encode()).digest() in digests)
    await made.oversight.reports.settle(left.report.report_id, ACTOR, "item_removed", "")
    assert "report_settled item_removed 4" == (await made.told())[-1]


async def test_answer_2_every_report_at_a_provider_adds_up(made: Supervised) -> None:
    """Answer 2: each report is with one party; one that lost its code or its entry, or did not leave, is named."""
    reports, audit = made.oversight.reports, made.oversight.audit
    ids = [(await made.report(baseline=baseline))[0].report.report_id for baseline in range(1, 8)]
    await made.report(baseline=1)
    await reports.settle(ids[1], ACTOR, "no_violation", "")
    for report_id in ids[2:4]:
        await reports.hand_over(report_id, ACTOR, "")
    sound = await audit.run(Party.PROVINCE)
    assert (7, {"provider": 6, "nobody": 1}, 0, []) == (sound.reports, sound.parties, sound.wrong, sound.findings)
    for statement in (
        f"UPDATE outbox SET state = 1 WHERE entry_id = (SELECT entry_id FROM escalation_statement"
        f" WHERE escalation_id = '{ids[2]}')",
        f"DELETE FROM escalation_statement WHERE escalation_id = '{ids[3]}'",
        f"DELETE FROM report_code WHERE report_id = '{ids[4]}'",
    ):
        await made.provider.database.write(lambda transaction, sql=statement: transaction.execute(sql))  # type: ignore[misc]
    made.later(25 * HOUR)
    broken = await audit.run(Party.PROVINCE)
    assert {"province": 1, "nobody": 1} == broken.parties
    overdue = [(report_id, "REPORT_OVERDUE") for report_id in (ids[0], *ids[5:])]
    expected = sorted([(ids[3], "REPORT_LOST"), (ids[4], "CODE_MISSING"), *overdue])
    assert (expected, 5) == ([(each.report_id, each.rule) for each in broken.findings], broken.wrong)
    await made.oversight.clock.tick()
    later = await audit.run(Party.PROVINCE)
    assert {"provider": 3, "province": 1, "nobody": 1} == later.parties


async def test_art_5_3_reports_are_listed_by_due_time(made: Supervised) -> None:
    """Art. 5(3): those first that are due first, page by page, by state and by account."""
    received = []
    for baseline in (3, 1, 2):
        received.append((await made.report(baseline=baseline))[0].report.report_id)
        made.later(HOUR)
    await made.oversight.reports.settle(received[0], ACTOR, "no_violation", "")
    listed, token = list[str](), ""
    while True:
        page, token = await made.oversight.reports.list_page(ReportState.UNSPECIFIED, "", 1, token)
        listed.extend(each.report.report_id for each in page)
        if not token:
            break
    assert [received[1], received[2], received[0]] == listed
    settled, _ = await made.oversight.reports.list_page(ReportState.SETTLED, made.account.account_id, 0, "")
    assert ([received[0]], [()]) == ([each.report.report_id for each in settled], [each.events for each in settled])
    assert ([], "") == await made.oversight.reports.list_page(ReportState.UNSPECIFIED, new_account_id(), 0, "")


async def test_art_5_2_words_open_after_a_restart(tmp_path: Path) -> None:
    """Art. 5(2): words and codes outlive the process: the keys come from the vault's root."""
    async with made_up_network(tmp_path) as network:
        async with served(tmp_path, network) as provider:
            made = Supervised(provider, await provider.filed(await provider.registered()))
            request_id = new_account_id()
            told, code, _ = await made.report(request_id=request_id, statement=WORDS)
        async with served(tmp_path, network) as again:
            made = Supervised(again, made.account)
            assert code == (await made.report(request_id=request_id, statement=WORDS))[1]
            _, words = await made.oversight.reports.read_words(told.report.report_id, "report_handling", ACTOR)
            assert [WORDS] == words
