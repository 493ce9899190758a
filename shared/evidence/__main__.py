"""filing-verify: checks evidence offline, with pinned keys and nothing else.

Any court or auditor can run it: it opens no socket and no database. What it says has two parts, what was proven and
what was not, because a true signature proves who stated something and never that it is so. Exit codes: 0 proven, 1
refuted, 2 not to be judged (a file is damaged, a key is missing, or the command was wrong).
"""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from shared.cli import AsJson, print_json, run
from shared.evidence.checkpoints import SignedHead, parse_head
from shared.evidence.disposals import MAX_PROOF_BYTES, verify_disposal
from shared.evidence.forks import MAX_FORK_BYTES, verify_fork
from shared.evidence.hashing import ProofError, UnusableProof
from shared.evidence.kept_evidence import verify_folder
from shared.evidence.keyring import KeyRing
from shared.evidence.merkle import verify_consistency
from shared.evidence.names import log_origin
from shared.evidence.receipts import MAX_RECEIPT_BYTES, verify_receipt
from shared.evidence.runs import read_runs
from shared.evidence.verdict_words import (
    DISPOSAL_LIMITS,
    FORK_LIMITS,
    RECEIPT_LIMITS,
    disposal_facts,
    disposal_words,
    fork_facts,
    fork_words,
    receipt_facts,
    receipt_limits,
    receipt_words,
)
from shared.evidence.whole_logs import verify_log
from shared.pb.filingnet.network.v1 import evidence_pb2

REFUTED: Final = 1
UNUSABLE: Final = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)

Keys = Annotated[Path, typer.Option("--keys", help="Key ring file, exported from a node you trust.")]


@app.command()
def receipt(file: Annotated[Path, typer.Argument(help="Receipt file.")], keys: Keys, as_json: AsJson = False) -> None:
    """Verifies a receipt: that its origin stated the entry, and that the regulator's log held it.

    Example: filing-verify receipt account.receipt --keys keys.json
    """
    with _Judgement(as_json) as judgement:
        verified = verify_receipt(_read(file, MAX_RECEIPT_BYTES + 1), _ring(keys))
        judgement.proven(receipt_facts(verified), receipt_words(verified), receipt_limits(verified))


@app.command()
def checkpoints(
    old: Annotated[Path, typer.Argument(help="The older checkpoint, a signed note.")],
    new: Annotated[Path, typer.Argument(help="The newer checkpoint, a signed note.")],
    keys: Keys,
    proof: Annotated[Path | None, typer.Option(help="Consistency proof: one base64 hash a line.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verifies that of two signed checkpoints of one log the newer continues the older.

    Two heads of one size with different roots are refuted without a proof: no log can have both.

    Example: filing-verify checkpoints monday.note friday.note --proof proof.txt --keys keys.json
    """
    with _Judgement(as_json) as judgement:
        ring = _ring(keys)
        older, newer = _head(old, ring).checkpoint, _head(new, ring).checkpoint
        if older.origin != newer.origin:
            raise UnusableProof("The two checkpoints are of different logs; give two of one log.")
        path = _hashes(proof) if proof is not None else []
        verify_consistency(older.size, newer.size, path, older.root, newer.root)
        facts = {"log": older.origin, "old_size": older.size, "new_size": newer.size}
        words = [f"{newer.origin} at {newer.size:,} entries begins with all it had at {older.size:,} entries."]
        judgement.proven(facts, words, ["What any of the entries says, and that the log has no other face elsewhere."])


@app.command("log")
def whole_log(
    files: Annotated[
        list[Path], typer.Argument(help="Exported log: runs from the first entry on, in one file or more.")
    ],
    jurisdiction: Annotated[str, typer.Option(help="Whose log it must be, e.g. 330000.")],
    keys: Keys,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A signed head that must be one of this log; as often as needed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verifies an exported log: every entry's origin, and every signed head on the way.

    A checkpoint that is kept elsewhere shows also what was cut off the end, or rewritten and signed anew.

    Example: filing-verify log zhejiang.log --jurisdiction 330000 --keys keys.json --checkpoint friday.note
    """
    with _Judgement(as_json) as judgement:
        ring = _ring(keys)
        heads = {note: _head(note, ring) for note in checkpoint or []}
        log = verify_log((run for file in files for run in _runs(file)), jurisdiction, ring, heads)
        facts = {"log": log_origin(jurisdiction), "size": log.size, "heads": log.heads, "root": log.root}
        facts["disposed"] = log.disposed
        words = [f"Each of the {log.size:,} entries was stated by its origin; {log.heads:,} signed heads lead to them."]
        words += [
            f"{note} is a head of this log, at {head.checkpoint.size:,} entries{_cosigners(head)}."
            for note, head in heads.items()
        ]
        limits = ["What any of the entries says, and when it entered the log: that time is signed by nobody."]
        if log.disposed:
            words.append(
                f"{log.disposed:,} of them are disposed of, each under a regulator's certificate: their places in the"
                " tree and in their origins' batches stand."
            )
            limits.append(f"What the {log.disposed:,} entries said that are disposed of: their bytes are gone.")
        if not any(head.checkpoint.size == log.size for head in heads.values()):
            limits.append("That the log does not go on after the last entry of this file.")
        judgement.proven(facts | {"checkpoints": [str(note) for note in heads]}, words, limits)


@app.command()
def evidence(
    folder: Annotated[Path, typer.Argument(help="Folder that provider-node evidence export wrote.")],
    keys: Keys,
    as_json: AsJson = False,
) -> None:
    """Verifies all that a provider kept: what it stated, what was refused, and what regulators told it.

    Example: filing-verify evidence wave-evidence --keys keys.json
    """
    with _Judgement(as_json) as judgement:
        found = verify_folder(folder, _ring(keys))
        for path, error in found.failures:
            judgement.failing(str(path), str(error))
        if found.failures:
            error = next(
                (each for _, each in found.failures if not isinstance(each, UnusableProof)), found.failures[0][1]
            )
            count = len(found.failures)
            message = (
                f"{count:,} of {found.files:,} files are not proven; the first one: {found.failures[0][0]}: {error}"
            )
            raise type(error)(message)
        words = [f"{found.sent:,} entries were stated and are in their regulator's log; {found.final:,} are cosigned."]
        words += [f"{found.directives:,} directives were stated by their regulators and are in their logs."]
        words += [f"{found.refused:,} entries were refused by their regulator, with its signature."]
        limits = [f"Anything of the {found.waiting:,} entries that no regulator acknowledged yet.", *RECEIPT_LIMITS]
        judgement.proven({"folder": str(folder), **found.counts()}, words, limits)


@app.command()
def disposal(
    file: Annotated[Path, typer.Argument(help="Certificate of disposal.")],
    keys: Keys,
    record: Annotated[str, typer.Option(help="A record that it must be about: its id.")] = "",
    as_json: AsJson = False,
) -> None:
    """Verifies a certificate of disposal: that the node stated it, and which records it is about (Art. 8(2)).

    Example: filing-verify disposal disposal-1.certificate --keys keys.json
    """
    with _Judgement(as_json) as judgement:
        verified = verify_disposal(_read(file, MAX_PROOF_BYTES + 1), _ring(keys).lookup)
        if record and record.lower() not in {each.record_id for each in verified.records}:
            raise ProofError("That record is not among those of this file.")
        judgement.proven(disposal_facts(verified), disposal_words(verified), DISPOSAL_LIMITS)


@app.command()
def fork(
    file: Annotated[Path, typer.Argument(help="File that a node wrote beside an alarm.")],
    keys: Keys,
    as_json: AsJson = False,
) -> None:
    """Verifies that a regulator signed two heads of its log that cannot both be true.

    Example: filing-verify fork alarms/LOG_FORKED-330000.fork --keys keys.json
    """
    with _Judgement(as_json) as judgement:
        verified = verify_fork(_read(file, MAX_FORK_BYTES + 1), _ring(keys))
        judgement.proven(fork_facts(verified), fork_words(verified), FORK_LIMITS)


class _Judgement:
    """Says what came of it, and ends the program with the exit code that fits."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __enter__(self) -> _Judgement:
        return self

    def proven(self, facts: dict[str, Any], words: Sequence[str], limits: Sequence[str]) -> None:
        if self._as_json:
            print_json({"verdict": "proven", **facts, "proven": list(words), "not_proven": list(limits)})
            return
        _print("PROVEN")
        for label, lines in (("proven", words), ("not proven", limits)):
            for line in lines:
                _print(f"  {label:<11} {line}")

    def failing(self, what: str, reason: str) -> None:
        """Names one of several that fail, before the verdict."""
        if not self._as_json:
            _print(f"  {what}: {reason}")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProofError):
            usable = not isinstance(error, UnusableProof)
            self._refused("refuted" if usable else "not judged", str(error))
            raise typer.Exit(REFUTED if usable else UNUSABLE) from None
        if isinstance(error, OSError):
            self._refused("not judged", f"The file {error.filename} cannot be read; give one that can.")
            raise typer.Exit(UNUSABLE) from None

    def _refused(self, verdict: str, reason: str) -> None:
        if self._as_json:
            print_json({"verdict": verdict, "reason": reason})
        else:
            _print(verdict.upper())
            _print(f"  {reason}")


def _cosigners(head: SignedHead) -> str:
    names = ", ".join(each.name for each in head.cosignatures)
    return f", cosigned by {names}" if names else ", cosigned by nobody"


def _runs(file: Path) -> Iterator[evidence_pb2.Run]:
    with file.open("rb") as stream:
        yield from read_runs(stream)


def _head(file: Path, ring: KeyRing) -> SignedHead:
    return parse_head(_read(file), ring.keys_of)


def _hashes(file: Path) -> list[bytes]:
    try:
        return [base64.b64decode(line, validate=True) for line in _read(file).split()]
    except (ValueError, binascii.Error) as error:
        raise UnusableProof("A line of the consistency proof is not base64; give one hash a line.") from error


def _ring(file: Path) -> KeyRing:
    return KeyRing.from_json(_read(file))


def _read(file: Path, most: int = -1) -> bytes:
    with file.open("rb") as stream:
        return stream.read(most)


def _print(line: str) -> None:
    # What a node wrote may hold line ends and escapes that would write a verdict of its own.
    shown = "".join(character if character.isprintable() else "\ufffd" for character in line)
    sys.stdout.write(f"{shown}\n")


def main() -> None:
    """Runs filing-verify."""
    run(app)


if __name__ == "__main__":
    main()
