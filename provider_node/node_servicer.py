"""NodeService of the local API: parses, calls, maps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, TypeAlias

import grpc

from provider_node.account_messages import evidence_to_wire, status_to_wire
from provider_node.accounts import Accounts
from provider_node.evidence import EvidenceReader
from provider_node.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from provider_node.status import StatusReader
from provider_node.subject_messages import audit_entry_to_wire
from provider_node.vault import Vault
from shared.network import NetworkView
from shared.pb.filingnet.provider.v1 import node_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import node_service_pb2_grpc

Context: TypeAlias = grpc.aio.ServicerContext
NEWEST: Final = (2**62,)


class NodeServicer(node_service_pb2_grpc.NodeServiceServicer):
    """Serves what concerns the node itself."""

    def __init__(
        self, status: StatusReader, accounts: Accounts, vault: Vault, view: NetworkView, evidence: EvidenceReader
    ) -> None:
        self._evidence = evidence
        self._status = status
        self._accounts = accounts
        self._vault = vault
        self._view = view

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:  # noqa: N802
        """Reads the node's state."""
        return status_to_wire(await self._status.read())

    async def ReplayAccount(  # noqa: N802
        self, request: pb.ReplayAccountRequest, context: Context
    ) -> pb.ReplayAccountResponse:
        """Queues the refused filings of an account again."""
        return pb.ReplayAccountResponse(queued=await self._accounts.replay(request.account_id))

    async def ListAuditEntries(  # noqa: N802
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """Lists who touched identities."""
        of_list, size = f"audit {request.reference.hex()}", request.page_size or DEFAULT_PAGE_SIZE
        (before,) = position_of(of_list, request.page_token, NEWEST)
        found = await self._vault.audit_trail(request.reference or None, before=int(before), limit=size + 1)
        following = page_token(of_list, (found[size - 1].number,)) if len(found) > size else ""
        entries = map(audit_entry_to_wire, found[:size])
        return pb.ListAuditEntriesResponse(entries=entries, next_page_token=following)

    async def GetKeyRing(self, request: pb.GetKeyRingRequest, context: Context) -> pb.GetKeyRingResponse:  # noqa: N802
        """Reads the public keys of the network's nodes."""
        return pb.GetKeyRingResponse(key_ring=self._view.key_ring().to_json())

    async def ExportEvidence(  # noqa: N802
        self, request: pb.ExportEvidenceRequest, context: Context
    ) -> AsyncIterator[pb.ExportEvidenceResponse]:
        """Streams all that the node can prove."""
        total = await self._evidence.total()
        async for page in self._evidence.pages():
            yield pb.ExportEvidenceResponse(evidence=map(evidence_to_wire, page), total=total)
