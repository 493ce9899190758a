"""A policy as officers write it: a TOML file like shared/provisions/initial_policy.toml.

What is published begins as what is in force: `policy show --toml` writes this form, an officer changes it, and
`policy publish` reads it. A slip of the pen is named by its place and never read as a default.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.errors import InvalidInput, Violation
from shared.provisions.agreements import BASELINES
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


def _by_name(kind: type[PeriodUnit] | type[Provenance] | type[MeasureKind]) -> BeforeValidator:
    names = {member.name.lower(): member for member in kind if member}

    def read(value: object) -> object:
        if value not in names:
            raise ValueError(f"choose one of {', '.join(names)}")
        return names[str(value)]

    return BeforeValidator(read)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Term(_Table):
    code: str
    title_zh: str
    title_en: str


class _Period(_Table):
    name: str
    amount: int
    unit: Annotated[PeriodUnit, _by_name(PeriodUnit)]
    provenance: Annotated[Provenance, _by_name(Provenance)] = Provenance.ADMINISTRATIVE
    article: str = ""


class _LadderStep(_Table):
    kind: Annotated[MeasureKind, _by_name(MeasureKind)]
    longest_days: int


class _Successor(_Table):
    code: str
    successor: str


class _Route(_Table):
    provider: str
    jurisdiction: str


class _Override(_Table):
    day: datetime.date
    working: bool


class _Agreement(_Table):
    version: int
    baselines: tuple[str, ...] = BASELINES


class _PolicyFile(_Table):
    version: int
    effective_time: AwareDatetime
    earliest_time: AwareDatetime
    provider_licence_classes: frozenset[int]
    calendar_overrides: list[_Override] = Field(default_factory=list)
    categories: list[_Term]
    category_successors: list[_Successor] = Field(default_factory=list)
    routes: list[_Route] = Field(default_factory=list)
    return_reasons: list[_Term]
    label_reasons: list[_Term]
    measure_reasons: list[_Term]
    dismissal_reasons: list[_Term]
    settlement_outcomes: list[_Term]
    answer_reasons: list[_Term]
    duties: list[_Term]
    pause_reasons: list[_Term]
    appeal_reasons: list[_Term]
    ladder: list[_LadderStep]
    periods: list[_Period]
    agreement: _Agreement


def read_policy(text: str) -> Policy:
    """Reads a policy file. Whether the policy may follow the newest one is judged where it is published.

    Args:
        text: the file's content.

    Returns:
        The policy.

    Raises:
        InvalidInput: POLICY_FILE_WRONG, naming each place.
    """
    try:
        file = _PolicyFile.model_validate(tomllib.loads(text))
        effective_time = file.effective_time.astimezone(datetime.UTC)
        earliest_time = file.earliest_time.astimezone(datetime.UTC)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"the policy file is no TOML: {error}", "POLICY_FILE_WRONG") from error
    except ValidationError as error:
        violations = [
            Violation(".".join(str(part) for part in each["loc"]), each["type"].upper(), each["msg"])
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise InvalidInput("correct the policy file", "POLICY_FILE_WRONG", violations) from None
    except (ValueError, OverflowError, RecursionError) as error:
        message = "the policy file holds a number, a time or a depth that nobody means"
        raise InvalidInput(message, "POLICY_FILE_WRONG") from error
    return Policy(
        version=file.version,
        effective_time=effective_time,
        categories=tuple(Term(**term.model_dump()) for term in file.categories),
        return_reasons=tuple(Term(**term.model_dump()) for term in file.return_reasons),
        periods=tuple(Period(**period.model_dump()) for period in file.periods),
        calendar_overrides=tuple(CalendarOverride(**each.model_dump()) for each in file.calendar_overrides),
        agreement=Agreement(file.agreement.version, file.agreement.baselines),
        provider_licence_classes=file.provider_licence_classes,
        earliest_time=earliest_time,
        category_successors=tuple(CategorySuccessor(**each.model_dump()) for each in file.category_successors),
        routes=tuple(Route(**route.model_dump()) for route in file.routes),
        ladder=tuple(LadderStep(**step.model_dump()) for step in file.ladder),
        **{name: tuple(Term(**term.model_dump()) for term in getattr(file, name)) for name in TERM_LISTS},
    )


def write_policy(policy: Policy) -> str:
    """Writes a policy file that `read_policy` reads as the same policy.

    Args:
        policy: the policy.

    Returns:
        TOML.
    """
    lines = [
        "# Times are in UTC; days of the calendar are in China Standard Time.",
        f"version = {policy.version}",
        f"effective_time = {_time(policy.effective_time)}",
        f"earliest_time = {_time(policy.earliest_time)}",
        f"provider_licence_classes = {sorted(policy.provider_licence_classes)}",
        *_array(
            "calendar_overrides",
            [
                f"{{ day = {override.day.isoformat()}, working = {str(override.working).lower()} }}"
                for override in policy.calendar_overrides
            ],
        ),
        *_array("categories", [_term(term) for term in policy.categories]),
        *(
            _array("category_successors", [_successor(each) for each in policy.category_successors])
            if policy.category_successors
            else ()
        ),
        *(_array("routes", [_route(route) for route in policy.routes]) if policy.routes else ()),
        *_array("return_reasons", [_term(term) for term in policy.return_reasons]),
        *(line for name in TERM_LISTS for line in _array(name, [_term(term) for term in getattr(policy, name)])),
        *_array("ladder", [_step(step) for step in policy.ladder]),
        *(line for period in policy.periods for line in _period(period)),
        "\n[agreement]",
        f"version = {policy.agreement.version}",
        *_array("baselines", [_text(baseline) for baseline in policy.agreement.baselines]),
    ]
    return "\n".join(lines) + "\n"


def _array(name: str, items: list[str]) -> list[str]:
    return [f"\n{name} = [", *(f"  {item}," for item in items), "]"]


def _period(period: Period) -> list[str]:
    lines = ["\n[[periods]]", f"name = {_text(period.name)}", f"amount = {period.amount}"]
    lines.append(f"unit = {_text(period.unit.name.lower())}")
    if period.provenance is not Provenance.ADMINISTRATIVE:
        lines += [f"provenance = {_text(period.provenance.name.lower())}", f"article = {_text(period.article)}"]
    return lines


def _step(step: LadderStep) -> str:
    return f"{{ kind = {_text(step.kind.name.lower())}, longest_days = {step.longest_days} }}"


def _successor(each: CategorySuccessor) -> str:
    return f"{{ code = {_text(each.code)}, successor = {_text(each.successor)} }}"


def _route(route: Route) -> str:
    return f"{{ provider = {_text(route.provider)}, jurisdiction = {_text(route.jurisdiction)} }}"


def _term(term: Term) -> str:
    return f"{{ code = {_text(term.code)}, title_zh = {_text(term.title_zh)}, title_en = {_text(term.title_en)} }}"


def _text(value: str) -> str:
    # JSON's strings are TOML's, but for the one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", _DELETE)


def _time(time: datetime.datetime) -> str:
    return time.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


_DELETE: Final = "\\u007f"
