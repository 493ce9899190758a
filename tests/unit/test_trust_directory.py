"""The directory finds nodes and keys, keeps old keys true, and never goes back."""

from pathlib import Path

import pytest

from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.directory import Directory, check_succession
from tests.unit.trust_samples import DAY, NATION, NOW, PROVIDER, PROVINCE, SampleNetwork, node


@pytest.fixture
def network(tmp_path: Path) -> SampleNetwork:
    """A network of four nodes."""
    return SampleNetwork(tmp_path)


def test_look_ups(network: SampleNetwork) -> None:
    """Nodes, keys and denied certificates are found, and nothing else is."""
    network.deny("abc")
    directory = network.directory
    assert directory is not None
    wave = directory.node(PROVIDER)
    assert wave is not None
    assert (PROVIDER, "330000") == (wave.name, wave.jurisdiction)
    key_id = wave.signing_keys[0].key_id
    key = directory.key(PROVIDER, key_id)
    assert key is not None
    assert (wave.signing_keys[0].public_key, (key,)) == (key.public_bytes, directory.keys_of(PROVIDER))
    assert key is directory.key_ring().lookup(key_id, PROVIDER)
    assert [None, None, ()] == [
        directory.key(PROVINCE, key_id),
        directory.node("provider/wind"),
        directory.keys_of("provider/wind"),
    ]
    assert [True, False] == [directory.denied("abc"), directory.denied("ab")]
    assert (2, (network.authority.certificate_pem,)) == (directory.version, directory.ca_certificates)


@pytest.mark.parametrize("state", [directory_pb2.NODE_STATE_SUSPENDED, directory_pb2.NODE_STATE_DENIED])
def test_old_evidence_stays_true(network: SampleNetwork, state: directory_pb2.NodeState) -> None:
    """Every key a node ever had verifies what it signed, whatever its state and whenever the key may begin."""
    old, new = SigningKey.generate(), SigningKey.generate()
    network.message.nodes.remove(next(each for each in network.message.nodes if each.name == PROVIDER))
    network.message.nodes.append(node(PROVIDER, old, new))
    network.message.nodes[-1].signing_keys[1].start_time.FromDatetime(NOW + 365 * DAY)
    network.set_state(PROVIDER, state)
    assert network.directory is not None
    found = [network.directory.key(PROVIDER, key.key_id) for key in (old, new)]
    assert [old.verifying_key, new.verifying_key] == found


def test_does_not_change(network: SampleNetwork) -> None:
    """A directory in use does not change with the message that it was made of."""
    directory = network.directory
    network.message.nodes[0].state = directory_pb2.NODE_STATE_DENIED
    assert directory is not None
    first = directory.node(network.message.nodes[0].name)
    assert first is not None
    assert directory_pb2.NODE_STATE_ACTIVE == first.state


@pytest.mark.parametrize(
    ("place", "field", "value"),
    [
        (0, "role", directory_pb2.NODE_ROLE_NATIONAL_REGULATOR),
        (1, "role", directory_pb2.NODE_ROLE_PROVINCIAL_REGULATOR),
        (2, "role", directory_pb2.NODE_ROLE_NATIONAL_REGULATOR),
        (2, "jurisdiction", "440000"),
        (2, "name", PROVIDER),
        (2, "name", "office/330000"),
    ],
)
def test_name_role_and_place_agree(network: SampleNetwork, place: int, field: str, value: object) -> None:
    """No node is listed as something that its name does not say, nor twice."""
    setattr(network.message.nodes[place], field, value)
    with pytest.raises(UnusableProof):
        Directory.from_wire(network.message)


def test_key_id_of_another_key(network: SampleNetwork) -> None:
    """A key is listed under its own id only."""
    network.message.nodes[0].signing_keys[0].key_id = "0" * 16
    with pytest.raises(UnusableProof):
        Directory.from_wire(network.message)


def test_succession(network: SampleNetwork) -> None:
    """A directory gives way to a newer one only, and to none without the nation."""
    first = network.directory
    network.change()
    network.change()
    third = network.directory
    assert first is not None
    assert third is not None
    check_succession(first, third)
    for old, new in ((third, first), (third, third)):
        with pytest.raises(ProofError):
            check_succession(old, new)
    network.message.nodes.remove(next(each for each in network.message.nodes if each.name == NATION))
    network.change()
    assert network.directory is not None
    with pytest.raises(ProofError):
        check_succession(third, network.directory)
