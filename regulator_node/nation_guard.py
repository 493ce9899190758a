"""The nation's own log and documents beside what the provinces hold of them: asked for before anything is stated.

A nation that was put back to an older backup has forgotten what it signed since. It would number a second, other directory
as the one that denied somebody. So it asks every province when it starts and every minute after: it takes over the documents
that are newer than its own, each of which it signed itself, and appends nothing to its log while a province shows a head of
it that is larger, or another. Until one province has answered it states no document either, but for what denies somebody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from regulator_node.followers import provinces_to_follow
from regulator_node.own_log import AGAIN_SECONDS, ASK_SECONDS, WATCH_SECONDS, OwnLogGuard, renew_documents
from shared.channel import Peer, RemoteError
from shared.evidence.hashing import ProofError
from shared.network import NetworkView
from shared.range_roots import ask_roots

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

    def compared(self) -> bool:
        """Tells whether a province has answered since this node started, or there is none to ask."""
        return self._answered

    async def ask(self) -> None:
        """Asks every province that takes part once."""
        provinces = provinces_to_follow(self._view.directory.nodes)
        answers = await asyncio.gather(*map(self._ask, sorted(provinces)))
        self._answered = self._answered or not provinces or any(answers)

    async def ask_for_ever(self) -> None:
        """Asks until a province answered, and from then on now and then, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS if self._answered else AGAIN_SECONDS)
            await self.ask()

    async def _ask(self, name: str) -> bool:
        peer = self._peer(name)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await renew_documents(self._view, peer)
                answer = await ask_roots(peer, [], callers_log=True)
            await self._guard.judge(answer.checkpoint)
        except (RemoteError, ProofError, TimeoutError) as error:
            reason = error.reason if isinstance(error, RemoteError) else str(error)
            log.info("own_log_not_compared", node=name, reason=reason)
            return False
        finally:
            await peer.close()
        return True
