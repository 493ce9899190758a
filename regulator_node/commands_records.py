"""The commands `regulator-node records …`: legal holds, what is due for disposal, disposal, certificates (Art. 8(2))."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from shared import cli
from shared.cli import AsJson
from shared.client.officer import OfficerClient
from shared.client.record_types import Certificate, LegalHold
from shared.records.terminal import (
    kept_by,
    print_certificates,
    print_due,
    print_holds,
    record_class_of,
    write_certificate,
)

records_app = typer.Typer(
    name="records", help="Keeps records, and disposes of them when their time is over.", no_args_is_help=True
)

_CLASSES: Final = "complaint, case, query_audit, filing_entry, label_entry or escalation_entry"
OnlyClass = Annotated[str, typer.Option("--class", help=f"Only this class: {_CLASSES}; all if left out.")]
Reason = Annotated[str, typer.Option(help="Why, as a code of your own, e.g. court_order.")]
HoldId = Annotated[str, typer.Argument(metavar="HOLD", help="The hold: a UUID.")]

T = TypeVar("T")


@records_app.command(epilog="Example: regulator-node records due --data zhejiang")
@with_option_groups
def due(access: Access, as_json: AsJson = False) -> None:
    """Shows what is due for disposal now, and what a hold keeps; changes nothing."""
    print_due(_ask(access, lambda node: node.due_records()), as_json=as_json)


@records_app.command(epilog="Example: regulator-node records dispose --data zhejiang --class complaint")
@with_option_groups
def dispose(
    access: Access,
    record_class: OnlyClass = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only shows what is due.")] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Rewrites a large database file afterwards; writes wait meanwhile.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Disposes of what is due, and shows the certificates that were made."""
    wanted = record_class_of(record_class)
    if dry_run:
        standings = _ask(access, lambda node: node.due_records())
        print_due([each for each in standings if not wanted or each.record_class is wanted], as_json=as_json)
        return

    made = _ask(access, lambda node: node.dispose_all_records(wanted, compact=compact))
    print_certificates(made, as_json=as_json)


@records_app.command(epilog="Example: regulator-node records certificates --data zhejiang")
@with_option_groups
def certificates(access: Access, as_json: AsJson = False) -> None:
    """Lists certificates of disposal, newest first."""

    async def question(node: OfficerClient) -> list[Certificate]:
        return [each async for each in node.certificates()]

    print_certificates(_ask(access, question), as_json=as_json)


@records_app.command(
    epilog="Example: regulator-node records certificate --data zhejiang 1 --output disposal-1.certificate"
)
@with_option_groups
def certificate(
    access: Access,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The certificate's number.", min=1)],
    output: Annotated[Path, typer.Option(help="The file, to be verified offline by filing-verify.")],
    record: Annotated[str, typer.Option(help="Only this record, by its id: the file shows no other.")] = "",
) -> None:
    """Writes a certificate as one file."""
    write_certificate(_ask(access, lambda node: node.certificate_file(number, record_id=record)), output)


@records_app.command(epilog="Example: regulator-node records hold --data zhejiang --case 5f0c… --reason court_order")
@with_option_groups
def hold(
    access: Access,
    reason: Reason,
    account: Annotated[str, typer.Option(help="Everything about this account.")] = "",
    escalation: Annotated[str, typer.Option(help="This report or appeal.")] = "",
    case: Annotated[str, typer.Option(help="Everything of this case.")] = "",
    record_class: Annotated[str, typer.Option("--class", help=f"Every record of this class: {_CLASSES}.")] = "",
    hold_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    as_json: AsJson = False,
) -> None:
    """Places a legal hold: what it keeps is not disposed of until it is lifted."""
    scope, target, kind = kept_by(account, escalation, case, record_class)
    placed = _ask(
        access,
        lambda node: node.place_hold(scope, reason=reason, target=target, record_class=kind, hold_id=hold_id),
    )
    print_holds([placed], as_json=as_json)


@records_app.command(epilog="Example: regulator-node records lift --data zhejiang 7c1e… --reason case_closed")
@with_option_groups
def lift(access: Access, hold_id: HoldId, reason: Reason, as_json: AsJson = False) -> None:
    """Lifts a legal hold."""
    print_holds([_ask(access, lambda node: node.lift_hold(hold_id, reason=reason))], as_json=as_json)


@records_app.command(
    "direct-hold",
    epilog="Example: regulator-node records direct-hold --data zhejiang provider/wave --account 5f0c… --reason court_order",
)
@with_option_groups
def direct_hold(
    access: Access,
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="The provider, e.g. provider/wave.")],
    reason: Reason,
    account: Annotated[str, typer.Option(help="Everything about this account.")] = "",
    escalation: Annotated[str, typer.Option(help="This report, measure or appeal.")] = "",
    record_class: Annotated[
        str, typer.Option("--class", help="Every record of this class: report, measure or appeal; with --until.")
    ] = "",
    start: Annotated[datetime | None, typer.Option("--from", help="From when, UTC; now if left out.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Until when, UTC; until it is lifted if left out.")] = None,
    hold_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    as_json: AsJson = False,
) -> None:
    """Has a provider keep records by a directive; it acknowledges by itself and cannot lift the hold."""
    scope, target, kind = kept_by(account, escalation, "", record_class)
    placed = _ask(
        access,
        lambda node: node.direct_hold(
            provider,
            scope,
            reason=reason,
            target=target,
            record_class=kind,
            start_time=_utc(start),
            end_time=_utc(until),
            hold_id=hold_id,
        ),
    )
    print_holds([placed], as_json=as_json)


@records_app.command(
    "lift-directed", epilog="Example: regulator-node records lift-directed --data zhejiang 7c1e… --reason case_closed"
)
@with_option_groups
def lift_directed(access: Access, hold_id: HoldId, reason: Reason, as_json: AsJson = False) -> None:
    """Lets a provider's records go again that a directive has it keep."""
    print_holds([_ask(access, lambda node: node.lift_directed_hold(hold_id, reason=reason))], as_json=as_json)


@records_app.command(epilog="Example: regulator-node records holds --data zhejiang")
@with_option_groups
def holds(
    access: Access,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were lifted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists legal holds, newest first: this node's own, and those at providers."""

    async def question(node: OfficerClient) -> list[LegalHold]:
        return [each async for each in node.holds(lifted_too=everything)]

    print_holds(_ask(access, question), as_json=as_json)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _ask(access: Access, question: Callable[[OfficerClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with access.client() as node:
            return await question(node)

    return cli.wait_for(run())
