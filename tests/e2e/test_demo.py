"""What a newcomer runs first has to work to the end, tell the truth, and clean up; and say what to do when it cannot."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.client.officer import OfficerClient
from shared.client.provider import ProviderClient
from shared.cluster import made_up
from shared.cluster.demo_filing import PERSONS
from shared.cluster.demo_labels import LABEL_DAYS
from shared.cluster.demo_reports import REPORTS
from shared.cluster.detached import look_at
from shared.cluster.sample import NewsUnit, news_units
from shared.cluster.wire import files_that_hold, identity_fields_in_contracts, identity_fields_of, identity_values
from shared.pb.filingnet.provider.v1 import subject_service_pb2
from shared.provisions.subjects import SubjectKind

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def filing_cluster_program(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the program filing-cluster to its end."""
    return subprocess.run(
        [sys.executable, "-m", "shared.cluster", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="filingnet-"))
    yield made
    filing_cluster_program("down", "--folder", str(made))
    shutil.rmtree(made)


def test_the_demo_takes_the_whole_list_through_the_provisions_and_nobody_is_on_the_wire(folder: Path) -> None:
    """Every row of the real list arrives and is labelled, one report goes all the way, and no person is betrayed."""
    done = filing_cluster_program("demo", "--json", environment={"TMPDIR": str(folder)})
    assert 0 == done.returncode, done.stderr
    result = json.loads(done.stdout)
    units = news_units()
    accounts = len(units) + PERSONS
    assert accounts == result["accounts"]
    mismatched = [unit for unit in units if unit.fitting_category != unit.usual_category]
    assert (len(mismatched), accounts + len(mismatched)) == (result["returned"], result["filings"])
    counts: dict[str, dict[str, int]] = result["counts"]
    assert {"accepted": accounts} == counts["state"]
    assert {"330000": accounts // 2, "110000": accounts // 2} == counts["jurisdiction"]
    assert PERSONS == counts["subject_kind"]["person"]
    assert len([unit for unit in units if "日报" in unit.name]) == result["search"]["count"]
    assert result["receipt"]["verified"].startswith("PROVEN")
    assert_labels(result["labels"], units)
    assert_oversight(result)
    wire: dict[str, Any] = result["wire"]
    # Every filing, a decision on each of them, a label for each unit, and the nation's own documents.
    assert wire["entries"] > 2 * result["filings"] + len(units)
    assert wire["bytes"] > 100 * wire["entries"]
    assert (0, accounts, []) == (wire["identity_fields"], wire["people_searched"], wire["files_with_people"])
    assert [] == list(folder.iterdir())
    said = [line for line in done.stderr.splitlines() if "SIMULATED TIME moves" in line]
    assert 3 == len(said)


def assert_labels(labels: Mapping[str, Any], units: Sequence[NewsUnit]) -> None:
    """Every unit has the label of its kind; of the two special approvals one was revoked and one lapsed, for everybody."""
    kinds = Counter(unit.kind for unit in units)
    assert {
        "news_website": {"publish_and_reprint": kinds["news_website"]},
        "news_unit": {"publish_and_reprint": kinds["press"] + kinds["broadcaster"] + kinds["press_or_broadcaster"]},
        "licensed_non_news_unit": {"reprint": kinds["government_website"]},
        "special_approval": {"reprint": 2},
    } == labels["by_basis"]
    assert ["genuine", units[0].name] == labels["checked"][:2]
    for ended in ("revoked", "lapsed"):
        told = labels[ended]
        assert {"allowed": True, "reason": "MAY_REPRINT"} == told["before"]
        assert {"allowed": False, "reason": "NO_RIGHT_TO_REPRINT_NEWS"} == told["after"]
        assert ended == told["told"]
    assert {"granted": len(units), "revoked": 1, "lapsed": 1} == labels["by_state"]


def assert_oversight(result: Mapping[str, Any]) -> None:
    """All reports but one were settled in time; that one went all the way, and is with exactly one party at each audit."""
    rates = {row["provider"]: row for row in result["oversight"]["on_time"]}
    assert REPORTS == sum(row["reports"] for row in rates.values())
    assert REPORTS - 1 == sum(row["settled_in_time"] for row in rates.values())
    assert [1, 2, 0] == [rates["provider/wave"][name] for name in ("escalated", "orders_in_time", "orders_late")]
    (measure,) = result["oversight"]["measures"]
    assert ("suspend_updates", "overturned", 30) == (measure["kind"], measure["state"], measure["days"])
    assert [True, False, True] == [answer["allowed"] for answer in measure["gate"]]
    assert "UPDATES_SUSPENDED" == measure["gate"][1]["reason"]
    assert "decided: verified" == measure["reporter_told"]
    clock = [moment["what"] for moment in result["moments"] if moment["who"] == "clock"]
    assert ["the report leaves for regulator/330000: settlement_overdue"] == clock
    reporter = [moment["what"] for moment in result["moments"] if moment["who"] == "reporter"]
    both = "asks the nation by both codes: closed, false_information; closed, false_information"
    assert ["complains at the nation: the case of the report", both] == reporter
    times = [moment["time"] for moment in result["moments"]]
    assert sorted(times) == times
    assert LABEL_DAYS <= result["simulated_days"] < LABEL_DAYS + 1
    undecided, end = result["audits"]
    for audit, party in ((undecided, "province"), (end, "nobody")):
        found = {balance["regulator"]: balance for balance in audit["balances"]}
        assert ["regulator/100000", "regulator/330000", "regulator/110000"] == list(found)
        assert [[], [], []] == [balance["findings"] for balance in found.values()]
        assert [{party: 1}, {party: 1}, {}] == [balance["parties"] for balance in found.values()]


def test_a_demo_that_fails_says_what_failed_where_the_logs_are_and_what_to_do(folder: Path) -> None:
    """A newcomer whose machine does not play along is told what to read, and no process is left behind."""
    environment = {"TMPDIR": str(folder), "FILINGNET_SHUTDOWN_SECONDS": "soon"}
    failed = filing_cluster_program("demo", environment=environment)
    assert (1, "") == (failed.returncode, failed.stdout)
    (kept,) = folder.iterdir()
    lines = failed.stderr.splitlines()
    assert "this happened while starting the nation, 2 provinces, 2 providers" in lines
    (mend,) = [line for line in lines if line.startswith(f"data and logs are kept in {kept}: ")]
    assert f"read the log that the error names, else those in {kept}/logs, then try again" in mend
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert "regulator/100000 ended with exit code 1 before it was ready: " in error
    assert f"its log is {kept}/logs/regulator-100000.log" in error
    assert "shutdown_seconds" in (kept / "logs" / "regulator-100000.log").read_text()


async def test_up_leaves_a_network_that_status_knows_and_down_stops(folder: Path) -> None:
    """A network can be left running, looked at, taken up again with its data after a crash, and stopped to the last."""
    shape = ("--province", "330000", "--provider", "wave=330000")
    up = filing_cluster_program("up", "--folder", str(folder), *shape, "--json")
    assert 0 == up.returncode, up.stderr
    reports = {report["name"]: report for report in json.loads(up.stdout)}
    assert ["regulator/100000", "regulator/330000", "provider/wave"] == list(reports)
    async with ProviderClient(reports["provider/wave"]["socket"]) as backend:
        agreement = (await backend.agreement()).signed_at((await backend.status()).certificate_expire_time)
        assert 1 == agreement.version
    os.kill(reports["provider/wave"]["pid"], signal.SIGKILL)
    assert 1 == filing_cluster_program("status", "--folder", str(folder)).returncode
    assert 0 == filing_cluster_program("up", "--folder", str(folder)).returncode
    status = filing_cluster_program("status", "--folder", str(folder), "--json")
    assert {"serving"} == {report["state"] for report in json.loads(status.stdout)}
    async with OfficerClient(reports["regulator/100000"]["socket"]) as nation:
        assert sorted(reports) == sorted([node.name async for node in nation.nodes()])
    down = filing_cluster_program("down", "--folder", str(folder), "--json")
    assert (0, {"stopped": list(reversed(reports))}) == (down.returncode, json.loads(down.stdout))
    assert {"down"} == {report.state for report in look_at(folder)}


def test_down_touches_no_process_that_is_not_the_networks_own(folder: Path) -> None:
    """A process id that was given to somebody else since is left alone."""
    node = {"name": "provider/wave", "jurisdiction": "330000", "title": "样例", "pid": os.getpid()}
    (folder / "cluster.json").write_text(json.dumps({"version": 1, "nodes": [node]}))
    down = filing_cluster_program("down", "--folder", str(folder), "--json")
    assert (0, {"stopped": []}) == (down.returncode, json.loads(down.stdout))


def test_a_folder_without_a_network_has_nothing_to_show(folder: Path) -> None:
    """Asking after a network that is not there says how to start one."""
    status = filing_cluster_program("status", "--folder", str(folder))
    assert (1, "") == (status.returncode, status.stdout)
    assert "start one with filing-cluster up" in status.stderr


def test_the_search_for_people_finds_one_that_is_planted(folder: Path) -> None:
    """A search that finds nobody counts only if it would have: names, numbers and telephones, in any file, however deep."""
    person, organisation = made_up.person(7), made_up.organisation(8, "样例单位", SubjectKind.ENTERPRISE, "330000")
    values = [*identity_values(person), *identity_values(organisation)]
    assert 6 == len(values)
    (folder / "clean").write_bytes(made_up.person(9).id_number.encode() * 100)
    assert [] == files_that_hold(values, [folder])
    for number, value in enumerate(values):
        planted = folder / f"deep-{number}" / "register.db-wal"
        planted.parent.mkdir()
        planted.write_bytes(b"\x00" * 1000 + value + b"\xff" * 1000)
        assert [f"{planted} (1)"] == files_that_hold(values, [planted.parent])


def test_identity_fields_are_counted_where_there_are_any() -> None:
    """The count of identity fields is 0 for what nodes send, and is not for what a backend tells its own node."""
    request = subject_service_pb2.RegisterSubjectRequest()
    request.organisation.operator.real_name = "样例一号"
    request.organisation.operator.phone = "13900000001"
    expected = ["filingnet.provider.v1.PersonIdentity.real_name", "filingnet.provider.v1.PersonIdentity.phone"]
    assert expected == identity_fields_of([request])
    assert [] == identity_fields_in_contracts()
