"""What a node does when a regulator's log is not what it was: it looks for a proof, and raises an alarm.

What was met stops what depends on it and nothing else. The proof is two heads that the regulator signed and that cannot
both be true. The hashes of the larger tree that it needs come from what the node holds, or from the regulator itself,
which answers for the tree that it shows; they are believed for leading to a root that it signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from shared.alarms import LOG_FORKED, LOG_NOT_PROVEN, LOG_PUT_BACK, Alarms
from shared.channel import RemoteError
from shared.evidence.checkpoints import verify_checkpoint
from shared.evidence.forks import ReadRoots, TreeParts, find_fork, fork_file, proven, size_of
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.names import log_origin, regulator_of

FORKED: Final = "its regulator signed two heads that cannot both be true"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was met.

    Attributes:
        jurisdiction: whose log.
        held: the newest head of it that was verified and kept, a signed note; empty where there is none.
        shown: the head that its regulator shows; empty where it showed none.
        problem: what did not verify.
        kept: what is known already of the larger head's tree.
    """

    jurisdiction: str
    held: bytes
    shown: bytes
    problem: str
    kept: TreeParts | None = None


class LogWatch:
    """Judges what regulators show of their logs beside what is held of these.

    Args:
        key_ring: reads everybody's keys.
        alarms: of this node.
    """

    def __init__(self, key_ring: Callable[[], KeyRing], alarms: Alarms) -> None:
        self._key_ring = key_ring
        self._alarms = alarms

    async def judge(
        self, met: Sighting, *, read_held: ReadRoots | None = None, read_shown: ReadRoots | None = None
    ) -> None:
        """Looks for a proof and raises the alarm that fits.

        Args:
            met: what was met.
            read_held: reads hashes of the log as it is held here; None where no copy is.
            read_shown: reads hashes of the log as its regulator shows it; None where that is not asked.
        """
        keys = self._key_ring()
        keeper = keys.keys_of(regulator_of(met.jurisdiction))
        try:
            for note in (met.held, met.shown):
                verify_checkpoint(note, log_origin(met.jurisdiction), keeper)
        except ProofError:
            await self._raise(LOG_NOT_PROVEN, met)
            return
        back = size_of(met.shown) < size_of(met.held)
        proof = await self._find(met, keys, read_held if back else read_shown)
        if proof is None:
            heads = fork_file(met.held, met.shown)
            await self._raise(LOG_PUT_BACK if back else LOG_NOT_PROVEN, met, heads)
        else:
            await self._raise(LOG_FORKED, met, proof, proven=True)

    async def _find(self, met: Sighting, keys: KeyRing, read: ReadRoots | None) -> bytes | None:
        if met.kept is not None or size_of(met.held) == size_of(met.shown):
            return proven(met.held, met.shown, keys, met.kept or TreeParts())
        if read is not None:
            # A regulator that does not answer for the tree that it shows leaves the trouble unproven, not untold.
            with suppress(RemoteError, ProofError):
                return await find_fork(met.held, met.shown, keys, read)
        return None

    async def _raise(self, reason: str, met: Sighting, heads: bytes | None = None, *, proven: bool = False) -> None:
        detail = FORKED if proven else met.problem
        await asyncio.to_thread(self._alarms.raise_alarm, reason, met.jurisdiction, detail, heads, proven=proven)
