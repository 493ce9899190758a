"""The command `regulator-node reconcile`: a log beside what the other regulator holds of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shared import cli

if TYPE_CHECKING:
    from regulator_node.reconciliation import Reconciled

COLUMNS: Final = ("log_index", "entry_id", "here", "there", "wrong")


def mount(app: typer.Typer) -> None:
    """Adds the command to the program.

    Args:
        app: the program's commands.
    """
    app.command(
        epilog="Examples:\n\nregulator-node reconcile --data nation --jurisdiction 330000\n\n"
        "regulator-node reconcile --data zhejiang --repair"
    )(reconcile)


def reconcile(
    data: Annotated[Path, typer.Option("--data", help="The node's data folder.")],
    jurisdiction: Annotated[str, typer.Option(help="At the nation: whose log, e.g. 330000.")] = "",
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is damaged here from the other side; the node must be down.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compares the stored bytes of a log with the other regulator that holds it, and names the entries that differ.

    The nation compares its copy of a province's log with the province; a province its own log with the nation's copy. The
    other node has to run. Hashes are told, never texts. Exit code 1 if something differs and was not mended.
    """
    # What it needs is what the node needs; other commands start without.
    from regulator_node import reconciliation
    from regulator_node.settings import RegulatorSettings

    settings = RegulatorSettings.load(data)
    if settings.is_nation and not jurisdiction:
        raise typer.BadParameter("say whose log, e.g. 330000", param_hint="--jurisdiction")
    with cli.progress("comparing entries", None) as advance:
        done = cli.wait_for(
            reconciliation.reconcile(settings, jurisdiction or settings.jurisdiction, repair=repair, advance=advance)
        )
    if as_json:
        cli.print_json({"whole": done.whole, **_facts(done), "entries": _rows(done)})
    else:
        _say(done, repair=repair)
    if not done.whole:
        raise typer.Exit(cli.FAILED)


def _facts(done: Reconciled) -> dict[str, object]:
    found = done.comparison
    return {
        "log": done.jurisdiction,
        "here": found.here,
        "there": found.there,
        "differing": found.differing,
        "exchanges": found.exchanges,
        "runs_restored": done.runs,
        "rows_replayed": done.rows,
    }


def _rows(done: Reconciled) -> list[dict[str, object]]:
    return [
        {
            "log_index": entry.log_index,
            "entry_id": done.entry_ids.get(entry.log_index, ""),
            "here": entry.here.hex(),
            "there": entry.there.hex(),
            "wrong": entry.wrong,
        }
        for entry in done.comparison.entries
    ]


def _say(done: Reconciled, *, repair: bool) -> None:
    found = done.comparison
    typer.echo(
        f"log of {done.jurisdiction}: {found.here:,} entries here, {found.there:,} there,"
        f" {found.differing:,} differ, {found.exchanges:,} exchanges"
    )
    if found.entries:
        cli.print_rows(_rows(done), columns=COLUMNS, as_json=False)
    if found.same:
        typer.echo("what both sides hold is the same")
    elif done.runs:
        typer.echo(
            f"{done.runs:,} runs were fetched again, and {done.rows:,} rows of the tables replayed from the logs"
        )
    elif found.forked:
        typer.echo("the log has two histories, and nothing here mends that: regulator-node alarm list names the proof")
    elif repair:
        typer.echo("what is wrong is not on this side alone: run this at the other node with --repair")
    else:
        typer.echo(
            "where it is wrong here: stop the node and run this again with --repair; else do so at the other node"
        )
