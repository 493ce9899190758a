"""How a command reaches a regulator's node: by the node's own socket, or as an officer at one of its listeners."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from shared.client.officer import OfficerClient
from shared.trust.names import NATION

_PANEL: Final = "The node"


@dataclass(frozen=True, slots=True)
class Access:
    """The options that say which node is asked, and as whom; a group of options (option_groups)."""

    data: Annotated[
        Path | None, typer.Option(help="Data folder of a node that runs on this machine.", rich_help_panel=_PANEL)
    ] = None
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Instead of --data: a node elsewhere.", rich_help_panel=_PANEL)
    ] = ""
    ca: Annotated[
        Path | None, typer.Option(help="With --address: the network's CA certificates.", rich_help_panel=_PANEL)
    ] = None
    bearer_file: Annotated[
        Path | None, typer.Option(help="With --address: holds your post's bearer token.", rich_help_panel=_PANEL)
    ] = None
    certificate: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="KEY CHAIN", help="Instead of --bearer-file: your key and certificate.", rich_help_panel=_PANEL
        ),
    ] = None
    node: Annotated[str, typer.Option(help="With --address: whose node it is.", rich_help_panel=_PANEL)] = NATION

    @property
    def place(self) -> str:
        """Which register is asked, in words."""
        return str(self.data.absolute()) if self.data else f"{self.node} {self.address}"

    def client(self) -> OfficerClient:
        """Returns a client of the node.

        Raises:
            typer.BadParameter: neither a folder nor an address is given, or both are.
        """
        if (self.data is None) == (not self.address):
            raise typer.BadParameter("give either --data FOLDER or --address HOST:PORT", param_hint="--data")
        if self.data is not None:
            return OfficerClient((self.data / "operator.sock").absolute())
        if self.ca is None or (self.bearer_file is None) == (self.certificate is None):
            raise typer.BadParameter(
                "with --address give --ca FILE and either --bearer-file FILE or --certificate KEY CHAIN",
                param_hint="--address",
            )
        return OfficerClient(
            self.address,
            ca=self.ca.read_text("utf-8"),
            token=self.bearer_file.read_text("utf-8").strip() if self.bearer_file else "",
            server_name=self.node,
            certificate=(self.certificate[0].read_text("utf-8"), self.certificate[1].read_text("utf-8"))
            if self.certificate
            else None,
        )
