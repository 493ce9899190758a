"""The write paths of a provider: registering, deleting, filing and the acknowledgement of what was filed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from provider_node.final_receipts import receipt_of
from provider_node.subject_rows import Subject
from provider_node.vault import Identity
from regulator_node.fsck import check_register
from regulator_node.settings import MIGRATIONS
from shared.cluster.made_up import person
from shared.database import Transaction, open_database
from shared.delivery.outbox import OutboxState
from shared.errors import NotFound
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.provisions.account_states import ReviewOutcome
from tests.faults.write_paths import (
    Answer,
    Step,
    ThreadNames,
    WritePath,
    assert_sound,
    count,
    key_of,
    request_id,
    rows_of,
    url_of,
)
from tests.integration.filing_samples import JURISDICTION, NOW, Register
from tests.integration.provider_samples import MadeUpNetwork, MadeUpProvider, made_up_provider

READER: Final = "desk-1"


def register_in(path: WritePath, folder: Path) -> Register:
    """Opens the register of a path, with the keys that lie in its folder."""
    database = open_database(url_of(path, folder, "register"), MIGRATIONS)
    return Register(database, key_of(folder, "provider"), key_of(folder, "regulator"))


@asynccontextmanager
async def provider_in(path: WritePath, folder: Path, names: ThreadNames) -> AsyncIterator[MadeUpProvider]:
    """Opens the register and the provider of a path."""
    register = register_in(path, folder)
    names.name("register")
    try:
        await register.database.write(lambda transaction: register.log.create(transaction, NOW))
        network = MadeUpNetwork(register, key_of(folder, "nation"))
        async with made_up_provider(folder, network, url_of(path, folder, "provider")) as provider:
            names.name("provider")
            yield provider
    finally:
        await register.database.close()


@dataclass
class Registering:
    """Subjects register, are read with a purpose, and change their identity: vault and database."""

    name: str = "subject registered, read, changed"
    databases: tuple[str, ...] = ("register", "provider")
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """A provider without subjects."""
        async with provider_in(self, folder, ThreadNames()):
            pass

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Registered]:
        """Opens it."""
        names = ThreadNames()
        async with provider_in(self, folder, names) as provider:
            yield _Registered(provider, names.named)


@dataclass
class Starting(Registering):
    """A provider and a register start for the first time: their files and tables are made."""

    name: str = "first start"

    async def lay(self, folder: Path) -> None:
        """Keys, and nothing else."""
        for name in ("provider", "regulator", "nation"):
            key_of(folder, name)


@dataclass
class _Registered:
    provider: MadeUpProvider
    threads: Mapping[str, int]
    people: tuple[Identity, Identity] = (person(1), person(2))

    @property
    def steps(self) -> Mapping[str, Step]:
        return {"register": self._register, "read": self._read, "change": self._change, "read again": self._read}

    async def _subject(self) -> Subject:
        return await self.provider.registered(self.people[0], request_id=request_id(1))

    async def _register(self) -> Answer:
        return (await self._subject()).reference.hex()

    async def _read(self) -> Answer:
        read = await self.provider.subjects.read_identity((await self._subject()).reference, "complaint", READER)
        assert read in self.people
        # Who hears an identity is in the trail: this answer is acknowledged by the reference, which is what is in it.
        return (await self._subject()).reference.hex()

    async def _change(self) -> Answer:
        subject = await self._subject()
        changed = await self.provider.subjects.change_identity(
            request_id(2), subject.reference, self.people[1], subject.etag
        )
        return f"{changed.reference.hex()} {changed.identity_version}"

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Subjects that are gone, versions that are not named, and readings without their line in the trail."""
        rows = await self.provider.database.read(
            lambda transaction: transaction.execute("SELECT reference, identity_version FROM subject")
        )
        stored = {bytes(reference).hex(): version for reference, version in rows}
        trail = [line.reference.hex() for line in await self.provider.vault.audit_trail() if line.action == "read"]
        lost = [step for step, answer in acknowledged.items() if answer.split()[0] not in stored]
        if "change" in acknowledged and acknowledged["change"].split()[1] not in map(str, stored.values()):
            lost.append("change")
        readings = [step for step in acknowledged if step.startswith("read")]
        return lost + readings[len(trail) :]

    async def twice(self) -> list[str]:
        """Subjects of one person."""
        return ["subject"] * (await self.provider.count("subject") - 1)

    async def verify(self) -> None:
        """Each subject has the identity that its row names, and the vault holds nothing else."""
        rows = await self.provider.database.read(
            lambda transaction: transaction.execute("SELECT reference, identity_version FROM subject")
        )
        await _assert_vault_holds(self.provider, {(bytes(reference), version) for reference, version in rows})
        for reference, _ in rows:
            assert await self.provider.subjects.read_identity(bytes(reference), "check", READER) in self.people


@dataclass
class Deleting:
    """Subjects are deleted: whoever is told that a person is gone is told the truth."""

    name: str = "subject deleted"
    databases: tuple[str, ...] = ("register", "provider")
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """A provider with two subjects."""
        async with provider_in(self, folder, ThreadNames()) as provider:
            for number in (1, 2):
                await provider.registered(person(number), request_id=request_id(number))

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Deleted]:
        """Opens it."""
        names = ThreadNames()
        async with provider_in(self, folder, names) as provider:
            rows = await provider.database.read(
                lambda transaction: transaction.execute("SELECT reference FROM subject ORDER BY reference")
            )
            kept = folder / "references"
            if not kept.exists():
                kept.write_text(" ".join(bytes(reference).hex() for (reference,) in rows), "utf-8")
            references = [bytes.fromhex(each) for each in kept.read_text("utf-8").split()]
            yield _Deleted(provider, names.named, references)


@dataclass
class _Deleted:
    provider: MadeUpProvider
    threads: Mapping[str, int]
    references: list[bytes]

    @property
    def steps(self) -> Mapping[str, Step]:
        return {reference.hex(): partial(self._delete, reference) for reference in self.references}

    async def _delete(self, reference: bytes) -> Answer:
        # It may have been deleted before, and that was not heard.
        with suppress(NotFound):
            await self.provider.subjects.delete(reference, "")
        return "deleted"

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Deletions that did not last."""
        left = await self.provider.database.read(
            lambda transaction: transaction.execute("SELECT reference FROM subject")
        )
        return [step for step in acknowledged if (bytes.fromhex(step),) in [(bytes(row[0]),) for row in left]]

    async def twice(self) -> list[str]:
        """Deletions that the trail tells of twice."""
        trail = [line.reference.hex() for line in await self.provider.vault.audit_trail() if line.action == "deleted"]
        return [reference for reference in set(trail) if trail.count(reference) > 1]

    async def verify(self) -> None:
        """No key of a deleted person is left."""
        rows = await self.provider.database.read(
            lambda transaction: transaction.execute("SELECT reference, identity_version FROM subject")
        )
        await _assert_vault_holds(self.provider, {(bytes(reference), version) for reference, version in rows})


async def _assert_vault_holds(provider: MadeUpProvider, named: set[tuple[bytes, int]]) -> None:
    await assert_sound(provider.database)
    assert [] == await provider.vault.unsettled()
    assert named == set(rows_of(provider.folder / "vault" / "keys.db", "SELECT reference, key_version FROM data_key"))
    assert [("ok",)] == rows_of(provider.folder / "vault" / "keys.db", "PRAGMA integrity_check")


@dataclass
class Filing:
    """Accounts are opened, reviewed, delivered and acknowledged: the outbox, the register with its log, the receipt."""

    name: str = "account filed and acknowledged"
    databases: tuple[str, ...] = ("register", "provider")
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """A provider with a subject, and an empty register."""
        async with provider_in(self, folder, ThreadNames()) as provider:
            await provider.registered(request_id=request_id(1))

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Filed]:
        """Opens it."""
        names = ThreadNames()
        async with provider_in(self, folder, names) as provider:
            yield _Filed(provider, names.named)


@dataclass
class _Filed:
    provider: MadeUpProvider
    threads: Mapping[str, int]
    accounts: tuple[int, int] = field(default=(1, 2))

    @property
    def steps(self) -> Mapping[str, Step]:
        return {
            f"{what} {number}": partial(take, number)
            for number in self.accounts
            for what, take in (("open", self._open), ("review", self._review), ("deliver", self._deliver))
        }

    async def _open(self, number: int) -> Answer:
        ((reference,),) = await self.provider.database.read(
            lambda transaction: transaction.execute("SELECT reference FROM subject")
        )
        account = await self.provider.accounts.open(
            request_id(number + 1), bytes(reference), f"样例公众号{number}", "lifestyle"
        )
        return account.account_id

    async def _review(self, number: int) -> Answer:
        account = await self._open(number)
        reviewed = await self.provider.accounts.review(account, ReviewOutcome.PASSED, "", "", None)
        assert reviewed.filing is not None
        return reviewed.filing.entry_id

    async def _deliver(self, number: int) -> Answer:
        entry_id = await self._review(number)
        await self.provider.deliver()
        receipt, _ = await self.provider.database.read(lambda transaction: receipt_of(transaction, entry_id))
        return hashlib.sha256(receipt).hexdigest()

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Accounts, filings and acknowledgements that are gone, or whose proof does not hold."""
        provider, ring, lost = self.provider, self.provider.network.register.ring, []
        for step, answer in acknowledged.items():
            what = step.split()[0]
            if what == "open":
                stored = await count(provider.database, "SELECT COUNT(*) FROM account WHERE account_id = ?", answer)
            elif what == "review":
                stored = await count(provider.database, "SELECT COUNT(*) FROM outbox WHERE entry_id = ?", answer)
            else:
                stored = answer in await self._receipts(ring)
            if not stored:
                lost.append(step)
        return lost

    async def _receipts(self, ring: KeyRing) -> list[str]:
        """The digests of all receipts that hold, each of an entry that the register has at the place it says."""

        def read(transaction: Transaction) -> list[bytes]:
            rows = transaction.execute("SELECT entry_id FROM outbox WHERE state = ?", (OutboxState.DELIVERED,))
            return [receipt_of(transaction, entry_id)[0] for (entry_id,) in rows]

        found = []
        for receipt in await self.provider.database.read(read):
            proven = verify_receipt(receipt, ring)
            place = (JURISDICTION, proven.log_index, proven.entry_bytes)
            query = "SELECT COUNT(*) FROM log_entry WHERE jurisdiction = ? AND log_index = ? AND entry = ?"
            if await count(self.provider.network.register.database, query, *place):
                found.append(hashlib.sha256(receipt).hexdigest())
        return found

    async def twice(self) -> list[str]:
        """Accounts, filings and entries beyond one for each account."""
        register, expected = self.provider.network.register.database, len(self.accounts)
        counts = {
            "account": await self.provider.count("account"),
            "outbox": await self.provider.count("outbox"),
            "filing": await count(register, "SELECT COUNT(*) FROM filing"),
            "log_entry": await count(register, "SELECT COUNT(*) FROM log_entry"),
        }
        return [table for table, number in counts.items() for _ in range(number - expected)]

    async def verify(self) -> None:
        """The register's log verifies from its bytes to its tables."""
        register = self.provider.network.register
        await assert_sound(self.provider.database, register.database)
        found = await check_register(register.database, MIGRATIONS, register.ring)
        assert found.whole, found.rows()
