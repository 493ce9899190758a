"""The write paths of regulators: decisions, the nation's copy of a log and its cosignature, policies."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from regulator_node.fsck import check_register
from regulator_node.log import RegisterLog, log_size
from regulator_node.nation_documents import NationDocuments, newest
from regulator_node.replication import LogCopy
from regulator_node.review import Outcome, Review, Verdict
from regulator_node.settings import MIGRATIONS
from regulator_node.stored_runs import read_runs
from regulator_node.witness import Witness, read_cosigned
from shared.database import Database, open_database
from shared.document_store import all_documents
from shared.evidence.checkpoints import verify_head
from shared.evidence.keyring import KeyRing
from shared.identifiers import id_text
from shared.mapping.policy import policy_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, follow_service_pb2
from shared.provisions.policy import initial_policy
from shared.trust.authority import Authority
from shared.trust.directory import Directory
from tests.faults.provider_paths import register_in
from tests.faults.write_paths import Answer, Step, ThreadNames, assert_sound, count, key_of, request_id, url_of
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    REGULATOR,
    Register,
    made_up_entry,
    made_up_filing,
)
from tests.unit.trust_samples import NATION, node

OFFICER = "officer/330000/reviewer/review-desk-2"
NATION_LOG = "100000"


async def _assert_register(database: Database, ring: KeyRing) -> None:
    await assert_sound(database)
    found = await check_register(database, MIGRATIONS, ring)
    assert found.whole, found.rows()


def _digest(data: bytes) -> Answer:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Deciding:
    """An officer's decisions enter the regulator's own log with the answer that is kept for their request."""

    name: str = "decision in the own log"
    databases: tuple[str, ...] = ("register",)
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """A register with three filings."""
        register = register_in(self, folder)
        await register.database.write(lambda transaction: register.log.create(transaction, NOW))
        await register.submit(*(made_up_entry(made_up_filing(), number) for number in (1, 2, 3)))
        await register.database.close()

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Decided]:
        """Opens it."""
        names = ThreadNames()
        register = register_in(self, folder)
        names.name("register")
        try:
            rows = await register.database.read(
                lambda transaction: transaction.execute("SELECT account_id FROM filing ORDER BY log_index")
            )
            yield _Decided(register, names.named, [id_text(bytes(account)) for (account,) in rows])
        finally:
            await register.database.close()


@dataclass
class _Decided:
    register: Register
    threads: Mapping[str, int]
    accounts: list[str]

    @property
    def steps(self) -> Mapping[str, Step]:
        return {f"decide {number}": partial(self._decide, number) for number in range(len(self.accounts))}

    async def _decide(self, number: int) -> Answer:
        review = Review(
            self.register.database,
            self.register.log,
            lambda _: initial_policy(),
            lambda: NOW,
            feed_regions=False,
            on_change=lambda: None,
        )
        verdict = Verdict(PROVIDER, self.accounts[number], 1, Outcome.ACCEPTED)
        (result,) = await review.decide(request_id(number + 1), OFFICER, [verdict])
        assert not result.error_reason, result
        return str(result.log_index)

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Decisions that are not in the log, or not on their filing."""
        query = (
            "SELECT COUNT(*) FROM log_entry e, filing f WHERE e.origin = ? AND e.log_index = ? AND f.decided_time > 0"
            " AND f.log_index = ?"
        )
        return [
            step
            for step, answer in acknowledged.items()
            if not await count(self.register.database, query, REGULATOR, int(answer), int(step.split()[1]))
        ]

    async def twice(self) -> list[str]:
        """Decisions beyond one for each filing."""
        stated = await count(self.register.database, "SELECT COUNT(*) FROM log_entry WHERE origin = ?", REGULATOR)
        return ["decision"] * (stated - len(self.accounts))

    async def verify(self) -> None:
        """The log verifies from its bytes to its tables."""
        await _assert_register(self.register.database, self.register.ring)


@dataclass
class Replicating:
    """The nation copies a province's log and cosigns it; the province keeps the cosigned checkpoint."""

    name: str = "log copied and cosigned"
    databases: tuple[str, ...] = ("register", "nation")
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """A province with three runs, and an empty nation."""
        province = register_in(self, folder)
        await province.database.write(lambda transaction: province.log.create(transaction, NOW))
        for number in (1, 2, 3):
            await province.submit(
                made_up_entry(made_up_filing(), 2 * number), made_up_entry(made_up_filing(), 2 * number + 1)
            )
        await province.database.close()
        await open_database(url_of(self, folder, "nation"), MIGRATIONS).close()
        key_of(folder, "nation")

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Replicated]:
        """Opens it."""
        names = ThreadNames()
        province = register_in(self, folder)
        names.name("province")
        nation = open_database(url_of(self, folder, "nation"), MIGRATIONS)
        names.name("nation")
        try:
            key = key_of(folder, "nation")
            nodes = [node(NATION, key), node(REGULATOR, province.key), node(PROVIDER, province.provider_key)]
            directory = Directory.from_wire(directory_pb2.Directory(version=1, nodes=nodes))
            copy = LogCopy(nation, JURISDICTION, lambda: directory, lambda: NOW)
            witness = Witness(RegisterLog(NATION, NATION_LOG, key), lambda: NOW)
            yield _Replicated(province, nation, names.named, directory.key_ring(), copy, witness)
        finally:
            await nation.close()
            await province.database.close()


@dataclass
class _Replicated:
    province: Register
    nation: Database
    threads: Mapping[str, int]
    ring: KeyRing
    copy: LogCopy
    witness: Witness

    @property
    def steps(self) -> Mapping[str, Step]:
        return {
            "copy to 2": lambda: self._copy(2),
            "cosign at 2": lambda: self._cosign(2),
            "copy to 6": lambda: self._copy(6),
            "cosign at 6": lambda: self._cosign(6),
        }

    async def _copy(self, size: int) -> Answer:
        while (held := await self.copy.size()) < size:
            runs = await self.province.database.read(
                partial(read_runs, jurisdiction=JURISDICTION, from_index=held, max_runs=1, max_bytes=1)
            )
            await self.copy.store(follow_service_pb2.FollowLogResponse(runs=runs, head_size=6))
        return str(size)

    async def _cosign(self, size: int) -> Answer:
        await self._copy(size)
        cosigned = await self.nation.read(lambda transaction: self.witness.cosign(transaction, JURISDICTION))
        assert cosigned is not None
        own = Witness(self.province.log, lambda: NOW)
        kept = await self.province.database.write(
            lambda transaction: own.store_cosignature(transaction, cosigned, self.ring, NATION)
        )
        assert kept >= size
        return str(size)

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """What was copied or cosigned and is not."""
        held = await self.nation.read(lambda transaction: log_size(transaction, JURISDICTION))
        cosigned, _ = await self.province.database.read(lambda transaction: read_cosigned(transaction, JURISDICTION))
        return [step for step, answer in acknowledged.items() if int(answer) > (held if "copy" in step else cosigned)]

    async def twice(self) -> list[str]:
        """Entries of the copy beyond those of the log."""
        entries = await count(self.nation, "SELECT COUNT(*) FROM log_entry")
        filings = await count(self.nation, "SELECT COUNT(*) FROM filing")
        return ["entry"] * (entries - 6) + ["filing"] * (filings - 6)

    async def verify(self) -> None:
        """Log and copy verify, and so does the cosigned head."""
        await _assert_register(self.province.database, self.ring)
        await _assert_register(self.nation, self.ring)
        size, head = await self.province.database.read(lambda transaction: read_cosigned(transaction, JURISDICTION))
        if size:
            witnesses = {each.name for each in verify_head(head, JURISDICTION, self.ring.keys_of).cosignatures}
            assert NATION in witnesses


@dataclass
class Publishing:
    """The nation publishes policies, and a province adopts them."""

    name: str = "policy published and adopted"
    databases: tuple[str, ...] = ("nation", "province")
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """A network that was founded."""
        async with self.opened(folder) as opened:
            own = node(NATION, opened.log.key)
            own.title, own.endpoint = "样例国家节点", "127.0.0.1:1"
            authority = Authority.create(folder, NOW)
            await opened.documents.found(own, authority.certificate_pem, policy_to_wire(initial_policy()))
            documents = await opened.nation.read(all_documents)
            await opened.adopted.install(documents)

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Published]:
        """Opens it."""
        names = ThreadNames()
        nation = open_database(url_of(self, folder, "nation"), MIGRATIONS)
        names.name("nation")
        province = open_database(url_of(self, folder, "province"), MIGRATIONS)
        names.name("province")
        try:
            log = RegisterLog(NATION, NATION_LOG, key_of(folder, "nation"))
            view, adopted = NetworkView(nation), NetworkView(province)
            await view.load()
            await adopted.load()
            documents = NationDocuments(nation, log, view, lambda: NOW, on_change=lambda: None)
            yield _Published(nation, province, names.named, log, documents, adopted)
        finally:
            await province.close()
            await nation.close()


@dataclass
class _Published:
    nation: Database
    province: Database
    threads: Mapping[str, int]
    log: RegisterLog
    documents: NationDocuments
    adopted: NetworkView

    @property
    def steps(self) -> Mapping[str, Step]:
        return {
            f"{what} {version}": partial(take, version)
            for version in (2, 3)
            for what, take in (("publish", self._publish), ("adopt", self._adopt))
        }

    async def _publish(self, version: int) -> Answer:
        policy = (await self.nation.read(lambda transaction: newest(transaction, "policy"))).policy
        while policy.version < version:
            policy.version += 1
            policy.effective_time.FromDatetime(NOW + timedelta(days=policy.version))
            await self.documents.publish_policy(policy, validate_only=False)
        return _digest(await self._document(self.nation, version))

    async def _adopt(self, version: int) -> Answer:
        await self._publish(version)
        await self.adopted.install(await self.nation.read(all_documents))
        assert self.adopted.versions[1] >= version
        return _digest(await self._document(self.province, version))

    async def _document(self, database: Database, version: int) -> bytes:
        rows = await database.read(
            lambda transaction: transaction.execute(
                "SELECT signed FROM document WHERE kind = 'policy' AND version = ?", (version,)
            )
        )
        return bytes(rows[0][0]) if rows else b""

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Policies that were published or adopted and are not there as they were."""
        lost = []
        for step, answer in acknowledged.items():
            what, version = step.split()
            database = self.nation if what == "publish" else self.province
            if _digest(await self._document(database, int(version))) != answer:
                lost.append(step)
        return lost

    async def twice(self) -> list[str]:
        """Entries beyond the directory's one and the policies' three, and policies beyond three."""
        entries = await count(self.nation, "SELECT COUNT(*) FROM log_entry")
        policies = await count(self.province, "SELECT COUNT(*) FROM document WHERE kind = 'policy'")
        return ["entry"] * (entries - 4) + ["policy"] * (policies - 3)

    async def verify(self) -> None:
        """The nation's log verifies, and the province holds nothing that is not in it."""
        await _assert_register(self.nation, KeyRing({NATION: [self.log.key.verifying_key]}))
        await assert_sound(self.province)
        assert self.adopted.policies
