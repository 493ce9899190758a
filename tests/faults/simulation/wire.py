"""The wire between simulated nodes: real stubs and real servicers, serialised bytes, and the weather in between.

A node serves through the same chain of authentication, method table, contract and errors as a real one
(shared.interceptors); only who calls is told by the wire instead of by a certificate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, NoReturn, TypeVar

import grpc

from shared.peer import Peer
from tests.faults.simulation.lives import this_life
from tests.faults.simulation.serving import Served
from tests.faults.simulation.trace import Trace
from tests.faults.simulation.weather import Fate, Line, Weather

S = TypeVar("S")

LONGEST_SECONDS: Final = 60.0
LEAST_SECONDS: Final = 1e-6
"""Between two pages of a stream, so that they arrive in order."""
PAGES_UNDER_WAY: Final = 4
"""Pages of a stream on their way at once; then the sender waits, as HTTP/2 makes it."""


class Wire:
    """Carries every call of a simulated network.

    Args:
        weather: what happens to them.
        trace: what happened.
    """

    def __init__(self, weather: Weather, trace: Trace) -> None:
        self.weather = weather
        self._trace = trace
        self._served: dict[str, Served] = {}

    def serve(self, served: Served) -> None:
        """Answers a node's calls from now on, for as long as its life lasts."""
        self._served[served.name] = served
        served.life.at_death(lambda: self._withdraw(served))

    def peer(self, caller: str) -> Callable[[str], Peer]:
        """Returns what opens the channel from a node to another one."""
        return lambda name: _SimulatedPeer(self, caller, name)

    def _withdraw(self, served: Served) -> None:
        if self._served.get(served.name) is served:
            del self._served[served.name]

    def reached(self, target: str) -> Served | None:
        """Returns who answers at a node; None while it is down."""
        return self._served.get(target)

    async def unary(self, caller: str, target: str, method: str, raw: bytes, seconds: float | None) -> bytes:
        """Makes a call with one answer.

        Raises:
            grpc.aio.AioRpcError: no answer came, or a refusal.
        """
        limit = asyncio.timeout(seconds or LONGEST_SECONDS)
        try:
            async with limit:
                answer = await self._unary(caller, target, method, raw, seconds or LONGEST_SECONDS)
        except TimeoutError:
            if not limit.expired():
                raise
            self._told(caller, target, method, "DEADLINE")
            raise _failure(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time") from None
        except grpc.aio.AioRpcError as error:
            self._told(caller, target, method, error.code().name)
            raise
        self._told(caller, target, method, "OK")
        return answer

    async def _unary(self, caller: str, target: str, method: str, raw: bytes, seconds: float) -> bytes:
        weather, fate = self.weather, self.weather.fate()
        await asyncio.sleep(weather.delay())
        await self._passes(caller, target, seconds)
        if fate is Fate.RESET_BEFORE:
            weather.lost.resets += 1
            raise _unreachable()
        if fate is Fate.REQUEST_LOST:
            weather.lost.messages_lost += 1
            await weather.silence(seconds)
            raise _unreachable()
        served = self.reached(target)
        if served is None:
            raise _unreachable()
        if fate is Fate.DOUBLED:
            weather.lost.doubled += 1
            asyncio.get_running_loop().call_later(weather.delay() * 3, self._again, caller, target, method, raw)
        serving = served.answer(caller, method, raw, seconds)
        if fate is Fate.RESET_AFTER:
            weather.lost.resets += 1
            await asyncio.sleep(weather.delay())
            # The server hears of it, and ends the call wherever it is.
            serving.cancel()
            raise _unreachable()
        result = await self._heard(served, serving, seconds)
        await asyncio.sleep(weather.delay())
        if fate is Fate.ANSWER_LOST:
            weather.lost.messages_lost += 1
            await weather.silence(seconds)
            raise _unreachable()
        await self._passes(caller, target, seconds)
        if isinstance(result, grpc.aio.AioRpcError):
            raise result
        assert isinstance(result, bytes)
        return result

    async def _heard(self, served: Served, serving: asyncio.Task[Any], seconds: float) -> Any:
        """Waits for what the server does, which goes on for a while where the caller is gone."""
        try:
            return await asyncio.shield(serving)
        except asyncio.CancelledError:
            life, task = this_life(), asyncio.current_task()
            caller_died = life is not None and not life.alive
            if served.life.alive and not (caller_died and self.weather.chance.random() < 0.5):
                serving.cancel()
            if served.life.alive or (task is not None and task.cancelling()):
                raise
        # The server died with the call in its hands: the connection is reset, or nobody says anything.
        if self.weather.chance.random() < 0.3:
            await self.weather.silence(seconds)
        raise _unreachable()

    async def _passes(self, caller: str, target: str, seconds: float) -> None:
        line = self.weather.line(caller, target)
        if line is None:
            return
        self.weather.lost.messages_lost += 1
        if line is Line.SILENT:
            await self.weather.silence(seconds)
        raise _unreachable()

    def _again(self, caller: str, target: str, method: str, raw: bytes) -> None:
        """Lets a request arrive a second time; nobody hears the answer."""
        served = self.reached(target)
        if served is not None:
            served.answer(caller, method, raw, LONGEST_SECONDS)

    def stream(self, caller: str, target: str, method: str, raw: bytes, read: Callable[[bytes], Any]) -> PageStream:
        """Opens a stream of answers."""
        return PageStream(self, caller, target, method, raw, read)

    def _told(self, caller: str, target: str, method: str, outcome: str) -> None:
        life = this_life()
        if life is None or life.alive:
            self._trace.note(f"{caller} > {target} {method.rpartition('/')[2]} {outcome}")


class PageStream:
    """A stream of answers as its caller holds it: in order, until it is reset, cut or cancelled."""

    def __init__(
        self, wire: Wire, caller: str, target: str, method: str, raw: bytes, read: Callable[[bytes], Any]
    ) -> None:
        self._wire = wire
        self._pair = (caller, target)
        self._method = method
        self._read = read
        self._pages: deque[Any] = deque()
        self._held: deque[Any] = deque()
        self._heard = asyncio.Event()
        self._room = asyncio.Event()
        self._serving: asyncio.Task[Any] | None = None
        self._arrival = 0.0
        self._under_way = 0
        self._ended = False
        life = this_life()
        opening = self._open(raw)
        self._opening = life.spawn(opening) if life is not None else asyncio.ensure_future(opening)
        if life is not None:
            life.at_death(self._drop)

    def cancel(self) -> bool:
        """Ends it; the sender hears of it."""
        if self._ended:
            return False
        self._drop()
        return True

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Iterates over the answers."""
        while True:
            yield await self.read()

    async def read(self) -> Any:
        """Returns the next answer.

        Raises:
            grpc.aio.AioRpcError: the stream ended.
        """
        while not self._pages:
            self._heard.clear()
            await self._heard.wait()
        page = self._pages.popleft()
        if isinstance(page, grpc.aio.AioRpcError):
            raise page
        self._under_way -= 1
        self._room.set()
        return self._read(page)

    async def write(self, page: bytes) -> None:
        """Sends a page; called by the sender."""
        while self._under_way >= PAGES_UNDER_WAY:
            self._room.clear()
            await self._room.wait()
        weather = self._wire.weather
        if weather.resets_stream():
            weather.lost.resets += 1
            self._end(_unreachable())
            raise asyncio.CancelledError
        self._under_way += 1
        loop = asyncio.get_running_loop()
        # In order, however long each would take by itself.
        self._arrival = max(self._arrival + LEAST_SECONDS, loop.time() + weather.delay())
        loop.call_at(self._arrival, self._arrive, page)

    async def _open(self, raw: bytes) -> None:
        weather, (caller, target) = self._wire.weather, self._pair
        await asyncio.sleep(weather.delay())
        served = self._wire.reached(target)
        fate = weather.fate()
        if weather.line(caller, target) is not None or served is None or fate in (Fate.RESET_BEFORE, Fate.REQUEST_LOST):
            weather.lost.messages_lost += 1
            if weather.line(caller, target) is Line.SILENT or fate is Fate.REQUEST_LOST:
                await weather.silence(LONGEST_SECONDS)
            self._end(_unreachable())
            return
        if self._ended:
            return
        self._serving = served.life.spawn(self._serve(served, raw))
        served.life.at_death(self._sender_died)

    async def _serve(self, served: Served, raw: bytes) -> None:
        refusal = await served.stream(self._pair[0], self._method, raw, self.write)
        self._end(refusal or _failure(grpc.StatusCode.UNAVAILABLE, "the stream ended"))

    def _sender_died(self) -> None:
        if not self._ended:
            asyncio.get_running_loop().call_later(self._wire.weather.delay(), self._end, _unreachable())

    def _arrive(self, page: Any) -> None:
        if self._ended:
            return
        caller, target = self._pair
        line = self._wire.weather.line(caller, target)
        if line is Line.REFUSES:
            self._wire.weather.lost.messages_lost += 1
            self._end(_unreachable())
        elif line is Line.SILENT or self._held:
            self._held.append(page)
            if len(self._held) == 1:
                asyncio.get_running_loop().create_task(self._let_go())
        else:
            self._put(page)

    async def _let_go(self) -> None:
        await self._wire.weather.wait_mended(*self._pair)
        while self._held and not self._ended:
            self._put(self._held.popleft())

    def _put(self, page: Any) -> None:
        self._pages.append(page)
        self._heard.set()

    def _end(self, error: grpc.aio.AioRpcError) -> None:
        if not self._ended:
            self._drop()
            self._put(error)

    def _drop(self) -> None:
        self._ended = True
        self._opening.cancel()
        if self._serving is not None:
            self._serving.cancel()
        self._room.set()


class _SimulatedPeer(Peer):
    """Another node as its callers see it: the stubs are the real ones, the channel is the wire."""

    def __init__(self, wire: Wire, caller: str, target: str) -> None:
        self._channel = _Channel(wire, caller, target)
        self._made: dict[type, Any] = {}

    def stub(self, stub_class: type[S]) -> S:
        """Returns a stub."""
        if stub_class not in self._made:
            self._made[stub_class] = stub_class(self._channel)  # type: ignore[call-arg]
        return self._made[stub_class]  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Closes nothing: calls end with the tasks that made them."""


class _Channel:
    """What a generated stub asks of a channel."""

    def __init__(self, wire: Wire, caller: str, target: str) -> None:
        self._wire, self._caller, self._target = wire, caller, target

    def unary_unary(
        self, method: str, request_serializer: Any, response_deserializer: Any, **options: Any
    ) -> Callable[..., Coroutine[Any, Any, Any]]:
        """Returns a callable for a method with one request and one answer."""
        del options

        async def call(request: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as a stub names it
            raw = request_serializer(request)
            return response_deserializer(await self._wire.unary(self._caller, self._target, method, raw, timeout))

        return call

    def unary_stream(
        self, method: str, request_serializer: Any, response_deserializer: Any, **options: Any
    ) -> Callable[..., PageStream]:
        """Returns a callable for a method with a stream of answers."""
        del options

        def call(request: Any, timeout: float | None = None) -> PageStream:
            del timeout
            raw = request_serializer(request)
            return self._wire.stream(self._caller, self._target, method, raw, response_deserializer)

        return call

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Callable[..., NoReturn]:
        """No node calls another one so."""

        def call(*_: Any, **__: Any) -> NoReturn:
            raise AssertionError(method)

        return call

    stream_stream = stream_unary


def _unreachable() -> grpc.aio.AioRpcError:
    return _failure(grpc.StatusCode.UNAVAILABLE, "connection reset")


def _failure(code: grpc.StatusCode, told: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=told)
