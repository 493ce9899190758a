"""Commands about reports from the public. Nobody's words are given on a command line, where others could read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from provider_node.commands import AsJson, DataFolder, ask, row_of
from shared import cli
from shared.client.provider import ProviderClient
from shared.client.report_types import Report, ReportState
from shared.errors import InvalidInput, Violation

app = typer.Typer(help="Takes reports from the public in and handles them.", no_args_is_help=True)

ReportId = Annotated[str, typer.Argument(help="The report's id.")]
Actor = Annotated[str, typer.Option(help="Who does it: your own name for the operator.")]
WordsFile = Annotated[Path | None, typer.Option(help="A file with the words; - for stdin.")]
REPORT_COLUMNS = (
    "report_id",
    "account_id",
    "baseline",
    "state",
    "reports",
    "answer_due_time",
    "settle_due_time",
    "paused",
    "outcome",
)
EVENT_COLUMNS = ("time", "action", "actor", "reason")


@app.command(epilog="Example: provider-node reports submit --data wave 5f0c… --baseline 7 --statement-file words.txt")
def submit(
    data: DataFolder,
    account_id: Annotated[str, typer.Argument(help="The account's id.")],
    baseline: Annotated[int, typer.Option(min=1, max=7, help="The baseline it names.")],
    item_url: Annotated[str, typer.Option(help="The public item's address; with --item-digest.")] = "",
    item_digest: Annotated[str, typer.Option(help="SHA-256 of the item as it stood, 64 hexadecimal digits.")] = "",
    statement_file: WordsFile = None,
    request_id: Annotated[str, typer.Option(help="A UUID, to repeat the call safely.")] = "",
    as_json: AsJson = False,
) -> None:
    """Takes a report in, and prints the reporter's tracking code."""
    digest, statement = _digest(item_digest), _words(statement_file) if statement_file else ""
    taken = ask(
        data,
        lambda node: node.submit_report(
            account_id,
            baseline=baseline,
            item_url=item_url,
            item_digest=digest,
            statement=statement,
            request_id=request_id,
        ),
    )
    if as_json:
        cli.print_json(taken)
        return
    typer.echo(f"tracking code: {taken.tracking_code}")
    typer.echo(f"report: {taken.report.report_id}{', joined to an earlier one' if taken.joined else ''}")


@app.command(epilog="Example: provider-node reports outcome --data wave 7Z3K…")
def outcome(
    data: DataFolder,
    tracking_code: Annotated[str, typer.Argument(help="The code that the reporter was given.")],
    as_json: AsJson = False,
) -> None:
    """Tells where a report stands, by its tracking code."""
    told = ask(data, lambda node: node.report_outcome(tracking_code.upper()))
    if as_json:
        cli.print_json(told)
        return
    row = row_of(told) | {"state": told.state.name.lower()}
    cli.print_rows([row], columns=("state", "outcome", "received_time", "settle_due_time", "answer"), as_json=False)


@app.command(epilog="Example: provider-node reports show --data wave 9c1e… --purpose report_handling --reader desk-3")
def show(
    data: DataFolder,
    report_id: ReportId,
    purpose: Annotated[str, typer.Option(help="Why the words are read, as a code; audited.")],
    reader: Annotated[str, typer.Option(help="Who reads them: your own name for the operator; audited.")],
    as_json: AsJson = False,
) -> None:
    """Shows a report with what happened to it and its reporters' words."""
    report, statements = ask(data, lambda node: node.get_report(report_id, purpose=purpose, reader=reader))
    if as_json:
        cli.print_json({"report": report, "statements": list(statements)})
        return
    _print([report], False)
    cli.print_rows([row_of(event) for event in report.events], columns=EVENT_COLUMNS, as_json=False)
    for statement in statements:
        typer.echo(statement)


@app.command("list", epilog="Example: provider-node reports list --data wave --state received")
def list_reports(
    data: DataFolder,
    state: Annotated[str, typer.Option(help="Only reports in this state.")] = "",
    account: Annotated[str, typer.Option(help="Only reports about this account.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most reports to print.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists reports, those first that are due first."""
    wanted = _state(state)

    async def question(node: ProviderClient) -> list[Report]:
        found: list[Report] = []
        async for report in node.reports(wanted, account_id=account):
            found.append(report)
            if len(found) == limit:
                break
        return found

    _print(ask(data, question), as_json)


@app.command(epilog="Example: provider-node reports answer --data wave 9c1e… --actor desk-3 --answer-file answer.txt")
def answer(
    data: DataFolder,
    report_id: ReportId,
    actor: Actor,
    answer_file: Annotated[Path, typer.Option(help="A file with the answer for the reporter; - for stdin.")],
    as_json: AsJson = False,
) -> None:
    """Gives the reporter the first answer."""
    text = _words(answer_file)
    _print([ask(data, lambda node: node.answer_report(report_id, text, actor=actor))], as_json)


@app.command(epilog="Example: provider-node reports settle --data wave 9c1e… no_violation --actor desk-3")
def settle(
    data: DataFolder,
    report_id: ReportId,
    outcome: Annotated[str, typer.Argument(help="A settlement outcome of the policy.")],
    actor: Actor,
    as_json: AsJson = False,
) -> None:
    """Settles a report."""
    _print([ask(data, lambda node: node.settle_report(report_id, outcome, actor=actor))], as_json)


@app.command(epilog="Example: provider-node reports pause --data wave 9c1e… awaiting_evidence --actor desk-3")
def pause(
    data: DataFolder,
    report_id: ReportId,
    reason: Annotated[str, typer.Argument(help="A pause reason of the policy.")],
    actor: Actor,
    as_json: AsJson = False,
) -> None:
    """Stops the settlement clock; the clock of the first answer runs on."""
    _print([ask(data, lambda node: node.pause_report(report_id, reason, actor=actor))], as_json)


@app.command(epilog="Example: provider-node reports resume --data wave 9c1e… --actor desk-3")
def resume(data: DataFolder, report_id: ReportId, actor: Actor, as_json: AsJson = False) -> None:
    """Lets the settlement clock run again."""
    _print([ask(data, lambda node: node.pause_report(report_id, "", actor=actor))], as_json)


@app.command("hand-over", epilog="Example: provider-node reports hand-over --data wave 9c1e… --actor desk-3")
def hand_over(data: DataFolder, report_id: ReportId, actor: Actor, as_json: AsJson = False) -> None:
    """Hands a report over to the regulator before its time."""
    _print([ask(data, lambda node: node.hand_over_report(report_id, actor=actor))], as_json)


@app.command(epilog="Example: provider-node reports audit --data wave --json")
def audit(data: DataFolder, as_json: AsJson = False) -> None:
    """Checks that every report here is with exactly one party or over; exit code 1 where one is not."""
    balance = ask(data, lambda node: node.audit_reports())
    if as_json:
        cli.print_json(balance)
    else:
        parties = [{"party": name, "reports": count} for name, count in sorted(balance.parties.items())]
        cli.print_rows(parties, columns=("party", "reports"), as_json=False, title=f"{balance.reports} reports")
        if balance.findings:
            rows = [row_of(finding) for finding in balance.findings]
            title = f"{balance.wrong} do not add up"
            cli.print_rows(rows, columns=("report_id", "rule", "mend"), as_json=False, title=title)
    if balance.wrong:
        raise typer.Exit(1)


def mount(program: typer.Typer) -> None:
    """Adds the commands to a program."""
    program.add_typer(app, name="reports")


def _print(reports: list[Report], as_json: bool) -> None:
    if as_json:
        cli.print_json(reports if len(reports) != 1 else reports[0])
        return
    rows = [row_of(report) | {"state": report.state.name.lower()} for report in reports]
    cli.print_rows(rows, columns=REPORT_COLUMNS, as_json=False)


def _words(file: Path) -> str:
    return (sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")).strip()


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        violation = Violation("item_digest", "ITEM_WRONG", "give 64 hexadecimal digits: the SHA-256 of the item")
        raise InvalidInput("that is no digest", "ITEM_WRONG", [violation]) from None


def _state(text: str) -> ReportState:
    states = {state.name.lower(): state for state in ReportState if state}
    if text and text not in states:
        raise typer.BadParameter(f"choose one of {', '.join(states)}", param_hint="--state")
    return states.get(text, ReportState.UNSPECIFIED)
