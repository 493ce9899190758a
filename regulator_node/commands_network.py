"""The commands about the network itself, at a running node: status, tokens, nodes, licences, keys, audit."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from regulator_node import commands_officers
from regulator_node.commands_policy import policy_app
from regulator_node.filter_options import named, stated_time
from regulator_node.nation_access import NationAccess
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from regulator_node.secret_files import check_absent, write_secret
from shared import cli
from shared.cli import AsJson
from shared.client.officer import (
    AuditEntry,
    Licence,
    LicenceState,
    NodeChange,
    NodeInfo,
    NodeState,
    RegulatorStatus,
)
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import VerifyingKey
from shared.signing_keys import read_public_key

token_app = typer.Typer(help="One-time tokens with which nodes join. Nation only.", no_args_is_help=True)
nodes_app = typer.Typer(help="Who takes part.", no_args_is_help=True)
licence_app = typer.Typer(help="The licences of providers (Art. 4). Nation only.", no_args_is_help=True)
keys_app = typer.Typer(help="The public keys of the network's nodes.", no_args_is_help=True)
audit_app = typer.Typer(help="Who asked this node for what.", no_args_is_help=True)

REPLICA_COLUMNS: Final = ("jurisdiction", "size", "head_size", "contact_time", "last_error")
NODE_COLUMNS: Final = ("name", "title", "jurisdiction", "state", "endpoint", "licence", "licence_state", "licence_end")
AUDIT_COLUMNS: Final = ("time", "actor", "role", "method", "detail")

NodeName = Annotated[str, typer.Argument(metavar="NODE", help="The node, e.g. provider/wave.")]
LicenceNumber = Annotated[str, typer.Option(help="11 digits.")]
LicenceTime = Annotated[
    str, typer.Option(metavar="ISO8601", help="A day or a time; China Standard Time where no zone is given.")
]


def mount(app: typer.Typer) -> None:
    """Adds the commands to the program.

    Args:
        app: the program's commands.
    """
    app.command(epilog="Example: regulator-node status --data nation")(status)
    app.add_typer(token_app, name="token")
    app.add_typer(nodes_app, name="nodes")
    app.add_typer(licence_app, name="licence")
    app.add_typer(policy_app, name="policy")
    app.add_typer(commands_officers.officer_app, name="officer")
    app.add_typer(keys_app, name="keys")
    app.add_typer(audit_app, name="audit")


@with_option_groups
def status(access: Access, as_json: AsJson = False) -> None:
    """Tells the node's state: its log, its copies of other logs and how fresh they are, its certificate."""

    async def read() -> RegulatorStatus:
        async with access.client() as client:
            return await client.status()

    state = cli.wait_for(read())
    if as_json:
        cli.print_json(state)
        return
    fields = dataclasses.asdict(state)
    replicas = fields.pop("replicas")
    del fields["checkpoint"], fields["alarms"]
    if state.simulated_time is None:
        del fields["simulated_time"]
    cli.print_rows(
        [{"state": name.replace("_", " "), "value": value} for name, value in fields.items()],
        columns=("state", "value"),
        as_json=False,
    )
    if replicas:
        typer.echo()
        cli.print_rows(replicas, columns=REPLICA_COLUMNS, as_json=False)
    for alarm in state.alarms:
        typer.echo(f"ALARM {alarm.rule}: {alarm.mend}")


@token_app.command(
    "create",
    epilog="Examples:\n\nregulator-node token create --data nation --node regulator/330000 --title 浙江监管节点"
    " --output zhejiang.token\n\n"
    "regulator-node token create --data nation --node provider/wave --jurisdiction 330000 --title 样例服务"
    " --licence-number 33320240001 --licence-start 2024-01-01 --licence-end 2027-01-01 --output wave.token\n\n"
    "regulator-node token create --data nation --node provider/wave --rejoin --output wave.token",
)
@with_option_groups
def create_token(
    access: NationAccess,
    node: Annotated[str, typer.Option(help="The node that will join: regulator/330000 or provider/wave.")],
    output: Annotated[Path, typer.Option(help="The token file, to be handed over and then deleted.")],
    title: Annotated[str, typer.Option(help="Public name of the company or the office.")] = "",
    jurisdiction: Annotated[str, typer.Option(help="A provider's jurisdiction: GB/T 2260, e.g. 330000.")] = "",
    licence_number: LicenceNumber = "",
    licence_start: LicenceTime = "",
    licence_end: LicenceTime = "",
    lifetime_hours: Annotated[int, typer.Option(help="Hours until the token ends.", min=1)] = 24,
    rejoin: Annotated[
        bool, typer.Option("--rejoin", help="For a node that joined before: its certificate ended.")
    ] = False,
) -> None:
    """Makes a one-time token bound to one node name. A provider's token brings its licence (Art. 4)."""
    if not rejoin and not title:
        raise typer.BadParameter("give the public name of the company or the office", param_hint="--title")
    licence = None
    if licence_number or licence_start or licence_end:
        licence = _licence(licence_number, licence_start, licence_end, LicenceState.VALID)
    check_absent(output)

    async def make() -> tuple[str, datetime]:
        async with access.client() as client:
            token = await client.create_token(
                node,
                title=title,
                jurisdiction=jurisdiction,
                licence=licence,
                lifetime_hours=lifetime_hours,
                rejoin=rejoin,
            )
        return token.text, token.expire_time

    text, expires = cli.wait_for(make())
    write_secret(output, text)
    typer.echo(f"{output}: {node} may join with it once, until {expires.isoformat(timespec='seconds')}")


@nodes_app.command("list", epilog="Example: regulator-node nodes list --data nation")
@with_option_groups
def list_nodes(
    access: Access,
    as_json: AsJson = False,
) -> None:
    """Lists the nodes of the directory."""
    nodes = _nodes(access)
    cli.print_rows(list(map(_node_row, nodes)), columns=NODE_COLUMNS, as_json=as_json)


@nodes_app.command("suspend", epilog="Example: regulator-node nodes suspend --data nation provider/wave")
@with_option_groups
def suspend(
    access: NationAccess,
    name: NodeName,
) -> None:
    """Suspends a node from its next call on: it files nothing, and still hears documents and directives."""
    _set_state(access, name, NodeState.SUSPENDED)


@nodes_app.command("activate", epilog="Example: regulator-node nodes activate --data nation provider/wave")
@with_option_groups
def activate(
    access: NationAccess,
    name: NodeName,
) -> None:
    """Lets a suspended or denied node take part again."""
    _set_state(access, name, NodeState.ACTIVE)


@nodes_app.command("deny", epilog="Example: regulator-node nodes deny --data nation provider/wave")
@with_option_groups
def deny(
    access: NationAccess,
    name: NodeName,
) -> None:
    """Denies a node: every call is refused, from its next one on."""
    _set_state(access, name, NodeState.DENIED)


@nodes_app.command("transfer", epilog="Example: regulator-node nodes transfer --data nation provider/wave --to 110000")
@with_option_groups
def transfer(
    access: NationAccess,
    name: NodeName,
    to: Annotated[str, typer.Option(help="The jurisdiction that it files in from now on, e.g. 110000.")],
) -> None:
    """Transfers a provider that moves, with its history (Art. 3). Nation only."""

    async def change() -> NodeChange:
        async with access.client() as client:
            return await client.transfer_provider(name, to)

    changed = cli.wait_for(change())
    typer.echo(f"{name} files with regulator/{to} from now on, by directory {changed.directory_version}")


@nodes_app.command(
    "endpoint",
    epilog="Example: regulator-node nodes endpoint --data nation regulator/330000 --to zhejiang.example:7400",
)
@with_option_groups
def set_endpoint(
    access: NationAccess,
    name: NodeName,
    to: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where other nodes reach it from now on.")],
) -> None:
    """Tells every node that a regulator listens elsewhere. Nation only."""

    async def change() -> NodeChange:
        async with access.client() as client:
            return await client.set_endpoint(name, to)

    changed = cli.wait_for(change())
    typer.echo(f"{name} is reached at {to}, by directory {changed.directory_version}")


@nodes_app.command(
    "add-key",
    epilog="Example: regulator-node nodes add-key --data nation provider/wave --key-file wave.next-key",
)
@with_option_groups
def add_key(
    access: NationAccess,
    name: NodeName,
    key_file: Annotated[Path, typer.Option(help="The public key, as signing-key next printed it.")],
) -> None:
    """Adds a key with which a node will sign; what it signed with earlier keys stays proven. Nation only."""
    public_key = read_public_key(key_file.read_text("utf-8", errors="replace"))

    async def change() -> NodeChange:
        async with access.client() as client:
            return await client.add_signing_key(name, public_key)

    changed = cli.wait_for(change())
    key = changed.node.signing_keys[-1].key_id
    typer.echo(f"{name} may sign with key {key}, by directory {changed.directory_version}")


@licence_app.command(
    "set",
    epilog="Example: regulator-node licence set --data nation --node provider/wave --licence-number 33320240001"
    " --licence-start 2024-01-01 --licence-end 2027-01-01 --state suspended",
)
@with_option_groups
def set_licence(
    access: NationAccess,
    node: Annotated[str, typer.Option(help="The provider, e.g. provider/wave.")],
    licence_number: LicenceNumber,
    licence_start: LicenceTime,
    licence_end: LicenceTime,
    state: Annotated[str, typer.Option(help="valid, suspended or revoked.")] = "valid",
) -> None:
    """Sets a provider's licence: intake judges by it from the next filing on."""
    licence = _licence(
        licence_number, licence_start, licence_end, named(LicenceState, state, "--state") or LicenceState.VALID
    )

    async def change() -> NodeChange:
        async with access.client() as client:
            return await client.set_licence(node, licence)

    changed = cli.wait_for(change())
    typer.echo(f"{node}: licence {licence_number} is {state}, by directory {changed.directory_version}")


@keys_app.command("export", epilog="Example: regulator-node keys export --data nation --output keys.json")
@with_option_groups
def export_keys(
    access: Access,
    output: Annotated[Path | None, typer.Option(help="The file; stdout if left out.")] = None,
) -> None:
    """Exports the public keys of every node, by which filing-verify judges without a network."""
    nodes = _nodes(access)
    ring = KeyRing({each.name: [VerifyingKey(key.public_key) for key in each.signing_keys] for each in nodes})
    if output is None:
        typer.echo(ring.to_json(), nl=False)
    else:
        output.write_text(ring.to_json(), "utf-8")
        typer.echo(f"{output}: the keys of {len(nodes)} nodes")


@audit_app.command("list", epilog="Example: regulator-node audit list --data nation --limit 20")
@with_option_groups
def list_audit(
    access: Access,
    limit: Annotated[int, typer.Option(help="Entries at most; 0 for all.", min=0)] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists who asked this node for what, newest first."""

    async def read() -> list[AuditEntry]:
        async with access.client() as client:
            return await _first(client.audit(), limit)

    rows = [dataclasses.asdict(entry) for entry in cli.wait_for(read())]
    cli.print_rows(rows, columns=AUDIT_COLUMNS, as_json=as_json)


def _nodes(access: Access) -> list[NodeInfo]:
    async def read() -> list[NodeInfo]:
        async with access.client() as client:
            return [node async for node in client.nodes()]

    return cli.wait_for(read())


def _node_row(node: NodeInfo) -> dict[str, object]:
    row: dict[str, object] = dataclasses.asdict(node) | {
        "role": node.role.name.lower(),
        "state": node.state.name.lower(),
        "licence": node.licence.number if node.licence else None,
        "licence_state": node.licence.state.name.lower() if node.licence else None,
        "licence_start": node.licence.start_time if node.licence else None,
        "licence_end": node.licence.end_time if node.licence else None,
    }
    return row


def _set_state(access: NationAccess, name: str, state: NodeState) -> None:
    async def change() -> NodeChange:
        async with access.client() as client:
            return await client.set_node_state(name, state)

    changed = cli.wait_for(change())
    typer.echo(f"{name} is {changed.node.state.name.lower()}, by directory {changed.directory_version}")


def _licence(number: str, start: str, end: str, state: LicenceState) -> Licence:
    return Licence(number, stated_time(start, "--licence-start"), stated_time(end, "--licence-end"), state)


async def _first(entries: AsyncIterator[AuditEntry], limit: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    async for entry in entries:
        found.append(entry)
        if len(found) == limit:
            break
    return found
