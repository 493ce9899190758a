"""The commands `provider-node records …`: legal holds, what is due for disposal, disposal, certificates (Art. 8(2))."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from provider_node.commands import AsJson, DataFolder, ask
from shared.client.provider import ProviderClient
from shared.client.record_types import Certificate, LegalHold
from shared.records.terminal import (
    kept_by,
    print_certificates,
    print_due,
    print_holds,
    record_class_of,
    write_certificate,
)

records = typer.Typer(help="Keeps records, and disposes of them when their time is over.", no_args_is_help=True)

_CLASSES: Final = "report, measure or appeal"
Actor = Annotated[str, typer.Option(help="Who asks: your own name for the operator.")]
OnlyClass = Annotated[str, typer.Option("--class", help=f"Only this class: {_CLASSES}; all if left out.")]
Reason = Annotated[str, typer.Option(help="Why, as a code of your own, e.g. court_order.")]
HoldId = Annotated[str, typer.Argument(help="The hold's id.")]


@records.command(epilog="Example: provider-node records due --data wave")
def due(data: DataFolder, as_json: AsJson = False) -> None:
    """Shows what is due for disposal now, and what a hold keeps; changes nothing."""
    print_due(ask(data, lambda node: node.due_records()), as_json=as_json)


@records.command(epilog="Example: provider-node records dispose --data wave --class report")
def dispose(
    data: DataFolder,
    record_class: OnlyClass = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only shows what is due.")] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Rewrites a large database file afterwards; writes wait meanwhile.")
    ] = False,
    actor: Actor = "operator",
    as_json: AsJson = False,
) -> None:
    """Disposes of what is due, and shows the certificates that were made."""
    wanted = record_class_of(record_class)
    if dry_run:
        standings = ask(data, lambda node: node.due_records())
        print_due([each for each in standings if not wanted or each.record_class is wanted], as_json=as_json)
        return

    made = ask(data, lambda node: node.dispose_all_records(wanted, compact=compact, actor=actor))
    print_certificates(made, as_json=as_json)


@records.command(epilog="Example: provider-node records certificates --data wave")
def certificates(data: DataFolder, as_json: AsJson = False) -> None:
    """Lists certificates of disposal, newest first."""

    async def question(node: ProviderClient) -> list[Certificate]:
        return [each async for each in node.certificates()]

    print_certificates(ask(data, question), as_json=as_json)


@records.command(epilog="Example: provider-node records certificate --data wave 1 --output disposal-1.certificate")
def certificate(
    data: DataFolder,
    number: Annotated[int, typer.Argument(help="The certificate's number.", min=1)],
    output: Annotated[Path, typer.Option(help="The file, to be verified offline by filing-verify.")],
    record: Annotated[str, typer.Option(help="Only this record, by its id: the file shows no other.")] = "",
) -> None:
    """Writes a certificate as one file."""
    write_certificate(ask(data, lambda node: node.certificate_file(number, record_id=record)), output)


@records.command(epilog="Example: provider-node records hold --data wave --account 5f0c… --reason court_order")
def hold(
    data: DataFolder,
    reason: Reason,
    account: Annotated[str, typer.Option(help="Everything about this account.")] = "",
    escalation: Annotated[str, typer.Option(help="This report, measure or appeal.")] = "",
    record_class: Annotated[str, typer.Option("--class", help=f"Every record of this class: {_CLASSES}.")] = "",
    hold_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    actor: Actor = "operator",
    as_json: AsJson = False,
) -> None:
    """Places a legal hold: what it keeps is not disposed of until it is lifted."""
    scope, target, kind = kept_by(account, escalation, "", record_class)
    placed = ask(
        data,
        lambda node: node.place_hold(
            scope, reason=reason, target=target, record_class=kind, hold_id=hold_id, actor=actor
        ),
    )
    print_holds([placed], as_json=as_json)


@records.command(epilog="Example: provider-node records lift --data wave 7c1e… --reason case_closed")
def lift(data: DataFolder, hold_id: HoldId, reason: Reason, actor: Actor = "operator", as_json: AsJson = False) -> None:
    """Lifts a legal hold."""
    print_holds([ask(data, lambda node: node.lift_hold(hold_id, reason=reason, actor=actor))], as_json=as_json)


@records.command(epilog="Example: provider-node records holds --data wave")
def holds(
    data: DataFolder,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were lifted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists legal holds, newest first."""

    async def question(node: ProviderClient) -> list[LegalHold]:
        return [each async for each in node.holds(lifted_too=everything)]

    print_holds(ask(data, question), as_json=as_json)


def mount(program: typer.Typer) -> None:
    """Adds the commands to a program."""
    program.add_typer(records, name="records")
