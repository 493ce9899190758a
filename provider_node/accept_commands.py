"""The command `provider-node log accept`, for a provider that files with the nation itself."""

from __future__ import annotations

import typer

from provider_node import stopped
from provider_node.commands import DataFolder
from provider_node.settings import ProviderSettings
from shared import cli
from shared.told_head import Of, Root, Size, read_told

log_app = typer.Typer(no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.add_typer(log_app, name="log")


@log_app.command(
    epilog="Example:\n\nprovider-node log accept --data wave --of 100000 --size 5213"
    " --root 64 hexadecimal digits, as the nation's office told them"
)
def accept(data: DataFolder, of: Of, size: Size, root: Root) -> None:
    """Files again what the nation acknowledged and lost, after an older backup of it was put back; the node is stopped.

    For a provider that files with the nation itself. Size and root are what regulator-node recover printed there; get them
    over another channel. The lost acknowledgements are kept for ever.
    """
    settings, told = ProviderSettings.load(data), read_told(of, size, root)
    entries = cli.wait_for(stopped.accept_log(settings, told))
    typer.echo(f"{settings.name} files {entries} entries again: run provider-node serve --data {data}")


@log_app.callback()
def _log() -> None:
    """What the nation's log lost."""
