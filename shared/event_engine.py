"""Keeps gRPC's event engine alive for as long as the process lives.

gRPC takes its engine down together with the last server or channel of the process: in the thread that closed it, with
the interpreter's lock held, waiting for the engine's own threads to end. One of these may just then be at a handshake, or
at letting go of a bearer token, and wait for that lock: neither ever ends, and no timeout and no signal handler of Python
runs any more. Seen with grpcio 1.85, about once in twenty closings of a server and a client in one process. A channel that
connects to nobody and is never closed keeps the engine, so that it is not taken down before the process ends.
"""

from __future__ import annotations

from functools import cache

import grpc


@cache
def keep_event_engine() -> grpc.Channel:
    """Keeps the engine, from the first call on; to be called before a server or a channel is made.

    Returns:
        The channel that keeps it: nobody uses or closes it.
    """
    return grpc.insecure_channel("unix:/nonexistent/filingnet")
