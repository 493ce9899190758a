"""A provider that takes measures until it is killed; prints its account, then each measure once it is acknowledged."""

from __future__ import annotations

from pathlib import Path

from shared import telemetry
from tests.integration.oversight_samples import Supervised, served
from tests.integration.provider_samples import made_up_network


async def main(folder: str) -> None:
    """Takes measures for ever."""
    telemetry.configure("ERROR")
    place = Path(folder)
    async with made_up_network(place) as network, served(place, network) as provider:
        made = Supervised(provider, await provider.filed(await provider.registered()))
        print(made.account.account_id, flush=True)  # noqa: T201 - read by the test
        while True:
            print((await made.take()).measure.measure_id, flush=True)  # noqa: T201 - read by the test
