"""Where a node listens, checked before gRPC binds it: "host:port" or "unix:/absolute/path".

gRPC itself would take over a socket file that another process listens on, would bind only some of a name's addresses
when the others are taken, and says no more than "failed to bind". Here each of these is refused with the mend.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from pathlib import Path
from typing import Any, Final

import grpc

from shared.errors import FailedPrecondition

_PORT: Final = re.compile(r"[0-9]{1,5}")
UNIX: Final = "unix:"
MAX_PATH_BYTES: Final = 107
"""Longest path of a Unix socket on Linux, in bytes (unix(7): sun_path holds 108 with the closing zero)."""


def bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> str:
    """Binds one port of a server that has not started.

    Args:
        server: the server.
        address: "host:port", port 0 for any free one, or "unix:/absolute/path".
        credentials: TLS, or None for none.

    Returns:
        The address bound, with the port that was taken.

    Raises:
        FailedPrecondition: PORT_IN_USE, SOCKET_IN_USE, ADDRESS_WRONG or ADDRESS_REFUSED.
    """
    if address.startswith(UNIX):
        return _bind_unix(server, Path(address.removeprefix(UNIX)), credentials)
    host, port = split_address(address)
    if port:
        _probe(address, host, port)
    taken = _add_port(server, address, credentials)
    return f"{address.rpartition(':')[0]}:{taken}"


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of "host:port" or "[IPv6]:port".

    Raises:
        FailedPrecondition: ADDRESS_WRONG.
    """
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not (colon and bare and _PORT.fullmatch(port) and int(port) <= 65535) or (":" in bare) != bracketed:
        raise FailedPrecondition(
            f"{address} is no address: write HOST:PORT, [IPv6]:PORT or unix:/absolute/path", "ADDRESS_WRONG"
        )
    return bare, int(port)


def remove_socket(path: Path) -> None:
    """Removes the file of a socket that was bound and never served, if it is still there."""
    if _is_socket(path):
        path.unlink(missing_ok=True)


def _bind_unix(server: grpc.aio.Server, path: Path, credentials: grpc.ServerCredentials | None) -> str:
    _check_path(path)
    if _is_socket(path):
        if _somebody_listens(path):
            raise FailedPrecondition(
                f"{path} is in use: another process listens there; stop it or choose another path", "SOCKET_IN_USE"
            )
        path.unlink(missing_ok=True)
    elif path.exists():
        raise FailedPrecondition(f"{path} is a file of another kind: move it or choose another path", "ADDRESS_WRONG")
    # The socket is nobody else's from its first moment; 0077 and not 0177, which would cripple a folder that another
    # thread makes just now.
    mask = os.umask(0o077)
    try:
        _add_port(server, f"{UNIX}{path}", credentials)
    finally:
        os.umask(mask)
    path.chmod(0o600)
    return f"{UNIX}{path}"


def _check_path(path: Path) -> None:
    if not path.is_absolute():
        raise FailedPrecondition(f"{path} is no absolute path: write unix:/absolute/path", "ADDRESS_WRONG")
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        raise FailedPrecondition(
            f"the path of the socket is {size} bytes long and may have {MAX_PATH_BYTES}: choose a shorter folder",
            "ADDRESS_WRONG",
        )
    if not path.parent.is_dir():
        raise FailedPrecondition(f"{path.parent} is no folder: make it or choose another path", "ADDRESS_WRONG")


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # Busy, or not ours to ask: somebody may be there.
            return True
    return True


def _probe(address: str, host: str, port: int) -> None:
    """Binds every address of the host for a moment, as gRPC will, and says what does not go."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise FailedPrecondition(f"{host} is no known host: correct the address", "ADDRESS_WRONG") from error
    for family, kind, protocol, _, place in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            # A host without IPv6 still resolves localhost to ::1; gRPC leaves such an address out as well.
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and len(found) > 1:
                continue
            raise _refusal(address, error) from error


def _refusal(address: str, error: OSError) -> FailedPrecondition:
    if error.errno == errno.EADDRINUSE:
        return FailedPrecondition(
            f"{address} is in use: stop the program that listens there or choose another port", "PORT_IN_USE"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return FailedPrecondition(
            f"{address} is not an address of this machine: choose one of its own, or 0.0.0.0", "ADDRESS_WRONG"
        )
    if error.errno == errno.EACCES:
        return FailedPrecondition(
            f"this user may not listen at {address}: choose a port above 1023 or grant it", "ADDRESS_REFUSED"
        )
    return FailedPrecondition(f"cannot listen at {address}: {os.strerror(error.errno or 0)}", "ADDRESS_REFUSED")


def _add_port(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        port: Any = (
            server.add_insecure_port(address) if credentials is None else server.add_secure_port(address, credentials)
        )
    except RuntimeError as error:
        # gRPC tells no errno; the usual cause is that somebody was quicker.
        raise FailedPrecondition(
            f"cannot listen at {address}: see that nobody else does and that this user may", "PORT_IN_USE"
        ) from error
    return int(port)
