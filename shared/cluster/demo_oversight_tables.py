"""What the demo prints of labels, reports, measures and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.console import Console

from shared.cluster.demo_audit import Audit
from shared.cluster.demo_labels import Labels
from shared.cluster.demo_layout import columns, indented, print_section
from shared.cluster.demo_reports import Oversight
from shared.cluster.demo_scene import GateAnswer, Moment
from shared.provisions.policy import Term, initial_policy

_BASES: Final = {
    "news_unit": "新闻单位 News unit",
    "news_website": "新闻网站 News website",
    "licensed_non_news_unit": "取得资质的非新闻单位 Licensed non-news unit",
    "special_approval": "特别批准 Special approval",
}
_MEASURES: Final = {
    "warn": "警示 Warn",
    "restrict_publishing": "限制发布 Restrict publishing",
    "suspend_updates": "暂停更新 Suspend updates",
    "close": "关闭账号 Close",
}
_PARTIES: Final = ("provider", "province", "nation", "nobody")
_SCOPES: Final = ("publish_and_reprint", "reprint")


def print_labels(labels: Labels, console: Console) -> None:
    """Prints the labels of the demo (Art. 7)."""
    rows = [
        (title, *(labels.by_basis.get(code, {}).get(scope, 0) for scope in _SCOPES)) for code, title in _BASES.items()
    ]
    print_section(
        console,
        "新闻标识 Labels at the nation, by basis, Art. 7(2)",
        columns(("basis", "publish and reprint", "reprint"), rows),
    )
    standing, name, number = labels.checked
    print_section(
        console,
        "Anybody may check a label, Art. 7(3)",
        indented(f"{name}: {standing}, licence {number} (made up)"),
    )
    ended = [("revoked by province", labels.revoked), ("lapsed by itself", labels.lapsed)]
    print_section(
        console,
        "Labels that ended, at made-up accounts: the gate before and since, and what anybody is told",
        columns(
            ("account", "", "before", "since", "told"),
            [(each.display_name, how, each.before.reason, each.after.reason, each.told) for how, each in ended],
        ),
    )


def print_oversight(oversight: Oversight, console: Console) -> None:
    """Prints reports, on-time rates and measures (Arts. 5 and 8)."""
    head = ("provider", "reports", "in time", "rate", "escalated", "orders", "late", "staff", "users")
    rows = [
        (
            each.provider,
            each.reports,
            each.settled_in_time,
            f"{each.settled_in_time / each.reports:.0%}",
            each.escalated,
            each.orders_in_time + each.orders_late,
            each.orders_late,
            each.staff,
            each.users,
        )
        for each in oversight.on_time
    ]
    print_section(console, "举报 Reports settled in time, and orders answered, Arts. 5 and 9", columns(head, rows))
    acts = {term.code: _title(term) for term in initial_policy().measure_reasons}
    taken = [
        (
            each.display_name,
            _MEASURES[each.kind],
            acts[each.reason],
            each.days,
            each.state,
        )
        for each in oversight.measures
    ]
    print_section(
        console,
        "处置 Measures, Art. 8(1)",
        columns(("account", "measure", "act", "days", "now"), taken),
    )
    told = "\n".join(
        f"{each.display_name}: {' → '.join(map(_gate, each.gate))}; the reporter is told {each.reporter_told}"
        for each in oversight.measures
    )
    print_section(
        console, "The gate before, during and after it; and the reporter, by the tracking code", indented(told)
    )


def print_moments(moments: Sequence[Moment], days: float, console: Console) -> None:
    """Prints the way of the report that went all the way."""
    rows = [(_time(each.time), each.who, each.what) for each in moments]
    print_section(
        console,
        f"SIMULATED TIME: the way of one report; the nodes' time was moved by {days:.0f} days in all",
        columns(("UTC, simulated", "who", "what"), rows),
    )


def print_audits(audits: Sequence[Audit], console: Console) -> None:
    """Prints the conservation of reports."""
    rows = [
        (
            audit.when,
            balance.regulator,
            balance.reports,
            *(balance.parties.get(party, 0) for party in _PARTIES),
            len(balance.findings),
        )
        for audit in audits
        for balance in audit.balances
    ]
    head = ("audit", "at", "reports", "provider", "province", "nation", "over", "wrong")
    print_section(
        console,
        "Conservation: every report that left its provider is with exactly one party, or over",
        columns(head, rows),
    )


def _title(term: Term) -> str:
    return f"{term.title_zh} {term.title_en}"


def _gate(answer: GateAnswer) -> str:
    return f"{'open' if answer.allowed else 'closed'} ({answer.reason})"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
