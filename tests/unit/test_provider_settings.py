"""A provider's local API is private, or it is not opened at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider_node.settings import ProviderSettings
from shared.errors import FailedPrecondition
from shared.trust.tokens import make_bearer


def settings(folder: Path, **changes: object) -> ProviderSettings:
    """Settings of a made-up provider, with changes."""
    return ProviderSettings.create(folder, name="provider/wave", jurisdiction="330000", **changes)


def token_file(folder: Path, text: str = "", mode: int = 0o600) -> str:
    """A file with a backend's token."""
    file = folder / "backend.token"
    file.write_text(text or f"{make_bearer()[0]}\n")
    file.chmod(mode)
    return str(file)


def test_default_is_a_socket_in_the_folder(tmp_path: Path) -> None:
    """Without any setting the local API is a Unix socket, the master key a file, and no token is needed."""
    made = settings(tmp_path)
    assert f"unix:{tmp_path / 'backend.sock'}" == made.local_api
    assert f"file:{tmp_path / 'master.key'}" == made.master_key_source
    assert None is made.backend_token_hash()


@pytest.mark.parametrize("listen", ["127.0.0.1:7500", "localhost:7500", "[::1]:7500"])
def test_loopback_needs_a_token(tmp_path: Path, listen: str) -> None:
    """Other users of the machine reach loopback too: without a token it is not opened."""
    with pytest.raises(FailedPrecondition, match="bearer token"):
        settings(tmp_path, listen=listen).backend_token()
    made = settings(tmp_path, listen=listen, backend_token_file=token_file(tmp_path))
    assert 32 == len(made.backend_token_hash() or b"")


def test_network_needs_tls(tmp_path: Path) -> None:
    """Identities never cross a network in clear, token or not."""
    values = {"listen": "0.0.0.0:7500", "backend_token_file": token_file(tmp_path)}
    with pytest.raises(FailedPrecondition) as refused:
        settings(tmp_path, **values).backend_token()
    assert "LISTEN_NOT_PRIVATE" == refused.value.reason
    assert settings(tmp_path, **values, listen_tls=True).backend_token()


@pytest.mark.parametrize(("text", "mode"), [("too short", 0o600), ("", 0o644)])
def test_token_file_must_be_private_and_a_token(tmp_path: Path, text: str, mode: int) -> None:
    """A token that others can read, or that is none, is refused with the mend and not repeated."""
    made = settings(tmp_path, listen="127.0.0.1:7500", backend_token_file=token_file(tmp_path, text, mode))
    with pytest.raises(FailedPrecondition) as refused:
        made.backend_token()
    assert "BACKEND_TOKEN_WRONG" == refused.value.reason
    assert "too short" not in str(refused.value)


@pytest.mark.parametrize("changes", [{"listen": "backend.sock"}, {"master_key": "here"}, {"verifier": "a b"}])
def test_unusable_settings_are_named(tmp_path: Path, changes: dict[str, str]) -> None:
    """A setting that cannot be used is refused by its name before anything starts."""
    with pytest.raises(FailedPrecondition) as refused:
        settings(tmp_path, **changes)
    assert [*changes] == [each.field for each in refused.value.violations]


def test_certificates_instead_of_a_token(tmp_path: Path) -> None:
    """A CA for backends makes the local API speak TLS, on a network too, and needs no token."""
    made = settings(tmp_path, listen="0.0.0.0:7500", backend_ca_file="ca.pem")
    assert (True, None, f"unix:{tmp_path / 'backend.sock'}") == (
        made.speaks_tls,
        made.backend_token_hash(),
        made.own_socket,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"backend_ca_file": "ca.pem"},
        {"listen_tls": True},
        {"listen": "127.0.0.1:7500", "listen_certificate_file": "local.pem"},
        {"listen": "127.0.0.1:7500", "listen_key_file": "local.key"},
        {"listen": "127.0.0.1:7500", "backend_ca_file": "ca.pem", "backend_token_file": "backend.token"},
    ],
)
def test_settings_that_do_not_go_together_are_said(tmp_path: Path, changes: dict[str, str]) -> None:
    """What could be taken for more protection than there is, is refused and not ignored."""
    with pytest.raises(FailedPrecondition) as refused:
        settings(tmp_path, **changes).backend_token()
    assert "LISTEN_SETTINGS_DIFFER" == refused.value.reason
