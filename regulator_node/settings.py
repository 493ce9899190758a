"""A regulator's settings: where it listens, under which address others reach it, and where its files are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.call_room import CALLS_PER_CALLER, STREAMS_PER_CALLER
from shared.errors import InvalidInput, Violation
from shared.settings import Endpoint, HostPort, NodeSettings
from shared.trust.names import NATION

_EVERY_INTERFACE: Final = ("0.0.0.0", "::", "[::]", "")  # noqa: S104 - recognised, not bound to

MIGRATIONS: Final = Path(__file__).with_name("migrations")
"""The numbered scripts that make the register's tables."""

Title = Annotated[str, Field(max_length=60, pattern=r"^[^\p{C}\p{Zl}\p{Zp}]*$")]
"""Public name of an office."""


class RegulatorSettings(NodeSettings):
    """What a regulator is set to."""

    DATABASE_FILE: ClassVar[str] = "register.db"

    title: Title = ""
    """The nation: public name of the office. A province's is in the directory."""
    network_listen: HostPort
    """Where nodes, and officers with certificates, reach it: mTLS."""
    public_listen: HostPort
    """Where new nodes enrol and officers with bearer tokens call: TLS."""
    network_endpoint: Endpoint
    """host:port of the network listener as the directory tells it to others."""
    public_endpoint: Endpoint
    """host:port of the public listener as tokens and officers know it."""
    certificate_lifetime_hours: float = Field(default=720.0, ge=0.002, le=8760)
    """The nation: how long the certificates hold that it signs, in hours; seconds for tests, which 5 pass between two
    renewals of."""
    calls_per_caller: int = Field(default=CALLS_PER_CALLER, ge=1, le=1000)
    """Calls with one answer that one node, officer's post or address may have under way."""
    streams_per_caller: int = Field(default=STREAMS_PER_CALLER, ge=1, le=20_000)
    """Streams that one may have open."""

    @property
    def is_nation(self) -> bool:
        """Whether this is the national regulator."""
        return self.name == NATION

    @property
    def authority_folder(self) -> Path:
        """Holds the nation's CA."""
        return self.folder / "ca"

    @property
    def operator_socket(self) -> Path:
        """The local socket of whoever operates the node."""
        return self.folder / "operator.sock"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names of both endpoints, each once."""
        endpoints = (self.network_endpoint, self.public_endpoint)
        return tuple(dict.fromkeys(endpoint.rpartition(":")[0] for endpoint in endpoints if endpoint))


def endpoint_of(listen: str, endpoint: str, option: str) -> str:
    """Finds under which address others reach a listener.

    Args:
        listen: host:port it listens on.
        endpoint: host:port that was given; empty for the same as listen.
        option: name of the option to give it with, for the mend.

    Returns:
        host:port.

    Raises:
        InvalidInput: ENDPOINT_MISSING where nobody elsewhere could connect to what it listens on.
    """
    if endpoint:
        return endpoint
    host, _, port = listen.rpartition(":")
    if host in _EVERY_INTERFACE or host.startswith("[") or port.strip("0") == "":
        mend = "give HOST:PORT, under which others reach this node"
        raise InvalidInput(
            f"nobody elsewhere can connect to {listen}",
            "ENDPOINT_MISSING",
            [Violation(option, "ENDPOINT_MISSING", mend)],
        )
    return listen
