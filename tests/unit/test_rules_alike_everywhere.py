"""One answer to a statement wherever and whenever it is judged: at either end of the wire, then or later, by its own policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from provider_node.escalation_wire import escalation_to_wire
from provider_node.label_wire import label_statement_to_wire
from shared.clock import from_micros, micros
from shared.mapping.duty import duty_profile_from_wire
from shared.mapping.escalation import escalation_from_wire
from shared.mapping.label import label_from_wire
from shared.pb.filingnet.network.v1 import duty_pb2
from shared.provisions.account_history import AccountHistory, Order
from shared.provisions.appeals import AppealRecord
from shared.provisions.directives import OrderAnswerRecord
from shared.provisions.duties import Duty, DutyContext, DutyProfileRecord, judge_duty_profile
from shared.provisions.escalation_judgement import EscalationRecord
from shared.provisions.filings import FilingAction, FilingContext, FilingRecord, judge_filing
from shared.provisions.labels import (
    Approval,
    Grant,
    LabelAction,
    LabelBasis,
    LabelRecord,
    LabelScope,
    grant_after,
    grant_rights,
    judge_label,
)
from shared.provisions.measures import Gravity, MeasureAction, MeasureKind, MeasureRecord
from shared.provisions.policy import TERM_LISTS, Policy
from shared.provisions.reports import ReportRecord, SettlementRecord
from shared.provisions.spans import FOREVER
from shared.provisions.statements import Matter, Thread
from tests.unit.provision_samples import LICENCE, NOW
from tests.unit.provision_samples import context as filing_context
from tests.unit.provision_samples import record as filing
from tests.unit.rule_samples import (
    ACCOUNT,
    APPEAL,
    APPROVAL,
    AT,
    CREATED,
    DAY,
    GRANT,
    LICENCE_END,
    LICENCE_START,
    MEASURE,
    MINUTE,
    ORDER,
    OTHER_ACCOUNT,
    OTHER_GRANT,
    OTHER_MEASURE,
    PLATFORM,
    POLICIES,
    POLICY,
    PUBLISHER,
    REPORT,
    REPRINTER,
    STANDING,
    grant,
    history,
    judged,
    label,
    label_context,
    measure,
    reason_of,
    taken,
)

IDS = st.sampled_from([MEASURE, OTHER_MEASURE, APPEAL, REPORT])
ACCOUNTS = st.sampled_from([ACCOUNT, OTHER_ACCOUNT])
REVISIONS = st.integers(1, 3)
TIMES = st.sampled_from([AT - 20 * DAY, AT - 3 * DAY, CREATED - 1, CREATED, AT, AT + DAY])
ENDS = st.sampled_from([0, AT - DAY, CREATED, AT + DAY, AT + 40 * DAY, AT + 400 * DAY])
DIGESTS = st.sampled_from([b"", bytes(32)])
REASONS = st.sampled_from(["", "false_information", "legal_obstacle", "owner_request", "nonsense"])
HEAD = {
    "escalation_id": IDS,
    "account_id": ACCOUNTS,
    "revision": REVISIONS,
    "created_time": st.sampled_from([CREATED, AT, AT + DAY]),
}

ESCALATIONS: st.SearchStrategy[EscalationRecord] = st.one_of(
    st.builds(
        ReportRecord,
        **HEAD,
        tracking_digest=st.just(bytes(32)),
        baseline=st.integers(1, 7),
        item_url=st.sampled_from(["", "https://wave.example/7"]),
        item_digest=DIGESTS,
        received_time=TIMES,
        due_time=TIMES,
        reports=st.integers(1, 3),
        cause=st.integers(1, 3),
    ),
    st.builds(
        SettlementRecord, **HEAD, settled_time=TIMES, outcome=st.sampled_from(["item_removed", "no_violation", "sold"])
    ),
    st.builds(
        MeasureRecord,
        **HEAD,
        action=st.sampled_from(list(MeasureAction)),
        kind=st.sampled_from(list(MeasureKind)),
        baseline=st.integers(0, 8),
        reason=REASONS,
        gravity=st.sampled_from(list(Gravity)),
        start_time=TIMES,
        end_time=ENDS,
        order_entry_id=st.sampled_from(["", ORDER]),
    ),
    st.builds(
        AppealRecord,
        **HEAD,
        measure_id=st.sampled_from([MEASURE, OTHER_MEASURE]),
        stage=st.integers(1, 3),
        appealed_time=TIMES,
        statement_digest=DIGESTS,
        undecided_since_time=st.sampled_from([0, AT - 20 * DAY, CREATED]),
    ),
    st.builds(
        OrderAnswerRecord,
        **HEAD,
        order_entry_id=st.sampled_from([ORDER, APPROVAL]),
        answer=st.integers(1, 3),
        reason=REASONS,
        answered_time=TIMES,
    ),
)
HISTORIES = st.sampled_from(
    [
        history(),
        history(measure()),
        history(measure(MeasureKind.CLOSE, start_time=AT - 10 * DAY)),
        history(measure(start_time=AT - 30 * DAY), orders=(Order(ORDER, REPORT, MeasureKind.WARN, 7, 1, 30),)),
        history(measure(MeasureKind.SUSPEND_UPDATES, order_entry_id=ORDER), orders=(Order(ORDER, REPORT),)),
        AccountHistory(filed=False),
        AccountHistory(withdrawn=True),
    ]
)
THREADS = st.sampled_from(
    [None, *(Thread(matter, ACCOUNT, 1) for matter in Matter if matter), Thread(Matter.REPORT, OTHER_ACCOUNT, 2)]
)
LABELS = st.builds(
    LabelRecord,
    grant_id=st.sampled_from([GRANT, OTHER_GRANT]),
    account_id=ACCOUNTS,
    revision=REVISIONS,
    action=st.sampled_from([action for action in LabelAction if action]),
    basis=st.sampled_from([basis for basis in LabelBasis if basis]),
    licence_number=st.sampled_from([PUBLISHER, REPRINTER, PLATFORM, "33120990001", ""]),
    licence_start_time=st.sampled_from([0, LICENCE_START]),
    licence_end_time=st.sampled_from([0, LICENCE_END]),
    scope=st.sampled_from([scope for scope in LabelScope if scope]),
    start_time=TIMES,
    end_time=st.sampled_from([AT - DAY, AT + DAY, AT + 100 * DAY, LICENCE_END, LICENCE_END + 1]),
    reason=st.sampled_from(["", "owner_request", "nonsense"]),
    approval_entry_id=st.sampled_from(["", APPROVAL]),
    created_time=st.sampled_from([CREATED, AT, AT + DAY]),
)
PROFILES = st.builds(
    DutyProfileRecord,
    revision=REVISIONS,
    duties=st.lists(
        st.builds(
            Duty,
            code=st.sampled_from([*(term.code for term in POLICY.duties), "good_will"]),
            in_force_time=st.sampled_from([CREATED, CREATED + 2 * DAY]),
        ),
        max_size=3,
    ).map(tuple),
    staff=st.integers(0, 9),
    users=st.integers(0, 9),
    counted_time=TIMES,
    created_time=st.sampled_from([CREATED, AT]),
)
FILINGS = st.builds(
    filing,
    category=st.sampled_from(["lifestyle", "sports", "nonsense"]),
    revision=REVISIONS,
    action=st.sampled_from([FilingAction.OPEN, FilingAction.AMEND]),
    agreement_version=st.integers(1, 2),
    created_time=st.sampled_from([CREATED, AT, AT + DAY]),
)


@st.composite
def later_policies(draw: st.DrawFn) -> Policy:
    """A policy that begins after everything here was made, with lists, periods and steps drawn anew."""
    lists: dict[str, Any] = {
        name: tuple(term for term in getattr(POLICY, name) if draw(st.booleans()))
        for name in ("categories", "return_reasons", *TERM_LISTS)
    }
    amounts = [draw(st.integers(1, 9)) for _ in POLICY.periods]
    return replace(
        POLICY,
        version=2,
        effective_time=NOW + timedelta(days=2),
        periods=tuple(replace(each, amount=amount) for each, amount in zip(POLICY.periods, amounts, strict=True)),
        ladder=tuple(replace(each, longest_days=1 if each.longest_days else 0) for each in POLICY.ladder),
        earliest_time=NOW,
        provider_licence_classes=frozenset({draw(st.integers(1, 3))}),
        **lists,
    )


@settings(max_examples=400)
@given(ESCALATIONS, HISTORIES, THREADS)
def test_art_8_2_what_the_wire_carries_is_judged_alike(
    record: EscalationRecord, past: AccountHistory, thread: Thread | None
) -> None:
    """Reports, settlements, measures, appeals and answers: the regulator reads off the wire what the provider judged."""
    wire = escalation_to_wire(record)
    arrived = escalation_from_wire(type(wire).FromString(wire.SerializeToString()), record.created_time)
    assert record == arrived
    assert judged(record, past, thread) == judged(arrived, past, thread)


@settings(max_examples=300)
@given(LABELS, st.sampled_from([None, label(), label(action=LabelAction.ASK)]), st.booleans())
def test_art_7_2_labels_off_the_wire_are_judged_alike(
    record: LabelRecord, previous: LabelRecord | None, other: bool
) -> None:
    """Art. 7(2): the regulator reads the grant that the provider judged, and gives the same answer with every reason."""
    wire = label_statement_to_wire(record)
    arrived = label_from_wire(type(wire).FromString(wire.SerializeToString()), record.created_time)
    assert record == arrived
    against = label_context(previous=previous, others=(grant(grant_id=OTHER_GRANT),) if other else ())
    assert judge_label(record, against) == judge_label(arrived, against)


@given(PROFILES, st.sampled_from([None, 1, 2]))
def test_art_5_1_duty_profiles_off_the_wire_are_judged_alike(record: DutyProfileRecord, last: int | None) -> None:
    """Art. 5(1): the regulator reads the profile that the provider judged, and gives the same answer."""
    wire = duty_pb2.DutyProfile(revision=record.revision, staff=record.staff, users=record.users)
    wire.counted_time.FromMicroseconds(record.counted_time)
    for duty in record.duties:
        wire.duties.add(code=duty.code).in_force_time.FromMicroseconds(duty.in_force_time)
    arrived = duty_profile_from_wire(duty_pb2.DutyProfile.FromString(wire.SerializeToString()), record.created_time)
    assert record == arrived
    previous = None if last is None else replace(record, revision=last)
    against = DutyContext(STANDING, POLICIES, NOW, previous)
    assert judge_duty_profile(record, against) == judge_duty_profile(arrived, against)


@settings(max_examples=300)
@given(ESCALATIONS, HISTORIES, THREADS, LABELS, PROFILES, FILINGS, later_policies())
def test_every_entry_is_judged_by_the_policy_of_its_own_date(
    record: EscalationRecord,
    past: AccountHistory,
    thread: Thread | None,
    grant_record: LabelRecord,
    profile: DutyProfileRecord,
    filed: FilingRecord,
    later: Policy,
) -> None:
    """A policy that begins later changes no answer about what was made before, whatever it says and whoever holds it."""
    both = (POLICY, later)
    assert judged(record, past, thread) == judged(record, past, thread, policies=both)
    assert judge_label(grant_record, label_context()) == judge_label(grant_record, label_context(policies=both))
    contexts = [DutyContext(STANDING, policies, NOW) for policies in (POLICIES, both)]
    assert judge_duty_profile(profile, contexts[0]) == judge_duty_profile(profile, contexts[1])
    assert judge_filing(filed, filing_context()) == judge_filing(filed, filing_context(policies=both))


@settings(max_examples=200)
@given(ESCALATIONS, HISTORIES, THREADS, st.integers(0, 400), later_policies())
def test_art_8_2_a_statement_that_waits_is_judged_as_when_it_was_made(
    record: EscalationRecord, past: AccountHistory, thread: Thread | None, days: int, later: Policy
) -> None:
    """A partition of a year changes no answer: what the provider could state when it was made, the regulator takes then."""
    made = replace(record, created_time=CREATED)
    late = judged(made, past, thread, now=NOW + timedelta(days=days), policies=(POLICY, later))
    assert judged(made, past, thread) == late


GRANTS = st.lists(
    st.tuples(
        st.sampled_from([GRANT, OTHER_GRANT, APPEAL]),
        st.sampled_from([LabelAction.GRANT, LabelAction.RENEW, LabelAction.NARROW, LabelAction.REVOKE]),
        st.integers(0, 30),
        st.integers(0, 60),
        st.sampled_from([LabelScope.PUBLISH_AND_REPRINT, LabelScope.REPRINT]),
        st.integers(0, 9),
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(GRANTS, st.integers(-5, 120))
def test_art_7_2_an_account_has_one_label_at_a_time_at_both_ends(
    steps: list[tuple[str, LabelAction, int, int, LabelScope, int]], day: int
) -> None:
    """Art. 7(2): whatever is stated of an account's grants, both ends agree, and no moment has two of them."""
    now = AT
    held: list[dict[str, tuple[LabelRecord, Grant]]] = [{}, {}]
    for grant_id, action, start, length, scope, passed in steps:
        now += passed * DAY
        answers = []
        for end in held:
            previous = end[grant_id][0] if grant_id in end else None
            begins = now + start * DAY if previous is None or action is LabelAction.GRANT else previous.start_time
            record = label(
                grant_id=grant_id,
                action=action,
                revision=1 if previous is None else previous.revision + 1,
                scope=scope,
                start_time=begins,
                end_time=begins + length * DAY,
                reason="owner_request" if action is LabelAction.REVOKE else "",
                created_time=now,
            )
            others = tuple(each for name, (_, each) in end.items() if name != grant_id)
            against = label_context(now=from_micros(now + MINUTE), previous=previous, others=others)
            answers.append(judge_label(record, against))
            if answers[-1] is None:
                after = grant_after(record, end[grant_id][1] if grant_id in end else None)
                assert after is not None
                end[grant_id] = (record, after)
        assert answers[0] == answers[1]
        assert held[0] == held[1]
    moment = AT + day * DAY
    assert 1 >= sum(grant_rights(each, moment).may_reprint for _, each in held[1].values())


def test_the_samples_are_judged_and_not_refused_for_one_reason_alone() -> None:
    """The properties above compare more than refusals: of the drawn kinds, good statements pass."""
    approval = Approval(APPROVAL, GRANT, LabelScope.REPRINT, AT + 50 * DAY)
    good = [
        judged(taken(), history(), None),
        judged(SettlementRecord(REPORT, ACCOUNT, 2, CREATED, CREATED, "item_removed"), history(), THREAD),
        judge_label(label(), label_context(approval=approval)),
        judge_filing(filing(), FilingContext(LICENCE, STANDING.state, "330000", "330000", POLICIES, NOW)),
    ]
    assert [None] * 4 == [reason_of(each) for each in good]
    assert micros(NOW) < FOREVER


THREAD = Thread(Matter.REPORT, ACCOUNT, 1)
