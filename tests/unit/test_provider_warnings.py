"""Art. 4: a provider's status says what keeps it from filing, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from provider_node.standing import Standing
from provider_node.status import warnings
from shared.provisions.filings import ProviderState
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.policy import initial_policy

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LICENCE = Licence("33320240001", NOW - 600 * DAY, NOW + 400 * DAY, LicenceState.VALID)
WELL = Standing("provider/wave", "330000", LICENCE, ProviderState.ACTIVE, (initial_policy(),))


@pytest.mark.parametrize(
    ("standing", "refusal", "rules"),
    [
        (WELL, "", []),
        (WELL, "PEER_UNREACHABLE: it does not answer", []),
        (WELL, "NODE_DENIED: the nation denied this node", ["NODE_DENIED"]),
        (replace(WELL, state=ProviderState.DENIED), "", ["NODE_DENIED"]),
        (replace(WELL, state=ProviderState.SUSPENDED), "NODE_SUSPENDED: suspended", ["PROVIDER_SUSPENDED"]),
        (replace(WELL, licence=None), "", ["LICENCE_MISSING"]),
        (replace(WELL, licence=replace(LICENCE, state=LicenceState.SUSPENDED)), "", ["LICENCE_SUSPENDED"]),
        (replace(WELL, licence=replace(LICENCE, state=LicenceState.REVOKED)), "", ["LICENCE_REVOKED"]),
        (replace(WELL, licence=replace(LICENCE, end_time=NOW - DAY)), "", ["LICENCE_LAPSED"]),
        (replace(WELL, licence=replace(LICENCE, end_time=NOW + DAY)), "", ["LICENCE_RENEWAL_DUE"]),
        (
            replace(WELL, state=ProviderState.SUSPENDED, licence=replace(LICENCE, state=LicenceState.SUSPENDED)),
            "",
            ["PROVIDER_SUSPENDED", "LICENCE_SUSPENDED"],
        ),
    ],
)
def test_what_keeps_a_provider_from_filing_is_said(standing: Standing, refusal: str, rules: list[str]) -> None:
    """Each reason once, the gravest first, with a mend; a denied provider hears of it by the refusal alone."""
    found = warnings(standing, refusal, NOW)
    assert rules == [each.rule for each in found]
    assert all(each.mend for each in found)
