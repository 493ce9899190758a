"""Puts together what a regulator works on cases with: the desk, the complaints, and the service over both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from regulator_node.audited import AuditTrail
from regulator_node.case_queries import CaseQueries
from regulator_node.cases import CaseDesk
from regulator_node.complaint_words import ComplaintWords
from regulator_node.complaints import RegisterComplaints
from regulator_node.escalation_servicer import EscalationServicer
from regulator_node.figures import FigureReader
from regulator_node.log import RegisterLog
from shared.clock import Clock
from shared.database import Database
from shared.provisions.policy import Policy


class CaseOffice:
    """The parts of one regulator's work on cases.

    Args:
        database: the register.
        log: this regulator's.
        folder: of the node; holds the key under which complainants' words are sealed.
        policy_at: finds the policy in force at a time.
        clock: tells the time.
        audit: the trail of officers' calls.
        feed_regions: whether this is the nation, which feeds the provinces (Art. 3).
        on_change: called after something entered the log, to wake those who follow it.

    Attributes:
        desk: assigns and decides.
        complaints: takes complaints in.
        servicer: serves EscalationService.
    """

    def __init__(
        self,
        database: Database,
        log: RegisterLog,
        folder: Path,
        policy_at: Callable[[datetime], Policy],
        clock: Clock,
        audit: AuditTrail,
        *,
        feed_regions: bool,
        on_change: Callable[[], None],
    ) -> None:
        self.desk = CaseDesk(database, log, policy_at, clock, feed_regions=feed_regions, on_change=on_change)
        self.complaints = RegisterComplaints(
            database,
            log,
            ComplaintWords.load(folder),
            policy_at,
            clock,
            feed_regions=feed_regions,
            on_change=on_change,
        )
        self.servicer = EscalationServicer(
            CaseQueries(database, clock), self.desk, self.complaints, FigureReader(database, clock), audit
        )
