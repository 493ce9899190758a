"""The commands `regulator-node log …`: a log and its signed heads as files, for an audit that needs no node."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from regulator_node.log_files import WrittenLog, write_log
from regulator_node.officer_access import Access
from regulator_node.option_groups import with_option_groups
from shared import cli
from shared.cli import AsJson
from shared.client.officer import LogHead, LogPage
from shared.errors import InvalidInput, Violation
from shared.evidence.checkpoints import Checkpoint
from shared.evidence.hashing import ProofError
from shared.evidence.notes import parse_note

log_app = typer.Typer(name="log", help="Logs and their signed heads as files, for filing-verify.", no_args_is_help=True)

Jurisdiction = Annotated[str, typer.Option(help="Whose log, e.g. 330000; the node's own if left out.")]


@log_app.command(
    epilog="Examples:\n\nregulator-node log export --data zhejiang --output zhejiang.log\n\n"
    "regulator-node log export --data nation --jurisdiction 330000 --from-index 120000 --output later.log"
)
@with_option_groups
def export(
    access: Access,
    output: Annotated[Path, typer.Option(help="The file. One that is there already is continued where it ends.")],
    jurisdiction: Jurisdiction = "",
    from_index: Annotated[int, typer.Option(help="First index of a new file: where an earlier one ended.", min=0)] = 0,
    until: Annotated[int, typer.Option(help="Begin no run at or beyond this index; 0 for all.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Writes a whole log, or what follows an index, to one file. Run again, also after a break, it goes on.

    Check it: filing-verify log FILE --jurisdiction 330000 --keys KEYS --checkpoint NOTE
    """

    async def write() -> WrittenLog:
        async with access.client() as client:
            head = await client.log_head(jurisdiction)
            whose = Checkpoint.decode(parse_note(head.checkpoint).text).jurisdiction

            def pages(index: int) -> AsyncIterator[LogPage]:
                return client.export_log(whose, from_index=index)

            with cli.progress("exporting the log", max(0, (until or head.size) - from_index)) as advance:
                return await write_log(
                    pages,
                    output.absolute(),
                    whose,
                    from_index=from_index,
                    until=until,
                    advance=lambda steps, _: advance(steps),
                )

    done = cli.wait_for(write())
    cli.print_rows([dataclasses.asdict(done)], columns=("path", "first_index", "size", "new_entries"), as_json=as_json)


@log_app.command(
    epilog="Examples:\n\nregulator-node log checkpoint --data zhejiang --output monday.note\n\n"
    "regulator-node log checkpoint --data zhejiang --output friday.note --since monday.note --proof proof.txt"
)
@with_option_groups
def checkpoint(
    access: Access,
    output: Annotated[Path, typer.Option(help="The file: a C2SP signed note.")],
    jurisdiction: Jurisdiction = "",
    cosigned: Annotated[
        bool, typer.Option("--cosigned", help="The newest head that another regulator cosigned.")
    ] = False,
    since: Annotated[Path | None, typer.Option(help="An older checkpoint that it is to be proven to continue.")] = None,
    proof: Annotated[Path | None, typer.Option(help="With --since: the file for the proof.")] = None,
    as_json: AsJson = False,
) -> None:
    """Writes the newest signed head of a log, with its cosignatures; and the proof that it continues an older one.

    Check it: filing-verify checkpoints OLD NEW --proof PROOF --keys KEYS
    """
    if (since is None) != (proof is None):
        raise typer.BadParameter("give --since FILE and --proof FILE together", param_hint="--since")
    old_size = _size_of(since) if since is not None else 0

    async def read() -> LogHead:
        async with access.client() as client:
            return await client.log_head(jurisdiction, old_size=old_size, cosigned=cosigned)

    head = cli.wait_for(read())
    output.write_bytes(head.checkpoint)
    if proof is not None:
        proof.write_bytes(b"".join(base64.b64encode(each) + b"\n" for each in head.consistency_path))
    row = {"path": str(output), "size": head.size, "cosigned_size": head.cosigned_size, "proof": str(proof or "")}
    cli.print_rows([row], columns=("path", "size", "cosigned_size", "proof"), as_json=as_json)


def _size_of(note: Path) -> int:
    try:
        return Checkpoint.decode(parse_note(note.read_bytes()).text).size
    except ProofError as error:
        violation = Violation("since", "CHECKPOINT_UNREADABLE", "give a checkpoint as log checkpoint writes it")
        raise InvalidInput(f"{note}: {error}", "CHECKPOINT_UNREADABLE", [violation]) from error
