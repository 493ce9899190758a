"""What the demo prints when it is done: tables for people, with the words of officials and in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from shared.cluster.demo import DemoResult
from shared.provisions.policy import initial_policy
from shared.provisions.regions import PROVINCES
from shared.provisions.subjects import SubjectKind

_KINDS: Final = {
    SubjectKind.PERSON: "个人 Person",
    SubjectKind.PARTY_OR_GOVERNMENT: "党政机关 Party or government body",
    SubjectKind.ENTERPRISE: "企业 Enterprise",
    SubjectKind.PUBLIC_INSTITUTION: "事业单位 Public institution",
    SubjectKind.PEOPLES_ORGANISATION: "人民团体 People's organisation",
}
_MOST_ROWS: Final = 8


def print_result(result: DemoResult, console: Console) -> None:
    """Prints what the demo came to.

    Args:
        result: of the demo.
        console: where to print.
    """
    found, wire = result.search, result.wire
    counts = (
        ("分类备案 Accounts on file at the nation, by province where filed", "jurisdiction", _region),
        ("by region of the subject", "subject_region", _region),
        ("by category", "category", _category),
        ("by subject kind, Art. 7(4)", "subject_kind", _kind),
    )
    for title, dimension, name in counts:
        _print(console, title, _count_table(result.counts[dimension], name))
    names = "".join(f"  {name}" for name in found.names)
    _print(console, f"A search at the nation for {found.text}: {found.count} accounts, the newest of them", names)
    verified = "\n".join(f"  {line}" for line in result.receipt.verified.splitlines())
    _print(console, f"The receipt of {result.receipt.display_name}, {result.receipt.bytes:,} bytes, offline", verified)
    _print(console, "What the wire carried", _rows(_wire_rows(result)))
    for file in wire.files_with_people:
        _print(console, "A person was found in", file)


def _print(console: Console, title: str, what: Table | str) -> None:
    console.print(title, style="bold", highlight=False, soft_wrap=True)
    console.print(what, highlight=False, soft_wrap=True, markup=False)
    console.print()


def _count_table(counts: Mapping[str, int], name: Callable[[str], str]) -> Table:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ordered[:_MOST_ROWS] if len(ordered) > 2 * _MOST_ROWS else ordered
    rows = [(name(key), f"{count:,}") for key, count in shown]
    rest = [count for _, count in ordered[len(shown) :]]
    if rest:
        rows.append((f"{len(rest)} others", f"{sum(rest):,}"))
    return _rows([*rows, ("total", f"{sum(counts.values()):,}")])


def _wire_rows(result: DemoResult) -> list[tuple[str, str]]:
    wire = result.wire
    return [
        ("bytes between nodes, TLS included", f"{wire.bytes:,}"),
        ("signed entries that arrived at the nation", f"{wire.entries:,}"),
        ("  of them filings, each revision counted", f"{result.filings:,}"),
        ("  returned by officers and amended", f"{result.returned:,}"),
        ("identity fields in the entries", f"{wire.identity_fields:,}"),
        (f"files that hold any of {wire.people_searched:,} people", f"{len(wire.files_with_people):,}"),
    ]


def _rows(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(f"  {name}", value)
    return table


def _region(code: str) -> str:
    region = PROVINCES.get(code)
    return f"{code} {region.name_zh} {region.name_en}" if region else code


def _category(code: str) -> str:
    term = next((term for term in initial_policy().categories if term.code == code), None)
    return f"{term.title_zh} {term.title_en}" if term else code


def _kind(name: str) -> str:
    return _KINDS.get(SubjectKind[name.upper()], name) if name.upper() in SubjectKind.__members__ else name
