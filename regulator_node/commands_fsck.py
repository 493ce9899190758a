"""The command `regulator-node fsck`: checks a register's files, with or without a node that runs."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared import cli
from shared.folder_lock import FolderLock

if TYPE_CHECKING:
    from regulator_node.fsck import Findings

COLUMNS = ("table", "row", "problem")


def mount(app: typer.Typer) -> None:
    """Adds the command to the program.

    Args:
        app: the program's commands.
    """
    app.command(
        epilog="Examples:\n\nregulator-node fsck --data zhejiang\n\nregulator-node fsck --data zhejiang --repair"
    )(fsck)


def fsck(
    data: Annotated[Path, typer.Option("--data", help="The node's data folder.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Replace the rows that are not what the logs say; the node must be down.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Checks the register from bytes to tables: entries, tree, signed heads, and the rows that the logs make.

    Reads only, also while the node runs. --repair replays the logs and never touches them. Exit code 1 if something is
    wrong and was not repaired.
    """
    # What it needs is what the node needs; other commands start without.
    from regulator_node.fsck import check_register, read_keys
    from regulator_node.settings import MIGRATIONS, RegulatorSettings
    from shared.database import open_database

    settings = RegulatorSettings.load(data)

    async def check() -> Findings:
        database = open_database(settings.database, MIGRATIONS)
        try:
            keys = await read_keys(database)
            with cli.progress("checking entries", None) as advance:
                return await check_register(database, MIGRATIONS, keys, repair=repair, advance=advance)
        finally:
            await database.close()

    with closing(FolderLock(data, "data of a regulator")) if repair else nullcontext():
        found = cli.wait_for(check())
    if as_json:
        counts = {"logs": found.logs, "disposed": found.disposed}
        cli.print_json({"whole": found.whole, "mended": found.mended, **counts, "findings": found.rows()})
    else:
        _say(found, repair=repair)
    if not found.whole:
        raise typer.Exit(cli.FAILED)


def _say(found: Findings, *, repair: bool) -> None:
    for jurisdiction, size in sorted(found.logs.items()):
        typer.echo(f"log of {jurisdiction}: {size:,} entries checked")
        if gone := found.disposed.get(jurisdiction):
            typer.echo(f"  {gone:,} of them are disposed of under certificates: in the tree, and without content")
    if found.rows():
        cli.print_rows(found.rows(), columns=COLUMNS, as_json=False)
    if found.mended:
        typer.echo(f"{len(found.differences):,} rows were replaced by what the logs say")
    elif found.problems:
        typer.echo("the log itself is damaged, and nothing here mends that: restore a backup, or copy what is lost")
    elif found.differences and not repair:
        typer.echo("the logs are whole: stop the node and run this again with --repair")
    else:
        typer.echo("everything is what it must be")
