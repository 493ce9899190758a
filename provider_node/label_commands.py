"""Commands about labels, the gate and the provider's own duties."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from provider_node.commands import AsJson, DataFolder, ask, row_of
from shared import cli
from shared.client.label_types import Duty, DutyProfile, FiledDutyProfile, Label, LabelState, SubjectLicence
from shared.client.provider import ProviderClient
from shared.errors import InvalidInput, Violation
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.publication import Audience, PublicationAct, PublicationForm

E = TypeVar("E", bound=IntEnum)

labels = typer.Typer(help="Grants, renews, narrows and revokes news labels.", no_args_is_help=True)
gate = typer.Typer(help="Asks the publication gate.", no_args_is_help=True)
duties = typer.Typer(help="Files and shows the provider's duty profile.", no_args_is_help=True)

AccountId = Annotated[str, typer.Argument(help="The account's id.")]
GrantId = Annotated[str, typer.Argument(help="The grant's id.")]
Scope = Annotated[str, typer.Option(help="publish_and_reprint or reprint; left out: all that is allowed, or as it is.")]
Licence = Annotated[str, typer.Option(help="The subject's licence: 11 digits; left out for a special approval.")]
LicenceStart = Annotated[datetime | None, typer.Option(help="From when that licence holds, ISO 8601.")]
LicenceEnd = Annotated[datetime | None, typer.Option(help="Until when that licence holds, exclusive, ISO 8601.")]
End = Annotated[datetime | None, typer.Option(help="Until when, exclusive, ISO 8601.")]
LABEL_COLUMNS = (
    "grant_id",
    "account_id",
    "state",
    "basis",
    "licence_number",
    "scope",
    "end_time",
    "reason",
    "statement",
)


@labels.command(
    epilog="Example: provider-node labels grant --data wave 5f0c… --basis news_unit --licence 33120240001"
    " --licence-start 2024-06-01 --licence-end 2027-06-01"
)
def grant(
    data: DataFolder,
    account_id: AccountId,
    basis: Annotated[str, typer.Option(help="news_unit, news_website, licensed_non_news_unit or special_approval.")],
    licence: Licence = "",
    licence_start: LicenceStart = None,
    licence_end: LicenceEnd = None,
    scope: Scope = "",
    start: Annotated[datetime | None, typer.Option(help="From when, ISO 8601; now if left out.")] = None,
    end: End = None,
    request_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    as_json: AsJson = False,
) -> None:
    """Grants a label. With special_approval it takes up the approval that was given, or asks for one."""
    why, wanted, held = (
        _word(LabelBasis, basis, "--basis"),
        _scope(scope),
        _licence(licence, licence_start, licence_end),
    )
    begin, until = _aware(start), _aware(end)
    label = ask(
        data,
        lambda node: node.grant_label(
            account_id, why, licence=held, scope=wanted, start_time=begin, end_time=until, request_id=request_id
        ),
    )
    _print_labels([label], as_json)


@labels.command(
    epilog="Example: provider-node labels renew --data wave 7a1b… --licence 33120270001 --licence-start 2027-06-01"
    " --licence-end 2030-06-01"
)
def renew(
    data: DataFolder,
    grant_id: GrantId,
    licence: Licence = "",
    licence_start: LicenceStart = None,
    licence_end: LicenceEnd = None,
    end: End = None,
    as_json: AsJson = False,
) -> None:
    """States a grant anew with a later end, before it lapses."""
    held, until = _licence(licence, licence_start, licence_end), _aware(end)
    _print_labels([ask(data, lambda node: node.renew_label(grant_id, licence=held, end_time=until))], as_json)


@labels.command(epilog="Example: provider-node labels narrow --data wave 7a1b… --scope reprint")
def narrow(data: DataFolder, grant_id: GrantId, scope: Scope = "", end: End = None, as_json: AsJson = False) -> None:
    """States a grant anew with a smaller scope or an earlier end."""
    wanted, until = _scope(scope), _aware(end)
    _print_labels([ask(data, lambda node: node.narrow_label(grant_id, scope=wanted, end_time=until))], as_json)


@labels.command(epilog="Example: provider-node labels revoke --data wave 7a1b… --reason owner_request")
def revoke(
    data: DataFolder,
    grant_id: GrantId,
    reason: Annotated[str, typer.Option(help="Code of a label reason of the policy in force.")],
    as_json: AsJson = False,
) -> None:
    """Revokes a grant; the right is closed at once."""
    _print_labels([ask(data, lambda node: node.revoke_label(grant_id, reason))], as_json)


@labels.command(epilog="Example: provider-node labels show --data wave 7a1b…")
def show(data: DataFolder, grant_id: GrantId, as_json: AsJson = False) -> None:
    """Shows a grant with its newest statement."""
    _print_labels([ask(data, lambda node: node.get_label(grant_id))], as_json)


@labels.command("list", epilog="Example: provider-node labels list --data wave --state granted --end-before 2027-07-01")
def list_labels(
    data: DataFolder,
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    state: Annotated[str, typer.Option(help="Only grants in this state.")] = "",
    end_before: Annotated[datetime | None, typer.Option(help="Only grants that end before, ISO 8601.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most grants to print.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists grants by their end."""
    wanted, before = _word(LabelState, state, "--state") if state else LabelState.UNSPECIFIED, _aware(end_before)

    async def question(node: ProviderClient) -> list[Label]:
        found: list[Label] = []
        async for label in node.labels(account, state=wanted, end_before=before):
            found.append(label)
            if len(found) == limit:
                break
        return found

    found = ask(data, question)
    if as_json:
        cli.print_json(found)
    else:
        _print_labels(found, False)


@gate.command(epilog="Example: provider-node gate check --data wave 5f0c… --act publish --news")
def check(
    data: DataFolder,
    account_id: AccountId,
    act: Annotated[str, typer.Option(help="publish, reprint or other.")],
    news: Annotated[bool, typer.Option("--news/--no-news", help="Whether it is current-political news.")] = False,
    audience: Annotated[str, typer.Option(help="public or private.")] = "public",
    form: Annotated[str, typer.Option(help="public_account, group or moments.")] = "public_account",
    as_json: AsJson = False,
) -> None:
    """Answers whether an account may do something now, and why. Exit code 1 if it may not."""
    asked_act, who = _word(PublicationAct, act, "--act"), _word(Audience, audience, "--audience")
    by = _word(PublicationForm, form, "--form")
    answer = ask(data, lambda node: node.check_publication(account_id, asked_act, is_news=news, audience=who, form=by))
    if as_json:
        cli.print_json(answer)
    else:
        typer.echo(f"{'allowed' if answer.allowed else 'not allowed'}: {answer.reason}")
        rows: list[dict[str, object]] = [step._asdict() for step in answer.steps]
        cli.print_rows(rows, columns=("article", "kind", "id", "finding"), as_json=False)
    if not answer.allowed:
        raise typer.Exit(cli.FAILED)


@duties.command(
    epilog='Example: provider-node duties file --data wave --file - <<< \'{"duties": [{"code": "account_review",'
    ' "in_force_time": "2026-01-01T00:00:00+08:00"}], "staff": 40, "users": 900000,'
    ' "counted_time": "2026-03-01T00:00:00+08:00"}\''
)
def file(
    data: DataFolder,
    file: Annotated[str, typer.Option(help="JSON with duties, staff, users and counted_time; - for stdin.")],
    as_json: AsJson = False,
) -> None:
    """Files the provider's next duty profile."""
    profile = _read_profile(file)
    _print_profile(ask(data, lambda node: node.file_duty_profile(profile)), as_json)


@duties.command("show", epilog="Example: provider-node duties show --data wave")
def show_profile(data: DataFolder, as_json: AsJson = False) -> None:
    """Shows the newest duty profile and where it is on its way."""
    _print_profile(ask(data, lambda node: node.duty_profile()), as_json)


def mount(app: typer.Typer) -> None:
    """Adds the commands to a program."""
    app.add_typer(labels, name="labels")
    app.add_typer(gate, name="gate")
    app.add_typer(duties, name="duties")


def _print_labels(found: list[Label], as_json: bool) -> None:
    if as_json:
        cli.print_json(found[0])
        return
    rows = [
        row_of(label)
        | {
            "state": label.state.name.lower(),
            "basis": label.basis.name.lower(),
            "scope": label.scope.name.lower() if label.scope else "",
            "statement": f"{label.statement.revision} {label.statement.state.name.lower()}",
        }
        for label in found
    ]
    cli.print_rows(rows, columns=LABEL_COLUMNS, as_json=False)


def _print_profile(filed: FiledDutyProfile | None, as_json: bool) -> None:
    if as_json:
        cli.print_json(filed)
        return
    if filed is None:
        typer.echo("no duty profile was filed yet: provider-node duties file")
        return
    state = filed.status.state.name.lower()
    typer.echo(f"profile {filed.revision} ({state}): {filed.profile.staff} staff, {filed.profile.users} users")
    cli.print_rows([row_of(duty) for duty in filed.profile.duties], columns=("code", "in_force_time"), as_json=False)


def _word(words: type[E], text: str, option: str) -> E:
    known = {each.name.lower(): each for each in words if each}
    if text not in known:
        raise typer.BadParameter(f"choose one of {', '.join(known)}", param_hint=option)
    return known[text]


def _scope(text: str) -> LabelScope:
    return _word(LabelScope, text, "--scope") if text else LabelScope.UNSPECIFIED


def _aware(time: datetime | None) -> datetime | None:
    return time.astimezone() if time is not None else None


def _licence(number: str, start: datetime | None, end: datetime | None) -> SubjectLicence | None:
    if not number:
        return None
    if start is None or end is None:
        raise typer.BadParameter("give --licence-start and --licence-end with it", param_hint="--licence")
    return SubjectLicence(number, start.astimezone(), end.astimezone())


def _read_profile(file: str) -> DutyProfile:
    try:
        read: dict[str, Any] = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
        return DutyProfile(
            tuple(Duty(str(each["code"]), _time(each["in_force_time"])) for each in read["duties"]),
            int(read["staff"]),
            int(read["users"]),
            _time(read["counted_time"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        mend = "give JSON with duties (code and in_force_time each), staff, users and counted_time"
        violation = Violation("file", "PROFILE_UNREADABLE", mend)
        raise InvalidInput("the duty profile cannot be read", "PROFILE_UNREADABLE", [violation]) from error


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()
