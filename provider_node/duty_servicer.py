"""DutyService of the local API: parses, calls, maps."""

from __future__ import annotations

from typing import TypeAlias

import grpc

from provider_node.account_messages import filing_to_wire
from provider_node.duties import Duties
from shared.pb.filingnet.network.v1 import duty_pb2
from shared.pb.filingnet.provider.v1 import duty_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import duty_service_pb2_grpc

Context: TypeAlias = grpc.aio.ServicerContext


class DutyServicer(duty_service_pb2_grpc.DutyServiceServicer):
    """Serves what concerns the provider's own duties."""

    def __init__(self, duties: Duties) -> None:
        self._duties = duties

    async def FileDutyProfile(  # noqa: N802
        self, request: pb.FileDutyProfileRequest, context: Context
    ) -> pb.FileDutyProfileResponse:
        """Files the next profile."""
        filed = await self._duties.file(
            duty_pb2.DutyProfile(
                duties=request.duties, staff=request.staff, users=request.users, counted_time=request.counted_time
            )
        )
        return pb.FileDutyProfileResponse(profile=filed.profile, status=filing_to_wire(filed.status))

    async def GetDutyProfile(  # noqa: N802
        self, request: pb.GetDutyProfileRequest, context: Context
    ) -> pb.GetDutyProfileResponse:
        """Reads the newest profile."""
        filed = await self._duties.newest()
        if filed is None:
            return pb.GetDutyProfileResponse()
        return pb.GetDutyProfileResponse(profile=filed.profile, status=filing_to_wire(filed.status))
