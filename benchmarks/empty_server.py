"""The floor of every call: a bare gRPC server over mTLS that answers nothing to nothing.

Run as `python -m benchmarks.empty_server FOLDER`, FOLDER being a regulator's tls folder; prints its address when it serves.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc

from shared.trust.credentials import Credentials
from shared.wire import server_options

METHOD = "/filingnet.benchmark.Empty/Call"


async def serve(folder: Path) -> None:
    """Serves until the process is ended."""

    async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        del request, context
        return b""

    server = grpc.aio.server(options=server_options())
    handler = grpc.method_handlers_generic_handler(
        "filingnet.benchmark.Empty", {"Call": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server.add_generic_rpc_handlers((handler,))
    credentials = Credentials.load(folder).server_credentials(require_client=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
