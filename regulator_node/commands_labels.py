"""The commands `regulator-node labels …`, for officers, and `regulator-node public …`, for anybody, at a running node."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from regulator_node.filter_options import named, time_of
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from shared import cli
from shared.channel import RemoteError
from shared.cli import AsJson
from shared.client.officer import (
    Label,
    LabelBasis,
    LabelFilter,
    LabelOutcome,
    LabelScope,
    LabelState,
    LabelVerdict,
    LabelVerdictResult,
)
from shared.client.public import CheckedLabel, LabelStanding, PublicClient
from shared.trust.names import NATION

labels_app = typer.Typer(name="labels", help="News labels: search, decide, history.", no_args_is_help=True)
public_app = typer.Typer(
    name="public", help="What anybody may ask of a node, without credentials.", no_args_is_help=True
)

SEARCH_COLUMNS: Final = (
    "end_time",
    "jurisdiction",
    "provider",
    "display_name",
    "basis",
    "licence_number",
    "scope",
    "state",
    "revision",
    "grant_id",
)
HISTORY_COLUMNS: Final = (
    "revision",
    "filed_time",
    "action",
    "scope",
    "start_time",
    "end_time",
    "state",
    "reason",
    "note",
    "log_index",
)
RESULT_COLUMNS: Final = ("provider", "grant_id", "revision", "outcome", "result", "log_index", "error_message")
CHECK_COLUMNS: Final = (
    "standing",
    "display_name",
    "subject_name",
    "licence_number",
    "licence_class",
    "scope",
    "end_time",
)
OUTCOMES: Final = {
    "approve": LabelOutcome.APPROVED,
    "refuse": LabelOutcome.REFUSED,
    "object": LabelOutcome.OBJECTED,
    "revoke": LabelOutcome.REVOKED,
}

_BASES: Final = ", ".join(basis.name.lower() for basis in LabelBasis if basis)
_STATES: Final = ", ".join(state.name.lower() for state in LabelState if state)
_SCOPES: Final = " or ".join(scope.name.lower() for scope in LabelScope if scope)

Provider = Annotated[str, typer.Option(help="Provider, e.g. provider/wave.")]
Grant = Annotated[str, typer.Option(help="Grant: a UUID.")]


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """The options that say which grants a command is about; a group of options. What is left out does not filter."""

    jurisdiction: Annotated[str, typer.Option(help="Where filed: GB/T 2260, 330000.")] = ""
    provider: Provider = ""
    account: Annotated[str, typer.Option(help="Account: a UUID.")] = ""
    basis: Annotated[str, typer.Option(help=f"Of: {_BASES}.")] = ""
    state: Annotated[str, typer.Option(help=f"Of: {_STATES}.")] = ""
    end_before: Annotated[str, typer.Option(metavar="TIME", help="Ends before this time, e.g. 2026-01-31.")] = ""

    def filter(self) -> LabelFilter:
        """Returns the filter.

        Raises:
            typer.BadParameter: a value cannot be read.
        """
        return LabelFilter(
            jurisdiction=self.jurisdiction,
            provider=self.provider,
            account_id=self.account,
            basis=named(LabelBasis, self.basis, "--basis") or LabelBasis.UNSPECIFIED,
            state=named(LabelState, self.state, "--state") or LabelState.UNSPECIFIED,
            end_before=time_of(self.end_before, "--end-before"),
        )


@dataclass(frozen=True, slots=True)
class OneLabelVerdict:
    """The options of a verdict; a group of options."""

    provider: Provider
    grant: Grant
    revision: Annotated[int, typer.Option(help="The revision that is decided.")]
    outcome: Annotated[str, typer.Option(help=f"Of: {', '.join(OUTCOMES)}.")]
    reason: Annotated[str, typer.Option(help="Code of a label reason; none when approved.")] = ""
    scope: Annotated[str, typer.Option(help=f"Approved: {_SCOPES}.")] = ""
    end: Annotated[str, typer.Option(metavar="TIME", help="Approved until this time, e.g. 2026-01-31.")] = ""
    note: Annotated[str, typer.Option(help="What to mend, at most 200 characters.")] = ""
    etag: Annotated[str, typer.Option(help="Of the grant as you saw it: refused if it changed since.")] = ""

    def verdict(self) -> LabelVerdict:
        """Returns the verdict.

        Raises:
            typer.BadParameter: a value cannot be read, or an approval lacks scope or end.
        """
        if self.outcome not in OUTCOMES:
            raise typer.BadParameter(f"choose one of {', '.join(OUTCOMES)}", param_hint="--outcome")
        outcome = OUTCOMES[self.outcome]
        scope = named(LabelScope, self.scope, "--scope") or LabelScope.UNSPECIFIED
        end_time = time_of(self.end, "--end")
        if outcome == LabelOutcome.APPROVED and not (scope and end_time):
            raise typer.BadParameter("an approval needs --scope and --end", param_hint="--scope")
        place = (self.provider, self.grant, self.revision)
        return LabelVerdict(*place, outcome, scope, end_time, self.reason, self.note, self.etag)


def _row(label: Label) -> dict[str, object]:
    names = {*SEARCH_COLUMNS, *HISTORY_COLUMNS, "account_id", "etag"} - {"basis", "scope", "state", "action"}
    row: dict[str, object] = {name: getattr(label, name) for name in sorted(names)}
    return row | {name: getattr(label, name).name.lower() for name in ("basis", "scope", "state", "action")}


@labels_app.command(epilog="Example: regulator-node labels search --data zhejiang --state asked --limit 20")
@with_option_groups
def search(
    access: Access,
    chosen: LabelOptions,
    limit: Annotated[int, typer.Option(help="Grants at most; 0 for all.", min=0)] = 50,
    as_json: AsJson = False,
) -> None:
    """Finds grants of labels, those first that end first."""
    given = chosen.filter()

    async def find() -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        async with access.client() as client:
            async for label in client.search_labels(given, page_size=min(limit, 500) or 500):
                found.append(_row(label))
                if len(found) == limit:
                    break
        return found

    cli.print_rows(cli.wait_for(find()), columns=SEARCH_COLUMNS, as_json=as_json)


@labels_app.command(
    epilog="Example: regulator-node labels history --data zhejiang --jurisdiction 330000 --provider provider/wave"
    " --grant 2b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00"
)
@with_option_groups
def history(
    access: Access,
    jurisdiction: Annotated[str, typer.Option(help="Where filed: GB/T 2260, e.g. 330000.")],
    provider: Provider,
    grant: Grant,
    as_json: AsJson = False,
) -> None:
    """Lists everything that was stated of one grant, newest first."""

    async def read() -> list[dict[str, object]]:
        async with access.client() as client:
            return [_row(label) for label in await client.label_revisions(jurisdiction, provider, grant)]

    cli.print_rows(cli.wait_for(read()), columns=HISTORY_COLUMNS, as_json=as_json)


@labels_app.command(
    epilog="Examples:\n\nregulator-node labels decide --data zhejiang --provider provider/wave"
    " --grant 2b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00 --revision 1 --outcome approve --scope reprint --end 2026-12-31\n\n"
    "regulator-node labels decide --data zhejiang --provider provider/wave"
    " --grant 2b0c9f1e-8f6a-4c7b-9b1d-0a4f3d2c1b00 --revision 2 --outcome revoke --reason licence_revoked"
)
@with_option_groups
def decide(
    access: Access,
    one: OneLabelVerdict,
    request_id: Annotated[str, typer.Option(help="Of an earlier try whose answer was lost.")] = "",
    as_json: AsJson = False,
) -> None:
    """Decides on a grant of the node's own jurisdiction: approve or refuse what was asked for, object, revoke."""
    verdicts = [one.verdict()]
    request = request_id or str(uuid.uuid4())

    async def send() -> list[LabelVerdictResult]:
        async with access.client() as client:
            return await client.decide_labels(verdicts, request_id=request)

    try:
        results = cli.wait_for(send())
    except RemoteError as error:
        if error.transient:
            typer.echo(f"it may have been decided: ask again with --request-id {request}", err=True)
        raise
    cli.print_rows(list(_result_rows(verdicts, results)), columns=RESULT_COLUMNS, as_json=as_json)
    if any(result.error_reason for result in results):
        raise typer.Exit(cli.FAILED)


def _result_rows(
    verdicts: Iterable[LabelVerdict], results: Iterable[LabelVerdictResult]
) -> Iterable[dict[str, object]]:
    for verdict, result in zip(verdicts, results, strict=True):
        yield {
            "provider": verdict.provider,
            "grant_id": verdict.grant_id,
            "revision": verdict.revision,
            "outcome": verdict.outcome.name.lower(),
            "result": result.error_reason or "decided",
            "log_index": result.log_index,
            "error_message": result.error_message,
        }


@public_app.command(
    "check-label",
    epilog="Example: regulator-node public check-label --address zhejiang.example:7401 --ca network.pem"
    " --node regulator/330000 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21",
)
def check_label(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, as its page shows it.")],
    address: Annotated[str, typer.Option(metavar="HOST:PORT", help="The node's public listener.")],
    ca: Annotated[Path, typer.Option(help="The network's CA certificates.")],
    node: Annotated[str, typer.Option(help="Whose node it is.")] = NATION,
    as_json: AsJson = False,
) -> None:
    """Says whether an account's news label is genuine. The exit code is 1 where it is not."""

    async def check() -> CheckedLabel:
        async with PublicClient(address, ca=ca.read_text("utf-8"), server_name=node) as client:
            return await client.check_label(account)

    label = cli.wait_for(check())
    row: dict[str, object] = {name: getattr(label, name) for name in (*CHECK_COLUMNS, "max_age_seconds")}
    row |= {name: getattr(label, name).name.lower() for name in ("standing", "scope")}
    cli.print_rows([row], columns=CHECK_COLUMNS, as_json=as_json)
    if label.standing != LabelStanding.GENUINE:
        raise typer.Exit(cli.FAILED)
