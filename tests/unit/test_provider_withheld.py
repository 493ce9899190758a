"""What waits at a provider that may not file, by its standing in the directory (Arts. 4 and 8(2))."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provider_node.standing import Standing
from provider_node.withheld import withheld_now
from shared.errors import FailedPrecondition
from shared.identifiers import new_entry_id
from shared.pb.filingnet.network.v1 import entry_pb2
from shared.provisions.licences import Licence, LicenceState
from shared.provisions.provider_standing import ProviderState
from tests.unit.provision_samples import LICENCE, NOW

GOOD = Standing("provider/wave", "330000", LICENCE, ProviderState.ACTIVE, ())


@pytest.mark.parametrize(
    ("state", "licence", "reason"),
    [
        (ProviderState.SUSPENDED, LICENCE, "NODE_SUSPENDED"),
        (ProviderState.ACTIVE, None, "LICENCE_MISSING"),
        (ProviderState.ACTIVE, replace(LICENCE, state=LicenceState.SUSPENDED), "LICENCE_SUSPENDED"),
        (ProviderState.ACTIVE, replace(LICENCE, end_time=NOW), "LICENCE_LAPSED"),
    ],
)
def test_art_4_what_may_not_be_filed_waits_with_its_reason(
    state: ProviderState, licence: Licence | None, reason: str
) -> None:
    """Art. 4: suspended, or without a licence that holds, a filing waits and a report does not; the status says why."""
    withheld = withheld_now(lambda: replace(GOOD, state=state, licence=licence), lambda: NOW)
    assert withheld is not None
    assert reason == withheld.reason.partition(":")[0]
    filing, report = (entry_pb2.Entry(entry_id=new_entry_id()) for _ in range(2))
    filing.filing.revision = 1
    report.escalation.report.reports = 1
    assert [True, False] == [withheld.waits(entry.SerializeToString()) for entry in (filing, report)]


def test_art_4_in_good_standing_everything_is_sent() -> None:
    """Nothing waits where the provider may file, and where the directory does not know it: it is told so by the regulator."""

    def gone() -> Standing:
        raise FailedPrecondition("the directory has no provider/wave", "NOT_IN_DIRECTORY")

    assert (None, None) == (withheld_now(lambda: GOOD, lambda: NOW), withheld_now(gone, lambda: NOW))
