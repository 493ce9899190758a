"""The network's own affairs as officers and operators see them: who takes part, by which policy, how fresh it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from shared.client.connection import Client
from shared.client.officer_mapping import (
    audit_entry_from_wire,
    node_from_wire,
    officer_token_from_wire,
    status_from_wire,
    time_from_wire,
    time_to_wire,
)
from shared.client.officer_types import (
    AuditEntry,
    EnrolmentTokenFile,
    NodeChange,
    NodeInfo,
    NodeState,
    OfficerCertificate,
    OfficerRole,
    OfficerToken,
    OfficerTokenInfo,
    RegulatorStatus,
)
from shared.mapping.licence import licence_to_wire
from shared.mapping.policy import policy_from_wire, policy_to_wire
from shared.mapping.policy_preview import PolicyPreview, preview_from_wire
from shared.pb.filingnet.regulator.v1 import network_service_pb2, network_service_pb2_grpc
from shared.provisions.licences import Licence
from shared.provisions.policy import Policy

PAGE_ROWS: Final = 500


class NetworkCalls(Client):
    """The calls of NetworkService; part of `OfficerClient`.

    Args:
        connection: to the node.
    """

    async def status(self) -> RegulatorStatus:
        """Reads the node's state."""
        answer = await self._connection.call(self._network.GetStatus, network_service_pb2.GetStatusRequest())
        return status_from_wire(answer)

    async def nodes(self) -> AsyncIterator[NodeInfo]:
        """Iterates over the nodes of the directory, by name."""
        request = network_service_pb2.ListNodesRequest(page_size=PAGE_ROWS)
        async for page in self._connection.pages(self._network.ListNodes, request):
            for node in page.nodes:
                yield node_from_wire(node)

    async def create_token(
        self,
        node_name: str,
        *,
        title: str = "",
        jurisdiction: str = "",
        licence: Licence | None = None,
        lifetime_hours: int = 0,
        rejoin: bool = False,
    ) -> EnrolmentTokenFile:
        """Makes a one-time token with which one node may join. The nation's node only.

        Args:
            node_name: "provider/wave" or "regulator/330000".
            title: public name of the company or the office; not read to rejoin.
            jurisdiction: a provider's; empty for a regulator.
            licence: a provider's (Art. 4); None for a regulator.
            lifetime_hours: until the token ends; 0 for 24.
            rejoin: whether it is for a node that has joined and whose certificate ended.

        Raises:
            AlreadyExists: NODE_EXISTS; NotFound: NODE_UNKNOWN; InvalidInput: JURISDICTION_MISSING, LICENCE_MISSING.
        """
        request = network_service_pb2.CreateEnrolmentTokenRequest(
            node_name=node_name,
            title=title,
            jurisdiction=jurisdiction,
            licence=licence_to_wire(licence) if licence is not None else None,
            lifetime_hours=lifetime_hours,
            rejoin=rejoin,
        )
        answer = await self._connection.call(self._network.CreateEnrolmentToken, request)
        return EnrolmentTokenFile(answer.token_file, time_from_wire(answer.expire_time))

    async def set_node_state(self, node_name: str, state: NodeState) -> NodeChange:
        """Sets whether a node may take part; a denied one is refused at its next call. The nation's node only."""
        request = network_service_pb2.SetNodeStateRequest(
            node_name=node_name,
            state=int(state),  # type: ignore[arg-type]
        )
        answer = await self._connection.call(self._network.SetNodeState, request)
        return NodeChange(node_from_wire(answer.node), answer.directory_version)

    async def set_licence(self, node_name: str, licence: Licence) -> NodeChange:
        """Sets a provider's licence (Art. 4). The nation's node only."""
        request = network_service_pb2.SetLicenceRequest(node_name=node_name, licence=licence_to_wire(licence))
        answer = await self._connection.call(self._network.SetLicence, request)
        return NodeChange(node_from_wire(answer.node), answer.directory_version)

    async def transfer_provider(self, node_name: str, to_jurisdiction: str) -> NodeChange:
        """Transfers a provider to another jurisdiction, with its history (Art. 3). The nation's node only.

        Raises:
            NotFound: NODE_UNKNOWN; FailedPrecondition: REGULATOR_MISSING, FILES_THERE_ALREADY, PROVIDER_MOVES.
        """
        request = network_service_pb2.TransferProviderRequest(node_name=node_name, to_jurisdiction=to_jurisdiction)
        answer = await self._connection.call(self._network.TransferProvider, request)
        return NodeChange(node_from_wire(answer.node), answer.directory_version)

    async def set_endpoint(self, node_name: str, endpoint: str) -> NodeChange:
        """Sets where a regulator listens, host:port of its network listener. The nation's node only."""
        request = network_service_pb2.SetEndpointRequest(node_name=node_name, endpoint=endpoint)
        answer = await self._connection.call(self._network.SetEndpoint, request)
        return NodeChange(node_from_wire(answer.node), answer.directory_version)

    async def add_signing_key(self, node_name: str, public_key: bytes) -> NodeChange:
        """Adds a key with which a node will sign, 32 bytes (Ed25519). The nation's node only.

        Raises:
            NotFound: NODE_UNKNOWN; FailedPrecondition: TOO_MANY_KEYS.
        """
        request = network_service_pb2.AddSigningKeyRequest(node_name=node_name, public_key=public_key)
        answer = await self._connection.call(self._network.AddSigningKey, request)
        return NodeChange(node_from_wire(answer.node), answer.directory_version)

    async def officer_tokens(self) -> list[OfficerTokenInfo]:
        """Lists the bearer tokens of this node's officers that have not ended."""
        request = network_service_pb2.ListOfficerTokensRequest()
        answer = await self._connection.call(self._network.ListOfficerTokens, request)
        return list(map(officer_token_from_wire, answer.tokens))

    async def revoke_officer_token(self, token_id: str) -> OfficerTokenInfo:
        """Revokes one bearer token; it is refused at its next call.

        Raises:
            NotFound: TOKEN_UNKNOWN.
        """
        request = network_service_pb2.RevokeOfficerTokenRequest(token_id=token_id)
        answer = await self._connection.call(self._network.RevokeOfficerToken, request)
        return officer_token_from_wire(answer.token)

    async def publish_policy(self, policy: Policy, *, validate_only: bool = False) -> Policy:
        """Publishes the next policy, or only says what it would be refused for. The nation's node only.

        Raises:
            InvalidInput: POLICY_SUCCESSION, with what is wrong field by field; `preview_policy` says it beforehand.
        """
        request = network_service_pb2.PublishPolicyRequest(policy=policy_to_wire(policy), validate_only=validate_only)
        answer = await self._connection.call(self._network.PublishPolicy, request)
        return policy_from_wire(answer.policy)

    async def preview_policy(self, policy: Policy) -> PolicyPreview:
        """Asks what would change if a policy were published, rule by rule and for what the node's register holds."""
        request = network_service_pb2.PreviewPolicyRequest(policy=policy_to_wire(policy))
        return preview_from_wire(await self._connection.call(self._network.PreviewPolicy, request))

    async def policy(self, time: datetime | None = None) -> Policy:
        """Reads the policy in force at a time, aware; now if left out."""
        request = network_service_pb2.GetPolicyRequest(time=time_to_wire(time))
        return policy_from_wire((await self._connection.call(self._network.GetPolicy, request)).policy)

    async def create_officer_token(self, post: str, role: OfficerRole, *, lifetime_hours: int = 0) -> OfficerToken:
        """Makes a bearer token for an officer of this node.

        Args:
            post: the officer's post, never a person's name, e.g. "review-desk-2".
            role: what it may do.
            lifetime_hours: until the token ends; 0 for 12.
        """
        request = network_service_pb2.CreateOfficerTokenRequest(
            officer=post,
            role=int(role),  # type: ignore[arg-type]
            lifetime_hours=lifetime_hours,
        )
        answer = await self._connection.call(self._network.CreateOfficerToken, request)
        return OfficerToken(answer.token, time_from_wire(answer.expire_time))

    async def issue_officer_certificate(
        self, jurisdiction: str, post: str, role: OfficerRole, certificate_request: str, *, lifetime_hours: int = 0
    ) -> OfficerCertificate:
        """Has a certificate for an officer's post signed. The nation's node only.

        Args:
            jurisdiction: the one the officer serves.
            post: the officer's post, never a person's name.
            role: what it may do.
            certificate_request: PKCS #10 in PEM; the private key stays with the officer.
            lifetime_hours: until the certificate ends; 0 for 24.
        """
        request = network_service_pb2.IssueOfficerCertificateRequest(
            jurisdiction=jurisdiction,
            officer=post,
            role=int(role),  # type: ignore[arg-type]
            certificate_request=certificate_request,
            lifetime_hours=lifetime_hours,
        )
        answer = await self._connection.call(self._network.IssueOfficerCertificate, request)
        return OfficerCertificate(answer.certificate_chain, time_from_wire(answer.expire_time))

    async def audit(self) -> AsyncIterator[AuditEntry]:
        """Iterates over who asked this node for what, newest first."""
        request = network_service_pb2.ListAuditEntriesRequest(page_size=PAGE_ROWS)
        async for page in self._connection.pages(self._network.ListAuditEntries, request):
            for entry in page.entries:
                yield audit_entry_from_wire(entry)

    @property
    def _network(self) -> Any:
        return self._connection.stub(network_service_pb2_grpc.NetworkServiceStub)
