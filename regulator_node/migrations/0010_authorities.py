"""By which CA each certificate was signed, so that one is retired only once nobody needs it any more.

Empty for those that were signed while there was one CA; the first rotation fills it in (authorities.py).
"""

from typing import Any

STATEMENTS = """
ALTER TABLE certificate ADD COLUMN authority TEXT NOT NULL DEFAULT '';
CREATE INDEX certificate_holder ON certificate (name, issue_time)
"""


def up(migrator: Any, db: Any) -> None:
    """Adds the column and the index."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
