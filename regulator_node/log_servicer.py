"""Serves the logs themselves as evidence to officers and auditors: whole logs, and signed heads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import grpc

from regulator_node.audit import Audit
from regulator_node.audited import audited
from regulator_node.log import log_size, read_checkpoint
from regulator_node.log_proofs import read_head
from regulator_node.stored_runs import read_runs
from regulator_node.witness import read_cosigned
from shared.database import Database, Transaction
from shared.errors import InvalidInput, NotFound, Violation
from shared.pb.filingnet.network.v1 import evidence_pb2
from shared.pb.filingnet.regulator.v1 import log_service_pb2 as wire
from shared.pb.filingnet.regulator.v1 import log_service_pb2_grpc
from shared.server import recheck_caller

SERVICE: Final = "/filingnet.regulator.v1.LogService/"
MAX_RUNS: Final = 100
MAX_PAGE_BYTES: Final = 2 * 1024 * 1024


class LogServicer(log_service_pb2_grpc.LogServiceServicer):
    """Serves LogService.

    Args:
        database: the register.
        jurisdiction: this regulator's.
        audit: the trail.
    """

    def __init__(self, database: Database, jurisdiction: str, audit: Audit) -> None:
        self._database = database
        self._jurisdiction = jurisdiction
        self._audit = audit

    async def ExportLog(  # noqa: N802
        self, request: wire.ExportLogRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[wire.ExportLogResponse]:
        """Streams a log to where it ends now."""
        jurisdiction, index = request.jurisdiction or self._jurisdiction, request.from_index
        await self._audit.record(f"{SERVICE}ExportLog", f"jurisdiction {jurisdiction} from {index}")
        end = await self._database.read(lambda transaction: _end_of(transaction, jurisdiction, index))
        if index == end:
            yield wire.ExportLogResponse(head_size=end)
        while index < end:
            # An export takes minutes: whoever is no longer allowed it gets no further page.
            recheck_caller(context)
            runs = await self._database.read(partial(_read_page, jurisdiction, index))
            if not runs or runs[0].first_index != index:
                raise _no_run_begins(index)
            index = runs[-1].first_index + len(runs[-1].entries)
            yield wire.ExportLogResponse(runs=runs, head_size=max(end, index))

    async def GetCheckpoint(  # noqa: N802
        self, request: wire.GetCheckpointRequest, context: grpc.aio.ServicerContext
    ) -> wire.GetCheckpointResponse:
        """Reads a signed head."""
        del context
        jurisdiction = request.jurisdiction or self._jurisdiction

        def read(transaction: Transaction) -> wire.GetCheckpointResponse:
            size, note, path = read_head(transaction, jurisdiction, request.old_size, cosigned=request.cosigned)
            return wire.GetCheckpointResponse(
                checkpoint=note,
                size=size,
                consistency_path=path,
                cosigned_size=read_cosigned(transaction, jurisdiction)[0],
            )

        detail = f"jurisdiction {jurisdiction} old_size {request.old_size}"
        return await audited(self._audit, f"{SERVICE}GetCheckpoint", detail, self._database.read(read))


def _read_page(jurisdiction: str, index: int, transaction: Transaction) -> list[evidence_pb2.Run]:
    return read_runs(transaction, jurisdiction, index, MAX_RUNS, MAX_PAGE_BYTES)


def _end_of(transaction: Transaction, jurisdiction: str, index: int) -> int:
    size = log_size(transaction, jurisdiction)
    if not read_checkpoint(transaction, jurisdiction):
        raise NotFound(f"nothing of the log of {jurisdiction} is held here: ask its regulator", "LOG_UNKNOWN")
    if index > size:
        raise _no_run_begins(index)
    return size


def _no_run_begins(index: int) -> InvalidInput:
    mend = "begin at 0, or where an earlier export ended"
    violation = Violation("from_index", "LOG_INDEX_UNKNOWN", mend)
    return InvalidInput(f"no run of that log begins at {index}: {mend}", "LOG_INDEX_UNKNOWN", [violation])
