"""Filing at a running regulator, and what follows from it: replication, witnessing, and what the directory decides."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from regulator_node.followers import provinces_to_follow
from regulator_node.intake import Intake
from regulator_node.intake_servicer import IntakeServicer
from regulator_node.log import log_size
from regulator_node.replication import read_replicas
from regulator_node.witness import read_cosigned
from shared.calls import ServedCall, serving
from shared.channel import RemoteError, translated
from shared.cluster.ports import Ports
from shared.database import Transaction
from shared.errors import Unavailable
from shared.evidence.batches import sign_batch
from shared.evidence.checkpoints import verify_head
from shared.evidence.rejections import verify_rejection
from shared.pb.filingnet.network.v1 import directory_pb2, intake_service_pb2, intake_service_pb2_grpc
from shared.pb.filingnet.regulator.v1 import network_service_pb2 as wire
from shared.trust.callers import Caller, Role
from tests.integration.filing_samples import as_request, made_up_entry, made_up_filing
from tests.integration.regulators import (
    PROVIDER,
    PROVINCE,
    Provider,
    Running,
    heard,
    made_up_licence,
    nation_serving,
    provider_of,
    province_serving,
)

ACCEPTED = intake_service_pb2.ENTRY_OUTCOME_ACCEPTED
REJECTED = intake_service_pb2.ENTRY_OUTCOME_REJECTED


@dataclass
class Network:
    """A nation, a province and a provider of that province."""

    nation: Running
    province: Running
    provider: Provider

    async def file(self, count: int = 1, first_sequence: int = 1) -> intake_service_pb2.SubmitEntriesResponse:
        """Files new accounts at the province as one batch."""
        async with self.provider.calling(self.province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
            answer: intake_service_pb2.SubmitEntriesResponse = await translated(
                stub.SubmitEntries(self.batch(count, first_sequence))
            )
            return answer

    def batch(self, count: int = 1, first_sequence: int = 1) -> intake_service_pb2.SubmitEntriesRequest:
        """A signed batch of new accounts."""
        entries = [made_up_entry(made_up_filing(), first_sequence + offset) for offset in range(count)]
        return as_request(sign_batch(entries, PROVIDER, "330000", self.provider.key), entries)


@pytest.fixture
async def network(tmp_path: Path, ports: Ports) -> AsyncIterator[Network]:
    """A network where everybody holds the newest directory."""
    async with (
        nation_serving(tmp_path / "nation", ports) as nation,
        province_serving(nation, tmp_path / "province", ports) as province,
    ):
        provider = await provider_of(nation, tmp_path / "provider")
        await heard(province, nation.view.directory.version)
        yield Network(nation, province, provider)


async def until(regulator: Running, condition: Callable[[Transaction], bool]) -> None:
    """Waits until something is so in a register; looked at whenever its log changed."""
    while True:
        ticket = regulator.parts.log_changes.ticket()
        if await regulator.parts.database.read(condition):
            return
        await ticket.wait()


async def test_a_filing_is_taken_in_and_the_stream_is_answered(network: Network) -> None:
    """A provider's batch is in the log when it is answered, the high-water mark says how far, and followers are woken."""
    ticket = network.province.parts.log_changes.ticket()
    answer = await network.file(3)
    assert ticket.is_set()
    async with network.provider.calling(network.province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        mark = await stub.GetHighWaterMark(intake_service_pb2.GetHighWaterMarkRequest())
    head = verify_head(mark.checkpoint, "330000", network.nation.view.directory.keys_of)
    assert [ACCEPTED] * 3 == [result.outcome for result in answer.results]
    assert (3, 3, "330000") == (mark.sequence, head.checkpoint.size, mark.jurisdiction)


async def test_batches_at_once_each_get_their_own_answer(network: Network) -> None:
    """Batches of one provider that overlap are each whole, neighbours in the log, and none is lost."""
    answers = await asyncio.gather(*(network.file(20, 1 + 20 * number) for number in range(12)))
    runs = sorted([result.log_index for result in answer.results] for answer in answers)
    assert [list(range(first, first + 20)) for first in range(0, 240, 20)] == runs


async def test_single_filings_at_once_and_twice_have_one_effect_each(network: Network) -> None:
    """Many batches of one, each sent twice at the same time: one place in the log, and the same acknowledgement."""
    requests = [network.batch(1, number) for number in range(1, 31)]
    async with network.provider.calling(network.province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        answers = await asyncio.gather(*(stub.SubmitEntries(request) for request in requests for _ in range(2)))
    results = [(answer.results[0].log_index, answer.acknowledgements[0]) for answer in answers]
    assert results[::2] == results[1::2]
    assert list(range(30)) == sorted(index for index, _ in results[::2])
    told = Counter(answer.results[0].outcome for answer in answers)
    assert {ACCEPTED: 30, intake_service_pb2.ENTRY_OUTCOME_DUPLICATE: 30} == told


async def rejection(network: Network) -> tuple[str, str]:
    """Files once; returns the signed reason and the field that is wrong."""
    (result,) = (await network.file()).results
    assert REJECTED == result.outcome
    proven = verify_rejection(result.rejection, network.nation.view.key_ring().lookup)
    return proven.reason, proven.violations[0].field


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (directory_pb2.LICENCE_STATE_SUSPENDED, "LICENCE_SUSPENDED"),
        (directory_pb2.LICENCE_STATE_REVOKED, "LICENCE_REVOKED"),
    ],
)
async def test_art_4_the_licence_in_the_directory_decides(network: Network, state: int, reason: str) -> None:
    """A provider whose licence the nation suspended or revoked files nothing, and is told so under signature."""
    # What was read of the directory for an earlier filing must not outlive it.
    assert [ACCEPTED] == [result.outcome for result in (await network.file()).results]
    async with network.nation.operator() as stub:
        request = wire.SetLicenceRequest(node_name=PROVIDER, licence=made_up_licence(state))
        answer = await stub.SetLicence(request)
    await heard(network.province, answer.directory_version)
    assert (reason, "licence.state") == await rejection(network)


async def test_art_4_the_class_that_the_policy_asks_for_decides(network: Network) -> None:
    """A licence of a class that the policy does not name is refused."""
    licence = made_up_licence()
    licence.number = "33220240001"
    async with network.nation.operator() as stub:
        answer = await stub.SetLicence(wire.SetLicenceRequest(node_name=PROVIDER, licence=licence))
    await heard(network.province, answer.directory_version)
    assert ("LICENCE_CLASS_WRONG", "licence.number") == await rejection(network)


async def test_art_3_a_provider_files_with_its_own_regulator(network: Network) -> None:
    """A province's provider that files with the nation is refused: the nation does not take its filings."""
    entries = [made_up_entry(made_up_filing(), jurisdiction="100000")]
    request = as_request(sign_batch(entries, PROVIDER, "100000", network.provider.key), entries)
    async with network.provider.calling(network.nation, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        answer = await stub.SubmitEntries(request)
    proven = verify_rejection(answer.results[0].rejection, network.nation.view.key_ring().lookup)
    assert "JURISDICTION_WRONG" == proven.reason


async def test_a_batch_signed_by_another_key_is_refused_whole(network: Network) -> None:
    """The directory's key of the certificate's node is the only one that counts."""
    request = network.batch()
    request.batch.signature = bytes(64)
    async with network.provider.calling(network.province, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        with pytest.raises(RemoteError) as caught:
            await translated(stub.SubmitEntries(request))
    assert "BATCH_SIGNATURE" == caught.value.reason


async def test_the_nation_copies_and_cosigns_what_a_province_logs(network: Network) -> None:
    """What is filed in a province is at the nation, verified, and the province gets its checkpoint back cosigned."""
    await network.file(2)
    await until(network.nation, lambda transaction: log_size(transaction, "330000") == 2)
    await until(network.province, lambda transaction: read_cosigned(transaction, "330000")[0] == 2)
    _, note = await network.province.parts.database.read(lambda transaction: read_cosigned(transaction, "330000"))
    head = verify_head(note, "330000", network.nation.view.directory.keys_of)
    assert ["regulator/100000"] == [cosignature.name for cosignature in head.cosignatures]


async def test_a_copy_says_how_fresh_it_is(network: Network) -> None:
    """The nation's status tells of each province how much is held, of how much, and counts its filings."""
    await network.file(2)
    await until(network.nation, lambda transaction: log_size(transaction, "330000") == 2)
    async with network.nation.operator() as stub:
        status = await stub.GetStatus(wire.GetStatusRequest())
    (replica,) = status.replicas
    assert ("330000", 2, 2, "", True) == (
        replica.jurisdiction,
        replica.size,
        replica.head_size,
        replica.last_error,
        replica.HasField("contact_time"),
    )
    assert 2 == status.filings


async def test_filings_are_counted_on_from_the_last_count(network: Network) -> None:
    """A second status counts what came since, and nothing twice."""
    counts = []
    async with network.province.operator() as stub:
        for sequence in (1, 2, 3):
            counts.append((await stub.GetStatus(wire.GetStatusRequest())).filings)
            await network.file(1, sequence)
    assert [0, 1, 2] == counts


async def test_a_denied_province_is_followed_no_more_and_a_readmitted_one_is_again(network: Network) -> None:
    """Following keeps in step with the directory, and catches up on what was filed meanwhile."""
    name = f"follow {PROVINCE}"
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == name)
    async with network.nation.operator() as stub:
        await stub.SetNodeState(wire.SetNodeStateRequest(node_name=PROVINCE, state="NODE_STATE_DENIED"))
        await asyncio.wait([task])
        await network.file(1)
        held = await network.nation.parts.database.read(lambda transaction: log_size(transaction, "330000"))
        await stub.SetNodeState(wire.SetNodeStateRequest(node_name=PROVINCE, state="NODE_STATE_ACTIVE"))
    await until(network.nation, lambda transaction: log_size(transaction, "330000") == 1)
    replicas = await network.nation.parts.database.read(lambda transaction: read_replicas(transaction, "100000"))
    assert (0, [("330000", 1)]) == (held, [(replica.jurisdiction, replica.size) for replica in replicas])


def test_every_province_is_followed_but_a_denied_one() -> None:
    """Neither the nation itself nor a provider is followed; a suspended province still is."""
    nodes = {
        "regulator/100000": directory_pb2.Node(role="NODE_ROLE_NATIONAL_REGULATOR", state="NODE_STATE_ACTIVE"),
        "regulator/330000": directory_pb2.Node(role="NODE_ROLE_PROVINCIAL_REGULATOR", state="NODE_STATE_SUSPENDED"),
        "regulator/440000": directory_pb2.Node(role="NODE_ROLE_PROVINCIAL_REGULATOR", state="NODE_STATE_DENIED"),
        "provider/wave": directory_pb2.Node(role="NODE_ROLE_PROVIDER", state="NODE_STATE_ACTIVE"),
    }
    assert {"regulator/330000"} == provinces_to_follow(nodes)


async def test_what_waits_is_bounded_and_nothing_of_it_is_lost(network: Network) -> None:
    """A sender that would fill the memory is told to come again; what was taken in before is answered."""
    parts, released, writing = network.province.parts, threading.Event(), threading.Event()

    def hold(transaction: Transaction) -> None:
        del transaction
        writing.set()
        released.wait(30)

    held_up = asyncio.create_task(parts.database.write(hold))
    await asyncio.to_thread(writing.wait, 30)
    intake = Intake(parts.register_log, feed_regions=False)

    async def compare(note: bytes) -> None:
        raise AssertionError(note)

    servicer = IntakeServicer(
        parts.database, intake, "330000", parts.view, parts.clock, parts.log_changes, compare, max_waiting_bytes=1000
    )
    caller = Caller(PROVIDER, Role.PROVIDER, "330000")
    with serving(ServedCall("", caller, lambda: None)):
        first = asyncio.create_task(servicer.SubmitEntries(network.batch(5), None))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as caught:
            await servicer.SubmitEntries(network.batch(5, 6), None)
        released.set()
        answer = await first
        await held_up
        later = await servicer.SubmitEntries(network.batch(5, 6), None)
    servicer.close()
    assert "INTAKE_BUSY" == caught.value.reason
    assert [[ACCEPTED] * 5] * 2 == [[result.outcome for result in each.results] for each in (answer, later)]
