"""The command `regulator-node log accept`: what a province's office does once an older backup of the nation is back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared import cli
from shared.evidence.hashing import HASH_SIZE
from shared.provisions.regions import NATION

DataFolder = Annotated[Path, typer.Option("--data", help="The node's data folder.")]


def mount(log_app: typer.Typer) -> None:
    """Adds the command to `regulator-node log`.

    Args:
        log_app: the commands on logs.
    """
    log_app.command(
        epilog="Example:\n\nregulator-node log accept --data zhejiang --of 100000 --size 5213"
        " --root 3f0a…64 hexadecimal digits, as the nation's office told them"
    )(accept)


def accept(
    data: DataFolder,
    of: Annotated[str, typer.Option(help="Whose log: 100000, the nation's.")],
    size: Annotated[int, typer.Option(help="Entries of the head that you were told.", min=1)],
    root: Annotated[str, typer.Option(help="Its root, 64 hexadecimal digits, that you were told.")],
) -> None:
    """Accepts the nation's log from a new start at a stopped province, after an older backup of the nation was put back.

    Size and root are what regulator-node recover printed at the nation; get them over another channel. The old head and
    the proof of both histories are kept for ever.
    """
    from regulator_node import stopped
    from regulator_node.accepted_logs import ToldHead
    from regulator_node.settings import RegulatorSettings

    settings = RegulatorSettings.load(data)
    if of != NATION or settings.is_nation:
        raise typer.BadParameter("a province accepts the nation's log, 100000, and no other", param_hint="--of")
    try:
        told = bytes.fromhex(root)
    except ValueError:
        told = b""
    if len(told) != HASH_SIZE:
        raise typer.BadParameter("give 64 hexadecimal digits", param_hint="--root")
    cli.wait_for(stopped.accept_log(settings, ToldHead(size, told)))
    typer.echo(
        f"{settings.name} goes on from {size} entries of the log of {of}; the old head and the proof of both histories are in"
        f" {data / 'alarms' / 'closed'}: run regulator-node serve --data {data}"
    )
