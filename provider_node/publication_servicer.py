"""PublicationService of the local API: the gate. It is on the path of every post, so its answers are made once.

What may be said of accounts that have neither grant nor measure, which is most of them, is a small table of finished
answers. Where it has none, the request is checked against its contract: the few rules of this message, written out, cost
a hundredth of the general check, which is asked only to say what is wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product
from typing import Final, TypeAlias

import grpc

from provider_node.gate import Gate
from shared.pb.filingnet.provider.v1 import publication_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import publication_service_pb2_grpc
from shared.provisions.provider_standing import LicenceSpan
from shared.provisions.publication import (
    AccountState,
    Answer,
    Audience,
    PublicationAct,
    PublicationForm,
    check_publication,
)
from shared.provisions.spans import FOREVER
from shared.validation import validate

Context: TypeAlias = grpc.aio.ServicerContext

CHECKED_HERE: Final = frozenset({"/filingnet.provider.v1.PublicationService/CheckPublication"})
"""Methods whose servicer checks the contract by itself."""

ANSWERS: Final = 8192
"""Most answers kept as bytes, beside the table."""

_PUBLIC: Final = int(Audience.PUBLIC)

_UUID: Final = re.compile("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}").fullmatch


class PublicationServicer(publication_service_pb2_grpc.PublicationServiceServicer):
    """Serves the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def CheckPublication(  # noqa: N802
        self, request: pb.CheckPublicationRequest, context: Context
    ) -> bytes:
        """Answers whether an account may do something now, by a message's bytes."""
        # Of a private act nothing is looked up.
        if request.audience == _PUBLIC:
            state = self._gate.plain_state(request.account_id)
            known = PLAIN_ANSWERS.get((state, request.act, request.is_news, request.form))
            if known is not None:
                return known
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
        return answer_bytes(answer)


def surely_kept(request: pb.CheckPublicationRequest) -> bool:
    """Tells whether a request keeps its field rules for sure; where it does not, protovalidate has the last word."""
    return (
        0 < request.act < 4
        and 0 < request.audience < 3
        and 0 < request.form < 4
        and _UUID(request.account_id) is not None
    )


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


@lru_cache(maxsize=ANSWERS)
def answer_bytes(answer: Answer) -> bytes:
    """Returns the bytes of an answer's message."""
    return answer_to_wire(answer).SerializeToString()


def _plain_answer(state: AccountState, act: PublicationAct, is_news: bool, form: PublicationForm) -> bytes:
    # No rule about an account without grants asks for the provider's licence, or for the time.
    any_licence = LicenceSpan(0, FOREVER)
    answer = check_publication(state, act, is_news, Audience.PUBLIC, form, (), (), any_licence, 0)
    return answer_bytes(answer)


PLAIN_ANSWERS: Final[dict[tuple[int | None, int, bool, int], bytes]] = {
    (int(state), int(act), is_news, int(form)): _plain_answer(state, act, is_news, form)
    for state, act, is_news, form in product(AccountState, PublicationAct, (False, True), PublicationForm)
    if act and form
}
"""What a public act of an account without grant or measure is answered, by state, act, whether it is news, and form."""
