"""PublicationService of the local API: the gate. It is on the path of every post, so its answers are made once.

A request is checked against its contract here: the few rules of this message, written out, cost a hundredth of the
general check, which is asked only to say what is wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

import grpc

from provider_node.gate import Gate
from shared.pb.filingnet.provider.v1 import publication_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import publication_service_pb2_grpc
from shared.provisions.publication import Answer
from shared.provisions.spans import FOREVER
from shared.validation import validate

Context: TypeAlias = grpc.aio.ServicerContext

CHECKED_HERE: Final = frozenset({"/filingnet.provider.v1.PublicationService/CheckPublication"})
"""Methods whose servicer checks the contract by itself."""

ANSWERS: Final = 8192
"""Most answers kept as messages."""

_UUID: Final = re.compile("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}").fullmatch


class PublicationServicer(publication_service_pb2_grpc.PublicationServiceServicer):
    """Serves the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def CheckPublication(  # noqa: N802
        self, request: pb.CheckPublicationRequest, context: Context
    ) -> pb.CheckPublicationResponse:
        """Answers whether an account may do something now."""
        if not surely_kept(request):
            validate(request)
        # Numbers as they came: the rules compare numbers, and the contract has just been checked.
        answer = await self._gate.check(
            request.account_id,
            request.act,  # type: ignore[arg-type]
            request.is_news,
            request.audience,  # type: ignore[arg-type]
            request.form,  # type: ignore[arg-type]
        )
        return answer_to_wire(answer)


def surely_kept(request: pb.CheckPublicationRequest) -> bool:
    """Tells whether a request keeps its field rules for sure; where it does not, protovalidate has the last word."""
    return (
        0 < request.act < 4
        and 0 < request.audience < 3
        and 0 < request.form < 4
        and _UUID(request.account_id) is not None
    )


@lru_cache(maxsize=ANSWERS)
def answer_to_wire(answer: Answer) -> pb.CheckPublicationResponse:
    """Returns the message of an answer."""
    message = pb.CheckPublicationResponse(
        allowed=answer.allowed,
        reason=answer.reason,
        steps=[
            pb.ReasoningStep(article=each.article, kind=each.kind, id=each.id, finding=each.finding)
            for each in answer.chain
        ],
        label=int(answer.label),  # type: ignore[arg-type]
    )
    if answer.holds_until != FOREVER:
        message.hold_until_time.FromMicroseconds(answer.holds_until)
    return message
