"""Made-up grants as a provider states them, to a register with an office that decides on them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from regulator_node.label_queries import LabelFilter, LabelQueries
from regulator_node.label_review import LabelReview, LabelVerdict
from regulator_node.registered_label import LabelState, RegisteredLabel
from regulator_node.verdicts import VerdictResult
from shared.clock import micros
from shared.evidence.rejections import verify_rejection
from shared.identifiers import new_entry_id
from shared.pb.filingnet.network.v1 import entry_pb2, intake_service_pb2, label_pb2
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction, LabelBasis, LabelScope
from shared.provisions.policy import initial_policy
from tests.integration.filing_samples import JURISDICTION, NOW, PROVIDER, Register, made_up_entry, made_up_filing

PUBLISHER, REPRINTER, PLATFORM = "33120240001", "33220240001", "33320240001"
LICENCE_START, LICENCE_END = datetime(2024, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def new_id() -> str:
    """A random id of a grant."""
    return str(uuid.uuid4())


def made_up_grant(account_id: str, grant_id: str = "", revision: int = 1, **changes: Any) -> label_pb2.LabelGrant:
    """A news unit's grant to publish and reprint, begun yesterday and ending with its licence, with changes.

    A time is given as a datetime; None leaves it out.
    """
    values: dict[str, Any] = {
        "action": LabelAction.GRANT,
        "basis": LabelBasis.NEWS_UNIT,
        "licence_number": PUBLISHER,
        "licence_start_time": LICENCE_START,
        "licence_end_time": LICENCE_END,
        "scope": LabelScope.PUBLISH_AND_REPRINT,
        "start_time": NOW - DAY,
        "end_time": LICENCE_END,
        **changes,
    }
    grant = label_pb2.LabelGrant(account_id=account_id, grant_id=grant_id or new_id(), revision=revision)
    for name, value in values.items():
        if isinstance(value, datetime):
            getattr(grant, name).FromDatetime(value)
        elif value is not None:
            setattr(grant, name, value)
    return grant


def made_up_request(account_id: str, grant_id: str = "", revision: int = 1, **changes: Any) -> label_pb2.LabelGrant:
    """A special approval asked for, to reprint for 100 days from yesterday, with changes."""
    values: dict[str, Any] = {
        "action": LabelAction.ASK,
        "basis": LabelBasis.SPECIAL_APPROVAL,
        "licence_number": "",
        "licence_start_time": None,
        "licence_end_time": None,
        "scope": LabelScope.REPRINT,
        "end_time": NOW + 100 * DAY,
    }
    return made_up_grant(account_id, grant_id, revision, **{**values, **changes})


def body_entry(field: str, body: Message, created: datetime = NOW, sequence: int = 1, **changes: Any) -> bytes:
    """The exact bytes of an entry of the provider with a body of any kind."""
    values = {"entry_id": new_entry_id(), "origin": PROVIDER, "jurisdiction": JURISDICTION, "sequence": sequence}
    entry = entry_pb2.Entry(**{**values, **changes, field: body})
    entry.created_time.FromDatetime(created)
    return entry.SerializeToString()


class LabelOffice:
    """A register whose provider states labels, and whose officers decide on them; its clock is moved by the test."""

    def __init__(self, register: Register) -> None:
        self.register = register
        self.queries = LabelQueries(register.database, lambda: register.now)
        self.review = LabelReview(
            register.database,
            register.log,
            lambda time: initial_policy(),
            lambda: register.now,
            feed_regions=False,
            on_change=lambda: None,
        )

    async def file(self, account_id: str = "", **changes: Any) -> str:
        """Files an account; returns its id."""
        filing = made_up_filing(account_id or new_id(), **changes)
        response = await self.register.submit(made_up_entry(filing))
        assert [intake_service_pb2.ENTRY_OUTCOME_ACCEPTED] == [result.outcome for result in response.results]
        return filing.account_id

    async def state(self, *grants: label_pb2.LabelGrant, **context: Any) -> list[str]:
        """States grants now, as one batch; returns the signed reason of each refusal, empty where it stands."""
        entries = [
            body_entry("label_grant", grant, self.register.now, number) for number, grant in enumerate(grants, 1)
        ]
        return self.reasons(await self.register.submit(*entries, **context))

    def reasons(self, response: intake_service_pb2.SubmitEntriesResponse) -> list[str]:
        """The signed reason of each refusal, empty where the entry stands."""
        return [
            verify_rejection(result.rejection, self.register.ring.lookup).reason if result.HasField("rejection") else ""
            for result in response.results
        ]

    async def decide(
        self, grant: label_pb2.LabelGrant, outcome: LabelOutcome, *, request_id: str = "", **fields: Any
    ) -> VerdictResult:
        """Has an officer decide on a statement; against it for a reason, unless the outcome is an approval."""
        if outcome != LabelOutcome.APPROVED:
            fields = {"reason": "not_justified", **fields}
        verdict = LabelVerdict(
            **{
                "provider": PROVIDER,
                "grant_id": grant.grant_id,
                "revision": grant.revision,
                "outcome": outcome,
                **fields,
            }
        )
        return (await self.decide_all([verdict], request_id))[0]

    async def decide_all(self, verdicts: Sequence[LabelVerdict], request_id: str = "") -> list[VerdictResult]:
        """Has an officer decide."""
        officer = "officer/330000/reviewer/review-desk-2"
        return await self.review.decide(request_id or new_id(), officer, verdicts)

    async def approve(self, grant: label_pb2.LabelGrant, scope: LabelScope, end: datetime) -> str:
        """Approves a statement; returns the entry id of the decision."""
        result = await self.decide(grant, LabelOutcome.APPROVED, scope=int(scope), end_time=micros(end))
        assert "" == result.error_reason
        rows = await self.register.database.read(
            lambda transaction: transaction.execute(
                "SELECT entry_id FROM label_decision WHERE log_index = ?", (result.log_index,)
            )
        )
        return str(rows[0][0])

    async def held(self, grant: label_pb2.LabelGrant) -> RegisteredLabel:
        """How a grant stands now."""
        return (await self.queries.revisions(JURISDICTION, PROVIDER, grant.grant_id))[0]

    async def standing(self, grant: label_pb2.LabelGrant) -> LabelState:
        """The state in which a grant is now, which a search by that state finds it in as well."""
        state = LabelState((await self.held(grant)).state)
        found = await self.queries.search(LabelFilter(account_id=grant.account_id, state=int(state)))
        assert grant.grant_id in [label.grant_id for label in found.labels]
        return state
