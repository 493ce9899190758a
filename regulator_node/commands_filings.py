"""The commands `regulator-node filings …`: search, count, export and decide, at a running node."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from regulator_node.export_files import COLUMNS, ExportForm, write_export
from regulator_node.filter_options import FilterOptions, named
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from regulator_node.verdict_files import read_verdicts
from shared import cli
from shared.channel import RemoteError
from shared.cli import AsJson
from shared.client.officer import Dimension, ExportPage, Filing, FilingOrder, Outcome, Verdict, VerdictResult

filings_app = typer.Typer(name="filings", help="The register: search, count, export and decide.", no_args_is_help=True)

SEARCH_COLUMNS: Final = (
    "filed_time",
    "jurisdiction",
    "provider",
    "account_id",
    "revision",
    "display_name",
    "category",
    "subject_kind",
    "organisation_name",
    "state",
)
HISTORY_COLUMNS: Final = (
    "revision",
    "filed_time",
    "effective_time",
    "display_name",
    "category",
    "state",
    "reason",
    "note",
    "log_index",
)
DIMENSIONS: Final = tuple(dimension.name.lower() for dimension in Dimension)
RESULT_COLUMNS: Final = ("provider", "account_id", "revision", "outcome", "result", "log_index", "error_message")

Jurisdiction = Annotated[str, typer.Option(help="Where filed: GB/T 2260, e.g. 330000.")]
Provider = Annotated[str, typer.Option(help="Provider, e.g. provider/wave.")]
Account = Annotated[str, typer.Option(help="Account: a UUID.")]


@dataclass(frozen=True, slots=True)
class OneVerdict:
    """The options of a single verdict; a group of options."""

    provider: Provider = ""
    account: Account = ""
    revision: Annotated[int, typer.Option(help="The revision that is decided.")] = 0
    accept: Annotated[bool, typer.Option("--accept", help="Accept it.")] = False
    send_back: Annotated[str, typer.Option("--return", metavar="REASON", help="Return it for this reason.")] = ""
    field: Annotated[list[str] | None, typer.Option(help="A field to correct; as often as needed.")] = None
    note: Annotated[str, typer.Option(help="What to mend, at most 200 characters.")] = ""
    etag: Annotated[str, typer.Option(help="Of the filing as you saw it: refused if it changed since.")] = ""

    def verdict(self) -> Verdict:
        """Returns the verdict.

        Raises:
            typer.BadParameter: something is missing.
        """
        account = (self.provider, self.account, self.revision)
        if not all(account) or self.accept == bool(self.send_back):
            raise typer.BadParameter(
                "give --provider, --account, --revision and either --accept or --return REASON; or --file",
                param_hint="--account",
            )
        outcome = Outcome.ACCEPTED if self.accept else Outcome.RETURNED
        return Verdict(*account, outcome, self.send_back, tuple(self.field or ()), self.note, self.etag)


def _row(filing: Filing) -> dict[str, object]:
    row = {column: getattr(filing, column) for column in COLUMNS}
    return row | {"subject_kind": filing.subject_kind.name.lower(), "state": filing.state.name.lower()}


@filings_app.command(
    epilog="Example: regulator-node filings search --data zhejiang --state filed --text 新闻 --limit 20"
)
@with_option_groups
def search(
    access: Access,
    chosen: FilterOptions,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Oldest first instead of newest.")] = False,
    limit: Annotated[int, typer.Option(help="Filings at most; 0 for all.", min=0)] = 50,
    as_json: AsJson = False,
) -> None:
    """Finds filings: the newest revision of each account, or the one that held at a time (--as-of)."""
    given = chosen.filter()
    order = FilingOrder.OLDEST_FIRST if oldest_first else FilingOrder.NEWEST_FIRST

    async def find() -> list[Filing]:
        found: list[Filing] = []
        async with access.client() as client:
            async for filing in client.search(given, order, page_size=min(limit, 500) or 500):
                found.append(filing)
                if len(found) == limit:
                    break
        return found

    cli.print_rows(list(map(_row, cli.wait_for(find()))), columns=SEARCH_COLUMNS, as_json=as_json)


@filings_app.command(epilog="Example: regulator-node filings stats --data nation --by subject_kind --by filed_month")
@with_option_groups
def stats(
    access: Access,
    chosen: FilterOptions,
    by: Annotated[list[str], typer.Option(help=f"Once or twice, of: {', '.join(DIMENSIONS)}.")],
    as_json: AsJson = False,
) -> None:
    """Counts filings by one or two dimensions; months are those of China Standard Time."""
    given = chosen.filter()
    dimensions = [dimension for name in by if (dimension := named(Dimension, name, "--by"))]

    async def count() -> list[dict[str, object]]:
        async with access.client() as client:
            rows = await client.statistics(dimensions, given)
        return [{**dict(zip(by, row.keys, strict=True)), "filings": row.count} for row in rows]

    cli.print_rows(cli.wait_for(count()), columns=[*by, "filings"], as_json=as_json)


@filings_app.command(
    epilog="Example: regulator-node filings history --data zhejiang --jurisdiction 330000 --provider provider/wave"
    " --account 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21"
)
@with_option_groups
def history(
    access: Access,
    jurisdiction: Jurisdiction,
    provider: Provider,
    account: Account,
    as_json: AsJson = False,
) -> None:
    """Lists every revision of one account's filing, newest first."""

    async def read() -> list[dict[str, object]]:
        async with access.client() as client:
            return [_row(filing) async for filing in client.history(jurisdiction, provider, account)]

    cli.print_rows(cli.wait_for(read()), columns=HISTORY_COLUMNS, as_json=as_json)


@filings_app.command(
    epilog="Example: regulator-node filings export --data nation --as-of 2026-01-01 --output filings.parquet"
    " --format parquet"
)
@with_option_groups
def export(
    access: Access,
    chosen: FilterOptions,
    output: Annotated[Path, typer.Option(help="The file; its SHA-256 goes beside it, to <file>.sha256.")],
    form: Annotated[
        ExportForm | None, typer.Option("--format", help="Kind of file; by default what the file's name ends with.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Exports all filings that match to a file, oldest first. Run again after an interruption, it goes on."""
    given, target = chosen.filter(), output.absolute()
    kind = form or (ExportForm.PARQUET if target.suffix == ".parquet" else ExportForm.CSV)

    async def write() -> dict[str, object]:
        async with access.client() as client:

            def pages(cursor: str) -> AsyncIterator[ExportPage]:
                return client.export(given, cursor=cursor)

            with cli.progress("exporting filings", None) as advance:
                what = f"{access.place} {given}"
                done = await write_export(pages, target, kind, export=what, advance=advance)
        return dataclasses.asdict(done)

    cli.print_rows([cli.wait_for(write())], columns=("path", "filings", "sha256"), as_json=as_json)


@filings_app.command(
    epilog="Examples:\n\nregulator-node filings decide --data zhejiang --provider provider/wave"
    " --account 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21 --revision 1 --return category_mismatch --field category\n\n"
    "regulator-node filings decide --data zhejiang --file verdicts.csv"
)
@with_option_groups
def decide(
    access: Access,
    one: OneVerdict,
    file: Annotated[Path | None, typer.Option(help="CSV of verdicts instead; see below.")] = None,
    request_id: Annotated[str, typer.Option(help="Of an earlier try whose answer was lost.")] = "",
    as_json: AsJson = False,
) -> None:
    """Decides on filings of the node's own jurisdiction; a decision is final for its revision.

    A CSV file has the columns provider, account_id, revision and outcome (accepted or returned), and where needed
    reason, fields, note and etag. Each verdict is judged by itself; if one is refused, the exit code is 1.
    """
    verdicts = read_verdicts(file) if file is not None else [one.verdict()]
    request = request_id or str(uuid.uuid4())

    async def send() -> list[VerdictResult]:
        async with access.client() as client:
            return await client.decide(verdicts, request_id=request)

    try:
        results = cli.wait_for(send())
    except RemoteError as error:
        if error.transient:
            typer.echo(f"it may have been decided: ask again with --request-id {request}", err=True)
        raise
    cli.print_rows(list(_result_rows(verdicts, results)), columns=RESULT_COLUMNS, as_json=as_json)
    if any(result.error_reason for result in results):
        raise typer.Exit(cli.FAILED)


def _result_rows(verdicts: Iterable[Verdict], results: Iterable[VerdictResult]) -> Iterable[dict[str, object]]:
    for verdict, result in zip(verdicts, results, strict=True):
        yield {
            "provider": verdict.provider,
            "account_id": verdict.account_id,
            "revision": verdict.revision,
            "outcome": verdict.outcome.name.lower(),
            "result": result.error_reason or "decided",
            "log_index": result.log_index,
            "error_message": result.error_message,
        }


@filings_app.command(
    epilog="Example: regulator-node filings receipt --data zhejiang --jurisdiction 330000 --log-index 17"
    " --output 17.receipt"
)
@with_option_groups
def receipt(
    access: Access,
    jurisdiction: Jurisdiction,
    log_index: Annotated[int, typer.Option(help="Index of the filing in that log, from 0.", min=0)],
    output: Annotated[Path, typer.Option(help="The file, to be verified offline by filing-verify.")],
) -> None:
    """Fetches the receipt of one filing: the offline proof that it is in the log."""

    async def fetch() -> bytes:
        async with access.client() as client:
            return await client.receipt(jurisdiction, log_index)

    proof = cli.wait_for(fetch())
    output.write_bytes(proof)
    typer.echo(f"{output}: {len(proof)} bytes; verify it with filing-verify receipt {output} --keys FILE")
