"""The network's own affairs at a running regulator: who may do what, that it bites, and that it leaves a trace."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from regulator_node.audit import REMOVED
from shared.calls import ServedCall, serving
from shared.channel import RemoteError, officer_channel, translated
from shared.cluster.made_up import person
from shared.cluster.ports import Ports
from shared.document_store import newest_documents
from shared.evidence.batches import sign_batch
from shared.evidence.documents import verify_document
from shared.identifiers import new_account_id
from shared.pb.filingnet.network.v1 import (
    directory_pb2,
    enrolment_service_pb2,
    enrolment_service_pb2_grpc,
    evidence_pb2,
    intake_service_pb2,
    intake_service_pb2_grpc,
)
from shared.pb.filingnet.regulator.v1 import network_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import network_service_pb2_grpc
from shared.trust.callers import Caller, Role
from shared.trust.certificate_requests import certificate_request
from shared.trust.names import officer_name, tls_host
from tests.integration.case_samples import made_up_report
from tests.integration.filing_samples import as_request, made_up_entry, made_up_filing
from tests.integration.label_samples import body_entry
from tests.integration.regulators import (
    PROVIDER,
    PROVINCE,
    Running,
    ShiftedClock,
    heard,
    made_up_licence,
    provider_of,
    province_serving,
)

NETWORK_SERVICE = "/filingnet.regulator.v1.NetworkService/"


async def refusal(call: Awaitable[Any]) -> RemoteError:
    """Why a call was refused."""
    with pytest.raises(RemoteError) as caught:
        await translated(call)
    return caught.value


async def audit(nation: Running) -> list[tuple[str, str, str, str]]:
    """The trail of a regulator, oldest first: actor, role, method without its service, detail."""
    entries, _ = await nation.regulator.audit.page(1000, "")
    rows = [(entry.actor, entry.role, entry.method.removeprefix(NETWORK_SERVICE), entry.detail) for entry in entries]
    return rows[::-1]


async def officer_token(nation: Running, role: int, hours: int = 0) -> str:
    """A bearer token of a post with a role."""
    request = wire.CreateOfficerTokenRequest(officer="review-desk-2", role=role, lifetime_hours=hours)  # type: ignore[arg-type]
    async with nation.operator() as stub:
        return str((await stub.CreateOfficerToken(request)).token)


async def test_an_officer_reads_over_the_public_listener(nation: Running) -> None:
    """A bearer token of this regulator opens what its role reads."""
    token = await officer_token(nation, wire.OFFICER_ROLE_READER)
    async with nation.officer(token) as stub:
        status = await stub.GetStatus(wire.GetStatusRequest())
    assert ("regulator/100000", 2, 1, 1, 0) == (
        status.name,
        status.log_size,
        status.directory_version,
        status.policy_version,
        status.filings,
    )


async def test_without_a_token_nothing_is_read(nation: Running) -> None:
    """The public listener is public for enrolment only."""
    async with nation.officer("") as stub:
        assert "CREDENTIALS_MISSING" == (await refusal(stub.GetStatus(wire.GetStatusRequest()))).reason


async def test_a_reader_administers_nothing(nation: Running) -> None:
    """A role gives what the table gives it: a reader makes no token."""
    async with nation.officer(await officer_token(nation, wire.OFFICER_ROLE_READER)) as stub:
        request = wire.CreateOfficerTokenRequest(officer="desk", role=wire.OFFICER_ROLE_ADMINISTRATOR)
        assert "METHOD_DENIED" == (await refusal(stub.CreateOfficerToken(request))).reason


async def test_a_token_is_out_when_it_ends(nation: Running, clock: ShiftedClock) -> None:
    """A bearer token that has ended fails the next call on the channel that is open."""
    async with nation.officer(await officer_token(nation, wire.OFFICER_ROLE_READER, hours=2)) as stub:
        await stub.GetStatus(wire.GetStatusRequest())
        clock.ahead = timedelta(hours=2)
        assert "TOKEN_INVALID" == (await refusal(stub.GetStatus(wire.GetStatusRequest()))).reason


async def test_only_the_hash_of_a_token_is_stored(nation: Running) -> None:
    """Whoever reads the register, or a backup of it, signs in with nothing of it."""
    token = await officer_token(nation, wire.OFFICER_ROLE_ADMINISTRATOR)
    stored = b"".join(path.read_bytes() for path in sorted(nation.settings.folder.glob("register.db*")))
    assert (False, True) == (token.encode() in stored, b"review-desk-2" in stored)


async def test_every_call_leaves_its_entry(nation: Running) -> None:
    """Each method of the service records who called, in which role, and what for, refused or not."""
    async with nation.operator() as stub:
        await stub.GetStatus(wire.GetStatusRequest())
        await stub.ListNodes(wire.ListNodesRequest())
        await stub.GetPolicy(wire.GetPolicyRequest())
        await refusal(stub.SetLicence(wire.SetLicenceRequest(node_name=PROVIDER, licence=made_up_licence())))
        await refusal(stub.SetNodeState(wire.SetNodeStateRequest(node_name=PROVINCE, state="NODE_STATE_DENIED")))
        await stub.CreateEnrolmentToken(wire.CreateEnrolmentTokenRequest(node_name=PROVINCE, title="样例"))
        await stub.ListAuditEntries(wire.ListAuditEntriesRequest())
    rows = await audit(nation)
    assert {("operator", "operator")} == {row[:2] for row in rows}
    expected = [
        ("GetStatus", ""),
        ("ListNodes", ""),
        ("SetLicence", "node provider/wave licence LICENCE_STATE_VALID"),
        ("SetNodeState", "node regulator/330000 state NODE_STATE_DENIED"),
        ("CreateEnrolmentToken", "node regulator/330000"),
        ("ListAuditEntries", ""),
    ]
    assert expected == [row[2:] for row in rows if row[2] != "GetPolicy"]


async def test_an_officers_entry_names_the_post(nation: Running) -> None:
    """The trail holds the post that called, in its role, and no person's name."""
    async with nation.officer(await officer_token(nation, wire.OFFICER_ROLE_REVIEWER)) as stub:
        await stub.GetStatus(wire.GetStatusRequest())
    assert ("officer/100000/reviewer/review-desk-2", "reviewer", "GetStatus", "") == (await audit(nation))[-1]


async def test_the_trail_is_read_in_pages_newest_first(nation: Running) -> None:
    """Pages follow one another without a gap or a repetition, whatever is recorded meanwhile."""
    seen: list[str] = []
    async with nation.operator() as stub:
        for _ in range(5):
            await stub.GetStatus(wire.GetStatusRequest())
        token = ""
        for _ in range(3):
            page = await stub.ListAuditEntries(wire.ListAuditEntriesRequest(page_size=2, page_token=token))
            seen += [entry.method.removeprefix(NETWORK_SERVICE) for entry in page.entries]
            token = page.next_page_token
    assert ["ListAuditEntries", *["GetStatus"] * 5] == seen
    assert "" == token


@pytest.mark.parametrize("method", ["ListAuditEntries", "ListNodes"])
async def test_a_made_up_page_token_is_refused(nation: Running, method: str) -> None:
    """A token that no page gave is named as wrong."""
    async with nation.operator() as stub:
        request = getattr(wire, f"{method}Request")(page_token="../../etc")
        assert "PAGE_TOKEN_WRONG" == (await refusal(getattr(stub, method)(request))).reason


async def test_nodes_are_listed_in_pages(nation: Running, tmp_path: Path) -> None:
    """Every node is on one page, by name, and the last page says that it is the last."""
    await provider_of(nation, tmp_path / "provider")
    async with nation.operator() as stub:
        first = await stub.ListNodes(wire.ListNodesRequest(page_size=1))
        second = await stub.ListNodes(wire.ListNodesRequest(page_size=1, page_token=first.next_page_token))
    assert [PROVIDER, "regulator/100000"] == [page.nodes[0].name for page in (first, second)]
    assert "" == second.next_page_token


async def set_state(nation: Running, name: str, state: str) -> int:
    """Sets a node's state; returns the directory version that says so."""
    async with nation.operator() as stub:
        answer = await stub.SetNodeState(wire.SetNodeStateRequest(node_name=name, state=state))
    return int(answer.directory_version)


async def test_denied_is_out_at_the_next_call(nation: Running, tmp_path: Path) -> None:
    """A denied node's next call on a channel that is open fails, and a readmitted one's works again."""
    provider = await provider_of(nation, tmp_path / "provider")
    async with provider.calling(nation, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        request = intake_service_pb2.GetHighWaterMarkRequest()
        assert 0 == (await stub.GetHighWaterMark(request)).sequence
        await set_state(nation, PROVIDER, "NODE_STATE_DENIED")
        assert "NODE_DENIED" == (await refusal(stub.GetHighWaterMark(request))).reason
        await set_state(nation, PROVIDER, "NODE_STATE_ACTIVE")
        assert 0 == (await stub.GetHighWaterMark(request)).sequence


async def test_an_ended_certificate_fails_the_next_call(nation: Running, tmp_path: Path, clock: ShiftedClock) -> None:
    """A leaf is judged at each call, not only at the handshake."""
    provider = await provider_of(nation, tmp_path / "provider")
    async with provider.calling(nation, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        await stub.GetHighWaterMark(intake_service_pb2.GetHighWaterMarkRequest())
        clock.ahead = timedelta(hours=nation.settings.certificate_lifetime_hours)
        error = await refusal(stub.GetHighWaterMark(intake_service_pb2.GetHighWaterMarkRequest()))
    assert "CERTIFICATE_EXPIRED" == error.reason


async def test_art_8_2_a_suspended_node_renews_and_reports_and_files_nothing(nation: Running, tmp_path: Path) -> None:
    """Suspension stops filing as a whole, unsigned, so that nothing is parked; it ends without a new token."""
    provider = await provider_of(nation, tmp_path / "provider", "100000")
    await set_state(nation, PROVIDER, "NODE_STATE_SUSPENDED")
    async with provider.calling(nation, intake_service_pb2_grpc.IntakeServiceStub) as stub:
        filing = made_up_entry(made_up_filing(), jurisdiction="100000")
        report = body_entry("escalation", made_up_report(new_account_id()), sequence=2, jurisdiction="100000")
        for entries in ([filing], [report, filing]):
            request = as_request(sign_batch(entries, PROVIDER, "100000", provider.key), entries)
            assert "NODE_SUSPENDED" == (await refusal(stub.SubmitEntries(request))).reason
        request = as_request(sign_batch([report], PROVIDER, "100000", provider.key), [report])
        answer = await stub.SubmitEntries(request)
        assert [intake_service_pb2.ENTRY_OUTCOME_ACCEPTED] == [result.outcome for result in answer.results]
    async with provider.calling(nation, enrolment_service_pb2_grpc.EnrolmentServiceStub) as stub:
        csr = enrolment_service_pb2.RenewCertificateRequest(
            certificate_request=provider.credentials.certificate_request()
        )
        answer = await stub.RenewCertificate(csr)
    assert answer.certificate_chain.startswith("-----BEGIN CERTIFICATE-----")


async def test_a_renewal_is_for_the_caller_alone(nation: Running, tmp_path: Path) -> None:
    """Nobody gets a certificate in another node's name."""
    provider = await provider_of(nation, tmp_path / "provider")
    csr = certificate_request("regulator/330000", ec.generate_private_key(ec.SECP256R1()))
    async with provider.calling(nation, enrolment_service_pb2_grpc.EnrolmentServiceStub) as stub:
        request = enrolment_service_pb2.RenewCertificateRequest(certificate_request=csr)
        assert "CERTIFICATE_REQUEST_WRONG" == (await refusal(stub.RenewCertificate(request))).reason


async def test_what_only_the_nation_does_a_province_refuses(nation: Running, tmp_path: Path, ports: Ports) -> None:
    """A province's operator is told where the nation is, for every method that is the nation's (Art. 3)."""
    csr = certificate_request(officer_name("330000", "reader", "desk-1"), ec.generate_private_key(ec.SECP256R1()))
    async with province_serving(nation, tmp_path / "province", ports) as province, province.operator() as stub:
        policy = (await stub.GetPolicy(wire.GetPolicyRequest())).policy
        licence = made_up_licence()
        calls = [
            stub.CreateEnrolmentToken(wire.CreateEnrolmentTokenRequest(node_name="regulator/440000")),
            stub.SetNodeState(wire.SetNodeStateRequest(node_name=PROVIDER, state="NODE_STATE_DENIED")),
            stub.SetLicence(wire.SetLicenceRequest(node_name=PROVIDER, licence=licence)),
            stub.PublishPolicy(wire.PublishPolicyRequest(policy=policy)),
            stub.IssueOfficerCertificate(
                wire.IssueOfficerCertificateRequest(
                    jurisdiction="330000",
                    officer="desk-1",
                    role=wire.OFFICER_ROLE_READER,
                    certificate_request=csr,
                )
            ),
        ]
        errors = [await refusal(call) for call in calls]
    assert [("NATION_ONLY", True)] * 5 == [
        (error.reason, nation.settings.network_endpoint in error.message) for error in errors
    ]


async def test_a_policy_is_validated_before_it_is_published(nation: Running) -> None:
    """validate_only says what would be refused and publishes nothing; publishing makes the next version."""
    async with nation.operator() as stub:
        policy = (await stub.GetPolicy(wire.GetPolicyRequest())).policy
        request = wire.PublishPolicyRequest(policy=policy, validate_only=True)
        request.policy.effective_time.FromDatetime(nation.parts.clock() + timedelta(days=1))
        error = await refusal(stub.PublishPolicy(request))
        assert ("POLICY_SUCCESSION", ["version"]) == (error.reason, [each.field for each in error.violations])
        request.policy.version = 2
        await stub.PublishPolicy(request)
        assert 1 == nation.view.versions[1]
        request.validate_only = False
        await stub.PublishPolicy(request)
    assert 2 == nation.view.versions[1]


async def test_the_policy_is_read_as_of_a_time(nation: Running) -> None:
    """Whoever judges an old filing reads the policy of its own date."""
    async with nation.operator() as stub:
        old = (await stub.GetPolicy(wire.GetPolicyRequest())).policy
        new = wire.PublishPolicyRequest(policy=old)
        new.policy.version = 2
        new.policy.effective_time.FromDatetime(nation.parts.clock() + timedelta(days=1))
        await stub.PublishPolicy(new)
        after = wire.GetPolicyRequest()
        after.time.FromDatetime(nation.parts.clock() + timedelta(days=2))
        versions = [(await stub.GetPolicy(request)).policy.version for request in (wire.GetPolicyRequest(), after)]
    assert [1, 2] == versions


async def test_each_change_is_a_signed_document_and_in_the_log(nation: Running, tmp_path: Path) -> None:
    """A change of the directory is proven by its document and counted by the log."""
    await provider_of(nation, tmp_path / "provider")
    version = await set_state(nation, PROVIDER, "NODE_STATE_SUSPENDED")
    rows = await nation.parts.database.read(lambda transaction: newest_documents(transaction, 0, 0))
    newest = evidence_pb2.SignedDocument.FromString(rows[0][2])
    entry = verify_document(newest, nation.view.key_ring().lookup)
    states = {node.name: node.state for node in entry.directory.nodes}
    assert (3, directory_pb2.NODE_STATE_SUSPENDED) == (version, states[PROVIDER])
    async with nation.operator() as stub:
        assert 4 == (await stub.GetStatus(wire.GetStatusRequest())).log_size


async def test_an_officers_certificate_opens_its_own_regulator_only(
    nation: Running, tmp_path: Path, ports: Ports
) -> None:
    """A certificate for a post of a province works at that province and nowhere else (Art. 3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = officer_name("330000", "reader", "desk-1")
    request = wire.IssueOfficerCertificateRequest(
        jurisdiction="330000",
        officer="desk-1",
        role=wire.OFFICER_ROLE_READER,
        certificate_request=certificate_request(name, key),
    )
    async with nation.operator() as stub:
        chain = (await stub.IssueOfficerCertificate(request)).certificate_chain
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    async with province_serving(nation, tmp_path / "province", ports) as province:
        answers = []
        for regulator in (province, nation):
            channel = officer_channel(
                regulator.settings.network_endpoint,
                nation.parts.credentials.ca_pem,
                server_name=tls_host(regulator.settings.name),
                certificate=(pem, chain),
            )
            stub = network_service_pb2_grpc.NetworkServiceStub(channel)  # type: ignore[no-untyped-call]
            try:
                answers.append((await translated(stub.GetStatus(wire.GetStatusRequest()))).name)
            except RemoteError as error:
                answers.append(error.reason)
            await channel.close()
    assert [PROVINCE, "OFFICER_ELSEWHERE"] == answers


async def test_a_province_hears_of_a_change_at_once(nation: Running, tmp_path: Path, ports: Ports) -> None:
    """What the nation decides on a node reaches every province by the stream it holds open."""
    async with province_serving(nation, tmp_path / "province", ports) as province:
        await provider_of(nation, tmp_path / "provider")
        version = await set_state(nation, PROVIDER, "NODE_STATE_DENIED")
        await heard(province, version)
        node = province.view.directory.node(PROVIDER)
        assert node is not None
        assert directory_pb2.NODE_STATE_DENIED == node.state
        provider = province.view.directory.keys_of(PROVIDER)
        assert nation.view.directory.keys_of(PROVIDER) == provider


async def test_a_detail_with_a_persons_number_is_not_kept(nation: Running) -> None:
    """Whoever asks for a person's number leaves the fact, and not the number (Art. 5(2))."""
    number = person(1).id_number
    call = ServedCall("", Caller("operator", Role.OPERATOR, "100000"), lambda: None)
    with serving(call):
        await nation.regulator.audit.record("/search", f"text {number}")
        await nation.regulator.audit.record("/search", f"{'x' * 490} {number}")
    assert [REMOVED, REMOVED] == [row[3] for row in await audit(nation)]
