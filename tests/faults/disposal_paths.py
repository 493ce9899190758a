"""The write path of a disposal: entries of accounts that were withdrawn long ago go, class by class, and leave no trace."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from regulator_node.settings import MIGRATIONS
from shared.database import open_database
from shared.evidence.disposals import verify_disposal
from shared.provisions.retention import RecordClass
from shared.records.certificate_rows import Summary
from shared.records.disposal import UPKEEP
from tests.faults.provider_paths import register_in
from tests.faults.write_paths import Answer, Step, ThreadNames, assert_sound, count, key_of, url_of
from tests.integration.entry_disposal_samples import LONG_AFTER, NAME, Copied
from tests.integration.filing_samples import JURISDICTION, NOW

ENDED: Final = 2
"""Accounts that were withdrawn; one more is on file."""
ENTRIES: Final = {RecordClass.LABEL_ENTRY: 2, RecordClass.ESCALATION_ENTRY: 1, RecordClass.FILING_ENTRY: 3}
"""Entries of an account that was withdrawn, in the order in which they go: filings last."""
ON_FILE: Final = "样例公众号"
"""The name of the account on file."""
CLEANER: Final = "cleaner"
"""Names the thread in which a disposal has the file rewritten."""
_MOST: Final = 1 << 31


@dataclass
class Disposing:
    """A province disposes of the entries of accounts whose time is over."""

    name: str = "entries of an account disposed of"
    databases: tuple[str, ...] = ("register", "nation")
    servers: Mapping[str, str] = field(default_factory=dict)

    async def lay(self, folder: Path) -> None:
        """Accounts that lived and were withdrawn, one on file, and a nation that copied and cosigned all of it."""
        async with self._both(folder, ThreadNames()) as both:
            register = both.register
            await register.database.write(lambda transaction: register.log.create(transaction, NOW))
            for _ in range(ENDED):
                await both.life()
            await both.life(withdrawn=False, name=ON_FILE)
            await both.follow()

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[_Disposed]:
        """Opens it, long after."""
        names = ThreadNames()
        async with self._both(folder, names) as both:
            both.register.now += LONG_AFTER
            # A disposal cleans the file in a thread of the event loop's, which is there from now on.
            await asyncio.to_thread(lambda: None)
            names.name(CLEANER)
            yield _Disposed(both, names.named, folder)

    @asynccontextmanager
    async def _both(self, folder: Path, names: ThreadNames) -> AsyncIterator[Copied]:
        register = register_in(self, folder)
        names.name("register")
        nation = open_database(url_of(self, folder, "nation"), MIGRATIONS)
        names.name("nation")
        try:
            yield Copied(register, nation, key_of(folder, "nation"))
        finally:
            await nation.close()
            await register.database.close()


@dataclass
class _Disposed:
    both: Copied
    threads: Mapping[str, int]
    folder: Path

    @property
    def steps(self) -> Mapping[str, Step]:
        return {each.name: partial(self._dispose, each) for each in ENTRIES}

    async def _dispose(self, record_class: RecordClass) -> Answer:
        for each in ENTRIES:
            await self.both.disposals.dispose(UPKEEP, each)
            if each is record_class:
                break
        return await self._certified(record_class)

    async def _certified(self, record_class: RecordClass) -> Answer:
        made = [each for each in await self._summaries() if each.record_class is record_class]
        assert made
        proofs = [await self.both.disposals.proof(each.number) for each in made]
        return hashlib.sha256(b"".join(each.SerializeToString() for each in proofs)).hexdigest()

    async def _summaries(self) -> list[Summary]:
        return await self.both.disposals.certificates(_MOST, 100)

    async def lost(self, acknowledged: Mapping[str, Answer]) -> list[str]:
        """Disposals that were acknowledged and are not certified as they were."""
        made = {each.record_class for each in await self._summaries()}
        return [
            step
            for step, answer in acknowledged.items()
            if RecordClass[step] not in made or await self._certified(RecordClass[step]) != answer
        ]

    async def twice(self) -> list[str]:
        """Certificates beyond one for each class; and names that are still in a file when all is disposed of."""
        made = await self._summaries()
        files = b"".join(path.read_bytes() for path in self.folder.glob("register.db*"))
        left = ["a name in a file"] if NAME.encode() in files or NAME[:2].encode() in files else []
        return ["certificate"] * (len(made) - len(ENTRIES)) + left

    async def verify(self) -> None:
        """Of each class all is gone or nothing; log, rows and certificates fit together, and what is on file stands."""
        database = self.both.register.database
        await assert_sound(database)
        found = await self.both.checked()
        assert found.whole, found.rows()
        assert (await self.both.verified()).disposed == await self._verify_certificates()
        assert 1 == await count(database, "SELECT COUNT(*) FROM filing WHERE display_name = ?", ON_FILE)

    async def _verify_certificates(self) -> int:
        """Verifies each certificate and their chain; returns how many entries they cover."""
        digest, disposed = b"", 0
        for number, made in enumerate(reversed(await self._summaries()), start=1):
            proof = (await self.both.disposals.proof(number)).SerializeToString()
            proven = verify_disposal(proof, self.both.ring.lookup)
            assert (number, digest) == (proven.certificate.number, proven.certificate.previous_digest)
            assert ENDED * ENTRIES[made.record_class] == made.records == len(proven.records)
            of = {(each.jurisdiction, int(each.record_class)) for each in proven.records}
            assert {(JURISDICTION, int(made.record_class))} == of
            digest, disposed = proven.digest, disposed + made.records
        return disposed
