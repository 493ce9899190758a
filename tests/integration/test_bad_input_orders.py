"""Bad input about orders and cases: directives and answers out of their order, and two officers who decide at once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from regulator_node.prepared_batches import prepare
from shared.errors import FilingnetError
from shared.evidence.batches import sign_batch
from shared.evidence.hashing import ProofError
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import escalation_pb2 as pb
from shared.pb.filingnet.regulator.v1 import (
    escalation_service_pb2,
    escalation_service_pb2_grpc,
    public_service_pb2,
    public_service_pb2_grpc,
)
from shared.provisions.directives import EscalationOutcome, OrderAnswer
from tests.integration.case_samples import (
    Provinces,
    made_up_answer,
    made_up_measure,
    made_up_report,
)
from tests.integration.filing_samples import (
    JURISDICTION,
    PROVIDER,
    REGULATOR,
    as_request,
)
from tests.integration.label_samples import body_entry
from tests.integration.made_register import MadeRegister
from tests.integration.oversight_samples import GRAVE, SUSPEND, Supervised, entry_id_of
from tests.integration.regulators import Running
from tests.integration.told_status import WORDS, Told, answered, rejected, told, told_of


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


async def test_answers_to_a_directive_repeated_out_of_order_or_of_another_provider(both: Provinces) -> None:
    """The province takes an answer in its turn, once, from the provider that the directive is for; else it says why not."""
    province = both
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


async def complained(nation: Running) -> str:
    """Has the public complain about an account on file; returns the case."""
    made = MadeRegister(nation.parts.database, random.Random(7), sizes={"100000": 1000})
    (fact,) = await made.file("100000", [made.new_account(provider=PROVIDER)])
    async with nation.calling(public_service_pb2_grpc.PublicServiceStub) as public:
        await public.SubmitComplaint(
            public_service_pb2.SubmitComplaintRequest(
                request_id=new_account_id(), account_id=fact.account_id, baseline=7, statement=WORDS
            )
        )
    async with nation.calling(escalation_service_pb2_grpc.EscalationServiceStub) as officer:
        (case,) = (await officer.ListCases(escalation_service_pb2.ListCasesRequest())).cases
    return str(case.case_id)


async def test_two_officers_deciding_at_once(nation: Running) -> None:
    """Of two officers one decides and the other is told to look again; so is who decides on what he saw before a change."""
    case_id = await complained(nation)
    async with nation.calling(escalation_service_pb2_grpc.EscalationServiceStub) as officer:
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
