"""Between the register's API on the wire and its use cases. Copies fields and judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from regulator_node.filing_filter import FilingFilter, Order
from regulator_node.registered_filing import RegisteredFiling
from regulator_node.review import Outcome, Verdict
from regulator_node.statistics import STATE_NAMES, Count
from regulator_node.verdicts import VerdictResult
from shared.clock import from_micros
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import decision_pb2
from shared.pb.filingnet.regulator.v1 import filing_service_pb2 as wire
from shared.provisions.subjects import SubjectKind
from shared.validation import field_violations, validate

VERDICTS_A_LINE: Final = 3
"""Verdicts of the longest names that fit into the 500 characters of an audit entry's detail."""

_SECOND: Final = 1_000_000
_OUTCOMES: Final = {int(outcome): outcome.name.lower() for outcome in Outcome}


_SOUND: Final = wire.FilingVerdict(
    provider="provider/any",
    account_id="00000000-0000-4000-8000-000000000000",
    revision=1,
    outcome=decision_pb2.DECISION_OUTCOME_ACCEPTED,
)
"""Stands for each verdict while the request around them is checked."""


def filter_from_wire(message: wire.FilingFilter) -> FilingFilter:
    """Reads a filter that its validation rules passed."""
    return FilingFilter(
        jurisdiction=message.jurisdiction,
        provider=message.provider,
        category=message.category,
        subject_kind=message.subject_kind,
        subject_region=message.subject_region,
        state=message.state,
        filed_from=message.filed_from.ToMicroseconds() if message.HasField("filed_from") else None,
        filed_before=message.filed_before.ToMicroseconds() if message.HasField("filed_before") else None,
        text=message.text,
        as_of=message.as_of.ToMicroseconds() if message.HasField("as_of") else None,
    )


def order_from_wire(order: wire.FilingOrder) -> Order:
    """Reads an order; newest first where none is given."""
    return Order(order or Order.NEWEST_FIRST)


def describe(given: FilingFilter) -> str:
    """Says in one line what a filter asks for, as the audit keeps it."""
    values = {name: getattr(given, name) for name in given.__slots__ if getattr(given, name) not in ("", 0, None)}
    for name in {"filed_from", "filed_before", "as_of"} & values.keys():
        values[name] = from_micros(values[name]).isoformat()
    if given.state:
        values["state"] = STATE_NAMES[given.state]
    if given.subject_kind:
        values["subject_kind"] = SubjectKind(given.subject_kind).name.lower()
    return " ".join(f"{name} {value}" for name, value in values.items()) or "all"


def describe_verdicts(request_id: str, verdicts: Sequence[Verdict], malformed: int = 0) -> list[str]:
    """Says in some lines who decided what, as the audit keeps it: the log names the regulator and not the officer."""
    said = [
        f"{_OUTCOMES[verdict.outcome]} {verdict.provider}/{verdict.account_id} revision {verdict.revision}"
        f" {verdict.reason}".rstrip()
        for verdict in verdicts
    ]
    if malformed:
        said.append(f"{malformed} that break the contract")
    return [
        f"request {request_id}: {', '.join(said[start : start + VERDICTS_A_LINE])}"
        for start in range(0, len(said), VERDICTS_A_LINE)
    ]


def filing_to_wire(filing: RegisteredFiling) -> wire.Filing:
    """Returns the message of a filing. Exports call it for every row: attributes cost a third less than arguments."""
    message = wire.Filing()
    message.jurisdiction = filing.jurisdiction
    message.provider = filing.provider
    message.account_id = id_text(filing.account_id)
    message.revision = filing.revision
    message.display_name = filing.display_name
    message.category = filing.category
    message.subject_kind = filing.subject_kind  # type: ignore[assignment]
    message.organisation_name = filing.organisation_name
    message.subject_region = filing.subject_region
    message.state = filing.state  # type: ignore[assignment]
    message.log_index = filing.log_index
    message.superseded = filing.superseded_time is not None
    message.etag = filing.etag
    _set_time(message.filed_time, filing.filed_time)
    _set_time(message.effective_time, filing.effective_time)
    if filing.uscc is not None:
        message.uscc = filing.uscc
    if filing.person_reference is not None:
        message.person_reference = filing.person_reference
    if filing.decided_time is not None:
        _set_time(message.decided_time, filing.decided_time)
        message.reason = filing.reason
        message.fields.extend(filing.fields.split())
        message.note = filing.note
    return message


def filings_to_wire(filings: Iterable[RegisteredFiling]) -> list[wire.Filing]:
    """Returns the messages of filings."""
    return [filing_to_wire(filing) for filing in filings]


def _set_time(message: Timestamp, micros: int) -> None:
    message.seconds = micros // _SECOND
    message.nanos = micros % _SECOND * 1000


def counts_to_wire(counts: Iterable[Count]) -> wire.GetStatisticsResponse:
    """Returns the answer of counts."""
    return wire.GetStatisticsResponse(rows=[wire.StatisticsRow(keys=row.keys, count=row.count) for row in counts])


def split_verdicts(request: wire.DecideFilingsRequest) -> tuple[list[Verdict], dict[int, VerdictResult]]:
    """Reads the verdicts of a request that keep the contract, and refuses each of the others by itself.

    Args:
        request: not checked before.

    Returns:
        The verdicts that keep it, in order; and the refusals of the others by their place in the request. A refusal
        names field and rule and never repeats a value.

    Raises:
        InvalidInput: FIELD_VIOLATIONS, the request around the verdicts breaks the contract.
    """
    validate(wire.DecideFilingsRequest(request_id=request.request_id, verdicts=[_SOUND] * len(request.verdicts)))
    sound, refused = [], {}
    for place, message in enumerate(request.verdicts):
        violations = field_violations(message)
        if violations:
            mends = "; ".join(f"{each.field}: {each.mend}" for each in violations)
            refused[place] = VerdictResult("FIELD_VIOLATIONS", mends[:300])
        else:
            sound.append(_verdict_of(message))
    return sound, refused


def _verdict_of(message: wire.FilingVerdict) -> Verdict:
    return Verdict(
        provider=message.provider,
        account_id=message.account_id,
        revision=message.revision,
        outcome=Outcome(message.outcome),
        reason=message.reason,
        fields=tuple(message.fields),
        note=message.note,
        etag=message.etag,
    )


def results_to_wire(results: Iterable[VerdictResult]) -> wire.DecideFilingsResponse:
    """Returns the answer of verdicts."""
    return wire.DecideFilingsResponse(
        results=[
            wire.VerdictResult(
                error_reason=result.error_reason, error_message=result.error_message, log_index=result.log_index
            )
            for result in results
        ]
    )
