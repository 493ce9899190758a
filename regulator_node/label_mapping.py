"""Between the API for labels on the wire and its use cases. Copies fields and judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from regulator_node.label_queries import LabelFilter
from regulator_node.label_review import LabelVerdict
from regulator_node.registered_label import LabelState, RegisteredLabel
from regulator_node.verdicts import VerdictResult
from shared.clock import from_micros
from shared.mapping.times import micros_of
from shared.pb.filingnet.regulator.v1 import label_service_pb2 as wire
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelBasis

VERDICTS_A_LINE: Final = 3
"""Verdicts of the longest names that fit into the 500 characters of an audit entry's detail."""

_SECOND: Final = 1_000_000


def label_filter_from_wire(request: wire.SearchLabelsRequest) -> LabelFilter:
    """Reads a filter that its validation rules passed."""
    return LabelFilter(
        jurisdiction=request.jurisdiction,
        provider=request.provider,
        account_id=request.account_id,
        basis=request.basis,
        state=request.state,
        end_before=micros_of(request.end_before_time) if request.HasField("end_before_time") else None,
    )


def describe_labels(given: LabelFilter) -> str:
    """Says in one line what a filter asks for, as the audit keeps it."""
    values = {name: getattr(given, name) for name in given.__slots__ if getattr(given, name) not in ("", 0, None)}
    if given.basis:
        values["basis"] = LabelBasis(given.basis).name.lower()
    if given.state:
        values["state"] = LabelState(given.state).name.lower()
    if given.end_before is not None:
        values["end_before"] = from_micros(given.end_before).isoformat()
    return " ".join(f"{name} {value}" for name, value in values.items()) or "all"


def describe_label_verdicts(request_id: str, verdicts: Sequence[LabelVerdict]) -> list[str]:
    """Says in some lines who decided what, as the audit keeps it: the log names the regulator and not the officer."""
    said = [
        f"{LabelOutcome(verdict.outcome).name.lower()} {verdict.provider} grant {verdict.grant_id}"
        f" revision {verdict.revision} {verdict.reason}".rstrip()
        for verdict in verdicts
    ]
    return [
        f"request {request_id}: {', '.join(said[start : start + VERDICTS_A_LINE])}"
        for start in range(0, len(said), VERDICTS_A_LINE)
    ]


def labels_to_wire(labels: Iterable[RegisteredLabel]) -> list[wire.Label]:
    """Returns the messages of grants."""
    return [_label_to_wire(label) for label in labels]


def label_verdicts_from_wire(messages: Iterable[wire.LabelVerdict]) -> list[LabelVerdict]:
    """Reads verdicts that their validation rules passed."""
    return [
        LabelVerdict(
            provider=message.provider,
            grant_id=message.grant_id,
            revision=message.revision,
            outcome=int(message.outcome),
            scope=int(message.scope),
            end_time=micros_of(message.end_time),
            reason=message.reason,
            note=message.note,
            etag=message.etag,
        )
        for message in messages
    ]


def label_results_to_wire(results: Iterable[VerdictResult]) -> wire.DecideLabelsResponse:
    """Returns the answer of verdicts."""
    return wire.DecideLabelsResponse(
        results=[
            wire.LabelVerdictResult(
                error_reason=result.error_reason, error_message=result.error_message, log_index=result.log_index
            )
            for result in results
        ]
    )


def time_to_wire(micros: int) -> Timestamp:
    """Returns the message of a time in microseconds since 1970."""
    return Timestamp(seconds=micros // _SECOND, nanos=micros % _SECOND * 1000)


def _label_to_wire(label: RegisteredLabel) -> wire.Label:
    return wire.Label(
        jurisdiction=label.jurisdiction,
        provider=label.provider,
        account_id=label.account_id,
        display_name=label.display_name,
        grant_id=label.grant_id,
        revision=label.revision,
        action=label.action,  # type: ignore[arg-type]
        basis=label.basis,  # type: ignore[arg-type]
        licence_number=label.licence_number,
        scope=label.scope,  # type: ignore[arg-type]
        start_time=time_to_wire(label.start_time),
        end_time=time_to_wire(label.end_time),
        state=label.state,  # type: ignore[arg-type]
        reason=label.reason,
        note=label.note,
        log_index=label.log_index,
        etag=label.etag,
        filed_time=time_to_wire(label.filed_time),
    )
