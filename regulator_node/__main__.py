"""The program regulator-node: makes a regulator's data folder, runs the node, and asks a running one.

What only the node itself needs is imported where it is made or run, so that a command that asks one starts faster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from regulator_node import (
    commands_accept,
    commands_cases,
    commands_filings,
    commands_fsck,
    commands_labels,
    commands_log,
    commands_network,
    commands_reconcile,
    commands_records,
    commands_stopped,
    commands_trust,
)
from shared import cli, telemetry
from shared.alarm_commands import alarm_app
from shared.errors import InvalidInput
from shared.event_engine import keep_event_engine
from shared.evidence.names import NATION, regulator_of
from shared.trust.names import jurisdiction_of
from shared.trust.tokens import parse_token

app = typer.Typer(
    name="regulator-node",
    help="Runs a regulator of the filing network: intake, log, register, replication.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataFolder = Annotated[Path, typer.Option("--data", help="The node's data folder.")]


@app.command(
    epilog="Examples:\n\n"
    "regulator-node init --data nation --jurisdiction 100000 --title 国家监管节点"
    " --network-listen nation.example:7400 --public-listen nation.example:7401\n\n"
    "regulator-node init --data zhejiang --token-file zhejiang.token"
    " --network-listen 0.0.0.0:7400 --network-endpoint zhejiang.example:7400"
    " --public-listen 0.0.0.0:7401 --public-endpoint zhejiang.example:7401"
)
def init(
    data: DataFolder,
    network_listen: Annotated[str, typer.Option(help="HOST:PORT for other nodes (mTLS).")],
    public_listen: Annotated[str, typer.Option(help="HOST:PORT for enrolment and officers (TLS).")],
    jurisdiction: Annotated[str, typer.Option(help="100000, to found the nation.")] = "",
    title: Annotated[str, typer.Option(help="The nation: public name of the office.")] = "",
    token_file: Annotated[Path | None, typer.Option(help="A province: the token to join with.")] = None,
    network_endpoint: Annotated[str, typer.Option(help="HOST:PORT under which other nodes reach it.")] = "",
    public_endpoint: Annotated[str, typer.Option(help="HOST:PORT under which officers reach it.")] = "",
    database: Annotated[str, typer.Option(help="postgresql://… or sqlite:///PATH; a file in --data if left out.")] = "",
    certificate_lifetime_hours: Annotated[float, typer.Option(help="The nation: how long certificates hold.")] = 720,
) -> None:
    """Founds the nation, or joins a province to the network with the token that the nation made for it.

    Can be repeated after a failure with the same arguments.
    """
    places = {
        "network_listen": network_listen,
        "public_listen": public_listen,
        "network_endpoint": _endpoint(network_listen, network_endpoint, "--network-endpoint"),
        "public_endpoint": _endpoint(public_listen, public_endpoint, "--public-endpoint"),
        "database_url": database,
    }
    if token_file is not None:
        if jurisdiction or title:
            raise typer.BadParameter("the token says jurisdiction and title: leave them out", param_hint="--token-file")
        name = _join(data, token_file.read_text("utf-8", errors="replace"), places)
    else:
        if jurisdiction != NATION or not title:
            raise typer.BadParameter(
                "give --jurisdiction 100000 and --title to found the nation, or --token-file to join a province",
                param_hint="--jurisdiction",
            )
        name = _found(data, title, places, certificate_lifetime_hours)
    typer.echo(f"{name} is ready in {data}: run regulator-node serve --data {data}")


def _endpoint(listen: str, endpoint: str, option: str) -> str:
    from regulator_node.settings import endpoint_of

    try:
        return endpoint_of(listen, endpoint, option)
    except InvalidInput as error:
        raise typer.BadParameter(f"{error.message}: {error.violations[0].mend}", param_hint=option) from None


def _found(data: Path, title: str, places: Mapping[str, str], lifetime_hours: float) -> str:
    from regulator_node.founding import found_nation
    from regulator_node.settings import RegulatorSettings

    name = regulator_of(NATION)
    settings = RegulatorSettings.create(
        data, name=name, jurisdiction=NATION, title=title, certificate_lifetime_hours=lifetime_hours, **places
    )
    cli.wait_for(found_nation(settings))
    return name


def _join(data: Path, token_text: str, places: Mapping[str, str]) -> str:
    from regulator_node.founding import join_province
    from regulator_node.settings import RegulatorSettings

    token, secret = parse_token(token_text)
    settings = RegulatorSettings.create(
        data, name=token.node_name, jurisdiction=jurisdiction_of(token.node_name), **places
    )
    cli.wait_for(join_province(settings, token, secret))
    return token.node_name


@app.command(epilog="Example: regulator-node serve --data nation")
def serve(data: DataFolder) -> None:
    """Runs the node until it is told to end (SIGTERM, Ctrl-C). Prints one JSON line when it is ready."""
    from regulator_node import bootstrap
    from regulator_node.settings import RegulatorSettings

    settings = RegulatorSettings.load(data)
    telemetry.configure(settings.log_level)

    def announce(listen: Mapping[str, str]) -> None:
        typer.echo(json.dumps({"ready": True, "name": settings.name, "listen": dict(listen)}))

    cli.wait_for(bootstrap.serve(settings, announce))


commands_network.mount(app)
commands_trust.mount(app)
commands_stopped.mount(app)
commands_fsck.mount(app)
commands_reconcile.mount(app)
app.add_typer(commands_filings.filings_app, name="filings")
app.add_typer(commands_labels.labels_app, name="labels")
commands_accept.mount(commands_log.log_app)
app.add_typer(commands_log.log_app, name="log")
app.add_typer(alarm_app("regulator-node", "zhejiang"), name="alarm")
commands_cases.mount(app, commands_network.audit_app)
app.add_typer(commands_records.records_app, name="records")
app.add_typer(commands_labels.public_app, name="public")


def main() -> None:
    """Runs the program."""
    telemetry.configure("WARNING")
    keep_event_engine()
    cli.run(app)


if __name__ == "__main__":
    main()
