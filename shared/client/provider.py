"""What a provider's backend works with: its own node, as plain calls.

    async with ProviderClient("unix:/srv/filing/backend.sock") as node:
        agreement = await node.agreement()  # its seven baselines are shown to the user, who signs
        subject = await node.register_person(identity, nickname="…", agreement=agreement)
        account = await node.open_account(subject.reference, display_name="…", category="education")
        await node.review_account(account.account_id, passed=True)
        async for account in node.accounts(FilingState.RETURNED):
            ...

What a call raises is of the kinds of `shared.errors`, with a stable reason and the mend for each field. A call that
makes something takes a `request_id`: a UUID kept with the request, so that a call whose answer was lost can be made
again and gets the first answer. Without one, a new one is made for each call.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import grpc

from shared.channel import local_channel, officer_channel, socket_address, translated
from shared.client.connection import Connection
from shared.client.provider_evidence import EvidenceCalls
from shared.client.provider_import import send_import
from shared.client.provider_labels import LabelCalls
from shared.client.provider_mapping import (
    account_from_wire,
    audit_entry_from_wire,
    filing_from_wire,
    set_time,
    status_from_wire,
)
from shared.client.provider_reports import ReportCalls
from shared.client.provider_subjects import SubjectCalls
from shared.client.provider_types import (
    Account,
    Agreement,
    AuditEntry,
    EvidenceKind,
    EvidencePiece,
    FilingStatus,
    ImportResult,
    ImportRow,
    NodeStatus,
    Subject,
)
from shared.client.records import RecordCalls
from shared.pb.filingnet.network.v1 import filing_pb2
from shared.pb.filingnet.provider.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    record_service_pb2,
    record_service_pb2_grpc,
)
from shared.provisions.account_states import FilingState, ReviewOutcome
from shared.provisions.agreements import AgreementSignature
from shared.provisions.filings import WithdrawalReason
from shared.provisions.subjects import SubjectKind
from shared.provisions.verification import OrganisationIdentity, PersonIdentity
from shared.trust.names import tls_host

__all__ = [
    "Account",
    "Agreement",
    "AgreementSignature",
    "AuditEntry",
    "EvidenceKind",
    "EvidencePiece",
    "FilingState",
    "FilingStatus",
    "ImportResult",
    "ImportRow",
    "NodeStatus",
    "OrganisationIdentity",
    "PersonIdentity",
    "ProviderClient",
    "ReviewOutcome",
    "Subject",
    "SubjectKind",
    "WithdrawalReason",
]

CALL_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 120.0
PAGE_ROWS: Final = 200


class ProviderClient(SubjectCalls, EvidenceCalls, LabelCalls, ReportCalls, RecordCalls):
    """Calls a provider's node; for use on one event loop, closed by `close` or as a context manager.

    Args:
        target: path of the node's socket, absolute or relative, with or without "unix:"; or "host:port".
        token: bearer token of the local API on host:port; empty for a Unix socket.
        ca_pem: where the local API speaks TLS, the CA certificates of the network, or of the provider's own CA where
            the node listens with a certificate of that one; empty where it does not.
        node_name: with CA certificates of the network, the node's name, e.g. "provider/wave", which its certificate
            must hold; empty otherwise: its certificate must hold the target's host.
        certificate: private key and chain in PEM by which the node knows this backend; with ca_pem.
        timeout_seconds: deadline of a call.
    """

    _record_wire: ClassVar = record_service_pb2
    _record_stub: ClassVar = record_service_pb2_grpc.RecordServiceStub

    def __init__(
        self,
        target: str | Path,
        *,
        token: str = "",
        ca_pem: str = "",
        node_name: str = "",
        certificate: tuple[str, str] | None = None,
        timeout_seconds: float = CALL_SECONDS,
    ) -> None:
        address = os.fspath(target) if ca_pem else socket_address(target) or os.fspath(target)

        def open_channel() -> grpc.aio.Channel:
            if ca_pem:
                host = tls_host(node_name) if node_name else ""
                return officer_channel(address, ca_pem, token, host, certificate=certificate)
            return local_channel(address, token)

        super().__init__(Connection(open_channel, timeout_seconds))

    async def open_account(
        self, subject_reference: bytes, *, display_name: str, category: str, request_id: str = ""
    ) -> Account:
        """Opens a public account; nothing is filed before a review passes it.

        Args:
            subject_reference: of a registered subject.
            display_name: 1 to 64 characters.
            category: a code of the policy in force.
            request_id: a UUID, see above.
        """
        request = account_service_pb2.OpenAccountRequest(
            request_id=request_id or str(uuid.uuid4()),
            subject_reference=subject_reference,
            display_name=display_name,
            category=category,
        )
        return account_from_wire((await self._connection.call(self._accounts.OpenAccount, request)).account)

    async def review_account(
        self,
        account_id: str,
        *,
        passed: bool,
        reason: str = "",
        etag: str = "",
        effective_time: datetime | None = None,
    ) -> Account:
        """Records the provider's review; one that passed queues the filing (Art. 7(1)).

        Args:
            account_id: the account.
            passed: the outcome.
            reason: why it failed; empty when it passed.
            etag: the account's; empty to overwrite.
            effective_time: from when the record holds, aware; None for now.
        """
        outcome = ReviewOutcome.PASSED if passed else ReviewOutcome.FAILED
        request = account_service_pb2.ReviewAccountRequest(
            account_id=account_id,
            outcome=account_service_pb2.ReviewOutcome.Name(outcome),
            reason=reason,
            etag=etag,
        )
        set_time(request, "effective_time", effective_time)
        return account_from_wire((await self._connection.call(self._accounts.ReviewAccount, request)).account)

    async def amend_account(
        self,
        account_id: str,
        *,
        display_name: str = "",
        category: str = "",
        etag: str = "",
        effective_time: datetime | None = None,
    ) -> Account:
        """Changes the public record and files the next revision, reviewed anew by this call; empty values are kept."""
        request = account_service_pb2.AmendAccountRequest(
            account_id=account_id, display_name=display_name, category=category, etag=etag
        )
        set_time(request, "effective_time", effective_time)
        return account_from_wire((await self._connection.call(self._accounts.AmendAccount, request)).account)

    async def withdraw_account(self, account_id: str, reason: WithdrawalReason, *, etag: str = "") -> Account:
        """Withdraws an account from the register; final."""
        request = account_service_pb2.WithdrawAccountRequest(
            account_id=account_id, reason=filing_pb2.WithdrawalReason.Name(reason), etag=etag
        )
        return account_from_wire((await self._connection.call(self._accounts.WithdrawAccount, request)).account)

    async def get_account(self, account_id: str) -> Account:
        """Reads an account with its newest filing; raises NotFound."""
        request = account_service_pb2.GetAccountRequest(account_id=account_id)
        return account_from_wire((await self._connection.call(self._accounts.GetAccount, request)).account)

    async def accounts(self, state: FilingState = FilingState.UNSPECIFIED) -> AsyncIterator[Account]:
        """Iterates over accounts in order of opening: all, or those whose newest filing is in a state."""
        request = account_service_pb2.ListAccountsRequest(
            page_size=PAGE_ROWS, state=account_service_pb2.FilingState.Name(state)
        )
        async for page in self._connection.pages(self._accounts.ListAccounts, request):
            for account in page.accounts:
                yield account_from_wire(account)

    async def filings(self, account_id: str) -> AsyncIterator[FilingStatus]:
        """Iterates over an account's filings, newest first."""
        request = account_service_pb2.ListFilingsRequest(account_id=account_id, page_size=PAGE_ROWS)
        async for page in self._connection.pages(self._accounts.ListFilings, request):
            for filing in page.filings:
                yield filing_from_wire(filing)

    async def import_accounts(
        self,
        import_id: str,
        rows: AsyncIterable[ImportRow] | Iterable[ImportRow],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        on_progress: Callable[[int], None] | None = None,
    ) -> ImportResult:
        """Opens and files many reviewed accounts, each row exactly once; a bad row fails no other.

        Args:
            import_id: a UUID that names the import; a row goes in once under it, however often it is sent.
            rows: with rising numbers.
            patience_seconds: how long a broken stream is tried again before the call fails.
            on_progress: told the number of the last row dealt with, some thousand rows at a time.

        Raises:
            FailedPrecondition: the regulator would refuse every filing of this provider.
            Unavailable: the node was away for longer than patience_seconds; go on with the same import_id.
        """

        async def send(messages: Iterable[account_service_pb2.ImportAccountsRequest]) -> Any:
            return await translated(self._accounts.ImportAccounts(messages))

        return await send_import(import_id, rows, send, patience_seconds, on_progress)

    async def receipt(self, account_id: str, revision: int = 0) -> bytes:
        """Reads the receipt of a filing: the file that `filing-verify` reads.

        Args:
            account_id: the account.
            revision: 0 for the newest that has one.
        """
        request = account_service_pb2.GetReceiptRequest(account_id=account_id, revision=revision)
        return bytes((await self._connection.call(self._accounts.GetReceipt, request)).receipt)

    async def status(self) -> NodeStatus:
        """Reads the node's state."""
        return status_from_wire(await self._connection.call(self._node.GetStatus, node_service_pb2.GetStatusRequest()))

    async def replay(self, account_id: str) -> int:
        """Queues the refused and parked filings of an account again, as they are; returns how many."""
        request = node_service_pb2.ReplayAccountRequest(account_id=account_id)
        return int((await self._connection.call(self._node.ReplayAccount, request)).queued)

    async def audit(self, reference: bytes = b"") -> AsyncIterator[AuditEntry]:
        """Iterates over who touched identities, newest first: of one subject, or of all."""
        request = node_service_pb2.ListAuditEntriesRequest(reference=reference, page_size=PAGE_ROWS)
        async for page in self._connection.pages(self._node.ListAuditEntries, request):
            for entry in page.entries:
                yield audit_entry_from_wire(entry)

    async def key_ring(self) -> str:
        """Reads the content of a key ring file for `filing-verify`."""
        return str((await self._connection.call(self._node.GetKeyRing, node_service_pb2.GetKeyRingRequest())).key_ring)

    @property
    def _accounts(self) -> Any:
        return self._connection.stub(account_service_pb2_grpc.AccountServiceStub)

    @property
    def _node(self) -> Any:
        return self._connection.stub(node_service_pb2_grpc.NodeServiceStub)
