"""The words of node and client are those of the contracts, with the same numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from shared.client.provider import FilingState, ReviewOutcome, WithdrawalReason
from shared.delivery.outbox import OutboxState
from shared.pb.filingnet.network.v1 import filing_pb2
from shared.pb.filingnet.provider.v1 import account_service_pb2


@pytest.mark.parametrize(
    ("ours", "contract", "prefix"),
    [
        (FilingState, account_service_pb2.FilingState, "FILING_STATE_"),
        (ReviewOutcome, account_service_pb2.ReviewOutcome, "REVIEW_OUTCOME_"),
        (WithdrawalReason, filing_pb2.WithdrawalReason, "WITHDRAWAL_REASON_"),
    ],
)
def test_numbers_are_those_of_the_contract(ours: type[IntEnum], contract: Any, prefix: str) -> None:
    """A value added to a contract and not to our words, or the other way round, is noticed."""
    assert dict(contract.items()) == {f"{prefix}{each.name}": each.value for each in ours}


def test_states_of_the_outbox_are_those_the_tables_count() -> None:
    """The queries of filing states name the outbox's states by number."""
    expected = {"QUEUED": 0, "DELIVERED": 1, "PARKED": 2, "REJECTED": 3, "CONFLICT": 4, "SUPERSEDED": 5}
    assert expected == {state.name: state.value for state in OutboxState}
