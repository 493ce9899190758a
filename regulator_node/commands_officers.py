"""The commands `regulator-node officer …`: how officers get to sign in, by bearer token or by certificate."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from regulator_node.filter_options import named
from regulator_node.nation_access import NationAccess
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from regulator_node.secret_files import check_absent, write_secret
from shared import cli
from shared.client.officer import OfficerCertificate, OfficerRole, OfficerToken, OfficerTokenInfo
from shared.trust.certificate_requests import certificate_request
from shared.trust.names import officer_name

officer_app = typer.Typer(help="How officers sign in: by a post, never by a person's name.", no_args_is_help=True)

ROLES: Final = tuple(role.name.lower() for role in OfficerRole)

Post = Annotated[str, typer.Option(help="The officer's post, e.g. review-desk-2; never a person's name.")]
RoleName = Annotated[str, typer.Option("--role", help=f"What it may do: {', '.join(ROLES)}.")]
Jurisdiction = Annotated[str, typer.Option(help="The jurisdiction the officer serves, e.g. 330000.")]


@officer_app.command(
    "token", epilog="Example: regulator-node officer token --data zhejiang --post review-desk-2 --role reviewer"
)
@with_option_groups
def create_officer_token(
    access: Access,
    post: Post,
    role: RoleName,
    lifetime_hours: Annotated[int, typer.Option(help="Hours until it ends.", min=1, max=8760)] = 12,
    output: Annotated[Path | None, typer.Option(help="The file for the token; stdout if left out.")] = None,
) -> None:
    """Makes a bearer token for an officer of this node, to be used at its public listener. It is shown once."""
    if output is not None:
        check_absent(output)

    async def make() -> OfficerToken:
        async with access.client() as client:
            return await client.create_officer_token(post, _role(role), lifetime_hours=lifetime_hours)

    made = cli.wait_for(make())
    if output is None:
        typer.echo(made.token)
    else:
        write_secret(output, made.token + "\n")
        typer.echo(f"{output}: {post} is a {role} until {made.expire_time.isoformat(timespec='seconds')}")


@officer_app.command("list", epilog="Example: regulator-node officer list --data zhejiang")
@with_option_groups
def list_officer_tokens(
    access: Access, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Lists the bearer tokens of this node's officers that have not ended."""

    async def read() -> list[OfficerTokenInfo]:
        async with access.client() as client:
            return await client.officer_tokens()

    rows = [dataclasses.asdict(token) | {"role": token.role.name.lower()} for token in cli.wait_for(read())]
    cli.print_rows(rows, columns=("token_id", "post", "role", "expire_time"), as_json=as_json)


@officer_app.command("revoke", epilog="Example: regulator-node officer revoke --data zhejiang 3f8a1c5d9e0b7a24")
@with_option_groups
def revoke_officer_token(
    access: Access,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="As officer list prints it.")],
) -> None:
    """Revokes one bearer token: it is refused at its next call."""

    async def revoke() -> OfficerTokenInfo:
        async with access.client() as client:
            return await client.revoke_officer_token(token_id)

    revoked = cli.wait_for(revoke())
    typer.echo(f"the token {token_id} of {revoked.post} is revoked")


@officer_app.command(
    "request",
    epilog="Example: regulator-node officer request --jurisdiction 330000 --post review-desk-2 --role reviewer"
    " --key desk.key --output desk.csr",
)
def request_certificate(
    jurisdiction: Jurisdiction,
    post: Post,
    role: RoleName,
    key: Annotated[Path, typer.Option(help="The file for the new private key, which stays with the officer.")],
    output: Annotated[Path, typer.Option(help="The file for the request, to be sent to the nation.")],
) -> None:
    """Makes a private key and a certificate request, on the officer's own machine and without a network."""
    _role(role)
    private_key = ec.generate_private_key(ec.SECP256R1())
    request = certificate_request(officer_name(jurisdiction, role, post), private_key)
    check_absent(output)
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    write_secret(key, pem)
    output.write_text(request, "utf-8")
    typer.echo(f"{output}: send it to the nation and keep {key} here")


@officer_app.command(
    "certificate",
    epilog="Example: regulator-node officer certificate --data nation --jurisdiction 330000 --post review-desk-2"
    " --role reviewer --request desk.csr --output desk.pem",
)
@with_option_groups
def issue_certificate(
    access: NationAccess,
    jurisdiction: Jurisdiction,
    post: Post,
    role: RoleName,
    request: Annotated[Path, typer.Option(help="The certificate request, as officer request makes it.")],
    output: Annotated[Path, typer.Option(help="The file for the certificate chain.")],
    lifetime_hours: Annotated[int, typer.Option(help="Hours until it ends.", min=1, max=8760)] = 24,
) -> None:
    """Signs a certificate for an officer's post, of any jurisdiction. Nation only."""
    csr = request.read_text("utf-8", errors="replace")

    async def issue() -> OfficerCertificate:
        async with access.client() as client:
            return await client.issue_officer_certificate(
                jurisdiction, post, _role(role), csr, lifetime_hours=lifetime_hours
            )

    issued = cli.wait_for(issue())
    output.write_text(issued.chain_pem, "utf-8")
    typer.echo(f"{output}: {post} is a {role} until {issued.expire_time.isoformat(timespec='seconds')}")


def _role(name: str) -> OfficerRole:
    role = named(OfficerRole, name, "--role")
    if role is None:
        raise typer.BadParameter(f"choose one of {', '.join(ROLES)}", param_hint="--role")
    return role
