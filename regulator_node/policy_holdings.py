"""What the register holds of what a policy would change, counted for the time from which the policy holds.

Only what may change is counted, each by an index, so that a preview costs a register of millions a few reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from regulator_node.case_fold import ShownState
from regulator_node.register import RETURNED
from regulator_node.register_duties import read_duty_profiles
from shared.database import Transaction
from shared.errors import InvalidInput
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.provisions.duties import DutyProfileRecord
from shared.provisions.escalations import CaseKind
from shared.provisions.filings import FilingAction
from shared.provisions.label_decisions import LabelOutcome
from shared.provisions.label_rights import LabelAction
from shared.provisions.licences import parse_licence_number
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.policy import LABEL_FIRST_REMINDER, LABEL_SECOND_REMINDER, Policy
from shared.provisions.policy_preview import Holdings, RisingCases, removed_terms
from shared.provisions.policy_succession import removed_categories
from shared.provisions.spans import FOREVER

_HOLDS: Final = "granted = 1 AND end_time > ? AND revoked_time > ?"
_IN_FORCE: Final = "start_time <= ? AND end_time > ? AND stopped_time > ?"


def count_filings(transaction: Transaction, categories: Iterable[str]) -> dict[str, int]:
    """Counts the filings that stand and name each of some categories: the newest of accounts that are not withdrawn."""
    counts = {}
    for category in categories:
        ((count,),) = transaction.execute(
            "SELECT COUNT(*) FROM filing WHERE category = ? AND superseded_time IS NULL AND action <> ?",
            (category, int(FilingAction.WITHDRAW)),
        )
        if count:
            counts[category] = int(count)
    return counts


def read_holdings(
    transaction: Transaction, before: Policy, after: Policy, nodes: Mapping[str, directory_pb2.Node]
) -> Holdings:
    """Counts what the register holds.

    Args:
        transaction: a read.
        before: the newest policy.
        after: the policy that would follow it.
        nodes: of the directory, by name.

    Returns:
        The counts, of this jurisdiction and of the copies of others.
    """
    at = after.effective_micros
    profiles = _profiles(transaction)
    ((open_cases,),) = transaction.execute(
        "SELECT COUNT(*) FROM case_file WHERE shown_state <> ?", (int(ShownState.CLOSED),)
    )
    return Holdings(
        filings=count_filings(transaction, removed_categories(before, after)),
        terms=_terms(transaction, before, after, profiles),
        profiles=profiles,
        licence_classes={name: _licence_class(node) for name, node in nodes.items() if name.startswith("provider/")},
        jurisdictions={name: node.jurisdiction for name, node in nodes.items() if name.startswith("provider/")},
        labels=_labels(transaction, before, after),
        label_ends=_label_ends(transaction, before, after),
        approvals=_approvals(transaction),
        open_cases=open_cases,
        rising=[
            RisingCases(CaseKind(kind), rise_time, count)
            for kind, rise_time, count in transaction.execute(
                "SELECT kind, rise_time, COUNT(*) FROM case_file WHERE shown_state <> ? AND rise_time >= ?"
                " AND rise_time < ? GROUP BY kind, rise_time ORDER BY rise_time, kind",
                (int(ShownState.CLOSED), at, FOREVER),
            )
        ],
        measures=[
            (kind, length, count)
            for kind, length, count in transaction.execute(
                f"SELECT kind, end_time - start_time, COUNT(*) FROM measure WHERE {_IN_FORCE} AND kind <> ?"  # noqa: S608
                " GROUP BY kind, end_time - start_time",
                (at, at, at, int(MeasureKind.CLOSE)),
            )
        ],
    )


def _profiles(transaction: Transaction) -> Sequence[DutyProfileRecord]:
    return [
        profile
        for (jurisdiction,) in transaction.execute("SELECT jurisdiction FROM log ORDER BY jurisdiction")
        for profile in read_duty_profiles(transaction, jurisdiction).values()
    ]


def _terms(
    transaction: Transaction, before: Policy, after: Policy, profiles: Sequence[DutyProfileRecord]
) -> dict[tuple[str, str], int]:
    at = after.effective_micros
    counts = {}
    for name, code in removed_terms(before, after):
        values: tuple[int, ...]
        if name == "return_reasons":
            where, values = "filing WHERE state = ? AND superseded_time IS NULL AND reason = ?", (RETURNED,)
        elif name == "label_reasons":
            where, values = "label_grant WHERE outcome = ? AND reason = ?", (LabelOutcome.OBJECTED,)
        elif name == "measure_reasons":
            where, values = f"measure WHERE {_IN_FORCE} AND reason = ?", (at, at, at)
        elif name == "duties":
            counts[name, code] = sum(any(duty.code == code for duty in profile.duties) for profile in profiles)
            continue
        else:
            continue
        parameters = (*map(int, values), code)
        ((count,),) = transaction.execute(f"SELECT COUNT(*) FROM {where}", parameters)  # noqa: S608
        counts[name, code] = int(count)
    return counts


def _labels(transaction: Transaction, before: Policy, after: Policy) -> dict[str, int]:
    if not before.provider_licence_classes - after.provider_licence_classes:
        return {}
    at = after.effective_micros
    rows = transaction.execute(
        f"SELECT provider, COUNT(*) FROM label_grant WHERE {_HOLDS} GROUP BY provider",  # noqa: S608
        (at, at),
    )
    return dict(rows)


def _label_ends(transaction: Transaction, before: Policy, after: Policy) -> list[tuple[int, int]]:
    names = (LABEL_FIRST_REMINDER, LABEL_SECOND_REMINDER)
    old, new = ([period for period in policy.periods if period.name in names] for policy in (before, after))
    if old == new:
        return []
    at = after.effective_micros
    rows = transaction.execute(
        f"SELECT end_time, COUNT(*) FROM label_grant WHERE {_HOLDS} GROUP BY end_time",  # noqa: S608
        (at, at),
    )
    return [(end, count) for end, count in rows]


def _approvals(transaction: Transaction) -> list[tuple[int, int]]:
    rows = transaction.execute(
        "SELECT start_time, end_time FROM label_grant WHERE granted = 0 AND action = ? AND outcome = 0",
        (int(LabelAction.ASK),),
    )
    return [(start, end) for start, end in rows]


def _licence_class(node: directory_pb2.Node) -> int:
    try:
        return int(parse_licence_number(node.licence.number).licence_class)
    except InvalidInput:
        return 0
