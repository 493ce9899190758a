"""Labels at the provider (Art. 7): granted by rule, told to the regulator, and bound by what the regulator decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provider_node.label_rows import LabelState
from provider_node.label_terms import LicenceTerms
from shared.clock import micros
from shared.errors import Conflict, FailedPrecondition, FilingnetError, InvalidInput, NotFound
from shared.evidence.hashing import ProofError
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import duty_pb2, evidence_pb2
from shared.provisions.account_states import FilingState
from shared.provisions.filings import WithdrawalReason
from shared.provisions.labels import LabelAction, LabelBasis, LabelScope
from shared.provisions.publication import PublicationAct
from tests.integration.filing_samples import NOW
from tests.integration.provider_label_samples import (
    APPROVAL,
    DAY,
    INSTANT,
    LICENCE_END,
    PLATFORM,
    REPRINTER,
    Labelling,
    filed_unit,
    labelling_provider,
    licence,
    news_unit,
)

PUBLISH, REPRINT = PublicationAct.PUBLISH, PublicationAct.REPRINT
ASK, GRANT, RENEW, NARROW, REVOKE = (
    LabelAction.ASK,
    LabelAction.GRANT,
    LabelAction.RENEW,
    LabelAction.NARROW,
    LabelAction.REVOKE,
)


@pytest.fixture
async def labelling(tmp_path: Path, database_url: str) -> AsyncIterator[Labelling]:
    """A provider with a news unit's filed account."""
    async with labelling_provider(tmp_path, database_url) as made:
        yield made


async def test_art_7_3_grant_is_stated_and_received(labelling: Labelling) -> None:
    """A grant says what it lets do, until when, and is on its way to the regulator, which takes it in."""
    label = await labelling.grant()
    assert (LabelState.GRANTED, LabelScope.PUBLISH_AND_REPRINT, micros(NOW), micros(LICENCE_END), 0) == (
        label.state,
        label.scope,
        label.row.start_time,
        label.row.end_time,
        label.reminder_days,
    )
    assert (FilingState.QUEUED, 1) == (label.statement.state, label.statement.revision)
    await labelling.provider.deliver()
    assert FilingState.RECEIVED is (await labelling.provider.labels.get(label.row.grant_id)).statement.state


@pytest.mark.parametrize(
    ("terms", "kind", "reason"),
    [
        (news_unit(licence=licence(PLATFORM)), InvalidInput, "LICENCE_CLASS_WRONG"),
        (news_unit(licence=licence(REPRINTER)), InvalidInput, "LICENCE_CLASS_WRONG"),
        (news_unit(end_time=micros(LICENCE_END) + 1), InvalidInput, "OUTLIVES_LICENCE"),
        (news_unit(licence=LicenceTerms()), InvalidInput, "LICENCE_MISSING"),
        (
            news_unit(
                basis=LabelBasis.LICENSED_NON_NEWS_UNIT,
                licence=licence(REPRINTER),
                scope=LabelScope.PUBLISH_AND_REPRINT,
            ),
            InvalidInput,
            "SCOPE_TOO_WIDE",
        ),
    ],
)
async def test_art_7_2_what_the_regulator_would_refuse_is_refused_here(
    labelling: Labelling, terms: Any, kind: type[FilingnetError], reason: str
) -> None:
    """A right that basis, class or dates do not give is not granted, and nothing is queued."""
    with pytest.raises(kind) as caught:
        await labelling.grant(terms)
    assert (reason, [], "NO_RIGHT_TO_PUBLISH_NEWS") == (
        caught.value.reason,
        await labelling.statements(),
        await labelling.reason(),
    )


async def test_art_7_1_label_needs_a_filed_account(labelling: Labelling) -> None:
    """An account that is unknown, not filed, or withdrawn gets no label."""
    account = await labelling.provider.opened(await labelling.provider.registered())
    with pytest.raises(FailedPrecondition, match="file the account"):
        await labelling.grant(account_id=account.account_id)
    with pytest.raises(NotFound):
        await labelling.grant(account_id=new_account_id())
    await labelling.provider.accounts.withdraw(labelling.account.account_id, WithdrawalReason.CLOSED, "")
    with pytest.raises(FailedPrecondition) as caught:
        await labelling.grant()
    assert "ACCOUNT_WITHDRAWN" == caught.value.reason


async def test_art_4_provider_without_a_licence_grants_nothing_and_still_revokes(labelling: Labelling) -> None:
    """A lapsed provider may close rights, and open none."""
    label = await labelling.grant()
    await labelling.install(licence_end=NOW)
    with pytest.raises(FailedPrecondition) as caught:
        await labelling.grant()
    assert "LICENCE_LAPSED" == caught.value.reason
    lapsed = await labelling.provider.labels.get(label.row.grant_id)
    assert (LabelState.LAPSED, LabelScope.UNSPECIFIED) == (lapsed.state, lapsed.scope)
    revoked = await labelling.provider.labels.revoke(label.row.grant_id, "licence_lapsed", "")
    assert (LabelState.REVOKED, "licence_lapsed") == (revoked.state, revoked.row.reason)


async def test_request_sent_again_gets_the_same_grant(labelling: Labelling) -> None:
    """Promise 2: one request grants once; the same id for something else is refused."""
    request_id = new_account_id()
    first, again = await labelling.grant(request_id=request_id), await labelling.grant(request_id=request_id.upper())
    assert (first, [(GRANT, 1)]) == (again, await labelling.statements())
    with pytest.raises(InvalidInput) as caught:
        await labelling.grant(news_unit(scope=LabelScope.REPRINT), request_id)
    assert "REQUEST_ID_REUSED" == caught.value.reason


async def test_art_7_2_one_label_at_a_time(labelling: Labelling) -> None:
    """A second grant over the same time is refused; after a revocation it is not."""
    label = await labelling.grant()
    with pytest.raises(FailedPrecondition) as caught:
        await labelling.grant()
    assert "GRANTS_OVERLAP" == caught.value.reason
    await labelling.provider.labels.revoke(label.row.grant_id, "granted_in_error", "")
    await labelling.grant()
    await labelling.provider.deliver()
    found, _ = await labelling.provider.labels.list_page("", LabelState.UNSPECIFIED, None, 0, "")
    assert {FilingState.RECEIVED} == {each.statement.state for each in found}


async def test_art_7_3_renewed_narrowed_revoked(labelling: Labelling) -> None:
    """Each later statement says the grant whole, follows the last one, and reaches the regulator."""
    labels, later = labelling.provider.labels, LICENCE_END + 1000 * DAY
    label = await labelling.grant()
    renewed = await labels.renew(label.row.grant_id, licence("33120270001", later, LICENCE_END), 0, label.etag)
    assert (2, "33120270001", micros(later)) == (renewed.row.revision, renewed.row.licence_number, renewed.row.end_time)
    narrowed = await labels.narrow(label.row.grant_id, LabelScope.REPRINT, 0, renewed.etag)
    assert ("NO_RIGHT_TO_PUBLISH_NEWS", "MAY_REPRINT") == (await labelling.reason(), await labelling.reason(REPRINT))
    with pytest.raises(Conflict):
        await labels.revoke(label.row.grant_id, "owner_request", renewed.etag)
    revoked = await labels.revoke(label.row.grant_id, "owner_request", narrowed.etag)
    assert revoked == await labels.revoke(label.row.grant_id, "other", "")
    with pytest.raises(FailedPrecondition):
        await labels.narrow(label.row.grant_id, LabelScope.UNSPECIFIED, micros(NOW + DAY), "")
    assert [(GRANT, 1), (RENEW, 2), (NARROW, 3), (REVOKE, 4)] == await labelling.statements()
    await labelling.provider.deliver()
    assert FilingState.RECEIVED is (await labels.get(label.row.grant_id)).statement.state


async def test_art_7_3_lapsed_label_is_not_renewed(labelling: Labelling) -> None:
    """A label lapses by itself at its end; then there is a new grant and no renewal."""
    label = await labelling.grant(news_unit(end_time=micros(NOW + DAY)))
    labelling.provider.clock.now = NOW + DAY - INSTANT
    assert LabelState.GRANTED is (await labelling.provider.labels.get(label.row.grant_id)).state
    labelling.provider.clock.now = NOW + DAY
    assert LabelState.LAPSED is (await labelling.provider.labels.get(label.row.grant_id)).state
    with pytest.raises(FailedPrecondition) as caught:
        await labelling.provider.labels.renew(label.row.grant_id, licence(), 0, "")
    assert "GRANT_LAPSED" == caught.value.reason
    await labelling.grant()
    assert "MAY_PUBLISH" == await labelling.reason()


async def test_art_7_3_reminders_before_the_end(labelling: Labelling) -> None:
    """The provider is reminded sixty and thirty days before a label ends, and no longer once it has."""
    label = await labelling.grant(news_unit(end_time=micros(NOW + 90 * DAY)))
    found = []
    for days in (29, 30, 59, 60, 89, 90):
        labelling.provider.clock.now = NOW + timedelta(days=days, hours=1)
        found.append((await labelling.provider.labels.get(label.row.grant_id)).reminder_days)
    assert [0, 60, 60, 30, 30, 0] == found


async def test_art_7_2_special_approval_round_trip(labelling: Labelling) -> None:
    """Asked for, approved, granted within what was approved, and then allowed; the approval is named to the regulator."""
    asked = await labelling.grant(APPROVAL)
    assert (LabelState.ASKED, "NO_RIGHT_TO_REPRINT_NEWS") == (asked.state, await labelling.reason(REPRINT))
    with pytest.raises(FailedPrecondition) as caught:
        await labelling.grant(APPROVAL)
    assert "APPROVAL_PENDING" == caught.value.reason
    await labelling.provider.deliver()
    await labelling.approve(asked, days=30)
    approved = await labelling.provider.labels.get(asked.row.grant_id)
    assert (LabelState.APPROVED, "NO_RIGHT_TO_REPRINT_NEWS") == (approved.state, await labelling.reason(REPRINT))
    with pytest.raises(InvalidInput) as exceeded:
        await labelling.grant(replace(APPROVAL, end_time=micros(NOW + 31 * DAY)))
    assert "APPROVAL_EXCEEDED" == exceeded.value.reason
    granted = await labelling.grant(APPROVAL)
    assert (asked.row.grant_id, LabelState.GRANTED, micros(NOW + 30 * DAY)) == (
        granted.row.grant_id,
        granted.state,
        granted.row.end_time,
    )
    assert ("MAY_REPRINT", "NO_RIGHT_TO_PUBLISH_NEWS") == (await labelling.reason(REPRINT), await labelling.reason())
    assert [(ASK, 1), (GRANT, 2)] == await labelling.statements()


async def test_art_7_2_approval_prolonged_by_the_regulator_renews(labelling: Labelling) -> None:
    """A renewal of a special approval takes up the newest decision, and goes no further."""
    asked = await labelling.grant(APPROVAL)
    await labelling.approve(asked, days=30)
    granted = await labelling.grant(APPROVAL)
    with pytest.raises(InvalidInput):
        await labelling.provider.labels.renew(granted.row.grant_id, LicenceTerms(), micros(NOW + 60 * DAY), "")
    await labelling.approve(granted, days=60)
    renewed = await labelling.provider.labels.renew(granted.row.grant_id, LicenceTerms(), 0, "")
    assert micros(NOW + 60 * DAY) == renewed.row.end_time


async def test_art_7_2_refused_approval_gives_nothing(labelling: Labelling) -> None:
    """What was refused cannot be granted; it can be asked for anew."""
    asked = await labelling.grant(APPROVAL)
    await labelling.decide(asked, "REFUSED", reason="not_justified", note="请说明用途")
    refused = await labelling.provider.labels.get(asked.row.grant_id)
    assert (LabelState.REFUSED, "not_justified", "请说明用途") == (refused.state, refused.row.reason, refused.row.note)
    again = await labelling.grant(APPROVAL)
    assert (LabelState.ASKED, False) == (again.state, again.row.grant_id == asked.row.grant_id)


async def test_art_7_2_objection_holds_until_it_is_mended(labelling: Labelling) -> None:
    """A regulator objects: the right stays, a renewal is refused, and narrowing mends it."""
    label = await labelling.grant()
    await labelling.decide(label, "OBJECTED", reason="scope_exceeded", note="")
    objected = await labelling.provider.labels.get(label.row.grant_id)
    assert (LabelState.OBJECTED, "scope_exceeded", "MAY_PUBLISH") == (
        objected.state,
        objected.row.reason,
        await labelling.reason(),
    )
    later = licence("33120270001", LICENCE_END + 1000 * DAY, LICENCE_END)
    with pytest.raises(FailedPrecondition) as caught:
        await labelling.provider.labels.renew(label.row.grant_id, later, 0, "")
    assert "GRANT_OBJECTED" == caught.value.reason
    narrowed = await labelling.provider.labels.narrow(label.row.grant_id, LabelScope.REPRINT, 0, "")
    assert (LabelState.GRANTED, "") == (narrowed.state, narrowed.row.reason)


async def test_art_7_2_revocation_by_the_regulator_closes_at_once(labelling: Labelling) -> None:
    """The right is closed when the directive is stored, whatever was stated since; pages that come twice change nothing."""
    label = await labelling.grant()
    await labelling.provider.labels.narrow(label.row.grant_id, LabelScope.REPRINT, 0, "")
    receipt = await labelling.decide(label, "REVOKED", reason="licence_revoked")
    revoked = await labelling.provider.labels.get(label.row.grant_id)
    assert (LabelState.REVOKED, "licence_revoked", "NO_RIGHT_TO_REPRINT_NEWS") == (
        revoked.state,
        revoked.row.reason,
        await labelling.reason(REPRINT),
    )
    await labelling.take(receipt)
    assert 1 == await labelling.provider.count("label_decision")
    with pytest.raises(FailedPrecondition):
        await labelling.provider.labels.narrow(label.row.grant_id, LabelScope.UNSPECIFIED, micros(NOW + DAY), "")


async def test_decision_that_is_not_proven_changes_nothing(labelling: Labelling) -> None:
    """A revocation with one flipped bit is no revocation."""
    label = await labelling.grant()
    other = await labelling.decide(label, "OBJECTED", reason="other")
    bent = evidence_pb2.Receipt.FromString(other.SerializeToString())
    bent.entry = bent.entry.replace(b"other", b"0ther")
    with pytest.raises(ProofError):
        await labelling.take(bent)
    assert LabelState.OBJECTED is (await labelling.provider.labels.get(label.row.grant_id)).state


async def test_revocation_closes_whatever_becomes_of_its_statement(labelling: Labelling) -> None:
    """Art. 7(3): a revocation that the register refuses stays a revocation, and is stated again by the same call."""
    labels = labelling.provider.labels
    label = await labelling.grant()
    await labelling.provider.deliver()
    await labels.revoke(label.row.grant_id, "owner_request", "")
    await labelling.provider.deliver(policies=())
    refused = await labels.get(label.row.grant_id)
    assert (LabelState.REVOKED, FilingState.REJECTED, "NO_RIGHT_TO_PUBLISH_NEWS") == (
        refused.state,
        refused.statement.state,
        await labelling.reason(),
    )
    await labels.revoke(label.row.grant_id, "owner_request", "")
    await labelling.provider.deliver()
    assert FilingState.RECEIVED is (await labels.get(label.row.grant_id)).statement.state


async def test_label_waits_behind_a_refused_filing_and_follows_its_mending(labelling: Labelling) -> None:
    """Promise 1: what waits behind a refused filing is not lost: it goes out behind the filing that replaces it."""
    provider, account = labelling.provider, labelling.account.account_id
    await provider.accounts.amend(account, "新名称", "", "", None)
    label = await labelling.grant()
    await provider.deliver(policies=())
    narrowed = await provider.labels.narrow(label.row.grant_id, LabelScope.REPRINT, 0, "")
    assert FilingState.PARKED is narrowed.statement.state
    await provider.accounts.amend(account, "更新名称", "", "", None)
    await provider.deliver()
    found = await provider.labels.get(label.row.grant_id)
    assert (FilingState.RECEIVED, 2, "MAY_REPRINT") == (
        found.statement.state,
        found.row.revision,
        await labelling.reason(REPRINT),
    )


async def test_lists_by_end_state_and_account(labelling: Labelling) -> None:
    """Grants are listed by their end, page by page, of an account, in a state, or that end before a time."""
    provider = labelling.provider
    accounts = [labelling.account, await filed_unit(provider, 2), await filed_unit(provider, 3)]
    made = [
        await labelling.grant(news_unit(end_time=micros(NOW + days * DAY)), account_id=account.account_id)
        for days, account in zip((30, 10, 20), accounts, strict=True)
    ]
    await provider.labels.revoke(made[2].row.grant_id, "other", "")

    async def ids(
        account: str = "", state: LabelState = LabelState.UNSPECIFIED, before: datetime | None = None
    ) -> list[str]:
        found, token = await provider.labels.list_page(account, state, before, 2, "")
        while token:
            more, token = await provider.labels.list_page(account, state, before, 2, token)
            found += more
        return [each.row.grant_id for each in found]

    first, second, third = (each.row.grant_id for each in made)
    assert [second, third, first] == await ids()
    assert [second, third] == await ids(before=NOW + 30 * DAY)
    assert [first] == await ids(accounts[0].account_id.upper())
    assert [second, first] == await ids(state=LabelState.GRANTED)
    assert [third] == await ids(state=LabelState.REVOKED)
    await labelling.install(licence_end=NOW)
    assert [second, first] == await ids(state=LabelState.LAPSED)


def profile(staff: int = 40, code: str = "account_review") -> duty_pb2.DutyProfile:
    """A duty profile with one duty."""
    message = duty_pb2.DutyProfile(staff=staff, users=900_000)
    message.duties.add(code=code).in_force_time.FromDatetime(NOW - 30 * DAY)
    message.counted_time.FromDatetime(NOW - DAY)
    return message


async def test_art_5_1_duty_profile_is_filed_and_amended(labelling: Labelling) -> None:
    """Each profile is numbered and reaches the regulator; the same one again is no new one; a wrong one is refused."""
    duties = labelling.provider.duties
    assert None is await duties.newest()
    first, again = await duties.file(profile()), await duties.file(profile())
    assert (1, first) == (first.profile.revision, again)
    second = await duties.file(profile(41))
    with pytest.raises(InvalidInput) as caught:
        await duties.file(profile(42, "no_such_duty"))
    assert "DUTY_UNKNOWN" == caught.value.reason
    await labelling.provider.deliver()
    newest = await duties.newest()
    assert newest is not None
    assert (2, 41, FilingState.RECEIVED) == (second.profile.revision, newest.profile.staff, newest.status.state)


async def test_refused_duty_profile_takes_no_number_and_parks_nobody(labelling: Labelling) -> None:
    """A refused profile is filed again under its number; the accounts' entries are not held up by it."""
    duties = labelling.provider.duties
    await duties.file(profile())
    await labelling.provider.deliver(policies=())
    label = await labelling.grant()
    newest = await duties.newest()
    assert newest is not None
    assert FilingState.REJECTED is newest.status.state
    await duties.file(profile())
    await labelling.provider.deliver()
    newest = await duties.newest()
    assert newest is not None
    assert (1, FilingState.RECEIVED) == (newest.profile.revision, newest.status.state)
    assert FilingState.RECEIVED is (await labelling.provider.labels.get(label.row.grant_id)).statement.state
