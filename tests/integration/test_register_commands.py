"""The commands `regulator-node filings …` at a running regulator."""

from __future__ import annotations

import asyncio
import csv
import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from regulator_node.commands_filings import filings_app
from shared.clock import from_micros
from shared.errors import InvalidInput
from shared.evidence.receipts import verify_receipt
from tests.integration.made_register import SECOND, START, Fact, MadeRegister
from tests.integration.regulators import Running

HERE = "100000"


@pytest.fixture
async def register(nation: Running) -> MadeRegister:
    """The nation's register, with filings of several jurisdictions."""
    made = MadeRegister(nation.parts.database, random.Random(2))
    await made.fill(12)
    return made


async def commanded(nation: Running, *arguments: str) -> Result:
    """Runs a command at the nation's data folder."""
    data = ("--data", str(nation.settings.folder))
    return await asyncio.to_thread(CliRunner().invoke, filings_app, [*arguments[:1], *data, *arguments[1:]])


async def test_commands_search_count_and_tell(nation: Running, register: MadeRegister) -> None:
    """The commands print what the register holds, as tables and as JSON."""
    found = await commanded(nation, "search", "--state", "filed", "--limit", "0", "--oldest-first", "--json")
    expected = [fact for fact in register.shown() if fact.state_at(None) == 1]
    rows = json.loads(found.stdout)
    assert [(fact.account_id, "filed") for fact in expected] == [(row["account_id"], row["state"]) for row in rows]
    counted = json.loads((await commanded(nation, "stats", "--by", "state", "--json")).stdout)
    assert len(register.shown()) == sum(row["filings"] for row in counted)
    fact = next(each for each in register.shown() if each.revision > 1)
    account = ("--jurisdiction", fact.jurisdiction, "--provider", fact.provider, "--account", fact.account_id)
    told = await commanded(nation, "history", *account)
    assert 0 == told.exit_code
    assert fact.display_name in told.stdout
    since = from_micros(START + 3 * SECOND).isoformat()
    few = json.loads((await commanded(nation, "search", "--filed-before", since, "--json")).stdout)
    assert sum(each.filed_time < START + 3 * SECOND for each in register.shown()) == len(few)


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "--state", "lost"),
        ("search", "--as-of", "yesterday"),
        ("search", "--address", "localhost:1"),
        ("stats", "--by", "weather"),
        ("decide", "--provider", "provider/wave"),
    ],
)
async def test_wrong_usage_is_told(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """What a command cannot make sense of is wrong usage, with exit code 2, before anything is asked."""
    result = await asyncio.to_thread(CliRunner().invoke, filings_app, [*arguments, "--data", str(tmp_path)])
    assert 2 == result.exit_code


async def test_the_export_command_writes_a_file(nation: Running, register: MadeRegister, tmp_path: Path) -> None:
    """A file of the export command holds the register, and its checksum is printed and beside it."""
    target = tmp_path / "filings.csv"
    done = json.loads((await commanded(nation, "export", "--output", str(target), "--json")).stdout)
    content = target.read_text()
    rows = list(csv.DictReader(content.splitlines()))
    assert [fact.account_id for fact in register.shown()] == [row["account_id"] for row in rows]
    assert (len(rows), f"{done[0]['sha256']}  filings.csv\n") == (
        done[0]["filings"],
        (tmp_path / "filings.csv.sha256").read_text(),
    )


async def test_the_file_name_decides_the_kind(nation: Running, register: MadeRegister, tmp_path: Path) -> None:
    """A file called .parquet is one, without being told twice."""
    target = tmp_path / "filings.parquet"
    await commanded(nation, "export", "--output", str(target))
    assert b"PAR1" == target.read_bytes()[:4]


async def test_the_decide_command_takes_a_file(nation: Running, register: MadeRegister, tmp_path: Path) -> None:
    """A desk's verdicts go in as CSV; one that is refused shows in its row and in the exit code; a receipt is a file."""
    facts: list[Fact] = []
    for _ in range(2):
        facts += await register.file(HERE, [register.new_account()])
    verdicts = tmp_path / "verdicts.csv"
    lines = ["provider,account_id,revision,outcome,reason,fields,note"]
    lines += [f"{facts[0].provider},{facts[0].account_id},1,accepted,,,"]
    lines += [f"{facts[1].provider},{facts[1].account_id},1,returned,other,category display_name,改名"]
    lines += [f"{facts[1].provider},{facts[1].account_id},2,accepted,,,"]
    verdicts.write_text("\n".join(lines), "utf-8")
    result = await commanded(nation, "decide", "--file", str(verdicts), "--json")
    assert (1, ["decided", "decided", "FILING_UNKNOWN"]) == (
        result.exit_code,
        [row["result"] for row in json.loads(result.stdout)],
    )
    index = json.loads(result.stdout)[1]["log_index"]
    output = tmp_path / "proof"
    receipt = await commanded(
        nation, "receipt", "--jurisdiction", HERE, "--log-index", str(index), "--output", str(output)
    )
    assert 0 == receipt.exit_code
    assert (
        facts[1].account_id
        == verify_receipt(output.read_bytes(), nation.view.key_ring()).entry.filing_decision.account_id
    )
    one = ("--provider", facts[0].provider, "--account", facts[0].account_id, "--revision", "1", "--return", "other")
    assert "ALREADY_DECIDED" in (await commanded(nation, "decide", *one)).stdout


async def test_a_file_of_verdicts_that_cannot_be_read_decides_nothing(tmp_path: Path) -> None:
    """Every line that cannot be read is named, and nothing is sent."""
    verdicts = tmp_path / "verdicts.csv"
    verdicts.write_text("provider,account_id,revision,outcome\nprovider/wave,x,one,accepted\nprovider/wave,x,1,later\n")
    result = await asyncio.to_thread(
        CliRunner().invoke, filings_app, ["decide", "--data", str(tmp_path), "--file", str(verdicts)]
    )
    assert isinstance(result.exception, InvalidInput)
    assert ["line 2", "line 3"] == [violation.field for violation in result.exception.violations]
