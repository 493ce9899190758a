"""The program filing-cluster: a whole filing network on this machine, to look at, to try and to test against."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from shared import cli
from shared.cluster import demo as demo_run
from shared.cluster.demo_tables import print_result
from shared.cluster.detached import NodeReport, look_at, running_nodes, stop_all
from shared.cluster.network import Cluster
from shared.errors import InvalidInput

DEFAULT_FOLDER: Final = Path(".network")
COLUMNS: Final = ("name", "state", "pid", "network_address", "public_address")

app = typer.Typer(name="filing-cluster", help=__doc__, no_args_is_help=True, add_completion=False)

Folder = Annotated[Path, typer.Option("--folder", help="Where the network's data and logs are.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: filing-cluster demo")
def demo(
    keep: Annotated[bool, typer.Option(help="Keep the network's folder when the demo is done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Files the real list of 366 news units through two providers and two provinces to the nation; about a minute."""
    result = cli.wait_for(_demo(keep))
    if as_json:
        cli.print_json(result)
        return
    console = Console()
    print_result(result, console)
    console.print(
        f"\nDone in {result.seconds:.0f} s; nothing is left running. To have a network to try:\n"
        "  make up        starts it in .network/ and says how to call it\n"
        "  make down      stops it"
    )


async def _demo(keep: bool) -> demo_run.DemoResult:
    cluster = Cluster(provinces=demo_run.PROVINCES, providers=demo_run.PROVIDERS)
    done = False
    try:
        result = await demo_run.run_demo(cluster, lambda what: typer.echo(f"· {what}", err=True))
        done = True
    except Exception as error:
        for note in getattr(error, "__notes__", ()):
            typer.echo(note, err=True)
        kept = f"data and logs are kept in {cluster.folder}"
        typer.echo(f"{kept}: read the log that the error names, then try again", err=True)
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
    as_json: AsJson = False,
) -> None:
    """Starts a network that goes on in the background, or starts the one in the folder again; its data stays."""
    providers = _providers(provider) if provider else demo_run.PROVIDERS
    cli.wait_for(_up(folder.absolute(), tuple(province or demo_run.PROVINCES), providers))
    reports = look_at(folder.absolute())
    _print_reports(reports, as_json)
    if not as_json:
        _print_examples(folder, reports)


async def _up(folder: Path, provinces: tuple[str, ...], providers: Mapping[str, str]) -> None:
    alive = running_nodes(folder)
    if alive and len(alive) == len(look_at(folder)):
        return
    await asyncio.to_thread(stop_all, folder)
    cluster = Cluster(folder, provinces=provinces, providers=providers, proxied=False, detached=True)
    with cli.progress("nodes starting", None):
        await cluster.start()
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
    nation = next(report for report in reports if report.name.endswith("/100000"))
    providers = [report for report in reports if report.name.startswith("provider/")]
    typer.echo(f"\nLogs are in {folder / 'logs'}. To look at the network:")
    typer.echo(f"  regulator-node status --data {nation.folder}")
    typer.echo(f"  regulator-node filings search --data {nation.folder} --text 日报")
    for report in providers[:1]:
        typer.echo(f"  provider-node status --data {report.folder}")
        typer.echo(f'  a backend calls it: ProviderClient("{report.socket}")')
    typer.echo(f"  filing-cluster down{'' if folder == DEFAULT_FOLDER else f' --folder {folder}'}")


def main() -> None:
    """Runs the program."""
    cli.run(app)


if __name__ == "__main__":
    main()
