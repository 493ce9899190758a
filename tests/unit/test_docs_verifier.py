"""The worked example of docs/adding-an-identity-verifier.md is run as it stands there."""

from __future__ import annotations

import json
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from shared.clock import system_clock
from shared.cluster import made_up
from shared.errors import InvalidInput, Unavailable
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import IdentityVerifier, PersonIdentity, load_verifier

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-an-identity-verifier.md"
KNOWN = made_up.person(7)


class Service(BaseHTTPRequestHandler):
    """Knows one person."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"match": asked == {"name": KNOWN.real_name, "number": KNOWN.id_number}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def service() -> Iterator[HTTPServer]:
    """The provider's service, on a port of its own."""
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def verifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: HTTPServer) -> IdentityVerifier:
    """The example, installed: its module and its entry point are found as those of any package."""
    text = PAGE.read_text("utf-8")
    (tmp_path / "wave_verifier.py").write_text(text.partition("```python\n")[2].partition("```")[0], "utf-8")
    project = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])
    metadata = tmp_path / "wave_verifier-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: wave-verifier\nVersion: 1.0\n", "utf-8")
    ((group, points),) = project["project"]["entry-points"].items()
    lines = [f"{name} = {target}" for name, target in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wave_verifier", raising=False)
    monkeypatch.setenv("WAVE_VERIFIER_URL", f"http://127.0.0.1:{service.server_port}/")
    return load_verifier("wave", system_clock)


async def test_art_6_1_a_plugged_in_verifier_verifies(verifier: IdentityVerifier) -> None:
    """Who the service knows is verified, with the region of the number and the verifier's own name for it."""
    verified = await verifier.verify_person(KNOWN)
    assert ("110000", frozenset({SubjectKind.PERSON}), "wave") == (verified.region, verified.kinds, verified.method)
    organisation = made_up.organisation(7, "样例单位", SubjectKind.ENTERPRISE, "110000")
    assert "wave" == (await verifier.verify_organisation(organisation)).method


async def test_art_6_1_who_the_service_does_not_know_is_refused(verifier: IdentityVerifier) -> None:
    """A number of somebody else is refused by the field, and neither name nor number is repeated."""
    stranger = PersonIdentity(made_up.person(8).real_name, KNOWN.id_number, KNOWN.phone)
    with pytest.raises(InvalidInput) as refused:
        await verifier.verify_person(stranger)
    assert ["person.id_number"] == [violation.field for violation in refused.value.violations]
    told = f"{refused.value} {refused.value.violations}"
    assert [] == [value for value in (stranger.real_name, stranger.id_number) if value in told]


async def test_art_6_1_nobody_is_verified_while_the_service_is_away(
    verifier: IdentityVerifier, service: HTTPServer
) -> None:
    """A service that does not answer verifies nobody, and says that it may pass."""
    service.shutdown()
    service.server_close()
    with pytest.raises(Unavailable) as refused:
        await verifier.verify_person(KNOWN)
    assert "VERIFIER_AWAY" == refused.value.reason
    assert refused.value.__suppress_context__
