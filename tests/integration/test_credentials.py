"""Trust over real TLS on loopback: who gets in, who is put out at the next call, and renewal that ends no call."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.errors import FilingnetError
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.status import STATUS_BY_ERROR
from shared.trust.authentication import Authenticator
from shared.trust.authority import Authority, IssuedCertificate
from shared.trust.callers import Caller, Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.credentials import Credentials
from shared.trust.methods import check_allowed
from shared.trust.names import tls_host
from shared.trust.tokens import make_bearer
from tests.unit.trust_samples import DAY, NATION, OTHER_PROVINCE, PROVIDER, PROVINCE, SampleNetwork, SetClock, new_key

SUBMIT = "/filingnet.network.v1.IntakeService/SubmitEntries"
FOLLOW = "/filingnet.network.v1.FollowService/FollowDocuments"
CHECK = "/grpc.health.v1.Health/Check"
GET = "/filingnet.regulator.v1.FilingService/GetFiling"


class Regulator(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A regulator of 330000 that answers a call with who made it; a stream lasts until it is told to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network = SampleNetwork(folder, datetime.now(UTC).replace(microsecond=0))
        self.credentials = self.network.credentials(folder / "server", PROVINCE)
        self.clock = SetClock(self.network.now)
        self.officers: dict[str, Caller] = {}
        self.stop = asyncio.Event()
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers([self])
        self.network_port, self.public_port = (
            self.server.add_secure_port("127.0.0.1:0", self.credentials.server_credentials(require_client=required))
            for required in (True, False)
        )
        self.server.add_insecure_port(f"unix:{folder}/operator.sock")
        self.authenticator = Authenticator(
            directory=lambda: self.network.directory,
            clock=self.clock,
            jurisdiction="330000",
            local_role=Role.OPERATOR,
            officer_tokens=self._officer,
        )

    async def _officer(self, token: str) -> Caller | None:
        return self.officers.get(token)

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        """Serves any method."""
        method = handler_call_details.method
        if method == FOLLOW:

            async def follow(request: bytes, context: Any) -> AsyncIterator[bytes]:
                yield await self._answer(method, context)
                await self.stop.wait()
                yield b"stopped"

            return grpc.unary_stream_rpc_method_handler(follow)

        async def answer(request: bytes, context: Any) -> bytes:
            return await self._answer(method, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    async def _answer(self, method: str, context: Any) -> bytes:
        try:
            caller = await self.authenticator.caller(context, context.invocation_metadata())
            check_allowed(method, caller)
        except FilingnetError as error:
            await context.abort(STATUS_BY_ERROR[type(error)], error.reason)
        return f"{caller.role} {caller.name} {caller.jurisdiction}".encode()

    def member(self, name: str, lifetime: timedelta = DAY) -> Credentials:
        """Makes the credentials of another node."""
        return self.network.credentials(self.folder / name.replace("/", "-"), name, lifetime)


@pytest.fixture
async def regulator(tmp_path: Path) -> AsyncIterator[Regulator]:
    """A regulator with its three listeners, started."""
    made = Regulator(tmp_path)
    await made.server.start()
    yield made
    made.stop.set()
    await made.server.stop(None)


@asynccontextmanager
async def channel(
    port: int, credentials: grpc.ChannelCredentials, name: str = PROVINCE
) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel with a connection of its own that pins a node."""
    options = [("grpc.ssl_target_name_override", tls_host(name)), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as opened:
        yield opened


async def ask(opened: grpc.aio.Channel, method: str, metadata: Any = None) -> str:
    """Makes a call; returns who the regulator says called, or the status and reason of its refusal."""
    try:
        return bytes(await opened.unary_unary(method)(b"", metadata=metadata, timeout=10)).decode()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return "UNAVAILABLE"
        return f"{error.code().name} {error.details()}"


def with_certificate(regulator: Regulator, issued: IssuedCertificate, key: Any) -> grpc.ChannelCredentials:
    """Channel credentials of a certificate that is in no folder."""
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return grpc.ssl_channel_credentials(regulator.credentials.ca_pem.encode(), key_pem, issued.chain_pem.encode())


async def serial_shown(port: int, ca_pem: str) -> int:
    """Shakes hands as a client of the public listener and returns the serial number of the certificate it was shown."""

    def shake_hands() -> bytes:
        context = ssl.create_default_context(cadata=ca_pem)
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=tls_host(PROVINCE)) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    return x509.load_der_x509_certificate(await asyncio.to_thread(shake_hands)).serial_number


@pytest.mark.parametrize(
    ("name", "expected"),
    [(PROVIDER, f"provider {PROVIDER} 330000"), (OTHER_PROVINCE, "PERMISSION_DENIED METHOD_DENIED")],
)
async def test_nodes_call(regulator: Regulator, name: str, expected: str) -> None:
    """A node is known by its certificate to the one who is called, and may call what the table says."""
    async with channel(regulator.network_port, regulator.member(name).channel_credentials()) as opened:
        assert expected == await ask(opened, SUBMIT)


async def test_network_listener_wants_a_certificate(regulator: Regulator, tmp_path: Path) -> None:
    """Without a certificate, or with one by a CA that is not of the network, no call reaches the network's listener."""
    plain = grpc.ssl_channel_credentials(regulator.credentials.ca_pem.encode())
    (tmp_path / "foreign").mkdir()
    foreign = Authority.create(tmp_path / "foreign", regulator.network.now)
    key = new_key()
    issued = foreign.sign_request(certificate_request(PROVIDER, key), PROVIDER, DAY, regulator.network.now)
    for credentials in (plain, with_certificate(regulator, issued, key)):
        async with channel(regulator.network_port, credentials) as opened:
            assert "UNAVAILABLE" == await ask(opened, CHECK)


async def test_public_listener(regulator: Regulator) -> None:
    """The public listener takes callers without credentials and with bearer tokens, and asks for no certificate."""
    token, _ = make_bearer()
    name = "officer/330000/reader/desk"
    regulator.officers[token] = Caller(name, Role.READER, "330000", expire_time=regulator.network.now + DAY)
    plain = grpc.ssl_channel_credentials(regulator.credentials.ca_pem.encode())
    async with channel(regulator.public_port, plain) as opened:
        bearer = [("authorization", f"Bearer {token}")]
        assert ["anyone anyone ", "UNAUTHENTICATED CREDENTIALS_MISSING", f"reader {name} 330000"] == [
            await ask(opened, CHECK),
            await ask(opened, GET),
            await ask(opened, GET, bearer),
        ]
        regulator.clock.now += DAY
        assert "UNAUTHENTICATED TOKEN_EXPIRED" == await ask(opened, GET, bearer)


async def test_operator_socket(regulator: Regulator, tmp_path: Path) -> None:
    """Whoever calls by the Unix socket is the operator."""
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/operator.sock") as opened:
        assert "operator operator 330000" == await ask(opened, GET)


async def test_no_node_answers_for_another(regulator: Regulator) -> None:
    """A client that calls the nation does not speak to a province with a certificate of the same network."""
    credentials = regulator.member(PROVIDER).channel_credentials()
    async with channel(regulator.network_port, credentials, NATION) as opened:
        assert "UNAVAILABLE" == await ask(opened, CHECK)


async def test_officer_certificate(regulator: Regulator) -> None:
    """An officer with a certificate calls over mTLS, in the certificate's role, and not elsewhere's."""
    answers = []
    for jurisdiction in ("330000", "440000"):
        key, name = new_key(), f"officer/{jurisdiction}/reviewer/review-desk-2"
        issued = regulator.network.authority.sign_officer_request(
            certificate_request(name, key), jurisdiction, "reviewer", "review-desk-2", DAY, regulator.network.now
        )
        credentials = with_certificate(regulator, issued, key)
        async with channel(regulator.network_port, credentials) as opened:
            answers.append(await ask(opened, GET))
    assert ["reviewer officer/330000/reviewer/review-desk-2 330000", "PERMISSION_DENIED OFFICER_ELSEWHERE"] == answers


async def test_out_at_the_next_call(regulator: Regulator) -> None:
    """On a channel that stays open, denial and the certificate's end bite at the next call; suspension leaves reporting."""
    credentials = regulator.member(PROVIDER)
    allowed = f"provider {PROVIDER} 330000"
    async with channel(regulator.network_port, credentials.channel_credentials()) as opened:
        assert allowed == await ask(opened, SUBMIT)
        regulator.network.set_state(PROVIDER, directory_pb2.NODE_STATE_SUSPENDED)
        assert allowed == await ask(opened, SUBMIT)
        stream = opened.unary_stream(FOLLOW)(b"", timeout=10)
        assert allowed.encode() == await stream.read()
        stream.cancel()
        regulator.network.set_state(PROVIDER, directory_pb2.NODE_STATE_DENIED)
        assert "PERMISSION_DENIED NODE_DENIED" == await ask(opened, SUBMIT)
        regulator.network.set_state(PROVIDER, directory_pb2.NODE_STATE_ACTIVE)
        assert allowed == await ask(opened, SUBMIT)
        regulator.clock.now = credentials.expire_time
        assert "UNAUTHENTICATED CERTIFICATE_EXPIRED" == await ask(opened, SUBMIT)


async def test_certificate_denied_on_an_open_channel(regulator: Regulator) -> None:
    """A stolen certificate is out at the next call on the thief's channel, and the node goes on with its next one."""
    key, network = new_key(), regulator.network
    stolen = network.authority.sign_request(certificate_request(PROVIDER, key), PROVIDER, DAY, network.now)
    async with channel(regulator.network_port, with_certificate(regulator, stolen, key)) as opened:
        assert f"provider {PROVIDER} 330000" == await ask(opened, SUBMIT)
        network.deny(stolen.serial_number)
        assert "PERMISSION_DENIED CERTIFICATE_DENIED" == await ask(opened, SUBMIT)
    async with channel(regulator.network_port, regulator.member(PROVIDER).channel_credentials()) as opened:
        assert f"provider {PROVIDER} 330000" == await ask(opened, SUBMIT)


async def test_server_renews_under_open_calls(regulator: Regulator) -> None:
    """A server's renewal is shown at the next handshake, while a stream and a channel that were open go on."""
    client = regulator.member(PROVIDER)
    renewed = asyncio.Event()

    async def renew(csr_pem: str) -> str:
        return regulator.network.authority.sign_request(csr_pem, PROVINCE, DAY, regulator.network.now).chain_pem

    async def wait(seconds: float) -> None:
        if regulator.credentials.version > before:
            renewed.set()
            await asyncio.Event().wait()
        regulator.clock.now += timedelta(seconds=seconds)

    async with channel(regulator.network_port, client.channel_credentials()) as opened:
        stream = opened.unary_stream(FOLLOW)(b"", timeout=30)
        assert f"provider {PROVIDER} 330000".encode() == await stream.read()
        shown = await serial_shown(regulator.public_port, client.ca_pem)
        before = regulator.credentials.version
        renewing = asyncio.create_task(regulator.credentials.renew_for_ever(renew, regulator.clock, wait=wait))
        await renewed.wait()
        renewing.cancel()
        assert before + 1 == regulator.credentials.version
        shown_after = await serial_shown(regulator.public_port, client.ca_pem)
        assert shown != shown_after
        assert f"provider {PROVIDER} 330000" == await ask(opened, SUBMIT)
        regulator.stop.set()
        assert b"stopped" == await stream.read()
        assert grpc.aio.EOF is await stream.read()
    async with channel(regulator.network_port, client.channel_credentials()) as opened:
        assert f"provider {PROVIDER} 330000" == await ask(opened, SUBMIT)


async def test_client_renews(regulator: Regulator) -> None:
    """A renewed client sees its version change; its old channel holds to the old certificate's end, a new one on."""
    client = regulator.member(PROVIDER, timedelta(hours=1))
    before, end = client.version, client.expire_time
    async with channel(regulator.network_port, client.channel_credentials()) as old:
        assert f"provider {PROVIDER} 330000" == await ask(old, SUBMIT)
        issued = regulator.network.authority.sign_request(
            client.certificate_request(), PROVIDER, DAY, regulator.network.now
        )
        client.install(issued.chain_pem, [regulator.network.authority.certificate_pem])
        assert before < client.version
        assert f"provider {PROVIDER} 330000" == await ask(old, SUBMIT)
        regulator.clock.now = end
        async with channel(regulator.network_port, client.channel_credentials()) as new:
            assert f"provider {PROVIDER} 330000" == await ask(new, SUBMIT)
        assert "UNAUTHENTICATED CERTIFICATE_EXPIRED" == await ask(old, SUBMIT)


async def test_authority_is_exchanged(regulator: Regulator, tmp_path: Path) -> None:
    """A new CA is trusted from the next handshake on, and one that was dropped is out at the next call."""
    (tmp_path / "next").mkdir()
    network, key = regulator.network, new_key()
    following = Authority.create(tmp_path / "next", network.now)
    issued = following.sign_request(certificate_request(PROVIDER, key), PROVIDER, DAY, network.now)
    new = with_certificate(regulator, issued, key)
    port = regulator.network_port
    async with channel(port, new) as refused:
        assert "UNAVAILABLE" == await ask(refused, SUBMIT)
    async with channel(port, regulator.member(PROVIDER).channel_credentials()) as old:
        assert f"provider {PROVIDER} 330000" == await ask(old, SUBMIT)
        network.message.ca_certificates.append(following.certificate_pem)
        network.change()
        regulator.credentials.trust(list(network.message.ca_certificates))
        async with channel(port, new) as accepted:
            assert f"provider {PROVIDER} 330000" == await ask(accepted, SUBMIT)
        assert f"provider {PROVIDER} 330000" == await ask(old, SUBMIT)
        del network.message.ca_certificates[0]
        network.change()
        assert "UNAUTHENTICATED CERTIFICATE_WRONG" == await ask(old, SUBMIT)
