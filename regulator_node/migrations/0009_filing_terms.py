"""What the text index of SQLite holds, readable: its tokens and the rows that each of them leads to, for `fsck`."""

from typing import Any

import peewee


def up(migrator: Any, db: Any) -> None:
    """Creates the view on the index; on PostgreSQL the index is a table already."""
    sqlite = isinstance(db, peewee.SqliteDatabase)
    if sqlite:
        db.execute_sql("CREATE VIRTUAL TABLE filing_text_term USING fts5vocab(filing_text, 'instance')")
