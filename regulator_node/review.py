"""Review: an officer's verdicts on filings become decisions in the log, and are on their way to the providers.

Each verdict is judged by itself, against the policy in force and the filing as it is now: a bad one is refused with its
reason and never fails the others. All that stand enter the log together, in the transaction that also keeps the answer,
so that a request that is sent again gets the same answer and decides nothing twice. A decision is final for its
revision: of two officers who decide at once, the second is told what the first decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from regulator_node.register import ACCEPTED, RETURNED, WITHDRAWN
from regulator_node.register_departures import decided_logs, marks
from regulator_node.registered_filing import etag_of
from regulator_node.verdicts import Desk, VerdictResult
from shared.clock import micros
from shared.database import Transaction
from shared.egress import findings
from shared.errors import FailedPrecondition
from shared.identifiers import id_bytes
from shared.pb.filingnet.network.v1 import decision_pb2, filing_pb2
from shared.provisions.policy import Policy
from shared.validation import validate

METHOD: Final = "DecideFilings"
"""Under which answers are kept."""

FILING_FIELDS: Final = frozenset(filing_pb2.Filing.DESCRIPTOR.fields_by_name)
"""What a return can ask to be corrected."""


class Outcome(IntEnum):
    """What an officer decides, with the numbers of the wire."""

    ACCEPTED = 1
    RETURNED = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an officer decides on one revision.

    Attributes:
        provider: the provider's node name.
        account_id: a UUID.
        revision: the revision decided.
        outcome: the decision.
        reason: code of a return reason; empty when accepted.
        fields: names of the Filing fields to correct; empty when accepted.
        note: what to mend, for people.
        etag: of the filing as the officer saw it; empty to decide whatever it is.
    """

    provider: str
    account_id: str
    revision: int
    outcome: Outcome
    reason: str = ""
    fields: tuple[str, ...] = ()
    note: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class HeldFiling:
    """The newest revision of an account: its number, state, and when it was decided, in microseconds since 1970."""

    revision: int
    state: int
    decided_time: int | None


class Review(Desk):
    """Decides on the filings of one regulator's own jurisdiction."""

    async def decide(self, request_id: str, officer: str, verdicts: Sequence[Verdict]) -> list[VerdictResult]:
        """Decides.

        Args:
            request_id: chosen by the caller; the same request gets the same answer.
            officer: who decides.
            verdicts: at most 500.

        Returns:
            One result per verdict, in order; the decisions that stand are in the log.

        Raises:
            Conflict: REQUEST_ID_REUSED, another request had the id.
        """
        asked = (officer, [astuple(verdict) for verdict in verdicts])
        return await self._decide_each(
            METHOD,
            request_id,
            asked,
            lambda transaction, policy, now: self._decide(transaction, verdicts, policy, now),
        )

    def _decide(
        self, transaction: Transaction, verdicts: Sequence[Verdict], policy: Policy, now: datetime
    ) -> list[VerdictResult]:
        decided: dict[tuple[str, bytes], HeldFiling] = {}
        refusals: list[VerdictResult | None] = []
        for verdict in verdicts:
            account = (verdict.provider, id_bytes(verdict.account_id))
            try:
                logs = decided_logs(transaction, self._log.jurisdiction, verdict.provider)
            except FailedPrecondition as moved:
                refusals.append(VerdictResult(moved.reason, moved.message))
                continue
            held = decided.get(account) or _newest(transaction, logs, *account)
            refusal = judge(verdict, held, policy)
            refusals.append(refusal)
            if refusal is None:
                decided[account] = HeldFiling(verdict.revision, _STATES[verdict.outcome], micros(now))
        standing = [verdict for verdict, refusal in zip(verdicts, refusals, strict=True) if refusal is None]
        bodies = [("filing_decision", _decision(verdict, now)) for verdict in standing]
        return self._state_decisions(transaction, refusals, bodies, now)


def judge(verdict: Verdict, held: HeldFiling | None, policy: Policy) -> VerdictResult | None:
    """Judges one verdict.

    Args:
        verdict: the verdict.
        held: the newest revision of its account in this jurisdiction; None where there is none.
        policy: in force now.

    Returns:
        None where it stands, else the refusal: FILING_UNKNOWN, FILING_REPLACED, FILING_WITHDRAWN, ALREADY_DECIDED,
        FILING_CHANGED, REASON_MISSING, REASON_UNKNOWN, REASON_NOT_ALLOWED, FIELD_UNKNOWN or IDENTITY_DATA.
    """
    return _judge_filing(verdict, held) or _judge_grounds(verdict, policy)


def _judge_filing(verdict: Verdict, held: HeldFiling | None) -> VerdictResult | None:
    if held is None or verdict.revision > held.revision:
        return VerdictResult("FILING_UNKNOWN", "this jurisdiction has no such filing: check provider and account")
    if verdict.revision < held.revision:
        mend = f"revision {held.revision} has taken its place: look at that one and decide on it"
        return VerdictResult("FILING_REPLACED", mend)
    if held.state == WITHDRAWN:
        return VerdictResult("FILING_WITHDRAWN", "the account was withdrawn: there is nothing left to decide")
    if held.state in (ACCEPTED, RETURNED):
        what = "accepted" if held.state == ACCEPTED else "returned"
        return VerdictResult("ALREADY_DECIDED", f"the filing was {what} before: read it again; a decision is final")
    if verdict.etag and verdict.etag != etag_of(held.revision, held.state, held.decided_time):
        return VerdictResult("FILING_CHANGED", "the filing changed since it was read: read it again, then decide")
    return None


def _judge_grounds(verdict: Verdict, policy: Policy) -> VerdictResult | None:
    if verdict.outcome == Outcome.ACCEPTED and (verdict.reason or verdict.fields):
        return VerdictResult("REASON_NOT_ALLOWED", "an accepted filing has neither reason nor fields: leave them out")
    if verdict.outcome == Outcome.RETURNED and not verdict.reason:
        return VerdictResult("REASON_MISSING", "give the reason of the return, so that the provider can mend it")
    if verdict.reason and verdict.reason not in policy.return_reason_codes:
        known = ", ".join(sorted(policy.return_reason_codes))
        return VerdictResult("REASON_UNKNOWN", f"give a return reason of policy {policy.version}: {known}"[:300])
    unknown = sorted(set(verdict.fields) - FILING_FIELDS)
    if unknown:
        return VerdictResult("FIELD_UNKNOWN", f"a filing has no field {unknown[0]}: name the fields as a filing does")
    found = findings(verdict.note)
    if found:
        return VerdictResult("IDENTITY_DATA", f"the note: {found[0].mend}"[:300])
    return None


_STATES: Final[Mapping[int, int]] = {Outcome.ACCEPTED: ACCEPTED, Outcome.RETURNED: RETURNED}


def _newest(transaction: Transaction, logs: Sequence[str], provider: str, account_id: bytes) -> HeldFiling | None:
    rows = transaction.execute(
        f"SELECT revision, state, decided_time FROM filing WHERE jurisdiction IN ({marks(logs)}) AND provider = ?"  # noqa: S608
        " AND account_id = ? ORDER BY revision DESC LIMIT 1",
        (*logs, provider, account_id),
    )
    return HeldFiling(*rows[0]) if rows else None


def _decision(verdict: Verdict, now: datetime) -> decision_pb2.FilingDecision:
    decision = decision_pb2.FilingDecision(
        provider=verdict.provider,
        account_id=verdict.account_id,
        revision=verdict.revision,
        outcome=int(verdict.outcome),  # type: ignore[arg-type]
        reason=verdict.reason,
        fields=verdict.fields,
        note=verdict.note,
    )
    decision.decided_time.FromDatetime(now)
    validate(decision)
    return decision
