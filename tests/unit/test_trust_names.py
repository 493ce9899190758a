"""A name is the same in a certificate, in the directory and in the address that a client pins, or it is refused."""

import pytest

from shared.errors import InvalidInput
from shared.trust.callers import Role
from shared.trust.names import (
    NATION,
    Officer,
    jurisdiction_of,
    name_of,
    officer_name,
    parse_officer_name,
    spiffe_id,
    tls_host,
)


@pytest.mark.parametrize("name", ["regulator/330000", "provider/wave", "officer/330000/reviewer/review-desk-2"])
def test_spiffe_round_trip(name: str) -> None:
    """Every name of the network is the path of its SPIFFE ID."""
    assert f"spiffe://filingnet/{name}" == spiffe_id(name)
    assert name == name_of(spiffe_id(name))


@pytest.mark.parametrize(
    "spiffe",
    [
        "",
        "provider/wave",
        "spiffe://filingnet/",
        "spiffe://filingnet/provider/Wave",
        "spiffe://filingnet/provider/wave/more",
        "spiffe://filingnet/provider/wave?query",
        "spiffe://filingnet/officer/330000/operator/review-desk-2",
        "spiffe://filingnet.example/provider/wave",
        "spiffe://filingnet/spiffe://filingnet/provider/wave",
        "SPIFFE://filingnet/provider/wave",
        "spiffe://filingnet/provider/wave\n",
    ],
)
def test_foreign_spiffe_id(spiffe: str) -> None:
    """What is not exactly a SPIFFE ID of this network names nobody."""
    with pytest.raises(InvalidInput) as caught:
        name_of(spiffe)
    assert "NAME_WRONG" == caught.value.reason


def test_tls_host() -> None:
    """Each node has a host name of its own to be pinned by, and officers have none."""
    assert ["330000.regulator.filingnet", "wave.provider.filingnet"] == [
        tls_host("regulator/330000"),
        tls_host("provider/wave"),
    ]
    with pytest.raises(InvalidInput):
        tls_host("officer/330000/reviewer/review-desk-2")


def test_jurisdiction_of() -> None:
    """A regulator's name says its jurisdiction; a provider's does not."""
    assert "100000" == jurisdiction_of(NATION)
    for name in ("provider/wave", "regulator/330100", "330000", "regulator/"):
        with pytest.raises(InvalidInput):
            jurisdiction_of(name)


def test_officer_name() -> None:
    """An officer's name says jurisdiction, role and post."""
    name = officer_name("330000", "reviewer", "review-desk-2")
    assert "officer/330000/reviewer/review-desk-2" == name
    assert Officer("330000", Role.REVIEWER, "review-desk-2") == parse_officer_name(name)


@pytest.mark.parametrize(
    ("jurisdiction", "role", "post"),
    [
        ("330100", "reviewer", "desk"),
        ("330000", "operator", "desk"),
        ("330000", "nation", "desk"),
        ("330000", "reviewer", "Desk"),
        ("330000", "reviewer", "desk/administrator"),
        ("330000", "reviewer", ""),
        ("330000", "reviewer", "d" * 41),
    ],
)
def test_malformed_officer(jurisdiction: str, role: str, post: str) -> None:
    """No officer's name can be made that says something else when it is read."""
    with pytest.raises(InvalidInput):
        officer_name(jurisdiction, role, post)
