"""The compose file has to work although no container engine is at hand: its services run here as local processes."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.client.officer import OfficerClient
from shared.client.provider import FilingState, ProviderClient
from shared.cluster.watching import wait_until_holds
from tests.e2e.compose_file import ROOT, LocalCompose, services
from tests.e2e.filing_desk import file_account

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

NODES = ["beijing", "harbour", "national", "wave", "zhejiang"]
SECONDS = 60.0


@pytest.fixture
async def compose() -> AsyncIterator[LocalCompose]:
    folder = Path(tempfile.mkdtemp(prefix="compose-"))
    local = LocalCompose(folder)
    yield local
    await local.down()
    shutil.rmtree(folder)


async def file_to_the_end(local: LocalCompose, service: str) -> str:
    """Files an account through a provider's service, waits until it is final, and returns its id."""
    async with ProviderClient(local.path(service, "/api/backend.sock")) as backend:
        account = await file_account(backend)

        async def final() -> bool:
            filing = (await backend.get_account(account.account_id)).filing
            return filing is not None and filing.state == FilingState.FINAL

        await wait_until_holds(final, f"the filing of {service} is final", SECONDS)
        return account.account_id


async def test_the_services_file_an_account_to_the_nation_and_come_up_again(compose: LocalCompose) -> None:
    """`docker compose up` founds, joins and serves the network; down and up again keeps what was filed."""
    await compose.up()
    assert NODES == sorted(compose.nodes)
    accounts = {await file_to_the_end(compose, "wave"), await file_to_the_end(compose, "harbour")}
    assert dict.fromkeys(NODES, 0) == await compose.down()
    assert [] == readable_by_others(compose)
    await compose.up()
    accounts.add(await file_to_the_end(compose, "wave"))
    async with OfficerClient(compose.path("national", "/data/operator.sock")) as nation:
        assert accounts == {filing.account_id async for filing in nation.search()}


def readable_by_others(local: LocalCompose) -> list[Path]:
    """Returns the secret files that others than their owner can read: the tokens and the master keys."""
    secrets = [
        *(local.path(service, "/keys/master.key") for service in ("wave", "harbour")),
        *(local.path(f"{service}-init", "/enrolment/token") for service in NODES if service != "national"),
    ]
    return [path for path in secrets if stat.S_IMODE(path.stat().st_mode) != 0o600]


def test_every_node_is_checked_through_the_standard_health_service() -> None:
    """A container counts as healthy when the node itself says over gRPC that it serves."""
    checked = {name: service["healthcheck"].get("test", []) for name, service in services().items()}
    assert NODES == sorted(name for name, test in checked.items() if "shared.health_check" in test)


def test_the_image_brings_what_the_services_run() -> None:
    """The image is built from the checkout without anything that is generated, and runs as nobody special."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = [
        line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert {name for names in copied for name in names} == allowed
    assert "\nUSER 10001:10001\n" in dockerfile
    programs = {service["command"][0] for service in services().values()}
    assert {"sh", "regulator-node", "provider-node"} == programs
