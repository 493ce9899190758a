"""Art. 3: who sees what. The nation all, a province what its own providers filed and what was filed for its region."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from regulator_node.founding import join_province
from shared.channel import translated
from shared.client.officer import OfficerClient
from shared.clock import system_clock
from shared.database import Transaction
from shared.evidence.batches import sign_batch
from shared.evidence.keyring import KeyRing
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.network.v1 import intake_service_pb2_grpc
from shared.trust.tokens import parse_token
from tests.integration.filing_samples import JURISDICTION, PROVIDER, as_request, made_up_entry, made_up_filing
from tests.integration.regulators import (
    Running,
    free_ports,
    heard,
    nation_serving,
    provider_of,
    province_serving,
    province_settings,
    serving,
    token_for,
)


async def until(regulator: Running, holds: Callable[[Transaction], Any]) -> None:
    """Waits until something holds in a regulator's register."""
    while True:
        ticket = regulator.parts.log_changes.ticket()
        if await regulator.parts.database.read(holds):
            return
        await ticket.wait()


def filings(count: int) -> Callable[[Transaction], bool]:
    """Whether a register holds so many filings."""
    return lambda transaction: transaction.execute("SELECT COUNT(*) FROM filing") == [(count,)]


async def seen(regulator: Running) -> set[str]:
    """The accounts that an officer of a regulator finds."""
    async with OfficerClient(regulator.settings.operator_socket) as officer:
        return {filing.account_id async for filing in officer.search()}


async def test_art_3_the_nation_sees_all_and_a_province_what_is_its_own_or_its_regions(tmp_path: Path) -> None:
    """Art. 3: of three filings in one province the nation sees three, the province three, another its region's only."""
    with free_ports() as ports:
        async with (
            nation_serving(tmp_path / "nation", ports) as nation,
            province_serving(nation, tmp_path / "province", ports) as province,
        ):
            settings = province_settings(tmp_path / "region", ports, name="regulator/440000", jurisdiction="440000")
            token, secret = parse_token(await token_for(nation, settings.name))
            await join_province(settings, token, secret, system_clock)
            async with serving(settings) as region:
                provider = await provider_of(nation, tmp_path / "provider")
                await heard(province, nation.view.directory.version)
                bodies = [made_up_filing(subject_region=place) for place in ("330000", "440000", "500000")]
                entries = [made_up_entry(body, number) for number, body in enumerate(bodies, 1)]
                request = as_request(sign_batch(entries, PROVIDER, JURISDICTION, provider.key), entries)
                async with provider.calling(province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
                    await translated(stub.SubmitEntries(request))
                await until(nation, filings(3))
                await until(region, filings(1))
                own, theirs, _ = (body.account_id for body in bodies)
                every = {body.account_id for body in bodies}
                assert [every, every, {theirs}] == [await seen(each) for each in (nation, province, region)]
                ring = KeyRing(
                    {
                        PROVIDER: [provider.key.verifying_key],
                        **{name: nation.view.directory.keys_of(name) for name in nation.view.directory.nodes},
                    }
                )
                async with OfficerClient(region.settings.operator_socket) as officer:
                    (filing,) = [each async for each in officer.search()]
                    proven = verify_receipt(await officer.receipt(JURISDICTION, filing.log_index), ring)
                assert (theirs, JURISDICTION) == (proven.entry.filing.account_id, proven.entry.jurisdiction)
                assert own not in await seen(region)
