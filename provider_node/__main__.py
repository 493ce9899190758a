"""The program provider-node: makes a provider's data folder, runs the node, and asks a running one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from provider_node import (
    accept_commands,
    account_commands,
    bootstrap,
    joining,
    label_commands,
    measure_commands,
    node_commands,
    record_commands,
    report_commands,
    stopped_commands,
    subject_commands,
)
from provider_node.commands import DataFolder
from provider_node.settings import UNIX, ProviderSettings
from shared import cli, telemetry
from shared.alarm_commands import alarm_app
from shared.trust.tokens import parse_token

app = typer.Typer(
    name="provider-node",
    help="Runs a provider of the filing network: vault, accounts, outbox, local API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(subject_commands.app, name="subjects")
app.add_typer(account_commands.app, name="accounts")
label_commands.mount(app)
report_commands.mount(app)
measure_commands.mount(app)
record_commands.mount(app)
node_commands.mount(app)
stopped_commands.mount(app)
accept_commands.mount(app)
app.add_typer(alarm_app("provider-node", "wave"), name="alarm")


@app.command(
    epilog="Examples:\n\n"
    "provider-node init --data wave --token-file wave.token\n\n"
    "provider-node init --data wave --token-file wave.token --listen 127.0.0.1:7500"
    " --master-key 'command:vault-client read filing'\n\n"
    "provider-node init --data wave --token-file wave.token --listen 0.0.0.0:7500 --backend-ca backends.pem"
)
def init(
    data: DataFolder,
    token_file: Annotated[Path, typer.Option(help="The token file that the nation made for this provider.")],
    listen: Annotated[
        str, typer.Option(help="unix:PATH or HOST:PORT of the local API; a socket in --data if left out.")
    ] = "",
    listen_tls: Annotated[bool, typer.Option("--listen-tls", help="The local API on HOST:PORT speaks TLS.")] = False,
    backend_ca: Annotated[
        Path | None, typer.Option(help="PEM of the provider's own CA: backends at HOST:PORT show certificates of it.")
    ] = None,
    database: Annotated[str, typer.Option(help="postgresql://… or sqlite:///PATH; a file in --data if left out.")] = "",
    master_key: Annotated[
        str, typer.Option(help="file:PATH, env:NAME or command:PROGRAM; a new file in --data if left out.")
    ] = "",
    verifier: Annotated[str, typer.Option(help="form, or the name of an installed verifier of identities.")] = "form",
) -> None:
    """Joins the network with a token file. Can be repeated after a failure with the same arguments."""
    token, secret = parse_token(token_file.read_text("utf-8", errors="replace"))
    over_network = bool(listen) and not listen.startswith(UNIX)
    settings = ProviderSettings.create(
        data,
        name=joining.provider_name(token),
        jurisdiction=token.jurisdiction,
        listen=listen,
        listen_tls=listen_tls,
        backend_ca_file=str(backend_ca.absolute()) if backend_ca else "",
        backend_token_file=str(data.absolute() / "backend.token") if over_network and not backend_ca else "",
        database_url=database,
        master_key=master_key,
        verifier=verifier,
    )
    cli.wait_for(joining.join_provider(settings, token, secret))
    typer.echo(f"{settings.name} is ready in {data}: run provider-node serve --data {data}")


@app.command(epilog="Example: provider-node serve --data wave")
def serve(data: DataFolder) -> None:
    """Runs the node until it is told to end (SIGTERM, Ctrl-C). Prints one JSON line when it is ready."""
    settings = ProviderSettings.load(data)
    telemetry.configure(settings.log_level)

    def announce(listen: Mapping[str, str]) -> None:
        typer.echo(json.dumps({"ready": True, "name": settings.name, "listen": dict(listen)}))

    cli.wait_for(bootstrap.serve(settings, announce))


def main() -> None:
    """Runs the program."""
    telemetry.configure("WARNING")
    cli.run(app)


if __name__ == "__main__":
    main()
