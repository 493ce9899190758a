"""The server: closed by default, every error told alike and without values, and bounded.

Everything here is a real server on a Unix socket or on loopback.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from shared.channel import local_channel, remote_error
from shared.errors import (
    Exhausted,
    FilingnetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Violation,
)
from shared.pb.filingnet.network.v1 import follow_service_pb2, follow_service_pb2_grpc
from shared.pb.filingnet.provider.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
)
from shared.server import NodeServer
from shared.status import STATUS_BY_ERROR
from shared.trust.callers import Role
from shared.trust.methods import METHODS
from shared.wire import MAX_MESSAGE_BYTES
from tests.captured_log import captured_log
from tests.integration.serving import (
    GET_STATUS,
    AccountServicer,
    FollowServicer,
    NodeServicer,
    call_raw,
    directives,
    local_authenticator,
    local_follow_server,
    local_server,
    officer,
    refusal,
    started,
    status_stub,
)

PLANTED = "110101187001010017"
"""A made-up number that must not be told to anyone."""


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What the node logs."""
    with captured_log() as stream:
        yield stream


def events(stream: io.StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]


# Who may call what


async def test_the_servicer_knows_who_calls(tmp_path: Path) -> None:
    """A call by the node's own socket is its backend's, and the servicer is told so."""
    async with local_server(tmp_path, NodeServicer()) as (_, address), local_channel(address) as channel:
        assert (await status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest())).name == "backend"


async def test_a_method_without_a_row_is_denied(tmp_path: Path) -> None:
    """Closed by default: what the table does not list is denied, though it is served."""
    methods = {method: roles for method, roles in METHODS.items() if method != GET_STATUS}
    servicer = NodeServicer()
    async with (
        local_server(tmp_path, servicer, methods=methods) as (_, address),
        local_channel(address) as channel,
    ):
        error = await refusal(status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest()))
    assert isinstance(error, PermissionDenied)
    assert error.reason == "METHOD_DENIED"


async def test_a_role_that_the_row_does_not_name_is_denied(tmp_path: Path) -> None:
    """An officer of a regulator, whatever its rank, calls nothing of a provider's API."""
    token, find = officer(Role.ADMINISTRATOR)
    servicer = NodeServicer()
    server = NodeServer(local_authenticator(officer_tokens=find))
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, servicer)
    address = await server.listen("127.0.0.1:0", None)
    replay = node_service_pb2.ReplayAccountRequest(account_id="5d0fdb1e-63a3-4f20-9c44-0a8b5a3a1c55")
    async with started(server), local_channel(address, token) as channel:
        error = await refusal(status_stub(channel).ReplayAccount(replay))
    assert isinstance(error, PermissionDenied)
    assert error.reason == "METHOD_DENIED"
    assert servicer.replayed == 0


async def test_nobody_is_asked_for_credentials_before_the_request_is_read(tmp_path: Path) -> None:
    """Somebody without credentials learns that some are needed, and nothing about the request."""
    server = NodeServer(local_authenticator())
    server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer())
    address = await server.listen("127.0.0.1:0", None)
    async with started(server), local_channel(address) as channel:
        error = await refusal(call_raw(channel, GET_STATUS, b"\xff\xff"))
    assert isinstance(error, Unauthenticated)
    assert error.reason == "CREDENTIALS_MISSING"


async def test_an_unknown_method_is_unimplemented(tmp_path: Path) -> None:
    """What no servicer has is answered by gRPC itself, and told with a mend."""
    async with local_server(tmp_path, NodeServicer()) as (_, address), local_channel(address) as channel:
        error = await refusal(call_raw(channel, "/filingnet.provider.v1.NodeService/Explode"))
    assert error.reason == "UNIMPLEMENTED"


async def test_a_servicer_that_is_not_async_is_not_taken() -> None:
    """A method that would block the node's event loop is found when it is added, not when it is called."""

    class Blocking(node_service_pb2_grpc.NodeServiceServicer):
        def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
            """Blocks."""
            return node_service_pb2.GetStatusResponse()

    server = NodeServer(local_authenticator())
    with pytest.raises(TypeError, match="must be async"):
        server.add(node_service_pb2_grpc.add_NodeServiceServicer_to_server, Blocking())


# What is asked


async def test_a_request_that_breaks_its_contract_never_reaches_the_servicer(tmp_path: Path) -> None:
    """The answer names the field, the rule and the mend, and never what was sent."""
    servicer = NodeServicer()
    async with local_server(tmp_path, servicer) as (_, address), local_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await status_stub(channel).ReplayAccount(node_service_pb2.ReplayAccountRequest(account_id=PLANTED))
    error = remote_error(raised.value)
    assert isinstance(error, InvalidInput)
    assert error.reason == "FIELD_VIOLATIONS"
    assert [(each.field, each.rule) for each in error.violations] == [("account_id", "string.uuid")]
    assert "UUID" in error.violations[0].mend
    assert PLANTED not in repr(raised.value) + str(error) + repr(error.violations)
    assert servicer.replayed == 0


async def test_a_method_can_judge_its_rows_itself(tmp_path: Path) -> None:
    """A request of an exempt method is not refused whole: its servicer answers row by row."""
    servicer = NodeServicer()
    exempt = frozenset({"/filingnet.provider.v1.NodeService/ReplayAccount"})
    async with (
        local_server(tmp_path, servicer, unvalidated=exempt) as (_, address),
        local_channel(address) as channel,
    ):
        await status_stub(channel).ReplayAccount(node_service_pb2.ReplayAccountRequest(account_id="no uuid"))
    assert servicer.replayed == 1


async def test_messages_of_a_stream_are_left_to_the_servicer(tmp_path: Path) -> None:
    """One bad row does not end an import: every message reaches the servicer."""
    servicer = AccountServicer()
    server = NodeServer(local_authenticator())
    server.add(account_service_pb2_grpc.add_AccountServiceServicer_to_server, servicer)
    address = await server.listen(f"unix:{tmp_path}/api.sock", None)
    messages = [account_service_pb2.ImportAccountsRequest(import_id=import_id) for import_id in ("", "no uuid")]
    async with started(server), local_channel(address) as channel:
        stub: Any = account_service_pb2_grpc.AccountServiceStub
        await stub(channel).ImportAccounts(iter(messages))
    assert servicer.rows == 2


async def test_a_message_that_cannot_be_read_is_the_callers_fault(tmp_path: Path) -> None:
    """Bytes that are no message are an invalid request, not a failure of the node."""
    async with local_server(tmp_path, NodeServicer()) as (_, address), local_channel(address) as channel:
        error = await refusal(call_raw(channel, GET_STATUS, b"\xff\xff\xff"))
    assert isinstance(error, InvalidInput)
    assert error.reason == "MESSAGE_UNREADABLE"


async def test_a_message_beyond_the_bound_is_refused_either_way(tmp_path: Path) -> None:
    """Neither a request nor an answer beyond the bound is taken, also of a client without bounds."""
    unbounded = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]

    async def much() -> Any:
        return node_service_pb2.GetStatusResponse(name="x" * MAX_MESSAGE_BYTES)

    servicer = NodeServicer()
    async with (
        local_server(tmp_path, servicer) as (_, address),
        grpc.aio.insecure_channel(address, options=unbounded) as channel,
    ):
        error = await refusal(call_raw(channel, GET_STATUS, b"x" * (MAX_MESSAGE_BYTES + 1)))
        assert isinstance(error, Exhausted)
        servicer.answer = much
        error = await refusal(status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest()))
        assert isinstance(error, Exhausted)


# What is answered


@pytest.mark.parametrize("kind", STATUS_BY_ERROR)
async def test_every_kind_of_error_arrives_as_itself(tmp_path: Path, kind: type[FilingnetError]) -> None:
    """A client raises the kind that the servicer raised, with its reason, sentence and violations."""
    violations = [Violation("account.name", "name.too_long", "shorten it to 30 characters (最多30个字符)")]

    async def fail() -> Any:
        raise kind("do it otherwise: 请更正", "SOME_REASON", violations)

    async with local_server(tmp_path, NodeServicer(fail)) as (_, address), local_channel(address) as channel:
        error = await refusal(status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest()))
    assert isinstance(error, kind)
    assert getattr(error, "code", None) is STATUS_BY_ERROR[kind]
    assert error.reason == "SOME_REASON"
    assert error.message == "do it otherwise: 请更正"
    assert list(error.violations) == violations


async def test_fifty_violations_reach_a_client_with_default_settings(tmp_path: Path) -> None:
    """However much is wrong, the answer fits the metadata that any gRPC client takes."""
    violations = [
        Violation(f"filings[{row}].account_name", "string.max_len", "缩短到三十个字符" * 8) for row in range(50)
    ]

    async def fail() -> Any:
        raise InvalidInput("更正这些字段：" * 40, "FIELD_VIOLATIONS", violations)

    async with (
        local_server(tmp_path, NodeServicer(fail)) as (_, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        error = await refusal(status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest()))
    assert isinstance(error, InvalidInput)
    assert error.violations[0] == violations[0]
    assert error.violations[-1].rule == "more_violations"


async def test_an_unforeseen_failure_tells_an_incident_and_no_text(tmp_path: Path, log_lines: io.StringIO) -> None:
    """Neither the answer nor the log holds what the exception said or the values around it; the log has the frames."""

    async def fail() -> Any:
        number = PLANTED
        raise ValueError(f"cannot store {number}")

    async with local_server(tmp_path, NodeServicer(fail)) as (_, address), local_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest())
    error = remote_error(raised.value)
    (line,) = events(log_lines, "call_failed")
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert error.reason == "INTERNAL"
    assert error.message == f"this node failed (incident {line['incident']}): see its log"
    assert line["error"] == "ValueError"
    assert line["method"] == GET_STATUS
    assert line["caller"] == "backend"
    assert line["frames"][-1].endswith(" fail")
    assert "test_server.py:" in line["frames"][-1]
    assert PLANTED not in log_lines.getvalue() + repr(raised.value)
    assert "cannot store" not in log_lines.getvalue() + repr(raised.value)


async def test_an_answer_of_the_wrong_type_is_a_failure_like_any_other(tmp_path: Path, log_lines: io.StringIO) -> None:
    """An answer that cannot be written becomes an incident too, and gRPC's own text about it is told to nobody."""

    async def wrong() -> Any:
        return PLANTED

    async with local_server(tmp_path, NodeServicer(wrong)) as (_, address), local_channel(address) as channel:
        error = await refusal(status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest()))
    assert error.reason == "INTERNAL"
    assert PLANTED not in log_lines.getvalue() + error.message
    assert len(events(log_lines, "call_failed")) == 1


async def test_a_stream_that_fails_ends_with_the_error_after_its_pages(tmp_path: Path) -> None:
    """Pages sent before a failure stay sent, and the failure ends the stream."""

    class Failing(follow_service_pb2_grpc.FollowServiceServicer):
        async def FollowDirectives(self, request: Any, context: Any) -> Any:  # noqa: N802
            """Streams two pages and fails."""
            yield follow_service_pb2.FollowDirectivesResponse(cursor=1)
            yield follow_service_pb2.FollowDirectivesResponse(cursor=2)
            raise NotFound("there is no third page: stop at the second", "PAGE_MISSING")

    async with local_follow_server(tmp_path, Failing()) as (_, address), local_channel(address) as channel:
        pages = aiter(directives(channel))
        assert [(await anext(pages)).cursor, (await anext(pages)).cursor] == [1, 2]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await anext(pages)
    assert remote_error(raised.value).reason == "PAGE_MISSING"


async def test_a_call_that_its_client_cancels_is_cancelled_here_and_is_no_failure(
    tmp_path: Path, log_lines: io.StringIO
) -> None:
    """A servicer learns that nobody waits any more, and the log does not call it a failure."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with local_server(tmp_path, NodeServicer(wait)) as (_, address), local_channel(address) as channel:
        call = status_stub(channel).GetStatus(node_service_pb2.GetStatusRequest())
        await begun.wait()
        call.cancel()
        await cancelled.wait()
    assert events(log_lines, "call_failed") == []


async def test_a_follower_that_goes_away_frees_its_stream_and_is_no_failure(
    tmp_path: Path, log_lines: io.StringIO
) -> None:
    """A stream whose client left is closed at once, its servicer cleaned up."""
    servicer = FollowServicer()
    async with local_follow_server(tmp_path, servicer) as (_, address), local_channel(address) as channel:
        servicer.pages.put_nowait(1)
        stream = directives(channel)
        assert (await anext(aiter(stream))).cursor == 1
        stream.cancel()
        servicer.pages.put_nowait(2)
        await servicer.ended.wait()
    assert events(log_lines, "call_failed") == []
