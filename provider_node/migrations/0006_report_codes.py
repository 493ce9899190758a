"""The tracking codes of a report are read when it leaves: each of its reporters may go on to the regulator."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Creates the index by which they are found."""
    db.execute_sql(  # type: ignore[no-untyped-call]
        "CREATE INDEX report_code_received ON report_code (report_id, received_time, digest)"
    )
