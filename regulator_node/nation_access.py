"""How a command that only the nation does reaches it; such a command's own --node names the node that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from regulator_node.officer_access import Access
from shared.client.officer import OfficerClient

_PANEL: Final = "The nation"


@dataclass(frozen=True, slots=True)
class NationAccess:
    """The options of `Access` but for the node that is asked; a group of options (option_groups)."""

    data: Annotated[
        Path | None, typer.Option(help="Its data folder, where it runs on this machine.", rich_help_panel=_PANEL)
    ] = None
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Instead of --data: it runs elsewhere.", rich_help_panel=_PANEL)
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

    def client(self) -> OfficerClient:
        """Returns a client of the nation's node.

        Raises:
            typer.BadParameter: neither a folder nor an address is given, or both are.
        """
        return Access(self.data, self.address, self.ca, self.bearer_file, self.certificate).client()
