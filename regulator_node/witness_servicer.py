"""Takes this regulator's checkpoints back, cosigned by another: from then on what lies below them is final.

Shows its newest checkpoint to those who cosign without holding a copy of the log, and proves to providers that their
entries lie below a cosigned one. At the nation it also gives a province its own log back, as it is held here. Hashes of
ranges let two nodes find where what they hold differs.
"""

from __future__ import annotations

import asyncio

import grpc

from regulator_node.follow_servicer import MAX_PAGE_BYTES, MAX_RUNS
from regulator_node.log import log_size, read_checkpoint, read_log
from regulator_node.log_proofs import prove_final, read_head
from regulator_node.nation_witness import read_known
from regulator_node.own_log import LOST_MEND, MENDS, OwnLogGuard
from regulator_node.range_roots import read_range_roots
from regulator_node.stored_runs import read_runs
from regulator_node.witness import Witness
from shared.changes import Changes
from shared.database import Database, Transaction
from shared.errors import FailedPrecondition, InvalidInput, PermissionDenied
from shared.evidence.forks import size_of
from shared.evidence.own_log import LogStanding
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import witness_service_pb2, witness_service_pb2_grpc
from shared.provisions.regions import NATION
from shared.server import current_caller
from shared.trust.callers import Role


class WitnessServicer(witness_service_pb2_grpc.WitnessServiceServicer):
    """Stores cosignatures, and gives others their own logs back.

    Args:
        database: the register.
        jurisdiction: this regulator's.
        witness: verifies and stores them.
        view: the documents held; the cosigner's keys are in its directory.
        log_changes: told of a stored one, so that providers hear that their filings are final.
        guard: compares the own log with what others hold of it.
    """

    def __init__(
        self,
        database: Database,
        jurisdiction: str,
        witness: Witness,
        view: NetworkView,
        log_changes: Changes,
        guard: OwnLogGuard,
    ) -> None:
        self._guard = guard
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
        self._witness.check_cosigned(checkpoint, keys, caller)
        standing = await self._guard.judge(checkpoint)
        if standing is not LogStanding.WHOLE:
            message = "that head is not one of this log as it is now: keep it, this regulator's office is told"
            raise FailedPrecondition(message, MENDS.get(standing, LOST_MEND)[0])
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
        try:
            _, checkpoint, path = await self._database.read(
                lambda transaction: read_head(transaction, self._jurisdiction, request.old_size)
            )
        except InvalidInput:
            await asyncio.to_thread(self._guard.missed, request.old_size)
            raise
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

    async def GetRangeRoots(  # noqa: N802
        self, request: witness_service_pb2.GetRangeRootsRequest, context: grpc.aio.ServicerContext
    ) -> witness_service_pb2.GetRangeRootsResponse:
        """Reads the hashes of ranges of this log, or of the caller's as it is held here."""
        del context
        caller = current_caller()
        if request.callers_log and caller.role is Role.NATION and not request.ranges:
            cosigned, newest = await self._database.read(read_known)
            return witness_service_pb2.GetRangeRootsResponse(
                size=size_of(cosigned) if cosigned else 0, checkpoint=cosigned, newest_checkpoint=newest
            )
        elsewhere = request.callers_log and (caller.role is not Role.PROVINCE or self._jurisdiction != NATION)
        if elsewhere or (request.from_entries and caller.role is Role.PROVIDER):
            message = (
                f"{caller.name} may not ask for that here: ask for the log of this regulator, as it was acknowledged"
            )
            raise PermissionDenied(message, "METHOD_DENIED")
        jurisdiction = caller.jurisdiction if request.callers_log else self._jurisdiction
        ranges = [(each.start, each.end) for each in request.ranges]

        def read(transaction: Transaction) -> witness_service_pb2.GetRangeRootsResponse:
            size, checkpoint = read_log(transaction, jurisdiction)
            roots = read_range_roots(transaction, jurisdiction, ranges, from_entries=request.from_entries)
            # An empty copy has no checkpoint yet; what it would hold in its place is not the caller's.
            return witness_service_pb2.GetRangeRootsResponse(
                roots=roots, size=size, checkpoint=checkpoint if size else b""
            )

        return await self._database.read(read)
