"""Officers at a running regulator: the whole API by the client."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from regulator_node.audit import Audit
from regulator_node.export import FilingExport
from regulator_node.filing_servicer import FilingServicer, FilingUses
from regulator_node.log import RegisterLog
from regulator_node.review import Review
from shared.client.officer import (
    Dimension,
    ExportPage,
    FilingFilter,
    FilingOrder,
    FilingState,
    Licence,
    LicenceState,
    NodeRole,
    NodeState,
    OfficerClient,
    OfficerRole,
    Outcome,
    SubjectKind,
    Verdict,
)
from shared.clock import from_micros, system_clock
from shared.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from shared.evidence.keys import SigningKey
from shared.evidence.receipts import verify_receipt
from shared.pb.filingnet.regulator.v1 import filing_service_pb2_grpc
from shared.provisions.policy import Term, initial_policy
from shared.server import NodeServer
from shared.trust.callers import Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.names import NATION, officer_name
from tests.integration.made_register import MadeRegister, made_register
from tests.integration.regulators import Running
from tests.integration.serving import local_authenticator, started

SERVICE = "/filingnet.regulator.v1.FilingService/"
HERE = "100000"


@pytest.fixture
async def register(nation: Running) -> MadeRegister:
    """The nation's register, with filings of several jurisdictions."""
    made = MadeRegister(nation.parts.database, random.Random(2))
    await made.fill(12)
    return made


@pytest.fixture
async def operator(nation: Running) -> AsyncIterator[OfficerClient]:
    """A client at the local socket."""
    async with OfficerClient(nation.settings.operator_socket.absolute()) as client:
        yield client


def keys(rows: Any) -> list[tuple[str, int]]:
    """Returns what filings are recognised by."""
    return [(row.jurisdiction, row.log_index) for row in rows]


async def test_an_officer_reads_the_register(operator: OfficerClient, register: MadeRegister) -> None:
    """Search, one filing, history, statistics and export tell what was filed, in plain values."""
    shown = register.shown()
    assert keys(reversed(shown)) == keys([filing async for filing in operator.search(page_size=9)])
    page = await operator.page(FilingFilter(), FilingOrder.OLDEST_FIRST, page_size=5)
    assert keys(shown[:5]) == keys(page.filings)
    following = await operator.page(FilingFilter(), FilingOrder.OLDEST_FIRST, page_size=5, page_token=page.next_token)
    assert keys(shown[5:10]) == keys(following.filings)
    fact = next(each for each in shown if each.revision > 1 and each.subject_kind > 1)
    account = (fact.jurisdiction, fact.provider, fact.account_id)
    filing = await operator.get(*account)
    assert (
        fact.display_name,
        fact.organisation_name,
        SubjectKind(fact.subject_kind),
        from_micros(fact.filed_time),
    ) == (
        filing.display_name,
        filing.organisation_name,
        filing.subject_kind,
        filing.filed_time,
    )
    revisions = [each.revision async for each in operator.history(*account)]
    assert list(range(fact.revision, 0, -1)) == revisions
    counts = await operator.statistics([Dimension.STATE], FilingFilter(state=FilingState.FILED))
    assert [(("filed",), sum(each.state_at(None) == 1 for each in shown))] == [(row.keys, row.count) for row in counts]
    exported = [filing async for page in operator.export() for filing in page.filings]
    assert keys(shown) == keys(exported)


async def test_every_filter_travels(operator: OfficerClient, register: MadeRegister) -> None:
    """Each field of a filter says on the other side what it said here."""
    (fact,) = await register.file(HERE, [register.new_account(display_name="国家样例号", subject_kind=3)])
    fact = await register.decide(fact, 1)
    filed, later = from_micros(fact.filed_time), timedelta(seconds=1)
    exact = FilingFilter(
        jurisdiction=HERE,
        provider=fact.provider,
        category=fact.category,
        subject_kind=SubjectKind(fact.subject_kind),
        subject_region=fact.subject_region,
        state=FilingState.ACCEPTED,
        filed_from=filed,
        filed_before=filed + later,
        text="样例号",
        as_of=from_micros(fact.effective_time) + timedelta(days=2),
    )
    assert keys([fact]) == keys([each async for each in operator.search(exact)])
    others: list[dict[str, Any]] = [
        {"jurisdiction": "440000"},
        {"provider": "provider/other"},
        {"category": "elsewhere"},
        {"subject_kind": SubjectKind.PERSON},
        {"subject_region": "650000"},
        {"state": FilingState.RETURNED},
        {"filed_from": filed + later},
        {"filed_before": filed},
        {"text": "样例店"},
        {"as_of": filed - timedelta(days=9)},
    ]
    for change in others:
        assert [] == [each async for each in operator.search(replace(exact, **change))], change


async def test_each_question_leaves_an_audit_entry(operator: OfficerClient, register: MadeRegister) -> None:
    """Who asked what for is in the trail before the answer is out, also of a question that was refused."""
    fact = register.shown()[0]
    account = (fact.jurisdiction, fact.provider, fact.account_id)
    await operator.page(FilingFilter(text="新闻", state=FilingState.FILED, as_of=datetime(2026, 1, 2, tzinfo=UTC)))
    await operator.get(*account)
    assert [each async for each in operator.history(*account)]
    await operator.statistics([Dimension.CATEGORY, Dimension.STATE])
    assert [page async for page in operator.export(FilingFilter(category="sports"))]
    verdict = Verdict.send_back(await operator.get(*account), "other")
    await operator.decide([verdict], request_id="0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21")
    with pytest.raises(NotFound):
        await operator.receipt("440000", 99)
    with pytest.raises(InvalidInput):
        await operator.page(FilingFilter(text="新"))
    trail = [entry async for entry in operator.audit()]
    told = [(entry.method.removeprefix(SERVICE), entry.detail) for entry in reversed(trail)][:-1]
    asked = f"jurisdiction {fact.jurisdiction} provider {fact.provider} account {fact.account_id}"
    assert [
        ("SearchFilings", "state filed text 新闻 as_of 2026-01-02T00:00:00+00:00"),
        ("GetFiling", asked),
        ("ListRevisions", asked),
        ("GetStatistics", "by category and state of all"),
        ("ExportFilings", "begun: category sports"),
        ("GetFiling", asked),
        (
            "DecideFilings",
            "request 0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21: "
            f"returned {fact.provider}/{fact.account_id} revision {fact.revision} other",
        ),
        ("GetReceipt", "jurisdiction 440000 log_index 99"),
        ("SearchFilings", "text 新"),
    ] == told
    assert {("operator", "operator")} == {(entry.actor, entry.role) for entry in trail}


async def test_a_verdict_that_breaks_the_contract_fails_no_other(
    operator: OfficerClient, register: MadeRegister
) -> None:
    """Each verdict gets an answer of its own, in order, which names the field and repeats no value; the trail counts it."""
    (fact,) = await register.file(HERE, [register.new_account()])
    good = Verdict.accept(await operator.get(HERE, fact.provider, fact.account_id))
    number = "330106199001011230"
    bad = dataclasses.replace(good, note=f"{number}\u0007" * 30), dataclasses.replace(good, reason=number, revision=0)
    request_id = "0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e22"
    results = await operator.decide([bad[0], good, bad[1]], request_id=request_id)
    assert ["FIELD_VIOLATIONS", "", "FIELD_VIOLATIONS"] == [each.error_reason for each in results]
    assert results[1].log_index is not None
    assert "note" in results[0].error_message
    assert "reason" in results[2].error_message
    assert "revision" in results[2].error_message
    assert results == await operator.decide([bad[0], good, bad[1]], request_id=request_id)
    trail = [entry.detail async for entry in operator.audit()]
    assert any("2 that break the contract" in detail for detail in trail)
    assert number not in repr((results, trail))


async def test_an_officer_decides(nation: Running, operator: OfficerClient, register: MadeRegister) -> None:
    """A verdict is decided once, its receipt verifies offline, and one on another jurisdiction's filing is refused."""
    (own,) = await register.file(HERE, [register.new_account()])
    (foreign,) = await register.file("330000", [register.new_account()])
    mine = await operator.get(HERE, own.provider, own.account_id)
    theirs = await operator.get("330000", foreign.provider, foreign.account_id)
    accepted, refused = await operator.decide([Verdict.accept(mine), Verdict.accept(theirs)])
    assert ("", "FILING_UNKNOWN", None) == (accepted.error_reason, refused.error_reason, refused.log_index)
    assert accepted.log_index is not None
    receipt = await operator.receipt(HERE, accepted.log_index)
    proof = verify_receipt(receipt, nation.view.key_ring())
    assert own.account_id == proof.entry.filing_decision.account_id
    assert FilingState.ACCEPTED == (await operator.get(HERE, own.provider, own.account_id)).state
    (again,) = await operator.decide([Verdict.send_back(mine, "other", note="太晚")])
    assert "ALREADY_DECIDED" == again.error_reason
    with pytest.raises(InvalidInput) as wrong:
        await operator.decide([Verdict.accept(mine)], request_id="again")
    assert "REQUEST_ID_WRONG" == wrong.value.reason


async def test_roles_hold_at_the_public_listener(nation: Running, operator: OfficerClient) -> None:
    """A reader reads, a reviewer decides, and neither sees to the network's affairs; without a token nobody does."""
    place = nation.settings.public_endpoint
    ca = nation.parts.credentials.ca_pem
    verdict = Verdict("provider/wave", "0b5f2c1e-6d0a-4c53-9a53-6f7a3c1f8e21", 1, Outcome.ACCEPTED)
    reader = await operator.create_officer_token("reading-room", OfficerRole.READER)
    reviewer = await operator.create_officer_token("review-desk-2", OfficerRole.REVIEWER, lifetime_hours=1)
    assert reader.expire_time > reviewer.expire_time > system_clock()
    async with OfficerClient(place, ca=ca, token=reader.token) as client:
        assert [] == [each async for each in client.search()]
        with pytest.raises(PermissionDenied):
            await client.decide([verdict])
    async with OfficerClient(place, ca=ca, token=reviewer.token, server_name=NATION) as client:
        assert "FILING_UNKNOWN" == (await client.decide([verdict]))[0].error_reason
        with pytest.raises(PermissionDenied):
            await client.create_officer_token("another", OfficerRole.ADMINISTRATOR)
    async with OfficerClient(place, ca=ca, token="wrong") as client:
        with pytest.raises(Unauthenticated):
            await client.page()


async def test_an_officer_with_a_certificate(nation: Running, operator: OfficerClient) -> None:
    """An officer's certificate, signed by the nation, opens the network listener in its role."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = officer_name(HERE, "reviewer", "review-desk-2")
    issued = await operator.issue_officer_certificate(
        HERE, "review-desk-2", OfficerRole.REVIEWER, certificate_request(name, key), lifetime_hours=2
    )
    assert timedelta(hours=1) < issued.expire_time - system_clock() < timedelta(hours=3)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    async with OfficerClient(
        nation.settings.network_endpoint,
        ca=nation.parts.credentials.ca_pem,
        certificate=(pem, issued.chain_pem),
        server_name=NATION,
    ) as client:
        assert [] == [each async for each in client.search()]
    assert name in {entry.actor async for entry in operator.audit()}


async def test_the_networks_affairs(operator: OfficerClient) -> None:
    """State, nodes, tokens, licences and policies go through the client in plain values."""
    status = await operator.status()
    assert (NATION, 2, 1, 1, ()) == (
        status.name,
        status.log_size,
        status.directory_version,
        status.policy_version,
        status.replicas,
    )
    assert status.checkpoint.startswith("filingnet")
    assert status.certificate_expire_time > system_clock()
    (node,) = [each async for each in operator.nodes()]
    assert (NATION, NodeRole.NATIONAL_REGULATOR, NodeState.ACTIVE, None) == (
        node.name,
        node.role,
        node.state,
        node.licence,
    )
    assert 32 == len(node.signing_keys[0].public_key)
    licence = Licence(
        "33320240001", datetime(2024, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC), LicenceState.VALID
    )
    token = await operator.create_token("provider/wave", title="样例", jurisdiction="330000", licence=licence)
    assert token.text
    assert token.expire_time > system_clock()
    with pytest.raises(NotFound):
        await operator.set_licence("provider/wave", licence)
    with pytest.raises(FailedPrecondition):
        await operator.set_node_state(NATION, NodeState.DENIED)
    with pytest.raises(AlreadyExists):
        await operator.create_token(NATION, title="样例")


async def test_policies_travel_whole(operator: OfficerClient) -> None:
    """A policy that is read, changed and published is the one in force then, to the last period."""
    first = await operator.policy()
    assert replace(initial_policy(), effective_time=first.effective_time) == first
    following = replace(
        first,
        version=2,
        effective_time=system_clock().replace(microsecond=0) + timedelta(days=1),
        categories=(*first.categories, Term("weather", "气象", "Weather")),
    )
    assert following == await operator.publish_policy(following, validate_only=True)
    assert first == await operator.policy()
    await operator.publish_policy(following)
    assert first == await operator.policy()
    assert following == await operator.policy(following.effective_time)
    with pytest.raises(InvalidInput):
        await operator.publish_policy(following)


class BreakingServicer(FilingServicer):
    """Breaks the first exports off after two pages."""

    breaks = 3

    async def ExportFilings(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Streams, and breaks off."""
        count = 0
        async for page in super().ExportFilings(request, context):
            if count == 2 and self.breaks:
                self.breaks -= 1
                raise Unavailable("the node stops: try again later", "NODE_STOPS")
            count += 1
            yield page


@asynccontextmanager
async def breaking_server(made: MadeRegister, folder: Path) -> AsyncIterator[str]:
    """Serves a register whose exports break off."""
    audit = Audit(made.database, "330000", system_clock)
    log = RegisterLog("regulator/330000", "330000", SigningKey.generate())
    review = Review(
        made.database, log, lambda _: initial_policy(), system_clock, feed_regions=False, on_change=lambda: None
    )
    uses = replace(FilingUses.of(made.database, review), export=FilingExport(made.database, page_size=10))
    server = NodeServer(local_authenticator(Role.OPERATOR))
    server.add(filing_service_pb2_grpc.add_FilingServiceServicer_to_server, BreakingServicer(uses, audit))
    address = await server.listen(f"unix:{folder}/operator.sock", None)
    async with started(server):
        yield address


async def test_a_broken_export_goes_on_by_itself(database_url: str, tmp_path: Path) -> None:
    """Whoever reads an export notices nothing of a connection that broke: each filing once, in order."""
    made = made_register(database_url)
    await made.fill(15)
    async with breaking_server(made, tmp_path) as address, OfficerClient(address) as client:
        pages: list[ExportPage] = [page async for page in client.export()]
        assert keys(made.shown()) == keys(filing for page in pages for filing in page.filings)
        with pytest.raises(InvalidInput) as refused:
            await anext(client.export(FilingFilter(category="sports"), cursor=pages[0].cursor))
        assert "PAGE_TOKEN_WRONG" == refused.value.reason
    await made.database.close()


async def test_an_export_gives_up_on_a_node_that_is_away(tmp_path: Path) -> None:
    """A node that does not answer is waited for, and not for ever."""
    async with OfficerClient(tmp_path / "operator.sock") as client:
        with pytest.raises(Unavailable):
            await anext(client.export(patience_seconds=0.1))
