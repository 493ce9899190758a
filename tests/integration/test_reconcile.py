"""Two regulators compare a log by ranges, find the very entries that differ, and each mends its own side from the other."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner

from regulator_node.__main__ import app
from regulator_node.fsck import check_register, read_keys
from regulator_node.log import log_size
from regulator_node.range_roots import NOTHING
from regulator_node.reconcile import BOTH, FORKED, HERE, RUN, THERE, Side, compare_logs
from regulator_node.reconciliation import reconcile
from regulator_node.settings import MIGRATIONS
from shared.alarms import Alarms
from shared.database import Transaction
from shared.errors import FailedPrecondition
from shared.evidence.forks import verify_fork
from shared.evidence.ranges import root_of
from shared.pb.filingnet.network.v1 import witness_service_pb2 as wire
from shared.pb.filingnet.network.v1 import witness_service_pb2_grpc
from tests.faults.rewritten_logs import edited, rewrite
from tests.integration.regulators import (
    Running,
    free_ports,
    heard,
    nation_serving,
    provider_of,
    province_serving,
)
from tests.integration.test_regulator_intake import Network, until
from tests.tried import Tried

LOG = "330000"


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """A nation that holds a province's log of 40 entries in five runs."""
    with free_ports() as ports:
        async with (
            nation_serving(tmp_path / "nation", ports) as nation,
            province_serving(nation, tmp_path / "province", ports) as province,
        ):
            made = Network(nation, province, await provider_of(nation, tmp_path / "provider"))
            await heard(province, nation.view.directory.version)
            for place in range(5):
                await made.file(8, 1 + 8 * place)
            await until(nation, lambda transaction: _size(transaction) == 40)
            yield made


def _size(transaction: Transaction) -> int:
    return log_size(transaction, LOG)


async def damage(regulator: Running, *statements: str) -> None:
    """Changes a register behind the node's back."""

    def work(transaction: Transaction) -> None:
        for statement in statements:
            transaction.execute(statement)

    await regulator.parts.database.write(work)


EDIT = "UPDATE log_entry SET entry = CAST(entry || x'00' AS BLOB) WHERE jurisdiction = '330000' AND log_index = {}"
DELETE = "DELETE FROM log_entry WHERE jurisdiction = '330000' AND log_index = {}"
SWAP = (
    "UPDATE log_entry SET entry = (SELECT entry FROM log_entry WHERE jurisdiction = '330000' AND log_index = 17)"
    " WHERE jurisdiction = '330000' AND log_index = 16"
)
LOSE_RUN = "DELETE FROM run WHERE jurisdiction = '330000' AND first_index = 24"


async def test_what_is_the_same_takes_one_exchange(network: Network) -> None:
    """Both sides, from either end."""
    for node in (network.nation, network.province):
        done = await reconcile(node.settings, LOG)
        assert (True, 40, 40, 1) == (done.whole, done.comparison.here, done.comparison.there, done.comparison.exchanges)


@pytest.mark.parametrize("side", ["nation", "province"])
async def test_the_very_entries_are_found_and_mended_by_replay(network: Network, side: str, tried: Tried) -> None:
    """Promise 4: bytes that no signature shows: edited, deleted, exchanged, a run lost; mended from the other, tables too."""
    damaged, whole = (network.nation, network.province) if side == "nation" else (network.province, network.nation)
    await damage(
        damaged,
        EDIT.format(3),
        DELETE.format(30),
        SWAP,
        DELETE.format(26),
        LOSE_RUN,
        "UPDATE filing SET category = 'sports' WHERE jurisdiction = '330000' AND log_index = 5",
    )
    here = await reconcile(damaged.settings, LOG)
    rows = {entry.log_index: entry.wrong for entry in here.comparison.entries}
    assert ({3: HERE, 16: HERE, 26: RUN, 30: RUN}, False) == (rows, here.whole)
    assert NOTHING == next(entry.here for entry in here.comparison.entries if entry.log_index == 26)
    assert {3, 16} == set(here.entry_ids)
    mended = await reconcile(damaged.settings, LOG, repair=True)
    assert (True, 3) == (mended.whole, mended.runs)
    assert mended.rows >= 1
    again = await reconcile(damaged.settings, LOG)
    assert again.comparison.same
    database = damaged.parts.database
    assert (await check_register(database, MIGRATIONS, await read_keys(database))).whole
    assert (await reconcile(whole.settings, LOG)).comparison.same
    tried(
        4,
        f"bytes changed in a file, beside the other regulator: {side}",
        entries_damaged=4,
        found=here.comparison.differing,
        exchanges=here.comparison.exchanges,
        runs_restored=mended.runs,
    )


async def test_the_command_tells_hashes_and_never_a_text(network: Network) -> None:
    """Exit codes for scripts, the entry by index and id, and no word out of it."""

    async def typed(node: Running, *options: str) -> tuple[int, dict[str, Any]]:
        arguments = ["reconcile", "--data", str(node.settings.folder), *options, "--json"]
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        return done.exit_code, json.loads(done.stdout) if done.exit_code < 2 else {}

    code, told = await typed(network.province)
    assert (0, True, 40, []) == (code, told["whole"], told["here"], told["entries"])
    await damage(network.nation, EDIT.format(9))
    code, told = await typed(network.nation, "--jurisdiction", LOG)
    (row,) = told["entries"]
    assert (1, 9, HERE, 64) == (code, row["log_index"], row["wrong"], len(row["here"]))
    assert {"log_index", "entry_id", "here", "there", "wrong"} == set(row)
    assert 2 == (await typed(network.nation))[0]


async def test_the_other_side_is_named_and_nothing_here_is_touched(network: Network) -> None:
    """Who is whole is told that the other one is not, and repairs nothing."""
    await damage(network.province, EDIT.format(7))
    found = await reconcile(network.nation.settings, LOG, repair=True)
    assert [(7, THERE)] == [(entry.log_index, entry.wrong) for entry in found.comparison.entries]
    assert (False, 0) == (found.whole, found.runs)
    await damage(network.nation, EDIT.format(7), EDIT.format(7))
    both = await reconcile(network.nation.settings, LOG, repair=True)
    assert [(7, BOTH)] == [(entry.log_index, entry.wrong) for entry in both.comparison.entries]
    assert not both.whole


async def test_two_histories_are_proven_and_never_mended(network: Network, tmp_path: Path) -> None:
    """Promise 4: where the two sides acknowledged different entries, an alarm with its proof, and no repair."""
    # The nation's follower would find it too: it is looked for here before the province has shown it a page.
    await rewrite(network.province.settings.folder, edited)
    found = await reconcile(network.nation.settings, LOG, repair=True)
    assert {FORKED} == {entry.wrong for entry in found.comparison.entries}
    assert (False, 0) == (found.whole, found.runs)
    (alarm,) = [each for each in Alarms(network.nation.settings.folder).open() if each.reason == "LOG_FORKED"]
    proof = (network.nation.settings.folder / "alarms" / alarm.proof).read_bytes()
    assert 40 == verify_fork(proof, network.nation.view.key_ring()).larger.checkpoint.size


async def test_who_may_ask_for_what(network: Network) -> None:
    """Promise 8: a provider gets hashes that were acknowledged, of this log alone; a province its own log at the nation."""
    stub = witness_service_pb2_grpc.WitnessServiceStub
    async with network.provider.calling(network.province, stub) as calling:
        request = wire.GetRangeRootsRequest(ranges=[wire.LogRange(start=0, end=32)])
        assert 1 == len((await calling.GetRangeRoots(request)).roots)
        for more in (wire.GetRangeRootsRequest(callers_log=True), wire.GetRangeRootsRequest(from_entries=True)):
            with pytest.raises(grpc.aio.AioRpcError, match="may not ask for that here"):
                await calling.GetRangeRoots(more)
        for start, end in ((1, 3), (0, 41), (8, 8), (4, 12)):
            wrong = wire.GetRangeRootsRequest(ranges=[wire.LogRange(start=start, end=end)])
            with pytest.raises(grpc.aio.AioRpcError, match="no hash is read for that range"):
                await calling.GetRangeRoots(wrong)
    for node, jurisdiction in ((network.nation, "100000"), (network.province, "440000")):
        with pytest.raises(FailedPrecondition, match="not held on both sides"):
            await reconcile(node.settings, jurisdiction)


@pytest.mark.parametrize("size", [1, 17, 1_000, 70_001])
async def test_one_entry_is_found_in_few_exchanges(size: int) -> None:
    """However long the log: a handful of exchanges beyond one for each 65,536 entries."""
    leaves = [index.to_bytes(32, "big") for index in range(size)]
    for place in {0, size // 2, size - 1}:
        other = list(leaves)
        other[place] = bytes(31) + b"x"

        def side(held: Sequence[bytes]) -> Side:
            async def read(ranges: Sequence[tuple[int, int]]) -> list[bytes]:
                return [root_of(held[first:end]) for first, end in ranges]

            async def signed(ranges: Sequence[tuple[int, int]]) -> list[bytes]:
                return [root_of(leaves[first:end]) for first, end in ranges]

            return Side(size, b"", read, signed)

        found = await compare_logs(side(leaves), side(other))
        assert [(place, THERE)] == [(entry.log_index, entry.wrong) for entry in found.entries]
        assert found.exchanges <= math.ceil(size / 65_536) + math.ceil(math.log(size, 16)) + 2 if size > 1 else True
