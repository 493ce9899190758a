"""Reports from the public: taken in, answered and settled at a provider, while those whose time is up leave by themselves.

Real processes: one provider with its local API on a socket, one province, and the nation that follows it; mTLS between
them, SQLite and FULL sync at each. What leaves was received a day before, less a few seconds: its reports are made
straight into the provider's file while it is stopped, so that their first answer falls due one after another while the
rate is measured. None may leave later than LATE_SECONDS after that moment, and each arrives at the province once.

The floor is no measurement but what the largest provider needs: the rate of 600,000 reports a day.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from benchmarks.measure import Comparison, Figure
from provider_node.master_key import load_master_keys
from provider_node.report_departures import with_leave_time
from provider_node.report_rows import StoredEvent, StoredReport, add_code, add_event, insert_report
from provider_node.settings import MIGRATIONS, ProviderSettings
from provider_node.vault import open_vault
from shared.client.provider import ImportRow, ProviderClient
from shared.clock import system_clock
from shared.cluster.made_up import person
from shared.cluster.network import Cluster
from shared.database import Transaction, open_database
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.policy import REPORT_FIRST_ANSWER, initial_policy
from shared.provisions.reports import ReportState
from shared.provisions.spans import FOREVER

WANTED: Final = 1.0
A_DAY: Final = 600_000
DAY_SECONDS: Final = 86_400
ESCALATING: Final = 0.03
LATE_SECONDS: Final = 1.0
"""A report may leave so much later than its time was up; the provisions count in minutes."""

ACCOUNTS: Final = 1_000
IN_FLIGHT: Final = 32
WARM_UP: Final = 600
START_SECONDS: Final = 8.0
"""From making the reports that leave until the first of them is due: the provider starts meanwhile."""

ROUNDS_OF_SECONDS: Final = 8.0


async def reports(rounds: int) -> Comparison:
    """Measures reports.

    Args:
        rounds: of ROUNDS_OF_SECONDS each.
    """
    seconds = rounds * ROUNDS_OF_SECONDS
    async with Cluster(provinces=("330000",), providers={"wave": "330000"}, proxied=False) as cluster:
        provider = cluster.provider("wave")
        async with provider.client() as node:
            accounts = await _accounts(node)
            await cluster.wait_until_delivered("wave")
            rate = await _handle(node, accounts, WARM_UP)
        await provider.stop()
        # More than asked for, because the rate is not known yet.
        leaving = max(int(rate * seconds * ESCALATING * 1.25), rounds)
        begin = time.time() + START_SECONDS
        await _make_leaving(provider.folder, accounts, leaving, begin, seconds)
        await provider.start()
        await asyncio.sleep(max(begin - time.time(), 0))
        async with provider.client() as node:
            handled = [await _handle_for(node, accounts, ROUNDS_OF_SECONDS) for _ in range(rounds)]
            await cluster.wait_until_delivered("wave")
        await cluster.stop()
        left = _left(cluster.regulator("330000").folder / "register.db")
    rates = [(count + leaving / rounds) / ROUNDS_OF_SECONDS for count in handled]
    assert left.reports == leaving, f"{left.reports} of {leaving} reports arrived at the province"
    assert not left.late, f"{left.late} reports left more than {LATE_SECONDS} s late, the worst {left.worst:.3f} s"
    share = leaving / (sum(handled) + leaving)
    assert share >= ESCALATING, f"{share:.1%} escalated, {ESCALATING:.0%} are asked for"
    return Comparison(
        name="reports, from the public to settled or escalated",
        detail=f"{sum(handled) + leaving:,} reports in {seconds:.0f} s, {share:.1%} escalating by the clock,"
        f" {left.late} left late (the slowest {left.worst * 1000:,.0f} ms after its time was up, at the province after"
        f" {left.arrived * 1000:,.0f} ms), SQLite, FULL sync",
        figure=Figure(rates),
        floor=Figure([A_DAY / DAY_SECONDS]),
        floor_name=f"{A_DAY:,} reports a day, {A_DAY / DAY_SECONDS:.2f} a second",
        wanted=WANTED,
    )


async def _accounts(node: ProviderClient) -> list[str]:
    subject = await node.register_person(person(1), nickname="样例", agreement=await node.agreement())
    reviewed = system_clock()
    rows = [
        ImportRow(number, subject.reference, f"样例公众号{number:06d}期", "lifestyle", reviewed)
        for number in range(1, ACCOUNTS + 1)
    ]
    result = await node.import_accounts(str(uuid.uuid4()), rows)
    assert result.imported == ACCOUNTS, result
    return [account.account_id async for account in node.accounts()]


async def _handle(node: ProviderClient, accounts: Sequence[str], count: int) -> float:
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            await _settled(node, accounts[number % len(accounts)])

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - begun)


async def _handle_for(node: ProviderClient, accounts: Sequence[str], seconds: float) -> int:
    """Handles reports for a time; returns how many were settled in it."""
    until, handled = time.perf_counter() + seconds, 0

    async def lane(number: int) -> None:
        nonlocal handled
        while time.perf_counter() < until:
            number += IN_FLIGHT
            await _settled(node, accounts[number % len(accounts)])
            handled += time.perf_counter() < until

    await asyncio.gather(*(lane(number) for number in range(IN_FLIGHT)))
    return handled


async def _settled(node: ProviderClient, account_id: str) -> None:
    taken = await node.submit_report(account_id, baseline=7, item_digest=os.urandom(32), statement="这条消息不实")
    assert not taken.joined
    report_id = taken.report.report_id
    await node.answer_report(report_id, "已受理", actor="desk-1")
    await node.settle_report(report_id, "no_violation", actor="desk-1")


async def _make_leaving(folder: Path, accounts: Sequence[str], count: int, begin: float, seconds: float) -> None:
    settings = ProviderSettings.load(folder)
    vault = open_vault(settings.vault_folder, load_master_keys(settings.master_key_source))
    await vault.close()
    database = open_database(settings.database, MIGRATIONS, key=vault.database_key)
    due = [int((begin + seconds * number / count) * 1_000_000) for number in range(count)]
    made = [_received(accounts[number % len(accounts)], time) for number, time in enumerate(due)]

    def work(transaction: Transaction) -> None:
        for report in made:
            insert_report(transaction, report)
            add_code(transaction, report.tracking_digest, report.report_id, report.received_time)
            add_event(transaction, report.report_id, StoredEvent(report.received_time, "received", "public"))

    await database.write(work)
    await database.close()


def _received(account_id: str, due: int) -> StoredReport:
    """A report of which the first answer is due at a moment, in microseconds."""
    policy = initial_policy()
    length = policy.period(REPORT_FIRST_ANSWER).fixed_length
    assert length is not None
    received = due - round(length.total_seconds() * 1_000_000)
    report = StoredReport(
        report_id=str(uuid.uuid4()),
        account_id=account_id,
        baseline=7,
        item_url="",
        sealed_url=None,
        item_digest=os.urandom(32),
        tracking_digest=os.urandom(32),
        state=ReportState.RECEIVED,
        reports=1,
        received_time=received,
        answered_time=FOREVER,
        settled_time=FOREVER,
        leave_time=FOREVER,
        paused=False,
        outcome="",
        sealed_answer=None,
        version=1,
    )
    leaving = with_leave_time(report, (policy,))
    assert leaving.leave_time == due, (leaving.leave_time, due)
    return leaving


@dataclass(frozen=True, slots=True)
class _Left:
    """What arrived at the province: how many, how many left late, and the worst delays in seconds."""

    reports: int
    late: int
    worst: float
    arrived: float


def _left(register: Path) -> _Left:
    connection = apsw.Connection(str(register), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(
        "SELECT e.entry, r.filed_time FROM log_entry e JOIN run r ON r.jurisdiction = e.jurisdiction"
        " AND r.first_index <= e.log_index AND e.log_index < r.first_index + r.size WHERE e.jurisdiction = '330000'"
    ).fetchall()
    ((cases,),) = connection.execute("SELECT COUNT(*) FROM case_file").fetchall()
    connection.close()
    left, arrived = [], []
    for raw, filed in rows:
        assert isinstance(raw, bytes)
        assert isinstance(filed, int)
        entry = entry_pb2.Entry.FromString(raw)
        if entry.escalation.HasField("report"):
            due = entry.escalation.report.due_time.ToMicroseconds()
            left.append((entry.created_time.ToMicroseconds() - due) / 1e6)
            arrived.append((filed - due) / 1e6)
    assert cases == len(left), f"{cases} cases of {len(left)} reports"
    late = sum(delay > LATE_SECONDS for delay in left)
    return _Left(len(left), late, max(left, default=0.0), max(arrived, default=0.0))
