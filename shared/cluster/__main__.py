"""The program filing-cluster: a whole filing network on this machine, to look at, to try and to test against."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from shared import cli
from shared.cli import AsJson
from shared.cluster import demo as demo_run
from shared.cluster.demo_layout import WIDTH
from shared.cluster.demo_tables import print_result
from shared.cluster.detached import NodeReport, look_at, running_nodes, stop_all
from shared.cluster.network import Cluster
from shared.errors import Internal, InvalidInput

DEFAULT_FOLDER: Final = Path(".network")
COLUMNS: Final = ("name", "state", "pid", "network_address", "public_address")

app = typer.Typer(name="filing-cluster", help=__doc__, no_args_is_help=True, add_completion=False)

Folder = Annotated[Path, typer.Option("--folder", help="Where the network's data and logs are.")]


@app.command(epilog="Example: filing-cluster demo")
def demo(
    keep: Annotated[bool, typer.Option(help="Keep the network's folder when the demo is done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Files and labels the real list of 366 news units, and follows one report, in a whole network; under a minute."""
    result = cli.wait_for(_demo(keep))
    if as_json:
        cli.print_json(result)
    else:
        terminal = Console()
        print_result(result, terminal if terminal.is_terminal else Console(width=WIDTH))
        typer.echo(
            "The units are real; their codes, the licences, all people and all that happens to them are made up.\n"
            f"The nodes' time was simulated: {result.simulated_days:.0f} days were seen in {result.seconds:.0f} s.\n"
            "Nothing is left running. To have a network to try:\n"
            "  make up      starts it in .network/ and says how to call it\n"
            "  make down    stops it"
        )
    if result.wire.identity_fields or result.wire.files_with_people:
        raise Internal("identity data left a provider: the network breaks its first promise", "IDENTITY_FOUND")


async def _demo(keep: bool) -> demo_run.DemoResult:
    cluster = Cluster(provinces=demo_run.PROVINCES, providers=demo_run.PROVIDERS, simulated_time=True)
    done = False
    try:
        result = await demo_run.run_demo(cluster, _say)
        done = True
    except Exception as error:
        for note in getattr(error, "__notes__", ()):
            typer.echo(note, err=True)
        kept = f"data and logs are kept in {cluster.folder}"
        mend = f"read the log that the error names, else those in {cluster.folder / 'logs'}, then try again"
        typer.echo(f"{kept}: {mend}", err=True)
        raise
    finally:
        await cluster.close(remove=done and not keep)
    if keep:
        typer.echo(f"data and logs are kept in {cluster.folder}", err=True)
    return result


@app.command(epilog="Example: filing-cluster up --province 330000 --provider wave=330000")
def up(
    folder: Folder = DEFAULT_FOLDER,
    province: Annotated[list[str] | None, typer.Option(help="Code of a provincial regulator; repeatable.")] = None,
    provider: Annotated[list[str] | None, typer.Option(help="NAME=PROVINCE of a provider; repeatable.")] = None,
    filled: Annotated[
        bool, typer.Option(help="File the sample, as the demo does, where nothing is filed yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Starts a network that goes on in the background, or starts the one in the folder again; its data stays."""
    providers = _providers(provider) if provider else demo_run.PROVIDERS
    cluster = Cluster(
        folder, provinces=province or demo_run.PROVINCES, providers=providers, proxied=False, detached=True
    )
    cli.wait_for(_up(cluster, filled))
    reports = look_at(folder.absolute())
    _print_reports(reports, as_json)
    if not as_json:
        _print_examples(folder, reports)


async def _up(cluster: Cluster, filled: bool) -> None:
    alive = running_nodes(cluster.folder)
    if len(alive) < len(cluster.nodes):
        await asyncio.to_thread(stop_all, cluster.folder)
        _say(f"starting {len(cluster.nodes)} nodes")
        await cluster.start()
    try:
        async with AsyncExitStack() as stack:
            nation = await stack.enter_async_context(cluster.nation.client())
            if filled and not (await nation.status()).filings:
                await demo_run.fill(cluster, _say, stack)
    finally:
        await cluster.leave()


@app.command(epilog="Example: filing-cluster status --json")
def status(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Says how each node of the network in the folder is. Ends with 1 where one does not serve."""
    reports = look_at(folder.absolute())
    _print_reports(reports, as_json)
    if not reports or any(report.state != "serving" for report in reports):
        raise typer.Exit(cli.FAILED)


@app.command(epilog="Example: filing-cluster down")
def down(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Stops the network that `up` started; its data stays. Touches no process that is not one of its nodes."""
    stopped = stop_all(folder.absolute())
    if as_json:
        cli.print_json({"stopped": stopped})
    else:
        typer.echo(f"stopped {', '.join(stopped)}" if stopped else f"no node of {folder} was running")


def _say(what: str) -> None:
    typer.echo(f"· {what}", err=True)


def _providers(given: list[str]) -> dict[str, str]:
    providers = {}
    for text in given:
        name, _, jurisdiction = text.partition("=")
        if not name or not jurisdiction:
            raise InvalidInput(f"{text} names no provider: write NAME=PROVINCE, e.g. wave=330000", "PROVIDER_WRONG")
        providers[name] = jurisdiction
    return providers


def _print_reports(reports: list[NodeReport], as_json: bool) -> None:
    if not reports and not as_json:
        typer.echo("there is no network here: start one with filing-cluster up", err=True)
        return
    cli.print_rows([dataclasses.asdict(report) for report in reports], columns=COLUMNS, as_json=as_json)


def _print_examples(folder: Path, reports: list[NodeReport]) -> None:
    nation = reports[0]
    programs = Path(sys.executable).parent
    typer.echo(f"\nLogs are in {_near(folder / 'logs')}. To look at the network:")
    typer.echo(f"  {_near(programs / 'regulator-node')} status --data {_near(nation.folder)}")
    typer.echo(f"  {_near(programs / 'regulator-node')} filings search --data {_near(nation.folder)} --text 日报")
    for report in reports:
        if report.name.startswith("provider/"):
            typer.echo(f"  {_near(programs / 'provider-node')} status --data {_near(report.folder)}")
    given = "" if folder == DEFAULT_FOLDER else f" --folder {folder}"
    typer.echo(f"To stop it: {_near(programs / 'filing-cluster')} down{given}")


def _near(path: Path | str) -> str:
    """Returns a path as it is typed from here."""
    given, here = Path(path).absolute(), Path.cwd()
    return str(given.relative_to(here) if given.is_relative_to(here) else given)


def main() -> None:
    """Runs the program."""
    cli.run(app)


if __name__ == "__main__":
    main()
