"""Free ports for nodes, held so that nobody else gets them while a node is being started, is down or starts again.

Asking the system for a free port and letting it go is a race that a busy test machine loses. Here the port stays bound
by a socket that never listens: the system then gives it to nobody who asks for any port, a connection to it is refused
as if nothing was there, and the node can still listen on it, because both sockets carry SO_REUSEADDR. Only Linux shares
a bound port like that; elsewhere a port is let go at once, and a node that finds it taken says so.
"""

from __future__ import annotations

import socket
import sys
from typing import Final

HOST: Final = "127.0.0.1"
_SHARES_BOUND_PORTS: Final = sys.platform == "linux"


class Ports:
    """The ports of one cluster on the loopback interface."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> str:
        """Returns "127.0.0.1:PORT" with a port that nobody uses and nobody will be given before close()."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        port: int = holder.getsockname()[1]
        if _SHARES_BOUND_PORTS:
            self._held.append(holder)
        else:
            holder.close()
        return f"{HOST}:{port}"

    def close(self) -> None:
        """Gives all ports back."""
        for holder in self._held:
            holder.close()
        self._held.clear()
