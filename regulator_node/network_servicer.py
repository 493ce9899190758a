"""Serves the network's own affairs to officers and operators: its nodes, its policy, its tokens, its state, its audit.

Each call leaves its audit entry before anything is done. What only the nation does, a province refuses and says where
the nation is (Art. 3).
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Final

import grpc

from regulator_node.audit import DEFAULT_PAGE, Audit
from regulator_node.log import RegisterLog
from regulator_node.nation_documents import taking_part
from regulator_node.national import NationalOffice, the_office
from regulator_node.officers import HeldToken, OfficerTokens
from regulator_node.policy_holdings import read_holdings
from regulator_node.replication import Replica
from regulator_node.status import StatusReader
from shared.alarms import Alarms
from shared.clock import Clock, from_micros
from shared.database import Database
from shared.errors import InvalidInput, Violation
from shared.evidence.names import is_node_name
from shared.mapping.policy import policy_from_wire, policy_to_wire
from shared.mapping.policy_preview import PolicyPreview, preview_to_wire
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2, evidence_pb2, policy_pb2
from shared.pb.filingnet.regulator.v1 import network_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import network_service_pb2_grpc
from shared.provisions.policy_preview import policy_changes, policy_effects
from shared.provisions.policy_succession import check_publication
from shared.provisions.routing import check_routes
from shared.simulated_clock import simulated_time
from shared.trust.callers import Role
from shared.trust.credentials import Credentials

SERVICE: Final = "/filingnet.regulator.v1.NetworkService/"

ROLES: Final = {
    wire.OFFICER_ROLE_READER: Role.READER,
    wire.OFFICER_ROLE_REVIEWER: Role.REVIEWER,
    wire.OFFICER_ROLE_ADMINISTRATOR: Role.ADMINISTRATOR,
}
"""The role that each number on the wire stands for."""


@dataclass(frozen=True, slots=True)
class NetworkAffairs:
    """What the servicer works with.

    Attributes:
        name: this node.
        database: the register.
        view: the documents held.
        office: the national office; None at a province.
        officers: bearer tokens.
        audit: the trail.
        status: reads the register's state.
        register_log: the own log.
        credentials: this node's certificate.
        clock: tells the time.
        alarms: what the node found wrong with a log.
    """

    name: str
    database: Database
    view: NetworkView
    office: NationalOffice | None
    officers: OfficerTokens
    audit: Audit
    status: StatusReader
    register_log: RegisterLog
    credentials: Credentials
    clock: Clock
    alarms: Alarms


class NetworkServicer(network_service_pb2_grpc.NetworkServiceServicer):
    """Serves NetworkService.

    Args:
        affairs: what it works with.
    """

    def __init__(self, affairs: NetworkAffairs) -> None:
        self._affairs = affairs

    async def GetStatus(  # noqa: N802
        self, request: wire.GetStatusRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetStatusResponse:
        """Reads this node's state."""
        del request, context
        await self._record("GetStatus", "")
        affairs = self._affairs
        register = await affairs.database.read(affairs.status.read)
        response = wire.GetStatusResponse(
            name=affairs.name,
            log_size=register.log_size,
            checkpoint=register.checkpoint.decode(),
            replicas=[_replica(replica) for replica in register.replicas],
            directory_version=affairs.view.versions[0],
            policy_version=affairs.view.versions[1],
            software_version=metadata.version("filingnet"),
            filings=register.filings,
            log_error=": ".join(affairs.register_log.held_back or ()),
            alarms=[
                evidence_pb2.FieldViolation(field=f"log.{alarm.jurisdiction}", rule=alarm.reason, mend=alarm.mend[:300])
                for alarm in affairs.alarms.open()
            ],
        )
        response.certificate_expire_time.FromDatetime(affairs.credentials.expire_time)
        moved = simulated_time(affairs.clock)
        if moved is not None:
            response.simulated_time.FromDatetime(moved)
        return response

    async def ListNodes(  # noqa: N802
        self, request: wire.ListNodesRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListNodesResponse:
        """Lists the directory's nodes by name."""
        del context
        await self._record("ListNodes", "")
        nodes = self._affairs.view.directory.nodes
        names = sorted(nodes)
        start = bisect_right(names, _after(request.page_token))
        end = start + (request.page_size or DEFAULT_PAGE)
        token = names[end - 1] if end < len(names) else ""
        return wire.ListNodesResponse(nodes=[nodes[name] for name in names[start:end]], next_page_token=token)

    async def CreateEnrolmentToken(  # noqa: N802
        self, request: wire.CreateEnrolmentTokenRequest, context: grpc.aio.ServicerContext
    ) -> wire.CreateEnrolmentTokenResponse:
        """Makes a token with which one node may join."""
        del context
        purpose = " rejoin" if request.rejoin else ""
        await self._record("CreateEnrolmentToken", f"node {request.node_name} {request.jurisdiction}{purpose}")
        text, expires = await self._office().enrolments.create_token(
            request.node_name,
            request.jurisdiction,
            request.title,
            request.licence if request.HasField("licence") else None,
            request.lifetime_hours,
            rejoin=request.rejoin,
        )
        response = wire.CreateEnrolmentTokenResponse(token_file=text)
        response.expire_time.FromDatetime(expires)
        return response

    async def SetNodeState(  # noqa: N802
        self, request: wire.SetNodeStateRequest, context: grpc.aio.ServicerContext
    ) -> wire.SetNodeStateResponse:
        """Sets whether a node may take part."""
        del context
        state = directory_pb2.NodeState.Name(request.state)
        await self._record("SetNodeState", f"node {request.node_name} state {state}")
        node, version = await self._office().set_node_state(request.node_name, request.state)
        return wire.SetNodeStateResponse(node=node, directory_version=version)

    async def SetLicence(  # noqa: N802
        self, request: wire.SetLicenceRequest, context: grpc.aio.ServicerContext
    ) -> wire.SetLicenceResponse:
        """Sets a provider's licence (Art. 4)."""
        del context
        # Not its number: eleven digits of a licence can read like a telephone's.
        state = directory_pb2.LicenceState.Name(request.licence.state)
        await self._record("SetLicence", f"node {request.node_name} licence {state}")
        node, version = await self._office().set_licence(request.node_name, request.licence)
        return wire.SetLicenceResponse(node=node, directory_version=version)

    async def TransferProvider(  # noqa: N802
        self, request: wire.TransferProviderRequest, context: grpc.aio.ServicerContext
    ) -> wire.TransferProviderResponse:
        """Transfers a provider to another jurisdiction (Art. 3)."""
        del context
        await self._record("TransferProvider", f"node {request.node_name} to {request.to_jurisdiction}")
        node, version = await self._office().transfer(request.node_name, request.to_jurisdiction)
        return wire.TransferProviderResponse(node=node, directory_version=version)

    async def SetEndpoint(  # noqa: N802
        self, request: wire.SetEndpointRequest, context: grpc.aio.ServicerContext
    ) -> wire.SetEndpointResponse:
        """Sets where a regulator listens."""
        del context
        await self._record("SetEndpoint", f"node {request.node_name} endpoint {request.endpoint}")
        node, version = await self._office().set_endpoint(request.node_name, request.endpoint)
        return wire.SetEndpointResponse(node=node, directory_version=version)

    async def AddSigningKey(  # noqa: N802
        self, request: wire.AddSigningKeyRequest, context: grpc.aio.ServicerContext
    ) -> wire.AddSigningKeyResponse:
        """Adds a key with which a node will sign."""
        del context
        await self._record("AddSigningKey", f"node {request.node_name}")
        node, version = await self._office().add_signing_key(request.node_name, request.public_key)
        return wire.AddSigningKeyResponse(node=node, directory_version=version)

    async def PublishPolicy(  # noqa: N802
        self, request: wire.PublishPolicyRequest, context: grpc.aio.ServicerContext
    ) -> wire.PublishPolicyResponse:
        """Publishes the next policy, or says what it would be refused for."""
        del context
        purpose = "validate" if request.validate_only else "publish"
        await self._record("PublishPolicy", f"{purpose} version {request.policy.version}")
        policy = await self._office().publish_policy(request.policy, request.validate_only)
        return wire.PublishPolicyResponse(policy=policy)

    async def PreviewPolicy(  # noqa: N802
        self, request: wire.PreviewPolicyRequest, context: grpc.aio.ServicerContext
    ) -> wire.PreviewPolicyResponse:
        """Says what would change if a policy were published; changes nothing."""
        del context
        await self._record("PreviewPolicy", f"version {request.policy.version}")
        affairs = self._affairs
        following, newest = policy_from_wire(request.policy), affairs.view.policies[-1]
        nodes = affairs.view.directory.nodes
        held = await affairs.database.read(lambda transaction: read_holdings(transaction, newest, following, nodes))
        return preview_to_wire(
            PolicyPreview(
                newest.version,
                [
                    *check_publication(newest, following, affairs.clock(), held.filings),
                    *check_routes(newest, following, taking_part(nodes.values())),
                ],
                policy_changes(newest, following),
                policy_effects(newest, following, held),
            )
        )

    async def GetPolicy(  # noqa: N802
        self, request: wire.GetPolicyRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetPolicyResponse:
        """Reads the policy in force at a time."""
        del context
        asked = request.time.ToDatetime(UTC) if request.HasField("time") else self._affairs.clock()
        await self._record("GetPolicy", f"at {asked.isoformat(timespec='seconds')}")
        return wire.GetPolicyResponse(policy=self._policy_at(asked))

    async def CreateOfficerToken(  # noqa: N802
        self, request: wire.CreateOfficerTokenRequest, context: grpc.aio.ServicerContext
    ) -> wire.CreateOfficerTokenResponse:
        """Makes a bearer token for an officer of this node."""
        del context
        role = ROLES[request.role]
        await self._record("CreateOfficerToken", f"post {request.officer} role {role}")
        token, expires = await self._affairs.officers.create(request.officer, role, request.lifetime_hours)
        response = wire.CreateOfficerTokenResponse(token=token)
        response.expire_time.FromDatetime(expires)
        return response

    async def ListOfficerTokens(  # noqa: N802
        self, request: wire.ListOfficerTokensRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListOfficerTokensResponse:
        """Lists the bearer tokens that have not ended."""
        del request, context
        await self._record("ListOfficerTokens", "")
        tokens = await self._affairs.officers.tokens()
        return wire.ListOfficerTokensResponse(tokens=map(_token_info, tokens))

    async def RevokeOfficerToken(  # noqa: N802
        self, request: wire.RevokeOfficerTokenRequest, context: grpc.aio.ServicerContext
    ) -> wire.RevokeOfficerTokenResponse:
        """Revokes one bearer token."""
        del context
        await self._record("RevokeOfficerToken", f"token {request.token_id}")
        token = await self._affairs.officers.revoke(request.token_id)
        return wire.RevokeOfficerTokenResponse(token=_token_info(token))

    async def IssueOfficerCertificate(  # noqa: N802
        self, request: wire.IssueOfficerCertificateRequest, context: grpc.aio.ServicerContext
    ) -> wire.IssueOfficerCertificateResponse:
        """Signs a certificate for an officer's post, of any jurisdiction."""
        del context
        role = ROLES[request.role]
        detail = f"jurisdiction {request.jurisdiction} post {request.officer} role {role}"
        await self._record("IssueOfficerCertificate", detail)
        issued = await self._office().enrolments.issue_officer_certificate(
            request.jurisdiction, role, request.officer, request.certificate_request, request.lifetime_hours
        )
        response = wire.IssueOfficerCertificateResponse(certificate_chain=issued.chain_pem)
        response.expire_time.FromDatetime(issued.expire_time)
        return response

    async def ListAuditEntries(  # noqa: N802
        self, request: wire.ListAuditEntriesRequest, context: grpc.aio.ServicerContext
    ) -> wire.ListAuditEntriesResponse:
        """Lists who asked this node for what, newest first."""
        del context
        await self._record("ListAuditEntries", "")
        entries, token = await self._affairs.audit.page(request.page_size, request.page_token)
        response = wire.ListAuditEntriesResponse(next_page_token=token)
        for entry in entries:
            fields = dataclasses.asdict(entry)
            time: datetime = fields.pop("time")
            response.entries.add(**fields).time.FromDatetime(time)
        return response

    async def _record(self, method: str, detail: str) -> None:
        await self._affairs.audit.record(SERVICE + method, detail)

    def _office(self) -> NationalOffice:
        return the_office(self._affairs.office, self._affairs.view)

    def _policy_at(self, time: datetime) -> policy_pb2.Policy:
        return policy_to_wire(self._affairs.view.policy_at(time))


def _replica(replica: Replica) -> wire.Replica:
    message = wire.Replica(
        jurisdiction=replica.jurisdiction,
        size=replica.size,
        head_size=replica.head_size,
        last_error=replica.last_error,
    )
    if replica.contact_time is not None:
        message.contact_time.FromDatetime(from_micros(replica.contact_time))
    return message


def _token_info(token: HeldToken) -> wire.OfficerTokenInfo:
    role = next(number for number, role in ROLES.items() if role is token.role)
    message = wire.OfficerTokenInfo(token_id=token.token_id, officer=token.post, role=role)
    message.expire_time.FromDatetime(token.expire_time)
    return message


def _after(page_token: str) -> str:
    if page_token and not is_node_name(page_token):
        mend = "send the token of the page before, or none"
        raise InvalidInput(mend, "PAGE_TOKEN_WRONG", [Violation("page_token", "PAGE_TOKEN_WRONG", mend)])
    return page_token
