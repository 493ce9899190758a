"""A process that closes its last server and its last client goes on: gRPC's engine is not taken down under it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from shared.channel import officer_channel
from shared.clock import system_clock
from shared.event_engine import keep_event_engine
from shared.health import HealthServicer
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials
from shared.trust.tokens import make_bearer

folder = Path(sys.argv[1])
authority = Authority.create(folder, system_clock())
own = Credentials.create(folder, "regulator/100000")
leaf = authority.sign_request(own.certificate_request(), own.name, timedelta(hours=1), system_clock())
own.install(leaf.chain_pem, [authority.certificate_pem])

async def serve_and_call() -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    port = server.add_secure_port("127.0.0.1:0", own.server_credentials(require_client=False))
    await server.start()
    channel = officer_channel(f"127.0.0.1:{port}", own.ca_pem, make_bearer()[0])
    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    await channel.close()
    await server.stop(0)

keep_event_engine()
for _ in range(200):
    asyncio.run(serve_and_call())
print("done")
"""


def test_servers_and_clients_come_and_go_without_a_deadlock(tmp_path: Path) -> None:
    """A node that stops while a client connects ends; without the guard one in twenty such ends hangs for ever."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False, timeout=100
    )
    assert (0, "done\n") == (done.returncode, done.stdout)
