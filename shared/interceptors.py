"""What every call passes before its servicer, and every error after it. In this order:

1. Errors: what a servicer raises becomes a status. A FilingnetError tells its reason and violations; anything else
   tells an incident number, by which the log has the type and the frames of what happened and never its text or values.
2. Room: a bounded number of calls at once, the others are told to come again.
3. Caller and method table: who calls, checked anew for each call, and whether the table lets that role. What the table
   does not list is denied. On a server that is open to the network each caller has a bounded room of its own, and no
   byte of a request is read before this, so that a request that never ends holds nothing but its caller's room.
4. Contract: the request is read and checked against its field rules. The messages of a client stream are left to the
   servicer, which judges them one by one.
5. The servicer, with `current_caller()` set, under a deadline also where the client set none.

Handlers are wrapped once, when a servicer is added. Reading and writing of messages happen inside the wrapper, so that
a message that cannot be read, or an answer of the wrong type, is an error like any other.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc

from shared.call_endings import deadline_status, refuse, stopping, unreadable
from shared.call_room import Bounds, CallerRoom, Holder, stranger
from shared.calls import ServedCall, set_current_call
from shared.errors import Exhausted, FilingnetError
from shared.trust.authentication import Authenticator
from shared.trust.callers import Caller, Role
from shared.trust.methods import check_allowed
from shared.validation import validate

CONTRACTS: Final = "/filingnet."
"""Begins the full name of every method whose messages have field rules."""

HEALTH: Final = "/grpc.health.v1."
"""Begins the full name of the methods that are answered also when there is no room."""

Serve = Callable[[], Awaitable[Any]]
Read = Callable[[Any], Any]
Behaviour = Callable[[Any, grpc.aio.ServicerContext], Any]


@dataclass(frozen=True, slots=True)
class _Method:
    """One method: its full name, and whether it streams, never ends by itself, and takes room."""

    name: str
    streams: bool
    endless: bool
    counted: bool


class CallChain:
    """Wraps the handlers of one server's methods.

    Args:
        authenticator: tells who calls.
        methods: which roles may call which method, by full name.
        unvalidated: methods whose servicer judges the request by itself, row by row.
        endless: streams that never end by themselves; they are ended when the server drains.
        bounds: how much is served at once.
        open_to_network: whether others than the node's own programs can connect.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        methods: Mapping[str, frozenset[Role]],
        *,
        unvalidated: frozenset[str],
        endless: frozenset[str],
        bounds: Bounds,
        open_to_network: bool,
    ) -> None:
        self._authenticator = authenticator
        self._methods = methods
        self._unvalidated = unvalidated
        self._endless = endless
        self._bounds = bounds
        self._open_to_network = open_to_network
        self._callers = CallerRoom(bounds)
        self._under_way = {False: 0, True: 0}
        self._endless_limits: set[asyncio.Timeout] = set()
        self._draining = False

    def drain(self) -> None:
        """Ends the endless streams, now and from now on; their clients are told to come again."""
        self._draining = True
        for limit in self._endless_limits:
            if limit.when() is None:
                limit.reschedule(asyncio.get_running_loop().time())

    def wrap(self, name: str, handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
        """Wraps the handler of one method.

        Args:
            name: full name, e.g. "/filingnet.network.v1.IntakeService/SubmitEntries".
            handler: as the generated code made it, of an async servicer.

        Raises:
            TypeError: the servicer's method is neither a coroutine nor, for a stream, an async generator.
        """
        behaviour = behaviour_of(handler)
        is_async = inspect.isasyncgenfunction if handler.response_streaming else inspect.iscoroutinefunction
        if not is_async(behaviour):
            raise TypeError(f"{name} must be async: a coroutine, or an async generator for a stream of answers")
        method = _Method(
            name,
            streams=handler.request_streaming or handler.response_streaming,
            endless=name in self._endless,
            counted=not name.startswith(HEALTH),
        )
        read = self._reader(name, handler)
        # A request that is read here is one message of a stream to gRPC, which would else read it whole beforehand.
        read_here = self._open_to_network and not handler.request_streaming
        if handler.response_streaming:
            wrapped = self._many_answers(method, behaviour, self._requester(read, read_here), handler)
        elif self._open_to_network:
            wrapped = self._guarded_answer(method, behaviour, self._requester(read, read_here), handler)
        else:
            wrapped = self._one_answer(method, behaviour, read, handler)
        return _handler(handler.request_streaming or read_here, handler.response_streaming, wrapped)

    def _one_answer(
        self, method: _Method, behaviour: Behaviour, read: Read, handler: grpc.RpcMethodHandler
    ) -> Behaviour:
        """Wraps a method with one answer where only the node's own programs can connect.

        It takes the same steps as `_guard`, written out: here every microsecond is a call's.
        """
        name, written = method.name, _writer(handler)
        # The same for each call by the node's own socket, so it is made once.
        own_call = self._local_call(name)

        async def one_answer(raw: Any, context: grpc.aio.ServicerContext) -> bytes:
            caller = ""
            try:
                self._take_room(method)
                try:
                    if own_call is not None and self._authenticator.local_caller(context) is not None:
                        call = own_call
                    else:
                        call = await self._identified(name, context)
                    caller = call.caller.name
                    set_current_call(call)
                    if method.streams or context.time_remaining() is not None:
                        return written(await behaviour(read(raw), context))

                    async def serve() -> bytes:
                        return written(await behaviour(read(raw), context))

                    return bytes(await self._under_deadline(context, serve))
                finally:
                    self._under_way[method.streams] -= method.counted
            except Exception as error:  # noqa: BLE001 - the outermost: nothing but a status may leave
                await refuse(name, caller, context, error)

        return one_answer

    def _guarded_answer(
        self, method: _Method, behaviour: Behaviour, requested: Behaviour, handler: grpc.RpcMethodHandler
    ) -> Behaviour:
        """Wraps a method with one answer on a server that is open to the network."""
        written = _writer(handler)

        async def guarded_answer(raw: Any, context: grpc.aio.ServicerContext) -> bytes:
            async def serve() -> bytes:
                return written(await behaviour(await requested(raw, context), context))

            return bytes(await self._guard(method, context, serve))

        return guarded_answer

    def _many_answers(
        self, method: _Method, behaviour: Behaviour, requested: Behaviour, handler: grpc.RpcMethodHandler
    ) -> Behaviour:
        """Wraps a method with a stream of answers."""
        write = handler.response_serializer

        async def many_answers(raw: Any, context: grpc.aio.ServicerContext) -> None:
            async def serve() -> None:
                async with aclosing(behaviour(await requested(raw, context), context)) as answers:
                    async for answer in self._until_drained(answers) if method.endless else answers:
                        await context.write(write(answer))

            await self._guard(method, context, serve)

        return many_answers

    def _requester(self, read: Read, read_here: bool) -> Behaviour:
        async def requested(raw: Any, context: grpc.aio.ServicerContext) -> Any:
            return read(await self._request(context) if read_here else raw)

        return requested

    def _reader(self, name: str, handler: grpc.RpcMethodHandler) -> Read:
        parse = handler.request_deserializer
        checked = name.startswith(CONTRACTS) and name not in self._unvalidated

        def read_message(raw: bytes) -> Any:
            message = _parse(parse, raw)
            validate(message)
            return message

        async def read_stream(raws: AsyncIterator[bytes]) -> AsyncIterator[Any]:
            async for raw in raws:
                yield _parse(parse, raw)

        if handler.request_streaming:
            return read_stream
        return read_message if checked else partial(_parse, parse)

    async def _guard(self, method: _Method, context: grpc.aio.ServicerContext, serve: Serve) -> Any:
        """Serves one call; whatever is raised becomes a status."""
        caller, holder = "", None
        try:
            self._take_room(method)
            try:
                call, holder = await self._let_in(method, context)
                caller = call.caller.name
                set_current_call(call)
                if method.streams or context.time_remaining() is not None:
                    return await serve()
                return await self._under_deadline(context, serve)
            finally:
                self._under_way[method.streams] -= method.counted
                if holder is not None:
                    self._callers.give_back(holder, streams=method.streams, counted=method.counted)
        except Exception as error:  # noqa: BLE001 - the outermost: nothing but a status may leave
            await refuse(method.name, caller, context, error)

    async def _let_in(self, method: _Method, context: grpc.aio.ServicerContext) -> tuple[ServedCall, Holder | None]:
        """Tells who calls and takes a place of theirs; those who call on the node's own behalf need none."""
        if not self._open_to_network or self._authenticator.local_caller(context) is not None:
            return await self._identified(method.name, context), None
        # Who sends a token has to be looked up, and is a stranger until that is done.
        looked_up = any(key == "authorization" for key, _ in context.invocation_metadata() or ())
        asking = stranger(context.peer()) if looked_up else None
        room = {"streams": method.streams, "counted": method.counted}
        if asking is not None:
            self._callers.take(asking, **room)
        try:
            call = await self._identified(method.name, context)
            holder = _holder_of(call.caller, context)
            if holder is not None:
                self._callers.take(holder, **room)
        finally:
            if asking is not None:
                self._callers.give_back(asking, **room)
        return call, holder

    async def _request(self, context: grpc.aio.ServicerContext) -> bytes:
        """Reads the one message of a request, which has to come before the client's deadline and the node's."""
        limit = asyncio.timeout(self._bounds.deadline_seconds)
        try:
            async with limit:
                raw = await context.read()
        except TimeoutError:
            await context.abort_with_status(deadline_status(self._bounds.deadline_seconds))
        if raw is grpc.aio.EOF:
            raise unreadable()
        return bytes(raw)

    def _local_call(self, name: str) -> ServedCall | None:
        """Returns what each call of a method by the node's own socket is; None where such callers may not make it."""
        local = self._authenticator.local
        try:
            return None if local is None else self._call(name, local)
        except FilingnetError:
            # Told to each of them anew.
            return None

    async def _identified(self, name: str, context: grpc.aio.ServicerContext) -> ServedCall:
        caller = await self._authenticator.caller(context, context.invocation_metadata() or ())
        return self._call(name, caller)

    def _call(self, name: str, caller: Caller) -> ServedCall:
        check_allowed(name, caller, self._methods)
        return ServedCall(name, caller, partial(self._recheck, name, caller))

    def _take_room(self, method: _Method) -> None:
        most = self._bounds.streams if method.streams else self._bounds.unary
        if method.counted and self._under_way[method.streams] >= most:
            raise Exhausted(f"this node serves {most} calls at once and no more: try again later", "TOO_MANY_CALLS")
        self._under_way[method.streams] += method.counted

    def _recheck(self, name: str, caller: Caller) -> None:
        check_allowed(name, self._authenticator.recheck(caller), self._methods)

    async def _under_deadline(self, context: grpc.aio.ServicerContext, serve: Serve) -> Any:
        limit = asyncio.timeout(self._bounds.deadline_seconds)
        try:
            async with limit:
                return await serve()
        except TimeoutError:
            if not limit.expired():
                raise
        return await context.abort_with_status(deadline_status(self._bounds.deadline_seconds))

    async def _until_drained(self, answers: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Passes answers on until the server drains. It ends a wait for the next one and never a write under way, after
        which gRPC could send no status.
        """
        while True:
            if self._draining:
                raise stopping()
            limit = asyncio.timeout(None)
            try:
                async with limit:
                    self._endless_limits.add(limit)
                    answer = await anext(answers)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not limit.expired():
                    raise
                raise stopping() from None
            finally:
                self._endless_limits.discard(limit)
            yield answer


def behaviour_of(handler: grpc.RpcMethodHandler) -> Behaviour:
    """Returns the servicer's method behind a handler, whichever of the four kinds it is."""
    found: Behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    return found


def _holder_of(caller: Caller, context: grpc.aio.ServicerContext) -> Holder | None:
    if caller.role in (Role.BACKEND, Role.OPERATOR):
        return None
    return stranger(context.peer()) if caller.role is Role.ANYONE else Holder(caller.name, stranger=False)


def _writer(handler: grpc.RpcMethodHandler) -> Callable[[Any], bytes]:
    write = handler.response_serializer

    def written(answer: Any) -> bytes:
        # A servicer whose answers are few may keep them as bytes.
        return answer if type(answer) is bytes else bytes(write(answer))

    return written


def _handler(requests: bool, answers: bool, behaviour: Behaviour) -> grpc.RpcMethodHandler:
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    # Without serialisers gRPC hands over the bytes as they came.
    return makers[requests, answers](behaviour)


def _parse(parse: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return parse(raw)
    except Exception as error:
        raise unreadable() from error
