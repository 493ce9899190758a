"""The commands about the policy: show it, preview what the next one would change, publish it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from regulator_node.filter_options import time_of
from regulator_node.nation_access import NationAccess
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from regulator_node.policy_file import read_policy, write_policy
from shared import cli
from shared.cli import AsJson
from shared.client.officer import Policy
from shared.clock import from_micros
from shared.errors import InvalidInput
from shared.mapping.policy_preview import PolicyPreview
from shared.provisions.policy import TERM_LISTS
from shared.provisions.policy_preview import PolicyChange, PolicyEffect

policy_app = typer.Typer(help="Taxonomies, periods and forms.", no_args_is_help=True)

TERM_COLUMNS: Final = ("code", "title_zh", "title_en")
CHANGE_COLUMNS: Final = ("field", "change", "before", "after", "provenance", "article", "would_end", "ends_then")
ROUTE_COLUMNS: Final = ("provider", "jurisdiction")
EFFECT_COLUMNS: Final = ("effect", "field", "count", "successor", "would_be_due", "due_then")
LADDER_COLUMNS: Final = ("measure", "longest_days")
PERIOD_COLUMNS: Final = ("name", "amount", "unit", "provenance", "article")


@policy_app.command("show", epilog="Example: regulator-node policy show --data nation --toml > next.toml")
@with_option_groups
def show_policy(
    access: Access,
    at: Annotated[str, typer.Option(metavar="ISO8601", help="The policy in force at this time; now if left out.")] = "",
    as_toml: Annotated[bool, typer.Option("--toml", help="Print it as policy publish reads it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shows the policy in force, or the one that was in force at a time."""
    time = time_of(at, "--at")

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
