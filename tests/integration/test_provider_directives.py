"""Directives: a regulator's decisions are taken with proof or not at all, once, in any order; and what they mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from provider_node.account_rows import Account
from provider_node.directives import Directives
from provider_node.filing_states import FilingStatus
from shared.cluster.made_up import person
from shared.errors import Violation
from shared.evidence.forks import Contradiction, TreeParts, proven
from shared.evidence.hashing import ProofError
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import evidence_pb2, follow_service_pb2
from shared.provisions.account_states import FilingState
from tests.integration.filing_samples import NOW
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_network, made_up_provider


@dataclass
class Filed:
    """A provider with one account on file."""

    provider: MadeUpProvider
    network: MadeUpNetwork
    account: Account

    async def take(
        self, *directives: evidence_pb2.Receipt, cursor: int = 0, checkpoint: bytes = b"", by: Directives | None = None
    ) -> None:
        """Hands the provider a page."""
        after = max([cursor, *(each.log_index + 1 for each in directives)])
        page = follow_service_pb2.FollowDirectivesResponse(
            directives=directives, cursor=after, cosigned_checkpoint=checkpoint
        )
        await (by or self.provider.directives).take(page)

    async def status(self) -> FilingStatus:
        """The newest filing."""
        filing = (await self.provider.accounts.get(self.account.account_id)).filing
        assert filing is not None
        return filing

    async def accepted(self, revision: int = 1) -> evidence_pb2.Receipt:
        """A decision that accepts."""
        return await self.network.decide(self.account.account_id, revision)

    async def returned(self, revision: int = 1, fields: Sequence[str] = ("category",)) -> evidence_pb2.Receipt:
        """A decision that returns."""
        return await self.network.decide(
            self.account.account_id, revision, "category_mismatch", fields=fields, note="请改类别"
        )


@pytest.fixture
async def filed(tmp_path: Path, database_url: str) -> AsyncIterator[Filed]:
    """A provider with an account that its regulator has taken in."""
    async with made_up_network(tmp_path) as network, made_up_provider(tmp_path, network, database_url) as provider:
        account = await provider.filed(await provider.registered())
        await provider.deliver()
        yield Filed(provider, network, account)


async def test_acceptance(filed: Filed) -> None:
    """An accepted filing says so, and the cursor moves on."""
    await filed.take(await filed.accepted())
    status = await filed.status()
    assert (FilingState.ACCEPTED, "", (), 2) == (
        status.state,
        status.reason,
        status.violations,
        await filed.provider.directives.cursor(),
    )


async def test_return_says_what_to_mend_and_the_amendment_is_the_next_revision(filed: Filed) -> None:
    """Art. 7(1): a returned filing tells reason, fields and note; the amendment is filed as the next revision."""
    await filed.take(await filed.returned())
    status = await filed.status()
    mend = "correct this field, then amend the account"
    assert (
        FilingState.RETURNED,
        "category_mismatch",
        "请改类别",
        (Violation("filing.category", "RETURNED", mend),),
    ) == (
        status.state,
        status.reason,
        status.note,
        status.violations,
    )
    found, _ = await filed.provider.accounts.list_page(FilingState.RETURNED, 0, "")
    assert [filed.account.account_id] == [account.account_id for account in found]
    amended = await filed.provider.accounts.amend(filed.account.account_id, "", "sports", "", None)
    assert amended.filing is not None
    assert (FilingState.QUEUED, 2) == (amended.filing.state, amended.filing.revision)
    await filed.provider.deliver()
    await filed.take(await filed.accepted(2))
    statuses, _ = await filed.provider.accounts.filings_page(filed.account.account_id, 0, "")
    assert [FilingState.ACCEPTED, FilingState.RETURNED] == [each.state for each in statuses]


async def test_pages_come_twice_late_and_out_of_order(filed: Filed) -> None:
    """Promise 2: duplicates and reordering change nothing; the first decision on a revision stands."""
    first, second = await filed.returned(), await filed.accepted()
    await filed.take(second)
    await filed.take(first)
    assert second.log_index + 1 == await filed.provider.directives.cursor()
    await filed.take(first, second)
    assert FilingState.ACCEPTED is (await filed.status()).state
    assert second.log_index + 1 == await filed.provider.directives.cursor()


async def test_decision_before_the_acknowledgement(filed: Filed) -> None:
    """A decision can be faster than a lost acknowledgement: it is kept and holds, and the receipt follows."""
    account = await filed.provider.filed(await filed.provider.registered(person(2)))
    with pytest.raises(ConnectionResetError):
        await filed.provider.deliver(lose_answer=True)
    await filed.take(await filed.network.decide(account.account_id, 1))
    waiting = (await filed.provider.accounts.get(account.account_id)).filing
    await filed.provider.deliver()
    arrived = (await filed.provider.accounts.get(account.account_id)).filing
    assert waiting is not None
    assert arrived is not None
    assert [(FilingState.ACCEPTED, -1), (FilingState.ACCEPTED, 1)] == [
        (each.state, each.log_index) for each in (waiting, arrived)
    ]


async def test_decision_on_a_superseded_filing_is_not_shown(filed: Filed) -> None:
    """A decision belongs to the filing that entered the log, not to one that was refused under the same number."""
    provider = filed.provider
    account = await provider.filed(await provider.registered(person(2)))
    await provider.deliver(policies=())
    await provider.accounts.amend(account.account_id, "新名称", "", "", None)
    await provider.deliver()
    await filed.take(await filed.network.decide(account.account_id, 1))
    statuses, _ = await provider.accounts.filings_page(account.account_id, 0, "")
    assert [(1, FilingState.ACCEPTED), (1, FilingState.SUPERSEDED)] == [
        (each.revision, each.state) for each in statuses
    ]


async def test_what_is_not_proven_is_not_taken(filed: Filed) -> None:
    """A page with one flipped bit, or of another regulator, or for another provider, is refused whole."""
    good, other = await filed.accepted(), await filed.returned()
    bent = evidence_pb2.Receipt.FromString(other.SerializeToString())
    bent.entry = bent.entry.replace(b"category", b"cztegory")
    strange = await filed.network.decide(filed.account.account_id, 1, provider="provider/other")
    for page in ([good, bent], [good, strange]):
        with pytest.raises(ProofError):
            await filed.take(*page)
    elsewhere = Directives(filed.provider.database, "provider/wave", "440000", lambda: filed.provider.ring)
    with pytest.raises(ProofError):
        await filed.take(good, by=elsewhere)
    assert (FilingState.RECEIVED, 0) == ((await filed.status()).state, await filed.provider.directives.cursor())
    await filed.take(good)


async def test_filing_of_a_provider_is_no_directive(filed: Filed) -> None:
    """A receipt of the provider's own filing proves a filing and decides nothing."""
    own = evidence_pb2.Receipt.FromString(await filed.provider.accounts.receipt(filed.account.account_id, 1))
    with pytest.raises(ProofError):
        await filed.take(own)


async def test_cosigned_checkpoint_makes_final(filed: Filed) -> None:
    """A filing is FINAL once another regulator cosigned a head above it; an older head changes nothing."""
    older = await filed.network.cosigned()
    await filed.take(checkpoint=older)
    assert FilingState.FINAL is (await filed.status()).state
    later = await filed.provider.filed(await filed.provider.registered(person(2)))
    await filed.provider.deliver()
    newer = await filed.network.cosigned()
    await filed.take(checkpoint=newer)
    await filed.take(checkpoint=older)
    account = await filed.provider.accounts.get(later.account_id)
    assert account.filing is not None
    assert FilingState.FINAL is account.filing.state


async def test_checkpoint_that_nobody_else_signed_is_not_final(filed: Filed) -> None:
    """The regulator's own word, a stranger's cosignature, or a provider's makes nothing final."""
    note = await filed.network.cosigned()
    own = note.partition(b"\n\n")[0] + b"\n\n" + note.partition(b"\n\n")[2].splitlines(keepends=True)[0]
    by_provider = await filed.network.cosigned(filed.network.register.provider_key, "provider/wave")
    stranger = await filed.network.cosigned(SigningKey.generate())
    for checkpoint in (own, by_provider, stranger, note.replace(b"/330000", b"/440000", 1)):
        with pytest.raises(ProofError):
            await filed.take(checkpoint=checkpoint)
    assert FilingState.RECEIVED is (await filed.status()).state


async def test_two_heads_of_one_size_are_refused(filed: Filed, tmp_path: Path) -> None:
    """Promise 4: a second history of the same size is noticed, told and proven; what is proven by itself goes on."""
    told: list[Contradiction] = []

    async def contradicted(error: Contradiction) -> None:
        told.append(error)

    watching = Directives(
        filed.provider.database,
        "provider/wave",
        "330000",
        lambda: filed.provider.ring,
        contradicted=contradicted,
    )
    first = await filed.network.cosigned()
    await filed.take(checkpoint=first)
    directive = await filed.accepted()
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    async with made_up_network(other_folder) as fork:
        fork.register.key = filed.network.register.key
        fork.register.provider_key = filed.network.register.provider_key
        fork.register.__post_init__()
        fork.nation_key = filed.network.nation_key
        await fork.decide(filed.account.account_id, 1)
        second = await fork.cosigned()
        await filed.take(directive, checkpoint=second, by=watching)
    assert [(first, second)] == [(error.held, error.shown) for error in told]
    assert proven(first, second, filed.provider.ring, TreeParts()) is not None
    assert FilingState.ACCEPTED is (await filed.status()).state
    ((kept,),) = await filed.provider.database.read(
        lambda transaction: transaction.execute("SELECT cosigned_checkpoint FROM destination")
    )
    assert first == bytes(kept)


async def test_decision_keeps_its_proof(filed: Filed) -> None:
    """The receipt of a decision is kept, so that a provider can prove what its regulator told it."""
    directive = await filed.returned()
    await filed.take(directive)
    ((receipt, decided),) = await filed.provider.database.read(
        lambda transaction: transaction.execute("SELECT receipt, decided_time FROM decision")
    )
    assert (directive.SerializeToString(deterministic=True), NOW.timestamp() * 1e6) == (bytes(receipt), decided)


async def test_heartbeats_write_nothing(filed: Filed) -> None:
    """An empty page, which comes every few seconds for years, costs no write."""
    await filed.take(await filed.accepted())
    await filed.provider.database.close()
    await filed.take(cursor=2)
