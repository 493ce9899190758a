"""Public accounts (Art. 7(1)): reviewed before they are filed, judged before they are queued, without a gap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provider_node.account_rows import Account
from provider_node.filing_states import FilingStatus
from provider_node.subject_rows import Subject
from shared.cluster.made_up import organisation, person
from shared.errors import Conflict, FailedPrecondition, FilingnetError, InvalidInput, NotFound
from shared.evidence.receipts import verify_receipt
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import directory_pb2, entry_pb2, filing_pb2
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.filings import FilingAction, WithdrawalReason
from shared.provisions.subjects import SubjectKind
from tests.integration.filing_samples import NOW
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_provider

PASSED, FAILED = ReviewOutcome.PASSED, ReviewOutcome.FAILED


@pytest.fixture
async def provider(tmp_path: Path, network: MadeUpNetwork, database_url: str) -> AsyncIterator[MadeUpProvider]:
    """The provider, on both engines."""
    async with made_up_provider(tmp_path / "wave", network, database_url) as made:
        yield made


@pytest.fixture
async def subject(provider: MadeUpProvider) -> Subject:
    """A registered person."""
    return await provider.registered(person(1, "330000"))


async def queued_filings(provider: MadeUpProvider) -> list[filing_pb2.Filing]:
    """The filings in the outbox, in order."""
    rows = await provider.database.read(
        lambda transaction: transaction.execute("SELECT entry FROM outbox ORDER BY sequence")
    )
    return [entry_pb2.Entry.FromString(bytes(entry)).filing for (entry,) in rows]


async def history(provider: MadeUpProvider, account: Account) -> list[FilingStatus]:
    """The filings of an account, newest first."""
    return (await provider.accounts.filings_page(account.account_id, 0, ""))[0]


async def states(provider: MadeUpProvider, account: Account) -> list[tuple[int, str, str]]:
    """Revision, action and state of an account's filings, oldest first."""
    return [(each.revision, each.action.name, each.state.name) for each in reversed(await history(provider, account))]


async def refusal(call: Any) -> FilingnetError:
    """What a call is refused with."""
    with pytest.raises(FilingnetError) as refused:
        await call
    return refused.value


async def test_art_7_1_only_a_passed_review_files(provider: MadeUpProvider, subject: Subject) -> None:
    """Art. 7(1): opening files nothing, a failed review files nothing, a passed one files the whole record."""
    account = await provider.opened(subject)
    assert (ReviewOutcome.UNSPECIFIED, None, 0) == (account.review_outcome, account.filing, len(provider.woken))
    failed = await provider.accounts.review(account.account_id, FAILED, "照片不清楚", account.etag, None)
    assert (FAILED, "照片不清楚", []) == (failed.review_outcome, failed.review_reason, await queued_filings(provider))
    passed = await provider.accounts.review(account.account_id, PASSED, "", failed.etag, None)
    assert passed.filing is not None
    assert (PASSED, "", FilingState.QUEUED, 1) == (
        passed.review_outcome,
        passed.review_reason,
        passed.filing.state,
        passed.filing.revision,
    )
    (filing,) = await queued_filings(provider)
    assert (account.account_id, 1, "FILING_ACTION_OPEN", "样例公众号", "lifestyle", "330000", 1) == (
        filing.account_id,
        filing.revision,
        filing_pb2.FilingAction.Name(filing.action),
        filing.display_name,
        filing.category,
        filing.subject_region,
        filing.agreement_version,
    )
    assert (subject.reference, "", "") == (filing.person_reference, filing.uscc, filing.organisation_name)
    assert len(provider.woken) > 0


async def test_organisation_is_filed_by_its_public_code(provider: MadeUpProvider) -> None:
    """Art. 7(4): an organisation's filing names its code, kind and registered name, and no person."""
    unit = organisation(7, "样例社", SubjectKind.PUBLIC_INSTITUTION, "330000")
    await provider.filed(await provider.registered(unit, kind=SubjectKind.PUBLIC_INSTITUTION))
    (filing,) = await queued_filings(provider)
    assert (unit.uscc, "样例社", b"", "SUBJECT_KIND_PUBLIC_INSTITUTION") == (
        filing.uscc,
        filing.organisation_name,
        filing.person_reference,
        filing_pb2.SubjectKind.Name(filing.subject_kind),
    )
    await provider.deliver()


async def test_opening_is_refused_early(provider: MadeUpProvider, subject: Subject) -> None:
    """An account of nobody, in no category, or with identity data in its name is not opened."""
    accounts = provider.accounts
    assert "SUBJECT_NOT_FOUND" == (await refusal(accounts.open(new_account_id(), bytes(16), "样例", "sports"))).reason
    assert (
        "CATEGORY_UNKNOWN"
        == (await refusal(accounts.open(new_account_id(), subject.reference, "样例", "poetry"))).reason
    )
    told = await refusal(accounts.open(new_account_id(), subject.reference, "电话 13800001234", "sports"))
    assert "IDENTITY_DATA" == told.reason
    assert "13800001234" not in f"{told} {told.violations}"
    assert 0 == await provider.count("account")


async def test_repeated_opening_gets_the_first_answer(provider: MadeUpProvider, subject: Subject) -> None:
    """An opening whose answer was lost opens one account; another request under its id is refused."""
    request = new_account_id()
    first = await provider.accounts.open(request, subject.reference, "样例", "sports")
    await provider.accounts.review(first.account_id, PASSED, "", "", None)
    assert first == await provider.accounts.open(request, subject.reference, "样例", "sports")
    told = await refusal(provider.accounts.open(request, subject.reference, "样例二", "sports"))
    assert ("REQUEST_ID_REUSED", 1) == (told.reason, await provider.count("account"))


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"state": directory_pb2.NODE_STATE_SUSPENDED}, "PROVIDER_SUSPENDED"),
        ({"licence_end": NOW - timedelta(days=1)}, "LICENCE_LAPSED"),
        ({"licence_number": "33120240001"}, "LICENCE_CLASS_WRONG"),
    ],
)
async def test_provider_that_may_not_file_is_told_before_it_queues(
    provider: MadeUpProvider, network: MadeUpNetwork, subject: Subject, node: dict[str, Any], reason: str
) -> None:
    """Art. 4: what the regulator would refuse of the provider is refused at once, and nothing changes."""
    account = await provider.opened(subject)
    await provider.view.install([network.directory(**node)])
    told = await refusal(provider.accounts.review(account.account_id, PASSED, "", "", None))
    assert (reason, FailedPrecondition) == (told.reason, type(told))
    assert (account, []) == (await provider.accounts.get(account.account_id), await queued_filings(provider))
    await provider.view.install([network.directory()])
    await provider.accounts.review(account.account_id, PASSED, "", "", None)


async def test_filing_that_would_be_refused_is_not_queued(provider: MadeUpProvider, subject: Subject) -> None:
    """The provider judges as the regulator does, with the same violations, so that nothing is queued in vain."""
    account = await provider.opened(subject)
    far = provider.clock() + timedelta(days=4000)
    told = await refusal(provider.accounts.review(account.account_id, PASSED, "", "", far))
    assert (InvalidInput, "TIME_IN_FUTURE", ["filing.effective_time"]) == (
        type(told),
        told.reason,
        [each.field for each in told.violations],
    )
    assert account == await provider.accounts.get(account.account_id)


async def test_filed_account_arrives_and_has_a_receipt(provider: MadeUpProvider, subject: Subject) -> None:
    """A delivered filing is RECEIVED, and its receipt verifies with pinned keys alone."""
    account = await provider.filed(subject)
    assert "RECEIPT_UNKNOWN" == (await refusal(provider.accounts.receipt(account.account_id, 0))).reason
    await provider.deliver()
    (received,) = await history(provider, account)
    assert (FilingState.RECEIVED, 0) == (received.state, received.log_index)
    proven = verify_receipt(await provider.accounts.receipt(account.account_id, 0), provider.ring)
    assert (account.account_id, 1) == (proven.entry.filing.account_id, proven.entry.filing.revision)
    assert "RECEIPT_UNKNOWN" == (await refusal(provider.accounts.receipt(account.account_id, 2))).reason


async def test_art_7_1_amendment_files_the_next_revision(provider: MadeUpProvider, subject: Subject) -> None:
    """A change states the whole record anew under the next number, whether or not the first one has arrived."""
    account = await provider.filed(subject)
    amended = await provider.accounts.amend(account.account_id, "新名称", "", account.etag, None)
    await provider.deliver()
    provider.clock.now += timedelta(days=1)
    await provider.accounts.amend(account.account_id, "", "sports", amended.etag, None)
    await provider.deliver()
    assert [(1, "OPEN", "RECEIVED"), (2, "AMEND", "RECEIVED"), (3, "AMEND", "RECEIVED")] == await states(
        provider, account
    )
    newest = (await queued_filings(provider))[-1]
    assert ("新名称", "sports") == (newest.display_name, newest.category)


async def test_amendment_before_filing_waits_for_the_review(provider: MadeUpProvider, subject: Subject) -> None:
    """An account that was never filed is mended without a filing, and its failed review no longer counts."""
    account = await provider.opened(subject)
    await provider.accounts.review(account.account_id, FAILED, "名称不合适", "", None)
    mended = await provider.accounts.amend(account.account_id, "合适的名称", "", "", None)
    assert ("合适的名称", ReviewOutcome.UNSPECIFIED, []) == (
        mended.display_name,
        mended.review_outcome,
        await queued_filings(provider),
    )


async def test_etag_keeps_changes_from_crossing(provider: MadeUpProvider, subject: Subject) -> None:
    """Two people who look at the same account cannot both change it unseen."""
    account = await provider.filed(subject)
    await provider.accounts.amend(account.account_id, "新名称", "", account.etag, None)
    for late in (
        provider.accounts.amend(account.account_id, "晚了", "", account.etag, None),
        provider.accounts.withdraw(account.account_id, WithdrawalReason.CLOSED, account.etag),
        provider.accounts.review(account.account_id, PASSED, "", account.etag, None),
    ):
        assert Conflict is type(await refusal(late))


async def test_art_7_1_withdrawal_is_final(provider: MadeUpProvider, subject: Subject) -> None:
    """A withdrawal is filed with its reason and nothing follows it; its subject's identity may have changed before."""
    account = await provider.filed(subject)
    await provider.deliver()
    provider.clock.now += timedelta(days=1)
    await provider.subjects.change_identity(new_account_id(), subject.reference, person(2, "330000"), "")
    withdrawn = await provider.accounts.withdraw(account.account_id, WithdrawalReason.OWNER_REQUEST, "")
    await provider.deliver(now=provider.clock())
    assert withdrawn.withdrawn
    assert [(1, "OPEN", "RECEIVED"), (2, "WITHDRAW", "RECEIVED")] == await states(provider, account)
    for late in (
        provider.accounts.amend(account.account_id, "晚了", "", "", None),
        provider.accounts.withdraw(account.account_id, WithdrawalReason.CLOSED, ""),
        provider.accounts.review(account.account_id, PASSED, "", "", None),
    ):
        assert "ACCOUNT_WITHDRAWN" == (await refusal(late)).reason


async def test_account_that_was_never_filed_is_closed_without_a_filing(
    provider: MadeUpProvider, subject: Subject
) -> None:
    """What never was on file needs no withdrawal there; its subject can be deleted afterwards."""
    account = await provider.opened(subject)
    closed = await provider.accounts.withdraw(account.account_id, WithdrawalReason.OWNER_REQUEST, "")
    assert (True, []) == (closed.withdrawn, await queued_filings(provider))
    await provider.subjects.delete(subject.reference, "")


async def test_refused_filing_consumes_no_revision(provider: MadeUpProvider, subject: Subject) -> None:
    """Promise 6: what a regulator refused is parked and explained; the amendment takes its number and replaces it."""
    account = await provider.filed(subject)
    await provider.accounts.amend(account.account_id, "新名称", "", "", None)
    other = await provider.filed(subject, "另一公众号")
    await provider.deliver(policies=())
    assert [(1, "OPEN", "REJECTED"), (2, "AMEND", "PARKED")] == await states(provider, account)
    parked, refused = await history(provider, account)
    assert ("WAITS_FOR_EARLIER", "TIME_TOO_EARLY", ["created_time"]) == (
        parked.reason,
        refused.reason,
        [each.field for each in refused.violations],
    )
    await provider.accounts.amend(account.account_id, "又一名称", "", "", None)
    await provider.deliver()
    assert [(1, "OPEN", "SUPERSEDED"), (2, "AMEND", "SUPERSEDED"), (1, "OPEN", "RECEIVED")] == await states(
        provider, account
    )
    assert [(1, "OPEN", "REJECTED")] == await states(provider, other)


async def test_reviewed_anew_after_refusal_opens_again(provider: MadeUpProvider, subject: Subject) -> None:
    """A second passed review of what was refused files it again under the same number; of what arrived, nothing."""
    account = await provider.filed(subject)
    await provider.deliver(policies=())
    await provider.accounts.review(account.account_id, PASSED, "", "", None)
    await provider.deliver()
    assert [(1, "OPEN", "SUPERSEDED"), (1, "OPEN", "RECEIVED")] == await states(provider, account)
    again = await provider.accounts.review(account.account_id, PASSED, "", "", None)
    assert 2 == again.filings


async def test_replay_sends_the_same_again(provider: MadeUpProvider, subject: Subject) -> None:
    """After the cause was mended elsewhere, what was refused goes out as it is, with all that waited behind it."""
    account = await provider.filed(subject)
    await provider.accounts.amend(account.account_id, "新名称", "", "", None)
    await provider.deliver(policies=())
    assert 2 == await provider.accounts.replay(account.account_id)
    await provider.deliver()
    assert [(1, "OPEN", "RECEIVED"), (2, "AMEND", "RECEIVED")] == await states(provider, account)
    assert 0 == await provider.accounts.replay(account.account_id)
    assert "ACCOUNT_NOT_FOUND" == (await refusal(provider.accounts.replay(new_account_id()))).reason


async def test_refused_withdrawal_is_withdrawn_again(provider: MadeUpProvider, subject: Subject) -> None:
    """A withdrawal that was refused can be filed again, although nothing else follows it."""
    account = await provider.filed(subject)
    await provider.deliver()
    await provider.accounts.withdraw(account.account_id, WithdrawalReason.CLOSED, "")
    await provider.deliver(policies=())
    assert (2, "WITHDRAW", "REJECTED") == (await states(provider, account))[-1]
    await provider.accounts.withdraw(account.account_id, WithdrawalReason.CLOSED, "")
    await provider.deliver()
    assert [(2, "WITHDRAW", "SUPERSEDED"), (2, "WITHDRAW", "RECEIVED")] == (await states(provider, account))[1:]


async def test_everything_refused_is_withdrawn_without_a_filing(provider: MadeUpProvider, subject: Subject) -> None:
    """An account whose opening was refused was never on file: it is closed, and what was refused set aside."""
    account = await provider.filed(subject)
    await provider.deliver(policies=())
    closed = await provider.accounts.withdraw(account.account_id, WithdrawalReason.FILED_IN_ERROR, "")
    assert (True, [(1, "OPEN", "SUPERSEDED")]) == (closed.withdrawn, await states(provider, account))
    await provider.subjects.delete(subject.reference, "")


async def test_failed_review_after_filing_is_no_withdrawal(provider: MadeUpProvider, subject: Subject) -> None:
    """An account on file is not taken off it by a note: it has to be withdrawn."""
    account = await provider.filed(subject)
    late = provider.accounts.review(account.account_id, FAILED, "不行", "", None)
    assert "ACCOUNT_FILED" == (await refusal(late)).reason
    for outcome, reason in ((FAILED, ""), (PASSED, "很好")):
        told = await refusal(provider.accounts.review(account.account_id, outcome, reason, "", None))
        assert "REVIEW_REASON_WRONG" == told.reason


async def test_accounts_are_listed_in_pages(provider: MadeUpProvider, subject: Subject) -> None:
    """Pages follow one another without gap or repetition, in order of opening, for all and for each state."""
    opened = []
    for number in range(7):
        provider.clock.now += timedelta(seconds=1)
        account = await provider.opened(subject, f"样例{number}")
        opened.append(account.account_id)
        if number % 2:
            await provider.accounts.review(account.account_id, PASSED, "", "", None)
    assert opened == await listed(provider, FilingState.UNSPECIFIED)
    assert opened[1::2] == await listed(provider, FilingState.QUEUED)
    await provider.deliver(policies=())
    assert opened[1::2] == await listed(provider, FilingState.REJECTED)
    assert [] == await listed(provider, FilingState.PARKED)
    await provider.accounts.replay(opened[3])
    await provider.deliver()
    assert [opened[3]] == await listed(provider, FilingState.RECEIVED)


async def listed(provider: MadeUpProvider, state: FilingState) -> list[str]:
    """The ids of the accounts in a state, read in pages of two."""
    found: list[str] = []
    token = ""
    while True:
        page, token = await provider.accounts.list_page(state, 2, token)
        found += [account.account_id for account in page]
        if not token:
            return found


async def test_filings_are_listed_in_pages(provider: MadeUpProvider, subject: Subject) -> None:
    """Every filing of an account is there, newest first; an unknown account is said."""
    account = await provider.filed(subject)
    for number in range(4):
        await provider.accounts.amend(account.account_id, f"样例{number}", "", "", None)
    first, token = await provider.accounts.filings_page(account.account_id, 3, "")
    rest, end = await provider.accounts.filings_page(account.account_id, 3, token)
    assert ([5, 4, 3, 2, 1], "") == ([each.revision for each in [*first, *rest]], end)
    assert FilingAction.OPEN is rest[-1].action
    with pytest.raises(NotFound):
        await provider.accounts.filings_page(new_account_id(), 0, "")
