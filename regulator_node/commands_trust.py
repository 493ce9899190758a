"""The commands `regulator-node ca …` and `regulator-node certificates …`: what the network's certificates rest on."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Final

import typer

from regulator_node.nation_access import NationAccess
from regulator_node.option_groups import with_option_groups
from shared import cli
from shared.cli import AsJson
from shared.client.officer import AuthorityChange, AuthorityInfo, AuthorityState, HeldCertificate

ca_app = typer.Typer(help="Replaces the CA that signs the network's certificates. Nation only.", no_args_is_help=True)
certificates_app = typer.Typer(help="The certificates that the CA signed. Nation only.", no_args_is_help=True)

CA_COLUMNS: Final = ("authority_id", "state", "expire_time", "live_certificates", "last_expire_time", "holders")
CERTIFICATE_COLUMNS: Final = ("serial_number", "issue_time", "expire_time", "authority_id", "denied")


def mount(app: typer.Typer) -> None:
    """Adds the commands to the program.

    Args:
        app: the program's commands.
    """
    app.add_typer(ca_app, name="ca")
    app.add_typer(certificates_app, name="certificates")


@ca_app.command("list", epilog="Example: regulator-node ca list --data nation")
@with_option_groups
def list_authorities(access: NationAccess, as_json: AsJson = False) -> None:
    """Lists the CAs that every node trusts, which one signs, and who holds live certificates by each."""

    async def read() -> list[AuthorityInfo]:
        async with access.client() as client:
            return await client.authorities()

    rows = [dataclasses.asdict(each) | {"state": _word(each.state)} for each in cli.wait_for(read())]
    if not as_json:
        rows = [row | {"holders": ", ".join(row["holders"])} for row in rows]
    cli.print_rows(rows, columns=CA_COLUMNS, as_json=as_json)


@ca_app.command("next", epilog="Example: regulator-node ca next --data nation")
@with_option_groups
def next_authority(access: NationAccess) -> None:
    """Makes the next CA, which every node trusts from when it hears of it. It signs nothing yet."""

    async def add() -> AuthorityChange:
        async with access.client() as client:
            return await client.add_authority()

    added = cli.wait_for(add())
    typer.echo(
        f"the next CA is {added.authority.authority_id}, by directory {added.directory_version}: give officers and"
        " backends the new tls/ca.pem, then run ca use"
    )


@ca_app.command("use", epilog="Example: regulator-node ca use --data nation")
@with_option_groups
def use_authority(
    access: NationAccess,
    force: Annotated[
        bool, typer.Option("--force", help="Also before every node had the time to hear of it: those are shut out.")
    ] = False,
) -> None:
    """Has the next CA sign from now on. Nodes renew by themselves; what the CA before signed goes on."""

    async def use() -> AuthorityChange:
        async with access.client() as client:
            return await client.use_authority(force=force)

    used = cli.wait_for(use())
    typer.echo(f"{used.authority.authority_id} signs from now on, by directory {used.directory_version}")


@ca_app.command("retire", epilog="Example: regulator-node ca retire --data nation 5d0c4f6a9be17d23")
@with_option_groups
def retire_authority(
    access: NationAccess,
    authority_id: Annotated[str, typer.Argument(metavar="CA", help="As ca list prints it.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also while certificates by it are live: their holders are shut out.")
    ] = False,
) -> None:
    """Takes a CA that signs no more out of the directory: what it signed is refused at the next call."""

    async def retire() -> AuthorityChange:
        async with access.client() as client:
            return await client.retire_authority(authority_id, force=force)

    retired = cli.wait_for(retire())
    typer.echo(f"{authority_id} is trusted no more, by directory {retired.directory_version}")


@certificates_app.command("list", epilog="Example: regulator-node certificates list --data nation provider/wave")
@with_option_groups
def list_certificates(
    access: NationAccess,
    holder: Annotated[str, typer.Argument(help="A node, or a post: officer/330000/reviewer/review-desk-2.")],
    as_json: AsJson = False,
) -> None:
    """Lists the certificates of a node or of an officer's post that have not ended, newest first."""

    async def read() -> list[HeldCertificate]:
        async with access.client() as client:
            return await client.held_certificates(holder)

    cli.print_rows(list(map(dataclasses.asdict, cli.wait_for(read()))), columns=CERTIFICATE_COLUMNS, as_json=as_json)


@certificates_app.command("deny", epilog="Example: regulator-node certificates deny --data nation 3f8a1c5d9e0b7a24")
@with_option_groups
def deny_certificate(
    access: NationAccess,
    serial_number: Annotated[str, typer.Argument(metavar="NUMBER", help="As certificates list prints it.")],
) -> None:
    """Refuses one certificate from its next call on, e.g. that of a machine that was stolen."""

    async def deny() -> tuple[HeldCertificate, int]:
        async with access.client() as client:
            return await client.deny_certificate(serial_number)

    denied, version = cli.wait_for(deny())
    typer.echo(f"certificate {serial_number} of {denied.holder} is refused, by directory {version}")


def _word(state: AuthorityState) -> str:
    return state.name.lower().replace("_", " ")
