"""What the entries of a log mean: applies them to the register's tables, each kind by the module of its own.

Used alike for the regulator's own log and for copies of other logs, so that every copy of a log gives the same
register. Applying is a pure consequence of the log: it judges nothing, because what is in a log was judged before it
got there. Kinds are applied one after another; within a kind, in log order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from regulator_node import text_index
from regulator_node.account_entries import keep_places
from regulator_node.feed_positions import last_position
from regulator_node.register_departures import apply_departures, logs_of, marks, moved_to
from regulator_node.register_duties import apply_duty_profiles
from regulator_node.register_escalations import (
    apply_escalation_decision,
    apply_escalations,
    places_of_case,
    region_of_decision,
)
from regulator_node.register_holds import apply_hold_answers, apply_record_hold, region_of_hold
from regulator_node.register_labels import apply_label_decision, apply_labels, label_indexes_of, region_of_account
from shared.database import Transaction
from shared.identifiers import id_bytes
from shared.mapping.times import micros_of
from shared.pb.filingnet.network.v1 import decision_pb2, entry_pb2, filing_pb2
from shared.provisions.regions import NATION

FILED, ACCEPTED, RETURNED, WITHDRAWN = 1, 2, 3, 4

_DIRECTIVES = ("filing_decision", "label_decision", "escalation_decision", "record_hold")

_FILING_COLUMNS = (
    "jurisdiction",
    "log_index",
    "provider",
    "account_id",
    "revision",
    "action",
    "display_name",
    "category",
    "subject_kind",
    "person_reference",
    "uscc",
    "organisation_name",
    "subject_region",
    "filed_time",
    "effective_time",
    "superseded_time",
    "state",
    "reason",
    "fields",
    "note",
)


def apply_entries(
    transaction: Transaction,
    jurisdiction: str,
    entries: Sequence[tuple[int, entry_pb2.Entry]],
    filed_time: int,
    *,
    feed_regions: bool,
) -> None:
    """Applies entries of one log, in log order.

    Args:
        transaction: where they are applied; the same in which they entered the log or the copy.
        jurisdiction: whose log.
        entries: pairs of log index and entry.
        filed_time: when they entered the log, microseconds since 1970.
        feed_regions: whether to queue them for the provinces of their subjects (the nation does; Art. 3).
    """
    kinds: dict[str, list[tuple[int, entry_pb2.Entry]]] = {}
    for placed in entries:
        kinds.setdefault(placed[1].WhichOneof("body") or "", []).append(placed)
    filings = kinds.get("filing", ())
    if filings:
        _apply_filings(transaction, jurisdiction, filings, filed_time)
    if labels := kinds.get("label_grant"):
        apply_labels(transaction, jurisdiction, labels, filed_time)
    if escalations := kinds.get("escalation"):
        apply_escalations(transaction, jurisdiction, escalations, filed_time)
    if profiles := kinds.get("duty_profile"):
        apply_duty_profiles(transaction, jurisdiction, profiles, filed_time)
    keep_places(transaction, jurisdiction, kinds, filed_time)
    if departures := kinds.get("departure"):
        apply_departures(transaction, jurisdiction, departures, feed_regions=feed_regions)
    fed = _regions_of_filings(transaction, jurisdiction, filings) if feed_regions else []
    for index, entry in kinds.get("filing_decision", ()):
        region = _apply_decision(transaction, jurisdiction, index, entry.filing_decision)
        if feed_regions and region is not None:
            fed.append((index, region))
    for index, entry in kinds.get("label_decision", ()):
        apply_label_decision(transaction, jurisdiction, index, entry)
        _direct(transaction, jurisdiction, entry.label_decision.provider, index)
    for index, entry in kinds.get("escalation_decision", ()):
        apply_escalation_decision(transaction, jurisdiction, index, entry)
        _direct(transaction, jurisdiction, entry.escalation_decision.provider, index)
        if feed_regions and (region := region_of_decision(transaction, jurisdiction, entry)) is not None:
            fed.append((index, region))
    for index, entry in kinds.get("record_hold", ()):
        apply_record_hold(transaction, jurisdiction, index, entry)
        _direct(transaction, jurisdiction, entry.record_hold.provider, index)
        if feed_regions and (region := region_of_hold(transaction, jurisdiction, entry.record_hold.provider)):
            fed.append((index, region))
    if answers := kinds.get("record_hold_answer"):
        apply_hold_answers(transaction, jurisdiction, answers)
    if feed_regions:
        fed.extend(_regions_of_labels(transaction, jurisdiction, kinds))
        fed.extend(_moved_away(transaction, jurisdiction, kinds))
    if fed:
        _feed(transaction, jurisdiction, sorted(set(fed)))


def apply_openings(
    transaction: Transaction,
    jurisdiction: str,
    openings: Sequence[tuple[int, entry_pb2.Entry, int]],
    *,
    feed_regions: bool,
) -> None:
    """Applies filings that open accounts, out of several runs at once; as `apply_entries` applies them run by run.

    Args:
        transaction: where they are applied; the same in which they entered the log.
        jurisdiction: whose log.
        openings: log index, entry with revision 1 of an account, and when it entered the log, microseconds since 1970.
        feed_regions: whether to queue them for the provinces of their subjects.
    """
    _insert_filings(transaction, jurisdiction, openings)
    if feed_regions:
        _feed(transaction, jurisdiction, [(index, entry.filing.subject_region) for index, entry, _ in openings])


def _insert_filings(
    transaction: Transaction, jurisdiction: str, filings: Sequence[tuple[int, entry_pb2.Entry, int]]
) -> None:
    rows, texts = [], []
    for index, entry, filed_time in filings:
        filing = entry.filing
        account = id_bytes(filing.account_id)
        rows.append(_filing_row(jurisdiction, index, entry.origin, account, filing, filed_time))
        texts.append((jurisdiction, index, text_index.tokens(filing.display_name, filing.organisation_name)))
    transaction.insert_many("filing", _FILING_COLUMNS, rows)
    text_index.insert_rows(transaction, texts)


def _apply_filings(
    transaction: Transaction, jurisdiction: str, filings: Sequence[tuple[int, entry_pb2.Entry]], filed_time: int
) -> None:
    superseded: list[tuple[object, ...]] = []
    logs: dict[str, tuple[str, ...]] = {}
    for _, entry in filings:
        filing, provider = entry.filing, entry.origin
        if filing.revision > 1:
            if provider not in logs:
                logs[provider] = logs_of(transaction, jurisdiction, provider)
            account = id_bytes(filing.account_id)
            superseded.extend((filed_time, place, provider, account, filing.revision - 1) for place in logs[provider])
    _insert_filings(transaction, jurisdiction, [(index, entry, filed_time) for index, entry in filings])
    if superseded:
        transaction.executemany(
            "UPDATE filing SET superseded_time = ? WHERE jurisdiction = ? AND provider = ? AND account_id = ?"
            " AND revision = ?",
            superseded,
        )


def _regions_of_filings(
    transaction: Transaction, jurisdiction: str, filings: Sequence[tuple[int, entry_pb2.Entry]]
) -> list[tuple[int, str]]:
    # A subject that moved to another region is told to both: the region it left must see that its filing was replaced.
    fed = []
    for index, entry in filings:
        fed.append((index, entry.filing.subject_region))
        if entry.filing.revision > 1:
            logs = logs_of(transaction, jurisdiction, entry.origin)
            rows = transaction.execute(
                f"SELECT subject_region FROM filing WHERE jurisdiction IN ({marks(logs)}) AND provider = ?"  # noqa: S608
                " AND account_id = ? AND revision = ? AND subject_region <> ?",
                (
                    *logs,
                    entry.origin,
                    id_bytes(entry.filing.account_id),
                    entry.filing.revision - 1,
                    entry.filing.subject_region,
                ),
            )
            fed.extend((index, region) for (region,) in rows)
            if rows:
                fed.extend(_labels_moved(transaction, jurisdiction, entry))
    return fed


def _labels_moved(transaction: Transaction, jurisdiction: str, entry: entry_pb2.Entry) -> list[tuple[int, str]]:
    # The region that a subject comes to sees the labels that its account brought along.
    indexes = label_indexes_of(transaction, jurisdiction, entry.origin, entry.filing.account_id)
    return [(index, entry.filing.subject_region) for index in indexes]


def _moved_away(
    transaction: Transaction, jurisdiction: str, kinds: Mapping[str, Sequence[tuple[int, entry_pb2.Entry]]]
) -> list[tuple[int, str]]:
    # What is still decided where a provider filed before is told to where it files now, and answers come back (Art. 3).
    fed = []
    for kind in _DIRECTIVES:
        for index, entry in kinds.get(kind, ()):
            place = moved_to(transaction, getattr(entry, kind).provider)
            if place not in (None, jurisdiction):
                fed.append((index, str(place)))
    for index, entry in kinds.get("escalation", ()):
        fed.extend((index, place) for place in places_of_case(transaction, jurisdiction, entry))
    return fed


def _regions_of_labels(
    transaction: Transaction, jurisdiction: str, kinds: Mapping[str, Sequence[tuple[int, entry_pb2.Entry]]]
) -> list[tuple[int, str]]:
    accounts = [(index, entry.origin, entry.label_grant.account_id) for index, entry in kinds.get("label_grant", ())]
    for index, entry in kinds.get("label_decision", ()):
        accounts.append((index, entry.label_decision.provider, entry.label_decision.account_id))
    regions = [(index, region_of_account(transaction, jurisdiction, *account)) for index, *account in accounts]
    return [(index, region) for index, region in regions if region is not None]


def _filing_row(
    jurisdiction: str, index: int, provider: str, account: bytes, filing: filing_pb2.Filing, filed_time: int
) -> tuple[object, ...]:
    organisation = filing.uscc
    return (
        jurisdiction,
        index,
        provider,
        account,
        filing.revision,
        filing.action,
        filing.display_name,
        filing.category,
        filing.subject_kind,
        None if organisation else filing.person_reference,
        organisation or None,
        filing.organisation_name,
        filing.subject_region,
        filed_time,
        micros_of(filing.effective_time),
        None,
        WITHDRAWN if filing.action == filing_pb2.FILING_ACTION_WITHDRAW else FILED,
        "",
        "",
        "",
    )


def _apply_decision(
    transaction: Transaction, jurisdiction: str, index: int, decision: decision_pb2.FilingDecision
) -> str | None:
    account = id_bytes(decision.account_id)
    state = ACCEPTED if decision.outcome == decision_pb2.DECISION_OUTCOME_ACCEPTED else RETURNED
    logs = logs_of(transaction, jurisdiction, decision.provider)
    rows = transaction.execute(
        "UPDATE filing SET state = ?, decided_time = ?, decision_index = ?, reason = ?, fields = ?, note = ?"  # noqa: S608
        f" WHERE jurisdiction IN ({marks(logs)}) AND provider = ? AND account_id = ? AND revision = ?"
        " RETURNING subject_region",
        (
            state,
            decision.decided_time.ToMicroseconds(),
            index,
            decision.reason,
            " ".join(decision.fields),
            decision.note,
            *logs,
            decision.provider,
            account,
            decision.revision,
        ),
    )
    _direct(transaction, jurisdiction, decision.provider, index)
    return rows[0][0] if rows else None


def _direct(transaction: Transaction, jurisdiction: str, provider: str, index: int) -> None:
    transaction.execute(
        "INSERT INTO directive (jurisdiction, addressee, log_index) VALUES (?, ?, ?)", (jurisdiction, provider, index)
    )


def _feed(transaction: Transaction, jurisdiction: str, fed: Sequence[tuple[int, str]]) -> None:
    by_region: dict[str, list[int]] = {}
    for index, region in fed:
        if region not in (jurisdiction, NATION):
            by_region.setdefault(region, []).append(index)
    for region, indexes in sorted(by_region.items()):
        last = last_position(transaction, region)
        transaction.insert_many(
            "region_feed",
            ("region", "position", "jurisdiction", "log_index"),
            [(region, last + offset + 1, jurisdiction, index) for offset, index in enumerate(indexes)],
        )
