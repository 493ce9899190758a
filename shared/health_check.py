"""Asks nodes whether they serve, through the standard health service (grpc.health.v1): for containers and the cluster.

`python -m shared.health_check unix:/data/operator.sock` ends with 0 where every address serves, 1 where one does not,
3 where one cannot be reached.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared import cli
from shared.errors import FailedPrecondition, Unavailable

DEFAULT_SECONDS: Final = 5.0

app = typer.Typer(add_completion=False)


def wait_until_serving(address: str, seconds: float, ca_pem: bytes | None = None, server_name: str = "") -> None:
    """Waits until a node says that it serves; blocks the calling thread.

    Args:
        address: "unix:PATH" or "HOST:PORT".
        seconds: how long at most.
        ca_pem: the network's CA where the listener speaks TLS; None for a local one.
        server_name: the host name in the node's certificate, with a CA.

    Raises:
        FailedPrecondition: NOT_SERVING, it answers and does not serve.
        Unavailable: NODE_UNREACHABLE, nobody answers.
    """
    answered = False
    with _channel(address, ca_pem, server_name) as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=seconds, wait_for_ready=True
        )
        try:
            for answer in watched:
                answered = True
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
        except grpc.RpcError as error:
            if answered:
                raise FailedPrecondition(f"{address} does not serve: read the node's log", "NOT_SERVING") from error
        finally:
            watched.cancel()
    raise Unavailable(f"nobody answers at {address}: start the node, or correct the address", "NODE_UNREACHABLE")


def _channel(address: str, ca_pem: bytes | None, server_name: str) -> grpc.Channel:
    if ca_pem is None:
        return grpc.insecure_channel(address)
    options = [("grpc.ssl_target_name_override", server_name)] if server_name else []
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca_pem), options)


@app.command()
def check(
    addresses: Annotated[list[str], typer.Argument(help="unix:/absolute/path or HOST:PORT; each has to serve.")],
    seconds: Annotated[float, typer.Option(help="How long to wait for each.")] = DEFAULT_SECONDS,
    ca: Annotated[Path | None, typer.Option(help="The network's CA, where the listener speaks TLS.")] = None,
    server_name: Annotated[str, typer.Option(help="Name in the certificate, e.g. 330000.regulator.filingnet.")] = "",
) -> None:
    """Asks whether nodes serve. Example: python -m shared.health_check unix:/data/operator.sock"""
    ca_pem = ca.read_bytes() if ca is not None else None
    for address in addresses:
        wait_until_serving(address, seconds, ca_pem, server_name)


if __name__ == "__main__":
    cli.run(app)
