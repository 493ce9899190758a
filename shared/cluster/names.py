"""A name server of a cluster's own (RFC 1035), so that a test can take a name away from nodes that look it up.

Each node finds its proxy by a name that this server alone knows. Where that is gone, the node's own resolver says so, as
it would of a regulator's name in a network without proxies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

_ADDRESS: Final = 1
_QUESTION_AT: Final = 12
_ANSWER: Final = b"\xc0\x0c" + b"\0\1" + b"\0\1" + bytes(4) + b"\0\4" + bytes([127, 0, 0, 1])
"""The name asked for is 127.0.0.1, and nobody shall remember it."""
_UNKNOWN: Final = 3


class NameServer(asyncio.DatagramProtocol):
    """Answers every question with 127.0.0.1, but for names that are gone.

    Attributes:
        gone: names that are unknown from now on.
        asked: how often each name was asked for.
    """

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.asked: Counter[str] = Counter()
        self._transport: Any = None

    async def start(self) -> str:
        """Listens on a free port of the loopback interface and returns its address."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def close(self) -> None:
        """Answers no more."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers one question."""
        labels, place = [], _QUESTION_AT
        while data[place]:
            labels.append(data[place + 1 : place + 1 + data[place]].decode("ascii", "replace").lower())
            place += data[place] + 1
        question, name = data[_QUESTION_AT : place + 5], ".".join(labels)
        self.asked[name] += 1
        unknown = name in self.gone
        answers = not unknown and int.from_bytes(question[-4:-2], "big") == _ADDRESS
        head = data[:2] + bytes([0x85, 0x80 | (_UNKNOWN if unknown else 0)]) + b"\0\1" + bytes([0, answers]) + bytes(4)
        self._transport.sendto(head + question + (_ANSWER if answers else b""), addr)


def name_of_proxy(node: str) -> str:
    """Returns the name by which a node finds its proxy, e.g. "provider-wave.proxy.test"."""
    return f"{node.replace('/', '-')}.proxy.test"
