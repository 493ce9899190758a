"""What every call passes before its servicer, and every error after it. In this order:

1. Errors: what a servicer raises becomes a status. A FilingnetError tells its reason and violations; anything else
   tells an incident number, by which the log has the type and the frames of what happened and never its text or values.
2. Room: a bounded number of calls at once, the others are told to come again.
3. Caller and method table: who calls, checked anew for each call, and whether the table lets that role. What the table
   does not list is denied.
4. Contract: the request is read and checked against its field rules. The messages of a client stream are left to the
   servicer, which judges them one by one.
5. The servicer, with `current_caller()` set, under a deadline also where the client set none.

Handlers are wrapped once, when a servicer is added. Reading and writing of messages happen inside the wrapper, so that
a message that cannot be read, or an answer of the wrong type, is an error like any other.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn

import grpc
import structlog

from shared.calls import ServedCall, set_current_call
from shared.errors import (
    Exhausted,
    FilingnetError,
    Internal,
    InvalidInput,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from shared.status import rich_status, status_of
from shared.telemetry import describe_failure
from shared.trust.authentication import Authenticator
from shared.trust.callers import Caller, Role
from shared.trust.methods import check_allowed
from shared.validation import validate

DEADLINE_SECONDS: Final = 60.0
"""The deadline of a unary call whose client set none."""

CONTRACTS: Final = "/filingnet."
"""Begins the full name of every method whose messages have field rules."""

HEALTH: Final = "/grpc.health.v1."
"""Begins the full name of the methods that are answered also when there is no room."""

Serve = Callable[[], Awaitable[Any]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is served at once.

    Attributes:
        unary: calls with one answer, at once.
        streams: streams, at once; most of them wait for something to happen.
        deadline_seconds: for a unary call whose client set none.
    """

    unary: int
    streams: int
    deadline_seconds: float = DEADLINE_SECONDS


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
    """

    def __init__(
        self,
        authenticator: Authenticator,
        methods: Mapping[str, frozenset[Role]],
        *,
        unvalidated: frozenset[str],
        endless: frozenset[str],
        bounds: Bounds,
    ) -> None:
        self._authenticator = authenticator
        self._methods = methods
        self._unvalidated = unvalidated
        self._endless = endless
        self._bounds = bounds
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
        write = handler.response_serializer
        # The same for each call by the node's own socket, so it is made once.
        own_call = self._local_call(name)

        def written(answer: Any) -> bytes:
            # A servicer whose answers are few may keep them as bytes.
            return answer if type(answer) is bytes else bytes(write(answer))

        async def one_answer(raw: Any, context: grpc.aio.ServicerContext) -> bytes:
            # The same steps as in _guard, written out: here every microsecond is a call's.
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
                await _refuse(name, caller, context, error)

        async def many_answers(raw: Any, context: grpc.aio.ServicerContext) -> None:
            async def serve() -> None:
                async with aclosing(behaviour(read(raw), context)) as answers:
                    async for answer in self._until_drained(answers) if method.endless else answers:
                        await context.write(write(answer))

            await self._guard(method, context, serve)

        return _handler(handler, many_answers if handler.response_streaming else one_answer)

    def _reader(self, name: str, handler: grpc.RpcMethodHandler) -> Callable[[Any], Any]:
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

    async def _guard(self, method: _Method, context: grpc.aio.ServicerContext, serve: Serve) -> None:
        """Serves a stream of answers; whatever is raised becomes a status."""
        caller = ""
        try:
            self._take_room(method)
            try:
                call = await self._identified(method.name, context)
                caller = call.caller.name
                set_current_call(call)
                await serve()
            finally:
                self._under_way[method.streams] -= method.counted
        except Exception as error:  # noqa: BLE001 - the outermost: nothing but a status may leave
            await _refuse(method.name, caller, context, error)

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
        return await context.abort_with_status(_deadline_status(self._bounds.deadline_seconds))

    async def _until_drained(self, answers: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Passes answers on until the server drains. It ends a wait for the next one and never a write under way, after
        which gRPC could send no status.
        """
        while True:
            if self._draining:
                raise _stopping()
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
                raise _stopping() from None
            finally:
                self._endless_limits.discard(limit)
            yield answer


def behaviour_of(handler: grpc.RpcMethodHandler) -> Callable[..., Any]:
    """Returns the servicer's method behind a handler, whichever of the four kinds it is."""
    found: Callable[..., Any] = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    return found


def _handler(handler: grpc.RpcMethodHandler, behaviour: Any) -> grpc.RpcMethodHandler:
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    # Without serialisers gRPC hands over the bytes as they came.
    return makers[handler.request_streaming, handler.response_streaming](behaviour)


def _parse(parse: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return parse(raw)
    except Exception as error:
        raise InvalidInput(
            "the request cannot be read: send the message of this method's contract", "MESSAGE_UNREADABLE"
        ) from error


def _stopping() -> Unavailable:
    return Unavailable("this node is stopping: call again when it is back", "NODE_STOPPING")


def _deadline_status(seconds: float) -> Any:
    return rich_status(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        f"this took longer than {seconds:.0f} seconds: try again, or set a deadline of your own",
        "DEADLINE_EXCEEDED",
    )


def _log_refusal(method: str, caller: str, error: FilingnetError) -> None:
    if isinstance(error, Internal):
        log.error("call_failed", method=method, caller=caller, reason=error.reason, **describe_failure(error))
    elif isinstance(error, PermissionDenied | Unauthenticated | Exhausted):
        log.warning("call_refused", method=method, caller=caller, reason=error.reason)


async def _refuse(method: str, caller: str, context: grpc.aio.ServicerContext, error: Exception) -> NoReturn:
    """Ends a call with the status of what was raised."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, FilingnetError):
        _log_refusal(method, caller or context.peer(), error)
        await context.abort_with_status(status_of(error))
        raise AssertionError("abort returned")
    await _abort_with_incident(method, caller or context.peer(), context, error)


async def _abort_with_incident(
    method: str, caller: str, context: grpc.aio.ServicerContext, error: Exception
) -> NoReturn:
    incident = secrets.token_hex(4)
    log.error("call_failed", method=method, caller=caller, incident=incident, **describe_failure(error))
    message = f"this node failed (incident {incident}): see its log"
    await context.abort_with_status(rich_status(grpc.StatusCode.INTERNAL, message, "INTERNAL"))
    raise AssertionError("abort returned")
