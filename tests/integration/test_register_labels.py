"""News labels at a register, on both engines: stated by a provider, decided by officers, derived at every moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from regulator_node.label_queries import LabelFilter
from regulator_node.registered_label import LabelState
from shared.clock import micros
from shared.errors import InvalidInput, NotFound
from shared.pb.filingnet.network.v1 import filing_pb2
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction, LabelBasis, LabelScope
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, made_up_entry, made_up_filing
from tests.integration.label_samples import (
    DAY,
    LICENCE_END,
    LICENCE_START,
    PLATFORM,
    REPRINTER,
    LabelOffice,
    body_entry,
    made_up_grant,
    made_up_request,
    new_id,
)

MINUTE = timedelta(minutes=1)


async def test_art_7_2_a_grant_holds_from_its_statement(office: LabelOffice) -> None:
    """A news unit's grant is in the register with what its right follows from, and shows the account's name."""
    grant = made_up_grant(await office.file(display_name="样例新闻"))
    assert [""] == await office.state(grant)
    held = await office.held(grant)
    assert (
        LabelState.GRANTED,
        "样例新闻",
        "33120240001",
        LabelBasis.NEWS_UNIT,
        LabelScope.PUBLISH_AND_REPRINT,
        micros(LICENCE_END),
        1,
    ) == (
        held.state,
        held.display_name,
        held.licence_number,
        held.basis,
        held.scope,
        held.end_time,
        held.log_index,
    )


BAD_GRANTS: dict[str, tuple[dict[str, Any], str]] = {
    "a jurisdiction that is none": ({"licence_number": "19120240001"}, "LICENCE_NUMBER_WRONG"),
    "a class that is none": ({"licence_number": "33420240001"}, "FIELD_VIOLATIONS"),
    "a platform's licence": ({"licence_number": PLATFORM}, "LICENCE_CLASS_WRONG"),
    "a year after the licence began": ({"licence_number": "33120250001"}, "LICENCE_YEAR_WRONG"),
    "a year of another century": ({"licence_number": "33119990001"}, "FIELD_VIOLATIONS"),
    "no licence": ({"licence_number": ""}, "FIELD_VIOLATIONS"),
    "reprinter as news unit": ({"licence_number": REPRINTER}, "LICENCE_CLASS_WRONG"),
    "more than a non-news unit may": (
        {"basis": LabelBasis.LICENSED_NON_NEWS_UNIT, "licence_number": REPRINTER},
        "SCOPE_TOO_WIDE",
    ),
    "a licence that ends before it begins": ({"licence_end_time": LICENCE_START - DAY}, "LICENCE_DATES_WRONG"),
    "an end before the start": ({"end_time": NOW - 2 * DAY}, "END_BEFORE_START"),
    "an end that has passed": ({"start_time": NOW - 3 * DAY, "end_time": NOW - DAY}, "END_PASSED"),
    "longer than its licence": ({"end_time": LICENCE_END + MINUTE}, "OUTLIVES_LICENCE"),
    "before its licence": ({"start_time": LICENCE_START - DAY}, "BEFORE_LICENCE"),
    "far ahead": ({"start_time": NOW + 300 * DAY}, "TIME_IN_FUTURE"),
    "a renewal of nothing": ({"action": LabelAction.RENEW}, "ACTION_WRONG"),
    "a second statement first": ({"revision": 2}, "REVISION_OUT_OF_ORDER"),
    "an approval that nobody gave": (
        {
            "basis": LabelBasis.SPECIAL_APPROVAL,
            "licence_number": "",
            "licence_start_time": None,
            "licence_end_time": None,
            "approval_entry_id": "01930000-0000-7000-8000-000000000001",
        },
        "APPROVAL_MISSING",
    ),
}


@pytest.mark.parametrize("name", BAD_GRANTS)
async def test_art_7_2_a_grant_beyond_its_right_is_refused(office: LabelOffice, name: str) -> None:
    """What basis, licence and dates do not allow is refused by a stable reason and leaves nothing in the register."""
    changes, reason = BAD_GRANTS[name]
    grant = made_up_grant(await office.file(), **changes)
    assert [reason] == await office.state(grant)
    with pytest.raises(NotFound):
        await office.held(grant)


async def test_art_7_2_only_a_filed_account_is_labelled(office: LabelOffice) -> None:
    """An account that was never filed, or was withdrawn, gets no label; one filed in the same batch before it does."""
    account = new_id()
    assert ["ACCOUNT_NOT_FILED"] == await office.state(made_up_grant(account))
    filed, labelled = made_up_entry(made_up_filing(account)), body_entry("label_grant", made_up_grant(account))
    assert ["", ""] == office.reasons(await office.register.submit(filed, labelled))
    withdrawal = made_up_filing(
        account,
        2,
        action=filing_pb2.FILING_ACTION_WITHDRAW,
        withdrawal_reason=filing_pb2.WITHDRAWAL_REASON_OWNER_REQUEST,
    )
    await office.register.submit(made_up_entry(withdrawal, 2))
    assert ["ACCOUNT_WITHDRAWN"] == await office.state(made_up_grant(account))


async def test_art_7_2_a_person_holds_no_licence(office: LabelOffice) -> None:
    """A person's account is not labelled by a licence, and may have a special approval."""
    account = new_id()
    person = made_up_filing(account, subject_kind="SUBJECT_KIND_PERSON", organisation_name="")
    person.person_reference = bytes(16)
    await office.register.submit(made_up_entry(person))
    assert ["SUBJECT_KIND_WRONG"] == await office.state(made_up_grant(account))
    assert [""] == await office.state(made_up_request(account))


async def test_art_4_a_provider_whose_licence_lapsed_grants_nothing_and_may_revoke(office: LabelOffice) -> None:
    """Without a licence of its own a provider grants no label; nothing stands in the way of closing a right."""
    account = await office.file()
    grant = made_up_grant(account)
    assert ["LICENCE_MISSING"] == await office.state(grant, licence=None)
    await office.state(grant)
    revocation = made_up_grant(account, grant.grant_id, 2, action=LabelAction.REVOKE, reason="owner_request")
    assert [""] == await office.state(revocation, licence=None)
    assert LabelState.REVOKED == await office.standing(grant)


async def test_art_7_2_an_account_has_one_label_at_a_time(office: LabelOffice) -> None:
    """A grant that overlaps another of the account is refused, in the same batch too; one that follows it stands."""
    account = await office.file()
    first = made_up_grant(account, end_time=NOW + 10 * DAY)
    overlapping = made_up_grant(account, start_time=NOW + 9 * DAY)
    following = made_up_grant(account, start_time=NOW + 10 * DAY)
    assert ["", "GRANTS_OVERLAP"] == await office.state(first, overlapping)
    assert ["GRANTS_OVERLAP"] == await office.state(overlapping)
    assert ["", "GRANTS_OVERLAP"] == await office.state(following, made_up_grant(account))


async def test_art_7_2_a_grant_is_renewed_narrowed_and_revoked(office: LabelOffice) -> None:
    """Each statement follows the last; the history keeps what each said, and a revocation leaves the right as it was."""
    account, grant_id = await office.file(), new_id()
    statements = [
        made_up_grant(account, grant_id, end_time=NOW + 10 * DAY),
        made_up_grant(account, grant_id, 2, action=LabelAction.RENEW),
        made_up_grant(account, grant_id, 3, action=LabelAction.NARROW, scope=LabelScope.REPRINT),
        made_up_grant(account, grant_id, 4, action=LabelAction.REVOKE, reason="subject_changed"),
    ]
    assert ["", "", "", ""] == await office.state(*statements)
    assert ["ACTION_WRONG"] == await office.state(made_up_grant(account, grant_id, 5, action=LabelAction.RENEW))
    history = await office.queries.revisions(JURISDICTION, PROVIDER, grant_id)
    assert [
        (4, LabelAction.REVOKE, LabelState.REVOKED, LabelScope.REPRINT, "subject_changed"),
        (3, LabelAction.NARROW, LabelState.GRANTED, LabelScope.REPRINT, ""),
        (2, LabelAction.RENEW, LabelState.GRANTED, LabelScope.PUBLISH_AND_REPRINT, ""),
        (1, LabelAction.GRANT, LabelState.GRANTED, LabelScope.PUBLISH_AND_REPRINT, ""),
    ] == [(each.revision, each.action, each.state, each.scope, each.reason) for each in history]


async def test_art_7_2_a_narrower_grant_does_not_grow_again(office: LabelOffice) -> None:
    """A statement that narrows nothing, widens the scope or does not end later is refused."""
    account, grant_id = await office.file(), new_id()
    await office.state(made_up_grant(account, grant_id, scope=LabelScope.REPRINT))
    wider = made_up_grant(account, grant_id, 2, action=LabelAction.NARROW, scope=LabelScope.PUBLISH_AND_REPRINT)
    same = made_up_grant(account, grant_id, 2, action=LabelAction.NARROW, scope=LabelScope.REPRINT)
    renewed = made_up_grant(account, grant_id, 2, action=LabelAction.RENEW, scope=LabelScope.REPRINT)
    assert ["GRANT_CHANGED", "NOT_NARROWER", "NOT_LATER"] == await office.state(wider, same, renewed)


async def test_art_7_2_a_special_approval_is_asked_for_given_and_granted_within_it(office: LabelOffice) -> None:
    """Asking grants nothing; what is then granted names the decision and stays within its scope and end."""
    account, grant_id = await office.file(), new_id()
    asked = made_up_request(account, grant_id)
    assert [""] == await office.state(asked)
    assert LabelState.ASKED == await office.standing(asked)
    approval = await office.approve(asked, LabelScope.REPRINT, NOW + 50 * DAY)
    assert (LabelState.APPROVED, micros(NOW + 50 * DAY)) == (
        await office.standing(asked),
        (await office.held(asked)).end_time,
    )

    def granted(**changes: Any) -> Any:
        values = {"action": LabelAction.GRANT, "approval_entry_id": approval, "end_time": NOW + 50 * DAY}
        return made_up_request(account, grant_id, 2, **{**values, **changes})

    assert ["APPROVAL_EXCEEDED", "APPROVAL_EXCEEDED", "APPROVAL_MISSING"] == await office.state(
        granted(scope=LabelScope.PUBLISH_AND_REPRINT),
        granted(end_time=NOW + 51 * DAY),
        granted(approval_entry_id="01930000-0000-7000-8000-000000000001"),
    )
    assert [""] == await office.state(granted())
    assert LabelState.GRANTED == await office.standing(asked)


async def test_art_7_2_what_is_asked_for_stands_in_nobodys_way(office: LabelOffice) -> None:
    """A request grants nothing: beside it the account may be labelled by a licence, and then not by the approval too."""
    account = await office.file()
    asked = made_up_request(account)
    assert ["", ""] == await office.state(asked, made_up_grant(account))
    assert [""] == await office.state(made_up_request(account))
    fresh = made_up_grant(await office.file())
    await office.state(made_up_request(fresh.account_id))
    assert [""] == await office.state(fresh)
    approval = await office.approve(asked, LabelScope.REPRINT, NOW + 50 * DAY)
    granted = made_up_request(
        account, asked.grant_id, 2, action=LabelAction.GRANT, approval_entry_id=approval, end_time=NOW + 50 * DAY
    )
    assert ["GRANTS_OVERLAP"] == await office.state(granted)


async def test_art_7_2_an_approval_serves_the_grant_it_was_given_to_alone(office: LabelOffice) -> None:
    """Another grant that names somebody else's approval is refused."""
    account = await office.file()
    asked = made_up_request(account)
    await office.state(asked)
    approval = await office.approve(asked, LabelScope.REPRINT, NOW + 50 * DAY)
    other = made_up_request(await office.file())
    borrowed = made_up_request(
        other.account_id, other.grant_id, 2, action=LabelAction.GRANT, approval_entry_id=approval
    )
    assert ["", "APPROVAL_MISSING"] == await office.state(other, borrowed)


@pytest.mark.parametrize(
    ("scope", "days", "reason"),
    [
        (LabelScope.PUBLISH_AND_REPRINT, 50, "SCOPE_TOO_WIDE"),
        (LabelScope.REPRINT, 101, "APPROVAL_EXCEEDED"),
        (LabelScope.REPRINT, -1, "END_PASSED"),
        (0, 50, "SCOPE_TOO_WIDE"),
    ],
)
async def test_art_7_2_no_more_is_approved_than_was_asked_for(
    office: LabelOffice, scope: LabelScope, days: int, reason: str
) -> None:
    """An approval that goes beyond what was asked for, or that has ended already, does not enter the log."""
    asked = made_up_request(await office.file())
    await office.state(asked)
    end = micros(NOW + days * DAY)
    result = await office.decide(asked, LabelOutcome.APPROVED, scope=int(scope), end_time=end)
    assert (reason, LabelState.ASKED) == (result.error_reason, await office.standing(asked))


async def test_art_7_2_what_is_refused_stays_refused(office: LabelOffice) -> None:
    """A refused request is not granted, nor approved by somebody else later; a new one may be asked for."""
    account = await office.file()
    asked = made_up_request(account)
    await office.state(asked)
    refused = await office.decide(asked, LabelOutcome.REFUSED, note="请补充说明")
    held = await office.held(asked)
    assert ("", LabelState.REFUSED, "not_justified", "请补充说明") == (
        refused.error_reason,
        held.state,
        held.reason,
        held.note,
    )
    second = await office.decide(asked, LabelOutcome.APPROVED, scope=2, end_time=micros(NOW + DAY))
    assert "GRANT_ENDED" == second.error_reason
    assert [""] == await office.state(made_up_request(account))


async def test_art_7_2_an_objection_stands_until_the_grant_is_mended(office: LabelOffice) -> None:
    """A grant objected to goes on, cannot be renewed, and is mended by narrowing it."""
    account, grant_id = await office.file(), new_id()
    grant = made_up_grant(account, grant_id, end_time=NOW + 100 * DAY)
    await office.state(grant)
    await office.decide(grant, LabelOutcome.OBJECTED, reason="scope_exceeded")
    assert LabelState.OBJECTED == await office.standing(grant)
    renewed = made_up_grant(account, grant_id, 2, action=LabelAction.RENEW)
    narrowed = made_up_grant(
        account, grant_id, 2, action=LabelAction.NARROW, scope=LabelScope.REPRINT, end_time=NOW + 100 * DAY
    )
    assert ["GRANT_OBJECTED", ""] == await office.state(renewed, narrowed)
    assert LabelState.GRANTED == await office.standing(grant)
    history = await office.queries.revisions(JURISDICTION, PROVIDER, grant_id)
    assert [(2, LabelState.GRANTED, ""), (1, LabelState.OBJECTED, "scope_exceeded")] == [
        (each.revision, each.state, each.reason) for each in history
    ]


async def test_art_7_2_a_regulator_revokes_at_once(office: LabelOffice) -> None:
    """A grant that a regulator revoked is over, cannot be renewed, and a new one takes its place at once."""
    account, grant_id = await office.file(), new_id()
    grant = made_up_grant(account, grant_id, end_time=NOW + 100 * DAY)
    await office.state(grant)
    await office.decide(grant, LabelOutcome.REVOKED, reason="licence_revoked")
    assert LabelState.REVOKED == await office.standing(grant)
    office.register.now = NOW + MINUTE
    renewed = made_up_grant(account, grant_id, 2, action=LabelAction.RENEW)
    fresh = made_up_grant(account, start_time=NOW + MINUTE)
    assert ["GRANT_ENDED", ""] == await office.state(renewed, fresh)
    assert "GRANT_ENDED" == (await office.decide(grant, LabelOutcome.OBJECTED)).error_reason


async def test_art_7_3_a_label_lapses_by_itself_at_its_minute(office: LabelOffice) -> None:
    """Nobody has to do anything: the same question has another answer once the end has come, and nothing renews it then."""
    account, grant_id = await office.file(), new_id()
    grant = made_up_grant(account, grant_id, end_time=NOW + 10 * DAY)
    await office.state(grant)
    standings = []
    for moment in (NOW + 10 * DAY - timedelta(microseconds=1), NOW + 10 * DAY):
        office.register.now = moment
        standings.append(await office.standing(grant))
    assert [LabelState.GRANTED, LabelState.LAPSED] == standings
    assert ["GRANT_LAPSED"] == await office.state(made_up_grant(account, grant_id, 2, action=LabelAction.RENEW))
    assert "GRANT_ENDED" == (await office.decide(grant, LabelOutcome.OBJECTED)).error_reason


async def test_a_statement_sent_again_has_one_effect(office: LabelOffice) -> None:
    """The same entry, also years later and after the grant went on, is answered as at first and changes nothing."""
    account, grant_id = await office.file(), new_id()
    entry = body_entry("label_grant", made_up_grant(account, grant_id, end_time=NOW + 10 * DAY))
    first = await office.register.submit(entry)
    await office.state(made_up_grant(account, grant_id, 2, action=LabelAction.RENEW))
    office.register.now = NOW + 3000 * DAY
    again = await office.register.submit(entry)
    assert list(first.acknowledgements) == list(again.acknowledgements)
    assert 2 == (await office.held(made_up_grant(account, grant_id))).revision


async def test_a_search_pages_through_what_ends_first(office: LabelOffice) -> None:
    """Pages follow one another by end, without a gap or a repetition, and a token serves its own question only."""
    grants = [made_up_grant(await office.file(), end_time=NOW + days * DAY) for days in (5, 3, 3, 9, 1)]
    await office.state(*grants)
    ends: list[int] = []
    token = ""
    while True:
        page = await office.queries.search(LabelFilter(provider=PROVIDER), 2, token)
        ends += [(label.end_time - micros(NOW)) // (86_400 * 1_000_000) for label in page.labels]
        token = page.next_token
        if not token:
            break
        with pytest.raises(InvalidInput):
            await office.queries.search(LabelFilter(), 2, token)
    assert [1, 3, 3, 5, 9] == ends


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (LabelFilter(), [0, 1, 2]),
        (LabelFilter(jurisdiction="330000"), [0, 1, 2]),
        (LabelFilter(jurisdiction="440000"), []),
        (LabelFilter(provider="provider/harbour"), []),
        (LabelFilter(basis=LabelBasis.SPECIAL_APPROVAL), [2]),
        (LabelFilter(state=LabelState.GRANTED), [0, 1]),
        (LabelFilter(state=LabelState.ASKED), [2]),
        (LabelFilter(end_before=micros(NOW + 6 * DAY)), [0]),
    ],
)
async def test_a_search_filters(office: LabelOffice, given: LabelFilter, found: list[int]) -> None:
    """Each filter keeps what it says, and nothing else."""

    def at(days: int) -> datetime:
        return NOW + days * DAY

    grants = [
        made_up_grant(await office.file(), end_time=at(5)),
        made_up_grant(await office.file(), end_time=at(7)),
        made_up_request(await office.file(), end_time=at(9)),
    ]
    await office.state(*grants)
    page = await office.queries.search(given)
    assert [grants[number].grant_id for number in found] == [label.grant_id for label in page.labels]
