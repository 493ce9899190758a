"""How the demo lays out what it prints: in 100 columns, of which a Chinese character takes two, and nothing wraps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

WIDTH: Final = 100
"""Columns that a line may take."""
_INDENT: Final = "  "


def print_section(console: Console, title: str, what: Table | str) -> None:
    """Prints a title, what belongs to it, and an empty line."""
    console.print(title, style="bold", highlight=False, soft_wrap=True)
    console.print(what, highlight=False, soft_wrap=True, markup=False)
    console.print()


def counts(rows: Sequence[tuple[str, str]]) -> Table:
    """Returns rows of a name and a number, without a head."""
    table = _table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(f"{_INDENT}{name}", value)
    return table


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Returns rows under a head; numbers stand to the right."""
    table = _table(show_header=True)
    for place, name in enumerate(head):
        numbers = bool(rows) and all(isinstance(row[place], int) for row in rows)
        head_of = name if place else f"{_INDENT}{name}"
        table.add_column(head_of, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        cells = [f"{value:,}" if isinstance(value, int) else str(value) for value in row]
        table.add_row(f"{_INDENT}{cells[0]}", *cells[1:])
    return table


def indented(text: str) -> str:
    """Returns lines indented and, where they are too long, broken between words, the rest under the first word."""
    return "\n".join(line for whole in text.splitlines() for line in _broken(whole))


def _broken(line: str) -> Iterator[str]:
    indent = _INDENT + " " * (len(line) - len(line.lstrip()))
    begin, text = indent, ""
    for word in line.split(" "):
        longer = f"{text} {word}" if text else word
        if text.strip() and cell_len(begin + longer) > WIDTH:
            yield f"{begin}{text}".rstrip()
            begin, longer = f"{indent}{_INDENT}", word
        text = longer
    yield f"{begin}{text}".rstrip()


def _table(*, show_header: bool) -> Table:
    return Table(box=None, show_header=show_header, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
