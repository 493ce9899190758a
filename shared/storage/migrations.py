"""Numbered migrations: each is applied once to a database, in order, and all that are missing together or none.

A migration is a script of its own, `0001_register.py`, with `up(migrator, db)`; what it needs of the tables it says
itself, so that it does the same for ever. Their names are kept in the table `schema_migration`. A database that knows a
migration which this program does not have was written by a newer one and is refused.
"""

from __future__ import annotations

from pathlib import Path

import peewee
from playhouse.migrations import Runner

from shared.errors import FailedPrecondition


def apply_migrations(database: peewee.Database, scripts: Path) -> None:
    """Applies what is missing. The caller has the database to itself and a transaction open.

    Args:
        database: Connected.
        scripts: The folder with the scripts.

    Raises:
        FailedPrecondition: DATABASE_TOO_NEW.
        peewee.PeeweeException: A script failed.
    """
    runner = Runner(database, str(scripts))
    unknown = [migration.name for migration in runner.status() if migration.path is None]
    if unknown:
        raise FailedPrecondition(
            f"the database was written by a newer version, which applied {', '.join(unknown)}: run that version",
            "DATABASE_TOO_NEW",
        )
    runner.up()
