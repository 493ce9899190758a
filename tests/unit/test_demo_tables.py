"""What the demo prints fits into 100 columns, says that time is simulated, and shows every number it was given."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console

from shared.cluster.demo import DemoResult, Receipt, Search, Wire
from shared.cluster.demo_audit import Audit, Balance
from shared.cluster.demo_labels import EndedLabel, Labels
from shared.cluster.demo_layout import WIDTH, indented
from shared.cluster.demo_reports import OnTime, Oversight, TakenMeasure
from shared.cluster.demo_scene import GateAnswer, Moment
from shared.cluster.demo_tables import print_result

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
MAY, MAY_NOT = GateAnswer(True, "MAY_REPRINT"), GateAnswer(False, "NO_RIGHT_TO_REPRINT_NEWS")
CLOSED = GateAnswer(False, "UPDATES_SUSPENDED")
RESULT = DemoResult(
    accounts=378,
    filings=392,
    returned=14,
    counts={
        "jurisdiction": {"330000": 189, "110000": 189},
        "subject_region": {
            f"{code}0000": 9 for code in (10, 11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41)
        },
        "category": {"current_political_news": 239},
        "subject_kind": {"party_or_government": 15},
        "state": {"accepted": 378},
    },
    search=Search(
        "日报", 58, ("宁夏日报", "青海日报", "陕西日报", "西藏日报", "西安日报", "重庆日报", "云南日报", "贵州日报")
    ),
    receipt=Receipt("人民网", 890, f"PROVEN\n  proven      {'word ' * 30}end."),
    labels=Labels(
        {"news_unit": {"publish_and_reprint": 260}, "licensed_non_news_unit": {"reprint": 15}},
        ("genuine", "人民网", "10120250001"),
        EndedLabel("样例个人账号1", MAY, MAY_NOT, "revoked"),
        EndedLabel("样例个人账号2", MAY, MAY_NOT, "lapsed"),
        {"granted": 366},
    ),
    oversight=Oversight(
        [OnTime("provider/harbour", 20, 19, 1, 2, 0, 800, 20_000_000)],
        [
            TakenMeasure(
                "样例个人账号3",
                "suspend_updates",
                "false_information",
                True,
                30,
                "overturned",
                (GateAnswer(True, "NOT_NEWS"), CLOSED, GateAnswer(True, "NOT_NEWS")),
                "decided: verified",
            )
        ],
    ),
    moments=[Moment(NOON, "regulator/330000", "takes the measure; the gate is closed before the call returns")],
    simulated_days=40.0,
    audits=[Audit("in the end", [Balance("regulator/100000", 7, {"nobody": 6, "province": 1}, [])])],
    wire=Wire(1_285_284, 1_176, 0, 378, ()),
    seconds=22.8,
)


def printed(result: DemoResult, width: int = WIDTH) -> list[str]:
    """The lines that are printed."""
    text = io.StringIO()
    print_result(result, Console(file=text, width=width))
    return text.getvalue().splitlines()


def test_no_line_and_no_title_is_longer_than_the_page_and_no_row_wraps() -> None:
    """At 100 columns every row is one line: none is broken, and none runs over the edge."""
    lines = printed(RESULT)
    assert [] == [line for line in lines if cell_len(line) > WIDTH]
    assert len(lines) == len(printed(RESULT, 400))


def test_what_is_simulated_says_so() -> None:
    """Nobody takes the demo's weeks for weeks that passed."""
    (title,) = [line for line in printed(RESULT) if line.startswith("SIMULATED TIME")]
    assert "moved by 40 days" in title
    assert any(line.strip().startswith("UTC, simulated") for line in printed(RESULT))


def test_labels_rates_measures_and_the_audit_are_shown() -> None:
    """Each table tells what it was given."""
    text = "\n".join(" ".join(line.split()) for line in printed(RESULT))
    for shown in (
        "新闻单位 News unit 260 0",
        "取得资质的非新闻单位 Licensed non-news unit 0 15",
        "人民网: genuine, licence 10120250001 (made up)",
        "样例个人账号1 revoked by province MAY_REPRINT NO_RIGHT_TO_REPRINT_NEWS revoked",
        "样例个人账号2 lapsed by itself MAY_REPRINT NO_RIGHT_TO_REPRINT_NEWS lapsed",
        "provider/harbour 20 19 95% 1 2 0 800 20,000,000",
        "样例个人账号3 暂停更新 Suspend updates 发布虚假信息 False information 30 overturned",
        "open (NOT_NEWS) → closed (UPDATES_SUSPENDED) → open (NOT_NEWS); the reporter is told decided: verified",
        "in the end regulator/100000 7 0 1 0 6 0",
    ):
        assert shown in text.replace("\n", " ") if "told decided" in shown else shown in text, shown


def test_long_lines_are_broken_between_words_and_keep_their_words() -> None:
    """A line that is too long goes on below, indented, and loses nothing."""
    long = "  proven      " + "样例 word " * 20
    lines = indented(long).splitlines()
    assert len(lines) > 1
    assert all(cell_len(line) <= WIDTH for line in lines)
    assert long.split() == " ".join(lines).split()
