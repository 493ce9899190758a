"""What follows from statements and decisions on a grant, told alike by Python and SQL; and the words of the contracts."""

from __future__ import annotations

import itertools
import sqlite3
from enum import IntEnum
from typing import Any

import pytest

from provider_node.label_rows import GRANT_COLUMNS, STATE_SQL, GrantRow, LabelState, state_of, state_parameters
from provider_node.publication_servicer import answer_to_wire
from shared.client.label_types import LabelState as ClientLabelState
from shared.pb.filingnet.network.v1 import label_pb2
from shared.pb.filingnet.provider.v1 import label_service_pb2, publication_service_pb2
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.labels import LabelAction, LabelBasis, LabelScope
from shared.provisions.publication import (
    Answer,
    Audience,
    PublicationAct,
    PublicationForm,
)
from shared.provisions.reasoning import Step
from shared.provisions.spans import FOREVER
from tests.unit.rule_samples import ACCOUNT, AT, DAY, GRANT, PUBLISHER


@pytest.mark.parametrize(
    ("ours", "contract", "prefix"),
    [
        (LabelState, label_service_pb2.LabelState, "LABEL_STATE_"),
        (ClientLabelState, label_service_pb2.LabelState, "LABEL_STATE_"),
        (LabelAction, label_pb2.LabelAction, "LABEL_ACTION_"),
        (LabelBasis, label_pb2.LabelBasis, "LABEL_BASIS_"),
        (LabelScope, label_pb2.LabelScope, "LABEL_SCOPE_"),
        (LabelOutcome, label_pb2.LabelOutcome, "LABEL_OUTCOME_"),
        (PublicationAct, publication_service_pb2.PublicationAct, "PUBLICATION_ACT_"),
        (Audience, publication_service_pb2.Audience, "AUDIENCE_"),
        (PublicationForm, publication_service_pb2.PublicationForm, "PUBLICATION_FORM_"),
    ],
)
def test_numbers_are_those_of_the_contract(ours: type[IntEnum], contract: Any, prefix: str) -> None:
    """A value added to a contract and not to the rules' words, or the other way round, is noticed."""
    assert dict(contract.items()) == {f"{prefix}{each.name}": each.value for each in ours}


def row(**changes: Any) -> GrantRow:
    """A grant that holds, with changes."""
    values: dict[str, Any] = {
        "grant_id": GRANT,
        "account_id": ACCOUNT,
        "statements": 1,
        "revision": 1,
        "action": LabelAction.GRANT,
        "granted": 1,
        "basis": LabelBasis.NEWS_UNIT,
        "licence_number": PUBLISHER,
        "scope": LabelScope.PUBLISH_AND_REPRINT,
        "start_time": AT - DAY,
        "end_time": AT + DAY,
        "revoked_time": FOREVER,
        "outcome": 0,
        "reason": "",
        "note": "",
        "version": 1,
    }
    return GrantRow(**{**values, **changes})


def test_state_is_the_same_in_python_and_in_sql() -> None:
    """A filter by state finds what is shown in that state, for every case there is."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE label_grant ({', '.join(GRANT_COLUMNS)})")
    cases = itertools.product(
        (0, 1), (LabelAction.ASK, LabelAction.GRANT), (AT - 1, AT, AT + 1), (AT, FOREVER), range(5), (False, True)
    )
    seen = set()
    for revision, action, end, revoked_time, outcome, licensed in cases:
        grant = row(revision=revision, action=action, end_time=end, revoked_time=revoked_time, outcome=outcome)
        database.execute("DELETE FROM label_grant")
        values = [
            int(value) if isinstance(value, IntEnum) else value for value in map(grant.__getattribute__, GRANT_COLUMNS)
        ]
        database.execute(f"INSERT INTO label_grant VALUES ({', '.join('?' * len(values))})", values)
        ((found,),) = database.execute(
            f"SELECT {STATE_SQL} FROM label_grant", state_parameters(AT, licensed)
        ).fetchall()
        expected = state_of(grant, AT, licensed=licensed)
        seen.add(expected)
        assert expected == found
    database.close()
    assert set(LabelState) - {LabelState.UNSPECIFIED} == seen


def test_grant_that_was_only_asked_for_gives_no_right() -> None:
    """Art. 7(2): asking opens nothing."""
    assert None is row(granted=0).grant


def test_answer_travels_whole() -> None:
    """The gate's answer says code, steps, label and until when it holds; nothing known that ends it is left unset."""
    steps = (Step("Art. 2", "audience", "", "PUBLIC"), Step("Art. 7(2)", "grant", GRANT, "MAY_REPRINT"))
    message = answer_to_wire(Answer(True, "MAY_REPRINT", steps, LabelScope.REPRINT, AT))
    assert (True, "MAY_REPRINT", label_pb2.LABEL_SCOPE_REPRINT, AT) == (
        message.allowed,
        message.reason,
        message.label,
        message.hold_until_time.ToMicroseconds(),
    )
    assert [*steps] == [(step.article, step.kind, step.id, step.finding) for step in message.steps]
    assert not answer_to_wire(Answer(False, "ACCOUNT_UNKNOWN", (), LabelScope.UNSPECIFIED, FOREVER)).HasField(
        "hold_until_time"
    )
