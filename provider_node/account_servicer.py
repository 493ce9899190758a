"""AccountService of the local API: parses, calls, maps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc

from provider_node.account_messages import (
    account_to_wire,
    filing_to_wire,
    import_result_to_wire,
    time_from_wire,
)
from provider_node.accounts import Accounts
from provider_node.import_stream import receive
from provider_node.imports import Imports
from shared.pb.filingnet.provider.v1 import account_service_pb2 as pb
from shared.pb.filingnet.provider.v1 import account_service_pb2_grpc
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.filings import WithdrawalReason
from shared.server import recheck_caller

Context: TypeAlias = grpc.aio.ServicerContext


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """Serves what concerns accounts."""

    def __init__(self, accounts: Accounts, imports: Imports) -> None:
        self._accounts = accounts
        self._imports = imports

    async def OpenAccount(self, request: pb.OpenAccountRequest, context: Context) -> pb.OpenAccountResponse:  # noqa: N802
        """Opens an account."""
        account = await self._accounts.open(
            request.request_id, request.subject_reference, request.display_name, request.category
        )
        return pb.OpenAccountResponse(account=account_to_wire(account))

    async def ReviewAccount(  # noqa: N802
        self, request: pb.ReviewAccountRequest, context: Context
    ) -> pb.ReviewAccountResponse:
        """Records a review."""
        outcome = ReviewOutcome(request.outcome)
        account = await self._accounts.review(
            request.account_id, outcome, request.reason, request.etag, time_from_wire(request)
        )
        return pb.ReviewAccountResponse(account=account_to_wire(account))

    async def AmendAccount(  # noqa: N802
        self, request: pb.AmendAccountRequest, context: Context
    ) -> pb.AmendAccountResponse:
        """Amends an account."""
        account = await self._accounts.amend(
            request.account_id, request.display_name, request.category, request.etag, time_from_wire(request)
        )
        return pb.AmendAccountResponse(account=account_to_wire(account))

    async def WithdrawAccount(  # noqa: N802
        self, request: pb.WithdrawAccountRequest, context: Context
    ) -> pb.WithdrawAccountResponse:
        """Withdraws an account."""
        reason = WithdrawalReason(request.reason)
        account = await self._accounts.withdraw(request.account_id, reason, request.etag)
        return pb.WithdrawAccountResponse(account=account_to_wire(account))

    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:  # noqa: N802
        """Reads an account."""
        account = await self._accounts.get(request.account_id)
        return pb.GetAccountResponse(account=account_to_wire(account))

    async def ListAccounts(  # noqa: N802
        self, request: pb.ListAccountsRequest, context: Context
    ) -> pb.ListAccountsResponse:
        """Lists accounts."""
        state = FilingState(request.state)
        accounts, following = await self._accounts.list_page(state, request.page_size, request.page_token)
        return pb.ListAccountsResponse(accounts=map(account_to_wire, accounts), next_page_token=following)

    async def ListFilings(self, request: pb.ListFilingsRequest, context: Context) -> pb.ListFilingsResponse:  # noqa: N802
        """Lists an account's filings."""
        filings, following = await self._accounts.filings_page(
            request.account_id, request.page_size, request.page_token
        )
        return pb.ListFilingsResponse(filings=map(filing_to_wire, filings), next_page_token=following)

    async def ImportAccounts(  # noqa: N802
        self, requests: AsyncIterator[pb.ImportAccountsRequest], context: Context
    ) -> pb.ImportAccountsResponse:
        """Imports accounts."""
        return import_result_to_wire(await receive(_while_allowed(requests, context), self._imports))

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: Context) -> pb.GetReceiptResponse:  # noqa: N802
        """Reads a receipt."""
        return pb.GetReceiptResponse(receipt=await self._accounts.receipt(request.account_id, request.revision))


async def _while_allowed(
    requests: AsyncIterator[pb.ImportAccountsRequest], context: Context
) -> AsyncIterator[pb.ImportAccountsRequest]:
    # An import can outlast the certificate that its backend began it with.
    async for request in requests:
        recheck_caller(context)
        yield request
