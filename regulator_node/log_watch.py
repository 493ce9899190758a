"""What a regulator does when another's log does not continue what is held of it (`shared.log_watch`).

Nothing of that log is taken in or cosigned until it continues what is held; every other log goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from regulator_node.log import read_checkpoint
from regulator_node.log_proofs import StoredTree
from shared.alarms import Alarms
from shared.channel import Peer
from shared.database import Database, Transaction
from shared.evidence.hashing import ProofError, UnusableProof
from shared.log_watch import LogWatch, Sighting
from shared.network import NetworkView
from shared.range_roots import Range, read_roots


class RegulatorWatch:
    """Is told of other regulators' logs that are not what they were.

    Args:
        database: the register.
        view: the documents held, with everybody's keys.
        alarms: of this node.
    """

    def __init__(self, database: Database, view: NetworkView, alarms: Alarms) -> None:
        self._database = database
        self._watch = LogWatch(view.key_ring, alarms)

    async def copied(self, jurisdiction: str, shown: bytes, error: ProofError, peer: Peer) -> None:
        """Is told that a log of which a copy is held does not continue it.

        Args:
            jurisdiction: whose log.
            shown: the newest head that its regulator shows, a signed note; empty where it showed none.
            error: what did not verify. What cannot be judged, for want of a key say, is no reason for an alarm.
            peer: the regulator.
        """
        if isinstance(error, UnusableProof):
            return
        held = await self._database.read(lambda transaction: read_checkpoint(transaction, jurisdiction))
        met = Sighting(jurisdiction, held, shown, str(error))
        read_held = partial(self._read_copy, jurisdiction)
        await self._watch.judge(met, read_held=read_held, read_shown=partial(read_roots, peer))

    async def witnessed(self, met: Sighting, peer: Peer) -> None:
        """Is told that a log of which no copy is held does not continue the head that was cosigned last.

        Args:
            met: what was met.
            peer: the regulator.
        """
        await self._watch.judge(met, read_shown=partial(read_roots, peer))

    async def _read_copy(self, jurisdiction: str, ranges: Sequence[Range]) -> Sequence[bytes]:
        def read(transaction: Transaction) -> list[bytes]:
            tree = StoredTree(transaction, jurisdiction)
            return [tree.root_of(start, end) for start, end in ranges]

        return await self._database.read(read)
