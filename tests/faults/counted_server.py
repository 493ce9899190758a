"""Stands between a process and a PostgreSQL server, counts what is said to the server, and does something at a count.

It counts over all connections together, so that a point is the same in every run whichever thread says what.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final

SOCKET: Final = ".s.PGSQL.5432"
"""A server's socket is named so in its folder."""

_CHUNK_BYTES: Final = 1 << 20
_BACKEND_KEY: Final = b"K\x00\x00\x00\x0c"
"""Begins the message that tells a client its server process: in PostgreSQL's protocol 3.0, once, before all answers."""


class Harm(Enum):
    """What happens at a point."""

    CLIENT_KILLED_BEFORE = "killed before the server is told"
    CLIENT_KILLED_AFTER = "killed after the server answered"
    CUT_BEFORE = "cut before the server is told"
    CUT_AFTER = "cut after the server answered, which nobody hears"
    SERVER_KILLED_BEFORE = "the server process is killed before it is told"
    SERVER_KILLED_AFTER = "the server process is killed after it answered, which nobody hears"
    ALL_KILLED_BEFORE = "every process of the server is killed before it is told"
    ALL_KILLED_AFTER = "every process of the server is killed after it answered, which nobody hears"

    @property
    def after(self) -> bool:
        """Whether the server is told."""
        return self.name.endswith("AFTER")

    @property
    def kills_client(self) -> bool:
        """Whether the process dies, and not its connection alone."""
        return self.name.startswith("CLIENT")

    @property
    def kills_server(self) -> bool:
        """Whether the server process of the connection dies, after which the others recover by themselves."""
        return self.name.startswith("SERVER")

    @property
    def kills_all(self) -> bool:
        """Whether the whole server dies, and has to be started again."""
        return self.name.startswith("ALL")


class CountedServer:
    """A socket that leads to a server's; as a context, from its beginning to its end.

    Args:
        folder: where its socket is, an empty folder with a short path.
        server: the folder with the server's socket.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self._server = server / SOCKET
        self.folder = folder
        self.said = 0
        self._happened = False
        self._harming = threading.Lock()
        self._lock = threading.Lock()
        self._at = 0
        self._harm = Harm.CUT_BEFORE
        self._kill: Callable[[int], None] = lambda _: None
        self._listener = socket.socket(socket.AF_UNIX)
        self._open: list[socket.socket] = [self._listener]

    def __enter__(self) -> CountedServer:
        self._listener.bind(str(self.folder / SOCKET))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            _close(opened)
        (self.folder / SOCKET).unlink()

    @property
    def happened(self) -> bool:
        """Whether it happened; waits for the end of what is happening."""
        with self._harming:
            return self._happened

    def arm(self, at: int, harm: Harm, kill: Callable[[int], None]) -> None:
        """Begins to count.

        Args:
            at: at which message something happens; 0 for never.
            harm: what.
            kill: kills whoever dies of it; takes the number of the connection's server process, 0 where it is not known.
        """
        with self._lock:
            self.said, self._happened = 0, False
            self._at, self._harm, self._kill = at, harm, kill

    def cut(self) -> None:
        """Cuts every connection; the server goes on with what it was told, and whoever connects anew is let through."""
        cut, self._open = self._open[1:], self._open[:1]
        for opened in cut:
            _close(opened)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(str(self._server))
                except OSError:
                    _close(client)
                    continue
                self._open += [client, server]
                connection = _Connection(client, server)
                threading.Thread(target=self._ask, args=(connection,), daemon=True).start()
                threading.Thread(target=connection.answer, daemon=True).start()

    def _ask(self, connection: _Connection) -> None:
        with contextlib.suppress(OSError):
            while said := connection.client.recv(_CHUNK_BYTES):
                if self._is_the_point():
                    if not self._harm.after:
                        self._do_harm(connection)
                        break
                    connection.instead_of_answer = self._do_harm
                connection.server.sendall(said)
        connection.close()

    def _is_the_point(self) -> bool:
        with self._lock:
            self.said += 1
            return self.said == self._at

    def _do_harm(self, connection: _Connection) -> None:
        with self._harming:
            self._happened = True
            self._kill(connection.server_process)


class _Connection:
    """One connection, and what comes back on it.

    Attributes:
        instead_of_answer: done in place of the next answer, after which the connection ends; an answer may come only to
            what is said later.
    """

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.server_process = 0
        self.instead_of_answer: Callable[[_Connection], None] | None = None

    def answer(self) -> None:
        """Carries answers until the end."""
        with contextlib.suppress(OSError):
            while answer := self.server.recv(_CHUNK_BYTES):
                place = answer.find(_BACKEND_KEY) if not self.server_process else -1
                if place >= 0:
                    self.server_process = int.from_bytes(answer[place + 5 : place + 9], "big")
                if self.instead_of_answer is not None:
                    self.instead_of_answer(self)
                    break
                self.client.sendall(answer)
        self.close()

    def close(self) -> None:
        """Ends both sides."""
        _close(self.client)
        _close(self.server)


def _close(opened: socket.socket) -> None:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
    opened.close()
