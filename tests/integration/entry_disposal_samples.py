"""A province whose accounts have lives that end, and the nation that copies its log, both with disposals of their own."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from regulator_node.fsck import Findings, check_register
from regulator_node.log import RegisterLog, log_size
from regulator_node.record_sources import record_sources
from regulator_node.replication import LogCopy
from regulator_node.review import Outcome, Review, Verdict
from regulator_node.stored_runs import read_runs
from regulator_node.witness import Witness, keep_cosigned
from shared.database import Database, Transaction, open_database, sqlite_url
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.evidence.runs import read_runs as runs_in_file
from shared.evidence.runs import write_run
from shared.evidence.whole_logs import VerifiedLog, verify_log
from shared.pb.filingnet.network.v1 import evidence_pb2, follow_service_pb2, intake_service_pb2
from shared.provisions.label_rights import LabelAction
from shared.provisions.policy import Policy, initial_policy
from shared.provisions.retention import SCOPES_OF_REGULATOR, RecordClass
from shared.records.disposal import Disposals
from tests.integration.filing_samples import JURISDICTION, MIGRATIONS, PROVIDER, REGULATOR, Register, made_up_filing
from tests.integration.filing_samples import made_up_entry as filing_entry
from tests.integration.label_samples import LabelOffice, body_entry, made_up_grant, new_id
from tests.integration.test_intake_kinds import warning

NATION = "regulator/100000"
WITHDRAW = {"action": "FILING_ACTION_WITHDRAW", "withdrawal_reason": "WITHDRAWAL_REASON_CLOSED"}
LONG_AFTER = timedelta(days=3 * 366 + 31)
"""Later than the three years after which the first policy lets entries go."""

ALL_CLASSES = [RecordClass.LABEL_ENTRY, RecordClass.ESCALATION_ENTRY, RecordClass.FILING_ENTRY]
NAME = "将被处置的样例号"


class Copied:
    """The province with what ends in it, and the nation's copy of its log."""

    def __init__(self, register: Register, nation: Database, nation_key: SigningKey | None = None) -> None:
        self.register, self.nation = register, nation
        self.office = LabelOffice(register)
        self.nation_key = nation_key or SigningKey.generate()
        self.policies: tuple[Policy, ...] = (initial_policy(),)
        clock = lambda: register.now  # noqa: E731
        self.review = Review(
            register.database,
            register.log,
            lambda _: initial_policy(),
            clock,
            feed_regions=False,
            on_change=lambda: None,
        )
        self.disposals = self._disposals(register.database, JURISDICTION, register.key)
        self.nation_disposals = self._disposals(nation, "100000", self.nation_key)

    @property
    def ring(self) -> KeyRing:
        """The public keys of everyone."""
        own = self.register
        return KeyRing(
            {
                PROVIDER: [own.provider_key.verifying_key],
                REGULATOR: [own.key.verifying_key],
                NATION: [self.nation_key.verifying_key],
            }
        )

    def _disposals(self, database: Database, jurisdiction: str, key: SigningKey) -> Disposals:
        name, sources = f"regulator/{jurisdiction}", record_sources(jurisdiction)
        return Disposals(
            database, name, key, lambda: self.policies, sources, SCOPES_OF_REGULATOR, lambda: self.register.now
        )

    async def submit(self, *entries: bytes) -> intake_service_pb2.SubmitEntriesResponse:
        """Has a batch taken in, all of it."""
        response = await self.register.submit(*entries)
        assert [""] * len(entries) == self.office.reasons(response)
        return response

    async def life(self, account: str = "", *, withdrawn: bool = True, name: str = NAME) -> list[bytes]:
        """An account filed, accepted, renamed, labelled, warned, and withdrawn; returns the provider's entries."""
        account, grant = account or new_id(), new_id()
        opening = [
            filing_entry(made_up_filing(account, display_name=name)),
            body_entry("label_grant", made_up_grant(account, grant), sequence=2),
            body_entry("escalation", warning(account), sequence=3),
        ]
        await self.submit(*opening)
        (result,) = await self.review.decide(new_id(), "desk", [Verdict(PROVIDER, account, 1, Outcome.ACCEPTED)])
        assert "" == result.error_reason
        revoked = made_up_grant(account, grant, 2, action=LabelAction.REVOKE, reason="owner_request")
        rest = [body_entry("label_grant", revoked, self.register.now, 4)]
        if withdrawn:
            rest.append(filing_entry(made_up_filing(account, 2, display_name=name, **WITHDRAW), 5))
        for entry in rest:
            await self.submit(entry)
        return [*opening, *rest]

    async def follow(self, database: Database | None = None) -> None:
        """Brings the nation's copy up to date; it cosigns what it holds, and the province keeps that."""
        target, register = database or self.nation, self.register
        directory: Any = SimpleNamespace(key_ring=lambda: self.ring)
        copy = LogCopy(target, JURISDICTION, lambda: directory, lambda: register.now, feed_regions=False)
        start = await copy.size()
        runs = await register.database.read(lambda transaction: read_runs(transaction, JURISDICTION, start, 999, 2**30))
        size = await register.database.read(lambda transaction: log_size(transaction, JURISDICTION))
        await copy.store(follow_service_pb2.FollowLogResponse(runs=runs, head_size=size))
        witness = Witness(RegisterLog(NATION, "100000", self.nation_key), lambda: register.now)
        note = await target.read(lambda transaction: witness.cosign(transaction, JURISDICTION))
        assert note is not None
        await register.database.write(lambda transaction: keep_cosigned(transaction, JURISDICTION, size, note))

    async def runs(self, database: Database | None = None) -> list[evidence_pb2.Run]:
        """The whole log of the province, as a node exports it."""
        source = database or self.register.database
        return await source.read(lambda transaction: read_runs(transaction, JURISDICTION, 0, 9_999, 2**30))

    async def verified(self, database: Database | None = None) -> VerifiedLog:
        """The log verified as `filing-verify log` does it, out of its file."""
        return verified(await self.runs(database), self.ring)

    async def checked(self, database: Database | None = None) -> Findings:
        """The register checked as `fsck` does it."""
        return await check_register(database or self.register.database, MIGRATIONS, self.ring)

    async def select(self, query: str, *values: object, at: Database | None = None) -> list[tuple[Any, ...]]:
        """Rows of the province, or of another register."""

        def work(transaction: Transaction) -> list[tuple[Any, ...]]:
            return transaction.execute(query, values)

        return await (at or self.register.database).read(work)


def verified(runs: Sequence[evidence_pb2.Run], ring: KeyRing) -> VerifiedLog:
    """Verifies runs out of a file."""
    file = io.BytesIO()
    for run in runs:
        write_run(file, run)
    file.seek(0)
    return verify_log(runs_in_file(file), JURISDICTION, ring, {})


@asynccontextmanager
async def copied(url: str, folder: Path) -> AsyncIterator[Copied]:
    """Opens an empty province on a database, and a nation beside it."""
    register = await Register.open(url)
    nation = open_database(sqlite_url(folder / "nation.db"), MIGRATIONS)
    try:
        yield Copied(register, nation)
    finally:
        await register.database.close()
        await nation.close()
