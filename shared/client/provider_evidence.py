"""What a provider's node can prove, as its backend fetches it: pieces of evidence for `filing-verify`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from shared.channel import translated_stream
from shared.client.connection import Client
from shared.client.provider_mapping import evidence_from_wire
from shared.client.provider_types import EvidencePiece
from shared.pb.filingnet.provider.v1 import node_service_pb2, node_service_pb2_grpc

EXPORT_SECONDS: Final = 3600.0
"""Deadline of one export."""


class EvidenceCalls(Client):
    """The export of evidence; part of `ProviderClient`.

    Args:
        connection: to the node.
    """

    async def evidence(self) -> AsyncIterator[tuple[EvidencePiece, int]]:
        """Iterates over all that the node can prove, each piece with how many there are in all."""
        stub: Any = self._connection.stub(node_service_pb2_grpc.NodeServiceStub)
        call = stub.ExportEvidence(node_service_pb2.ExportEvidenceRequest(), timeout=EXPORT_SECONDS)
        try:
            async for page in translated_stream(call):
                for piece in page.evidence:
                    yield evidence_from_wire(piece), page.total
        finally:
            call.cancel()
