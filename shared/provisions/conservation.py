"""The conservation of reports (Art. 5(3), answer 2): every report is at any moment with exactly one party, or over.

A report passes from party to party with the entry that tells of it: it is the sender's until the receiver has stored
the entry, and the receiver's from then on. From what provider, province and nation hold of one report this says with
whom it is, or names what does not add up: a report that nobody has, that two have, or that one believes to be over and
the other does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.errors import Violation
from shared.provisions.escalations import CaseState, Party, responsible_party
from shared.provisions.reports import ReportState


@dataclass(frozen=True, slots=True)
class ReportTrail:
    """What the parties hold of one report. For a joined report it is the trail of the first one.

    Attributes:
        report: where it stands at its provider.
        escalated: whether the provider queued an entry that it left.
        escalation_taken: whether the regulator acknowledged that entry.
        settlement_taken: whether the regulator acknowledged an entry that it was settled after it had left.
        home: the party of the regulator with which the provider files, PROVINCE or NATION.
        case: where it stands there; None where there is no case.
        rise_taken: whether the nation's replica holds what the province wrote of its rise.
        nation_case: where it stands at the nation after it rose; None where there is no case.
    """

    report: ReportState
    escalated: bool = False
    escalation_taken: bool = False
    settlement_taken: bool = False
    home: Party = Party.PROVINCE
    case: CaseState | None = None
    rise_taken: bool = False
    nation_case: CaseState | None = None


@dataclass(frozen=True, slots=True)
class HeldReport:
    """What a provider holds of one report. Times are microseconds since the epoch, UTC.

    Attributes:
        report: where it stands.
        reports: how many reports are joined in it.
        codes: how many tracking codes are kept for it.
        leave_time: when it leaves by itself; FOREVER where it will not.
        escalated: whether an entry that it left is kept.
        taken: whether the regulator acknowledged that entry.
    """

    report: ReportState
    reports: int
    codes: int
    leave_time: int
    escalated: bool
    taken: bool


LONGEST_DELAY: Final = 60_000_000
"""A report leaves at its due minute."""


def locate_held(held: HeldReport, home: Party, now: int) -> Party | Violation:
    """Says with whom a report is by what its provider holds, or what does not add up there.

    Args:
        held: what the provider holds.
        home: the party of the regulator with which it files, PROVINCE or NATION: from there on its own audit goes.
        now: the moment.

    Returns:
        The party, NOBODY where the provider settled it in time; or the violation CODE_MISSING, REPORT_LOST,
        ENTRY_UNEXPECTED or REPORT_OVERDUE.
    """
    handled = held.report in (ReportState.RECEIVED, ReportState.ANSWERED)
    if held.codes != held.reports:
        mend = f"{held.reports} reporters are joined in it and {held.codes} codes are kept: one cannot ask any more"
        return Violation("codes", "CODE_MISSING", mend)
    if held.escalated and handled:
        return Violation("report", "ENTRY_UNEXPECTED", "the provider still handles a report that it sent off")
    if handled and held.leave_time + LONGEST_DELAY <= now:
        mend = "its time is up and it has not left; see the node's log for what keeps it"
        return Violation("leave_time", "REPORT_OVERDUE", mend)
    if held.escalated:
        return home if held.taken else Party.PROVIDER
    return _locate_at_provider(ReportTrail(held.report))


_UNDECIDED: Final = (CaseState.OPEN, CaseState.ASSIGNED, CaseState.VERIFIED)


def locate(trail: ReportTrail) -> Party | Violation:
    """Says with whom a report is, or what does not add up.

    Args:
        trail: what the parties hold of it, read at one moment.

    Returns:
        The party that has to act, NOBODY where the report is over; or the violation REPORT_LOST, CASE_MISSING,
        CASE_UNEXPECTED, TWO_CASES, DECISION_MISSING or SETTLEMENT_IGNORED.
    """
    if not trail.escalated:
        return _locate_at_provider(trail)
    if trail.case is None:
        if not trail.escalation_taken:
            return Party.PROVIDER
        return Violation("case", "CASE_MISSING", "the regulator acknowledged the report and has no case of it")
    if trail.nation_case is not None and (trail.case is not CaseState.RISEN or trail.home is Party.NATION):
        return Violation("nation_case", "TWO_CASES", "province and nation both have the case; one has to close it")
    return _locate_at_regulator(trail, trail.case)


def _locate_at_provider(trail: ReportTrail) -> Party | Violation:
    if trail.case is not None or trail.nation_case is not None:
        return Violation("case", "CASE_UNEXPECTED", "a regulator has a case that the provider never sent")
    if trail.report in (ReportState.RECEIVED, ReportState.ANSWERED):
        return Party.PROVIDER
    if trail.report is ReportState.SETTLED:
        return Party.NOBODY
    return Violation("report", "REPORT_LOST", "the provider says that it left, and has no entry of it")


def _locate_at_regulator(trail: ReportTrail, case: CaseState) -> Party | Violation:
    if trail.report in (ReportState.RECEIVED, ReportState.ANSWERED):
        return Violation("report", "CASE_UNEXPECTED", "the provider still handles a report that it sent off")
    if trail.report is ReportState.DECIDED and case in _UNDECIDED:
        return Violation("case", "DECISION_MISSING", "the provider holds a decision that the regulator does not have")
    if trail.settlement_taken and case in (*_UNDECIDED, CaseState.ANSWERED):
        return Violation("case", "SETTLEMENT_IGNORED", "the regulator has the settlement; close the case")
    if case is not CaseState.RISEN:
        return responsible_party(case, trail.home)
    if trail.nation_case is not None:
        return responsible_party(trail.nation_case, Party.NATION)
    if trail.rise_taken:
        return Violation("nation_case", "CASE_MISSING", "the nation holds the rise and has no case of it")
    return Party.PROVINCE
