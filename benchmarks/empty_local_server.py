"""The floor of every local call: a bare gRPC server on a Unix socket that answers nothing to nothing.

Run as `python -m benchmarks.empty_local_server PATH`; prints a line when it serves.
"""

from __future__ import annotations

import asyncio
import sys

import grpc

from benchmarks.empty_server import METHOD
from shared.wire import server_options


async def serve(path: str) -> None:
    """Serves until the process is ended."""

    async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        del request, context
        return b""

    server = grpc.aio.server(options=server_options())
    service, _, method = METHOD[1:].rpartition("/")
    handler = grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(answer)})
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
