"""Promise 4: a nation that was put back to an older backup learns it from a provider too, and makes up for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from regulator_node.log import RegisterLog, read_log
from regulator_node.nation_recovery import BEYOND, NationRecovered, recover_nation
from regulator_node.nation_witness import read_witnessed
from regulator_node.own_log import OwnLogGuard
from shared.alarms import Alarms
from shared.database import Database, open_database, sqlite_url
from shared.errors import Unavailable
from shared.evidence.forks import size_of
from shared.evidence.keys import SigningKey
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import decision_pb2
from tests.integration.filing_samples import MIGRATIONS
from tests.integration.test_document_store import directory_of_nation
from tests.unit.trust_samples import NATION, NOW

CODE = "100000"


def nobody(name: str) -> Any:
    """There is no province."""
    raise AssertionError(name)


@dataclass
class Nation:
    """A nation's log that is compared, in a network of its own."""

    folder: Path
    database: Database
    view: NetworkView
    log: RegisterLog
    guard: OwnLogGuard

    @classmethod
    async def opened(cls, folder: Path, key: SigningKey) -> Nation:
        """An empty log."""
        folder.mkdir()  # noqa: ASYNC240 - a test may
        database = open_database(sqlite_url(folder / "register.db"), MIGRATIONS)
        view, log = NetworkView(database), RegisterLog(NATION, CODE, key)
        await view.install([directory_of_nation(key)])
        await database.write(lambda transaction: log.create(transaction, NOW))
        guard = OwnLogGuard(database, log, view, lambda: nobody(NATION), Alarms(folder))
        return cls(folder, database, view, log, guard)

    async def grow(self, count: int, revision: int = 1) -> bytes:
        """Appends entries; returns the head."""
        bodies = [("filing_decision", decision_pb2.FilingDecision(provider="provider/wave", revision=revision))] * count
        await self.database.write(lambda transaction: self.log.append_own(transaction, bodies, NOW))
        return (await self.database.read(lambda transaction: read_log(transaction, CODE)))[1]

    async def recover(self) -> NationRecovered:
        """Runs `regulator-node recover`."""
        later = NOW + timedelta(hours=1)
        return await recover_nation(self.database, self.log, self.view, nobody, lambda: later)

    async def missed(self) -> bytes:
        """The head that it keeps."""
        return await self.database.read(read_witnessed)


@pytest.fixture
async def nations(tmp_path: Path) -> AsyncIterator[tuple[Nation, Nation]]:
    """A nation as it was, and as it is after its disk was put back: the same key, and nothing in its log."""
    key = SigningKey.generate()
    both = await Nation.opened(tmp_path / "was", key), await Nation.opened(tmp_path / "is", key)
    yield both
    for nation in both:
        await nation.database.close()


async def test_what_a_provider_shows_holds_the_log_back_until_it_is_recovered(nations: tuple[Nation, Nation]) -> None:
    """The largest head that it shows is kept; `recover` gives out no place below it, and is believed afterwards."""
    before, nation = nations
    heads = [await before.grow(2), await before.grow(3)]
    await nation.guard.shown(heads[1])
    await nation.guard.shown(heads[0])
    assert heads[1] == await nation.missed()
    assert ["LOG_BEHIND-100000"] == [alarm.name for alarm in Alarms(nation.folder).open()]
    with pytest.raises(Unavailable) as refused:
        await nation.grow(1)
    assert "LOG_BEHIND" == refused.value.reason

    nation.log.held_back = None
    done = await nation.recover()
    assert (5, True) == (done.lost, done.other)
    assert done.head.size >= size_of(heads[1]) + BEYOND
    for head in heads:
        await nation.guard.shown(head)
    assert nation.log.held_back is None
    await nation.grow(1)


async def test_a_head_that_the_log_holds_changes_nothing(nations: tuple[Nation, Nation]) -> None:
    """A provider that shows what is in the log, or is behind it, holds nothing back."""
    _, nation = nations
    head = await nation.grow(2)
    await nation.grow(1)
    await nation.guard.shown(head)
    assert (None, b"") == (nation.log.held_back, await nation.missed())


async def test_another_history_is_kept_as_evidence(nations: tuple[Nation, Nation]) -> None:
    """A head that contradicts the log holds it back as forked, and the alarm has the proof."""
    before, nation = nations
    head = await before.grow(2)
    await nation.grow(3, revision=2)
    await nation.guard.shown(head)
    assert nation.log.held_back is not None
    assert "LOG_FORKED" == nation.log.held_back[0]
    assert [True] == [alarm.proven for alarm in Alarms(nation.folder).open()]


async def test_a_head_by_another_key_is_not_believed(nations: tuple[Nation, Nation], tmp_path: Path) -> None:
    """Nobody else holds the nation back."""
    _, nation = nations
    other = await Nation.opened(tmp_path / "other", SigningKey.generate())
    with pytest.raises(Unavailable) as refused:
        await nation.guard.shown(await other.grow(2))
    await other.database.close()
    assert "CHECKPOINT_UNKNOWN" == refused.value.reason
    assert (None, b"") == (nation.log.held_back, await nation.missed())
