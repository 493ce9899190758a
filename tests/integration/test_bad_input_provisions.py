"""Bad input to labels and measures, one by one: each a plain error with field, rule and mend, at every node that judges.

A provider answers its backend over its local API; the province answers the same statement, sent by a provider that does
not judge, with a signed rejection. Both give the same reason for the same field, and neither repeats anything of a
person.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from shared.channel import local_channel
from shared.client.provider import ProviderClient
from shared.clock import micros
from shared.cluster.made_up import organisation
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.pb.filingnet.network.v1 import label_pb2
from shared.pb.filingnet.provider.v1 import (
    label_service_pb2,
    label_service_pb2_grpc,
    measure_service_pb2,
    measure_service_pb2_grpc,
)
from shared.provisions.policy import initial_policy, period_end_micros
from shared.provisions.subjects import SubjectKind
from tests.integration.case_samples import (
    made_up_appeal,
    made_up_measure,
)
from tests.integration.filing_samples import (
    NOW,
    made_up_entry,
    made_up_filing,
    put,
)
from tests.integration.label_samples import body_entry, made_up_grant
from tests.integration.provider_samples import joined_folder, made_up_network, serving
from tests.integration.told_status import WORDS, Told, rejected, told
from tests.unit.trust_samples import SetClock

PUBLISHER, OTHER_PUBLISHER = "33120240001", "33120240009"
START, END = datetime(2024, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
UNIT = organisation(1, "样例报社", SubjectKind.PUBLIC_INSTITUTION, "330000")


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
            put(request, name, value)
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
            put(request, name, value)
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


def test_every_time_of_the_samples_is_set() -> None:
    """A time that was left out would be 1970 and be refused for that alone: no sample has one."""
    grant = made_up_grant(new_account_id())
    unset = [
        name.name
        for name in grant.DESCRIPTOR.fields
        if name.message_type is Timestamp.DESCRIPTOR and not grant.HasField(name.name)
    ]
    assert [] == unset
