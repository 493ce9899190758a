"""Promise 9: planted people are searched for on the wire, in every file of every node, in logs, errors and crash output.

One story is told once, with good input and bad; then each place is searched. What is searched for: names, identity
numbers and telephones of everybody who was planted, in every form of `planted_people`. What is public is searched for
as well, to see that the search finds what is there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from provider_node.master_key import load_master_keys
from provider_node.settings import MIGRATIONS, ProviderSettings
from provider_node.vault import open_vault
from shared.client.officer import FilingFilter, OfficerRole, Verdict
from shared.client.officer import FilingState as RegisterState
from shared.client.provider import ImportRow, ProviderClient, SubjectKind, WithdrawalReason
from shared.clock import system_clock
from shared.cluster import made_up
from shared.cluster.frames import PREFACE
from shared.cluster.network import Cluster
from shared.cluster.tap import Tap
from shared.database import Transaction, open_database
from shared.errors import FilingnetError, NotFound
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.verification import PersonIdentity
from tests.e2e.filing_desk import CATEGORY
from tests.e2e.planted_people import PeopleSearch
from tests.e2e.raw_provider import REJECTED, changed, made_up_filing, raw_provider

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PUBLIC_NAME, AMENDED_NAME, ORGANISATION = "样例公开账号甲", "样例公开账号乙", "样例公开单位"
LINKS = [("provider/wave", "regulator/330000"), ("regulator/100000", "regulator/330000")]
LINKS += [("regulator/330000", "regulator/100000")]
FIRST = 31_000
"""Number of the first planted person."""


@dataclass
class Story:
    """What was done and what came of it.

    Attributes:
        people: everybody who was planted.
        numbers: further numbers that were planted, which are nobody's.
        errors: everything that was said of what was refused.
        taps: what crossed each link.
        database: what is in the provider's database, which is encrypted as a file, in clear.
        reference: of a person who is registered.
    """

    cluster: Cluster
    identities: Path
    people: list[PersonIdentity] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)
    database: bytes = b""
    reference: bytes = b""

    def person(self) -> PersonIdentity:
        """Plants the next person."""
        self.people.append(made_up.person(FIRST + len(self.people)))
        return self.people[-1]

    async def refused(self, call: Awaitable[object], reason: str) -> None:
        """Keeps what is said of a call, which must be refused for a reason."""
        with pytest.raises(FilingnetError) as caught:
            await call
        error = caught.value
        self.errors.append(repr((error.message, error.reason, error.violations, error, error.__context__)))
        assert reason == error.reason, error.message

    async def tell(self) -> None:
        """Does everything."""
        self.taps = [await self.cluster.tap(*link) for link in LINKS]
        async with self.cluster.provider("wave").client() as backend:
            await self._lives_of_accounts(backend)
            await self._bad_registrations(backend)
            await self._identities_in_free_text(backend)
        await self._bad_files()
        await self._hostile_entries()
        await self._officers_who_know()
        await self.cluster.wait_until_delivered("wave")
        await self._crash()

    async def _register(self, backend: ProviderClient, person: PersonIdentity, nickname: str = "样例昵称") -> bytes:
        agreement = (await backend.agreement()).signed_at(system_clock())
        return (await backend.register_person(person, nickname=nickname, agreement=agreement)).reference

    async def _lives_of_accounts(self, backend: ProviderClient) -> None:
        """Registers, opens, reviews, is returned, amends, changes identity, withdraws, deletes."""
        agreement = (await backend.agreement()).signed_at(system_clock())
        unit = made_up.organisation(FIRST, ORGANISATION, SubjectKind.ENTERPRISE, "330000")
        await self._file(backend, await self._register(backend, self.person()), PUBLIC_NAME)
        organisation = await backend.register_organisation(
            dataclasses.replace(unit, operator=self.person()),
            kind=SubjectKind.ENTERPRISE,
            nickname="样例单位昵称",
            agreement=agreement,
        )
        returned = await self._file(backend, organisation.reference, "样例待改账号")
        await self._return(returned)
        await backend.amend_account(returned, display_name=AMENDED_NAME)
        await backend.change_identity(organisation.reference, dataclasses.replace(unit, operator=self.person()))
        self.reference = await self._register(backend, self.person())
        await backend.change_identity(self.reference, self.person())
        failed = await backend.open_account(self.reference, display_name="样例未过账号", category=CATEGORY)
        await backend.review_account(failed.account_id, passed=False, reason="资料不全")
        gone = await self._register(backend, self.person())
        withdrawn = await self._file(backend, gone, "样例注销账号")
        await self.refused(backend.delete_subject(gone), "ACCOUNT_ON_FILE")
        await backend.withdraw_account(withdrawn, WithdrawalReason.OWNER_REQUEST)
        await self.cluster.wait_until_delivered("wave")
        await backend.delete_subject(gone)

    async def _file(self, backend: ProviderClient, reference: bytes, name: str) -> str:
        account = await backend.open_account(reference, display_name=name, category=CATEGORY)
        await backend.review_account(account.account_id, passed=True)
        return account.account_id

    async def _return(self, account_id: str) -> None:
        async with await self.cluster.regulator("330000").officer(OfficerRole.REVIEWER) as officer:

            async def arrived() -> bool:
                found = [each async for each in officer.search() if each.account_id == account_id]
                verdicts = [Verdict.send_back(each, "category_mismatch", fields=("display_name",)) for each in found]
                return bool(verdicts) and not any(each.error_reason for each in await officer.decide(verdicts))

            await self.cluster.wait_until(arrived, "the filing is returned")
        async with self.cluster.provider("wave").client() as backend:

            async def told() -> bool:
                filing = (await backend.get_account(account_id)).filing
                return filing is not None and filing.reason == "category_mismatch"

            await self.cluster.wait_until(told, "the provider knows")

    async def _bad_registrations(self, backend: ProviderClient) -> None:
        """Identities that are wrong, somebody else's or not agreed to; each is planted as well."""
        good, phone = self.person(), self.people[0].phone
        self.numbers += [number := f"{good.id_number[:-1]}{'1' if good.id_number[-1] != '1' else '2'}", "13999999999"]
        for changes in (
            {"id_number": number},
            {"phone": "1399999999"},
            {"id_number": f"110101{(system_clock() + timedelta(days=400)):%Y%m%d}0015"},
            {"real_name": " "},
        ):
            await self.refused(self._register(backend, dataclasses.replace(good, **changes)), "IDENTITY_NOT_VERIFIED")
        for changes in ({"id_number": number[:15]}, {"real_name": f"{good.real_name}\u0007"}, {"phone": phone + "x"}):
            await self.refused(self._register(backend, dataclasses.replace(good, **changes)), "FIELD_VIOLATIONS")
        await self.refused(self._register(backend, self.people[0]), "IDENTITY_REGISTERED")
        await self.refused(backend.change_identity(self.reference, self.people[0]), "IDENTITY_REGISTERED")
        agreement = dataclasses.replace((await backend.agreement()).signed_at(system_clock()), digest=bytes(32))
        unsigned = backend.register_person(good, nickname="样例昵称", agreement=agreement)
        await self.refused(unsigned, "AGREEMENT_NOT_SIGNED")
        nobody = backend.read_identity(bytes(16), purpose="account_recovery", reader="desk-1")
        await self.refused(nobody, "SUBJECT_NOT_FOUND")

    async def _identities_in_free_text(self, backend: ProviderClient) -> None:
        """Numbers where a name, a reason or a row belongs."""
        person = self.people[0]
        apart = " ".join(person.id_number)
        account = await backend.open_account(self.reference, display_name="样例无辜账号", category=CATEGORY)
        for call in (
            self._register(backend, self.people[-1], nickname=f"我是{person.id_number}"),
            backend.change_nickname(self.reference, f"电话{person.phone}"),
            backend.open_account(self.reference, display_name=f"找我{person.phone}", category=CATEGORY),
            backend.amend_account(account.account_id, display_name=apart),
            backend.review_account(account.account_id, passed=False, reason=f"证件 {apart} 不符"),
        ):
            await self.refused(call, "IDENTITY_DATA")
        rows = [ImportRow(1, self.reference, f"加{person.phone}", CATEGORY, system_clock())]
        result = await backend.import_accounts("00000000-0000-4000-8000-000000000001", rows)
        assert ["IDENTITY_DATA"] == [failure.reason for failure in result.failures]
        self.errors.append(repr(result))

    async def _bad_files(self) -> None:
        """The command line is given files with identities that are good, wrong and torn."""
        node, person = self.cluster.provider("wave"), self.person()
        values = {"real_name": person.real_name, "id_number": person.id_number, "phone": person.phone}
        contents = [json.dumps(values)[:-9], json.dumps(values | {"id_number": self.numbers[0]}), json.dumps(values)]
        signed = system_clock().isoformat()
        for content, fails in zip(contents, (True, True, False), strict=True):
            self.identities.write_text(content, encoding="utf-8")
            command = ("subjects", "register", "--data", str(node.folder), "--nickname", "样例命令行")
            run = node.run("provider_node", *command, "--signed", signed, "--file", str(self.identities))
            if fails:
                await self.refused(run, "COMMAND_FAILED")
            else:
                self.errors.append(await run)

    async def _hostile_entries(self) -> None:
        """A provider that would send identities finds a regulator that neither keeps nor repeats them."""
        person = self.people[0]
        async with raw_provider(self.cluster.provider("wave"), self.cluster.regulator("330000")) as raw:
            good = raw.entry(made_up_filing())
            smuggled = entry_pb2.Entry.FromString(good)
            smuggled.filing.MergeFromString(b"\xa2\x06\x18" + person.real_name.encode())
            answer = await raw.submit(
                changed(good, person.id_number),
                changed(good, f"电话{person.phone}"),
                smuggled.SerializeToString(),
                person.id_number.encode(),
                raw.entry(made_up_filing(category=person.phone)),
            )
            assert [REJECTED] * 5 == answer.outcomes
            self.errors.append(repr(answer.reasons))

    async def _officers_who_know(self) -> None:
        """An officer writes and searches for a number; the trail of it names nobody."""
        person = self.people[0]
        async with await self.cluster.regulator("330000").officer(OfficerRole.REVIEWER) as officer:
            assert [] == [each async for each in officer.search(FilingFilter(text=person.id_number))]
            filed = [each async for each in officer.search(FilingFilter(state=RegisterState.FILED, text="公开账号"))]
            verdicts = [Verdict.send_back(filed[0], "category_mismatch", fields=("category",), note=person.id_number)]
            (result,) = await officer.decide(verdicts)
            assert "IDENTITY_DATA" == result.error_reason
            self.errors.append(repr(result))

    async def _crash(self) -> None:
        """The provider's process is made to crash with the people in its memory, and starts again."""
        node = self.cluster.provider("wave")
        async with node.client() as backend:
            await backend.read_identity(self.reference, purpose="account_recovery", reader="desk-1")
        os.kill(node.pid, signal.SIGABRT)
        assert -signal.SIGABRT == await node.wait()
        assert "Fatal Python error: Aborted" in node.log_text()
        self.database = await database_in_clear(node.folder)
        await node.start()


async def database_in_clear(folder: Path) -> bytes:
    """Reads every value of every table of a provider that is down, but for its vault."""
    settings = ProviderSettings.load(folder)
    vault = open_vault(settings.vault_folder, load_master_keys(settings.master_key_source))
    database = open_database(settings.database, MIGRATIONS, key=vault.database_key)

    def read(transaction: Transaction) -> bytes:
        tables = transaction.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        rows = [row for (table,) in tables for row in transaction.execute(f"SELECT * FROM {table}")]
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)

    try:
        return await database.read(read)
    finally:
        await database.close()
        await vault.close()


@pytest.fixture(scope="module")
def story(filing_cluster_factory: Callable[..., Cluster], tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story, told once for every test, on the most talkative log."""
    cluster = filing_cluster_factory(environment={"FILINGNET_LOG_LEVEL": "debug"})
    told = Story(cluster, tmp_path_factory.mktemp("identities") / "identity.json")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, told.tell()).result()
    return told


@pytest.fixture(scope="module")
def search(story: Story) -> PeopleSearch:
    """Looks for everybody who was planted."""
    return PeopleSearch(story.people, story.numbers)


def test_nobody_is_on_the_wire(story: Story, search: PeopleSearch) -> None:
    """Promise 9: no link between two nodes carried a person, in clear or encoded, also not across two frames."""
    for tap in story.taps:
        assert [] == [
            kinds for carried in tap.carried() for each in carried.readings if (kinds := search.kinds_in(each))
        ]


def test_nobody_is_in_any_file(story: Story, search: PeopleSearch) -> None:
    """Promise 9: databases, vault, write-ahead logs, logs of all nodes and what a crash left hold nobody in clear."""
    assert [] == search.files_with_people(story.cluster.folder)


def test_nobody_is_in_the_providers_database_outside_of_the_vault(story: Story, search: PeopleSearch) -> None:
    """Art. 5(2): whoever has opened the provider's database has nobody's identity yet."""
    assert [] == search.kinds_in(story.database)


def test_nobody_is_in_what_was_answered(story: Story, search: PeopleSearch) -> None:
    """Promise 9: no refusal repeats what it refuses, to a backend, on a command line, to a peer or to an officer."""
    assert len(story.errors) > 20
    assert [] == search.kinds_in("\n".join(story.errors).encode())


def test_what_is_public_is_found_where_it_went(story: Story) -> None:
    """The search looks at the right places: a public name is on its links, in the registers and in the database."""
    wave, zhejiang, nation = (tap.carried() for tap in story.taps)
    for link in (wave, zhejiang, nation):
        assert link[0].raw.startswith(PREFACE)
        # Texts in headers are not packed, so that a search sees them.
        assert any(b"/filingnet.network.v1." in header for carried in link for header in carried.headers)
    name = PUBLIC_NAME.encode()
    assert any(name in message for carried in wave for message in carried.messages)
    assert any(name in message for carried in zhejiang for message in carried.messages)
    assert not any(name in reading for carried in nation for reading in carried.readings)
    public = PeopleSearch([PersonIdentity(PUBLIC_NAME, AMENDED_NAME, ORGANISATION)])
    found = {Path(path).parent.name for path, _ in public.files_with_people(story.cluster.folder)}
    assert {"regulator-330000", "regulator-100000"} == found
    assert PUBLIC_NAME.encode() in story.database


def test_every_form_of_a_person_would_be_found(story: Story, search: PeopleSearch) -> None:
    """The search finds each of the planted values in each form, also with separators inside."""
    person = story.people[0]
    for form, kind in search.forms.items():
        assert kind in search.kinds_in(b"\x00\xff" + form + b"\xfe")
    for text in (" ".join(person.id_number), "-".join((person.phone[:3], person.phone[3:7], person.phone[7:]))):
        assert ["plain"] == search.kinds_in(f"x{text}y".encode())


async def test_the_vault_still_holds_everybody(story: Story) -> None:
    """Nobody was found because nobody leaves, not because nobody was stored; and who was deleted is gone."""
    async with story.cluster.provider("wave").client() as backend:
        kept = await backend.read_identity(story.reference, purpose="account_recovery", reader="desk-1")
        assert isinstance(kept, PersonIdentity)
        assert kept in story.people
        trail = {entry.reference for entry in [each async for each in backend.audit()] if entry.action == "deleted"}
        assert 1 == len(trail)
        with pytest.raises(NotFound):
            await backend.read_identity(trail.pop(), purpose="account_recovery", reader="desk-1")
