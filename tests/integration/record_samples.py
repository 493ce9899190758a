"""A provider's database with many settled reports, not encrypted as a whole, so that a test can look at its pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from provider_node.record_sources import record_sources
from provider_node.settings import MIGRATIONS
from shared.clock import Clock, micros
from shared.database import Database, Transaction, open_database, sqlite_url
from shared.evidence.disposals import MAX_RECORDS
from shared.evidence.keys import SigningKey
from shared.pb.filingnet.network.v1 import disposal_pb2
from shared.provisions.policy import initial_policy
from shared.provisions.retention import SCOPES_OF_PROVIDER
from shared.records.disposal import Disposals
from tests.integration.filing_samples import NOW, PROVIDER

SETTLED = NOW - timedelta(days=215)
_GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835


def plain_database(folder: Path) -> Database:
    """Opens the database in a folder."""
    return open_database(sqlite_url(folder / "plain.db"), MIGRATIONS)


def report_ids(count: int) -> list[str]:
    """Made-up ids, in an order that splits the pages of a tree as random ones do."""
    digits = [f"{number * _GOLDEN % 2**128:032x}" for number in range(1, count + 1)]
    return [f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" for text in digits]


def words_of(report_id: str) -> bytes:
    """What stands for the sealed words of a report: found nowhere else, and of many lengths."""
    times = (3, 9, 26, 180)[int(report_id[:8], 16) % 4]
    return f"<{report_id.replace('-', '').upper()}>".encode() * times


def plant_reports(transaction: Transaction, ids: Sequence[str], settled: datetime = SETTLED) -> None:
    """Stores reports that were settled, one transaction's worth."""
    at = micros(settled)
    columns = (
        "report_id",
        "account_id",
        "baseline",
        "item_url",
        "item_digest",
        "tracking_digest",
        "state",
        "reports",
        "received_time",
        "answered_time",
        "settled_time",
        "leave_time",
        "paused",
        "outcome",
        "version",
    )
    for report_id in ids:
        row = (report_id, "", 7, "", b"", b"", 3, 1, at, at, at, 2**63 - 1, 0, "no_violation", 1)
        transaction.insert_many("report", columns, [row])
        statement = (report_id, 1, words_of(report_id))
        transaction.insert_many("report_statement", ("report_id", "position", "sealed"), [statement])


def disposals_over(database: Database, clock: Clock = lambda: NOW, together: int = MAX_RECORDS) -> Disposals:
    """Disposals by the first policy."""
    key, policies, sources = SigningKey.generate(), (initial_policy(),), record_sources()
    return Disposals(database, PROVIDER, key, lambda: policies, sources, SCOPES_OF_PROVIDER, clock, together=together)


def record_id_of(record: bytes) -> str:
    """The id in a leaf of a certificate."""
    return disposal_pb2.DisposedRecord.FromString(record).record_id
