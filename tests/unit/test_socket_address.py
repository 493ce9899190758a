"""A client takes the path of a socket in every way in which one is written, and never for the name of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.channel import socket_address


@pytest.mark.parametrize(
    "given",
    [
        "node/backend.sock",
        "./node/backend.sock",
        "unix:node/backend.sock",
        "unix:./node/backend.sock",
        Path("node/backend.sock"),
        Path("node") / ".." / "node" / "backend.sock",
    ],
)
def test_a_relative_path_is_a_socket(given: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without unix:, as text or as a path; it holds wherever the process goes afterwards."""
    monkeypatch.chdir(tmp_path)
    assert f"unix:{tmp_path}/node/backend.sock" == socket_address(given)
    monkeypatch.chdir("/")
    assert (
        "unix:/node/backend.sock" == socket_address("unix:/node/backend.sock") == socket_address("/node/backend.sock")
    )


@pytest.mark.parametrize("given", ["localhost:7411", "127.0.0.1:1", "[::1]:7411", "330000.example:7401", "dns:///a:1"])
def test_a_host_is_no_socket(given: str) -> None:
    """What has a port is an address."""
    assert "" == socket_address(given)


def test_a_file_in_the_current_folder_is_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bare name is enough."""
    monkeypatch.chdir(tmp_path)
    assert f"unix:{tmp_path}/backend.sock" == socket_address("backend.sock")
