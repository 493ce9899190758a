"""Serves enrolment and the renewal of certificates, at the nation.

A token that comes again from other keys was stolen before or after it was used. Nobody can tell here which of the two is
the thief, so that both sides are told: whoever comes second by the answer, the office by its log and its audit trail.
"""

from __future__ import annotations

from typing import Final

import grpc
import structlog

from regulator_node.audit import Audit
from regulator_node.enrolments import Enrolments, TokenUsed
from shared.pb.filingnet.network.v1 import enrolment_service_pb2, enrolment_service_pb2_grpc
from shared.server import current_caller

ENROL: Final = "/filingnet.network.v1.EnrolmentService/Enrol"

log = structlog.get_logger(__name__)


class EnrolmentServicer(enrolment_service_pb2_grpc.EnrolmentServiceServicer):
    """Lets nodes join and keep their certificates.

    Args:
        enrolments: lets nodes join and certifies them.
        audit: the trail.
    """

    def __init__(self, enrolments: Enrolments, audit: Audit) -> None:
        self._enrolments = enrolments
        self._audit = audit

    async def Enrol(  # noqa: N802
        self, request: enrolment_service_pb2.EnrolRequest, context: grpc.aio.ServicerContext
    ) -> enrolment_service_pb2.EnrolResponse:
        """Lets a node join; its one-time token authenticates it."""
        try:
            return await self._enrolments.enrol(request)
        except TokenUsed as error:
            log.warning("token_used_again", node=error.node, peer=context.peer())
            await self._audit.record(ENROL, f"token of {error.node} sent again by other keys")
            raise

    async def RenewCertificate(  # noqa: N802
        self, request: enrolment_service_pb2.RenewCertificateRequest, context: grpc.aio.ServicerContext
    ) -> enrolment_service_pb2.RenewCertificateResponse:
        """Signs a new certificate for the caller."""
        del context
        issued = await self._enrolments.renew(current_caller().name, request.certificate_request)
        response = enrolment_service_pb2.RenewCertificateResponse(certificate_chain=issued.chain_pem)
        response.expire_time.FromDatetime(issued.expire_time)
        return response
