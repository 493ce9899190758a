"""A provider in this process, on real files: joined to a made-up network whose register takes its filings in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from provider_node.account_rows import Account
from provider_node.accounts import Accounts
from provider_node.agreements import agreement_in_force
from provider_node.bootstrap import Provider, open_parts
from provider_node.directives import Directives
from provider_node.duties import Duties
from provider_node.gate import Gate, LicenceReader
from provider_node.imports import Imports
from provider_node.label_decisions import LABEL_DECISION, LabelDecisions
from provider_node.labels import Labels
from provider_node.master_key import KEY_BYTES, MasterKeys, add_master_key_version, load_master_keys
from provider_node.measure_rows import StoredMeasures
from provider_node.orders import ESCALATION_DECISION
from provider_node.oversight import Oversight
from provider_node.record_holds import RECORD_HOLD, RegulatorHolds
from provider_node.refusals import Refusals
from provider_node.settings import MIGRATIONS, ProviderSettings
from provider_node.standing import own_licence, read_standing
from provider_node.subject_rows import Subject
from provider_node.subjects import Registration, Subjects
from provider_node.vault import Identity, Vault, open_vault
from regulator_node.log import read_checkpoint
from regulator_node.stored_runs import read_receipt
from shared.clock import Clock, system_clock
from shared.cluster.made_up import person
from shared.database import Database, open_database, sqlite_url
from shared.delivery.worker import DeliveryWorker, Route
from shared.evidence.checkpoints import sign_cosignature
from shared.evidence.documents import sign_document
from shared.evidence.keyring import KeyRing
from shared.evidence.keys import SigningKey
from shared.identifiers import new_account_id, new_entry_id
from shared.mapping.policy import policy_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import decision_pb2, directory_pb2, entry_pb2, evidence_pb2, intake_service_pb2
from shared.provisions.account_states import ReviewOutcome
from shared.provisions.agreements import AgreementSignature
from shared.provisions.policy import REPORT_FIRST_ANSWER, initial_policy
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import FormVerifier, PersonIdentity
from shared.trust.authority import Authority
from shared.trust.credentials import Credentials
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, REGULATOR, Register
from tests.unit.trust_samples import NATION, SetClock, node

MASTERS = MasterKeys({1: b"k" * KEY_BYTES})
LICENCE = "33320240001"


@dataclass
class MadeUpNetwork:
    """The nation, and the province whose register is at hand."""

    register: Register
    nation_key: SigningKey = field(default_factory=SigningKey.generate)
    version: int = 0

    def directory(
        self,
        *,
        state: directory_pb2.NodeState = directory_pb2.NODE_STATE_ACTIVE,
        licence_number: str = LICENCE,
        licence_end: datetime = NOW + timedelta(days=4000),
        ca_certificates: Sequence[str] = (),
    ) -> evidence_pb2.SignedDocument:
        """The next directory, with changes to the provider's node."""
        self.version += 1
        wave = node(PROVIDER, self.register.provider_key)
        wave.state = state
        wave.licence.number = licence_number
        wave.licence.state = directory_pb2.LICENCE_STATE_VALID
        wave.licence.start_time.FromDatetime(NOW - timedelta(days=400))
        wave.licence.end_time.FromDatetime(licence_end)
        nodes = [node(NATION, self.nation_key), node(REGULATOR, self.register.key), wave]
        directory = directory_pb2.Directory(version=self.version, nodes=nodes, ca_certificates=ca_certificates)
        directory.issue_time.FromDatetime(NOW)
        return self._signed("directory", directory)

    def policy(
        self, version: int = 1, effective_time: datetime = NOW, first_answer_hours: int = 0
    ) -> evidence_pb2.SignedDocument:
        """The first policy; or a later one, with an agreement of that version, and other hours for a first answer."""
        policy = policy_to_wire(initial_policy())
        if version > 1:
            policy.version = policy.agreement.version = version
            policy.effective_time.FromDatetime(effective_time)
        for period in policy.periods:
            if first_answer_hours and period.name == REPORT_FIRST_ANSWER:
                period.amount = first_answer_hours
        return self._signed("policy", policy)

    def _signed(self, kind: str, body: Any) -> evidence_pb2.SignedDocument:
        entry = entry_pb2.Entry(entry_id=new_entry_id(), origin=NATION, jurisdiction="100000", sequence=1)
        entry.created_time.FromDatetime(NOW)
        getattr(entry, kind).CopyFrom(body)
        return sign_document(entry.SerializeToString(), self.nation_key)

    async def decide(self, account_id: str, revision: int, reason: str = "", **changes: Any) -> evidence_pb2.Receipt:
        """Has the province decide on a revision; returns the directive. It is returned if there is a reason."""
        outcome = decision_pb2.DECISION_OUTCOME_RETURNED if reason else decision_pb2.DECISION_OUTCOME_ACCEPTED
        decision = decision_pb2.FilingDecision(
            provider=PROVIDER, account_id=account_id, revision=revision, outcome=outcome, reason=reason
        )
        decision.decided_time.FromDatetime(NOW)
        for name, value in changes.items():
            getattr(decision, name).extend(value) if name == "fields" else setattr(decision, name, value)
        return await self.state("filing_decision", decision)

    async def state(self, body: str, message: Any) -> evidence_pb2.Receipt:
        """Has the province state a fact of its own; returns its receipt."""

        def work(transaction: Any) -> bytes:
            stated = self.register.log.append_own(transaction, [(body, message)], NOW)
            return read_receipt(transaction, JURISDICTION, stated.indexes[0])

        return evidence_pb2.Receipt.FromString(await self.register.database.write(work))

    async def cosigned(self, key: SigningKey | None = None, name: str = NATION) -> bytes:
        """The province's newest checkpoint, cosigned by the nation."""
        note = await self.register.database.read(lambda transaction: read_checkpoint(transaction, JURISDICTION))
        return sign_cosignature(note, name, key or self.nation_key, NOW)


@dataclass
class MadeUpProvider:
    """A provider's use cases over its own database and vault."""

    folder: Path
    clock: SetClock
    network: MadeUpNetwork
    database: Database
    vault: Vault
    view: NetworkView
    subjects: Subjects
    accounts: Accounts
    imports: Imports
    directives: Directives
    gate: Gate
    labels: Labels
    duties: Duties
    oversight: Oversight
    woken: list[bool]

    @property
    def ring(self) -> KeyRing:
        """The keys it knows."""
        return self.view.key_ring()

    def signature(self, **changes: Any) -> AgreementSignature:
        """A signature of the agreement in force."""
        text = agreement_in_force(self.view.policies, self.clock())
        values = {"version": text.version, "digest": text.digest, "sign_time": self.clock(), **changes}
        return AgreementSignature(**values)

    def registration(self, identity: Identity | None = None, **changes: Any) -> Registration:
        """A good registration, with changes."""
        values: dict[str, Any] = {
            "request_id": new_account_id(),
            "kind": SubjectKind.PERSON,
            "identity": identity or person(1),
            "nickname": "样例昵称",
            "agreement": self.signature(),
        }
        return Registration(**{**values, **changes})

    async def registered(self, identity: Identity | None = None, **changes: Any) -> Subject:
        """A registered subject."""
        return await self.subjects.register(self.registration(identity, **changes))

    async def opened(self, subject: Subject, name: str = "样例公众号", category: str = "lifestyle") -> Account:
        """An opened account."""
        return await self.accounts.open(new_account_id(), subject.reference, name, category)

    async def filed(self, subject: Subject, name: str = "样例公众号") -> Account:
        """A reviewed account, whose filing waits in the outbox."""
        account = await self.opened(subject, name)
        return await self.accounts.review(account.account_id, ReviewOutcome.PASSED, "", "", None)

    async def deliver(self, *, lose_answer: bool = False, **context: Any) -> None:
        """Sends what waits to the register, judged there against a context with changes; its answer may get lost."""

        async def submit(
            request: intake_service_pb2.SubmitEntriesRequest, _: float
        ) -> intake_service_pb2.SubmitEntriesResponse:
            answer = await self.network.register.send(request, **{"now": self.clock(), **context})
            if lose_answer:
                raise ConnectionResetError
            return answer

        key = self.network.register.provider_key
        route = Route(REGULATOR, JURISDICTION, PROVIDER, key, lambda: self.ring)
        await DeliveryWorker(self.database, route, submit, self.clock, refusals=Refusals(self.gate)).drain()

    async def count(self, table: str) -> int:
        """Rows of a table."""
        query = f"SELECT COUNT(*) FROM {table}"
        return int((await self.database.read(lambda transaction: transaction.execute(query)))[0][0])


@asynccontextmanager
async def made_up_network(folder: Path) -> AsyncIterator[MadeUpNetwork]:
    """A network with an empty register."""
    register = await Register.open(sqlite_url(folder / "register.db"))
    try:
        yield MadeUpNetwork(register)
    finally:
        await register.database.close()


@asynccontextmanager
async def made_up_provider(
    folder: Path, network: MadeUpNetwork, url: str = "", now: datetime = NOW
) -> AsyncIterator[MadeUpProvider]:
    """A provider that joined a network; served again, it finds what it stored."""
    clock, woken = SetClock(now), list[bool]()
    vault = open_vault(folder / "vault", MASTERS)
    try:
        database = open_database(url or sqlite_url(folder / "provider.db"), MIGRATIONS, key=vault.database_key)
    except BaseException:
        await vault.close()
        raise
    try:
        view = NetworkView(database)
        await view.load()
        if not view.joined:
            await view.install([network.directory(), network.policy()])
        standing = partial(read_standing, view, PROVIDER)
        subjects = Subjects(database, vault, FormVerifier(clock), standing, clock)
        await subjects.settle_left_overs()
        measures = StoredMeasures()
        licence = LicenceReader(lambda: view.directory, partial(own_licence, standing))
        gate = Gate(database, measures, licence, clock)
        await gate.load()
        wake = partial(woken.append, True)
        oversight = Oversight.of(database, vault, standing, clock, gate, wake)
        yield MadeUpProvider(
            folder=folder,
            clock=clock,
            network=network,
            database=database,
            vault=vault,
            view=view,
            subjects=subjects,
            accounts=Accounts(database, vault.index, standing, clock, wake, gate),
            imports=Imports(database, standing, clock, wake),
            directives=Directives(
                database,
                PROVIDER,
                JURISDICTION,
                lambda: view.key_ring(),
                {
                    LABEL_DECISION: LabelDecisions(gate),
                    ESCALATION_DECISION: oversight.orders,
                    RECORD_HOLD: RegulatorHolds(standing, clock, wake),
                },
            ),
            gate=gate,
            labels=Labels(database, vault.index, standing, clock, gate, measures, wake),
            duties=Duties(database, standing, clock, wake),
            oversight=oversight,
            woken=woken,
        )
    finally:
        await subjects.finish()
        await gate.close()
        await vault.close()
        await database.close()


def planted_person() -> PersonIdentity:
    """A made-up person whose name, number and telephone are found nowhere else."""
    return PersonIdentity("样例甲乙丙丁", person(7_654_321).id_number, "13800001234")


def files_with(folder: Path, *texts: str) -> list[str]:
    """The files below a folder that hold one of the texts, in the encodings that a store could use."""
    patterns = [text.encode(encoding) for text in texts for encoding in ("utf-8", "utf-16-le", "gb18030")]
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(pattern in path.read_bytes() for pattern in patterns)
    )


async def joined_folder(
    folder: Path, network: MadeUpNetwork, *, licence_end: datetime = NOW + timedelta(days=4000), **changes: Any
) -> ProviderSettings:
    """A data folder as init leaves it, of a provider that joined a network whose nodes are all away."""
    folder.mkdir()  # noqa: ASYNC240 - a test may
    settings = ProviderSettings.create(
        folder, name=PROVIDER, jurisdiction=JURISDICTION, **{"shutdown_seconds": 2.0, **changes}
    )
    now = system_clock()
    authority = Authority.create(folder, now)
    network.register.provider_key.save(settings.signing_key_file)
    settings.credentials_folder.mkdir()
    credentials = Credentials.create(settings.credentials_folder, PROVIDER)
    issued = authority.sign_request(credentials.certificate_request(), PROVIDER, timedelta(days=1), now)
    credentials.install(issued.chain_pem, [authority.certificate_pem])
    add_master_key_version(folder / "master.key")
    database = await database_of(settings)
    view = NetworkView(database)
    directory = network.directory(ca_certificates=[authority.certificate_pem], licence_end=licence_end)
    await view.install([directory, network.policy()])
    await database.close()
    settings.write()
    return settings


async def database_of(settings: ProviderSettings) -> Database:
    """The database of a provider that does not run, with the key that its vault holds."""
    vault = open_vault(settings.vault_folder, load_master_keys(settings.master_key_source))
    await vault.close()
    return open_database(settings.database, MIGRATIONS, key=vault.database_key)


@asynccontextmanager
async def serving(settings: ProviderSettings, clock: Clock = system_clock) -> AsyncIterator[Mapping[str, str]]:
    """Serves a data folder in this process; yields where it listens."""
    provider = Provider(await open_parts(settings, clock))
    try:
        yield await provider.start()
    finally:
        await provider.stop()
