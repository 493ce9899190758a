"""What many tests of regulators in this process begin with: free ports, a clock to be moved, a nation that serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.cluster.ports import Ports
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
