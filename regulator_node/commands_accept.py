"""The command `regulator-node log accept`: what a province's office does once an older backup of the nation is back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared import cli
from shared.told_head import Of, Root, Size, read_told

DataFolder = Annotated[Path, typer.Option("--data", help="The node's data folder.")]


def mount(log_app: typer.Typer) -> None:
    """Adds the command to `regulator-node log`.

    Args:
        log_app: the commands on logs.
    """
    log_app.command(
        epilog="Example:\n\nregulator-node log accept --data zhejiang --of 100000 --size 5213"
        " --root 64 hexadecimal digits, as the nation's office told them"
    )(accept)


def accept(data: DataFolder, of: Of, size: Size, root: Root) -> None:
    """Accepts the nation's log from a new start at a stopped province, after an older backup of the nation was put back.

    Size and root are what regulator-node recover printed at the nation; get them over another channel. The old head and
    the proof of both histories are kept for ever.
    """
    from regulator_node import stopped
    from regulator_node.settings import RegulatorSettings

    settings, told = RegulatorSettings.load(data), read_told(of, size, root)
    cli.wait_for(stopped.accept_log(settings, told))
    typer.echo(
        f"{settings.name} goes on from {size} entries of the log of {of}; the old head and the proof of both histories are in"
        f" {data / 'alarms' / 'closed'}: run regulator-node serve --data {data}"
    )
