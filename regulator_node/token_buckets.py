"""How often one peer may ask what anybody may ask: a bucket of tokens for each, within bounded memory.

A bucket holds what may be asked at once and fills steadily. Peers are told apart by their address, those of IPv6 by its
first 64 bits, which one household has to itself. The peers that asked longest ago are forgotten first.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from shared.call_room import address_of
from shared.errors import Exhausted

PER_SECOND: Final = 5.0
"""Questions a second that a peer may ask in the long run."""

AT_ONCE: Final = 60
"""Questions that a peer may ask at once after a pause."""

MOST_PEERS: Final = 50_000
"""Peers that are remembered; about 10 MiB."""


class TokenBuckets:
    """The buckets of all peers.

    Args:
        per_second: tokens that a bucket gets back in a second.
        at_once: tokens in a full bucket.
        most_peers: buckets kept.
        now: tells the seconds of a clock that never goes back.
    """

    def __init__(
        self,
        *,
        per_second: float = PER_SECOND,
        at_once: int = AT_ONCE,
        most_peers: int = MOST_PEERS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._at_once = float(at_once)
        self._most_peers = most_peers
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Returns how many peers are remembered."""
        return len(self._buckets)

    def take(self, peer: str) -> None:
        """Takes a token out of a peer's bucket.

        Args:
            peer: as gRPC names it, "ipv4:192.0.2.1:4711", "ipv6:[2001:db8::1]:4711" or "unix:".

        Raises:
            Exhausted: RATE_LIMITED, its bucket is empty.
        """
        name, now = address_of(peer), self._now()
        tokens, since = self._buckets.pop(name, (self._at_once, now))
        tokens = min(self._at_once, tokens + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[name] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._most_peers:
            self._buckets.popitem(last=False)
        if not allowed:
            raise Exhausted("too many questions from this address: wait a second and ask again", "RATE_LIMITED")
