"""What the commands `records …` of both programs have in common: how they read words and print what they got."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final, TypeVar

import typer

from shared import cli
from shared.client.record_types import Certificate, DueRecords, HoldScope, LegalHold, RecordClass

E = TypeVar("E", bound=IntEnum)

DUE_COLUMNS: Final = ("record_class", "kept_for", "due", "held")
RECORD_COLUMNS: Final = ("record_class", "record_id", "ceased_time")
CERTIFICATE_COLUMNS: Final = ("number", "record_class", "records", "policy_version", "disposed_time", "actor")
HOLD_COLUMNS: Final = (
    "hold_id",
    "scope",
    "target",
    "reason",
    "placed_by",
    "placed_time",
    "provider",
    "end_time",
    "acknowledged_time",
    "lifted_by",
    "lifted_time",
)


def record_class_of(text: str) -> RecordClass:
    """Reads a class as people write it, e.g. "report"; empty is UNSPECIFIED.

    Raises:
        typer.BadParameter: it is none.
    """
    return _word(RecordClass, text, "--class") if text else RecordClass.UNSPECIFIED


def kept_by(account: str, escalation: str, case: str, record_class: str) -> tuple[HoldScope, str, RecordClass]:
    """Reads what a hold keeps, of which exactly one is given.

    Returns:
        The scope, the target and the class.

    Raises:
        typer.BadParameter: none is given, or several.
    """
    given = {
        HoldScope.ACCOUNT: account,
        HoldScope.ESCALATION: escalation,
        HoldScope.CASE: case,
        HoldScope.CLASS: record_class,
    }
    named = [(scope, text) for scope, text in given.items() if text]
    if len(named) != 1:
        mend = "give exactly one of what the hold is to keep: an account, an escalation, a case or a class"
        raise typer.BadParameter(mend, param_hint="--account")
    scope, text = named[0]
    if scope is HoldScope.CLASS:
        return scope, "", record_class_of(text)
    return scope, text, RecordClass.UNSPECIFIED


def print_due(found: Sequence[DueRecords], *, as_json: bool) -> None:
    """Prints what is due: a line for each class, and the first records."""
    classes = [
        {
            "record_class": _of(each.record_class),
            "kept_for": f"{each.period.amount} {each.period.unit.name.lower()}" if each.period else "",
            "due": each.due,
            "held": each.held,
            "records": [{"record_id": it.record_id, "ceased_time": it.ceased_time} for it in each.records],
        }
        for each in found
    ]
    if as_json:
        cli.print_json(classes)
        return
    cli.print_rows(classes, columns=DUE_COLUMNS, as_json=False)
    rows = [
        {"record_class": _of(each.record_class), "record_id": it.record_id, "ceased_time": it.ceased_time}
        for each in found
        for it in each.records
    ]
    if rows:
        typer.echo()
        cli.print_rows(rows, columns=RECORD_COLUMNS, as_json=False)


def print_certificates(found: Sequence[Certificate], *, as_json: bool) -> None:
    """Prints certificates."""
    rows = [
        {
            "number": each.number,
            "record_class": _of(each.record_class),
            "records": each.records,
            "policy_version": each.policy_version,
            "disposed_time": each.disposed_time,
            "actor": each.actor,
        }
        for each in found
    ]
    cli.print_rows(rows, columns=CERTIFICATE_COLUMNS, as_json=as_json)


def print_holds(found: Sequence[LegalHold], *, as_json: bool) -> None:
    """Prints legal holds."""
    rows = [
        {
            "hold_id": each.hold_id,
            "scope": each.scope.name.lower(),
            "target": each.target or _of(each.record_class),
            "reason": each.reason,
            "placed_by": each.placed_by,
            "placed_time": each.placed_time,
            "lifted_by": each.lifted_by,
            "lifted_time": each.lifted_time,
            "lift_reason": each.lift_reason,
            "provider": each.provider,
            "end_time": each.end_time,
            "acknowledge_by": each.acknowledge_by,
            "acknowledged_time": each.acknowledged_time,
        }
        for each in found
    ]
    cli.print_rows(rows, columns=HOLD_COLUMNS, as_json=as_json)


def write_certificate(data: bytes, output: Path) -> None:
    """Writes the file of a certificate, and says how it is verified."""
    output.write_bytes(data)
    typer.echo(f"{output}: {len(data)} bytes; verify it with filing-verify disposal {output} --keys FILE")


def _of(record_class: RecordClass) -> str:
    return record_class.name.lower()


def _word(kind: type[E], text: str, hint: str) -> E:
    words = {each.name.lower(): each for each in kind if each}
    if text not in words:
        raise typer.BadParameter(f"choose one of {', '.join(words)}", param_hint=hint)
    return words[text]
