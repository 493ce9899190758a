"""The providers' tracking codes by which cases are known (answer 2), those that complainants named included.

A complaint whose complainant names the provider's code may be here before the report is. It waits under that code; the
report joins its case when it arrives, once, so that both have one case and one outcome. Every copy of the log comes to
the same answer, because whether a case still waits is told by the log alone, up to the report.

Reports of one account are joined one after another: whoever looks for a code or keeps one holds the account's lock, so
that of two that arrive at once the second finds what the first wrote. The order of locks is log, cases, region.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from regulator_node.case_fold import standing_at
from regulator_node.case_rows import (
    NATION_JURISDICTION,
    CaseFile,
    PlacedHappening,
    add_happening,
    held_policies,
    identify_case,
    read_cases,
    read_happenings,
    read_standing,
)
from shared.database import Transaction
from shared.provisions.escalations import CaseEvent, CaseKind, CaseState

MERGED: Final = "joined"
"""The outcome of a case that another one of the same report took up."""

LOCKS: Final = 16
"""So many locks stand for all accounts: a batch about many accounts takes few."""

_NEVER_DECIDED: Final = (CaseState.OPEN, CaseState.ASSIGNED, CaseState.VERIFIED)


def lock_cases(transaction: Transaction, account_ids: Iterable[bytes]) -> None:
    """Waits until nobody else joins cases of some accounts, and keeps it so until the transaction ends.

    Args:
        transaction: a write that holds the lock of its log, and none of a region.
        account_ids: of 16 bytes each.
    """
    for number in sorted({account[-1] % LOCKS for account in account_ids}):
        transaction.lock(f"cases/{number}")


def keep_codes(transaction: Transaction, case: CaseFile, digests: Collection[bytes]) -> None:
    """Keeps codes by which a case is known, each once."""
    transaction.executemany(
        "INSERT INTO case_code (jurisdiction, case_id, digest) VALUES (?, ?, ?)"
        " ON CONFLICT (jurisdiction, case_id, digest) DO NOTHING",
        [(case.jurisdiction, case.case_id, digest) for digest in digests],
    )


def case_of_code(transaction: Transaction, digest: bytes) -> CaseFile | None:
    """Reads the case that a tracking code belongs to; None where there is none.

    Where complainants named the code before its report came, it is the case of the first of them.
    """
    found = _cases_of_codes(transaction, [digest])
    return found[0] if found else None


def waiting_cases(
    transaction: Transaction, digests: Sequence[bytes], provider: str, account_id: bytes, report: PlacedHappening
) -> list[CaseFile]:
    """Finds the complaints that wait for a report, those that came first first.

    Args:
        transaction: a write that holds the account's lock.
        digests: of the report's tracking codes.
        provider: that the report comes from.
        account_id: that it is about.
        report: when it came in, and where it is written.

    Returns:
        The undecided cases of complaints about this account that named one of the codes: at the regulator that the
        report came to, and at the nation. What the nation took over from its province stays what it is.
    """
    found = []
    for case in _cases_of_codes(transaction, digests):
        waits = case.kind == CaseKind.COMPLAINT and not case.cause and case.account_id == account_id
        if waits and case.provider in ("", provider) and _undecided(transaction, case, report):
            found.append(case)
    return found


def join_report(transaction: Transaction, waiting: CaseFile, report: CaseFile, joined: PlacedHappening) -> CaseFile:
    """Has a report join the case of the complaint that waits for it: the case becomes that of both.

    Args:
        transaction: a write that holds the account's lock.
        waiting: the complaint's case; it keeps its id, its clock and whoever has it.
        report: the case that the report would have had.
        joined: when it came in, and where it is written.

    Returns:
        The case as it is now.
    """
    case = replace(
        waiting,
        provider=report.provider,
        escalation_id=report.escalation_id,
        cause=report.cause,
        item_url=report.item_url,
        tracking_digest=report.tracking_digest,
    )
    identify_case(transaction, case)
    add_happening(transaction, case, joined)
    return case


def merge_case(transaction: Transaction, case: CaseFile, into: CaseFile, report: PlacedHappening) -> None:
    """Has one case take up another one of the same report: that one ends, and who asks by its codes is told of this one.

    Args:
        transaction: a write that holds the account's lock.
        case: that ends; undecided.
        into: that goes on.
        report: through which both are found to be one.
    """
    # The nation may have worked on its case after the report was written in its province's log.
    last = max((each.time for each in read_happenings(transaction, case)), default=0)
    happening = replace(report.happening, event=CaseEvent.MERGE, reason=MERGED)
    add_happening(transaction, case, replace(report, happening=replace(happening, time=max(happening.time, last))))
    place, old = (into.jurisdiction, into.case_id), (case.jurisdiction, case.case_id)
    transaction.execute(
        "UPDATE complaint SET case_jurisdiction = ?, case_id = ? WHERE case_jurisdiction = ? AND case_id = ?",
        (*place, *old),
    )
    rows = transaction.execute("SELECT digest FROM case_code WHERE jurisdiction = ? AND case_id = ?", old)
    keep_codes(transaction, into, [bytes(digest) for (digest,) in rows])
    transaction.execute("DELETE FROM case_code WHERE jurisdiction = ? AND case_id = ?", old)


def _cases_of_codes(transaction: Transaction, digests: Sequence[bytes]) -> list[CaseFile]:
    if not digests:
        return []
    return read_cases(
        transaction,
        "WHERE (jurisdiction, case_id) IN (SELECT jurisdiction, case_id FROM case_code"  # noqa: S608
        f" WHERE digest IN ({', '.join('?' * len(digests))}))"
        " ORDER BY CASE WHEN cause > 0 THEN 0 ELSE 1 END, received_time, jurisdiction, case_id",
        tuple(digests),
    )


def _undecided(transaction: Transaction, case: CaseFile, report: PlacedHappening) -> bool:
    if case.jurisdiction == report.source:
        # By its own log alone, as every copy reads it; what an officer did that no log holds decides nothing.
        standing = read_standing(transaction, case, report.source)
    elif case.jurisdiction == NATION_JURISDICTION:
        standing = read_standing(transaction, case)
    else:
        return False
    at = standing_at(standing, CaseKind(case.kind), held_policies(transaction), report.happening.time)
    return not at.risen and at.state in _NEVER_DECIDED
