"""Gives a test-suite a network of real nodes: regulators, providers, TLS, databases, all on this machine.

    async def test_a_filing_reaches_the_nation(filing_cluster):
        async with filing_cluster.provider("wave").client() as backend:
            ...
        await filing_cluster.wait_until_nation_has(1)

`filing_cluster` is a fresh network for one test: the nation, the province 330000 and the provider wave.
`filing_cluster_factory` starts networks of another shape that live as long as the test module. With
`simulated_time=True`, `cluster.advance(days=40)` lets weeks pass at once: deadlines, lapses and measures fall due by
themselves, while certificates stay on the machine's time.

The fixtures are plain functions and the cluster belongs to no event loop, so that they work with pytest-asyncio in
either mode, with any loop scope, and in tests that are not asynchronous. The folder of a network goes with it unless
the test failed or `--filing-cluster-keep` is given; a failed test's report says where it is. This module loads in every
run of pytest where filingnet is installed, and imports nothing but pytest until a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shared.cluster.network import Cluster

_clusters = pytest.StashKey["list[Cluster]"]()
"""The networks that a test or a module asked for."""

_failed = pytest.StashKey[bool]()
"""Whether a test that used them failed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of this plugin."""
    group = parser.getgroup("filing cluster")
    group.addoption(
        "--filing-cluster-keep", action="store_true", help="keep the folder of every network, data and logs included"
    )
    group.addoption(
        "--filing-cluster-log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="from which level on nodes write their logs",
    )


@pytest.fixture
def filing_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A fresh network for one test: the nation, the province 330000 and the provider wave that files there."""
    yield _start(request)
    _close_all(request)


@pytest.fixture(scope="module")
def filing_cluster_factory(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cluster]]:
    """Starts networks that live as long as the module; takes what `Cluster` takes and returns one that serves."""
    yield lambda **arguments: _start(request, **arguments)
    _close_all(request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Says in the report of a failed test where its networks' logs are, and keeps them."""
    report = yield
    if report.failed:
        for node in item.listchain():
            for cluster in node.stash.get(_clusters, []):
                node.stash[_failed] = True
                report.sections.append(("filing cluster", f"data and logs are kept in {cluster.folder}"))
    return report


def _start(request: pytest.FixtureRequest, **arguments: Any) -> Cluster:
    import asyncio

    from shared.cluster.network import Cluster

    level = request.config.getoption("--filing-cluster-log-level")
    environment = {"FILINGNET_LOG_LEVEL": level, **arguments.pop("environment", {})}
    cluster = Cluster(environment=environment, **arguments)
    request.node.stash.setdefault(_clusters, []).append(cluster)
    # On a thread of its own, because asyncio.run would take the loop away that pytest-asyncio set for this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, cluster.start()).result()
    return cluster


def _close_all(request: pytest.FixtureRequest) -> None:
    import asyncio

    keep = request.config.getoption("--filing-cluster-keep") or request.node.stash.get(_failed, False)
    clusters = request.node.stash.get(_clusters, [])
    with ThreadPoolExecutor(1) as thread:
        while clusters:
            thread.submit(asyncio.run, clusters.pop().close(remove=not keep)).result()
