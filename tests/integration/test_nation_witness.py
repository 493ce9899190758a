"""A province cosigns the nation's log only as long as each head continues the last one that it cosigned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from regulator_node.log import RegisterLog
from regulator_node.log_proofs import read_head
from regulator_node.nation_witness import NationWitness, read_witnessed
from regulator_node.witness import Witness
from shared.channel import RemoteError
from shared.database import Database, open_database, sqlite_url
from shared.evidence.checkpoints import verify_head
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import decision_pb2
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from tests.integration.filing_samples import JURISDICTION, MIGRATIONS, NOW, PROVIDER, REGULATOR, Register
from tests.unit.trust_samples import NATION

CODE = "100000"


@dataclass
class Nation:
    """A nation's log, served as WitnessService does, and what it was handed; it may be away when it is to take that."""

    database: Database
    key: SigningKey
    handed: list[bytes] = field(default_factory=list)
    away: bool = False

    async def grow(self, count: int = 1) -> None:
        """Appends entries, each a run."""
        log = RegisterLog(NATION, CODE, self.key)
        decision = decision_pb2.FilingDecision(provider=PROVIDER, revision=1)
        for _ in range(count):
            await self.database.write(lambda transaction: _append(log, transaction, decision))

    async def GetHead(self, request: wire.GetHeadRequest, timeout: float) -> wire.GetHeadResponse:  # noqa: N802, ASYNC109
        """Shows the newest head."""
        _, note, path = await self.database.read(lambda transaction: read_head(transaction, CODE, request.old_size))
        return wire.GetHeadResponse(checkpoint=note, consistency_path=path)

    async def SubmitCosignature(self, request: Any, timeout: float) -> wire.SubmitCosignatureResponse:  # noqa: N802, ASYNC109
        """Takes a cosignature."""
        if self.away:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
        self.handed.append(request.checkpoint)
        return wire.SubmitCosignatureResponse()

    def stub(self, stub_class: type) -> Nation:
        """Stands for the peer."""
        return self


def _append(log: RegisterLog, transaction: Any, body: decision_pb2.FilingDecision) -> None:
    log.append_own(transaction, [("filing_decision", body)], NOW)


async def opened(path: Path, key: SigningKey) -> Nation:
    """An empty log of the nation."""
    nation = Nation(open_database(sqlite_url(path), MIGRATIONS), key)
    log = RegisterLog(NATION, CODE, key)
    await nation.database.write(lambda transaction: log.create(transaction, NOW))
    return nation


@dataclass
class Province:
    """A province that witnesses."""

    register: Register
    nation: Nation
    started: NationWitness | None = None

    @property
    def ring(self) -> KeyRing:
        """The keys of both."""
        keys = {NATION: [self.nation.key.verifying_key], REGULATOR: [self.register.key.verifying_key]}
        return KeyRing(keys)

    async def witness(self, nation: Nation | None = None) -> None:
        """Looks at the nation's newest head."""
        log = RegisterLog(REGULATOR, JURISDICTION, self.register.key)
        view: Any = SimpleNamespace(key_ring=lambda: self.ring)
        peer: Any = nation or self.nation
        if self.started is None or nation is not None:
            self.started = NationWitness(self.register.database, view, Witness(log, lambda: NOW), peer)
        await self.started.cosign_newest()

    async def held(self) -> bytes:
        """The head that it cosigned last."""
        return await self.register.database.read(read_witnessed)


@pytest.fixture
async def province(database_url: str, tmp_path: Path) -> AsyncIterator[Province]:
    """A province on each engine, and a nation with five entries."""
    register = await Register.open(database_url)
    nation = await opened(tmp_path / "nation.db", SigningKey.generate())
    await nation.grow(5)
    yield Province(register, nation)
    await register.database.close()
    await nation.database.close()


async def test_every_newer_head_is_cosigned_once(province: Province) -> None:
    """The cosignature verifies; a head that was cosigned is not cosigned again; the next one is."""
    for size in (5, 5, 8):
        await province.nation.grow(size - 5 if size > 5 else 0)
        await province.witness()
    heads = [verify_head(note, CODE, province.ring.keys_of) for note in province.nation.handed]
    assert [5, 8] == [head.checkpoint.size for head in heads]
    assert [[REGULATOR]] * 2 == [[each.name for each in head.cosignatures] for head in heads]


async def test_a_cosignature_that_did_not_arrive_is_handed_over_again(province: Province) -> None:
    """A nation that was away just then, or a province that was killed then, delays finality only until the next contact."""
    province.nation.away = True
    with pytest.raises(RemoteError):
        await province.witness()
    assert (await province.held()).startswith(b"filingnet/log/100000\n5\n")
    province.nation.away = False
    await province.witness()
    province.started = None
    await province.witness()
    heads = [verify_head(note, CODE, province.ring.keys_of) for note in province.nation.handed]
    assert [5, 5] == [head.checkpoint.size for head in heads]


@pytest.mark.parametrize("size", [3, 5, 9])
async def test_a_nation_that_rewrote_its_log_is_not_cosigned(province: Province, tmp_path: Path, size: int) -> None:
    """Another history, shorter, as long or longer, signed by the nation itself: no cosignature, and the old head is kept."""
    await province.witness()
    held = await province.held()
    rewritten = await opened(tmp_path / "rewritten.db", province.nation.key)
    await rewritten.grow(size)
    with pytest.raises(Exception, match=r"fewer than that|roots|root|consistency") as caught:
        await province.witness(rewritten)
    assert isinstance(caught.value, ProofError) or size == 3
    assert ([], held) == (rewritten.handed, await province.held())
    await rewritten.database.close()
