"""The commands `ca` and `certificates` as an operator runs them: processes, at a nation that serves, in words and JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from regulator_node.founding import found_nation
from shared.trust.names import NATION
from tests.integration.regulators import PROVINCE, nation_settings
from tests.integration.test_regulator_program import Network

pytestmark = pytest.mark.cluster

HOURS: Final = 0.05
"""Of a certificate: a nation renews its own within a twentieth of it once another CA signs."""
AT_NATION: Final = ("--data", "nation")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A nation that serves and signs for minutes, and a province that joined it and is off."""
    made = Network(tmp_path)
    try:
        settings = nation_settings(tmp_path / "nation", made.ports, certificate_lifetime_hours=HOURS)
        asyncio.run(found_nation(settings))
        made.start("nation")
        title = ("--title", "样例省级节点")
        made.call("token", "create", *AT_NATION, "--node", PROVINCE, *title, "--output", "token")
        made.init("province", "--token-file", "token")
        yield made
    finally:
        made.close()


def listed(network: Network) -> dict[str, tuple[str, list[str]]]:
    """The CAs as JSON: by id their state and who holds live certificates."""
    rows = network.rows("ca", "list", *AT_NATION)
    return {row["authority_id"]: (row["state"], row["holders"]) for row in rows}


def held(network: Network, holder: str) -> list[dict[str, Any]]:
    """The certificates of a holder as JSON."""
    rows: list[dict[str, Any]] = network.rows("certificates", "list", *AT_NATION, holder)
    return rows


@contextmanager
def kept_from_renewing(folder: Path) -> Iterator[None]:
    """A nation that cannot store a new certificate of its own: the folder that it goes to is away."""
    tls = folder / "tls"
    tls.rename(folder / "tls.away")
    yield
    (folder / "tls.away").rename(tls)


def test_a_ca_is_replaced_by_commands(network: Network) -> None:
    """Promise 7: each command refuses before its time; no CA goes while the nation's own certificate is by it, forced or not;
    one that is denied is shown so and holds up nothing."""
    ((first, (state, holders)),) = listed(network).items()
    assert ("in use", [NATION, PROVINCE]) == (state, holders)
    assert "make one with ca next" in network.call("ca", "use", *AT_NATION, code=1)
    added = network.run("ca", "next", *AT_NATION)
    assert added == network.call("ca", "next", *AT_NATION)
    (second,) = set(listed(network)) - {first}
    assert f"the next CA is {second}, by directory " in added
    assert ("next", []) == listed(network)[second]
    with kept_from_renewing(network.root / "nation"):
        assert f"{second} signs from now on" in network.run("ca", "use", *AT_NATION, "--force")
        assert "retire it with ca retire" in network.call("ca", "next", *AT_NATION, code=1)
        for force in ((), ("--force",)):
            refused = network.run("ca", "retire", *AT_NATION, first, *force, code=1)
            assert "it signed the nation's own certificate" in refused
        assert {first: ("former", [NATION, PROVINCE]), second: ("in use", [])} == listed(network)
    while listed(network)[second] != ("in use", [NATION]):
        pass
    assert "1 certificates by it are live" in network.call("ca", "retire", *AT_NATION, first, code=1)
    deny_the_province(network, first)
    assert f"{first} is trusted no more" in network.run("ca", "retire", *AT_NATION, first)
    (left,) = json.loads(network.run("ca", "list", *AT_NATION, "--json"))
    assert (second, "in use", [NATION]) == (left["authority_id"], left["state"], left["holders"])
    assert f"lists no CA {first}" in network.call("ca", "retire", *AT_NATION, first, code=1)
    assert [second] == [line.split()[0] for line in network.call("ca", "list", *AT_NATION).splitlines()[1:]]


def deny_the_province(network: Network, authority: str) -> None:
    """Denies the one certificate of the province; no other number, and never the nation's own."""
    (own,) = [row for row in held(network, NATION) if row["authority_id"] != authority]
    (before,) = held(network, PROVINCE)
    assert (authority, False) == (before["authority_id"], before["denied"])
    wrong = f"{int(before['serial_number'], 16) + 1:x}"
    assert "no certificate of this number" in network.run("certificates", "deny", *AT_NATION, wrong, code=1)
    assert "the nation's own" in network.call("certificates", "deny", *AT_NATION, own["serial_number"], code=1)
    assert [before] == held(network, PROVINCE)
    denied = network.run("certificates", "deny", *AT_NATION, before["serial_number"])
    assert f"certificate {before['serial_number']} of {PROVINCE} is refused, by directory " in denied
    assert denied == network.call("certificates", "deny", *AT_NATION, before["serial_number"])
    printed = network.run("certificates", "list", *AT_NATION, PROVINCE, "--json")
    assert [before | {"denied": True}] == json.loads(printed)
    shown = network.call("certificates", "list", *AT_NATION, PROVINCE)
    assert [before["serial_number"], "yes"] == [shown.splitlines()[1].split()[place] for place in (0, -1)]
