"""The commands for a node that is stopped: joining again, recovering its log, and its next signing key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared import cli
from shared.signing_keys import prepare_next_key

key_app = typer.Typer(help="Replaces the key with which the node signs.", no_args_is_help=True)

DataFolder = Annotated[Path, typer.Option("--data", help="The node's data folder.")]


def mount(app: typer.Typer) -> None:
    """Adds the commands to the program.

    Args:
        app: the program's commands.
    """
    app.command(epilog="Example: regulator-node rejoin --data zhejiang --token-file zhejiang.token")(rejoin)
    app.command(
        epilog="Examples:\n\nregulator-node recover --data zhejiang\n\n"
        "regulator-node recover --data nation --without regulator/330000"
    )(recover)
    app.add_typer(key_app, name="signing-key")


def rejoin(
    data: DataFolder,
    token_file: Annotated[Path, typer.Option(help="The token file that the nation made with --rejoin.")],
) -> None:
    """Gets a new certificate for a stopped node whose own has ended. Its keys and its data stay as they are."""
    from regulator_node import stopped
    from regulator_node.settings import RegulatorSettings

    settings = RegulatorSettings.load(data)
    cli.wait_for(stopped.rejoin(settings, token_file.read_text("utf-8", errors="replace")))
    typer.echo(f"{settings.name} has joined again: run regulator-node serve --data {data}")


def recover(
    data: DataFolder,
    without: Annotated[
        list[str] | None, typer.Option(help="At the nation: a province that is not asked. Can be given again.")
    ] = None,
    also_forked: Annotated[
        bool, typer.Option("--also-forked", help="At the nation: also where its log grew on top of the backup.")
    ] = False,
) -> None:
    """Puts a stopped regulator in order after an old backup was restored.

    A province fetches from the nation what its log lacks. The nation fetches its documents from the provinces, and goes on
    beyond the places of what its log lost.
    """
    from regulator_node import stopped
    from regulator_node.settings import RegulatorSettings

    settings = RegulatorSettings.load(data)
    if not settings.is_nation:
        recovered = cli.wait_for(stopped.recover_log(settings))
        typer.echo(f"{settings.name}: {recovered.entries} entries recovered, {recovered.size} in the log")
        return
    done = cli.wait_for(stopped.recover_nations(settings, without or [], also_forked=also_forked))
    typer.echo(
        f"{settings.name}: {done.documents} documents recovered, {done.lost} entries of the log lost, {done.head.size} in it;"
        " tokens of nodes that join and of officers are void: make new ones"
    )
    if done.other:
        typer.echo(
            "tell every province's office, over another channel, to stop its node and run:\n"
            f"regulator-node log accept --data DATA --of {settings.jurisdiction} --size {done.head.size}"
            f" --root {done.head.root.hex()}"
        )


@key_app.command("next", epilog="Example: regulator-node signing-key next --data zhejiang > zhejiang.next-key")
def next_key(data: DataFolder) -> None:
    """Makes the next signing key and prints its public part, for nodes add-key at the nation. The node may run."""
    from regulator_node.settings import RegulatorSettings

    typer.echo(prepare_next_key(RegulatorSettings.load(data).signing_key_file), nl=False)


@key_app.command("use", epilog="Example: regulator-node signing-key use --data zhejiang")
def use_key(data: DataFolder) -> None:
    """Puts the next signing key to use at a stopped node; the one before is kept beside it."""
    from regulator_node import stopped
    from regulator_node.settings import RegulatorSettings

    settings = RegulatorSettings.load(data)
    key = cli.wait_for(stopped.use_signing_key(settings))
    typer.echo(f"{settings.name} signs with {key.key_id} from now on: run regulator-node serve --data {data}")
