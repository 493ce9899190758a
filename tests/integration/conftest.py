"""What many tests begin with: nodes that serve in this process, and registers and providers without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.cluster.ports import Ports
from tests.integration.case_samples import Provinces, provinces
from tests.integration.filing_samples import Register
from tests.integration.label_samples import LabelOffice
from tests.integration.oversight_samples import Supervised, supervised
from tests.integration.provider_samples import MadeUpNetwork, made_up_network
from tests.integration.regulators import Running, ShiftedClock, free_ports, nation_serving


@pytest.fixture
def ports() -> Iterator[Ports]:
    """Ports of this test."""
    with free_ports() as held:
        yield held


@pytest.fixture
def clock() -> ShiftedClock:
    """The nation's clock, to be moved forward."""
    return ShiftedClock()


@pytest.fixture
async def nation(tmp_path: Path, ports: Ports, clock: ShiftedClock) -> AsyncIterator[Running]:
    """A nation that serves."""
    async with nation_serving(tmp_path / "nation", ports, clock) as running:
        yield running


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[MadeUpNetwork]:
    """A network whose nodes are away."""
    async with made_up_network(tmp_path) as made:
        yield made


@pytest.fixture
async def made(tmp_path: Path, database_url: str) -> AsyncIterator[Supervised]:
    """A provider with an account whose use cases are at hand, on both engines."""
    async with supervised(tmp_path, database_url) as made:
        yield made


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[Provinces]:
    """A province and a nation, on both engines."""
    async with provinces(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[LabelOffice]:
    """An office with an empty register, on both engines."""
    register = await Register.open(database_url)
    yield LabelOffice(register)
    await register.database.close()
