"""The proxy that breaks networks in tests has to break exactly what it is told to, and lose nothing otherwise."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from shared.cluster.ports import Ports
from shared.cluster.proxy import Link, Proxy

SECONDS = 20.0
MEBIBYTE = 1 << 20


@dataclass
class Echo:
    """A peer that sends back what it gets, in capitals, and remembers it."""

    address: str = ""
    received: bytearray = field(default_factory=bytearray)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    reset_seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                self.received += chunk
                self.arrived.set()
                writer.write(chunk.upper())
                await writer.drain()
        except OSError:
            self.reset_seen.set()
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    peer = Echo()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield peer
    server.close()


@pytest.fixture
async def link() -> Link:
    return Link()


@pytest.fixture
async def proxy(echo: Echo, link: Link) -> AsyncIterator[Proxy]:
    proxy = Proxy(lambda target: (link, target), echo.address)
    await proxy.start()
    yield proxy
    await proxy.close()


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    async with asyncio.timeout(SECONDS):
        return await reader.readexactly(len(text))


async def others_talk(echo: Echo) -> None:
    """Lets others talk to the peer through a link of their own: what may pass elsewhere had its chance meanwhile."""
    proxy = Proxy(lambda target: (Link(), target), echo.address)
    reader, writer = await connect(await proxy.start())
    for _ in range(20):
        assert b"X" == await ask(reader, writer, b"x")
    writer.close()
    await proxy.close()


async def test_passes_bytes_both_ways_unchanged_and_counts_them(proxy: Proxy, link: Link) -> None:
    """What the demo prints as bytes on the wire is what went through, in both directions, to the byte."""
    reader, writer = await connect(proxy.address)
    sent = hashlib.shake_128(b"seed").hexdigest(MEBIBYTE).encode()
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(SECONDS):
        answer = await reader.read(-1)
    writer.close()
    assert hashlib.sha256(sent.upper()).hexdigest() == hashlib.sha256(answer).hexdigest()
    assert (len(sent), len(sent), 1) == (link.out.bytes_carried, link.back.bytes_carried, link.connections)


async def test_connect_reaches_the_destination_it_names(echo: Echo) -> None:
    """Each destination gets its own link, so that one pair of nodes can be parted from the others."""
    links: dict[str, Link] = {}
    proxy = Proxy(lambda target: (links.setdefault(target, Link(target)), echo.address))
    reader, writer = await connect(await proxy.start())
    writer.write(b"CONNECT 330000.regulator.filingnet:9443 HTTP/1.1\r\nHost: ignored\r\n\r\n")
    async with asyncio.timeout(SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert await ask(reader, writer, b"filed") == b"FILED"
    assert ["330000.regulator.filingnet:9443"] == list(links)
    writer.close()
    await proxy.close()


@pytest.mark.parametrize("request_head", [b"GET / HTTP/1.1\r\n\r\n", b"CONNECT nowhere HTTP/1.1\r\n\r\n"])
async def test_anything_but_connect_is_refused(request_head: bytes) -> None:
    """A proxy that is asked for nothing it can reach says so instead of holding the connection."""
    proxy = Proxy(lambda target: (Link(target), target))
    reader, writer = await connect(await proxy.start())
    writer.write(request_head)
    async with asyncio.timeout(SECONDS):
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 502 ")
    writer.close()
    await proxy.close()


async def test_cut_resets_what_is_open_and_refuses_what_is_new_until_healed(proxy: Proxy, link: Link) -> None:
    """A partition is felt at once by a connection that is open and by one that is tried, and ends when it is healed."""
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"a") == b"A"
    link.cut()
    with pytest.raises(ConnectionResetError):
        await ask(reader, writer, b"b")
    reader, writer = await connect(proxy.address)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(reader, writer, b"c")
    link.heal()
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"d") == b"D"
    writer.close()


async def test_stall_accepts_and_never_answers_and_loses_nothing(proxy: Proxy, link: Link, echo: Echo) -> None:
    """A peer that accepts and never answers is silence, not an error; when it wakes up every byte arrives in order."""
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"a") == b"A"
    link.stall()
    writer.write(b"b" * MEBIBYTE)
    other_reader, other_writer = await connect(proxy.address)
    other_writer.write(b"new")
    await others_talk(echo)
    assert b"b" not in echo.received
    link.heal()
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(MEBIBYTE) == b"B" * MEBIBYTE
        assert await other_reader.readexactly(3) == b"NEW"
    writer.close()
    other_writer.close()


async def test_one_way_lets_the_request_through_and_holds_the_answer(proxy: Proxy, link: Link, echo: Echo) -> None:
    """An answer that is lost after the work was done is the case that idempotence is for."""
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"a") == b"A"
    link.stall_back()
    writer.write(b"b")
    echo.arrived.clear()
    async with asyncio.timeout(SECONDS):
        await echo.arrived.wait()
    assert (bytes(echo.received), link.back.bytes_carried) == (b"ab", 1)
    link.heal()
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(1) == b"B"
    writer.close()


async def test_one_way_can_hold_the_request_instead(proxy: Proxy, link: Link, echo: Echo) -> None:
    """The other half of a one-way link: what the caller says does not arrive."""
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"a") == b"A"
    link.stall_out()
    writer.write(b"b")
    await others_talk(echo)
    assert b"b" not in echo.received
    link.heal()
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(1) == b"B"
    writer.close()


async def test_reset_mid_stream_passes_exactly_so_many_bytes(proxy: Proxy, link: Link, echo: Echo) -> None:
    """A connection that dies in the middle of a message delivers its beginning and nothing after it, on both ends."""
    link.reset_after(out_bytes=1000)
    reader, writer = await connect(proxy.address)
    writer.write(b"x" * MEBIBYTE)
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(SECONDS):
            await reader.readexactly(MEBIBYTE)
    async with asyncio.timeout(SECONDS):
        await echo.reset_seen.wait()
    assert (len(echo.received), link.out.bytes_carried) == (1000, 1000)
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"again") == b"AGAIN"
    writer.close()


async def test_what_was_stranded_arrives_late_and_the_newest_first(proxy: Proxy, link: Link, echo: Echo) -> None:
    """What was on its way when the network broke can arrive after all that was sent anew, in another order."""
    lines = [await connect(proxy.address) for _ in range(2)]
    for reader, writer in lines:
        assert await ask(reader, writer, b"a") == b"A"
    link.strand()
    for (_, writer), text in zip(lines, (b"first", b"second"), strict=True):
        writer.write(text)
        writer.close()
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"new") == b"NEW"
    assert b"aanew" == echo.received
    link.arrive()
    async with asyncio.timeout(SECONDS):
        while len(echo.received) < len(b"aanewsecondfirst"):
            echo.arrived.clear()
            await echo.arrived.wait()
    assert b"aanewsecondfirst" == echo.received
    writer.close()


async def test_an_abandoned_connection_is_silent_for_ever(proxy: Proxy, link: Link, echo: Echo) -> None:
    """A peer whose machine died says nothing of it: its caller has to notice by itself; a new connection is served."""
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"a") == b"A"
    link.abandon()
    async with asyncio.timeout(SECONDS):
        await echo.reset_seen.wait()
    writer.write(b"b")
    await others_talk(echo)
    assert not reader.at_eof()
    other_reader, other_writer = await connect(proxy.address)
    assert await ask(other_reader, other_writer, b"c") == b"C"
    assert b"b" not in echo.received
    link.reset()
    with pytest.raises(ConnectionResetError):
        await ask(reader, writer, b"d")
    other_writer.close()


async def test_delay_keeps_the_order_and_holds_bytes_back(proxy: Proxy, link: Link) -> None:
    """Slow is not broken: what is delayed arrives whole, in order and not before its time."""
    clock = asyncio.get_running_loop().time
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"a") == b"A"
    link.delay(0.05)
    begin = clock()
    assert await ask(reader, writer, b"abcdefgh") == b"ABCDEFGH"
    # Never before its time; how long after is the machine's affair.
    assert clock() - begin >= 0.1
    writer.close()


async def test_capture_keeps_what_passed(proxy: Proxy, link: Link) -> None:
    """A search of the wire for planted people sees every byte since capturing began, and none from before."""
    reader, writer = await connect(proxy.address)
    assert await ask(reader, writer, b"before") == b"BEFORE"
    link.capture()
    assert await ask(reader, writer, b"after") == b"AFTER"
    assert (bytearray(b"after"), bytearray(b"AFTER")) == (link.out.captured, link.back.captured)
    writer.close()


async def test_a_peer_that_is_down_is_a_reset(link: Link) -> None:
    """A dead peer behind the proxy looks dead, not silent."""
    ports = Ports()
    proxy = Proxy(lambda target: (link, target), ports.take())
    reader, writer = await connect(await proxy.start())
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await ask(reader, writer, b"a")
    writer.close()
    await proxy.close()
    ports.close()


async def test_a_held_port_is_refused_until_its_node_listens_and_given_to_nobody_else() -> None:
    """Two clusters that start at the same time never fight for a port, and a killed node finds its own again."""
    ports = Ports()
    taken = {ports.take() for _ in range(200)}
    assert len(taken) == 200
    address = sorted(taken)[0]
    with pytest.raises(ConnectionRefusedError):
        await connect(address)
    host, _, port = address.rpartition(":")
    server = await asyncio.start_server(Echo().serve, host, int(port), reuse_address=True)
    reader, writer = await connect(address)
    assert await ask(reader, writer, b"mine") == b"MINE"
    writer.close()
    server.close()
    ports.close()
