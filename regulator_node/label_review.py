"""An officer's decisions on labels (Art. 7): judged by the rules, in the log, and on their way to the providers.

Each verdict is judged by itself, against the policy in force and the grant as it is now, and a bad one never fails the
others. All that stand enter the log together, in the transaction that also keeps the answer, so that a request that is
sent again gets the same answer and decides nothing twice. Who names the etag of what he saw is told where it changed:
of two officers who decide at once, the second is. What a regulator ended stays ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Final

from google.protobuf.message import Message

from regulator_node.held_labels import HeldGrant, read_held_grants
from regulator_node.register_departures import decided_logs
from regulator_node.registered_label import etag_of
from regulator_node.verdicts import Desk, VerdictResult
from shared.clock import micros
from shared.database import Transaction
from shared.egress import findings
from shared.errors import FailedPrecondition
from shared.identifiers import id_bytes
from shared.pb.filingnet.network.v1 import label_pb2
from shared.provisions.label_decisions import LabelDecisionRecord, LabelOutcome, judge_label_decision
from shared.provisions.label_rights import revoked
from shared.provisions.policy import Policy
from shared.validation import validate

METHOD: Final = "DecideLabels"
"""Under which answers are kept."""


@dataclass(frozen=True, slots=True)
class LabelVerdict:
    """What an officer decides on one revision of a grant.

    Attributes:
        provider: the provider's node name.
        grant_id: a UUID.
        revision: the revision decided.
        outcome: the number of a LabelOutcome.
        scope: approved; 0 for every other outcome.
        end_time: until when it is approved, exclusive, in microseconds; 0 for every other outcome.
        reason: code of a label reason; empty when approved.
        note: what to mend, for people.
        etag: of the grant as the officer saw it; empty to decide whatever it is.
    """

    provider: str
    grant_id: str
    revision: int
    outcome: int
    scope: int = 0
    end_time: int = 0
    reason: str = ""
    note: str = ""
    etag: str = ""


class LabelReview(Desk):
    """Decides on the labels of one regulator's own jurisdiction."""

    async def decide(self, request_id: str, officer: str, verdicts: Sequence[LabelVerdict]) -> list[VerdictResult]:
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
        self, transaction: Transaction, verdicts: Sequence[LabelVerdict], policy: Policy, now: datetime
    ) -> list[VerdictResult]:
        grants: dict[tuple[str, str], HeldGrant] = {}
        moved: dict[str, VerdictResult] = {}
        for provider in {verdict.provider for verdict in verdicts}:
            ids = {id_bytes(verdict.grant_id) for verdict in verdicts if verdict.provider == provider}
            try:
                logs = decided_logs(transaction, self._log.jurisdiction, provider)
            except FailedPrecondition as error:
                moved[provider] = VerdictResult(error.reason, error.message)
                continue
            held = read_held_grants(transaction, self._log.jurisdiction, provider, ids, logs)
            grants.update({(provider, grant_id): each for grant_id, each in held.items()})
        refusals: list[VerdictResult | None] = []
        bodies: list[tuple[str, Message]] = []
        for verdict in verdicts:
            place = (verdict.provider, verdict.grant_id.lower())
            current = grants.get(place)
            refusal = moved.get(verdict.provider) or judge(verdict, current, policy, micros(now))
            refusals.append(refusal)
            if refusal is None and current is not None:
                bodies.append(("label_decision", _decision(verdict, current.statement.account_id, now)))
                grants[place] = _decided(current, verdict, micros(now))
        return self._state_decisions(transaction, refusals, bodies, now)


def judge(verdict: LabelVerdict, held: HeldGrant | None, policy: Policy, now: int) -> VerdictResult | None:
    """Judges one verdict.

    Args:
        verdict: the verdict.
        held: the grant in this jurisdiction; None where there is none.
        policy: in force now.
        now: the moment, in microseconds.

    Returns:
        None where it stands, else the refusal: what `judge_label_decision` says, GRANT_ENDED also where a regulator
        refused or revoked it before, LABEL_CHANGED, REASON_NOT_ALLOWED, TERMS_NOT_ALLOWED or IDENTITY_DATA.
    """
    approves = verdict.outcome == LabelOutcome.APPROVED
    if held is not None and held.ended:
        return VerdictResult("GRANT_ENDED", "a regulator ended this grant before: there is nothing left to decide")
    if held is not None and verdict.etag and verdict.etag != _etag(held):
        return VerdictResult("LABEL_CHANGED", "the grant changed since it was read: read it again, then decide")
    if approves and verdict.reason:
        return VerdictResult("REASON_NOT_ALLOWED", "an approval has no reason: leave it out")
    if not approves and (verdict.scope or verdict.end_time):
        return VerdictResult("TERMS_NOT_ALLOWED", "only an approval has a scope and an end: leave them out")
    record = LabelDecisionRecord(
        verdict.grant_id, verdict.revision, verdict.outcome, verdict.scope, verdict.end_time, verdict.reason, now
    )
    refusal = judge_label_decision(record, held.statement if held else None, held.grant if held else None, policy)
    if refusal is not None:
        return VerdictResult(refusal.reason, refusal.violations[0].mend[:300])
    found = findings(verdict.note)
    if found:
        return VerdictResult("IDENTITY_DATA", f"the note: {found[0].mend}"[:300])
    return None


def _etag(held: HeldGrant) -> str:
    return etag_of(held.statement.revision, held.outcome, held.decided_time, held.revoked_time)


def _decided(held: HeldGrant, verdict: LabelVerdict, now: int) -> HeldGrant:
    decided = replace(held, outcome=verdict.outcome, decided_time=now)
    if held.grant is None or verdict.outcome != LabelOutcome.REVOKED:
        return decided
    grant = revoked(held.grant, now)
    return replace(decided, grant=grant, revoked_time=grant.revoked_time)


def _decision(verdict: LabelVerdict, account_id: str, now: datetime) -> label_pb2.LabelDecision:
    decision = label_pb2.LabelDecision(
        provider=verdict.provider,
        account_id=account_id,
        grant_id=verdict.grant_id.lower(),
        revision=verdict.revision,
        outcome=verdict.outcome,  # type: ignore[arg-type]
        scope=verdict.scope,  # type: ignore[arg-type]
        reason=verdict.reason,
        note=verdict.note,
    )
    if verdict.end_time:
        decision.end_time.FromMicroseconds(verdict.end_time)
    decision.decided_time.FromDatetime(now)
    validate(decision)
    return decision
