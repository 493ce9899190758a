"""Bad input to the nation's documents: policies that clash in their dates, licences that cannot be a provider's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.mapping.policy import policy_to_wire
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.pb.filingnet.regulator.v1 import (
    network_service_pb2,
    network_service_pb2_grpc,
)
from shared.provisions.policy import CalendarOverride, PeriodUnit, Policy, Provenance, initial_policy
from tests.integration.filing_samples import (
    PROVIDER,
    put,
)
from tests.integration.regulators import Running, provider_of
from tests.integration.told_status import told


def next_policy(**changes: Any) -> Policy:
    """The second policy, from far in the future on, with changes."""
    begins = datetime(2099, 1, 1, tzinfo=UTC)
    return replace(initial_policy(), **{"version": 2, "effective_time": begins, **changes})


def period(**changes: Any) -> Any:
    """The periods with the first one changed."""
    first, *others = initial_policy().periods
    return (replace(first, **changes), *others)


DOUBLE_DAY = (CalendarOverride(date(2027, 1, 1), True), CalendarOverride(date(2027, 1, 1), False))


@pytest.mark.parametrize(
    ("policy", "reason", "field", "rule"),
    [
        pytest.param(next_policy(version=3), "POLICY_SUCCESSION", "version", "VERSION_OUT_OF_ORDER", id="gap"),
        pytest.param(next_policy(version=1), "POLICY_SUCCESSION", "version", "VERSION_OUT_OF_ORDER", id="repeated"),
        pytest.param(
            next_policy(effective_time=datetime(2013, 1, 1, tzinfo=UTC)),
            "POLICY_SUCCESSION",
            "effective_time",
            "EFFECTIVE_TIME_WRONG",
            id="clash with the one before",
        ),
        pytest.param(
            next_policy(effective_time=datetime(2020, 1, 1, tzinfo=UTC)),
            "POLICY_SUCCESSION",
            "effective_time",
            "EFFECTIVE_TIME_PASSED",
            id="in the past",
        ),
        pytest.param(
            next_policy(earliest_time=datetime(2100, 1, 1, tzinfo=UTC)),
            "POLICY_SUCCESSION",
            "earliest_time",
            "EARLIEST_TIME_WRONG",
            id="filings from before it begins",
        ),
        pytest.param(
            next_policy(calendar_overrides=DOUBLE_DAY),
            "POLICY_SUCCESSION",
            "calendar_overrides[1]",
            "REPEATED",
            id="a day that works and rests",
        ),
        pytest.param(
            next_policy(periods=initial_policy().periods[1:]),
            "POLICY_SUCCESSION",
            "periods",
            "PERIOD_MISSING",
            id="period missing",
        ),
        pytest.param(
            next_policy(periods=period(amount=0)),
            "FIELD_VIOLATIONS",
            "policy.periods[0].amount",
            "int32.gte_lte",
            id="period without a number",
        ),
        pytest.param(
            next_policy(periods=period(unit=PeriodUnit.UNSPECIFIED)),
            "FIELD_VIOLATIONS",
            "policy.periods[0].unit",
            "enum.not_in",
            id="period without a unit",
        ),
        pytest.param(
            next_policy(periods=period(provenance=Provenance.STATUTORY)),
            "FIELD_VIOLATIONS",
            "policy.periods[0]",
            "period.article",
            id="statutory without its article",
        ),
    ],
)
async def test_a_policy_with_a_gap_or_a_clash_in_its_dates(
    nation: Running, policy: Policy, reason: str, field: str, rule: str
) -> None:
    """It is refused when it is validated and when it is published, and the preview of it says the same; none is followed."""
    wire = policy_to_wire(policy)
    async with nation.calling(network_service_pb2_grpc.NetworkServiceStub) as officer:
        for validate_only in (True, False):
            request = network_service_pb2.PublishPolicyRequest(policy=wire, validate_only=validate_only)
            found = await told(officer.PublishPolicy(request))
            assert ("INVALID_ARGUMENT", reason) == (found.code, found.reason)
            assert (field, rule) in found.fields
        preview = officer.PreviewPolicy(network_service_pb2.PreviewPolicyRequest(policy=wire))
        if reason == "FIELD_VIOLATIONS":
            assert (field, rule) in (await told(preview)).fields
        else:
            shown = (await preview).violations
            assert found.fields == tuple((each.field, each.rule) for each in shown)
    assert 1 == nation.view.versions[1]


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"number": "19320240001"}, "licence.number", "LICENCE_NUMBER_WRONG"),
        ({"number": "33320260001"}, "licence.number", "LICENCE_YEAR_WRONG"),
        ({"end_time": datetime(2024, 1, 1, tzinfo=UTC)}, "licence.end_time", "LICENCE_DATES_WRONG"),
        ({"number": "33420240001"}, "licence.number", "string.pattern"),
    ],
)
async def test_art_4_an_impossible_licence_of_a_provider_is_not_entered(
    nation: Running, tmp_path: Path, changes: dict[str, Any], field: str, rule: str
) -> None:
    """The nation enters no licence of a provider that cannot be one, neither when it joins nor later."""
    licence = directory_pb2.Licence(number="33320240001", state=directory_pb2.LICENCE_STATE_VALID)
    for name, value in {
        "start_time": datetime(2024, 1, 1, tzinfo=UTC),
        "end_time": datetime(2027, 6, 1, tzinfo=UTC),
        **changes,
    }.items():
        put(licence, name, value)
    await provider_of(nation, tmp_path / "wave")
    version = nation.view.versions[0]
    join = network_service_pb2.CreateEnrolmentTokenRequest(
        node_name="provider/harbour", jurisdiction="330000", title="样例", licence=licence
    )
    change = network_service_pb2.SetLicenceRequest(node_name=PROVIDER, licence=licence)
    async with nation.calling(network_service_pb2_grpc.NetworkServiceStub) as officer:
        for call in (officer.CreateEnrolmentToken(join), officer.SetLicence(change)):
            found = await told(call)
            assert ("INVALID_ARGUMENT", ((field, rule),)) == (found.code, found.fields)
    assert version == nation.view.versions[0]
