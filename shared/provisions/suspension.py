"""What a provider may still state while it is suspended or its licence does not hold (Arts. 4, 5(3) and 8(2)).

It files no account and grants no label. It goes on telling of reports, measures, appeals and orders, and takes labels
back: what it owes the public and the authority ends with no suspension. What has to wait, waits at the provider and is
sent once it may file again; a regulator refuses none of it for good.
"""

from __future__ import annotations

from typing import TypeAlias

from shared.provisions.appeals import AppealRecord
from shared.provisions.directives import OrderAnswerRecord
from shared.provisions.duties import DutyProfileRecord
from shared.provisions.escalation_judgement import EscalationRecord
from shared.provisions.filings import FilingRecord
from shared.provisions.labels import LabelAction, LabelRecord
from shared.provisions.measures import MeasureRecord
from shared.provisions.record_holds import HoldAnswerRecord
from shared.provisions.transfers import DepartureRecord

StatedRecord: TypeAlias = (
    FilingRecord | LabelRecord | EscalationRecord | DutyProfileRecord | DepartureRecord | HoldAnswerRecord
)
"""Whatever a provider states."""


def needs_good_standing(record: StatedRecord) -> bool:
    """Tells whether only a provider in good standing may state something: filing an account, granting a label."""
    if isinstance(record, LabelRecord):
        return record.action != LabelAction.REVOKE
    return isinstance(record, FilingRecord)


class Withholding:
    """Sorts what waits at a provider in the order in which it was stated: what may be sent, and what waits on.

    What rests on something that waits, waits with it: the regulator would refuse a measure on an account that was
    never filed there, and the revocation of a label that it never heard of. A report rests on nothing.
    """

    def __init__(self) -> None:
        self._unfiled: set[str] = set()
        self._grants: set[str] = set()
        self._anything = False

    def waits(self, record: StatedRecord) -> bool:
        """Tells whether something waits.

        Args:
            record: what is stated; each one once or more, none before those of its account that were stated earlier.
        """
        if isinstance(record, DepartureRecord):
            # It is the last that is stated anywhere, so that it overtakes nothing.
            return self._anything
        if needs_good_standing(record):
            self._anything = True
        if isinstance(record, FilingRecord):
            if record.revision == 1:
                self._unfiled.add(record.account_id)
            return True
        if isinstance(record, LabelRecord):
            if needs_good_standing(record):
                self._grants.add(record.grant_id)
            return record.grant_id in self._grants
        if isinstance(record, MeasureRecord | AppealRecord | OrderAnswerRecord):
            return record.account_id in self._unfiled
        return False
