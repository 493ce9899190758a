"""The nation's own log and documents beside what the provinces hold of them: asked for before anything is stated.

A nation that was put back to an older backup has forgotten what it signed since. It would number a second, other directory
as the one that denied somebody. So it asks every province when it starts and every minute after: it takes over the documents
that are newer than its own, each of which it signed itself, and appends nothing to its log while a province shows a head of
it that is larger, or another. Until one province has answered it states no document either, but for what denies somebody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from regulator_node.followers import provinces_to_follow
from regulator_node.own_log import AGAIN_SECONDS, ASK_SECONDS, WATCH_SECONDS, OwnLogGuard, renew_documents
from shared.channel import Peer, RemoteError
from shared.evidence.hashing import ProofError
from shared.network import NetworkView
from shared.range_roots import ask_roots

_ROUNDS: Final = int(WATCH_SECONDS / AGAIN_SECONDS)

log = structlog.get_logger(__name__)


class NationGuard:
    """Asks the provinces what they hold of the nation's log and documents.

    Args:
        view: the documents held.
        peer: opens the channel to a regulator of the directory.
        guard: compares the own log with a head of it, and holds it back.
    """

    def __init__(self, view: NetworkView, peer: Callable[[str], Peer], guard: OwnLogGuard) -> None:
        self._view = view
        self._peer = peer
        self._guard = guard
        self._answered = False
        self._unheard: frozenset[str] = frozenset()

    def compared(self) -> bool:
        """Tells whether a province has answered since this node started, or there is none to ask."""
        return self._answered

    async def ask(self) -> None:
        """Asks every province that takes part once."""
        await self._ask_some(self._provinces())

    async def ask_for_ever(self) -> None:
        """Asks everybody now and then, and who has not answered more often, until cancelled."""
        while True:
            for _ in range(_ROUNDS):
                await asyncio.sleep(AGAIN_SECONDS)
                await self._ask_some(self._unheard & self._provinces())
            await self.ask()

    def _provinces(self) -> frozenset[str]:
        return frozenset(provinces_to_follow(self._view.directory.nodes))

    async def _ask_some(self, names: frozenset[str]) -> None:
        asked = sorted(names)
        answers = await asyncio.gather(*map(self._ask, asked))
        self._unheard = frozenset(name for name, answered in zip(asked, answers, strict=True) if not answered)
        self._answered = self._answered or any(answers) or not self._provinces()

    async def _ask(self, name: str) -> bool:
        peer = self._peer(name)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await renew_documents(self._view, peer)
                answer = await ask_roots(peer, [], callers_log=True)
            for note in (answer.checkpoint, answer.newest_checkpoint):
                await self._guard.judge(note)
        except (RemoteError, ProofError, TimeoutError) as error:
            reason = error.reason if isinstance(error, RemoteError) else str(error)
            log.info("own_log_not_compared", node=name, reason=reason)
            return False
        finally:
            await peer.close()
        return True
