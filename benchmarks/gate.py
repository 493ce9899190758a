"""The publication gate: CheckPublication, 32 calls in flight, against an empty unary call over a Unix socket.

The provider is a real node. Its accounts, grants and measures are made straight into its database file while it is
stopped: what is measured is the gate, over as many accounts as the largest tool had. The floor is a bare gRPC server
on a Unix socket in a process of its own, with the same options and nothing between wire and answer. Beside it the
emptiest call that the node itself answers on the gate's own socket is measured, a health check. Questions are encoded
before the clock runs and answers are read after it stopped, because the floor's caller has nothing to encode or to
read: both callers do the same, and what differs is the node's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.empty_server import METHOD
from benchmarks.measure import Comparison, Figure
from benchmarks.single import timed
from provider_node.master_key import load_master_keys
from provider_node.settings import MIGRATIONS, ProviderSettings
from provider_node.vault import open_vault
from shared.channel import local_channel
from shared.clock import micros, system_clock
from shared.cluster.network import Cluster
from shared.database import Transaction, open_database
from shared.pb.filingnet.provider.v1 import publication_service_pb2 as pb
from shared.provisions.regions import NATION
from shared.provisions.spans import FOREVER

WANTED: Final = 0.8
SHARE: Final = 10
"""One in so many accounts has a grant, and one in so many a measure."""

HEALTH: Final = "/grpc.health.v1.Health/Check"
CHECK: Final = "/filingnet.provider.v1.PublicationService/CheckPublication"
REASONS: Final = {
    "NOT_NEWS",
    "MAY_PUBLISH",
    "MAY_REPRINT",
    "NO_RIGHT_TO_PUBLISH_NEWS",
    "NO_RIGHT_TO_REPRINT_NEWS",
    "PUBLISHING_RESTRICTED",
    "UPDATES_SUSPENDED",
    "PROVIDER_LICENCE",
}
"""Why these accounts may or may not; each of them is known."""

DAY: Final = 24 * 3600 * 1_000_000


async def gate(accounts: int, calls: int, rounds: int) -> Comparison:
    """Measures the gate, and prints how it stands to a health check on the same socket.

    Args:
        accounts: how many the provider has.
        calls: how many in each round.
        rounds: how many rounds, each followed by one of the floor.
    """
    rates, floors, health_rates = [], [], []
    chosen = random.Random(accounts)
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "empty.sock"
        async with Cluster(provinces=(), providers={"wave": NATION}, proxied=False) as cluster:
            provider = cluster.provider("wave")
            await provider.stop()
            await _fill(provider.folder, accounts)
            await provider.start()
            server = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.empty_local_server", socket, stdout=asyncio.subprocess.PIPE
            )
            assert server.stdout is not None
            await server.stdout.readline()
            channel, floor = local_channel(os.fspath(provider.socket)), local_channel(f"unix:{socket}")
            try:
                answers: list[bytes] = []
                check = channel.unary_unary(CHECK, response_deserializer=answers.append)
                empty, health = floor.unary_unary(METHOD), channel.unary_unary(HEALTH)
                await _asked(check, answers, accounts, 200, chosen)
                for _ in range(rounds):
                    rates.append(await _asked(check, answers, accounts, calls, chosen))
                    floors.append(await timed([lambda: empty(b"", timeout=30)] * calls))
                    health_rates.append(await timed([lambda: health(b"", timeout=30)] * calls))
            finally:
                server.terminate()
                await server.wait()
                await channel.close()
                await floor.close()
    checked = Figure(health_rates)
    print(
        f"a health check on the gate's own socket: {checked}; the gate at {Figure(rates).middle / checked.middle:.2f} of it"
    )
    return Comparison(
        name="publication gate, 32 in flight",
        detail=f"{calls:,} calls a round, {rounds} rounds, {accounts:,} accounts, {accounts // SHARE:,} grants and as"
        " many measures, SQLite",
        figure=Figure(rates),
        floor=Figure(floors),
        floor_name="an empty unary call over a Unix socket",
        wanted=WANTED,
    )


async def _asked(
    check: Callable[..., Awaitable[object]], answers: list[bytes], accounts: int, calls: int, chosen: random.Random
) -> float:
    requests = [
        pb.CheckPublicationRequest(
            account_id=_account_id(chosen.randrange(accounts)),
            act=chosen.choice((pb.PUBLICATION_ACT_PUBLISH, pb.PUBLICATION_ACT_REPRINT)),
            is_news=chosen.random() < 0.5,
            audience=pb.AUDIENCE_PUBLIC,
            form=pb.PUBLICATION_FORM_PUBLIC_ACCOUNT,
        ).SerializeToString()
        for _ in range(calls)
    ]
    answers.clear()
    rate = await timed([partial(check, request, timeout=30) for request in requests])
    reasons = {pb.CheckPublicationResponse.FromString(answer).reason for answer in answers}
    assert len(answers) == calls, len(answers)
    assert reasons <= REASONS, reasons
    return rate


def _account_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


async def _fill(folder: Path, accounts: int) -> None:
    settings = ProviderSettings.load(folder)
    vault = open_vault(settings.vault_folder, load_master_keys(settings.master_key_source))
    await vault.close()
    database = open_database(settings.database, MIGRATIONS, key=vault.database_key)
    now = micros(system_clock())
    for table, rows in (
        ("account", _accounts(accounts, now)),
        ("label_grant", _grants(accounts, now)),
        ("measure", _measures(accounts, now)),
    ):
        await database.write(partial(_insert, table, rows))
    await database.close()


def _insert(table: str, rows: Iterator[dict[str, Any]], transaction: Transaction) -> None:
    first = next(rows)
    values = [tuple(row.values()) for row in itertools.chain([first], rows)]
    transaction.insert_many(table, tuple(first), values)


def _accounts(accounts: int, now: int) -> Iterator[dict[str, Any]]:
    for number in range(accounts):
        yield {
            "account_id": _account_id(number),
            "reference": number.to_bytes(16, "big"),
            "display_name": f"样例公众号{number}",
            "category": "lifestyle",
            "review_outcome": 1,
            "review_reason": "",
            "reviewed_time": now,
            "withdrawn": 0,
            "filings": 0,
            "open_time": now - number,
            "version": 1,
        }


def _grants(accounts: int, now: int) -> Iterator[dict[str, Any]]:
    for number in range(0, accounts, SHARE):
        yield {
            "grant_id": str(uuid.uuid4()),
            "account_id": _account_id(number),
            "statements": 1,
            "revision": 1,
            "action": 2,
            "granted": 1,
            "basis": 1,
            "licence_number": "33120240001",
            "scope": 1,
            "start_time": now - DAY,
            "end_time": now + 300 * DAY + number,
            "revoked_time": FOREVER,
            "outcome": 0,
            "reason": "",
            "note": "",
            "version": 1,
        }


def _measures(accounts: int, now: int) -> Iterator[dict[str, Any]]:
    for number in range(SHARE // 2, accounts, SHARE):
        yield {
            "measure_id": str(uuid.uuid4()),
            "account_id": _account_id(number),
            "kind": 2 + number // SHARE % 2,
            "baseline": 7,
            "reason": "false_information",
            "gravity": 1,
            "start_time": now - DAY,
            "end_time": now + 30 * DAY,
            "order_entry_id": "",
            "stopped_time": FOREVER,
            "action": 1,
            "revision": 1,
            "reasons": "样例",
            "version": 1,
        }
