"""The commands for a node that is stopped: joining again, and its next signing key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provider_node import stopped
from provider_node.commands import DataFolder
from provider_node.settings import ProviderSettings
from shared import cli
from shared.signing_keys import prepare_next_key

key_app = typer.Typer(help="Replaces the key with which the node signs.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    """Adds these commands to the program."""
    app.command(epilog="Example: provider-node rejoin --data wave --token-file wave.token")(rejoin)
    app.add_typer(key_app, name="signing-key")


def rejoin(
    data: DataFolder,
    token_file: Annotated[Path, typer.Option(help="The token file that the nation made with --rejoin.")],
) -> None:
    """Gets a new certificate for a stopped node whose own has ended. Its keys and its data stay as they are."""
    settings = ProviderSettings.load(data)
    cli.wait_for(stopped.rejoin(settings, token_file.read_text("utf-8", errors="replace")))
    typer.echo(f"{settings.name} has joined again: run provider-node serve --data {data}")


@key_app.command("next", epilog="Example: provider-node signing-key next --data wave > wave.next-key")
def next_key(data: DataFolder) -> None:
    """Makes the next signing key and prints its public part, for nodes add-key at the nation. The node may run."""
    typer.echo(prepare_next_key(ProviderSettings.load(data).signing_key_file), nl=False)


@key_app.command("use", epilog="Example: provider-node signing-key use --data wave")
def use_key(data: DataFolder) -> None:
    """Puts the next signing key to use at a stopped node; the one before is kept beside it."""
    settings = ProviderSettings.load(data)
    key = cli.wait_for(stopped.use_signing_key(settings))
    typer.echo(f"{settings.name} signs with {key.key_id} from now on: run provider-node serve --data {data}")
