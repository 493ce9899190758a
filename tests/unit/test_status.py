"""Errors on the wire and back: nothing is lost that fits, everything fits, and garbage never breaks the reader."""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import (
    Conflict,
    FailedPrecondition,
    FilingnetError,
    Internal,
    InvalidInput,
    NotFound,
    Unavailable,
    Violation,
)
from shared.remote_errors import RemoteError, make_remote_error, remote_error, translated
from shared.status import (
    DETAILS_KEY,
    DOMAIN,
    MAX_DETAILS_BYTES,
    STATUS_BY_ERROR,
    one_line,
    read_details,
    status_code,
    status_of,
)

CLIENT_LIMIT = 8192
"""Bytes of metadata that a gRPC client accepts by default (RFC 9113 counts 32 more for each line)."""

REASONS = st.from_regex(r"[A-Z][A-Z0-9_]{1,40}", fullmatch=True)
SENTENCES = st.text(string.ascii_letters + " ，。更正字段", min_size=1, max_size=300).map(one_line).filter(bool)
ANYTHING = st.characters(exclude_categories=())
"""Any character at all, half surrogate pairs included, which no message can hold."""

WILD_VIOLATIONS = st.builds(
    Violation, st.text(ANYTHING, max_size=120), st.text(ANYTHING, max_size=80), st.text(ANYTHING, max_size=300)
)
VIOLATIONS = st.builds(
    Violation,
    st.from_regex(r"[a-z_]{1,30}(\[[0-9]\])?", fullmatch=True),
    st.from_regex(r"[a-z._]{1,30}", fullmatch=True),
    st.text(string.ascii_letters, min_size=1, max_size=60),
)


def failed(code: grpc.StatusCode, trailing: Any, details: str = "") -> grpc.aio.AioRpcError:
    """Makes the error that gRPC raises."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details=details)


def sent(error: FilingnetError) -> grpc.aio.AioRpcError:
    """Sends an error over the wire."""
    status = status_of(error)
    return failed(status.code, grpc.aio.Metadata(*status.trailing_metadata), status.details)


def with_details(*details: Any, code: int = 3, message: str = "do it otherwise") -> Any:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return grpc.aio.Metadata((DETAILS_KEY, status.SerializeToString()))


@given(st.sampled_from(sorted(STATUS_BY_ERROR, key=str)), SENTENCES, REASONS, st.lists(VIOLATIONS, max_size=8))
def test_an_error_arrives_as_it_was_raised(
    kind: type[FilingnetError], message: str, reason: str, violations: list[Violation]
) -> None:
    """Kind, reason and violations survive the wire; the sentence too, as far as it fits."""
    error = remote_error(sent(kind(message, reason, violations)))
    assert isinstance(error, kind)
    assert error.code is STATUS_BY_ERROR[kind]
    assert error.reason == reason
    assert message.startswith(error.message)
    assert list(error.violations) == violations


@given(st.text(ANYTHING, max_size=2000), st.lists(WILD_VIOLATIONS, max_size=60))
@example("\U0001f4dc" * 300, [Violation("\U0001f4dc" * 120, "r" * 80, "\U0001f4dc" * 300)] * 60)
def test_an_answer_always_fits_what_a_client_accepts(message: str, violations: list[Violation]) -> None:
    """However much is wrong, with whatever characters, the answer can be read by a client with default settings."""
    status = status_of(InvalidInput(message, "FIELD_VIOLATIONS", violations))
    ((_, details),) = status.trailing_metadata
    assert len(details) <= MAX_DETAILS_BYTES
    lines = {DETAILS_KEY: len(details) * 4 / 3 + 4, "grpc-message": len(quote(status.details)), "grpc-status": 2}
    assert sum(len(name) + size + 32 for name, size in lines.items()) < CLIENT_LIMIT - 1024


def test_a_list_that_does_not_fit_is_cut_and_says_so() -> None:
    """Whoever mends the violations told is told that there are more."""
    violations = [Violation(f"filings[{row}].name", "string.max_len", "缩短到三十个字符" * 5) for row in range(50)]
    told = remote_error(sent(InvalidInput("correct these", "FIELD_VIOLATIONS", violations))).violations
    assert list(told[:-1]) == violations[: len(told) - 1]
    assert told[-1] == Violation("", "more_violations", f"correct the others first: {51 - len(told)} more")


def test_a_subclass_has_the_status_of_its_kind() -> None:
    """An error that a module refines for itself is told like its kind."""

    class LicenceLapsed(FailedPrecondition):
        """A refinement."""

    assert status_code(LicenceLapsed("renew the licence", "LICENCE_LAPSED")) is grpc.StatusCode.FAILED_PRECONDITION
    assert status_code(FilingnetError("of no kind", "NO_KIND")) is grpc.StatusCode.INTERNAL


@given(st.sampled_from(list(grpc.StatusCode)), st.binary(max_size=300), st.text(max_size=400))
def test_garbage_in_an_answer_never_breaks_the_reader(code: grpc.StatusCode, details: bytes, text: str) -> None:
    """Whatever a peer sends becomes an error with a printable sentence and a stable reason."""
    error = remote_error(failed(code, grpc.aio.Metadata((DETAILS_KEY, details)), text))
    assert error.message
    assert error.message == one_line(error.message)
    assert error.reason.replace("_", "").isalnum()


@pytest.mark.parametrize(
    "trailing",
    [
        None,
        (),
        grpc.aio.Metadata(),
        grpc.aio.Metadata((DETAILS_KEY, b"\xff\xff\xff")),
        grpc.aio.Metadata((DETAILS_KEY, b"")),
        grpc.aio.Metadata(("other-bin", b"\x00")),
        with_details(),
        with_details(error_details_pb2.ErrorInfo(reason="STOLEN", domain="example.org")),
        with_details(error_details_pb2.ErrorInfo(reason="no reason", domain=DOMAIN)),
        with_details(error_details_pb2.ErrorInfo(reason="A" * 64, domain=DOMAIN)),
        with_details(error_details_pb2.BadRequest(field_violations=[{"field": "alone"}])),
    ],
)
def test_what_no_node_of_the_network_sent_is_no_details(trailing: Any) -> None:
    """Without our domain and a well-formed reason the code alone speaks."""
    error = remote_error(failed(grpc.StatusCode.INVALID_ARGUMENT, trailing, "said by gRPC"))
    assert read_details(trailing) is None
    assert isinstance(error, InvalidInput)
    assert error.reason == "INVALID_ARGUMENT"
    assert error.message.endswith("(said by gRPC)")
    assert error.violations == ()


def test_what_a_peer_says_is_bounded_and_printable() -> None:
    """A peer can neither flood a log nor write lines or control characters into it."""
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field="f" * 999, reason="r" * 999, description="\x1b[2Jd\n" * 999)
    ] * 99
    told = read_details(
        with_details(
            error_details_pb2.ErrorInfo(reason="FLOOD", domain=DOMAIN),
            error_details_pb2.BadRequest(field_violations=violations),
            message="line\nline\u2028\u202e" * 999,
        )
    )
    assert told is not None
    assert len(told.violations) == 50
    for text, limit in ((told.message, 300), (told.violations[0].mend, 300), (told.violations[0].field, 120)):
        assert len(text) <= limit
        assert text.isprintable()


@pytest.mark.parametrize(
    ("code", "bare", "explained"),
    [
        (grpc.StatusCode.UNAVAILABLE, True, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, True, True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, True, True),
        (grpc.StatusCode.CANCELLED, True, True),
        (grpc.StatusCode.UNKNOWN, True, False),
        (grpc.StatusCode.INTERNAL, True, False),
        (grpc.StatusCode.ABORTED, True, False),
        (grpc.StatusCode.INVALID_ARGUMENT, False, False),
        (grpc.StatusCode.NOT_FOUND, False, False),
        (grpc.StatusCode.ALREADY_EXISTS, False, False),
        (grpc.StatusCode.PERMISSION_DENIED, False, False),
        (grpc.StatusCode.UNAUTHENTICATED, False, False),
        (grpc.StatusCode.FAILED_PRECONDITION, False, False),
        (grpc.StatusCode.OUT_OF_RANGE, False, False),
        (grpc.StatusCode.UNIMPLEMENTED, False, False),
        (grpc.StatusCode.DATA_LOSS, False, False),
    ],
)
def test_what_may_pass_by_itself_is_transient(code: grpc.StatusCode, bare: bool, explained: bool) -> None:
    """Trying on for ever is for what passes; what a node refuses with a reason is for a person."""
    details = with_details(error_details_pb2.ErrorInfo(reason="EXPLAINED", domain=DOMAIN), code=code.value[0])
    assert remote_error(failed(code, None)).transient is bare
    assert remote_error(failed(code, details)).transient is explained


def test_a_node_that_does_not_answer_is_told_as_unreachable() -> None:
    """A cut network has a reason of its own, and the sentence says what to look at."""
    error = remote_error(failed(grpc.StatusCode.UNAVAILABLE, None, "connection refused\nby\tsomebody"))
    assert isinstance(error, Unavailable)
    assert error.reason == "PEER_UNREACHABLE"
    assert error.message == (
        "the node does not answer: see that it runs and that its address is right (connection refused by somebody)"
    )


def test_a_node_that_is_unavailable_with_a_reason_keeps_it() -> None:
    """A node that answers is not unreachable."""
    assert remote_error(sent(Unavailable("try again", "STORAGE_BUSY"))).reason == "STORAGE_BUSY"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.CANCELLED, Unavailable),
        (grpc.StatusCode.OUT_OF_RANGE, InvalidInput),
        (grpc.StatusCode.UNIMPLEMENTED, FailedPrecondition),
        (grpc.StatusCode.ABORTED, Conflict),
        (grpc.StatusCode.UNKNOWN, Internal),
        (grpc.StatusCode.DATA_LOSS, Internal),
    ],
)
def test_every_code_has_a_kind(code: grpc.StatusCode, kind: type[FilingnetError]) -> None:
    """Callers handle kinds, also for codes that our servers never give."""
    assert isinstance(remote_error(failed(code, None)), kind)


def test_a_remote_error_is_told_on_like_a_local_one() -> None:
    """A servicer that lets a peer's answer through tells the same kind and reason."""
    error = make_remote_error(grpc.StatusCode.NOT_FOUND, "ask for another", "FILING_UNKNOWN", transient=False)
    assert isinstance(error, RemoteError)
    assert remote_error(sent(error)).reason == "FILING_UNKNOWN"
    assert status_code(error) is grpc.StatusCode.NOT_FOUND


async def test_a_translated_call_answers_or_raises_our_kind() -> None:
    """Clients meet answers and our errors, never gRPC's."""

    async def answer() -> str:
        return "answer"

    async def fail() -> str:
        raise sent(NotFound("ask for another", "FILING_UNKNOWN"))

    assert await translated(answer()) == "answer"
    with pytest.raises(NotFound) as raised:
        await translated(fail())
    assert raised.value.reason == "FILING_UNKNOWN"
