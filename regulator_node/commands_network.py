"""The commands about the network itself, at a running node: status, tokens, nodes, licences, policy, keys, audit."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from regulator_node import commands_officers
from regulator_node.filter_options import named
from regulator_node.nation_access import NationAccess
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from regulator_node.policy_file import read_policy, write_policy
from regulator_node.secret_files import check_absent, write_secret
from shared import cli
from shared.client.officer import (
    AuditEntry,
    Licence,
    LicenceState,
    NodeChange,
    NodeInfo,
    NodeState,
    Policy,
    RegulatorStatus,
)
from shared.clock import from_micros
from shared.errors import InvalidInput
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import VerifyingKey
from shared.mapping.policy_preview import PolicyPreview
from shared.provisions.policy import CHINA_STANDARD_TIME, TERM_LISTS
from shared.provisions.policy_preview import PolicyChange, PolicyEffect
from shared.signing_keys import read_public_key

token_app = typer.Typer(help="One-time tokens with which nodes join. Nation only.", no_args_is_help=True)
nodes_app = typer.Typer(help="Who takes part.", no_args_is_help=True)
licence_app = typer.Typer(help="The licences of providers (Art. 4). Nation only.", no_args_is_help=True)
policy_app = typer.Typer(help="Taxonomies, periods and forms.", no_args_is_help=True)
keys_app = typer.Typer(help="The public keys of the network's nodes.", no_args_is_help=True)
audit_app = typer.Typer(help="Who asked this node for what.", no_args_is_help=True)

REPLICA_COLUMNS: Final = ("jurisdiction", "size", "head_size", "contact_time", "last_error")
NODE_COLUMNS: Final = ("name", "title", "jurisdiction", "state", "endpoint", "licence", "licence_state", "licence_end")
AUDIT_COLUMNS: Final = ("time", "actor", "role", "method", "detail")
TERM_COLUMNS: Final = ("code", "title_zh", "title_en")
CHANGE_COLUMNS: Final = ("field", "change", "before", "after", "provenance", "article", "would_end", "ends_then")
ROUTE_COLUMNS: Final = ("provider", "jurisdiction")
EFFECT_COLUMNS: Final = ("effect", "field", "count", "successor", "would_be_due", "due_then")
LADDER_COLUMNS: Final = ("measure", "longest_days")
PERIOD_COLUMNS: Final = ("name", "amount", "unit", "provenance", "article")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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


@policy_app.command("show", epilog="Example: regulator-node policy show --data nation --toml > next.toml")
@with_option_groups
def show_policy(
    access: Access,
    at: Annotated[str, typer.Option(metavar="ISO8601", help="The policy in force at this time; now if left out.")] = "",
    as_toml: Annotated[bool, typer.Option("--toml", help="Print it as policy publish reads it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows the policy in force, or the one that was in force at a time."""
    time = _time(at, "--at") if at else None

    async def read() -> Policy:
        async with access.client() as client:
            return await client.policy(time)

    policy = cli.wait_for(read())
    if as_toml:
        typer.echo(write_policy(policy), nl=False)
    elif as_json:
        cli.print_json(policy)
    else:
        _print_policy(policy)


@policy_app.command("preview", epilog="Example: regulator-node policy preview --data nation next.toml")
@with_option_groups
def preview_policy(
    access: Access,
    file: Annotated[Path, typer.Argument(help="The policy in TOML, as policy show --toml prints it.")],
    as_json: AsJson = False,
) -> None:
    """Says what would change if the policy were published, and for what it would be refused. Changes nothing.

    Counts what this node's register holds: at the nation that of the whole network, at a province its own.
    """
    policy = read_policy(file.read_text("utf-8", errors="replace"))

    async def ask() -> PolicyPreview:
        async with access.client() as client:
            return await client.preview_policy(policy)

    preview = cli.wait_for(ask())
    changes, effects = map(_change_row, preview.changes), map(_effect_row, preview.effects)
    if as_json:
        cli.print_json(
            {
                "version": policy.version,
                "effective_time": policy.effective_time,
                "follows_version": preview.follows_version,
                "violations": preview.violations,
                "changes": list(changes),
                "effects": list(effects),
            }
        )
    else:
        typer.echo(
            f"policy {policy.version} would follow policy {preview.follows_version} and hold from"
            f" {policy.effective_time.isoformat()}\n"
        )
        cli.print_rows(list(changes), columns=CHANGE_COLUMNS, as_json=False, title="what would change")
        typer.echo()
        cli.print_rows(list(effects), columns=EFFECT_COLUMNS, as_json=False, title="what the register holds of it")
    if preview.violations:
        raise InvalidInput("the policy would be refused", "POLICY_SUCCESSION", preview.violations)


@policy_app.command("publish", epilog="Example: regulator-node policy publish --data nation next.toml --validate-only")
@with_option_groups
def publish_policy(
    access: NationAccess,
    file: Annotated[Path, typer.Argument(help="The policy in TOML, as policy show --toml prints it.")],
    validate_only: Annotated[bool, typer.Option("--validate-only", help="Only say what is wrong with it.")] = False,
) -> None:
    """Publishes the next policy. Nation only; every node follows it."""
    policy = read_policy(file.read_text("utf-8", errors="replace"))

    async def publish() -> Policy:
        async with access.client() as client:
            return await client.publish_policy(policy, validate_only=validate_only)

    published = cli.wait_for(publish())
    done = "may be published" if validate_only else "is published"
    typer.echo(f"policy {published.version} {done}: it holds from {published.effective_time.isoformat()}")


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
    return Licence(number, _time(start, "--licence-start"), _time(end, "--licence-end"), state)


def _time(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write it as 2026-01-31 or 2026-01-31T08:30:00+08:00", param_hint=option) from None
    return time if time.tzinfo else time.replace(tzinfo=CHINA_STANDARD_TIME)


def _change_row(change: PolicyChange) -> dict[str, object]:
    return {
        "field": change.field,
        "change": change.kind.name.lower(),
        "before": change.before,
        "after": change.after,
        "provenance": change.provenance.name.lower(),
        "article": change.article,
        "would_end": _moment(change.before_end),
        "ends_then": _moment(change.after_end),
    }


def _effect_row(effect: PolicyEffect) -> dict[str, object]:
    return {
        "effect": effect.kind.name.lower(),
        "field": effect.field,
        "count": effect.count,
        "successor": effect.successor,
        "would_be_due": _moment(effect.before_due),
        "due_then": _moment(effect.after_due),
    }


def _moment(time: int) -> datetime | None:
    return from_micros(time) if time else None


async def _first(entries: AsyncIterator[AuditEntry], limit: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    async for entry in entries:
        found.append(entry)
        if len(found) == limit:
            break
    return found


def _print_policy(policy: Policy) -> None:
    classes = ", ".join(map(str, sorted(policy.provider_licence_classes)))
    typer.echo(
        f"policy {policy.version}, in force from {policy.effective_time.isoformat()}; agreement"
        f" {policy.agreement.version}; licence classes of providers: {classes}\n"
    )
    periods = [
        dataclasses.asdict(period) | {"unit": period.unit.name.lower(), "provenance": period.provenance.name.lower()}
        for period in policy.periods
    ]
    ladder = [{"measure": step.kind.name.lower(), "longest_days": step.longest_days or None} for step in policy.ladder]
    for title, rows, columns in (
        *(
            (name.replace("_", " "), [dataclasses.asdict(term) for term in getattr(policy, name)], TERM_COLUMNS)
            for name in ("categories", "return_reasons", *TERM_LISTS)
        ),
        ("ladder", ladder, LADDER_COLUMNS),
        *([("routes", [dataclasses.asdict(each) for each in policy.routes], ROUTE_COLUMNS)] if policy.routes else ()),
        ("periods", periods, PERIOD_COLUMNS),
    ):
        cli.print_rows(rows, columns=columns, as_json=False, title=title)
        typer.echo()
