"""How regulators come to be: founding and joining happen once, can be begun again, and refuse plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from regulator_node.founding import found_nation, join_province
from regulator_node.settings import RegulatorSettings
from shared.cluster.ports import Ports
from shared.errors import AlreadyExists, FailedPrecondition, FilingnetError, InvalidInput, Unauthenticated, Unavailable
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.settings import FILE_NAME
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials
from shared.trust.tokens import EnrolmentToken, parse_token
from tests.integration.regulators import (
    PROVINCE,
    nation_serving,
    nation_settings,
    province_settings,
    serving,
    token_for,
)


def identity(settings: RegulatorSettings) -> tuple[str, bytes, object]:
    """What proves who a regulator is: its CA or the one it trusts, its signing key, its TLS key."""
    credentials = Credentials.load(settings.credentials_folder)
    key = SigningKey.load(settings.signing_key_file)
    return credentials.ca_pem, key.public_bytes, credentials.tls_key.private_numbers()


async def test_the_nation_is_founded_with_itself_and_the_first_policy(tmp_path: Path, ports: Ports) -> None:
    """A founded nation serves: one node in directory 1, policy 1, both entries of its own log."""
    async with nation_serving(tmp_path / "nation", ports) as nation:
        nodes = [(node.name, node.role, node.title, node.state) for node in nation.view.directory.nodes.values()]
        own = ("regulator/100000", directory_pb2.NODE_ROLE_NATIONAL_REGULATOR, "样例国家节点", 1)
        assert ([own], (1, 1)) == (nodes, nation.view.versions)


async def test_a_folder_that_holds_a_node_is_never_made_over(tmp_path: Path, ports: Ports) -> None:
    """init on a node's folder is refused, and the CA that everybody trusts is still the same."""
    settings = nation_settings(tmp_path, ports)
    await found_nation(settings)
    before = identity(settings)
    with pytest.raises(AlreadyExists) as caught:
        await found_nation(nation_settings(tmp_path, ports))
    assert ("FOLDER_HOLDS_NODE", before) == (caught.value.reason, identity(settings))


async def test_founding_can_be_begun_again_after_any_step(tmp_path: Path, ports: Ports) -> None:
    """A founding that ended before its last step is completed by the same command, with the keys made first."""
    settings = nation_settings(tmp_path, ports)
    await found_nation(settings)
    before = identity(settings)
    (tmp_path / FILE_NAME).unlink()
    await found_nation(settings)
    async with serving(RegulatorSettings.load(tmp_path)) as nation:
        assert (before, (1, 1)) == (identity(settings), nation.view.versions)


async def test_a_ca_key_without_its_certificate_is_taken_up(tmp_path: Path, ports: Ports) -> None:
    """A crash between the two files of the CA leaves a folder that founding completes."""
    settings = nation_settings(tmp_path, ports)
    await found_nation(settings)
    (tmp_path / FILE_NAME).unlink()
    for path in (tmp_path / "register.db", settings.authority_folder / "authority.pem"):
        path.unlink()
    await found_nation(settings)
    assert Authority.load(settings.authority_folder).certificate_pem == Credentials.load(tmp_path / "tls").ca_pem


async def test_founding_again_otherwise_is_refused(tmp_path: Path, ports: Ports) -> None:
    """The first directory is in the log for ever: it is not silently given another title."""
    await found_nation(nation_settings(tmp_path, ports))
    (tmp_path / FILE_NAME).unlink()
    with pytest.raises(FailedPrecondition) as caught:
        await found_nation(nation_settings(tmp_path, ports))
    assert "FOUNDED_OTHERWISE" == caught.value.reason


async def test_founding_again_with_another_key_is_refused(tmp_path: Path, ports: Ports) -> None:
    """A nation that lost its signing key never serves under a key that its own first directory does not name."""
    settings = nation_settings(tmp_path, ports)
    await found_nation(settings)
    for path in (tmp_path / FILE_NAME, settings.signing_key_file):
        path.unlink()
    with pytest.raises(FailedPrecondition) as caught:
        await found_nation(settings)
    assert ("SIGNING_KEY_UNKNOWN", False) == (caught.value.reason, (tmp_path / FILE_NAME).exists())


async def test_a_province_joins_and_is_in_the_directory(tmp_path: Path, ports: Ports) -> None:
    """Joining makes a folder that serves, and a node that the nation and it know by the same key."""
    async with nation_serving(tmp_path / "nation", ports) as nation:
        settings = province_settings(tmp_path / "province", ports)
        token, secret = parse_token(await token_for(nation, PROVINCE))
        await join_province(settings, token, secret)
        key = SigningKey.load(settings.signing_key_file).verifying_key
        node = nation.view.directory.node(PROVINCE)
        assert node is not None
        assert ((key,), settings.network_endpoint, "样例节点") == (
            nation.view.directory.keys_of(PROVINCE),
            node.endpoint,
            node.title,
        )
        async with serving(RegulatorSettings.load(tmp_path / "province")) as province:
            assert nation.view.versions == province.view.versions


async def test_a_lost_answer_can_be_asked_for_again(tmp_path: Path, ports: Ports) -> None:
    """A province whose init died after the nation had answered joins with the same token and the same keys."""
    async with nation_serving(tmp_path / "nation", ports) as nation:
        settings = province_settings(tmp_path / "province", ports)
        token, secret = parse_token(await token_for(nation, PROVINCE))
        await join_province(settings, token, secret)
        before = identity(settings)
        for path in (settings.folder / FILE_NAME, settings.folder / "register.db"):
            path.unlink()
        await join_province(settings, token, secret)
        assert (before, 2) == (identity(settings), nation.view.directory.version)


async def refusal_of(settings: RegulatorSettings, token: EnrolmentToken, secret: str) -> FilingnetError:
    """Why a province could not join; its folder holds no node then."""
    with pytest.raises(FilingnetError) as caught:
        await join_province(settings, token, secret)
    assert not (settings.folder / FILE_NAME).exists()
    return caught.value


async def test_a_used_token_lets_nobody_else_in(tmp_path: Path, ports: Ports) -> None:
    """Promise 7: who copied the token file and comes second is told of the first; so is the office, in its trail."""
    async with nation_serving(tmp_path / "nation", ports) as nation:
        token, secret = parse_token(await token_for(nation, PROVINCE))
        await join_province(province_settings(tmp_path / "first", ports), token, secret)
        error = await refusal_of(province_settings(tmp_path / "second", ports), token, secret)
        assert (True, "TOKEN_USED") == (isinstance(error, Unauthenticated), error.reason)
        assert "it was stolen; tell the nation's office at once" in error.message
        entries, _ = await nation.regulator.audit.page(1, "")
        assert [("anyone", "token of regulator/330000 sent again by other keys")] == [
            (entry.actor, entry.detail) for entry in entries
        ]


async def test_a_province_believes_no_other_nation(tmp_path: Path, ports: Ports) -> None:
    """The token file pins the CA: whoever else answers at the endpoint gets nothing and gives nothing."""
    async with nation_serving(tmp_path / "nation", ports) as nation, nation_serving(tmp_path / "other", ports) as other:
        token, secret = parse_token(await token_for(nation, PROVINCE))
        wrong = EnrolmentToken(
            other.settings.public_endpoint, token.node_name, token.jurisdiction, token.ca_certificate
        )
        error = await refusal_of(province_settings(tmp_path / "province", ports), wrong, secret)
        assert (True, 1) == (isinstance(error, Unavailable), other.view.directory.version)


async def test_a_token_is_for_one_name(tmp_path: Path, ports: Ports) -> None:
    """The token of one province does not let another in, and is not used up by the attempt."""
    async with nation_serving(tmp_path / "nation", ports) as nation:
        token, secret = parse_token(await token_for(nation, PROVINCE))
        settings = province_settings(tmp_path / "other", ports, name="regulator/440000", jurisdiction="440000")
        error = await refusal_of(settings, token, secret)
        assert isinstance(error, InvalidInput)
        await join_province(province_settings(tmp_path / "province", ports), token, secret)
