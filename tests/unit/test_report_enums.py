"""The words of node and client on reports, measures and appeals are those of the contracts, with the same numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest

from provider_node import measure_rows
from shared.client import report_types
from shared.pb.filingnet.provider.v1 import measure_service_pb2, report_service_pb2
from shared.provisions import reports


@pytest.mark.parametrize(
    ("ours", "contract", "prefix"),
    [
        (measure_rows.MeasureState, measure_service_pb2.MeasureState, "MEASURE_STATE_"),
        (report_types.MeasureState, measure_service_pb2.MeasureState, "MEASURE_STATE_"),
        (measure_rows.AppealState, measure_service_pb2.AppealState, "APPEAL_STATE_"),
        (report_types.AppealState, measure_service_pb2.AppealState, "APPEAL_STATE_"),
        (report_types.ReportState, report_service_pb2.ReportState, "REPORT_STATE_"),
    ],
)
def test_numbers_are_those_of_the_contract(ours: type[IntEnum], contract: Any, prefix: str) -> None:
    """A value added to a contract and not to our words, or the other way round, is noticed."""
    assert dict(contract.items()) == {f"{prefix}{each.name}": each.value for each in ours}


def test_states_of_a_report_are_those_of_the_contract() -> None:
    """The rules know one state more, JOINED, in which the node keeps no report of its own."""
    ours = {f"REPORT_STATE_{each.name}": each.value for each in reports.ReportState}
    assert ours == {**dict(report_service_pb2.ReportState.items()), "REPORT_STATE_JOINED": 6}
