"""Entries of every kind in one batch: each is judged by its own rule, in order, and what it brings about counts at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import peewee
import pytest
from google.protobuf.message import Message

from regulator_node.intake_contexts import BatchJudge
from regulator_node.prepared_batches import prepare
from regulator_node.register import apply_entries
from regulator_node.register_duties import read_duty_profile, read_duty_profiles
from shared.clock import micros
from shared.database import Transaction
from shared.evidence.batches import sign_batch
from shared.pb.filingnet.network.v1 import (
    directory_pb2,
    duty_pb2,
    entry_pb2,
    escalation_pb2,
    filing_pb2,
    label_pb2,
    policy_pb2,
)
from shared.provisions.duties import duties_missing, staff_per_million
from shared.provisions.filings import ProviderState
from shared.provisions.label_rights import LabelAction
from shared.provisions.measures import Gravity, MeasureAction, MeasureKind
from shared.provisions.policy import initial_policy
from tests.integration.filing_samples import (
    JURISDICTION,
    NOW,
    PROVIDER,
    as_request,
    made_up_entry,
    made_up_filing,
)
from tests.integration.label_samples import DAY, LabelOffice, body_entry, made_up_grant, made_up_request, new_id

MINUTE = timedelta(minutes=1)


def duty_profile(
    revision: int = 1, codes: Iterable[str] = ("report_handling",), **changes: Any
) -> duty_pb2.DutyProfile:
    """A duty profile with 30 staff for 2 million users, with changes."""
    values = {"staff": 30, "users": 2_000_000, **changes}
    profile = duty_pb2.DutyProfile(revision=revision, **values)
    for code in codes:
        profile.duties.add(code=code).in_force_time.FromDatetime(NOW - 100 * DAY)
    profile.counted_time.FromDatetime(NOW - DAY)
    return profile


def warning(account_id: str, measure_id: str = "", revision: int = 1, **changes: Any) -> escalation_pb2.Escalation:
    """A warning for a week, taken now on an account, with changes."""
    measure = escalation_pb2.MeasureRecord(
        action=MeasureAction.APPLY,  # type: ignore[arg-type]
        kind=MeasureKind.WARN,  # type: ignore[arg-type]
        baseline=7,
        reason="false_information",
        gravity=Gravity.ORDINARY,  # type: ignore[arg-type]
    )
    measure.start_time.FromDatetime(NOW)
    measure.end_time.FromDatetime(NOW + 7 * DAY)
    for name, value in changes.items():
        setattr(measure, name, value)
    return escalation_pb2.Escalation(
        escalation_id=measure_id or str(uuid.uuid4()), account_id=account_id, revision=revision, measure=measure
    )


async def rows(office: LabelOffice, table: str) -> int:
    """Rows in a table."""
    found = await office.register.database.read(
        lambda transaction: transaction.execute(f"SELECT COUNT(*) FROM {table}")
    )
    return int(found[0][0])


async def test_every_kind_in_one_batch(office: LabelOffice) -> None:
    """A filing, a label, a measure and a duty profile in one batch all enter the log, neighbours of one another."""
    account = new_id()
    response = await office.register.submit(
        made_up_entry(made_up_filing(account)),
        body_entry("label_grant", made_up_grant(account), sequence=2),
        body_entry("escalation", warning(account), sequence=3),
        body_entry("duty_profile", duty_profile(), sequence=4),
    )
    assert ["", "", "", ""] == office.reasons(response)
    assert [0, 1, 2, 3] == [result.log_index for result in response.results]
    assert [4, 1, 1, 1] == [await rows(office, name) for name in ("log_entry", "filing", "label", "duty_profile")]


async def test_a_later_entry_sees_what_an_earlier_one_of_its_batch_did(office: LabelOffice) -> None:
    """Within a batch order counts: what comes before its account is filed, or after it was withdrawn or closed, is refused."""
    account, grant_id, measure_id = new_id(), new_id(), new_id()
    withdrawal = made_up_filing(
        account, 2, action=filing_pb2.FILING_ACTION_WITHDRAW, withdrawal_reason=filing_pb2.WITHDRAWAL_REASON_CLOSED
    )
    lifted = warning(account, measure_id, 2, action=MeasureAction.LIFT)
    response = await office.register.submit(
        body_entry("label_grant", made_up_grant(account, grant_id)),
        body_entry("escalation", warning(account, measure_id)),
        made_up_entry(made_up_filing(account)),
        body_entry("label_grant", made_up_grant(account, grant_id)),
        body_entry("escalation", warning(account, measure_id)),
        body_entry("escalation", lifted),
        body_entry("escalation", lifted),
        made_up_entry(withdrawal),
        body_entry("label_grant", made_up_grant(account, grant_id, 2, action=LabelAction.RENEW)),
        body_entry(
            "label_grant", made_up_grant(account, grant_id, 2, action=LabelAction.REVOKE, reason="owner_request")
        ),
    )
    assert [
        "ACCOUNT_NOT_FILED",
        "ACCOUNT_NOT_FILED",
        "",
        "",
        "",
        "",
        "REVISION_OUT_OF_ORDER",
        "",
        "ACCOUNT_WITHDRAWN",
        "",
    ] == office.reasons(response)


async def test_art_8_1_a_closed_account_gets_no_label(office: LabelOffice) -> None:
    """A closing in the same batch keeps a label from being granted."""
    account = await office.file()
    closing = warning(account, kind=MeasureKind.CLOSE, gravity=Gravity.GRAVE)
    closing.measure.ClearField("end_time")
    response = await office.register.submit(
        body_entry("escalation", closing), body_entry("label_grant", made_up_grant(account))
    )
    assert ["", "ACCOUNT_CLOSED"] == office.reasons(response)


async def test_art_5_1_duty_profiles_follow_one_another(office: LabelOffice) -> None:
    """Profiles are filed and amended in order; the newest one counts and says what it lacks."""
    response = await office.register.submit(
        body_entry("duty_profile", duty_profile()),
        body_entry("duty_profile", duty_profile(3)),
        body_entry("duty_profile", duty_profile(2, ("report_handling", "account_review"), staff=40)),
        body_entry("duty_profile", duty_profile(3, ("tea_making",))),
    )
    assert ["", "REVISION_OUT_OF_ORDER", "", "DUTY_UNKNOWN"] == office.reasons(response)
    later = await office.register.submit(body_entry("duty_profile", duty_profile(2)))
    assert ["REVISION_OUT_OF_ORDER"] == office.reasons(later)
    newest = await office.register.database.read(
        lambda transaction: read_duty_profile(transaction, JURISDICTION, PROVIDER)
    )
    assert newest is not None
    assert (2, 40, 20.0) == (newest.revision, newest.staff, staff_per_million(newest))
    assert len(initial_policy().duties) - 2 == len(duties_missing(newest, initial_policy()))
    everyone = await office.register.database.read(lambda transaction: read_duty_profiles(transaction, JURISDICTION))
    assert {PROVIDER: newest} == everyone


async def test_art_8_2_a_provider_without_a_licence_still_reports(office: LabelOffice) -> None:
    """A suspended provider whose licence lapsed files and grants nothing, but its measures and duties are taken."""
    account = await office.file()
    entries = [
        made_up_entry(made_up_filing()),
        body_entry("label_grant", made_up_grant(account)),
        body_entry("escalation", warning(account)),
        body_entry("duty_profile", duty_profile()),
    ]
    response = await office.register.submit(*entries, licence=None, provider_state=ProviderState.SUSPENDED)
    assert ["PROVIDER_SUSPENDED", "PROVIDER_SUSPENDED", "", ""] == office.reasons(response)


def label_decision() -> label_pb2.LabelDecision:
    """A regulator's decision."""
    decision = label_pb2.LabelDecision(
        provider=PROVIDER,
        account_id=new_id(),
        grant_id=new_id(),
        revision=1,
        outcome="LABEL_OUTCOME_OBJECTED",
        reason="other",
    )
    decision.decided_time.FromDatetime(NOW)
    return decision


def escalation_decision() -> escalation_pb2.EscalationDecision:
    """A regulator's decision."""
    decision = escalation_pb2.EscalationDecision(
        provider=PROVIDER,
        account_id=new_id(),
        escalation_id=new_id(),
        outcome="ESCALATION_OUTCOME_DISMISSED",
        reason="no_violation",
    )
    for name in ("decided_time", "acknowledge_by", "answer_by"):
        getattr(decision, name).FromDatetime(NOW)
    return decision


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("label_decision", label_decision()),
        ("escalation_decision", escalation_decision()),
    ],
)
async def test_what_only_a_regulator_may_say_is_refused(office: LabelOffice, field: str, body: Message) -> None:
    """A provider that decides on its own labels or cases is refused, and its other entries stand."""
    response = await office.register.submit(body_entry(field, body), made_up_entry(made_up_filing(), 2))
    assert ["BODY_NOT_ALLOWED", ""] == office.reasons(response)
    assert 0 == await rows(office, "directive")


@pytest.mark.parametrize("field", ["policy", "directory"])
async def test_what_only_the_nation_may_say_is_refused(office: LabelOffice, field: str) -> None:
    """An entry with a document of the nation is refused, whatever is in it."""
    body = policy_pb2.Policy() if field == "policy" else directory_pb2.Directory()
    (reason,) = office.reasons(await office.register.submit(body_entry(field, body)))
    assert reason in ("BODY_NOT_ALLOWED", "FIELD_VIOLATIONS")


async def test_identity_data_is_refused_in_every_kind(office: LabelOffice) -> None:
    """A made-up number in an item's address is found in an escalation as it is in a filing."""
    report = escalation_pb2.ReportEscalation(
        tracking_digest=bytes(32),
        baseline=7,
        item_url="https://example.com/330106188501010010",
        item_digest=bytes(32),
        reports=1,
        cause="ESCALATION_CAUSE_FIRST_ANSWER_OVERDUE",
    )
    report.received_time.FromDatetime(NOW - 2 * DAY)
    report.due_time.FromDatetime(NOW - DAY)
    escalation = escalation_pb2.Escalation(
        escalation_id=new_id(), account_id=await office.file(), revision=1, report=report
    )
    assert ["IDENTITY_DATA"] == office.reasons(await office.register.submit(body_entry("escalation", escalation)))


async def test_ids_are_the_same_in_capitals(office: LabelOffice) -> None:
    """A UUID names the same grant and account however its letters are written."""
    account, grant_id = await office.file(), new_id()
    await office.state(made_up_grant(account, grant_id, end_time=NOW + DAY))
    renewed = made_up_grant(account.upper(), grant_id.upper(), 2, action=LabelAction.RENEW)
    overlapping = made_up_grant(account.upper())
    assert ["", "GRANTS_OVERLAP"] == await office.state(renewed, overlapping)


async def test_a_time_finer_than_a_microsecond_is_cut_off(office: LabelOffice) -> None:
    """Both ends judge by the microsecond, so that a rest of it decides nothing."""
    account = await office.file()
    first = made_up_grant(account, end_time=NOW + DAY)
    first.end_time.nanos += 999
    assert ["", ""] == await office.state(first, made_up_grant(account, start_time=NOW + DAY))
    assert micros(NOW + DAY) == (await office.held(first)).end_time


class CountedTransaction(Transaction):
    """A transaction that counts what is asked of it."""

    def __init__(self, inner: Transaction) -> None:
        self.dialect = inner.dialect  # type: ignore[misc]
        self.inner = inner
        self.reads = 0

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        self.reads += sql.startswith("SELECT")
        return self.inner.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        self.inner.executemany(sql, rows)

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.inner.insert_many(table, columns, rows)

    def lock(self, name: str) -> None:
        self.inner.lock(name)

    def by_index(self, name: str) -> str:
        return self.inner.by_index(name)

    def query(self, query: peewee.Query) -> list[tuple[Any, ...]]:
        return self.inner.query(query)

    def end(self) -> None:
        self.inner.end()


async def reads_of(office: LabelOffice, entries: Sequence[bytes], *, store: bool) -> int:
    """How many statements read the register while a batch is stored, or only while it is judged."""
    register = office.register
    batch = sign_batch(entries, PROVIDER, JURISDICTION, register.provider_key)
    prepared = prepare(
        as_request(batch, entries), origin=PROVIDER, jurisdiction=JURISDICTION, key_lookup=register.ring.lookup
    )

    def work(transaction: Transaction) -> int:
        counted = CountedTransaction(transaction)
        if store:
            register.intake.store(counted, prepared, register.context())
        else:
            judge = BatchJudge(counted, JURISDICTION, PROVIDER, prepared.entries, register.context())
            assert [None] * len(entries) == [judge.judge(entry) for entry in prepared.entries]
        return counted.reads

    return await register.database.write(work)


async def test_a_batch_of_filings_costs_no_statement_for_other_kinds(office: LabelOffice) -> None:
    """Filings alone ask for what is known, for their accounts, whether one of these ended, and for the log's head."""
    few, many = ([made_up_entry(made_up_filing(), number) for number in range(1, 1 + count)] for count in (1, 30))
    assert [4, 4] == [await reads_of(office, entries, store=True) for entries in (few, many)]


async def test_what_a_batch_is_judged_by_is_read_at_once(office: LabelOffice) -> None:
    """Of other kinds, too, judging a whole batch takes as many statements as judging one entry of each."""

    def stated(account: str) -> list[bytes]:
        return [body_entry("label_grant", made_up_request(account)), body_entry("escalation", warning(account))]

    accounts = [await office.file() for _ in range(8)]
    few, many = stated(accounts[0]), [entry for account in accounts for entry in stated(account)]
    counts = [await reads_of(office, entries, store=False) for entries in (few, many)]
    assert counts[0] == counts[1]


async def test_art_3_labels_of_a_region_are_fed_to_it(office: LabelOffice) -> None:
    """The nation feeds a province the labels of its region's subjects, decisions too, and those that a subject brings along."""
    account, moving = new_id(), new_id()
    decision = label_pb2.LabelDecision(
        provider=PROVIDER,
        account_id=account,
        grant_id=new_id(),
        revision=1,
        outcome="LABEL_OUTCOME_OBJECTED",
        reason="other",
    )
    decision.decided_time.FromDatetime(NOW)
    bodies: list[tuple[str, Message]] = [
        ("filing", made_up_filing(account, subject_region="440000")),
        ("filing", made_up_filing(moving, subject_region="500000")),
        ("label_grant", made_up_grant(account, decision.grant_id)),
        ("label_grant", made_up_grant(moving)),
        ("label_decision", decision),
        ("filing", made_up_filing(moving, 2, subject_region="440000")),
    ]

    def apply(transaction: Transaction) -> list[tuple[Any, ...]]:
        for index, (field, body) in enumerate(bodies):
            entry = entry_pb2.Entry.FromString(body_entry(field, body))
            apply_entries(transaction, JURISDICTION, [(index, entry)], micros(NOW) + index, feed_regions=True)
        return transaction.execute("SELECT region, log_index FROM region_feed ORDER BY region, position")

    fed = await office.register.database.write(apply)
    assert [0, 2, 4, 3, 5] == [index for region, index in fed if region == "440000"]
    assert [1, 3, 5] == [index for region, index in fed if region == "500000"]
