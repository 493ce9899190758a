"""The head of the nation's log that an operator was told over another channel, as it is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from shared.evidence.hashing import HASH_SIZE
from shared.provisions.regions import NATION

Of = Annotated[str, typer.Option(help="Whose log: 100000, the nation's.")]
Size = Annotated[int, typer.Option(help="Entries of the head that you were told.", min=1)]
Root = Annotated[str, typer.Option(help="Its root that you were told, 64 hexadecimal digits.")]


@dataclass(frozen=True, slots=True)
class ToldHead:
    """The head from which a log goes on: entries, and root of 32 bytes."""

    size: int
    root: bytes


def read_told(of: str, size: int, root: str) -> ToldHead:
    """Reads what was typed.

    Args:
        of: whose log.
        size: entries.
        root: hexadecimal.

    Raises:
        BadParameter: it is no head of the nation's log.
    """
    if of != NATION:
        raise typer.BadParameter("it is the nation's log, 100000, that is accepted, and no other", param_hint="--of")
    try:
        told = bytes.fromhex(root)
    except ValueError:
        told = b""
    if len(told) != HASH_SIZE:
        raise typer.BadParameter("give 64 hexadecimal digits", param_hint="--root")
    return ToldHead(size, told)
