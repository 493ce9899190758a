"""A regulator starts only when everything fits, says plainly what does not, and stops without losing a call."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from regulator_node import bootstrap
from regulator_node.bootstrap import Regulator
from regulator_node.founding import found_nation
from regulator_node.parts import open_parts
from regulator_node.settings import RegulatorSettings
from shared.channel import RemoteError, translated
from shared.clock import system_clock
from shared.cluster.ports import Ports
from shared.errors import FailedPrecondition, FilingnetError
from shared.evidence.keys import SigningKey
from shared.folder_lock import FolderLock
from shared.mapping.policy import policy_to_wire
from shared.pb.filingnet.network.v1 import follow_service_pb2, follow_service_pb2_grpc
from shared.pb.filingnet.regulator.v1 import network_service_pb2
from shared.trust.credentials import Credentials
from tests.integration.regulators import (
    nation_serving,
    nation_settings,
    provider_of,
    province_serving,
    serving,
)


@pytest.fixture
async def settings(tmp_path: Path, ports: Ports) -> RegulatorSettings:
    """A nation that was founded and does not run."""
    made = nation_settings(tmp_path / "nation", ports)
    await found_nation(made)
    return made


def lose_the_key(settings: RegulatorSettings) -> None:
    settings.signing_key_file.unlink()


def open_the_key(settings: RegulatorSettings) -> None:
    settings.signing_key_file.chmod(0o644)


def damage_the_key(settings: RegulatorSettings) -> None:
    settings.signing_key_file.write_text("no key")


def replace_the_key(settings: RegulatorSettings) -> None:
    settings.signing_key_file.unlink()
    SigningKey.generate().save(settings.signing_key_file)


def lose_the_credentials(settings: RegulatorSettings) -> None:
    shutil.rmtree(settings.credentials_folder)


def take_other_credentials(settings: RegulatorSettings) -> None:
    lose_the_credentials(settings)
    settings.credentials_folder.mkdir()
    Credentials.create(settings.credentials_folder, "regulator/330000")


def lose_the_ca(settings: RegulatorSettings) -> None:
    shutil.rmtree(settings.authority_folder)


def lose_the_register(settings: RegulatorSettings) -> None:
    (settings.folder / "register.db").unlink()


def damage_the_register(settings: RegulatorSettings) -> None:
    (settings.folder / "register.db").write_bytes(b"no database" * 1000)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lose_the_key, "KEY_UNREADABLE"),
        (open_the_key, "KEY_UNREADABLE"),
        (damage_the_key, "KEY_UNREADABLE"),
        (replace_the_key, "SIGNING_KEY_UNKNOWN"),
        (lose_the_credentials, "KEY_FILE_MISSING"),
        (take_other_credentials, "KEY_OF_ANOTHER_NODE"),
        (lose_the_ca, "KEY_FILE_MISSING"),
        (lose_the_register, "NOT_JOINED"),
        (damage_the_register, "STORAGE_CORRUPT"),
    ],
)
async def test_what_is_missing_or_damaged_is_refused(
    settings: RegulatorSettings, damage: Callable[[RegulatorSettings], None], reason: str
) -> None:
    """A node never starts on half of what it is: it says what is wrong, by its file, and how to mend it."""
    damage(settings)
    with pytest.raises(FilingnetError) as caught:
        await open_parts(settings, system_clock)
    assert reason == caught.value.reason


async def test_a_second_node_on_the_same_folder_is_refused(settings: RegulatorSettings) -> None:
    """Two processes never write one log from one folder."""
    with closing(FolderLock(settings.folder, "data of a regulator")), pytest.raises(FailedPrecondition) as caught:
        await bootstrap.serve(settings, lambda listen: None)
    assert "FOLDER_IN_USE" == caught.value.reason


async def test_a_port_in_use_is_refused_and_leaves_nothing_open(settings: RegulatorSettings, tmp_path: Path) -> None:
    """Whoever finds the port taken says so; the node that has it, and the folder, are as before."""
    async with serving(settings):
        shutil.copytree(settings.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("operator.sock", "lock"))
        copy = RegulatorSettings.load(tmp_path / "copy")
        with pytest.raises(FailedPrecondition) as caught:
            await bootstrap.serve(copy, lambda listen: None)
    assert "PORT_IN_USE" == caught.value.reason
    with closing(FolderLock(copy.folder, "data of a regulator")):
        assert not copy.operator_socket.exists()


async def test_stopping_waits_for_no_endless_stream(tmp_path: Path, ports: Ports) -> None:
    """A regulator with followers stops at once: they are told to come again, and do."""
    async with nation_serving(tmp_path / "nation", ports, shutdown_seconds=60.0) as nation:
        provider = await provider_of(nation, tmp_path / "provider")
        async with provider.calling(nation, follow_service_pb2_grpc.FollowServiceStub) as stub:
            stream = stub.FollowDocuments(follow_service_pb2.FollowDocumentsRequest())
            pages = aiter(stream)
            await anext(pages)
            async with asyncio.timeout(20):
                await nation.regulator.stop()
            with pytest.raises(RemoteError) as caught:
                await translated(anext(pages))
    assert caught.value.transient


async def test_a_restarted_regulator_goes_on_where_it_was(settings: RegulatorSettings) -> None:
    """What was stated before a stop is there after a start, and the next statement follows it."""
    for expected in (1, 2):
        async with serving(settings) as nation, nation.operator() as stub:
            assert expected == nation.view.versions[1]
            policy = policy_to_wire(nation.view.policies[-1])
            policy.version += 1
            policy.effective_time.FromDatetime(nation.parts.clock() + timedelta(days=1))
            await stub.PublishPolicy(network_service_pb2.PublishPolicyRequest(policy=policy))


async def test_a_province_starts_while_the_nation_is_away(tmp_path: Path, ports: Ports) -> None:
    """A province knows from its own folder whom to trust: it serves while nobody else does."""
    async with (
        nation_serving(tmp_path / "nation", ports) as nation,
        province_serving(nation, tmp_path / "province", ports) as province,
    ):
        settings = province.settings
    async with serving(settings) as province, province.operator() as stub:
        status = await stub.GetStatus(network_service_pb2.GetStatusRequest())
        assert ("regulator/330000", 2) == (status.name, status.directory_version)


async def test_a_regulator_can_be_stopped_before_it_started(settings: RegulatorSettings) -> None:
    """Whatever keeps a node from starting, what was opened is closed again."""
    await Regulator(await open_parts(settings, system_clock)).stop()
    async with serving(settings) as nation:
        assert (1, 1) == nation.view.versions
