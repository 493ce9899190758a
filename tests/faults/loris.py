"""Connections that begin to speak and never come to the point; blocking sockets, so that they outlive a test's event loop."""

from __future__ import annotations

import selectors
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final

from shared.cluster.nodes import RegulatorNode
from shared.trust.credentials import CA_FILE
from tests.faults.raw_http2 import PREFACE

CLIENT_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""How a TLS connection begins (RFC 8446, 4.1.2)."""


@dataclass
class Loris:
    """Many connections to a node that begin to speak and never come to the point."""

    connections: list[socket.socket] = field(default_factory=list)

    def open(self, node: RegulatorNode, count: int) -> None:
        """Opens so many, of two kinds in turn: half a TLS handshake, and half of what HTTP/2 begins with."""
        context = ssl.create_default_context(cafile=node.folder / "tls" / CA_FILE)
        context.set_alpn_protocols(["h2"])
        for number in range(count):
            host, _, port = node.public_address.rpartition(":")
            connection = socket.create_connection((host, int(port)))
            self.connections.append(connection)
            if number % 2:
                connection.sendall(CLIENT_HELLO)
            else:
                self.connections[-1] = context.wrap_socket(connection, server_hostname=node.tls_name)
                self.connections[-1].sendall(PREFACE[:9])

    def wait_until_ended(self) -> int:
        """Waits until the node ended every one of them; returns how many it ended."""
        selector, ended = selectors.DefaultSelector(), 0
        for connection in self.connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        while len(selector.get_map()):
            for key, _ in selector.select(timeout=60):
                if _has_ended(key.fileobj):  # type: ignore[arg-type]
                    selector.unregister(key.fileobj)
                    ended += 1
        selector.close()
        return ended


def _has_ended(connection: socket.socket) -> bool:
    try:
        while connection.recv(65_536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True
