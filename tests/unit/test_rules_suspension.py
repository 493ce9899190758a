"""What a provider may state while it is suspended, and what waits with what has to wait (Arts. 4, 5(3) and 8(2))."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.provisions.appeals import AppealRecord, AppealStage
from shared.provisions.directives import OrderAnswerRecord
from shared.provisions.duties import DutyProfileRecord
from shared.provisions.labels import LabelAction
from shared.provisions.provider_standing import ProviderState, judge_filing_provider, judge_reporting_provider
from shared.provisions.reports import JoiningRecord, ReportRecord, SettlementRecord
from shared.provisions.suspension import StatedRecord, Withholding, needs_good_standing
from shared.provisions.transfers import DepartureRecord
from tests.unit.provision_samples import NOW, record
from tests.unit.rule_samples import (
    ACCOUNT,
    APPEAL,
    AT,
    CREATED,
    DAY,
    MEASURE,
    ORDER,
    OTHER_ACCOUNT,
    OTHER_GRANT,
    REPORT,
    STANDING,
    label,
    taken,
)

LEFT = ReportRecord(REPORT, ACCOUNT, 1, CREATED, bytes(32), 7, "", b"", AT - 9 * DAY, AT - DAY, 1, 2)
SETTLED = SettlementRecord(REPORT, ACCOUNT, 2, CREATED, CREATED, "item_removed")
JOINED = JoiningRecord(REPORT, ACCOUNT, 2, CREATED, (bytes(32),))
APPEALED = AppealRecord(APPEAL, ACCOUNT, 1, CREATED, MEASURE, AppealStage.PROVIDER_UPHELD, CREATED, bytes(32))
ANSWERED = OrderAnswerRecord(REPORT, ACCOUNT, 1, CREATED, ORDER, 1, "", CREATED)
DUTIES = DutyProfileRecord(1, (), 1, 1, CREATED, CREATED)
OPENED, AMENDED = record(account_id=ACCOUNT, revision=1), record(account_id=ACCOUNT, revision=2)
GRANTED, REVOKED = label(), label(action=LabelAction.REVOKE, revision=2)
REPORTS = (LEFT, SETTLED, JOINED)
RESTING = (taken(), APPEALED, ANSWERED)


@pytest.mark.parametrize("stated", [*REPORTS, *RESTING, REVOKED, DUTIES], ids=lambda each: type(each).__name__)
def test_art_8_2_a_suspended_provider_owes_its_reports(stated: StatedRecord) -> None:
    """Art. 8(2): reports, measures, appeals, answers, revocations and duties need no good standing, and wait for nothing."""
    assert (False, False) == (needs_good_standing(stated), Withholding().waits(stated))
    suspended = replace(STANDING, state=ProviderState.SUSPENDED, licence=None)
    assert [] == list(judge_reporting_provider(suspended))


@pytest.mark.parametrize("stated", [OPENED, AMENDED, GRANTED, label(action=LabelAction.RENEW)])
def test_art_4_a_suspended_provider_files_and_grants_nothing(stated: StatedRecord) -> None:
    """Art. 4: filings and grants need good standing, and wait."""
    assert (True, True) == (needs_good_standing(stated), Withholding().waits(stated))
    suspended = replace(STANDING, state=ProviderState.SUSPENDED)
    assert "PROVIDER_SUSPENDED" == next(judge_filing_provider(suspended, NOW)).rule


def test_art_8_2_what_rests_on_what_waits_waits_with_it() -> None:
    """A measure on an account never filed, and the end of a label never told of, wait with them; a report does not."""
    withholding = Withholding()
    assert [True] * 2 == [withholding.waits(each) for each in (OPENED, GRANTED)]
    assert [True] * 4 == [withholding.waits(each) for each in (*RESTING, REVOKED)]
    assert [False] * 3 == [withholding.waits(each) for each in REPORTS]
    others = (taken(account_id=OTHER_ACCOUNT), replace(REVOKED, grant_id=OTHER_GRANT))
    assert [False] * 2 == [withholding.waits(each) for each in others]
    departed = DepartureRecord(1, "110000")
    assert (True, False) == (withholding.waits(departed), Withholding().waits(departed))
    amended = Withholding()
    assert (True, False) == (amended.waits(AMENDED), amended.waits(taken()))


@given(st.lists(st.sampled_from([*REPORTS, *RESTING, OPENED, AMENDED, GRANTED, REVOKED, DUTIES]), max_size=30))
def test_answer_2_a_report_never_waits(stated: list[StatedRecord]) -> None:
    """Answer 2: whatever waits before it, a report leaves; and what is asked again is answered alike."""
    withholding = Withholding()
    first = [withholding.waits(each) for each in stated]
    assert not any(waits for waits, each in zip(first, stated, strict=True) if each in REPORTS)
    assert all(waits for waits, each in zip(first, stated, strict=True) if needs_good_standing(each))
    again = [withholding.waits(each) for each in stated]
    assert all(later or not earlier for earlier, later in zip(first, again, strict=True))
