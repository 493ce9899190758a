"""News labels (Art. 7(2), 7(3)): granted, renewed, narrowed and revoked by the provider, overseen by its regulator.

What a label lets its account do is derived from basis, licence, scope and dates at every question; nothing of it is
stored. So a label lapses by itself at its minute, and all labels at once with the provider's own licence. Every change
is judged as the regulator will judge it and queued in the same transaction; the gate knows it before the answer is
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provider_node.account_rows import read_account
from provider_node.answers import request_of, store_answer, stored_answer
from provider_node.blind_index import BlindIndex
from provider_node.etags import check_etag, etag_of
from provider_node.filing_states import FilingStatus
from provider_node.gate import Gate
from provider_node.gate_facts import MeasureSource
from provider_node.label_rows import (
    ALL_COLUMNS,
    STATE_SQL,
    Decision,
    GrantRow,
    LabelState,
    read_grant,
    read_statements,
    state_of,
    state_parameters,
)
from provider_node.label_statements import newest_approval, state_label
from provider_node.label_terms import GrantTerms, LicenceTerms, first_record, next_record
from provider_node.paging import DEFAULT_PAGE_SIZE, page_token, position_of
from provider_node.standing import ReadStanding, Standing
from provider_node.statement_states import statement_statuses
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.provisions.labels import LabelAction, LabelBasis, LabelRecord, LabelScope, grant_rights, reminders_due
from shared.provisions.policy import policy_at
from shared.provisions.provider_standing import licence_span

FIRST_GRANT: Final = (-1, "")
_WITH_REMINDER: Final = (LabelState.GRANTED, LabelState.OBJECTED)


@dataclass(frozen=True, slots=True)
class Label:
    """A grant as it stands at the moment of the question.

    Attributes:
        scope: what it lets the account do now; UNSPECIFIED for nothing.
        reminder_days: of the most pressing reminder that is due; 0 for none.
        statement: where its newest statement is on its way.
    """

    row: GrantRow
    state: LabelState
    scope: LabelScope
    reminder_days: int
    statement: FilingStatus

    @property
    def etag(self) -> str:
        """Changes with every change of the grant."""
        return etag_of(self.row.version)


class Labels:
    """Grants labels.

    Args:
        database: the node's own.
        index: digests requests under the vault's key.
        standing: reads the provider's standing.
        clock: tells the time.
        gate: lets rights take effect.
        measures: reads the measures of accounts.
        on_queued: called after something was queued.
    """

    def __init__(
        self,
        database: Database,
        index: BlindIndex,
        standing: ReadStanding,
        clock: Clock,
        gate: Gate,
        measures: MeasureSource,
        on_queued: Callable[[], None],
    ) -> None:
        self._database = database
        self._index = index
        self._standing = standing
        self._clock = clock
        self._gate = gate
        self._measures = measures
        self._on_queued = on_queued

    async def grant(self, request_id: str, account_id: str, terms: GrantTerms) -> Label:
        """Grants a label; without an approval at hand, a special approval is asked for instead.

        Args:
            request_id: chosen by the caller.
            account_id: the account.
            terms: what is to be granted.

        Returns:
            The grant; for a request sent again, the same grant as it stands now.

        Raises:
            NotFound: ACCOUNT_NOT_FOUND.
            InvalidInput, FailedPrecondition: what the regulator would refuse; APPROVAL_PENDING, asked for already.
        """
        account = account_id.lower()
        request = request_of(self._index, request_id, "GrantLabel", [account, *terms.plain])
        now = self._clock()

        def work(transaction: Transaction) -> Label:
            transaction.lock(f"request {request.request_id}")
            answer = stored_answer(transaction, request)
            if answer is not None:
                return self._label(transaction, read_grant(transaction, answer["grant_id"]), now)
            transaction.lock(f"account {account}")
            reference = read_account(transaction, account).reference
            standing = self._standing()
            record, approval = first_record(transaction, account, terms, standing, now)
            row = self._state(transaction, record, standing, now, approval)
            store_answer(transaction, request, reference, {"grant_id": row.grant_id})
            return self._label(transaction, row, now)

        return await self._write(account, work)

    async def renew(self, grant_id: str, licence: LicenceTerms, end_time: int, etag: str) -> Label:
        """States a grant anew with a later end.

        Args:
            grant_id: the grant.
            licence: the renewed one; empty for a special approval.
            end_time: microseconds, exclusive; 0 for the end of the licence or the newest approval.
            etag: empty to overwrite.

        Raises:
            NotFound: GRANT_NOT_FOUND.
            Conflict: ETAG_STALE.
            InvalidInput, FailedPrecondition: what the regulator would refuse.
        """

        def change(record: LabelRecord, approval: Decision | None) -> None:
            record.action = LabelAction.RENEW
            record.licence_number = licence.number
            record.licence_start_time, record.licence_end_time = licence.start_time, licence.end_time
            if record.basis == LabelBasis.SPECIAL_APPROVAL:
                record.end_time = end_time or (approval.end_time if approval else record.end_time)
                record.approval_entry_id = approval.entry_id if approval else record.approval_entry_id
            else:
                record.end_time = end_time or licence.end_time

        return await self._restate(grant_id, etag, change)

    async def narrow(self, grant_id: str, scope: LabelScope, end_time: int, etag: str) -> Label:
        """States a grant anew with a smaller scope or an earlier end; see `renew`.

        Args:
            grant_id: the grant.
            scope: UNSPECIFIED to keep it.
            end_time: microseconds, exclusive; 0 to keep it.
            etag: empty to overwrite.
        """

        def change(record: LabelRecord, approval: Decision | None) -> None:
            record.action = LabelAction.NARROW
            record.scope = int(scope) or record.scope
            record.end_time = end_time or record.end_time

        return await self._restate(grant_id, etag, change)

    async def revoke(self, grant_id: str, reason: str, etag: str) -> Label:
        """Revokes a grant, or withdraws what was asked for: the right is closed when this returns; see `renew`.

        A grant that the provider revoked before stays as it is.

        Args:
            grant_id: the grant.
            reason: code of a label reason.
            etag: empty to overwrite.
        """

        def change(record: LabelRecord, approval: Decision | None) -> None:
            record.action = LabelAction.REVOKE
            record.reason = reason

        return await self._restate(grant_id, etag, change)

    async def get(self, grant_id: str) -> Label:
        """Reads a grant; raises NotFound."""
        now = self._clock()
        return await self._database.read(
            lambda transaction: self._label(transaction, read_grant(transaction, grant_id), now)
        )

    async def list_page(
        self, account_id: str, state: LabelState, end_before: datetime | None, page_size: int, token: str
    ) -> tuple[list[Label], str]:
        """Lists grants by their end.

        Args:
            account_id: only of this account; empty for all.
            state: only in this state; UNSPECIFIED for all.
            end_before: only those that end before it; None for all.
            page_size: the most grants; 0 for 100.
            token: from the page before; empty for the first.

        Returns:
            A page, and the token of the next; empty after the last.
        """
        before = micros(end_before) if end_before else 0
        of_list, size = f"labels {account_id.lower()} {int(state)} {before}", page_size or DEFAULT_PAGE_SIZE
        end, last = position_of(of_list, token, FIRST_GRANT)
        now = self._clock()

        def work(transaction: Transaction) -> list[Label]:
            condition, values = "(end_time, grant_id) > (?, ?)", list[object]((int(end), str(last)))
            if account_id:
                condition += " AND account_id = ?"
                values.append(account_id.lower())
            if before:
                condition += " AND end_time < ?"
                values.append(before)
            if state:
                condition += f" AND {STATE_SQL} = {int(state)}"
                values.extend(state_parameters(micros(now), self._licensed(now)))
            rows = transaction.execute(
                f"SELECT {ALL_COLUMNS} FROM label_grant WHERE {condition} ORDER BY end_time, grant_id LIMIT ?",  # noqa: S608
                (*values, size + 1),
            )
            return self._labels(transaction, [GrantRow(*row) for row in rows], now)

        found = await self._database.read(work)
        if len(found) <= size:
            return found, ""
        newest = found[size - 1].row
        return found[:size], page_token(of_list, (newest.end_time, newest.grant_id))

    async def _restate(self, grant_id: str, etag: str, change: Callable[[LabelRecord, Decision | None], None]) -> Label:
        now = self._clock()
        known = await self._database.read(lambda transaction: read_grant(transaction, grant_id))

        def work(transaction: Transaction) -> Label:
            transaction.lock(f"account {known.account_id}")
            row = read_grant(transaction, grant_id)
            check_etag(etag, row.version, "grant")
            record = next_record(transaction, row)
            approval = newest_approval(transaction, row.grant_id)
            change(record, approval)
            if record.action == LabelAction.REVOKE and row.action == LabelAction.REVOKE:
                return self._label(transaction, row, now)
            stated = self._state(transaction, record, self._standing(), now, approval)
            return self._label(transaction, stated, now)

        return await self._write(known.account_id, work)

    async def _write(self, account_id: str, work: Callable[[Transaction], Label]) -> Label:
        label = await self._gate.changing([account_id], self._database.write(work))
        self._on_queued()
        return label

    def _state(
        self,
        transaction: Transaction,
        record: LabelRecord,
        standing: Standing,
        now: datetime,
        approval: Decision | None,
    ) -> GrantRow:
        given = approval.approval if approval is not None else None
        return state_label(transaction, record, standing, self._measures, now, given)

    def _licensed(self, now: datetime) -> bool:
        return not licence_span(self._standing().licence).finding_at(micros(now))

    def _label(self, transaction: Transaction, row: GrantRow, now: datetime) -> Label:
        return self._labels(transaction, [row], now)[0]

    def _labels(self, transaction: Transaction, rows: Sequence[GrantRow], now: datetime) -> list[Label]:
        licensed, at = self._licensed(now), micros(now)
        newest = {row.grant_id: read_statements(transaction, row.grant_id)[-1] for row in rows}
        statuses = statement_statuses(transaction, [(each.entry_id, each.record.revision) for each in newest.values()])
        policies = self._standing().policies
        labels = []
        for row in rows:
            state = state_of(row, at, licensed=licensed)
            rights = grant_rights(row.grant, at) if row.grant is not None and licensed else None
            due = reminders_due(policy_at(policies, now), row.end_time, at) if state in _WITH_REMINDER else ()
            labels.append(
                Label(
                    row=row,
                    state=state,
                    scope=rights.scope if rights is not None else LabelScope.UNSPECIFIED,
                    reminder_days=due[-1].days if due else 0,
                    statement=statuses[newest[row.grant_id].entry_id],
                )
            )
        return labels
