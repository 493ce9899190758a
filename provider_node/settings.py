"""A provider's settings: where its backend reaches it, where its master key is, and how it verifies identities."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.errors import FailedPrecondition
from shared.settings import NodeSettings
from shared.trust.tokens import is_token, token_hash

MIGRATIONS: Final = Path(__file__).with_name("migrations")
"""The numbered scripts that make the provider's tables."""

UNIX: Final = "unix:"

Listen = Annotated[
    str,
    Field(pattern=r"^(unix:/.{1,106}|(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5})?$"),
]
"""unix:/absolute/path or host:port; empty for the socket in the data folder."""

KeySource = Annotated[str, Field(pattern=r"^((file|env|command):.+)?$")]
"""file:PATH, env:NAME or command:PROGRAM; empty for master.key in the data folder."""


class ProviderSettings(NodeSettings):
    """What a provider is set to."""

    DATABASE_FILE: ClassVar[str] = "provider.db"

    listen: Listen = ""
    """Where the backend reaches the local API."""
    listen_tls: bool = False
    """Whether the local API on host:port speaks TLS; it does also where one of the next three is set."""
    listen_certificate_file: str = ""
    """PEM file with the certificate chain of the local API; the node's own of the network if empty."""
    listen_key_file: str = ""
    """PEM file with the private key of that certificate."""
    backend_ca_file: str = ""
    """PEM file of the provider's own CA that signs the certificates of its backends: by these they are known then."""
    backend_token_file: str = ""
    """File with the bearer token that the backend sends; a local API on host:port needs one or backend_ca_file."""
    master_key: KeySource = ""
    """Where the vault's master key is."""
    verifier: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")] = "form"
    """How identities are verified: "form", or the name of an installed verifier."""

    @property
    def local_api(self) -> str:
        """The address of the local API."""
        return self.listen or self._default_socket

    @property
    def own_socket(self) -> str:
        """The address by which the node's own commands reach it: a Unix socket, wherever the backend reaches it."""
        return self.local_api if self.on_socket else self._default_socket

    @property
    def on_socket(self) -> bool:
        """Whether the backend reaches the local API by a Unix socket."""
        return self.local_api.startswith(UNIX)

    @property
    def speaks_tls(self) -> bool:
        """Whether the local API speaks TLS."""
        return self.listen_tls or bool(self.listen_certificate_file or self.listen_key_file or self.backend_ca_file)

    @property
    def master_key_source(self) -> str:
        """The source of the master key."""
        return self.master_key or f"file:{self.folder.absolute() / 'master.key'}"

    @property
    def vault_folder(self) -> Path:
        """Holds the vault's two files."""
        return self.folder / "vault"

    def backend_token(self) -> str:
        """Reads the bearer token of the local API.

        Returns:
            The token; empty for a Unix socket, which needs none, and where backends are known by certificates.

        Raises:
            FailedPrecondition: BACKEND_TOKEN_MISSING or BACKEND_TOKEN_WRONG; LISTEN_NOT_PRIVATE where the token would
                cross a network in clear; LISTEN_SETTINGS_DIFFER where the settings of the local API do not go together.
        """
        if mend := self._difference():
            raise FailedPrecondition(
                f"the settings of the local API do not go together: {mend}", "LISTEN_SETTINGS_DIFFER"
            )
        if self.on_socket or self.backend_ca_file:
            return ""
        if not self.speaks_tls and not _is_loopback(self.listen.rpartition(":")[0]):
            raise FailedPrecondition(
                f"identities would cross a network in clear to reach {self.listen}: set listen_tls = true, or listen on"
                " 127.0.0.1 or a Unix socket",
                "LISTEN_NOT_PRIVATE",
            )
        if not self.backend_token_file:
            raise FailedPrecondition(
                "a local API on host:port needs a bearer token: set backend_token_file or backend_ca_file, or listen on a"
                " Unix socket",
                "BACKEND_TOKEN_MISSING",
            )
        return _read_token(Path(self.backend_token_file))

    def _difference(self) -> str:
        if self.on_socket and self.speaks_tls:
            return (
                "TLS is for a local API on host:port; set listen to one, or remove listen_tls and the certificate files"
            )
        if bool(self.listen_certificate_file) != bool(self.listen_key_file):
            return "set both listen_certificate_file and listen_key_file, or neither"
        if self.backend_ca_file and self.backend_token_file:
            return "a backend is known by its certificate or by a token; remove backend_token_file or backend_ca_file"
        return ""

    @property
    def _default_socket(self) -> str:
        return f"{UNIX}{self.folder.absolute() / 'backend.sock'}"

    def backend_token_hash(self) -> bytes | None:
        """Returns the hash by which the local API knows its backend's token; None where it has none."""
        token = self.backend_token()
        return token_hash(token) if token else None


def _is_loopback(host: str) -> bool:
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


def _read_token(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            message = f"others can read the backend's token {path}: run chmod 600 on it"
            raise FailedPrecondition(message, "BACKEND_TOKEN_WRONG")
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"the backend's token {path} cannot be read ({type(error).__name__}): write it, or set another file"
        raise FailedPrecondition(message, "BACKEND_TOKEN_WRONG") from None
    if not is_token(token):
        message = f"{path} holds no token: put one of 43 characters there, base64url of 32 random bytes"
        raise FailedPrecondition(message, "BACKEND_TOKEN_WRONG")
    return token
