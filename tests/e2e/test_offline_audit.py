"""An audit from end to end: the real commands write files, and filing-verify judges them where no node is.

What was tampered with is named. At the end everything that the regulator had is deleted, and the provider still proves
its side.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.client.officer import FilingFilter, FilingState, OfficerRole, Verdict
from shared.client.provider import FilingState as Where
from shared.cluster.network import Cluster
from shared.cluster.nodes import Node
from shared.errors import FilingnetError
from shared.evidence.receipts import parse_receipt
from shared.evidence.runs import read_runs, write_run
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from tests.e2e.filing_desk import file_account, import_accounts, register

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

PROVINCE, NATION = "regulator/330000", "regulator/100000"


@dataclass(frozen=True)
class Verdicts:
    """How filing-verify ended: its exit code, and what it said as JSON."""

    code: int
    said: dict[str, Any]

    @property
    def reason(self) -> str:
        """Why it refused."""
        return str(self.said.get("reason", ""))


def verify(*arguments: str | Path) -> Verdicts:
    """Runs filing-verify as an auditor does."""
    done = subprocess.run(
        [sys.executable, "-m", "shared.evidence", *map(str, arguments), "--json"],
        check=False,
        capture_output=True,
        text=True,
    )
    return Verdicts(done.returncode, json.loads(done.stdout))


@dataclass
class Audit:
    """A network with filings in it, and the folder where an auditor keeps what the commands wrote."""

    cluster: Cluster
    folder: Path

    async def regulator(self, command: str, *arguments: str, jurisdiction: str = "330000") -> Any:
        """Runs a command of a regulator; what it writes is in the folder."""
        node = self.cluster.regulator(jurisdiction)
        return await self._run(node, "regulator_node", *command.split(), "--data", str(node.folder), *arguments)

    async def provider(self, command: str, *arguments: str) -> Any:
        """Runs a command of the provider."""
        node = self.cluster.provider("wave")
        return await self._run(node, "provider_node", *command.split(), "--data", str(node.folder), *arguments)

    async def _run(self, node: Node, *arguments: str) -> Any:
        return json.loads(await node.run(*arguments, "--json"))

    @property
    def keys(self) -> tuple[str, Path]:
        """The pinned keys."""
        return "--keys", self.folder / "keys.json"

    def log(self, name: str, *more: str | Path) -> Verdicts:
        """Judges a log file of the province."""
        return verify("log", self.folder / name, "--jurisdiction", "330000", *self.keys, *more)

    def runs(self) -> list[evidence_pb2.Run]:
        """The runs of the exported log."""
        with (self.folder / "zhejiang.log").open("rb") as file:
            return list(read_runs(file))

    def write(self, name: str, runs: list[evidence_pb2.Run]) -> str:
        """Writes a log file of other runs; returns its name."""
        with (self.folder / name).open("wb") as file:
            for run in runs:
                write_run(file, run)
        return name


@pytest.fixture(scope="module")
def audit(filing_cluster_factory: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Filings that are final and decided, one that is not final yet perhaps, and the files of the whole audit."""
    made = Audit(filing_cluster_factory(), tmp_path_factory.mktemp("audit"))
    asyncio.run(_prepare(made))
    return made


async def _prepare(audit: Audit) -> None:
    cluster, folder = audit.cluster, audit.folder
    async with cluster.provider("wave").client() as backend:
        subject = await register(backend)
        await file_account(backend, subject)
        await cluster.wait_until_delivered("wave")
        await audit.regulator("log checkpoint", "--output", str(folder / "monday.note"))
        await import_accounts(backend, subject, 30)
        await cluster.wait_until_delivered("wave")
        async with await cluster.regulator("330000").officer(OfficerRole.REVIEWER) as officer:
            filings = [each async for each in officer.search(FilingFilter(state=FilingState.FILED))]
            assert not any(each.error_reason for each in await officer.decide([Verdict.accept(filings[0])]))

        async def final() -> bool:
            found = [(piece.kind.name, piece.final) async for piece, _ in backend.evidence()]
            accounts = [account async for account in backend.accounts(Where.ACCEPTED)]
            return bool(accounts) and found.count(("SENT", True)) == 31 and ("DIRECTIVE", False) in found

        await cluster.wait_until(final, "every receipt is final")
        await file_account(backend, subject)
    await cluster.wait_until_delivered("wave")
    await cluster.wait_until_nation_has(32)
    (folder / "keys.json").write_text(
        await cluster.nation.run("regulator_node", "keys", "export", "--data", str(cluster.nation.folder))
    )
    await audit.regulator("log export", "--output", str(folder / "zhejiang.log"))
    proof = ("--since", str(folder / "monday.note"), "--proof", str(folder / "proof.txt"))
    await audit.regulator("log checkpoint", "--output", str(folder / "friday.note"), *proof)
    await audit.provider("evidence export", "--output", str(folder / "wave-evidence"))


def test_a_whole_log_is_audited_offline(audit: Audit) -> None:
    """What log export and log checkpoint write verifies, with heads of two days as heads of this log."""
    size = sum(len(run.entries) for run in audit.runs())
    heads = ("--checkpoint", audit.folder / "monday.note", "--checkpoint", audit.folder / "friday.note")
    found = audit.log("zhejiang.log", *heads)
    assert (0, "proven", size) == (found.code, found.said["verdict"], found.said["size"])
    two = verify("checkpoints", audit.folder / "monday.note", audit.folder / "friday.note", *audit.keys)
    assert 1 == two.code
    proof = ("--proof", audit.folder / "proof.txt")
    two = verify("checkpoints", audit.folder / "monday.note", audit.folder / "friday.note", *proof, *audit.keys)
    assert (0, size) == (two.code, two.said["new_size"])


async def test_an_export_goes_on_where_it_ended(audit: Audit) -> None:
    """A file that a break tore, a later part as a file of its own, and the nation's copy: the same bytes in the end."""
    whole = (audit.folder / "zhejiang.log").read_bytes()
    torn = audit.folder / "torn.log.partial"
    torn.write_bytes(whole[: len(whole) // 2])
    (done,) = await audit.regulator("log export", "--output", str(audit.folder / "torn.log"))
    assert (whole, False) == ((audit.folder / "torn.log").read_bytes(), torn.exists())
    assert 0 < done["new_entries"] < done["size"]
    (again,) = await audit.regulator("log export", "--output", str(audit.folder / "torn.log"))
    assert 0 == again["new_entries"]
    middle = audit.runs()[1].first_index
    await audit.regulator("log export", "--until", "1", "--output", str(audit.folder / "early.log"))
    await audit.regulator("log export", "--from-index", str(middle), "--output", str(audit.folder / "late.log"))
    assert whole == (audit.folder / "early.log").read_bytes() + (audit.folder / "late.log").read_bytes()
    parts = (audit.folder / "early.log", audit.folder / "late.log")
    assert 0 == verify("log", *parts, "--jurisdiction", "330000", *audit.keys).code
    copy = ("--jurisdiction", "330000", "--output", str(audit.folder / "copy.log"))
    await audit.regulator("log export", *copy, jurisdiction="100000")
    assert whole == (audit.folder / "copy.log").read_bytes()


def test_every_tampering_is_named(audit: Audit) -> None:
    """Edited, deleted, reordered, cut off: each is refuted, or not judged, in words of its own."""
    runs, friday = audit.runs(), ("--checkpoint", audit.folder / "friday.note")
    edited = [evidence_pb2.Run.FromString(run.SerializeToString()) for run in runs]
    entry = entry_pb2.Entry.FromString(edited[1].entries[0])
    entry.filing.display_name = "样例篡改账号"
    edited[1].entries[0] = entry.SerializeToString()
    reordered = [evidence_pb2.Run.FromString(run.SerializeToString()) for run in runs]
    place = next(index for index, run in enumerate(runs) if len(run.entries) > 1)
    first, second = reordered[place].entries[:2]
    reordered[place].entries[0], reordered[place].entries[1] = second, first
    for name, changed_runs, words in (
        ("edited.log", edited, "not those of the batch that the origin signed"),
        ("deleted.log", [runs[0], *runs[2:]], "but 1 is the next"),
        ("swapped.log", [runs[1], runs[0], *runs[2:]], "but 0 is the next"),
        ("reordered.log", reordered, "not those of the batch that the origin signed"),
        ("short.log", runs[:-1], "are cut off"),
    ):
        found = audit.log(audit.write(name, changed_runs), *friday)
        assert (1, "refuted") == (found.code, found.said["verdict"]), name
        assert words in found.reason, name
    (audit.folder / "torn.log").write_bytes((audit.folder / "zhejiang.log").read_bytes()[:-7])
    torn = audit.log("torn.log")
    assert (2, "not judged") == (torn.code, torn.said["verdict"])
    assert "cut within a run" in torn.reason


async def test_a_receipt_says_who_cosigned(audit: Audit) -> None:
    """A final filing's receipt shows the nation's cosignature, from either side; the nation's own log is cosigned too."""
    receipts: list[Path] = []
    for jurisdiction in ("330000", "100000"):
        receipts.append(audit.folder / f"{jurisdiction}.receipt")
        node = audit.cluster.regulator(jurisdiction)
        arguments = ("--jurisdiction", "330000", "--log-index", "0", "--output", str(receipts[-1]))
        await node.run("regulator_node", "filings", "receipt", "--data", str(node.folder), *arguments)
    receipts.append(next((audit.folder / "wave-evidence" / "sent").iterdir()))
    for path in receipts:
        found = verify("receipt", path, *audit.keys)
        assert (0, [NATION], True) == (found.code, found.said["cosigned_by"], found.said["final"])
    bare = audit.folder / "bare.receipt"
    receipt = parse_receipt(receipts[0].read_bytes())
    receipt.checkpoint = b"\n".join(receipt.checkpoint.split(b"\n")[:5]) + b"\n"
    bare.write_bytes(receipt.SerializeToString(deterministic=True))
    found = verify("receipt", bare, *audit.keys)
    assert (0, [], False) == (found.code, found.said["cosigned_by"], found.said["final"])
    assert any("no other regulator cosigned" in words for words in found.said["not_proven"])

    async def cosigned() -> bool:
        async with audit.cluster.nation.client() as operator:
            return (await operator.log_head()).cosigned_size > 0

    await audit.cluster.wait_until(cosigned, "a province cosigned the nation's log")
    note = audit.folder / "nation.note"
    await audit.regulator("log checkpoint", "--cosigned", "--output", str(note), jurisdiction="100000")
    assert f"— {PROVINCE} ".encode() in note.read_bytes()


async def test_a_running_nodes_register_is_checked(audit: Audit) -> None:
    """fsck reads a register while its node runs, at a province and at the nation with its copy; --repair wants it down."""
    for jurisdiction in ("330000", "100000"):
        found = await audit.regulator("fsck", jurisdiction=jurisdiction)
        assert ([], True) == (found["findings"], found["whole"])
        assert found["logs"]["330000"] == sum(len(run.entries) for run in audit.runs())
    with pytest.raises(FilingnetError, match="stop it first"):
        await audit.regulator("fsck", "--repair")


def test_the_provider_proves_its_side_after_the_regulator_lost_everything(audit: Audit, tmp_path: Path) -> None:
    """All that wave stated and was told is proven out of its own files; nothing of the regulator's is left to ask."""
    asyncio.run(audit.cluster.regulator("330000").stop())
    shutil.rmtree(audit.cluster.regulator("330000").folder)
    exported = tmp_path / "again"
    asyncio.run(audit.provider("evidence export", "--output", str(exported)))
    for folder in (audit.folder / "wave-evidence", exported):
        found = verify("evidence", folder, *audit.keys)
        assert (0, "proven") == (found.code, found.said["verdict"]), found.said
        assert (32, 1, 0) == (found.said["sent"], found.said["directives"], found.said["waiting"])
        assert found.said["final"] >= 31


def test_evidence_that_was_tampered_with_is_named(audit: Audit, tmp_path: Path) -> None:
    """A receipt that is taken away, exchanged for another or changed, and one that nobody listed."""
    folder = tmp_path / "evidence"
    shutil.copytree(audit.folder / "wave-evidence", folder)
    missing, exchanged, edited, *rest = sorted((folder / "sent").iterdir())
    missing.unlink()
    exchanged.write_bytes(rest[0].read_bytes())
    content = bytearray(edited.read_bytes())
    content[len(content) // 2] ^= 1
    edited.write_bytes(content)
    shutil.copy(rest[1], folder / "sent" / "more.receipt")
    done = subprocess.run(
        [sys.executable, "-m", "shared.evidence", "evidence", str(folder), *map(str, audit.keys)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert 1 == done.returncode
    for path, words in (
        (missing, "missing from the folder"),
        (exchanged, "of another entry"),
        (edited, ""),
        (folder / "sent" / "more.receipt", "not in index.json"),
    ):
        assert any(path.name in line and words in line for line in done.stdout.splitlines()), path.name
    assert "4 of" in done.stdout
