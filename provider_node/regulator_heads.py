"""Compares the log that a regulator shows with the newest head of it that this provider holds, at each contact.

A provider holds no copy of the log, only heads that the regulator signed: in acknowledgements, and cosigned ones. So it
has the regulator show its newest head and the few hashes by which that continues the newest one held. A log that was
rewritten, cut, or is another than others are shown cannot do that.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.channel import Peer
from shared.database import Database
from shared.delivery.outcomes import newest_head
from shared.evidence.checkpoints import verify_checkpoint
from shared.evidence.forks import Contradiction, TreeParts, began_with, parts_needed
from shared.evidence.keyring import KeyRing
from shared.evidence.names import log_origin, regulator_of
from shared.range_roots import ask_roots


async def compare_heads(database: Database, jurisdiction: str, key_ring: Callable[[], KeyRing], peer: Peer) -> None:
    """Has a regulator prove that its log continues the newest head of it that is held.

    Args:
        database: the node's own.
        jurisdiction: the regulator's.
        key_ring: reads the keys of the newest directory.
        peer: the regulator.

    Raises:
        Contradiction: it does not.
        ProofError: what it answered cannot be judged.
        RemoteError: it did not answer.
    """
    held = await database.read(lambda transaction: newest_head(transaction, regulator_of(jurisdiction)))
    if not held:
        return
    shown = (await ask_roots(peer, [])).checkpoint
    keys = key_ring().keys_of(regulator_of(jurisdiction))
    old, new = (verify_checkpoint(note, log_origin(jurisdiction), keys) for note in (held, shown))
    if new.size < old.size:
        message = "The regulator's log has fewer entries than it signed: it was put back to an earlier state."
        raise Contradiction(message, held, shown)
    parts = TreeParts()
    if new.size > old.size:
        before, beyond = parts_needed(old.size, new.size)
        roots = (await ask_roots(peer, [*before, *beyond])).roots
        parts = TreeParts(tuple(roots[: len(before)]), tuple(roots[len(before) :]))
    if began_with(old.size, new, parts) != old.root:
        raise Contradiction("The regulator's log does not continue what it signed.", held, shown, parts)
