"""What the demo prints when it is done: tables for people, with the words of officials and in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from shared.cluster.demo import DemoResult
from shared.cluster.demo_layout import counts, indented, print_section
from shared.cluster.demo_oversight_tables import print_audits, print_labels, print_moments, print_oversight
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
    dimensions = (
        ("分类备案 Accounts on file at the nation, by province where filed", "jurisdiction", _region),
        ("by region of the subject", "subject_region", _region),
        ("by category", "category", _category),
        ("by subject kind, Art. 7(4)", "subject_kind", _kind),
    )
    for title, dimension, name in dimensions:
        print_section(console, title, _count_table(result.counts[dimension], name))
    title = f"A search at the nation for {found.text}: {found.count} accounts, the newest of them"
    print_section(console, title, indented("  ".join(found.names)))
    receipt = result.receipt
    title = f"The receipt of {receipt.display_name}, {receipt.bytes:,} bytes, verified offline"
    print_section(console, title, indented(receipt.verified))
    print_labels(result.labels, console)
    print_moments(result.moments, result.simulated_days, console)
    print_oversight(result.oversight, console)
    print_audits(result.audits, console)
    print_section(console, "What the wire carried", counts(_wire_rows(result)))
    for file in wire.files_with_people:
        print_section(console, "A person was found in", file)


def _count_table(found: Mapping[str, int], name: Callable[[str], str]) -> Table:
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = ordered[:_MOST_ROWS] if len(ordered) > 2 * _MOST_ROWS else ordered
    rows = [(name(key), f"{count:,}") for key, count in shown]
    rest = [count for _, count in ordered[len(shown) :]]
    if rest:
        rows.append((f"{len(rest)} others", f"{sum(rest):,}"))
    return counts([*rows, ("total", f"{sum(found.values()):,}")])


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


def _region(code: str) -> str:
    region = PROVINCES.get(code)
    return f"{code} {region.name_zh} {region.name_en}" if region else code


def _category(code: str) -> str:
    term = next((term for term in initial_policy().categories if term.code == code), None)
    return f"{term.title_zh} {term.title_en}" if term else code


def _kind(name: str) -> str:
    return _KINDS.get(SubjectKind[name.upper()], name) if name.upper() in SubjectKind.__members__ else name
