"""Serves enrolment and the renewal of certificates, at the nation."""

from __future__ import annotations

import grpc

from regulator_node.enrolments import Enrolments
from shared.pb.filingnet.network.v1 import enrolment_service_pb2, enrolment_service_pb2_grpc
from shared.server import current_caller


class EnrolmentServicer(enrolment_service_pb2_grpc.EnrolmentServiceServicer):
    """Lets nodes join and keep their certificates.

    Args:
        enrolments: lets nodes join and certifies them.
    """

    def __init__(self, enrolments: Enrolments) -> None:
        self._enrolments = enrolments

    async def Enrol(  # noqa: N802
        self, request: enrolment_service_pb2.EnrolRequest, context: grpc.aio.ServicerContext
    ) -> enrolment_service_pb2.EnrolResponse:
        """Lets a node join; its one-time token authenticates it."""
        del context
        return await self._enrolments.enrol(request)

    async def RenewCertificate(  # noqa: N802
        self, request: enrolment_service_pb2.RenewCertificateRequest, context: grpc.aio.ServicerContext
    ) -> enrolment_service_pb2.RenewCertificateResponse:
        """Signs a new certificate for the caller."""
        del context
        issued = await self._enrolments.renew(current_caller().name, request.certificate_request)
        response = enrolment_service_pb2.RenewCertificateResponse(certificate_chain=issued.chain_pem)
        response.expire_time.FromDatetime(issued.expire_time)
        return response
