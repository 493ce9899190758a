"""The master key: the one secret of a provider that is kept outside of its databases.

It wraps the vault's data keys and the vault's root secret, and nothing else. Its text has one line for each version,
newest last: `<version> <base64url of 32 bytes>`. It comes from a file that only its owner can read, from an environment
variable or from the output of a command (a key store's client, say). To rotate, add a line and start the node: the node
wraps every data key anew, no row of the vault changes, and the older line can go.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.durable_files import PRIVATE, make_folder, write_file
from shared.errors import FailedPrecondition

KEY_BYTES = 32
COMMAND_TIMEOUT_SECONDS = 30
_VERSION = re.compile("0*[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The versions of the master key at hand. Its text form never shows a key.

    Args:
        versions: 32 bytes for each version number, from 1.
    """

    versions: Mapping[int, bytes] = field(repr=False)

    @property
    def current(self) -> int:
        """The newest version: the one that wraps."""
        return max(self.versions)

    def secret(self, version: int) -> bytes:
        """Returns the 32 bytes of a version.

        Raises:
            FailedPrecondition: The version is not at hand; data wrapped under it cannot be read.
        """
        try:
            return self.versions[version]
        except KeyError:
            raise FailedPrecondition(
                f"version {version} of the master key is missing: put its line back and start again",
                reason="MASTER_KEY_VERSION_MISSING",
            ) from None


def parse_master_keys(text: str) -> MasterKeys:
    """Reads the text form, one `<version> <key>` a line; empty lines and lines that begin with # are skipped.

    Raises:
        FailedPrecondition: A line cannot be read, or there is none. The message names the line, never its content.
    """
    versions: dict[int, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        version, _, encoded = line.strip().partition(" ")
        secret = _decoded(encoded.strip())
        if _VERSION.fullmatch(version) is None or secret is None:
            raise _unusable(f"line {number} of the master key is not '<version> <base64url of 32 bytes>'")
        if int(version) in versions:
            raise _unusable(f"line {number} of the master key repeats a version")
        versions[int(version)] = secret
    if not versions:
        raise _unusable("the master key is empty")
    return MasterKeys(versions)


def load_master_keys(source: str) -> MasterKeys:
    """Reads the master key from where the settings say it is.

    Args:
        source: `file:<path>`, `env:<variable>` or `command:<program and arguments>` (no shell).

    Raises:
        FailedPrecondition: It is not there, its file can be read by others, or its text is not a master key.
    """
    scheme, _, place = source.partition(":")
    if scheme == "file" and place:
        return parse_master_keys(_read_file(Path(place)))
    if scheme == "env" and place:
        text = os.environ.get(place)
        if text is None:
            raise _unusable(f"the environment variable {place} that should hold the master key is not set")
        return parse_master_keys(text)
    if scheme == "command" and place:
        return parse_master_keys(_run_command(place))
    raise _unusable("the master key's source is none of file:<path>, env:<variable>, command:<program>")


def add_master_key_version(path: Path) -> int:
    """Adds a fresh newest version to a master key file, creating the file (mode 0600) when it is not there.

    Returns:
        The version added.

    Raises:
        FailedPrecondition: The file exists and is not a usable master key.
    """
    held = _read_file(path) if path.exists() else ""
    version = parse_master_keys(held).current + 1 if path.exists() else 1
    line = f"{version} {base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"
    make_folder(path.parent)
    separator = "" if not held or held.endswith("\n") else "\n"
    # Whole or not at all: a key that wrapped anything must be there when the power comes back.
    write_file(path.resolve(), f"{held}{separator}{line}".encode(), PRIVATE)
    return version


def _decoded(encoded: str) -> bytes | None:
    try:
        secret = base64.b64decode(encoded.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    return secret if len(secret) == KEY_BYTES else None


def _read_file(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise _unusable(f"others can read the master key file {path}: run chmod 600 on it")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(f"the master key file {path} cannot be read ({type(error).__name__})") from None


def _run_command(command: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, check=True, text=True, timeout=COMMAND_TIMEOUT_SECONDS
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise _unusable(f"the command for the master key did not work ({type(error).__name__})") from None
    return done.stdout


def _unusable(message: str) -> FailedPrecondition:
    return FailedPrecondition(message, reason="MASTER_KEY_UNUSABLE")
