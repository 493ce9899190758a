"""Takes this regulator's checkpoints back, cosigned by another: from then on what lies below them is final.

Shows its newest checkpoint to those who cosign without holding a copy of the log, and proves to providers that their
entries lie below a cosigned one. At the nation it also gives a province its own log back, as it is held here.
"""

from __future__ import annotations

import grpc

from regulator_node.follow_servicer import MAX_PAGE_BYTES, MAX_RUNS
from regulator_node.log import log_size, read_checkpoint, read_runs
from regulator_node.log_proofs import prove_final, read_head
from regulator_node.witness import Witness
from shared.changes import Changes
from shared.database import Database, Transaction
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import witness_service_pb2, witness_service_pb2_grpc
from shared.server import current_caller


class WitnessServicer(witness_service_pb2_grpc.WitnessServiceServicer):
    """Stores cosignatures, and gives others their own logs back.

    Args:
        database: the register.
        jurisdiction: this regulator's.
        witness: verifies and stores them.
        view: the documents held; the cosigner's keys are in its directory.
        log_changes: told of a stored one, so that providers hear that their filings are final.
    """

    def __init__(
        self, database: Database, jurisdiction: str, witness: Witness, view: NetworkView, log_changes: Changes
    ) -> None:
        self._database = database
        self._jurisdiction = jurisdiction
        self._witness = witness
        self._view = view
        self._log_changes = log_changes

    async def SubmitCosignature(  # noqa: N802
        self, request: witness_service_pb2.SubmitCosignatureRequest, context: grpc.aio.ServicerContext
    ) -> witness_service_pb2.SubmitCosignatureResponse:
        """Stores a cosigned checkpoint of this regulator's log."""
        del context
        checkpoint, caller, keys = request.checkpoint, current_caller().name, self._view.directory.key_ring()
        size = await self._database.write(
            lambda transaction: self._witness.store_cosignature(transaction, checkpoint, keys, caller)
        )
        self._log_changes.notify()
        return witness_service_pb2.SubmitCosignatureResponse(size=size)

    async def FetchLog(  # noqa: N802
        self, request: witness_service_pb2.FetchLogRequest, context: grpc.aio.ServicerContext
    ) -> witness_service_pb2.FetchLogResponse:
        """Gives the caller its own log back, as it is held here."""
        del context
        caller = current_caller().jurisdiction

        def read(transaction: Transaction) -> witness_service_pb2.FetchLogResponse:
            size = log_size(transaction, caller)
            # An empty copy has no checkpoint yet; what it would hold in its place is not the caller's.
            checkpoint = read_checkpoint(transaction, caller) if size else b""
            response = witness_service_pb2.FetchLogResponse(size=size, checkpoint=checkpoint)
            if not request.head_only:
                response.runs.extend(read_runs(transaction, caller, request.from_index, MAX_RUNS, MAX_PAGE_BYTES))
            return response

        return await self._database.read(read)

    async def GetHead(  # noqa: N802
        self, request: witness_service_pb2.GetHeadRequest, context: grpc.aio.ServicerContext
    ) -> witness_service_pb2.GetHeadResponse:
        """Reads the newest checkpoint with the proof that it continues an older one."""
        del context
        _, checkpoint, path = await self._database.read(
            lambda transaction: read_head(transaction, self._jurisdiction, request.old_size)
        )
        return witness_service_pb2.GetHeadResponse(checkpoint=checkpoint, consistency_path=path)

    async def ProveFinal(  # noqa: N802
        self, request: witness_service_pb2.ProveFinalRequest, context: grpc.aio.ServicerContext
    ) -> witness_service_pb2.ProveFinalResponse:
        """Proves that what was acknowledged lies below a cosigned checkpoint."""
        del context
        checkpoint, beyond = await self._database.read(
            lambda transaction: prove_final(transaction, self._jurisdiction, request.sizes)
        )
        proofs = [witness_service_pb2.TreeBeyond(size=size, hashes=b"".join(beyond[size])) for size in request.sizes]
        return witness_service_pb2.ProveFinalResponse(checkpoint=checkpoint, beyond=proofs)
