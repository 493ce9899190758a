"""The calls of `OfficerClient` about news labels: search, what was stated of a grant, decide (Art. 7)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from shared.client.connection import Connection
from shared.client.officer_label_types import (
    Label,
    LabelAction,
    LabelBasis,
    LabelFilter,
    LabelScope,
    LabelState,
    LabelVerdict,
    LabelVerdictResult,
)
from shared.client.officer_mapping import time_from_wire, time_to_wire
from shared.pb.filingnet.regulator.v1 import label_service_pb2, label_service_pb2_grpc

MOST_VERDICTS: Final = 500
"""Verdicts of one request; more are sent in several."""

PAGE_ROWS: Final = 500
"""Grants that one call asks for."""

ALL_LABELS: Final = LabelFilter()


class LabelCalls:
    """Calls about labels."""

    _connection: Connection

    async def search_labels(
        self, given: LabelFilter = ALL_LABELS, *, page_size: int = PAGE_ROWS
    ) -> AsyncIterator[Label]:
        """Iterates over all grants that match, those first that end first, as they stand at the first page.

        Args:
            given: which grants.
            page_size: grants a call, at most 1,000.
        """
        request = label_service_pb2.SearchLabelsRequest(
            jurisdiction=given.jurisdiction,
            provider=given.provider,
            account_id=given.account_id,
            basis=int(given.basis),  # type: ignore[arg-type]
            state=int(given.state),  # type: ignore[arg-type]
            end_before_time=time_to_wire(given.end_before),
            page_size=page_size,
        )
        async for page in self._connection.pages(self._labels.SearchLabels, request):
            for message in page.labels:
                yield _label(message)

    async def label_revisions(self, jurisdiction: str, provider: str, grant_id: str) -> list[Label]:
        """Reads what was stated of a grant, newest first.

        Raises:
            NotFound: GRANT_UNKNOWN.
        """
        request = label_service_pb2.ListLabelRevisionsRequest(
            jurisdiction=jurisdiction, provider=provider, grant_id=grant_id
        )
        answer = await self._connection.call(self._labels.ListLabelRevisions, request)
        return [_label(message) for message in answer.revisions]

    async def decide_labels(
        self, verdicts: Sequence[LabelVerdict], *, request_id: str = ""
    ) -> list[LabelVerdictResult]:
        """Decides on grants of the node's own jurisdiction; each verdict is judged by itself.

        Args:
            verdicts: any number; each 500 are one request.
            request_id: a UUID, kept with the verdicts, so that the same call gets the same answer; a new one if empty.

        Returns:
            One result per verdict, in order.

        Raises:
            Conflict: REQUEST_ID_REUSED.
        """
        name = uuid.UUID(request_id) if request_id else uuid.uuid4()
        results: list[LabelVerdictResult] = []
        for start in range(0, len(verdicts), MOST_VERDICTS):
            request = label_service_pb2.DecideLabelsRequest(
                request_id=str(name if start == 0 else uuid.uuid5(name, str(start))),
                verdicts=map(_verdict, verdicts[start : start + MOST_VERDICTS]),
            )
            answer = await self._connection.call(self._labels.DecideLabels, request)
            results += map(_result, answer.results)
        return results

    @property
    def _labels(self) -> Any:
        return self._connection.stub(label_service_pb2_grpc.LabelServiceStub)


def _label(message: label_service_pb2.Label) -> Label:
    return Label(
        message.jurisdiction,
        message.provider,
        message.account_id,
        message.display_name,
        message.grant_id,
        message.revision,
        LabelAction(message.action),
        LabelBasis(message.basis),
        message.licence_number,
        LabelScope(message.scope),
        time_from_wire(message.start_time),
        time_from_wire(message.end_time),
        LabelState(message.state),
        message.reason,
        message.note,
        message.log_index,
        message.etag,
        time_from_wire(message.filed_time),
    )


def _verdict(verdict: LabelVerdict) -> label_service_pb2.LabelVerdict:
    return label_service_pb2.LabelVerdict(
        provider=verdict.provider,
        grant_id=verdict.grant_id,
        revision=verdict.revision,
        outcome=int(verdict.outcome),  # type: ignore[arg-type]
        scope=int(verdict.scope),  # type: ignore[arg-type]
        end_time=time_to_wire(verdict.end_time),
        reason=verdict.reason,
        note=verdict.note,
        etag=verdict.etag,
    )


def _result(message: label_service_pb2.LabelVerdictResult) -> LabelVerdictResult:
    stands = not message.error_reason
    return LabelVerdictResult(message.error_reason, message.error_message, message.log_index if stands else None)
