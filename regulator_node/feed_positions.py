"""Where the next entry of a region's feed stands: after all before it, and never earlier than the machine's clock.

A province resumes by the position that it stored last. Were positions counted, a nation that was put back to an older
backup would give out a second time what the province has behind it already, for other entries, and the province would
never hear of these. Positions that follow the clock, in microseconds since 1970, are all new to it.
"""

from __future__ import annotations

from shared.clock import micros, system_clock
from shared.database import Transaction


def last_position(transaction: Transaction, region: str) -> int:
    """Returns the position after which the next entries of a region's feed stand; takes the feed's lock.

    Args:
        transaction: in which they are queued.
        region: whose feed.
    """
    transaction.lock(f"region/{region}")
    query = "SELECT COALESCE(MAX(position), 0) FROM region_feed WHERE region = ?"
    ((last,),) = transaction.execute(query, (region,))
    return max(int(last), micros(system_clock()))
