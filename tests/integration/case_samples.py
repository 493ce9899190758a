"""Made-up reports, measures and appeals as a provider tells them, and the desks of a province and the nation."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from regulator_node.audited import AuditTrail
from regulator_node.case_office import CaseOffice
from regulator_node.case_queries import CaseQueries, CaseView
from regulator_node.case_rows import case_id_of
from regulator_node.cases import CaseVerdict, DecidedAnswer
from regulator_node.held_escalations import read_histories
from regulator_node.log import RegisterLog
from regulator_node.register import apply_entries
from shared.clock import micros
from shared.database import Database, Transaction, open_database
from shared.document_store import store_document
from shared.evidence.documents import sign_document
from shared.evidence.keys import SigningKey
from shared.identifiers import id_bytes, id_text, new_account_id, new_entry_id
from shared.mapping.policy import policy_to_wire
from shared.pb.filingnet.network.v1 import entry_pb2, escalation_pb2
from shared.provisions.policy import initial_policy
from tests.integration.filing_samples import (
    JURISDICTION,
    MIGRATIONS,
    NOW,
    PROVIDER,
    REGULATOR,
    Register,
    made_up_entry,
    made_up_filing,
)

OFFICER = "officer/330000/reviewer/review-desk-2"
REPORT_CODE = "0123456789ABCDEFGHJKMNPQRS"


class NoTrail:
    """A trail for use cases that are called without a server."""

    async def record(self, method: str, detail: str) -> None:
        """Keeps nothing."""


def made_up_report(account_id: str, code: str = REPORT_CODE, **changes: Any) -> escalation_pb2.Escalation:
    """A report that was not settled in time, with changes of its matter."""
    escalation = escalation_pb2.Escalation(escalation_id=str(uuid.uuid4()), account_id=account_id, revision=1)
    report = escalation.report
    report.tracking_digest = hashlib.sha256(code.encode()).digest()
    report.baseline, report.reports = 7, 1
    report.cause = escalation_pb2.ESCALATION_CAUSE_SETTLEMENT_OVERDUE
    report.received_time.FromDatetime(NOW - timedelta(days=6))
    report.due_time.FromDatetime(NOW - timedelta(days=1))
    for name, value in changes.items():
        setattr(report, name, value)
    return escalation


def made_up_measure(account_id: str, order: str = "", **changes: Any) -> escalation_pb2.Escalation:
    """A warning of 30 days, with changes."""
    escalation = escalation_pb2.Escalation(escalation_id=str(uuid.uuid4()), account_id=account_id, revision=1)
    measure = escalation.measure
    measure.action, measure.kind = escalation_pb2.MEASURE_ACTION_APPLY, escalation_pb2.MEASURE_KIND_WARN
    measure.baseline, measure.reason = 7, "false_information"
    measure.gravity, measure.order_entry_id = escalation_pb2.GRAVITY_ORDINARY, order
    measure.start_time.FromDatetime(NOW - timedelta(hours=2))
    measure.end_time.FromDatetime(NOW - timedelta(hours=2) + timedelta(days=30))
    for name, value in changes.items():
        setattr(measure, name, value)
    return escalation


def made_up_appeal(
    measure: escalation_pb2.Escalation, appeal_id: str, revision: int, stage: int
) -> escalation_pb2.Escalation:
    """What is told of an appeal against a measure."""
    escalation = escalation_pb2.Escalation(escalation_id=appeal_id, account_id=measure.account_id, revision=revision)
    escalation.appeal.measure_id = measure.escalation_id
    escalation.appeal.stage = stage  # type: ignore[assignment]
    escalation.appeal.statement_digest = bytes(32)
    escalation.appeal.appealed_time.FromDatetime(NOW - timedelta(hours=1))
    return escalation


def made_up_answer(view: CaseView, revision: int, order: str, answer: int, at: datetime) -> escalation_pb2.Escalation:
    """A provider's answer to an order on a case."""
    escalation = escalation_pb2.Escalation(
        escalation_id=id_text(view.file.escalation_id),
        account_id=id_text(view.file.account_id),
        revision=revision,
    )
    escalation.order_answered.order_entry_id = order
    escalation.order_answered.answer = answer  # type: ignore[assignment]
    if answer == escalation_pb2.ORDER_ANSWER_IMPOSSIBLE:
        escalation.order_answered.reason = "account_unknown"
    escalation.order_answered.answered_time.FromDatetime(at)
    return escalation


@dataclass
class Provinces:
    """The register of a province with its desk, and the nation's copy of it with the nation's."""

    register: Register
    nation: Database
    folder: Path
    sequence: int = 0
    copied: int = 0
    forwarded: int = 0
    nation_key: SigningKey = field(default_factory=SigningKey.generate)

    def __post_init__(self) -> None:
        self.nation_log = RegisterLog("regulator/100000", "100000", self.nation_key)
        self.office = self._office(self.register.database, self.register.log, "province")
        self.nation_office = self._office(self.nation, self.nation_log, "nation")
        self.cases = CaseQueries(self.register.database, lambda: self.register.now)
        self.nation_cases = CaseQueries(self.nation, lambda: self.register.now)

    def _office(self, database: Database, log: RegisterLog, name: str) -> CaseOffice:
        folder = self.folder / name
        folder.mkdir()
        trail: AuditTrail = NoTrail()
        return CaseOffice(
            database,
            log,
            folder,
            lambda _: initial_policy(),
            lambda: self.register.now,
            trail,
            feed_regions=False,
            on_change=lambda: None,
        )

    async def file(self) -> str:
        """Has an account filed; returns its id."""
        account = new_account_id()
        self.sequence += 1
        response = await self.register.submit(made_up_entry(made_up_filing(account), self.sequence))
        assert not response.results[0].HasField("rejection")
        return account

    async def tell(self, escalation: escalation_pb2.Escalation) -> bytes:
        """Has the province take a statement in; returns the exact bytes of the entry."""
        self.sequence += 1
        entry = entry_pb2.Entry(
            entry_id=new_entry_id(),
            origin=PROVIDER,
            jurisdiction=JURISDICTION,
            sequence=self.sequence,
            escalation=escalation,
        )
        entry.created_time.FromDatetime(self.register.now)
        raw = entry.SerializeToString()
        response = await self.register.submit(raw)
        assert not response.results[0].HasField("rejection"), response.results[0].rejection
        return raw

    async def case_of(self, escalation: escalation_pb2.Escalation) -> CaseView:
        """Reads the case of an escalation at the province."""
        case_id = id_text(case_id_of(JURISDICTION, PROVIDER, escalation.escalation_id))
        return await self.cases.get(JURISDICTION, case_id)

    async def at_nation(self, view: CaseView) -> CaseView:
        """Reads the same case in the nation's copy, which follows the province."""
        await self.follow()
        return await self.nation_cases.get(view.file.jurisdiction, id_text(view.file.case_id))

    async def decide(self, view: CaseView, outcome: int, reason: str, **terms: Any) -> DecidedAnswer:
        """Decides a case at the province, by a new request."""
        verdict = CaseVerdict(id_text(view.file.case_id), outcome, reason=reason, **terms)
        return await self.office.desk.decide(str(uuid.uuid4()), OFFICER, verdict)

    async def follow(self) -> None:
        """Brings the nation's copy of the province's log up to date."""
        rows = await _log_after(self.register.database, JURISDICTION, self.copied)
        for index, raw, filed in rows:
            await _apply(self.nation, JURISDICTION, index, raw, filed)
            self.copied = index + 1

    async def forward(self) -> None:
        """Forwards the nation's own decisions to the province, as its stream does."""
        for index, raw, filed in await _log_after(self.nation, "100000", self.forwarded):
            await _apply(self.register.database, "100000", index, raw, filed)
            self.forwarded = index + 1

    async def orders_of(self, account_id: str) -> dict[str, str]:
        """Reads the orders about an account that the province holds: escalation ids, and the entry ids of the orders."""
        histories = await self.register.database.read(
            lambda transaction: read_histories(transaction, JURISDICTION, PROVIDER, [id_bytes(account_id)])
        )
        return {order.escalation_id: order.order_entry_id for order in histories[account_id].orders}

    async def directives(self) -> list[entry_pb2.Entry]:
        """Reads what is on its way to the provider."""
        rows = await self.register.database.read(
            lambda transaction: transaction.execute(
                "SELECT e.entry FROM directive d JOIN log_entry e ON e.jurisdiction = d.jurisdiction"
                " AND e.log_index = d.log_index WHERE d.addressee = ? ORDER BY d.log_index",
                (PROVIDER,),
            )
        )
        return [entry_pb2.Entry.FromString(bytes(raw)) for (raw,) in rows]


@asynccontextmanager
async def provinces(url: str, folder: Path) -> AsyncIterator[Provinces]:
    """Opens an empty province on a database, and a nation beside it."""
    register = await Register.open(url)
    nation = open_database(f"sqlite:///{folder}/nation.db", MIGRATIONS)
    try:
        opened = Provinces(register, nation, folder)
        await nation.write(lambda transaction: opened.nation_log.create(transaction, NOW))
        copy = RegisterLog(REGULATOR, JURISDICTION, register.key)
        await nation.write(lambda transaction: copy.create(transaction, NOW))
        signed = _signed_policy(opened.nation_key)
        for database in (register.database, nation):
            await database.write(lambda transaction: store_document(transaction, "policy", 1, signed))
        yield opened
    finally:
        await register.database.close()
        await nation.close()


def _signed_policy(key: SigningKey) -> bytes:
    entry = entry_pb2.Entry(
        entry_id=new_entry_id(),
        origin="regulator/100000",
        jurisdiction="100000",
        sequence=1,
        policy=policy_to_wire(initial_policy()),
    )
    entry.created_time.FromDatetime(NOW)
    return sign_document(entry.SerializeToString(), key).SerializeToString()


async def _log_after(database: Database, jurisdiction: str, index: int) -> list[tuple[int, bytes, int]]:
    def work(transaction: Transaction) -> list[tuple[int, bytes, int]]:
        return transaction.execute(
            "SELECT e.log_index, e.entry, r.filed_time FROM log_entry e JOIN run r ON r.jurisdiction = e.jurisdiction"
            " AND r.first_index <= e.log_index AND r.first_index + r.size > e.log_index"
            " WHERE e.jurisdiction = ? AND e.log_index >= ? ORDER BY e.log_index",
            (jurisdiction, index),
        )

    return await database.read(work)


async def _apply(database: Database, jurisdiction: str, index: int, raw: bytes, filed: int) -> None:
    entry = entry_pb2.Entry.FromString(bytes(raw))

    def work(transaction: Transaction) -> None:
        row = (jurisdiction, index, entry.origin, id_bytes(entry.entry_id), bytes(raw))
        transaction.insert_many("log_entry", ("jurisdiction", "log_index", "origin", "entry_id", "entry"), [row])
        apply_entries(transaction, jurisdiction, [(index, entry)], filed, feed_regions=False)

    await database.write(work)


def at(time: datetime) -> int:
    """A time in microseconds."""
    return micros(time)
