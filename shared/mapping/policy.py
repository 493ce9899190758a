"""A policy on the wire and in the rules."""

from __future__ import annotations

import datetime

from shared.errors import InvalidInput, Violation
from shared.pb.filingnet.network.v1 import escalation_pb2, policy_pb2
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.policy import (
    TERM_LISTS,
    Agreement,
    CalendarOverride,
    CategorySuccessor,
    LadderStep,
    Period,
    PeriodUnit,
    Policy,
    Provenance,
    Route,
    Term,
)


def policy_to_wire(policy: Policy) -> policy_pb2.Policy:
    """Returns the message of a policy."""
    message = policy_pb2.Policy(
        version=policy.version,
        categories=[_term_to_wire(term) for term in policy.categories],
        return_reasons=[_term_to_wire(term) for term in policy.return_reasons],
        periods=[period_to_wire(period) for period in policy.periods],
        calendar_overrides=[
            policy_pb2.CalendarOverride(day=override.day.isoformat(), working=override.working)
            for override in policy.calendar_overrides
        ],
        agreement=policy_pb2.Agreement(version=policy.agreement.version, baselines=policy.agreement.baselines),
        provider_licence_classes=sorted(policy.provider_licence_classes),
        ladder=[
            policy_pb2.LadderStep(kind=escalation_pb2.MeasureKind.Name(step.kind), longest_days=step.longest_days)
            for step in policy.ladder
        ],
        category_successors=[
            policy_pb2.CategorySuccessor(code=each.code, successor=each.successor)
            for each in policy.category_successors
        ],
        routes=[policy_pb2.Route(provider=route.provider, jurisdiction=route.jurisdiction) for route in policy.routes],
    )
    for name in TERM_LISTS:
        getattr(message, name).extend(_term_to_wire(term) for term in getattr(policy, name))
    message.effective_time.FromDatetime(policy.effective_time)
    message.earliest_time.FromDatetime(policy.earliest_time)
    return message


def policy_from_wire(message: policy_pb2.Policy) -> Policy:
    """Returns the policy of a message that its validation rules passed.

    Raises:
        InvalidInput: DATE_WRONG where a calendar override is no day of the calendar.
    """
    return Policy(
        version=message.version,
        effective_time=message.effective_time.ToDatetime(datetime.UTC),
        categories=tuple(_term_from_wire(term) for term in message.categories),
        return_reasons=tuple(_term_from_wire(term) for term in message.return_reasons),
        periods=tuple(period_from_wire(period) for period in message.periods),
        calendar_overrides=tuple(
            CalendarOverride(_day(override.day, index), override.working)
            for index, override in enumerate(message.calendar_overrides)
        ),
        agreement=Agreement(message.agreement.version, tuple(message.agreement.baselines)),
        provider_licence_classes=frozenset(message.provider_licence_classes),
        earliest_time=message.earliest_time.ToDatetime(datetime.UTC),
        ladder=tuple(LadderStep(MeasureKind(step.kind), step.longest_days) for step in message.ladder),
        category_successors=tuple(CategorySuccessor(each.code, each.successor) for each in message.category_successors),
        routes=tuple(Route(route.provider, route.jurisdiction) for route in message.routes),
        **{name: tuple(_term_from_wire(term) for term in getattr(message, name)) for name in TERM_LISTS},
    )


def _term_to_wire(term: Term) -> policy_pb2.Term:
    return policy_pb2.Term(code=term.code, title_zh=term.title_zh, title_en=term.title_en)


def _term_from_wire(message: policy_pb2.Term) -> Term:
    return Term(message.code, message.title_zh, message.title_en)


def period_to_wire(period: Period) -> policy_pb2.Period:
    """Returns the message of a period."""
    return policy_pb2.Period(
        name=period.name,
        amount=period.amount,
        unit=policy_pb2.PeriodUnit.Name(period.unit),
        provenance=policy_pb2.Provenance.Name(period.provenance),
        article=period.article,
    )


def period_from_wire(message: policy_pb2.Period) -> Period:
    """Returns the period of a message that its validation rules passed."""
    return Period(
        message.name, message.amount, PeriodUnit(message.unit), Provenance(message.provenance), message.article
    )


def _day(text: str, index: int) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        mend = "give a day that the calendar has, as YYYY-MM-DD"
        field = f"calendar_overrides[{index}].day"
        raise InvalidInput(
            "a calendar override is no day", "DATE_WRONG", [Violation(field, "DATE_WRONG", mend)]
        ) from None
