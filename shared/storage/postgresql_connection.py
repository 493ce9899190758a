"""Connects to PostgreSQL: what every connection of a node is set to, and values that mean the same as in SQLite."""

from __future__ import annotations

from typing import Any, Final

import peewee
import psycopg
from playhouse.postgres_ext import Psycopg3Database
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.postgres import types

from shared.storage.peewee_errors import driver_error

DEFAULTS: Final[dict[str, object]] = {
    "application_name": "filingnet",
    "client_encoding": "UTF8",
    "connect_timeout": 5,
    # A server whose machine or network is cut is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Parameters of a connection, in libpq's words and units, where the URL does not say otherwise."""

WEAKER_COMMITS: Final = ("off", "local", "remote_write")
"""Settings of synchronous_commit that acknowledge what a crash can still lose; they are raised to "on"."""


def connector(url: str, busy_seconds: float) -> Psycopg3Database:
    """Returns peewee's handle of a database, with a connection of its own for each thread.

    Args:
        url: "postgresql://…".
        busy_seconds: How long a statement waits for a lock; 0 waits for ever.

    Raises:
        psycopg.ProgrammingError: The URL is not understood.
    """
    said = conninfo_to_dict(url)
    parameters = {name: value for name, value in DEFAULTS.items() if name not in said}
    waits = f"-c lock_timeout={round(busy_seconds * 1000)}"
    parameters["options"] = f"{said.get('options') or ''} {waits}".strip()
    return Psycopg3Database(url, autoconnect=False, **parameters)


def connect(database: Psycopg3Database) -> psycopg.Connection:
    """Opens this thread's connection.

    Raises:
        psycopg.Error: It cannot be opened.
    """
    try:
        database.connect()
        return _set_up(database.connection())
    except peewee.PeeweeException as error:
        database.close()
        raise driver_error(error) from None
    except psycopg.Error:
        database.close()
        raise


def _set_up(connection: psycopg.Connection) -> psycopg.Connection:
    connection.adapters.register_dumper(bool, _BoolDumper)
    connection.adapters.register_loader("numeric", _NumericLoader)
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = ANY(%s)",
        (list(WEAKER_COMMITS),),
    )
    return connection


class _BoolDumper(Dumper):
    """Stores a truth as 0 or 1, as SQLite does: the tables have SMALLINT columns for it."""

    oid = types["int2"].oid

    def dump(self, obj: Any) -> Buffer:
        return b"1" if obj else b"0"


class _NumericLoader(Loader):
    """Gives the sum of whole numbers as a whole number, as SQLite does."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)
