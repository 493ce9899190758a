"""Labels, the gate and the provider's duties: the calls of LabelService, PublicationService and DutyService."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from shared.client.connection import Connection
from shared.client.label_mapping import (
    duty_profile_to_wire,
    filed_profile_from_wire,
    label_from_wire,
    publication_answer_from_wire,
    set_licence,
)
from shared.client.label_types import (
    DutyProfile,
    FiledDutyProfile,
    Label,
    LabelState,
    PublicationAnswer,
    SubjectLicence,
)
from shared.client.provider_mapping import set_time
from shared.pb.filingnet.network.v1 import label_pb2
from shared.pb.filingnet.provider.v1 import (
    duty_service_pb2,
    duty_service_pb2_grpc,
    label_service_pb2,
    label_service_pb2_grpc,
    publication_service_pb2,
    publication_service_pb2_grpc,
)
from shared.provisions.labels import LabelBasis, LabelScope
from shared.provisions.publication import Audience, PublicationAct, PublicationForm

PAGE_ROWS: Final = 200


class LabelCalls:
    """Part of `ProviderClient`."""

    _connection: Connection

    async def grant_label(
        self,
        account_id: str,
        basis: LabelBasis,
        *,
        licence: SubjectLicence | None = None,
        scope: LabelScope = LabelScope.UNSPECIFIED,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        request_id: str = "",
    ) -> Label:
        """Grants a label (Art. 7). With the basis SPECIAL_APPROVAL it takes up the approval that was given, and asks
        for one where there is none.

        Args:
            account_id: the account.
            basis: why.
            licence: the subject's own; None for a special approval.
            scope: UNSPECIFIED for all that basis, licence and approval allow.
            start_time: aware; None for now.
            end_time: aware, exclusive; None for the end of the licence or the approval.
            request_id: a UUID, see ProviderClient.

        Raises:
            InvalidInput, FailedPrecondition: what the regulator would refuse, with the mend.
        """
        request = label_service_pb2.GrantLabelRequest(
            request_id=request_id or str(uuid.uuid4()),
            account_id=account_id,
            basis=label_pb2.LabelBasis.Name(basis),
            scope=label_pb2.LabelScope.Name(scope),
        )
        set_licence(request, licence)
        set_time(request, "start_time", start_time)
        set_time(request, "end_time", end_time)
        return label_from_wire((await self._connection.call(self._labels.GrantLabel, request)).label)

    async def renew_label(
        self,
        grant_id: str,
        *,
        licence: SubjectLicence | None = None,
        end_time: datetime | None = None,
        etag: str = "",
    ) -> Label:
        """States a grant anew with a later end, before it lapses.

        Args:
            grant_id: the grant.
            licence: the renewed one; None for a special approval.
            end_time: aware, exclusive; None for the end of the licence or of the newest approval.
            etag: the grant's; empty to overwrite.
        """
        request = label_service_pb2.RenewLabelRequest(grant_id=grant_id, etag=etag)
        set_licence(request, licence)
        set_time(request, "end_time", end_time)
        return label_from_wire((await self._connection.call(self._labels.RenewLabel, request)).label)

    async def narrow_label(
        self,
        grant_id: str,
        *,
        scope: LabelScope = LabelScope.UNSPECIFIED,
        end_time: datetime | None = None,
        etag: str = "",
    ) -> Label:
        """States a grant anew with a smaller scope or an earlier end; what is left out is kept."""
        request = label_service_pb2.NarrowLabelRequest(
            grant_id=grant_id, scope=label_pb2.LabelScope.Name(scope), etag=etag
        )
        set_time(request, "end_time", end_time)
        return label_from_wire((await self._connection.call(self._labels.NarrowLabel, request)).label)

    async def revoke_label(self, grant_id: str, reason: str, *, etag: str = "") -> Label:
        """Revokes a grant; the right is closed when this returns.

        Args:
            grant_id: the grant.
            reason: code of a label reason of the policy in force.
            etag: the grant's; empty to overwrite.
        """
        request = label_service_pb2.RevokeLabelRequest(grant_id=grant_id, reason=reason, etag=etag)
        return label_from_wire((await self._connection.call(self._labels.RevokeLabel, request)).label)

    async def get_label(self, grant_id: str) -> Label:
        """Reads a grant; raises NotFound."""
        request = label_service_pb2.GetLabelRequest(grant_id=grant_id)
        return label_from_wire((await self._connection.call(self._labels.GetLabel, request)).label)

    async def labels(
        self,
        account_id: str = "",
        *,
        state: LabelState = LabelState.UNSPECIFIED,
        end_before: datetime | None = None,
    ) -> AsyncIterator[Label]:
        """Iterates over grants by their end: all, or those of an account, in a state, or that end before a time."""
        request = label_service_pb2.ListLabelsRequest(
            page_size=PAGE_ROWS, account_id=account_id, state=label_service_pb2.LabelState.Name(state)
        )
        set_time(request, "end_before_time", end_before)
        async for page in self._connection.pages(self._labels.ListLabels, request):
            for label in page.labels:
                yield label_from_wire(label)

    async def check_publication(
        self,
        account_id: str,
        act: PublicationAct,
        *,
        is_news: bool,
        audience: Audience = Audience.PUBLIC,
        form: PublicationForm = PublicationForm.PUBLIC_ACCOUNT,
    ) -> PublicationAnswer:
        """Asks the gate whether an account may do something now (Arts. 2, 7(2), 8(1)).

        Args:
            account_id: the account.
            act: what it is about to do.
            is_news: whether that is current-political news; the node reads no text.
            audience: who will see it; of what is private nothing is recorded.
            form: by which form.
        """
        request = publication_service_pb2.CheckPublicationRequest(
            account_id=account_id,
            act=publication_service_pb2.PublicationAct.Name(act),
            is_news=is_news,
            audience=publication_service_pb2.Audience.Name(audience),
            form=publication_service_pb2.PublicationForm.Name(form),
        )
        return publication_answer_from_wire(await self._connection.call(self._publication.CheckPublication, request))

    async def file_duty_profile(self, profile: DutyProfile) -> FiledDutyProfile:
        """Files the provider's next duty profile (Art. 5(1)); the same as the last one changes nothing."""
        wire = duty_profile_to_wire(profile)
        request = duty_service_pb2.FileDutyProfileRequest(
            duties=wire.duties, staff=wire.staff, users=wire.users, counted_time=wire.counted_time
        )
        return filed_profile_from_wire(await self._connection.call(self._duties.FileDutyProfile, request))

    async def duty_profile(self) -> FiledDutyProfile | None:
        """Reads the newest duty profile; None before the first."""
        answer = await self._connection.call(self._duties.GetDutyProfile, duty_service_pb2.GetDutyProfileRequest())
        return filed_profile_from_wire(answer) if answer.HasField("profile") else None

    @property
    def _labels(self) -> Any:
        return self._connection.stub(label_service_pb2_grpc.LabelServiceStub)

    @property
    def _publication(self) -> Any:
        return self._connection.stub(publication_service_pb2_grpc.PublicationServiceStub)

    @property
    def _duties(self) -> Any:
        return self._connection.stub(duty_service_pb2_grpc.DutyServiceStub)
