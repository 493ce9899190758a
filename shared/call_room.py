"""How many calls each caller may have under way at once, so that nobody's flood takes the room of others.

A node, an officer's post or an address may hold so many calls and streams and no more; what is beyond is refused at
once, with a reason, before a byte of its request is read. Who gives no certificate is told apart by address, and all of
these together have half of the room at most: however many addresses a flood comes from, the nodes of the network and
the officers that have certificates are served.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from shared.errors import Exhausted

DEADLINE_SECONDS: Final = 60.0
"""The deadline of a unary call whose client set none, and for any request to arrive whole."""

CALLS_PER_CALLER: Final = 64
"""Calls with one answer that one caller may have under way: a provider's node has three batches."""

STREAMS_PER_CALLER: Final = 64
"""Streams that one caller may have open: a node follows two to four, each of its processes."""

_ADDRESSES_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is served at once.

    Attributes:
        unary: calls with one answer, at once.
        streams: streams, at once; most of them wait for something to happen.
        unary_per_caller: calls with one answer of one caller who comes by the network.
        streams_per_caller: streams of one.
        deadline_seconds: for a unary call whose client set none, and for any request to arrive whole.
    """

    unary: int
    streams: int
    unary_per_caller: int = CALLS_PER_CALLER
    streams_per_caller: int = STREAMS_PER_CALLER
    deadline_seconds: float = DEADLINE_SECONDS


class Holder(NamedTuple):
    """Who holds places: a node's or a post's name, or the address of who gave no certificate and no token that holds."""

    name: str
    stranger: bool


class CallerRoom:
    """Counts what each caller has under way, streams and calls with one answer each by itself.

    Args:
        bounds: how much that may be.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._most = {False: bounds.unary_per_caller, True: bounds.streams_per_caller}
        self._most_of_strangers = {False: max(1, bounds.unary // 2), True: max(1, bounds.streams // 2)}
        self._of_strangers = {False: 0, True: 0}
        # Holds only who has something under way, and is as bounded as that is.
        self._held: dict[tuple[Holder, bool], int] = {}

    def take(self, holder: Holder, *, streams: bool, counted: bool = True) -> None:
        """Takes one place of a caller's.

        Args:
            holder: the caller.
            streams: whether the call is a stream.
            counted: whether it takes room of all strangers; what asks for health does not.

        Raises:
            Exhausted: TOO_MANY_CALLS_OF_ONE, or TOO_MANY_CALLS where strangers hold as much as they may together.
        """
        held, most = self._held.get((holder, streams), 0), self._most[streams]
        if held >= most:
            raise Exhausted(
                f"one caller may have {most} {'streams' if streams else 'calls'} under way at this node and no more: "
                "let some of them end first",
                "TOO_MANY_CALLS_OF_ONE",
            )
        if holder.stranger and counted:
            if self._of_strangers[streams] >= self._most_of_strangers[streams]:
                raise Exhausted("this node serves as many strangers as it can: try again later", "TOO_MANY_CALLS")
            self._of_strangers[streams] += 1
        self._held[holder, streams] = held + 1

    def give_back(self, holder: Holder, *, streams: bool, counted: bool = True) -> None:
        """Gives one place of a caller's back."""
        if holder.stranger and counted:
            self._of_strangers[streams] -= 1
        left = self._held.pop((holder, streams)) - 1
        if left:
            self._held[holder, streams] = left


def stranger(peer: str) -> Holder:
    """Returns the holder for whoever is known by nothing but the address, as gRPC names it."""
    return Holder(address_of(peer), stranger=True)


@lru_cache(maxsize=_ADDRESSES_REMEMBERED)
def address_of(peer: str) -> str:
    """Returns what tells a peer apart: its address without its port, of IPv6 the first 64 bits, which one household has.

    Args:
        peer: as gRPC names it, "ipv4:192.0.2.1:4711", "ipv6:[2001:db8::1]:4711" or "unix:".
    """
    kind, _, place = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return peer
    host = place.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]").strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)
