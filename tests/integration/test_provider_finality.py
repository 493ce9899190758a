"""A provider's receipts show by themselves that filings are final; what is not proven about that is not kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from provider_node.account_rows import Account
from provider_node.evidence import EvidenceReader
from provider_node.finality import WHILE_BUSY, FinalityProofs
from provider_node.subject_rows import Subject
from regulator_node.log_proofs import prove_final, read_best_receipt
from regulator_node.witness import keep_cosigned
from shared.database import Transaction
from shared.errors import NotFound
from shared.evidence.checkpoints import Checkpoint
from shared.evidence.hashing import ProofError
from shared.evidence.keys import SigningKey
from shared.evidence.notes import parse_note
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.network.v1 import follow_service_pb2
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from tests.integration.filing_samples import JURISDICTION
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_network, made_up_provider


@dataclass
class Filed:
    """A provider with filings in several runs of its regulator's log, between decisions of the regulator."""

    provider: MadeUpProvider
    network: MadeUpNetwork
    accounts: list[Account]
    subject: Subject
    seconds: float = 0.0

    def __post_init__(self) -> None:
        provider = self.provider
        self.proofs = FinalityProofs(provider.database, JURISDICTION, lambda: provider.ring, lambda: self.seconds)

    async def cosign(self, key: SigningKey | None = None) -> bytes:
        """Has the nation cosign, and the provider hear it."""
        note = await self.network.cosigned(key)
        size = Checkpoint.decode(parse_note(note).text).size
        await self.network.register.database.write(
            lambda transaction: keep_cosigned(transaction, JURISDICTION, size, note)
        )
        await self.provider.directives.take(follow_service_pb2.FollowDirectivesResponse(cosigned_checkpoint=note))
        return note

    async def ask(self, request: wire.ProveFinalRequest) -> wire.ProveFinalResponse:
        """Answers as the regulator does."""

        def read(transaction: Transaction) -> wire.ProveFinalResponse:
            checkpoint, beyond = prove_final(transaction, JURISDICTION, request.sizes)
            proofs = [wire.TreeBeyond(size=size, hashes=b"".join(beyond[size])) for size in request.sizes]
            return wire.ProveFinalResponse(checkpoint=checkpoint, beyond=proofs)

        return await self.network.register.database.read(read)

    async def cosigners(self, account: Account) -> list[str]:
        """Who cosigned, by the receipt of an account's newest filing."""
        receipt = await self.provider.accounts.receipt(account.account_id, 0)
        return [each.name for each in verify_receipt(receipt, self.provider.ring).head.cosignatures]


@pytest.fixture
async def filed(tmp_path: Path, database_url: str) -> AsyncIterator[Filed]:
    """Seven filings, each in a run of its own, with the regulator's own entries between them."""
    async with made_up_network(tmp_path) as network, made_up_provider(tmp_path, network, database_url) as provider:
        subject, accounts = await provider.registered(), []
        for number in range(7):
            accounts.append(await provider.filed(subject, f"样例公众号{number}"))
            await provider.deliver()
            if number % 2:
                await network.decide(accounts[-1].account_id, 1)
        yield Filed(provider, network, accounts, subject)


async def test_receipts_carry_the_cosignatures_once_filings_are_final(filed: Filed) -> None:
    """What lies below the cosigned head is shown to be final; what came after it is not, until the next one."""
    assert [] == await filed.cosigners(filed.accounts[0])
    await filed.cosign()
    assert [] == await filed.cosigners(filed.accounts[0])
    late = await filed.provider.filed(filed.subject, "样例晚到号")
    await filed.provider.deliver()
    assert not await filed.proofs.fetch_page(filed.ask)
    assert [["regulator/100000"]] * 7 == [await filed.cosigners(each) for each in filed.accounts]
    assert [] == await filed.cosigners(late)
    await filed.cosign()
    await filed.proofs.fetch_page(filed.ask)
    assert ["regulator/100000"] == await filed.cosigners(late)
    pieces = [piece async for page in EvidenceReader(filed.provider.database).pages() for piece in page]
    assert [True] * 8 == [piece.final for piece in pieces if piece.proof]
    assert len(pieces) == await EvidenceReader(filed.provider.database).total()


async def test_both_sides_make_the_same_receipt(filed: Filed) -> None:
    """The regulator's receipt of a final filing is the provider's, byte for byte."""
    await filed.cosign()
    await filed.proofs.fetch_page(filed.ask)
    receipt = await filed.provider.accounts.receipt(filed.accounts[2].account_id, 0)
    index = verify_receipt(receipt, filed.provider.ring).log_index
    theirs = await filed.network.register.database.read(
        lambda transaction: read_best_receipt(transaction, JURISDICTION, index)
    )
    assert receipt == theirs


async def test_what_is_not_proven_is_not_kept(filed: Filed) -> None:
    """A changed hash, too few runs, a head of which nobody cosigned: nothing of the answer is stored."""
    await filed.cosign()

    async def changed(request: wire.ProveFinalRequest) -> wire.ProveFinalResponse:
        answer = await filed.ask(request)
        proof = bytearray(answer.beyond[0].hashes)
        proof[5] ^= 1
        answer.beyond[0].hashes = bytes(proof)
        return answer

    async def fewer(request: wire.ProveFinalRequest) -> wire.ProveFinalResponse:
        answer = await filed.ask(request)
        del answer.beyond[0]
        return answer

    async def bare(request: wire.ProveFinalRequest) -> wire.ProveFinalResponse:
        answer = await filed.ask(request)
        answer.checkpoint = b"\n".join(answer.checkpoint.split(b"\n")[:5]) + b"\n"
        return answer

    for lie in (changed, fewer, bare):
        with pytest.raises(ProofError):
            await filed.proofs.fetch_page(lie)
        assert 0 == await filed.provider.count("final_run")
    await filed.proofs.fetch_page(filed.ask)
    assert 7 == await filed.provider.count("final_run")


async def test_filings_go_before_proofs(filed: Filed) -> None:
    """While filings wait, proofs are asked for at most every half minute."""
    asked = []

    async def ask(request: wire.ProveFinalRequest) -> wire.ProveFinalResponse:
        asked.append(len(request.sizes))
        return await filed.ask(request)

    await filed.cosign()
    await filed.proofs.fetch_page(ask)
    await filed.provider.filed(filed.subject, "样例后来号")
    await filed.provider.deliver()
    await filed.cosign()
    await filed.provider.filed(filed.subject, "样例等待号")
    # A clock that is set back by a year changes nothing: what is measured is how long ago it was asked.
    filed.provider.clock.now -= timedelta(days=365)
    await filed.proofs.fetch_page(ask)
    assert [7] == asked
    filed.seconds += WHILE_BUSY
    await filed.proofs.fetch_page(ask)
    assert [7, 1] == asked


async def test_a_regulator_proves_nothing_beyond_what_was_cosigned(filed: Filed) -> None:
    """Asked for more than another regulator cosigned, it says so."""
    with pytest.raises(NotFound, match="cosigned up to 0 entries"):
        await filed.ask(wire.ProveFinalRequest(sizes=[1]))
