"""Commands about subjects. An identity comes from a file or stdin, never from the command line, which others see."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from provider_node.commands import AsJson, DataFolder, ask, reference_of, row_of
from shared import cli
from shared.client.provider import ProviderClient, Subject
from shared.errors import InvalidInput, Violation
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity

app = typer.Typer(help="Registers, reads and deletes subjects.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="The subject's reference, 32 hexadecimal digits.")]
COLUMNS = ("reference", "kind", "nickname", "region", "verified_time", "agreement_version")


@app.command(
    epilog="Example: provider-node subjects register --data wave --nickname 样例 --signed 2026-01-05T08:00:00+08:00"
    ' --file - <<< \'{"real_name": "…", "id_number": "…", "phone": "…"}\''
)
def register(
    data: DataFolder,
    nickname: Annotated[str, typer.Option(help="Name at the front, chosen freely.")],
    signed: Annotated[datetime, typer.Option(help="When the subject signed the agreement in force, ISO 8601.")],
    file: Annotated[str, typer.Option(help="JSON with the identity; - for stdin.")],
    kind: Annotated[str, typer.Option(help="person, or the kind of an organisation, e.g. enterprise.")] = "person",
    request_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    as_json: AsJson = False,
) -> None:
    """Registers a subject after verifying its identity.

    The file has real_name, id_number and phone; for an organisation organisation_name, uscc and operator, which has
    the three.
    """
    identity = _read_identity(file)
    wanted = _kind(kind)
    moment = signed.astimezone()

    async def question(node: ProviderClient) -> Subject:
        agreement = (await node.agreement()).signed_at(moment)
        if isinstance(identity, PersonIdentity):
            return await node.register_person(identity, nickname=nickname, agreement=agreement, request_id=request_id)
        return await node.register_organisation(
            identity, kind=wanted, nickname=nickname, agreement=agreement, request_id=request_id
        )

    _print(ask(data, question), as_json)


@app.command(epilog="Example: provider-node subjects show --data wave 00112233445566778899aabbccddeeff")
def show(data: DataFolder, reference: Reference, as_json: AsJson = False) -> None:
    """Shows a subject without its identity."""
    wanted = reference_of(reference)
    _print(ask(data, lambda node: node.get_subject(wanted)), as_json)


@app.command(
    epilog="Example: provider-node subjects identity --data wave 00112233445566778899aabbccddeeff"
    " --purpose account_recovery --reader desk-3"
)
def identity(
    data: DataFolder,
    reference: Reference,
    purpose: Annotated[str, typer.Option(help="Why, as a code; kept in the audit trail.")],
    reader: Annotated[str, typer.Option(help="Who reads it, never a person's name; kept in the audit trail.")],
) -> None:
    """Reads an identity, as JSON. The audit entry is written first."""
    wanted = reference_of(reference)
    cli.print_json(ask(data, lambda node: node.read_identity(wanted, purpose=purpose, reader=reader)))


@app.command(epilog="Example: provider-node subjects delete --data wave 00112233445566778899aabbccddeeff --yes")
def delete(
    data: DataFolder,
    reference: Reference,
    yes: Annotated[bool, typer.Option("--yes", help="Does not ask.")] = False,
) -> None:
    """Deletes a subject for good: its identity cannot be read from any file or any later backup."""
    wanted = reference_of(reference)
    if not yes:
        typer.confirm("Delete this subject's identity for good?", abort=True)
    ask(data, lambda node: node.delete_subject(wanted))
    typer.echo("deleted")


@app.command(epilog="Example: provider-node subjects agreement --data wave")
def agreement(data: DataFolder, as_json: AsJson = False) -> None:
    """Shows the agreement in force with its seven baselines."""
    text = ask(data, lambda node: node.agreement())
    if as_json:
        cli.print_json(text)
        return
    rows = [{"number": number, "baseline": baseline} for number, baseline in enumerate(text.baselines, start=1)]
    typer.echo(f"agreement {text.version}, digest {text.digest.hex()}")
    cli.print_rows(rows, columns=("number", "baseline"), as_json=False)


def _print(subject: Subject, as_json: bool) -> None:
    if as_json:
        cli.print_json(subject)
        return
    row = row_of(subject) | {"kind": subject.kind.name.lower(), "agreement_version": subject.agreement.version}
    cli.print_rows([row], columns=COLUMNS, as_json=False)


def _kind(text: str) -> SubjectKind:
    try:
        return SubjectKind[text.upper().replace("-", "_")]
    except KeyError:
        kinds = ", ".join(kind.name.lower() for kind in SubjectKind if kind)
        raise typer.BadParameter(f"choose one of {kinds}", param_hint="--kind") from None


def _read_identity(file: str) -> PersonIdentity | OrganisationIdentity:
    try:
        values = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
        if "uscc" not in values:
            return _person(values)
        return OrganisationIdentity(str(values["organisation_name"]), str(values["uscc"]), _person(values["operator"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        mend = "give real_name, id_number and phone as JSON; for an organisation also organisation_name, uscc, operator"
        raise InvalidInput(
            "the identity cannot be read", "IDENTITY_FILE_WRONG", [Violation("file", "IDENTITY_FILE_WRONG", mend)]
        ) from None


def _person(values: dict[str, Any]) -> PersonIdentity:
    return PersonIdentity(str(values["real_name"]), str(values["id_number"]), str(values.get("phone", "")))
