"""What the demo prints when it is done: tables for people, with the words of officials and in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
_MOST_REGIONS: Final = 8


def print_result(result: DemoResult, console: Console) -> None:
    """Prints what the demo came to.

    Args:
        result: of the demo.
        console: where to print.
    """
    counts = result.counts
    for title, key, name in (
        ("分类备案 Filings at the nation, by province where filed", "jurisdiction", _region),
        ("By region of the subject (the largest)", "subject_region", _region),
        ("By category", "category", _category),
        ("By subject kind (Art. 7(4))", "subject_kind", _kind),
    ):
        console.print(_count_table(title, counts[key], name))
        console.print()
    console.print(_search_table(result))
    console.print()
    console.print(f"[bold]Receipt[/bold] of {result.receipt.display_name}, {result.receipt.bytes:,} bytes, offline:")
    console.print("  " + result.receipt.verified.replace("\n", "\n  "), markup=False, highlight=False)
    console.print()
    console.print(_wire_table(result))


def _count_table(title: str, counts: Mapping[str, int], name: Callable[[str], str]) -> Table:
    table = Table("", "accounts", title=title, title_justify="left", box=None, pad_edge=False, show_footer=True)
    table.columns[0].footer = "total"
    table.columns[1].footer = f"{sum(counts.values()):,}"
    table.columns[1].justify = "right"
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for key, count in ordered[:_MOST_REGIONS] if len(ordered) > 2 * _MOST_REGIONS else ordered:
        table.add_row(name(key), f"{count:,}")
    if len(ordered) > 2 * _MOST_REGIONS:
        rest = [count for _, count in ordered[_MOST_REGIONS:]]
        table.add_row(f"{len(rest)} others", f"{sum(rest):,}")
    return table


def _search_table(result: DemoResult) -> Table:
    found = result.search
    title = f"A search at the nation for {found.text}: {found.count} accounts, the newest of them"
    table = Table("public name", title=title, title_justify="left", box=None, pad_edge=False)
    for display_name in found.names:
        table.add_row(display_name)
    return table


def _wire_table(result: DemoResult) -> Table:
    wire = result.wire
    table = Table(
        "", "", title="What the wire carried", title_justify="left", box=None, pad_edge=False, show_header=False
    )
    table.columns[1].justify = "right"
    table.add_row("bytes between nodes, TLS included", f"{wire.bytes:,}")
    table.add_row("signed entries at the nation", f"{wire.entries:,}")
    table.add_row("filings, each revision counted", f"{result.filings:,}")
    table.add_row("filings returned by officers and amended", f"{result.returned:,}")
    table.add_row("identity fields in the entries", f"{wire.identity_fields:,}")
    table.add_row(
        f"databases and logs that hold any of {wire.people_searched:,} people", f"{len(wire.files_with_people):,}"
    )
    return table


def _region(code: str) -> str:
    region = PROVINCES.get(code)
    return f"{code} {region.name_zh} {region.name_en}" if region else code


def _category(code: str) -> str:
    term = next((term for term in initial_policy().categories if term.code == code), None)
    return f"{term.title_zh} {term.title_en}" if term else code


def _kind(name: str) -> str:
    return _KINDS.get(SubjectKind[name.upper()], name) if name.upper() in SubjectKind.__members__ else name
