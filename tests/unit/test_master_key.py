"""The master key: the one secret outside of the databases is read from three places, and never shown."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from provider_node.master_key import (
    KEY_BYTES,
    MasterKeys,
    add_master_key_version,
    load_master_keys,
    parse_master_keys,
)
from shared.errors import FailedPrecondition

SECRET = bytes(range(KEY_BYTES))
LINE = f"1 {base64.urlsafe_b64encode(SECRET).decode()}\n"


def test_versions_are_read() -> None:
    """Every line is a version, the newest wraps, and comments and empty lines do not matter."""
    keys = parse_master_keys(f"# of the vault\n\n{LINE}2 {base64.urlsafe_b64encode(b'x' * KEY_BYTES).decode()}\n")
    assert (2, SECRET, b"x" * KEY_BYTES) == (keys.current, keys.secret(1), keys.secret(2))


@pytest.mark.parametrize(
    "text",
    ["", "# only a comment\n", "1\n", "1 short\n", f"0 {LINE[2:]}", f"one {LINE[2:]}", LINE + LINE, f"１ {LINE[2:]}"],
)
def test_what_is_no_master_key_is_refused_without_repeating_it(text: str) -> None:
    """A damaged line is named by its number; nothing of a secret is in the error."""
    with pytest.raises(FailedPrecondition) as refused:
        parse_master_keys(text)
    assert "MASTER_KEY_UNUSABLE" == refused.value.reason
    assert LINE[2:20] not in str(refused.value)


def test_missing_version_is_said() -> None:
    """Data wrapped under a version whose line was taken away says which line to put back."""
    with pytest.raises(FailedPrecondition, match="version 7 of the master key is missing"):
        parse_master_keys(LINE).secret(7)


def test_text_form_shows_no_secret() -> None:
    """A master key that is logged by accident shows nothing."""
    assert SECRET.hex() not in repr(MasterKeys({1: SECRET}))
    assert str(SECRET) not in repr(MasterKeys({1: SECRET}))


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A master key in a file is for its owner alone; the mend is said."""
    file = tmp_path / "master.key"
    file.write_text(LINE)
    file.chmod(0o644)
    with pytest.raises(FailedPrecondition, match="chmod 600"):
        load_master_keys(f"file:{file}")
    file.chmod(0o600)
    assert SECRET == load_master_keys(f"file:{file}").secret(1)


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A master key can be kept in an environment variable or behind a command instead."""
    monkeypatch.setenv("MADE_UP_MASTER_KEY", LINE)
    assert SECRET == load_master_keys("env:MADE_UP_MASTER_KEY").secret(1)
    file = tmp_path / "kept elsewhere"
    file.write_text(LINE)
    assert SECRET == load_master_keys(f"command:cat '{file}'").secret(1)


@pytest.mark.parametrize(
    "source", ["", "file:", "vault:x", "env:MADE_UP_AND_UNSET", "command:false", "command:/no/such/program", "file:/no"]
)
def test_unusable_source_is_said(source: str) -> None:
    """Whatever the source, a start that cannot have its key says so in one sentence."""
    with pytest.raises(FailedPrecondition) as refused:
        load_master_keys(source)
    assert "MASTER_KEY_UNUSABLE" == refused.value.reason


def test_rotation_adds_a_line(tmp_path: Path) -> None:
    """A new file is private from the first moment; a rotation keeps the older versions."""
    file = tmp_path / "keys" / "master.key"
    assert [1, 2] == [add_master_key_version(file), add_master_key_version(file)]
    assert 0o600 == file.stat().st_mode & 0o777
    keys = load_master_keys(f"file:{file}")
    assert (2, True) == (keys.current, keys.secret(1) != keys.secret(2))
