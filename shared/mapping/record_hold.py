"""Between the wire and the rules: directives on holds, and their acknowledgements."""

from __future__ import annotations

from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import record_hold_pb2
from shared.provisions.record_holds import HoldAction, HoldAnswerRecord, HoldDirective
from shared.provisions.retention import HoldScope, RecordClass
from shared.provisions.spans import FOREVER


def hold_directive_from_wire(message: record_hold_pb2.RecordHold) -> HoldDirective:
    """Returns the directive of a message."""
    return HoldDirective(
        provider=message.provider,
        hold_id=message.hold_id.lower(),
        action=HoldAction(message.action),
        reason=message.reason,
        directed_time=micros_of(message.directed_time),
        acknowledge_by=micros_of(message.acknowledge_by),
        scope=HoldScope(message.scope),
        record_class=RecordClass(message.record_class),
        target=message.target,
        start_time=micros_of(message.start_time) if message.HasField("start_time") else FOREVER,
        end_time=micros_of(message.end_time) if message.HasField("end_time") else FOREVER,
    )


def hold_directive_to_wire(directive: HoldDirective) -> record_hold_pb2.RecordHold:
    """Returns the message of a directive."""
    message = record_hold_pb2.RecordHold(
        provider=directive.provider,
        hold_id=directive.hold_id,
        action=int(directive.action),  # type: ignore[arg-type]
        scope=int(directive.scope),  # type: ignore[arg-type]
        record_class=int(directive.record_class),  # type: ignore[arg-type]
        target=directive.target,
        reason=directive.reason,
    )
    for name in ("directed_time", "acknowledge_by", "start_time", "end_time"):
        if getattr(directive, name) != FOREVER:
            getattr(message, name).FromMicroseconds(getattr(directive, name))
    return message


def hold_answer_from_wire(message: record_hold_pb2.RecordHoldAnswer, created_time: int) -> HoldAnswerRecord:
    """Returns the acknowledgement of a message; created_time is that of its entry, in microseconds."""
    answered = micros_of(message.answered_time)
    return HoldAnswerRecord(message.directive_entry_id.lower(), message.hold_id.lower(), answered, created_time)


def hold_answer_to_wire(directive_entry_id: str, hold_id: str, answered_time: int) -> record_hold_pb2.RecordHoldAnswer:
    """Returns the message of an acknowledgement; answered_time is in microseconds."""
    message = record_hold_pb2.RecordHoldAnswer(directive_entry_id=directive_entry_id, hold_id=hold_id)
    message.answered_time.FromMicroseconds(answered_time)
    return message
