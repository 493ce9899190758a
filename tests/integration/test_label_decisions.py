"""Officers decide on labels: each verdict by itself, each request once, and of two at once the second is told; both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from regulator_node.label_review import LabelVerdict
from regulator_node.registered_label import LabelState
from shared.clock import micros
from shared.errors import Conflict
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction
from tests.integration.filing_samples import NOW, PROVIDER
from tests.integration.label_samples import DAY, LabelOffice, made_up_grant, made_up_request, new_id


async def test_two_officers_at_once_the_second_is_told(office: LabelOffice) -> None:
    """Of two officers who decide on the same request with what they saw, one decides and the other is told to look again."""
    asked = made_up_request(await office.file())
    await office.state(asked)
    etag = (await office.held(asked)).etag
    results = await asyncio.gather(
        office.decide(asked, LabelOutcome.APPROVED, scope=2, end_time=micros(NOW + DAY), etag=etag),
        office.decide(asked, LabelOutcome.APPROVED, scope=2, end_time=micros(NOW + 2 * DAY), etag=etag),
    )
    assert ["", "LABEL_CHANGED"] == sorted(result.error_reason for result in results)


async def test_an_etag_changes_with_every_statement_too(office: LabelOffice) -> None:
    """Who read a grant before its provider took it back decides on nothing."""
    account = await office.file()
    asked = made_up_request(account)
    await office.state(asked)
    etag = (await office.held(asked)).etag
    await office.state(made_up_request(account, asked.grant_id, 2, action=LabelAction.REVOKE, reason="owner_request"))
    verdict = await office.decide(asked, LabelOutcome.REFUSED, etag=etag)
    assert ("LABEL_CHANGED", LabelState.REVOKED) == (verdict.error_reason, await office.standing(asked))
    assert etag != (await office.held(asked)).etag


async def test_a_request_sent_again_decides_nothing_twice(office: LabelOffice) -> None:
    """The same request gets the same answer; another one under its id is a conflict; a bad verdict fails no other."""
    grants = [made_up_request(await office.file()), made_up_request(await office.file())]
    await office.state(*grants)
    verdicts = [
        LabelVerdict(PROVIDER, grants[0].grant_id, 1, LabelOutcome.REFUSED, reason="not_justified"),
        LabelVerdict(PROVIDER, grants[1].grant_id, 1, LabelOutcome.OBJECTED, reason="not_justified"),
        LabelVerdict(PROVIDER, grants[1].grant_id, 1, LabelOutcome.REFUSED, reason="other"),
    ]
    request = new_id()
    first = await office.decide_all(verdicts, request)
    assert ["", "OUTCOME_WRONG", ""] == [result.error_reason for result in first]
    assert first == await office.decide_all(verdicts, request)
    with pytest.raises(Conflict):
        await office.decide_all(verdicts[:1], request)
    rows = await office.register.database.read(
        lambda transaction: transaction.execute("SELECT addressee, log_index FROM directive ORDER BY log_index")
    )
    assert [(PROVIDER, first[0].log_index), (PROVIDER, first[2].log_index)] == rows


async def test_bad_verdicts_are_refused_with_a_reason(office: LabelOffice) -> None:
    """Each verdict that cannot stand says why, and none of them is in the log."""
    grant = made_up_grant(await office.file())
    await office.state(grant)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"grant_id": new_id()}, "GRANT_UNKNOWN"),
        ({"revision": 2}, "REVISION_OUT_OF_ORDER"),
        ({"outcome": LabelOutcome.REFUSED}, "OUTCOME_WRONG"),
        ({"outcome": LabelOutcome.APPROVED, "reason": "", "scope": 2, "end_time": micros(NOW + DAY)}, "OUTCOME_WRONG"),
        ({"outcome": LabelOutcome.APPROVED}, "REASON_NOT_ALLOWED"),
        ({"reason": ""}, "REASON_UNKNOWN"),
        ({"reason": "disliked"}, "REASON_UNKNOWN"),
        ({"scope": 2}, "TERMS_NOT_ALLOWED"),
        ({"note": "电话13800138000"}, "IDENTITY_DATA"),
    ]
    values = {"reason": "other", "outcome": LabelOutcome.OBJECTED, "grant_id": grant.grant_id, "revision": 1}
    verdicts = [LabelVerdict(PROVIDER, **{**values, **changes}) for changes, _ in cases]
    results = await office.decide_all(verdicts)
    assert [reason for _, reason in cases] == [result.error_reason for result in results]
    assert all(result.error_message for result in results)
    assert LabelState.GRANTED == await office.standing(grant)
