"""Cases in the register's tables: what happened to one is added, and how it stands after that is kept beside it.

The register's copy of a log may be read in any order relative to other logs; a case is folded anew from everything that
happened to it, so that every copy shows the same case once it holds the same facts.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from regulator_node.case_fold import Happening, ShownState, Standing, fold
from shared.database import Transaction
from shared.identifiers import id_bytes
from shared.mapping.policy import policy_from_wire
from shared.pb.filingnet.network.v1 import entry_pb2, evidence_pb2
from shared.provisions.escalations import CaseEvent, CaseKind, Party
from shared.provisions.policy import Policy

NATION_JURISDICTION: Final = "100000"
DESK: Final = "desk"
"""The source of what an officer did that no log holds: assigning a case."""

_CASE_COLUMNS: Final = (
    "jurisdiction",
    "case_id",
    "kind",
    "provider",
    "account_id",
    "escalation_id",
    "measure_id",
    "baseline",
    "item_url",
    "cause",
    "tracking_digest",
    "received_time",
    "shown_state",
    "due_time",
    "rise_time",
    "assignee",
    "outcome",
)
_EVENT_COLUMNS: Final = (
    "jurisdiction",
    "case_id",
    "source",
    "position",
    "event_time",
    "event",
    "actor",
    "of_nation",
    "reason",
)
_READ: Final = f"SELECT {', '.join(_CASE_COLUMNS)} FROM case_file"  # noqa: S608


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case as it is kept. Times are microseconds since 1970; a time that never comes is FOREVER.

    Attributes:
        jurisdiction: where it came in.
        case_id: 16 bytes.
        kind: what it is about, the number of a CaseKind.
        provider: node name; empty where it is not known.
        account_id: 16 bytes.
        escalation_id: 16 bytes; of the report, once one joined a complaint.
        measure_id: the measure an appeal is against; empty for every other case.
        baseline: 1 to 7.
        item_url: the public item; empty for the account as a whole.
        cause: why the report left its provider; 0 for appeals, and for complaints that no report joined.
        tracking_digest: SHA-256 of the first reporter's tracking code; empty for appeals. `case_codes` has them all.
        received_time: when it came in.
        shown_state: the number of a ShownState, after the last thing that happened.
        due_time: until when whoever has it has to act, as of then.
        rise_time: when it rises to the nation.
        assignee: the post that has it.
        outcome: code of the decision.
    """

    jurisdiction: str
    case_id: bytes
    kind: int
    provider: str
    account_id: bytes
    escalation_id: bytes
    measure_id: str
    baseline: int
    item_url: str
    cause: int
    tracking_digest: bytes
    received_time: int
    shown_state: int = ShownState.OPEN
    due_time: int = 0
    rise_time: int = 0
    assignee: str = ""
    outcome: str = ""

    @property
    def home(self) -> Party:
        """At whose node it came in."""
        return home_of(self.jurisdiction)


@dataclass(frozen=True, slots=True)
class PlacedHappening:
    """Something that happened to a case, and where it is written: the log's jurisdiction and the index in it."""

    happening: Happening
    source: str
    position: int


def home_of(jurisdiction: str) -> Party:
    """Returns the party whose log a jurisdiction's is."""
    return Party.NATION if jurisdiction == NATION_JURISDICTION else Party.PROVINCE


def case_id_of(jurisdiction: str, origin: str, escalation_id: str) -> bytes:
    """Returns the id of the case of an escalation, 16 bytes: the same in every copy, and nobody else's."""
    digest = hashlib.sha256(f"case/{jurisdiction}/{origin}/{escalation_id}".encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4).bytes


def open_case(transaction: Transaction, case: CaseFile, opened: PlacedHappening) -> None:
    """Opens a case, once."""
    transaction.execute(
        f"INSERT INTO case_file ({', '.join(_CASE_COLUMNS)}) VALUES ({', '.join('?' * len(_CASE_COLUMNS))})"  # noqa: S608
        " ON CONFLICT (jurisdiction, case_id) DO NOTHING",
        tuple(getattr(case, column) for column in _CASE_COLUMNS),
    )
    add_happening(transaction, case, opened)


def identify_case(transaction: Transaction, case: CaseFile) -> None:
    """Keeps which report a case is about, after one joined it."""
    transaction.execute(
        "UPDATE case_file SET provider = ?, escalation_id = ?, cause = ?, item_url = ?, tracking_digest = ?"
        " WHERE jurisdiction = ? AND case_id = ?",
        (
            case.provider,
            case.escalation_id,
            case.cause,
            case.item_url,
            case.tracking_digest,
            case.jurisdiction,
            case.case_id,
        ),
    )


def add_happening(transaction: Transaction, case: CaseFile, placed: PlacedHappening) -> Standing:
    """Adds what happened to a case, once, and keeps how it stands after that.

    Returns:
        How it stands after the last thing that happened; `case_fold.standing_at` brings it to a moment.
    """
    happening = placed.happening
    # What one log tells of a case keeps the order of the log, whatever the times in its entries say.
    ((last,),) = transaction.execute(
        "SELECT MAX(event_time) FROM case_event WHERE jurisdiction = ? AND case_id = ? AND source = ?",
        (case.jurisdiction, case.case_id, placed.source),
    )
    transaction.execute(
        f"INSERT INTO case_event ({', '.join(_EVENT_COLUMNS)}) VALUES ({', '.join('?' * len(_EVENT_COLUMNS))})"  # noqa: S608
        " ON CONFLICT (jurisdiction, case_id, source, position) DO NOTHING",
        (
            case.jurisdiction,
            case.case_id,
            placed.source,
            placed.position,
            max(happening.time, last or 0),
            int(happening.event),
            happening.actor,
            int(happening.of_nation),
            happening.reason,
        ),
    )
    standing = read_standing(transaction, case)
    transaction.execute(
        "UPDATE case_file SET shown_state = ?, due_time = ?, rise_time = ?, assignee = ?, outcome = ?"
        " WHERE jurisdiction = ? AND case_id = ?",
        (
            int(standing.shown),
            standing.due_time,
            standing.rise_time,
            standing.assignee,
            standing.outcome,
            case.jurisdiction,
            case.case_id,
        ),
    )
    return standing


def read_standing(transaction: Transaction, case: CaseFile, source: str = "") -> Standing:
    """Folds everything that happened to a case, or what one log tells of it."""
    happened = read_happenings(transaction, case, source)
    return fold(CaseKind(case.kind), case.home, happened, held_policies(transaction))


def read_happenings(transaction: Transaction, case: CaseFile, source: str = "") -> list[Happening]:
    """Reads what happened to a case, oldest first, of one source or of all."""
    # What opened the case comes first, whatever a clock that was set back says; each log keeps its order.
    rows = transaction.execute(
        "SELECT event_time, event, of_nation, actor, reason FROM case_event WHERE jurisdiction = ? AND case_id = ?"
        " AND (source = ? OR ? = '')"
        " ORDER BY CASE WHEN event = 1 THEN 0 ELSE 1 END, event_time, source, position",
        (case.jurisdiction, case.case_id, source, source),
    )
    return [
        Happening(time, CaseEvent(event), bool(nation), actor, reason) for time, event, nation, actor, reason in rows
    ]


def count_happenings(transaction: Transaction, case: CaseFile, source: str = "") -> int:
    """Counts what happened to a case, of one source or of all."""
    rows = transaction.execute(
        "SELECT COUNT(*) FROM case_event WHERE jurisdiction = ? AND case_id = ? AND (source = ? OR ? = '')",
        (case.jurisdiction, case.case_id, source, source),
    )
    return int(rows[0][0])


def find_case(transaction: Transaction, case_id: bytes) -> CaseFile | None:
    """Finds a case by its id; None where this node has none."""
    # The primary key begins with the jurisdiction: it is looked up in each log that this node holds.
    jurisdictions = transaction.execute("SELECT jurisdiction FROM log")
    for (jurisdiction,) in jurisdictions:
        found = _cases(transaction, "WHERE jurisdiction = ? AND case_id = ?", (jurisdiction, case_id))
        if found:
            return found[0]
    return None


def read_case(transaction: Transaction, jurisdiction: str, case_id: bytes) -> CaseFile | None:
    """Reads a case of one jurisdiction; None where there is none."""
    found = _cases(transaction, "WHERE jurisdiction = ? AND case_id = ?", (jurisdiction, case_id))
    return found[0] if found else None


def cases_of_escalation(transaction: Transaction, provider: str, escalation_id: str) -> list[CaseFile]:
    """Reads the cases of an escalation: one, and at a node that has none of it nothing."""
    place = (id_bytes(escalation_id), provider)
    return _cases(transaction, "WHERE escalation_id = ? AND provider = ?", place)


def read_cases(transaction: Transaction, condition: str, parameters: Sequence[object]) -> list[CaseFile]:
    """Reads the cases for which a condition holds, an SQL text of this package with ? for its parameters."""
    return _cases(transaction, condition, parameters)


def _cases(transaction: Transaction, condition: str, parameters: Sequence[object]) -> list[CaseFile]:
    cases = []
    for row in transaction.execute(f"{_READ} {condition}", parameters):
        values: list[Any] = [bytes(value) if isinstance(value, memoryview) else value for value in row]
        cases.append(CaseFile(*values))
    return cases


def held_policies(transaction: Transaction) -> tuple[Policy, ...]:
    """Reads the policies that this node holds, in the order of their versions."""
    rows = transaction.execute("SELECT signed FROM document WHERE kind = 'policy' ORDER BY version")
    return tuple(_policy(bytes(signed)) for (signed,) in rows)


@lru_cache(maxsize=256)
def _policy(signed: bytes) -> Policy:
    # A document was verified before it was stored.
    entry = entry_pb2.Entry.FromString(evidence_pb2.SignedDocument.FromString(signed).entry)
    return policy_from_wire(entry.policy)
