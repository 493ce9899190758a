"""Bulk filing: a provider's full outbox until the regulator's last acknowledgement is stored.

Real processes, mTLS, signatures, validation, Merkle log and FULL sync on both sides. The provider files with the nation
directly, so that no third process shares the cores. What is measured is what the nodes themselves wrote down: from the
first run that entered the register to the provider's last success, the first run not counted.

The floor puts the very rows that the register then holds into the same tables, by the raw driver, in the same batches,
with the node's own pragmas and sync.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import apsw

from benchmarks.measure import Comparison, Figure
from regulator_node import text_index
from regulator_node.settings import MIGRATIONS
from shared.client.provider import ImportRow, ProviderClient
from shared.clock import micros, system_clock
from shared.cluster.made_up import person
from shared.cluster.network import Cluster
from shared.database import open_database, sqlite_url
from shared.provisions.regions import NATION

WANTED: Final = 0.3
TABLES: Final = ("run", "log_entry", "filing")
POLL_SECONDS: Final = 0.05


async def bulk(filings: int, rounds: int) -> Comparison:
    """Measures bulk filing.

    Args:
        filings: how many in each round.
        rounds: how many rounds, each followed by one of the floor.
    """
    rates, floors = [], []
    for _ in range(rounds):
        async with Cluster(provinces=(), providers={"wave": NATION}, proxied=False) as cluster:
            rates.append(await _deliver(cluster, filings))
            await cluster.stop()
            rows = _rows_of(cluster.nation.folder / "register.db")
            floors.append(await asyncio.to_thread(_insert, rows, cluster.folder / "floor.db"))
    return Comparison(
        name="bulk filing, provider outbox → regulator acknowledgement",
        detail=f"{filings:,} filings a round, {rounds} rounds, SQLite, batches of up to 1,000",
        figure=Figure(rates),
        floor=Figure(floors),
        floor_name="the same rows into the same tables by the raw driver, same batches and sync",
        wanted=WANTED,
    )


async def _deliver(cluster: Cluster, filings: int) -> float:
    provider = cluster.provider("wave")
    async with provider.client() as node:
        subject = await _subject(node)
        await cluster.nation.stop()
        result = await node.import_accounts(str(uuid4()), _accounts(subject, filings))
        assert result.imported == filings, f"{result.failed} rows failed, the first {result.failures[:1]}"
        await cluster.nation.start()
        while True:
            status = await node.status()
            if all(destination.queued == 0 for destination in status.destinations):
                break
            await asyncio.sleep(POLL_SECONDS)
        ended = max(
            destination.last_success_time for destination in status.destinations if destination.last_success_time
        )
    begun, counted = _first_run(cluster.nation.folder / "register.db", filings)
    return counted / ((micros(ended) - begun) / 1e6)


async def _subject(node: ProviderClient) -> bytes:
    agreement = await node.agreement()
    subject = await node.register_person(person(1), nickname="样例", agreement=agreement)
    return subject.reference


async def _accounts(subject: bytes, count: int) -> AsyncIterator[ImportRow]:
    reviewed = system_clock()
    for number in range(1, count + 1):
        yield ImportRow(number, subject, f"样例公众号{number:06d}期", "lifestyle", reviewed)


def _first_run(register: Path, filings: int) -> tuple[int, int]:
    connection = apsw.Connection(str(register), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(
        "SELECT run.filed_time, run.size FROM run JOIN filing ON filing.jurisdiction = run.jurisdiction"
        " AND filing.log_index = run.first_index ORDER BY run.first_index LIMIT 1"
    ).fetchall()
    ((stored,),) = connection.execute("SELECT COUNT(*) FROM filing").fetchall()
    connection.close()
    assert stored == filings, f"{stored} of {filings} filings arrived"
    (begun, first), *_ = rows
    assert isinstance(begun, int)
    assert isinstance(first, int)
    return begun, filings - first


@dataclass(frozen=True, slots=True)
class _Rows:
    columns: dict[str, list[str]]
    batches: list[dict[str, list[tuple[Any, ...]]]]


def _rows_of(register: Path) -> _Rows:
    connection = apsw.Connection(str(register), flags=apsw.SQLITE_OPEN_READONLY)
    columns = {
        table: [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})").fetchall()] for table in TABLES
    }
    batches = []
    runs = connection.execute("SELECT first_index, size FROM run ORDER BY first_index").fetchall()
    for first, size in runs:
        assert isinstance(first, int)
        assert isinstance(size, int)
        span = (first, first + size)
        batch: dict[str, list[tuple[Any, ...]]] = {
            "run": connection.execute("SELECT * FROM run WHERE first_index = ?", (first,)).fetchall(),
            "log_entry": connection.execute(
                "SELECT * FROM log_entry WHERE log_index >= ? AND log_index < ?", span
            ).fetchall(),
            "filing": connection.execute(
                "SELECT * FROM filing WHERE log_index >= ? AND log_index < ?", span
            ).fetchall(),
        }
        batches.append(batch)
    connection.close()
    return _Rows(columns, batches)


def _insert(rows: _Rows, path: Path) -> float:
    database = open_database(sqlite_url(path), MIGRATIONS)
    asyncio.run(database.close())
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=8000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    filing = rows.columns["filing"]
    place = [filing.index(name) for name in ("jurisdiction", "log_index", "display_name", "organisation_name")]
    statements = {
        table: f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        for table, names in rows.columns.items()
    }
    tokens = [
        [
            (
                text_index.row_number(row[place[0]], row[place[1]]),
                " ".join(text_index.tokens(row[place[2]], row[place[3]])),
            )
            for row in batch["filing"]
        ]
        for batch in rows.batches
    ]
    count = sum(len(batch["filing"]) for batch in rows.batches)
    begun = time.perf_counter()
    for batch, texts in zip(rows.batches, tokens, strict=True):
        connection.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            connection.executemany(statements[table], batch[table])
        connection.executemany("INSERT INTO filing_text (rowid, tokens) VALUES (?, ?)", texts)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begun
    connection.close()
    return count / seconds
