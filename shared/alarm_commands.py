"""The commands `alarm list` and `alarm close` of both nodes; they work on files, whether the node runs or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Final

import typer

from shared import cli
from shared.alarms import Alarms
from shared.cli import AsJson
from shared.clock import system_clock

COLUMNS: Final = ("name", "detail", "first_time", "last_time", "proof", "proven")

DataFolder = Annotated[Path, typer.Option("--data", help="The node's data folder.")]


def alarm_app(program: str, folder: str) -> typer.Typer:
    """Makes the commands.

    Args:
        program: the node's program, for the examples.
        folder: of a node, for the examples.
    """
    app = typer.Typer(help="What the node found wrong with a log.", no_args_is_help=True)
    app.command("list", epilog=f"Example: {program} alarm list --data {folder}")(list_alarms)
    app.command("close", epilog=f"Example: {program} alarm close --data {folder} LOG_PUT_BACK-330000")(close)
    return app


def list_alarms(data: DataFolder, as_json: AsJson = False) -> None:
    """Lists the alarms that nobody closed. Exit code 0 where there is none, 1 where there is one: for monitoring."""
    found = Alarms(data, system_clock).open()
    rows = [{"name": alarm.name, **dataclasses.asdict(alarm)} for alarm in found]
    if rows or as_json:
        cli.print_rows(rows, columns=COLUMNS, as_json=as_json)
    else:
        typer.echo("no alarm is open")
    if found:
        raise typer.Exit(cli.FAILED)


def close(data: DataFolder, name: Annotated[str, typer.Argument(help="The alarm's name, from alarm list.")]) -> None:
    """Closes an alarm once what is behind it is settled. Its files are kept in alarms/closed."""
    alarm = Alarms(data, system_clock).close(name)
    typer.echo(f"{alarm.name} is closed: the same trouble would raise it again")
