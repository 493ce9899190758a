"""Commands about the node itself: its state, deliveries, audit trail, keys and receipts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from provider_node.commands import AsJson, DataFolder, ask, reference_of, row_of
from provider_node.evidence_files import WrittenEvidence, write_evidence
from provider_node.master_key import add_master_key_version, load_master_keys
from provider_node.settings import ProviderSettings
from provider_node.vault import open_vault
from shared import cli
from shared.client.provider import AuditEntry, EvidenceKind, EvidencePiece, NodeStatus, ProviderClient
from shared.errors import FailedPrecondition

receipts = typer.Typer(help="Reads receipts.", no_args_is_help=True)
evidence = typer.Typer(help="Writes down all that the node can prove.", no_args_is_help=True)
outbox = typer.Typer(help="Sees to what waits for the regulator.", no_args_is_help=True)
audit = typer.Typer(help="Shows who touched identities.", no_args_is_help=True)
keys = typer.Typer(help="Writes down the network's public keys.", no_args_is_help=True)
master_key = typer.Typer(help="Sees to the vault's master key.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--output", help="The folder to write; nothing may be there yet.")]
Output = Annotated[Path | None, typer.Option(help="The file to write; stdout if left out.")]
DESTINATION_COLUMNS = ("name", "queued", "parked", "oldest_time", "last_success_time", "attempts", "last_error")
EVIDENCE_COLUMNS = ("path", "sent", "final", "refused", "waiting", "directives")
AUDIT_COLUMNS = ("number", "time", "action", "reference", "purpose", "reader")


def mount(app: typer.Typer) -> None:
    """Adds these commands to the program."""
    app.command(epilog="Example: provider-node status --data wave")(status)
    app.add_typer(receipts, name="receipt")
    app.add_typer(evidence, name="evidence")
    app.add_typer(outbox, name="outbox")
    app.add_typer(audit, name="audit")
    app.add_typer(keys, name="keys")
    app.add_typer(master_key, name="master-key")


def status(data: DataFolder, as_json: AsJson = False) -> None:
    """Shows the node's state and how delivery stands."""
    found = ask(data, lambda node: node.status())
    if as_json:
        cli.print_json(found)
        return
    typer.echo(
        f"{found.name} in {found.jurisdiction}, software {found.software_version}: {found.accounts} accounts,"
        f" directory {found.directory_version}, policy {found.policy_version},"
        f" certificate until {found.certificate_expire_time:%Y-%m-%d %H:%M} UTC"
    )
    typer.echo(f"{found.state.name.lower()}; {_licence_line(found)}")
    for warning in found.warnings:
        typer.echo(f"{warning.rule}: {warning.mend}")
    if found.simulated_time is not None:
        typer.echo(f"its time is simulated: it takes it for {found.simulated_time:%Y-%m-%d %H:%M} UTC")
    rows = [row_of(destination) for destination in found.destinations]
    cli.print_rows(rows, columns=DESTINATION_COLUMNS, as_json=False)


def _licence_line(found: NodeStatus) -> str:
    if found.licence_end_time is None:
        return "no licence in the directory: have the nation enter it, nothing can be filed before"
    return f"licence {found.licence_number} until {found.licence_end_time:%Y-%m-%d %H:%M} UTC"


@receipts.command("get", epilog="Example: provider-node receipt get --data wave 5f0c… --output wave.receipt")
def get_receipt(
    data: DataFolder,
    account_id: Annotated[str, typer.Argument(help="The account's id.")],
    output: Annotated[Path, typer.Option(help="The file to write, for filing-verify.")],
    revision: Annotated[int, typer.Option(min=0, help="Which filing; 0 for the newest that has a receipt.")] = 0,
) -> None:
    """Writes the receipt of a filing: the offline proof that it is in the regulator's log."""
    output.write_bytes(ask(data, lambda node: node.receipt(account_id, revision)))
    typer.echo(f"check it: filing-verify receipt {output} --keys KEYS")


@receipts.command("export", epilog="Example: provider-node receipt export --data wave --output wave-receipts")
def export_receipts(data: DataFolder, output: Folder, as_json: AsJson = False) -> None:
    """Writes every receipt that the node has to a folder, each as a file for filing-verify, with the key ring."""
    _export(data, output, (EvidenceKind.SENT, EvidenceKind.DIRECTIVE), as_json)


@evidence.command("export", epilog="Example: provider-node evidence export --data wave --output wave-evidence")
def export_evidence(data: DataFolder, output: Folder, as_json: AsJson = False) -> None:
    """Writes all that the node can prove to a folder: what it stated, what was refused, and what regulators told it.

    Check it: filing-verify evidence FOLDER --keys KEYS
    """
    _export(data, output, tuple(EvidenceKind), as_json)


def _export(data: Path, output: Path, kinds: Sequence[EvidenceKind], as_json: bool) -> None:
    target = output.absolute()

    async def write(node: ProviderClient) -> WrittenEvidence:
        key_ring = await node.key_ring()
        with cli.progress("exporting evidence", None) as advance:

            async def pieces() -> AsyncIterator[EvidencePiece]:
                async for piece, _ in node.evidence():
                    yield piece

            return await write_evidence(pieces(), key_ring, target, kinds=kinds, advance=advance)

    cli.print_rows([row_of(ask(data, write))], columns=EVIDENCE_COLUMNS, as_json=as_json)


@outbox.command(epilog="Example: provider-node outbox replay --data wave 5f0c…")
def replay(data: DataFolder, account_id: Annotated[str, typer.Argument(help="The account's id.")]) -> None:
    """Queues the refused and parked filings of an account again, as they are."""
    typer.echo(f"{ask(data, lambda node: node.replay(account_id))} filings queued")


@audit.command("list", epilog="Example: provider-node audit list --data wave --limit 20")
def list_audit(
    data: DataFolder,
    reference: Annotated[str, typer.Option(help="Only of this subject.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most entries to print.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Lists who touched identities, newest first."""
    subject = reference_of(reference) if reference else b""

    async def question(node: ProviderClient) -> list[AuditEntry]:
        found: list[AuditEntry] = []
        async for entry in node.audit(subject):
            found.append(entry)
            if len(found) == limit:
                break
        return found

    cli.print_rows([row_of(entry) for entry in ask(data, question)], columns=AUDIT_COLUMNS, as_json=as_json)


@keys.command(epilog="Example: provider-node keys export --data wave --output keys.json")
def export(data: DataFolder, output: Output = None) -> None:
    """Writes the public keys of the network's nodes, for filing-verify."""
    text = ask(data, lambda node: node.key_ring())
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")


@master_key.command(epilog="Example: provider-node master-key rotate --data wave")
def rotate(data: DataFolder) -> None:
    """Adds a new version of the master key to its file, and wraps every data key under it if the node is stopped."""
    settings = ProviderSettings.load(data)
    source = settings.master_key_source
    if not source.startswith("file:"):
        raise FailedPrecondition(
            "the master key is not in a file: add a version where it is kept, then start the node again",
            "MASTER_KEY_ELSEWHERE",
        )
    version = add_master_key_version(Path(source.removeprefix("file:")))
    try:
        cli.wait_for(open_vault(settings.vault_folder, load_master_keys(source)).close())
    except FailedPrecondition as error:
        if error.reason != "FOLDER_IN_USE":
            raise
        typer.echo(f"version {version} was added: start the node again, and it wraps every data key under it")
        return
    typer.echo(f"version {version} was added and wraps every data key: older lines of the file can go")
