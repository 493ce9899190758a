"""Commands about accounts and their filings."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated

import typer

from provider_node.commands import AsJson, DataFolder, ask, reference_of, row_of
from provider_node.import_files import read_rows
from shared import cli
from shared.client.provider import (
    Account,
    FilingState,
    FilingStatus,
    ImportResult,
    ProviderClient,
    WithdrawalReason,
)

app = typer.Typer(help="Opens, reviews, files and lists accounts.", no_args_is_help=True)

AccountId = Annotated[str, typer.Argument(help="The account's id.")]
ACCOUNT_COLUMNS = ("account_id", "display_name", "category", "review", "filing", "reason", "withdrawn", "open_time")
FILING_COLUMNS = ("revision", "action", "state", "reason", "note", "mend", "log_index", "created_time")


@app.command(
    epilog="Example: provider-node accounts open --data wave 00112233445566778899aabbccddeeff 样例号 education"
)
def open(  # noqa: A001 - the command's name
    data: DataFolder,
    reference: Annotated[str, typer.Argument(help="The subject's reference.")],
    display_name: Annotated[str, typer.Argument(help="The public name.")],
    category: Annotated[str, typer.Argument(help="A category code of the policy in force.")],
    as_json: AsJson = False,
) -> None:
    """Opens an account; nothing is filed before a review passes it."""
    subject = reference_of(reference)
    account = ask(data, lambda node: node.open_account(subject, display_name=display_name, category=category))
    _print([account], as_json)


@app.command(epilog="Example: provider-node accounts review --data wave 5f0c…  --passed")
def review(
    data: DataFolder,
    account_id: AccountId,
    passed: Annotated[bool, typer.Option("--passed/--failed", help="The outcome.")],
    reason: Annotated[str, typer.Option(help="Why it failed.")] = "",
    as_json: AsJson = False,
) -> None:
    """Records the provider's review; one that passed files the account."""
    _print([ask(data, lambda node: node.review_account(account_id, passed=passed, reason=reason))], as_json)


@app.command(epilog="Example: provider-node accounts amend --data wave 5f0c… --category science_technology")
def amend(
    data: DataFolder,
    account_id: AccountId,
    display_name: Annotated[str, typer.Option(help="The new public name.")] = "",
    category: Annotated[str, typer.Option(help="The new category.")] = "",
    as_json: AsJson = False,
) -> None:
    """Changes the public record and files the next revision."""
    account = ask(data, lambda node: node.amend_account(account_id, display_name=display_name, category=category))
    _print([account], as_json)


@app.command(epilog="Example: provider-node accounts withdraw --data wave 5f0c… --reason owner_request")
def withdraw(
    data: DataFolder,
    account_id: AccountId,
    reason: Annotated[str, typer.Option(help="owner_request, closed or filed_in_error.")],
    as_json: AsJson = False,
) -> None:
    """Withdraws an account from the register; final."""
    why = {each.name.lower(): each for each in WithdrawalReason if each}.get(reason)
    if why is None:
        raise typer.BadParameter("choose owner_request, closed or filed_in_error", param_hint="--reason")
    _print([ask(data, lambda node: node.withdraw_account(account_id, why))], as_json)


@app.command("list", epilog="Example: provider-node accounts list --data wave --state returned")
def list_accounts(
    data: DataFolder,
    state: Annotated[str, typer.Option(help="Only accounts whose newest filing is in this state.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most accounts to print.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists accounts in order of opening."""
    wanted = _state(state)

    async def question(node: ProviderClient) -> list[Account]:
        found: list[Account] = []
        async for account in node.accounts(wanted):
            found.append(account)
            if len(found) == limit:
                break
        return found

    accounts = ask(data, question)
    if as_json:
        cli.print_json(accounts)
    else:
        _print(accounts, as_json=False)


@app.command(epilog="Example: provider-node accounts show --data wave 5f0c…")
def show(data: DataFolder, account_id: AccountId, as_json: AsJson = False) -> None:
    """Shows an account with its newest filing."""
    _print([ask(data, lambda node: node.get_account(account_id))], as_json)


@app.command(epilog="Example: provider-node accounts history --data wave 5f0c…")
def history(data: DataFolder, account_id: AccountId, as_json: AsJson = False) -> None:
    """Lists every filing of an account, newest first, with what to mend."""

    async def question(node: ProviderClient) -> list[FilingStatus]:
        return [filing async for filing in node.filings(account_id)]

    filings = ask(data, question)
    if as_json:
        cli.print_json(filings)
        return
    cli.print_rows([_filing_row(filing) for filing in filings], columns=FILING_COLUMNS, as_json=False)


@app.command("import", epilog="Example: provider-node accounts import --data wave accounts.csv")
def import_accounts(
    data: DataFolder,
    file: Annotated[
        Path, typer.Argument(help="CSV with subject_reference, display_name, category, reviewed_time; - for stdin.")
    ],
    import_id: Annotated[str, typer.Option(help="A UUID; give it again to go on with an import.")] = "",
    as_json: AsJson = False,
) -> None:
    """Opens and files many reviewed accounts; a bad row fails no other. Exit code 1 if a row was refused."""
    name = import_id or str(uuid.uuid4())
    with cli.progress("importing", None) as advance:
        reached = 0

        def tell(number: int) -> None:
            nonlocal reached
            advance(number - reached)
            reached = number

        async def question(node: ProviderClient) -> ImportResult:
            return await node.import_accounts(name, read_rows(file), on_progress=tell)

        try:
            result = ask(data, question)
        except BaseException:
            typer.echo(f"to go on with this import: --import-id {name}", err=True)
            raise
    _print_import(result, as_json)
    if result.failed:
        raise typer.Exit(cli.FAILED)


def _print_import(result: ImportResult, as_json: bool) -> None:
    if as_json:
        cli.print_json(result)
        return
    typer.echo(
        f"import {result.import_id}: {result.imported} imported, {result.already_imported} were already,"
        f" {result.failed} refused"
    )
    rows: list[dict[str, object]] = [
        {
            "row": failure.row,
            "reason": failure.reason,
            "mend": [f"{each.field}: {each.mend}" for each in failure.violations],
        }
        for failure in result.failures
    ]
    if rows:
        cli.print_rows(rows, columns=("row", "reason", "mend"), as_json=False)


def _print(accounts: list[Account], as_json: bool) -> None:
    if as_json:
        cli.print_json(accounts if len(accounts) != 1 else accounts[0])
        return
    cli.print_rows([_account_row(account) for account in accounts], columns=ACCOUNT_COLUMNS, as_json=False)


def _account_row(account: Account) -> dict[str, object]:
    filing = account.filing
    return row_of(account) | {
        "review": account.review_outcome.name.lower() if account.review_outcome else "",
        "filing": f"{filing.revision} {filing.state.name.lower()}" if filing else "",
        "reason": filing.reason if filing else account.review_reason,
    }


def _filing_row(filing: FilingStatus) -> dict[str, object]:
    return row_of(filing) | {
        "action": filing.action.name.lower(),
        "state": filing.state.name.lower(),
        "mend": [f"{each.field}: {each.mend}" for each in filing.violations],
    }


def _state(text: str) -> FilingState:
    if not text:
        return FilingState.UNSPECIFIED
    try:
        return FilingState[text.upper()]
    except KeyError:
        states = ", ".join(state.name.lower() for state in FilingState if state)
        raise typer.BadParameter(f"choose one of {states}", param_hint="--state") from None
