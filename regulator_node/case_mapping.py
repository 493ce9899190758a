"""Between the API of cases on the wire and its use cases. Copies fields and judges nothing."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from regulator_node.case_queries import CaseFilter, CaseView, MeasureFilter, RegisteredMeasure
from regulator_node.cases import CaseVerdict
from regulator_node.figures import ProviderFigures
from shared.identifiers import id_text
from shared.pb.filingnet.network.v1 import duty_pb2
from shared.pb.filingnet.regulator.v1 import escalation_service_pb2 as wire
from shared.provisions.duties import DutyProfileRecord
from shared.provisions.escalations import CaseKind
from shared.provisions.spans import FOREVER


def time_to_wire(time: int) -> Timestamp | None:
    """Returns a time in microseconds as a timestamp; None for a time that never comes."""
    if time == FOREVER:
        return None
    stamp = Timestamp()
    stamp.FromMicroseconds(time)
    return stamp


def case_filter_from_wire(request: wire.ListCasesRequest) -> CaseFilter:
    """Reads which cases are asked for."""
    return CaseFilter(request.state, request.kind, request.provider, request.jurisdiction)


def measure_filter_from_wire(request: wire.ListMeasuresRequest) -> MeasureFilter:
    """Reads which measures are asked for."""
    return MeasureFilter(request.provider, request.account_id, request.kind)


def verdict_from_wire(request: wire.DecideCaseRequest) -> CaseVerdict:
    """Reads what an officer decides."""
    return CaseVerdict(
        request.case_id,
        request.outcome,
        request.ordered_measure,
        request.gravity,
        request.days,
        request.reason,
        request.note,
        request.etag,
    )


def case_to_wire(view: CaseView) -> wire.Case:
    """Returns the message of a case."""
    file, standing = view.file, view.standing
    of_nobody = file.kind == CaseKind.COMPLAINT and not file.cause
    return wire.Case(
        jurisdiction=file.jurisdiction,
        case_id=id_text(file.case_id),
        kind=file.kind,  # type: ignore[arg-type]
        state=int(standing.shown),  # type: ignore[arg-type]
        provider=file.provider,
        account_id=id_text(file.account_id),
        escalation_id="" if of_nobody else id_text(file.escalation_id),
        baseline=file.baseline,
        item_url=file.item_url,
        cause=file.cause,  # type: ignore[arg-type]
        received_time=time_to_wire(file.received_time),
        due_time=time_to_wire(standing.due_time),
        assignee=standing.assignee,
        outcome=standing.outcome,
        responsible=view.responsible,
        events=[
            wire.CaseEvent(
                time=time_to_wire(each.time), action=each.event.name.lower(), actor=each.actor, reason=each.reason
            )
            for each in view.happened
        ],
        etag=view.etag,
        overdue=view.overdue,
    )


def measure_to_wire(measure: RegisteredMeasure) -> wire.Measure:
    """Returns the message of a measure."""
    return wire.Measure(
        jurisdiction=measure.jurisdiction,
        provider=measure.provider,
        account_id=id_text(measure.account_id),
        measure_id=id_text(measure.measure_id),
        kind=measure.kind,  # type: ignore[arg-type]
        action=measure.action,  # type: ignore[arg-type]
        baseline=measure.baseline,
        reason=measure.reason,
        gravity=measure.gravity,  # type: ignore[arg-type]
        start_time=time_to_wire(measure.start_time),
        end_time=time_to_wire(measure.end_time),
        order_entry_id=measure.order_entry_id,
        log_index=measure.log_index,
    )


def figures_to_wire(figures: ProviderFigures) -> wire.ProviderFigures:
    """Returns the message of a provider's figures."""
    return wire.ProviderFigures(
        provider=figures.provider,
        duties=None if figures.duties is None else _duties_to_wire(figures.duties),
        escalated=figures.escalated,
        orders_in_time=figures.orders_in_time,
        orders_late=figures.orders_late,
        measures=figures.measures,
        overturned=figures.overturned,
    )


def _duties_to_wire(record: DutyProfileRecord) -> duty_pb2.DutyProfile:
    duties = [duty_pb2.Duty(code=duty.code, in_force_time=time_to_wire(duty.in_force_time)) for duty in record.duties]
    return duty_pb2.DutyProfile(
        revision=record.revision,
        duties=duties,
        staff=record.staff,
        users=record.users,
        counted_time=time_to_wire(record.counted_time),
    )
