"""Measures, appeals and orders between the local API's messages and the use cases."""

from __future__ import annotations

from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from provider_node.account_messages import filing_to_wire
from provider_node.measure_rows import MeasureState, StoredMeasure
from provider_node.measures import Application
from provider_node.order_rows import StoredOrder
from shared.pb.filingnet.network.v1 import escalation_pb2
from shared.pb.filingnet.provider.v1 import measure_service_pb2 as pb
from shared.provisions.measure_kinds import Gravity, MeasureKind
from shared.provisions.spans import FOREVER


def application_from_wire(request: pb.ApplyMeasureRequest) -> Application:
    """Reads what is asked when a measure is taken."""
    return Application(
        account_id=request.account_id,
        kind=MeasureKind(request.kind),
        baseline=request.baseline,
        reason=request.reason,
        gravity=Gravity(request.gravity),
        end_time=request.end_time.ToDatetime(UTC) if request.HasField("end_time") else None,
        order_entry_id=request.order_entry_id,
    )


def measure_to_wire(stored: StoredMeasure, state: MeasureState, appeal_by: int) -> pb.Measure:
    """Returns the message of a measure.

    Args:
        stored: the measure.
        state: where it stands now.
        appeal_by: until when the owner may appeal at the provider, in microseconds.
    """
    measure = stored.measure
    return pb.Measure(
        measure_id=measure.measure_id,
        account_id=stored.account_id,
        kind=escalation_pb2.MeasureKind.Name(measure.kind),
        baseline=measure.baseline,
        reason=measure.reason,
        gravity=escalation_pb2.Gravity.Name(measure.gravity),
        start_time=time_to_wire(measure.start_time),
        end_time=time_to_wire(measure.end_time),
        order_entry_id=measure.order_entry_id,
        state=pb.MeasureState.Name(state),
        appeal=pb.AppealState.Name(stored.appeal_state),
        appeal_by_time=time_to_wire(appeal_by),
        statement_of_reasons=stored.reasons,
        report=filing_to_wire(stored.report) if stored.report else None,
        etag=stored.etag,
    )


def order_to_wire(stored: StoredOrder) -> pb.Order:
    """Returns the message of an order."""
    order = stored.order
    return pb.Order(
        order_entry_id=order.order_entry_id,
        regulator=stored.regulator,
        account_id=stored.account_id,
        escalation_id=order.escalation_id,
        ordered_measure=escalation_pb2.MeasureKind.Name(order.measure),
        baseline=order.baseline,
        gravity=escalation_pb2.Gravity.Name(order.gravity),
        days=order.days,
        overturns=order.overturns,
        reason=stored.reason,
        note=stored.note,
        decided_time=time_to_wire(stored.decided_time),
        answer_by_time=time_to_wire(stored.answer_by_time),
        answer=escalation_pb2.OrderAnswer.Name(order.answer),
    )


def time_to_wire(time: int) -> Timestamp | None:
    """Returns the message of a time in microseconds; None, for unset, where it never comes."""
    if time == FOREVER:
        return None
    message = Timestamp()
    message.FromMicroseconds(time)
    return message
