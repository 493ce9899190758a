"""The commands `regulator-node cases …`, `measures list`, `figures` and `audit conservation`."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from regulator_node.filter_options import named
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from shared import cli
from shared.cli import AsJson
from shared.client.officer import (
    Case,
    CaseFilter,
    CaseKind,
    CaseState,
    CaseVerdict,
    EscalationOutcome,
    Gravity,
    Measure,
    MeasureFilter,
    MeasureKind,
    ProviderFigures,
)
from shared.clock import micros

cases_app = typer.Typer(
    name="cases", help="Reports, complaints and appeals: list, assign, decide.", no_args_is_help=True
)
measures_app = typer.Typer(name="measures", help="Measures on accounts.", no_args_is_help=True)

CASE_COLUMNS: Final = (
    "due_time",
    "overdue",
    "jurisdiction",
    "case_id",
    "kind",
    "state",
    "provider",
    "account_id",
    "baseline",
    "responsible",
    "assignee",
    "outcome",
)
EVENT_COLUMNS: Final = ("time", "action", "actor", "reason")
MEASURE_COLUMNS: Final = (
    "start_time",
    "end_time",
    "jurisdiction",
    "provider",
    "account_id",
    "kind",
    "action",
    "baseline",
    "reason",
    "measure_id",
)
FIGURE_COLUMNS: Final = (
    "provider",
    "staff",
    "users",
    "escalated",
    "orders_in_time",
    "orders_late",
    "warn",
    "restrict_publishing",
    "suspend_updates",
    "close",
    "overturned",
)
OUTCOMES: Final = {
    "verify": EscalationOutcome.VERIFIED,
    "dismiss": EscalationOutcome.DISMISSED,
    "refuse-appeal": EscalationOutcome.APPEAL_REFUSED,
    "grant-appeal": EscalationOutcome.APPEAL_GRANTED,
}
_KINDS: Final = ", ".join(kind.name.lower() for kind in CaseKind if kind)
_STATES: Final = ", ".join(state.name.lower() for state in CaseState if state)
_MEASURES: Final = ", ".join(kind.name.lower() for kind in MeasureKind if kind)
_GRAVITIES: Final = ", ".join(gravity.name.lower() for gravity in Gravity if gravity)

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The case: a UUID.")]
Etag = Annotated[str, typer.Option(help="Of the case as you saw it: refused if it changed since.")]
Limit = Annotated[int, typer.Option(help="Rows at most; 0 for all.", min=0)]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class CaseTerms:
    """The options that say what is decided; a group of options."""

    outcome: Annotated[str, typer.Option(help=f"Of: {', '.join(OUTCOMES)}.")]
    reason: Annotated[str, typer.Option(help="Code of a reason in the policy.")]
    order: Annotated[str, typer.Option(help=f"Measure ordered, of: {_MEASURES}.")] = ""
    gravity: Annotated[str, typer.Option(help=f"Of the act, of: {_GRAVITIES}.")] = ""
    days: Annotated[int, typer.Option(help="Days that the measure lasts; none for closing.", min=0)] = 0
    note: Annotated[str, typer.Option(help="For people, at most 200 characters.")] = ""
    etag: Etag = ""

    def verdict(self, case_id: str) -> CaseVerdict:
        """Returns the verdict on a case.

        Raises:
            typer.BadParameter: a value cannot be read.
        """
        outcome = OUTCOMES.get(self.outcome)
        if outcome is None:
            raise typer.BadParameter(f"give one of: {', '.join(OUTCOMES)}", param_hint="--outcome")
        return CaseVerdict(
            case_id,
            outcome,
            self.reason,
            named(MeasureKind, self.order, "--order") or MeasureKind.UNSPECIFIED,
            named(Gravity, self.gravity, "--gravity") or Gravity.UNSPECIFIED,
            self.days,
            self.note,
            self.etag,
        )


@cases_app.command("list", epilog="Example: regulator-node cases list --data zhejiang --state open")
@with_option_groups
def list_cases(
    access: Access,
    state: Annotated[str, typer.Option(help=f"Of: {_STATES}.")] = "",
    kind: Annotated[str, typer.Option(help=f"Of: {_KINDS}.")] = "",
    provider: Annotated[str, typer.Option(help="Provider, e.g. provider/wave.")] = "",
    jurisdiction: Annotated[str, typer.Option(help="Where it came in: GB/T 2260, 330000.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Lists cases, those first that are due first."""
    given = CaseFilter(
        named(CaseState, state, "--state") or CaseState.UNSPECIFIED,
        named(CaseKind, kind, "--kind") or CaseKind.UNSPECIFIED,
        provider,
        jurisdiction,
    )

    async def read() -> list[Case]:
        async with access.client() as client:
            return await _first(client.cases(given), limit)

    cli.print_rows([_case_row(case) for case in cli.wait_for(read())], columns=CASE_COLUMNS, as_json=as_json)


@cases_app.command(
    epilog="Example: regulator-node cases show 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21 --data zhejiang"
    " --jurisdiction 330000"
)
@with_option_groups
def show(
    case_id: CaseId,
    access: Access,
    jurisdiction: Annotated[str, typer.Option(help="Where it came in: GB/T 2260, 330000.")],
    purpose: Annotated[str, typer.Option(help="Why you read the complainant's words: a code for the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Shows a case and what happened to it; the complainant's words only for a purpose."""

    async def read() -> tuple[Case, str]:
        async with access.client() as client:
            found = await client.case(jurisdiction, case_id, purpose=purpose)
        return found.case, found.statement

    case, statement = cli.wait_for(read())
    if as_json:
        cli.print_json(_case_row(case) | {"statement": statement})
        return
    cli.print_rows([_case_row(case)], columns=(*CASE_COLUMNS, "item_url", "etag"), as_json=False)
    cli.print_rows([dataclasses.asdict(each) for each in case.events], columns=EVENT_COLUMNS, as_json=False)
    if statement:
        typer.echo(statement)


@cases_app.command(
    epilog="Example: regulator-node cases assign 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21 --data zhejiang"
    " --to review-desk-2"
)
@with_option_groups
def assign(
    case_id: CaseId,
    access: Access,
    to: Annotated[str, typer.Option(help="The officer's post.")],
    etag: Etag = "",
    as_json: AsJson = False,
) -> None:
    """Assigns a case to an officer's post."""

    async def change() -> Case:
        async with access.client() as client:
            return await client.assign_case(case_id, to, etag=etag)

    cli.print_rows([_case_row(cli.wait_for(change()))], columns=CASE_COLUMNS, as_json=as_json)


@cases_app.command(
    epilog="Example: regulator-node cases decide 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21 --data zhejiang"
    " --outcome verify --reason false_information --order warn --gravity ordinary --days 30"
)
@with_option_groups
def decide(
    case_id: CaseId,
    access: Access,
    terms: CaseTerms,
    request_id: Annotated[str, typer.Option(help="Of an earlier try whose answer was lost.")] = "",
    as_json: AsJson = False,
) -> None:
    """Decides a case: verify it with or without an order, dismiss it, or decide an appeal."""
    verdict = terms.verdict(case_id)

    async def change() -> dict[str, object]:
        async with access.client() as client:
            answer = await client.decide_case(verdict, request_id=request_id)
        return _case_row(answer.case) | {"log_index": answer.log_index}

    cli.print_rows([cli.wait_for(change())], columns=(*CASE_COLUMNS, "log_index"), as_json=as_json)


@measures_app.command("list", epilog="Example: regulator-node measures list --data nation --provider provider/wave")
@with_option_groups
def list_measures(
    access: Access,
    provider: Annotated[str, typer.Option(help="Provider, e.g. provider/wave.")] = "",
    account: Annotated[str, typer.Option(help="Account: a UUID.")] = "",
    kind: Annotated[str, typer.Option(help=f"Of: {_MEASURES}.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Lists measures on accounts, newest first."""
    given = MeasureFilter(provider, account, named(MeasureKind, kind, "--kind") or MeasureKind.UNSPECIFIED)

    async def read() -> list[Measure]:
        async with access.client() as client:
            return await _first(client.measures(given), limit)

    rows = [
        dataclasses.asdict(measure)
        | {name: getattr(measure, name).name.lower() for name in ("kind", "action", "gravity")}
        for measure in cli.wait_for(read())
    ]
    cli.print_rows(rows, columns=MEASURE_COLUMNS, as_json=as_json)


@with_option_groups
def figures(
    access: Access,
    provider: Annotated[str, typer.Option(help="One provider, e.g. provider/wave.")] = "",
    as_json: AsJson = False,
) -> None:
    """Counts for each provider: staff to users, what left it, how it answers orders, its measures."""

    async def read() -> list[ProviderFigures]:
        async with access.client() as client:
            return await client.figures(provider)

    cli.print_rows(list(map(_figure_row, cli.wait_for(read()))), columns=FIGURE_COLUMNS, as_json=as_json)


def conservation(
    data: Annotated[Path, typer.Option(help="Data folder of the node.")],
    as_json: AsJson = False,
) -> None:
    """Checks over the logs this node holds that no report is lost and none is with two; exit code 1 where one is."""
    from regulator_node.conservation import Balance, audit_conservation
    from regulator_node.settings import MIGRATIONS, RegulatorSettings
    from shared.database import open_database
    from shared.simulated_clock import clock_from

    settings = RegulatorSettings.load(data)

    async def audit() -> Balance:
        database = open_database(settings.database, MIGRATIONS)
        try:
            return await audit_conservation(database, micros(clock_from(settings.simulated_time_file)()))
        finally:
            await database.close()

    balance = cli.wait_for(audit())
    findings = [dataclasses.asdict(finding) for finding in balance.findings]
    if as_json:
        cli.print_json({"reports": balance.reports, "parties": dict(balance.parties), "findings": findings})
    else:
        parties = [{"party": name, "reports": count} for name, count in sorted(balance.parties.items())]
        cli.print_rows(parties, columns=("party", "reports"), as_json=False, title=f"{balance.reports} reports")
        if findings:
            columns = ("jurisdiction", "log_index", "escalation_id", "rule", "mend")
            cli.print_rows(findings, columns=columns, as_json=False)
    if findings:
        raise typer.Exit(1)


def mount(app: typer.Typer, audit_app: typer.Typer) -> None:
    """Adds the commands to the program.

    Args:
        app: the program.
        audit_app: its commands `audit …`.
    """
    app.add_typer(cases_app)
    app.add_typer(measures_app)
    app.command("figures", epilog="Example: regulator-node figures --data nation --json")(figures)
    audit_app.command("conservation", epilog="Example: regulator-node audit conservation --data nation")(conservation)


async def _first(rows: AsyncIterator[Row], limit: int) -> list[Row]:
    found: list[Row] = []
    async for row in rows:
        found.append(row)
        if len(found) == limit:
            break
    return found


def _case_row(case: Case) -> dict[str, object]:
    row: dict[str, object] = dataclasses.asdict(case)
    return row | {name: getattr(case, name).name.lower() for name in ("kind", "state", "cause")}


def _figure_row(row: ProviderFigures) -> dict[str, object]:
    kinds = ("warn", "restrict_publishing", "suspend_updates", "close")
    duties = row.duties
    return {
        "provider": row.provider,
        "duties": list(duties.duties) if duties else None,
        "staff": duties.staff if duties else None,
        "users": duties.users if duties else None,
        "counted_time": duties.counted_time if duties else None,
        "escalated": row.escalated,
        "orders_in_time": row.orders_in_time,
        "orders_late": row.orders_late,
        **dict(zip(kinds, row.measures, strict=True)),
        "overturned": row.overturned,
    }
