"""Bad input to the provisions' parts, one by one: each a plain error with field, rule and mend, at every node that judges.

A provider answers its backend over its local API; the province answers the same statement, sent by a provider that does
not judge, with a signed rejection. Both give the same reason for the same field, and neither repeats anything of a
person.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from regulator_node.prepared_batches import prepare
from shared.channel import local_channel
from shared.client.provider import ProviderClient
from shared.clock import micros
from shared.cluster.made_up import organisation
from shared.errors import FilingnetError
from shared.evidence.batches import sign_batch
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import new_account_id
from shared.mapping.policy import policy_to_wire
from shared.pb.filingnet.network.v1 import directory_pb2, label_pb2
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.pb.filingnet.provider.v1 import (
    label_service_pb2,
    label_service_pb2_grpc,
    measure_service_pb2,
    measure_service_pb2_grpc,
)
from shared.pb.filingnet.regulator.v1 import (
    escalation_service_pb2,
    escalation_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
    public_service_pb2,
    public_service_pb2_grpc,
)
from shared.provisions.directives import EscalationOutcome, OrderAnswer
from shared.provisions.policy import CalendarOverride, PeriodUnit, Policy, Provenance, initial_policy, period_end_micros
from shared.provisions.subjects import SubjectKind
from tests.integration.case_samples import (
    Provinces,
    made_up_answer,
    made_up_appeal,
    made_up_measure,
    made_up_report,
    provinces,
)
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    REGULATOR,
    as_request,
    made_up_entry,
    made_up_filing,
)
from tests.integration.label_samples import body_entry, made_up_grant
from tests.integration.made_register import MadeRegister
from tests.integration.oversight_samples import GRAVE, SUSPEND, Supervised, entry_id_of, supervised
from tests.integration.provider_samples import joined_folder, made_up_network, serving
from tests.integration.regulators import Running, provider_of
from tests.integration.told_status import Told, answered, rejected, told, told_of
from tests.unit.trust_samples import SetClock

PUBLISHER, OTHER_PUBLISHER = "33120240001", "33120240009"
START, END = datetime(2024, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
UNIT = organisation(1, "样例报社", SubjectKind.PUBLIC_INSTITUTION, "330000")
WORDS = "申诉之言十三亿"


@dataclass
class BothEnds:
    """A provider that serves its local API, and a province that takes in whatever it is sent; one clock for both.

    Attributes:
        account: of a news unit, filed at both.
        hidden: what no answer may hold.
    """

    network: Any
    clock: SetClock
    labels: Any
    measures: Any
    account: str
    hidden: tuple[str, ...]
    sequence: int = 1

    async def at_provider(self, call: Any) -> Told:
        """What the backend is told."""
        return await told(call, *self.hidden)

    async def at_province(self, field: str, body: Message) -> Told:
        """What the province answers to a statement that its provider did not judge."""
        return rejected(await self.send(field, body), self.network.register.ring.lookup, *self.hidden)

    async def send(self, field: str, body: Message, **changes: Any) -> Any:
        """Sends the province a statement."""
        self.sequence += 1
        self.network.register.now = self.clock.now
        return await self.network.register.submit(body_entry(field, body, self.clock.now, self.sequence, **changes))

    async def accepted(self, field: str, body: Message) -> None:
        """Has the province take a statement in."""
        response = await self.send(field, body)
        assert not response.results[0].HasField("rejection"), response.results[0]

    async def grant(self, **changes: Any) -> Any:
        """Grants the account a label at the provider."""
        values = {"licence_number": PUBLISHER, "licence_start_time": START, "licence_end_time": END, **changes}
        request = label_service_pb2.GrantLabelRequest(
            request_id=new_account_id(), account_id=self.account, basis=label_pb2.LABEL_BASIS_NEWS_UNIT
        )
        for name, value in values.items():
            _put(request, name, value)
        return await self.labels.GrantLabel(request)

    async def take(self, kind: int = pb.MEASURE_KIND_WARN, **changes: Any) -> measure_service_pb2.Measure:
        """Takes a measure at the provider, for a week unless it closes."""
        request = measure_service_pb2.ApplyMeasureRequest(
            request_id=new_account_id(),
            account_id=self.account,
            kind=kind,  # type: ignore[arg-type]
            baseline=7,
            reason="false_information",
            gravity=pb.GRAVITY_GRAVE,
        )
        if kind != pb.MEASURE_KIND_CLOSE:
            request.end_time.FromDatetime(self.clock.now + 7 * DAY)
        for name, value in changes.items():
            _put(request, name, value)
        taken: measure_service_pb2.Measure = (await self.measures.ApplyMeasure(request)).measure
        return taken

    def measure(self, **changes: Any) -> pb.Escalation:
        """The same measure as the provider reports it, with changes."""
        made = made_up_measure(self.account)
        made.measure.gravity = pb.GRAVITY_GRAVE
        made.measure.start_time.FromDatetime(self.clock.now)
        made.measure.end_time.FromDatetime(self.clock.now + 7 * DAY)
        for name, value in changes.items():
            made.measure.ClearField("end_time") if value is None else setattr(made.measure, name, value)
        return made


@pytest.fixture
async def ends(tmp_path: Path) -> AsyncIterator[BothEnds]:
    """A provider and its province, with one account on file at both."""
    clock = SetClock(NOW)
    async with made_up_network(tmp_path) as network:
        settings = await joined_folder(tmp_path / "wave", network)
        async with serving(settings, clock), local_channel(settings.local_api) as channel:
            async with ProviderClient(settings.local_api) as backend:
                subject = await backend.register_organisation(
                    UNIT,
                    kind=SubjectKind.PUBLIC_INSTITUTION,
                    nickname="样例",
                    agreement=(await backend.agreement()).signed_at(NOW),
                )
                opened = await backend.open_account(subject.reference, display_name="样例报", category="other")
                account = (await backend.review_account(opened.account_id, passed=True)).account_id
            await network.register.submit(made_up_entry(made_up_filing(account)))
            yield BothEnds(
                network,
                clock,
                label_service_pb2_grpc.LabelServiceStub(channel),  # type: ignore[no-untyped-call]
                measure_service_pb2_grpc.MeasureServiceStub(channel),  # type: ignore[no-untyped-call]
                account,
                (UNIT.operator.real_name, UNIT.operator.id_number, UNIT.operator.phone, WORDS),
            )


def _put(message: Message, name: str, value: Any) -> None:
    if isinstance(value, datetime):
        getattr(message, name).FromDatetime(value)
    else:
        setattr(message, name, value)


def both(code: str, reason: str, *fields: tuple[str, str]) -> tuple[Told, Told]:
    """What backend and provider are told where both ends judge by one rule."""
    return Told(code, reason, fields), Told("ENTRY_OUTCOME_REJECTED", reason, fields)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param("19120240001", "LICENCE_NUMBER_WRONG", id="jurisdiction"),
        pytest.param("33120990001", "LICENCE_YEAR_WRONG", id="year after its start"),
        pytest.param("33320240001", "LICENCE_CLASS_WRONG", id="class of a platform"),
    ],
)
async def test_a_licence_number_with_an_impossible_jurisdiction_class_or_year(
    ends: BothEnds, number: str, reason: str
) -> None:
    """No label stands on a number that nobody can have been given, or on one that gives no label."""
    expected = both("INVALID_ARGUMENT", reason, ("label_grant.licence_number", reason))
    found = await ends.at_provider(ends.grant(licence_number=number))
    grant = made_up_grant(ends.account, licence_number=number)
    assert expected == (found, await ends.at_province("label_grant", grant))


@pytest.mark.parametrize("number", ["33420240001", "33119990001", "33020240001", "93120240001"])
async def test_a_licence_number_that_breaks_its_grammar(ends: BothEnds, number: str) -> None:
    """A class or a century that the grammar does not know is refused for the same field at both ends."""
    found = await ends.at_provider(ends.grant(licence_number=number))
    assert (
        both("INVALID_ARGUMENT", "LICENCE_NUMBER_WRONG", ("label_grant.licence_number", "LICENCE_NUMBER_WRONG"))[0]
        == found
    )
    refused = await ends.at_province("label_grant", made_up_grant(ends.account, licence_number=number))
    assert ("FIELD_VIOLATIONS", {"label_grant.licence_number"}) == (
        refused.reason,
        {each[0] for each in refused.fields},
    )


@pytest.mark.parametrize(
    ("changes", "code", "field", "reason"),
    [
        pytest.param(
            {"start_time": NOW + DAY, "end_time": NOW + DAY},
            "INVALID_ARGUMENT",
            "end_time",
            "END_BEFORE_START",
            id="end before they start",
        ),
        pytest.param(
            {"start_time": NOW, "end_time": END + MOMENT},
            "INVALID_ARGUMENT",
            "end_time",
            "OUTLIVES_LICENCE",
            id="outlive their licence",
        ),
        pytest.param(
            {"start_time": START - MOMENT, "end_time": END},
            "INVALID_ARGUMENT",
            "start_time",
            "BEFORE_LICENCE",
            id="begin before their licence",
        ),
    ],
)
async def test_grants_that_end_before_they_start_or_outlive_their_licence(
    ends: BothEnds, changes: dict[str, Any], code: str, field: str, reason: str
) -> None:
    """Dates that a licence does not cover, or that are none, give no label."""
    expected = both(code, reason, (f"label_grant.{field}", reason))
    found = await ends.at_provider(ends.grant(**changes))
    assert expected == (found, await ends.at_province("label_grant", made_up_grant(ends.account, **changes)))


async def test_grants_that_overlap(ends: BothEnds) -> None:
    """An account has one label at a time; the moment at which one ends the next may begin."""
    until = NOW + 10 * DAY
    await ends.grant(end_time=until)
    await ends.accepted("label_grant", made_up_grant(ends.account, end_time=until))
    expected = both("FAILED_PRECONDITION", "GRANTS_OVERLAP", ("label_grant.start_time", "GRANTS_OVERLAP"))
    late: dict[str, Any] = {"licence_number": OTHER_PUBLISHER, "start_time": until - MOMENT}
    found = await ends.at_provider(ends.grant(**late))
    assert expected == (found, await ends.at_province("label_grant", made_up_grant(ends.account, **late)))
    await ends.grant(start_time=until)
    await ends.accepted("label_grant", made_up_grant(ends.account, start_time=until))


async def test_a_measure_on_a_closed_account(ends: BothEnds) -> None:
    """Closing is the last measure: no other follows while it holds."""
    await ends.take(pb.MEASURE_KIND_CLOSE)
    await ends.accepted("escalation", ends.measure(kind=pb.MEASURE_KIND_CLOSE, end_time=None))
    ends.clock.now += timedelta(minutes=1)
    expected = both("FAILED_PRECONDITION", "ACCOUNT_CLOSED", ("escalation.account_id", "ACCOUNT_CLOSED"))
    assert expected == (await ends.at_provider(ends.take()), await ends.at_province("escalation", ends.measure()))


async def test_an_appeal_after_its_time(ends: BothEnds) -> None:
    """The owner's time ends at the same moment at both ends: the moment before is in time, that moment is too late."""
    taken, stated = [await ends.take() for _ in range(2)], [ends.measure() for _ in range(2)]
    for each in stated:
        await ends.accepted("escalation", each)
    last = period_end_micros(initial_policy(), "appeal_after_measure", micros(NOW))

    def appeal(measure: measure_service_pb2.Measure) -> Any:
        request = measure_service_pb2.SubmitAppealRequest(measure_id=measure.measure_id, statement=WORDS)
        return ends.measures.SubmitAppeal(request)

    def decided(measure: pb.Escalation) -> pb.Escalation:
        made = made_up_appeal(measure, str(uuid.uuid4()), 1, pb.APPEAL_STAGE_PROVIDER_UPHELD)
        made.appeal.appealed_time.FromDatetime(ends.clock.now)
        return made

    ends.clock.now = NOW + timedelta(microseconds=last - micros(NOW)) - MOMENT
    await appeal(taken[0])
    await ends.accepted("escalation", decided(stated[0]))
    ends.clock.now += MOMENT
    late = Told("FAILED_PRECONDITION", "APPEAL_TOO_LATE", (("appealed_time", "APPEAL_TOO_LATE"),))
    assert late == await ends.at_provider(appeal(taken[1]))
    refused = await ends.at_province("escalation", decided(stated[1]))
    field = "escalation.appeal.appealed_time"
    assert ("APPEAL_TOO_LATE", ((field, "APPEAL_TOO_LATE"),)) == (refused.reason, refused.fields)
    again = Told("FAILED_PRECONDITION", "APPEAL_REPEATED", (("measure_id", "APPEAL_REPEATED"),))
    ends.clock.now -= MOMENT
    assert again == await ends.at_provider(appeal(taken[0]))


@pytest.fixture
async def made(tmp_path: Path, database_url: str) -> AsyncIterator[Supervised]:
    """A provider whose use cases are at hand, for what comes down to it; on both engines."""
    async with supervised(tmp_path, database_url) as opened:
        yield opened


async def ordered(made: Supervised) -> tuple[str, Any]:
    """A report that was handed over, and the province's directive on it."""
    report, _, _ = await made.report()
    await made.oversight.reports.hand_over(report.report.report_id, "desk-3", "")
    return report.report.report_id, await made.order(report.report.report_id)


async def state_of(made: Supervised) -> tuple[int, list[str]]:
    """How many decisions are stored, and what the regulator was told."""
    return await made.provider.count("escalation_decision"), await made.told()


async def test_a_directive_repeated_or_out_of_order(made: Supervised) -> None:
    """A directive counts once, however often and in whatever order it comes, and is answered once; more is refused."""
    report, first = await ordered(made)
    second = await made.decide(report, EscalationOutcome.DISMISSED, reason="other")
    for page in ((second,), (first,), (first, second), (second,)):
        await made.receive(*page)
    assert (2, ["report handed_over 1", "order_answered acknowledged 2"]) == await state_of(made)
    order = entry_id_of(first)
    await made.take(SUSPEND, GRAVE, order_entry_id=order, end_time=None)
    answer = made.oversight.orders.answer
    await answer(order, OrderAnswer.DONE, "")
    for repeated in (OrderAnswer.DONE, OrderAnswer.IMPOSSIBLE):
        with pytest.raises(FilingnetError) as refused:
            await answer(order, repeated, "other" if repeated is OrderAnswer.IMPOSSIBLE else "")
        field = "escalation.order_answered.answer"
        expected = Told("FAILED_PRECONDITION", "ORDER_ANSWERED", ((field, "ORDER_ANSWERED"),))
        assert expected == told_of(refused.value)
    with pytest.raises(FilingnetError) as twice:
        await made.take(SUSPEND, GRAVE, order_entry_id=order, end_time=None)
    assert "ORDER_REPEATED" == told_of(twice.value).reason


async def test_a_directive_for_another_provider(made: Supervised) -> None:
    """A provider believes no directive that is another's, says so, and stores nothing of the page that it came with."""
    report, own = await ordered(made)
    foreign = await made.decide(report, provider="provider/harbour")
    with pytest.raises(ProofError, match="another provider"):
        await made.receive(own, foreign)
    assert (0, ["report handed_over 1"]) == await state_of(made)
    await made.receive(own)
    assert (1, ["report handed_over 1", "order_answered acknowledged 2"]) == await state_of(made)


@pytest.fixture
async def provinces_of(database_url: str, tmp_path: Path) -> AsyncIterator[Provinces]:
    """A province with its desk, on both engines."""
    async with provinces(database_url, tmp_path) as opened:
        yield opened


async def refused_at(province: Provinces, escalation: pb.Escalation, origin: str = PROVIDER) -> Told:
    """What a province answers to a statement of a provider, which its provider did not judge."""
    province.sequence += 1
    register, key = province.register, SigningKey.generate()
    ring = KeyRing({origin: [key.verifying_key], REGULATOR: [register.key.verifying_key]})
    raw = body_entry("escalation", escalation, register.now, province.sequence, origin=origin)
    request = as_request(sign_batch([raw], origin, JURISDICTION, key), [raw])
    prepared = prepare(request, origin=origin, jurisdiction=JURISDICTION, key_lookup=ring.lookup)
    context = register.context()
    response = await register.database.write(lambda transaction: register.intake.store(transaction, prepared, context))
    return rejected(response, ring.lookup, WORDS)


async def test_answers_to_a_directive_repeated_out_of_order_or_of_another_provider(provinces_of: Provinces) -> None:
    """The province takes an answer in its turn, once, from the provider that the directive is for; else it says why not."""
    province = provinces_of
    report = made_up_report(await province.file())
    await province.tell(report)
    case = await province.case_of(report)
    warning = {"ordered_measure": pb.MEASURE_KIND_WARN, "gravity": pb.GRAVITY_ORDINARY, "days": 30}
    await province.decide(case, pb.ESCALATION_OUTCOME_VERIFIED, "false_information", **warning)
    (directive,) = await province.directives()

    def answer(revision: int, kind: int = pb.ORDER_ANSWER_ACKNOWLEDGED) -> pb.Escalation:
        return made_up_answer(case, revision, directive.entry_id, kind, province.register.now)

    place = "escalation.order_answered."
    early = await refused_at(province, answer(3))
    assert ("REVISION_OUT_OF_ORDER", (("escalation.revision", "REVISION_OUT_OF_ORDER"),)) == (
        early.reason,
        early.fields,
    )
    undone = await refused_at(province, answer(2, pb.ORDER_ANSWER_DONE))
    assert ("ORDER_NOT_CARRIED_OUT", ((f"{place}answer", "ORDER_NOT_CARRIED_OUT"),)) == (undone.reason, undone.fields)
    foreign = await refused_at(province, answer(1), "provider/harbour")
    assert (f"{place}order_entry_id", "ORDER_UNKNOWN") in foreign.fields
    await province.tell(answer(2))
    repeated = await refused_at(province, answer(3))
    assert ("ORDER_ANSWERED", ((f"{place}answer", "ORDER_ANSWERED"),)) == (repeated.reason, repeated.fields)
    await province.tell(made_up_measure(report.account_id, directive.entry_id))
    again = await refused_at(province, made_up_measure(report.account_id, directive.entry_id))
    assert ("ORDER_REPEATED", (("escalation.measure.order_entry_id", "ORDER_REPEATED"),)) == (
        again.reason,
        again.fields,
    )


@asynccontextmanager
async def stub_of(nation: Running, kind: Any) -> AsyncIterator[Any]:
    """A stub over the nation's own socket."""
    async with local_channel(nation.settings.operator_socket) as channel:
        yield kind(channel)


async def complained(nation: Running) -> str:
    """Has the public complain about an account on file; returns the case."""
    made = MadeRegister(nation.parts.database, random.Random(7), sizes={"100000": 1000})
    (fact,) = await made.file("100000", [made.new_account(provider=PROVIDER)])
    async with stub_of(nation, public_service_pb2_grpc.PublicServiceStub) as public:
        await public.SubmitComplaint(
            public_service_pb2.SubmitComplaintRequest(
                request_id=new_account_id(), account_id=fact.account_id, baseline=7, statement=WORDS
            )
        )
    async with stub_of(nation, escalation_service_pb2_grpc.EscalationServiceStub) as officer:
        (case,) = (await officer.ListCases(escalation_service_pb2.ListCasesRequest())).cases
    return str(case.case_id)


async def test_two_officers_deciding_at_once(nation: Running) -> None:
    """Of two officers one decides and the other is told to look again; so is who decides on what he saw before a change."""
    case_id = await complained(nation)
    async with stub_of(nation, escalation_service_pb2_grpc.EscalationServiceStub) as officer:
        read = escalation_service_pb2.ListCasesRequest()
        etag = (await officer.ListCases(read)).cases[0].etag

        def decide(reason: str, seen: str) -> Any:
            return officer.DecideCase(
                escalation_service_pb2.DecideCaseRequest(
                    request_id=new_account_id(),
                    case_id=case_id,
                    outcome=pb.ESCALATION_OUTCOME_DISMISSED,
                    reason=reason,
                    etag=seen,
                )
            )

        await officer.AssignCase(
            escalation_service_pb2.AssignCaseRequest(case_id=case_id, assignee="review-desk-2", etag=etag)
        )
        stale = await told(decide("no_violation", etag), WORDS)
        assert ("ABORTED", "CASE_CHANGED") == (stale.code, stale.reason)
        etag = (await officer.ListCases(read)).cases[0].etag
        answers = await asyncio.gather(
            *(answered(decide(reason, etag), WORDS) for reason in ("no_violation", "not_verified"))
        )
    refused = [each for each in answers if isinstance(each, Told)]
    assert 1 == len(refused)
    assert ("ABORTED", True) == (refused[0].code, refused[0].reason in ("CASE_CHANGED", "CASE_DECIDED"))


async def test_two_desks_of_a_provider_at_once(ends: BothEnds) -> None:
    """The same holds at the provider: who lifts or narrows what somebody changed is told to read it again."""
    measure, label = await ends.take(), (await ends.grant()).label
    lift = measure_service_pb2.LiftMeasureRequest(measure_id=measure.measure_id, etag=measure.etag)
    await ends.measures.LiftMeasure(lift)
    assert "ABORTED" == (await ends.at_provider(ends.measures.LiftMeasure(lift))).code
    narrow = label_service_pb2.NarrowLabelRequest(
        grant_id=label.grant_id, scope=label_pb2.LABEL_SCOPE_REPRINT, etag=label.etag
    )
    await ends.labels.NarrowLabel(narrow)
    assert "ABORTED" == (await ends.at_provider(ends.labels.NarrowLabel(narrow))).code


def next_policy(**changes: Any) -> Policy:
    """The second policy, from far in the future on, with changes."""
    begins = datetime(2099, 1, 1, tzinfo=UTC)
    return replace(initial_policy(), **{"version": 2, "effective_time": begins, **changes})


def period(**changes: Any) -> Any:
    """The periods with the first one changed."""
    first, *others = initial_policy().periods
    return (replace(first, **changes), *others)


DOUBLE_DAY = (CalendarOverride(date(2027, 1, 1), True), CalendarOverride(date(2027, 1, 1), False))


@pytest.mark.parametrize(
    ("policy", "reason", "field", "rule"),
    [
        pytest.param(next_policy(version=3), "POLICY_SUCCESSION", "version", "VERSION_OUT_OF_ORDER", id="gap"),
        pytest.param(next_policy(version=1), "POLICY_SUCCESSION", "version", "VERSION_OUT_OF_ORDER", id="repeated"),
        pytest.param(
            next_policy(effective_time=datetime(2013, 1, 1, tzinfo=UTC)),
            "POLICY_SUCCESSION",
            "effective_time",
            "EFFECTIVE_TIME_WRONG",
            id="clash with the one before",
        ),
        pytest.param(
            next_policy(effective_time=datetime(2020, 1, 1, tzinfo=UTC)),
            "POLICY_SUCCESSION",
            "effective_time",
            "EFFECTIVE_TIME_PASSED",
            id="in the past",
        ),
        pytest.param(
            next_policy(earliest_time=datetime(2100, 1, 1, tzinfo=UTC)),
            "POLICY_SUCCESSION",
            "earliest_time",
            "EARLIEST_TIME_WRONG",
            id="filings from before it begins",
        ),
        pytest.param(
            next_policy(calendar_overrides=DOUBLE_DAY),
            "POLICY_SUCCESSION",
            "calendar_overrides[1]",
            "REPEATED",
            id="a day that works and rests",
        ),
        pytest.param(
            next_policy(periods=initial_policy().periods[1:]),
            "POLICY_SUCCESSION",
            "periods",
            "PERIOD_MISSING",
            id="period missing",
        ),
        pytest.param(
            next_policy(periods=period(amount=0)),
            "FIELD_VIOLATIONS",
            "policy.periods[0].amount",
            "int32.gte_lte",
            id="period without a number",
        ),
        pytest.param(
            next_policy(periods=period(unit=PeriodUnit.UNSPECIFIED)),
            "FIELD_VIOLATIONS",
            "policy.periods[0].unit",
            "enum.not_in",
            id="period without a unit",
        ),
        pytest.param(
            next_policy(periods=period(provenance=Provenance.STATUTORY)),
            "FIELD_VIOLATIONS",
            "policy.periods[0]",
            "period.article",
            id="statutory without its article",
        ),
    ],
)
async def test_a_policy_with_a_gap_or_a_clash_in_its_dates(
    nation: Running, policy: Policy, reason: str, field: str, rule: str
) -> None:
    """It is refused when it is validated and when it is published, and the preview of it says the same; none is followed."""
    wire = policy_to_wire(policy)
    async with stub_of(nation, network_service_pb2_grpc.NetworkServiceStub) as officer:
        for validate_only in (True, False):
            request = network_service_pb2.PublishPolicyRequest(policy=wire, validate_only=validate_only)
            found = await told(officer.PublishPolicy(request))
            assert ("INVALID_ARGUMENT", reason) == (found.code, found.reason)
            assert (field, rule) in found.fields
        preview = officer.PreviewPolicy(network_service_pb2.PreviewPolicyRequest(policy=wire))
        if reason == "FIELD_VIOLATIONS":
            assert (field, rule) in (await told(preview)).fields
        else:
            shown = (await preview).violations
            assert found.fields == tuple((each.field, each.rule) for each in shown)
    assert 1 == nation.view.versions[1]


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"number": "19320240001"}, "licence.number", "LICENCE_NUMBER_WRONG"),
        ({"number": "33320260001"}, "licence.number", "LICENCE_YEAR_WRONG"),
        ({"end_time": datetime(2024, 1, 1, tzinfo=UTC)}, "licence.end_time", "LICENCE_DATES_WRONG"),
        ({"number": "33420240001"}, "licence.number", "string.pattern"),
    ],
)
async def test_art_4_an_impossible_licence_of_a_provider_is_not_entered(
    nation: Running, tmp_path: Path, changes: dict[str, Any], field: str, rule: str
) -> None:
    """The nation enters no licence of a provider that cannot be one, neither when it joins nor later."""
    licence = directory_pb2.Licence(number="33320240001", state=directory_pb2.LICENCE_STATE_VALID)
    for name, value in {"start_time": datetime(2024, 1, 1, tzinfo=UTC), "end_time": END, **changes}.items():
        _put(licence, name, value)
    await provider_of(nation, tmp_path / "wave")
    version = nation.view.versions[0]
    join = network_service_pb2.CreateEnrolmentTokenRequest(
        node_name="provider/harbour", jurisdiction="330000", title="样例", licence=licence
    )
    change = network_service_pb2.SetLicenceRequest(node_name=PROVIDER, licence=licence)
    async with stub_of(nation, network_service_pb2_grpc.NetworkServiceStub) as officer:
        for call in (officer.CreateEnrolmentToken(join), officer.SetLicence(change)):
            found = await told(call)
            assert ("INVALID_ARGUMENT", ((field, rule),)) == (found.code, found.fields)
    assert version == nation.view.versions[0]


def test_every_time_of_the_samples_is_set() -> None:
    """A time that was left out would be 1970 and be refused for that alone: no sample has one."""
    grant = made_up_grant(new_account_id())
    unset = [
        name.name
        for name in grant.DESCRIPTOR.fields
        if name.message_type is Timestamp.DESCRIPTOR and not grant.HasField(name.name)
    ]
    assert [] == unset
