"""Whether an account's label is genuine (Art. 7(3)), for anybody who asks.

The answer is derived at the moment of the question, from the grants, the licence of the provider in the directory and
the account's filing. Nothing of the register can be listed through it: it is asked by the account's random id, and an
account that is unknown, not public or without a label gets one and the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from regulator_node.held_labels import grant_of
from regulator_node.register_departures import logs_of, marks
from regulator_node.register_escalations import read_histories
from shared.clock import Clock, micros
from shared.database import Database, Transaction
from shared.errors import InvalidInput
from shared.identifiers import id_bytes, id_text
from shared.mapping.licence import licence_of
from shared.provisions.filings import FilingAction
from shared.provisions.label_rights import Grant, LabelStanding, grant_rights, label_standing
from shared.provisions.licences import parse_licence_number
from shared.provisions.provider_standing import LicenceSpan, licence_span
from shared.trust.directory import Directory

MAX_AGE_SECONDS: Final = 300
"""For how long an answer may be kept, at most: so long a revoked label may still be shown as genuine."""

_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class CheckedLabel:
    """What anybody is told of an account's label. Everything but max_age_seconds is empty where there is none.

    Attributes:
        standing: whether it is genuine.
        display_name: the public name on file.
        subject_name: the organisation's public name; empty for a person.
        licence_number: of the subject; empty for a special approval.
        licence_class: read out of that number; 0 for none.
        scope: the number of the LabelScope.
        end_time: until when, exclusive, in microseconds; 0 for none.
        max_age_seconds: for how long the answer may be kept.
    """

    standing: LabelStanding
    display_name: str = ""
    subject_name: str = ""
    licence_number: str = ""
    licence_class: int = 0
    scope: int = 0
    end_time: int = 0
    max_age_seconds: int = MAX_AGE_SECONDS


NO_LABEL: Final = CheckedLabel(LabelStanding.NONE)
"""The answer for every account that has no label here, whatever the reason."""


@dataclass(frozen=True, slots=True)
class _Labelled:
    """An account that has or had a label: its provider, its grants in the order of their first statement, its filing."""

    provider: str
    grants: Sequence[Grant]
    display_name: str = ""
    subject_name: str = ""
    gone: bool = False


class LabelCheck:
    """Checks labels.

    Args:
        database: the register.
        directory: reads the newest directory.
        clock: tells the time.
    """

    def __init__(self, database: Database, directory: Callable[[], Directory], clock: Clock) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock

    async def check(self, account_id: str) -> CheckedLabel:
        """Checks the label of an account.

        Args:
            account_id: a UUID, as the account's page shows it.

        Returns:
            What the register holds of it now, the same for every account without a label.
        """
        at = micros(self._clock())
        account = id_bytes(account_id)
        labelled = await self._database.read(lambda transaction: _read(transaction, account, at))
        if labelled is None:
            return NO_LABEL
        node = self._directory().node(labelled.provider)
        return _checked(labelled, licence_span(licence_of(node) if node is not None else None), at)


def _checked(labelled: _Labelled, licence: LicenceSpan, at: int) -> CheckedLabel:
    standing = label_standing(labelled.grants, licence, at)
    if standing == LabelStanding.NONE:
        return NO_LABEL
    if standing == LabelStanding.GENUINE and labelled.gone:
        standing = LabelStanding.LAPSED
    grant = _shown(labelled.grants, at)
    rights = grant_rights(grant, at)
    changes = (
        min(rights.until, licence.end_time) if standing == LabelStanding.GENUINE else at + MAX_AGE_SECONDS * _SECOND
    )
    return CheckedLabel(
        standing,
        labelled.display_name,
        labelled.subject_name,
        grant.licence_number,
        _class_of(grant.licence_number),
        rights.scope or grant.scope,
        grant.end_time,
        min(MAX_AGE_SECONDS, (changes - at) // _SECOND),
    )


def _shown(grants: Sequence[Grant], at: int) -> Grant:
    giving = [grant for grant in grants if grant_rights(grant, at).may_reprint]
    return (giving or [grant for grant in grants if grant.start_time <= min(at, grant.revoked_time)])[-1]


def _class_of(licence_number: str) -> int:
    try:
        return int(parse_licence_number(licence_number).licence_class)
    except InvalidInput:
        return 0


def _read(transaction: Transaction, account: bytes, at: int) -> _Labelled | None:
    rows = transaction.execute(
        "SELECT jurisdiction, provider, grant_id, granted, basis, licence_number, scope, start_time, end_time,"
        " revoked_time FROM label_grant WHERE account_id = ? AND granted = 1"
        " ORDER BY first_filed_time, jurisdiction, log_index",
        (account,),
    )
    if not rows:
        return None
    # An id belongs to whoever labelled it first: another provider that takes it over changes nothing of what is shown.
    provider = str(rows[0][1])
    own = [row for row in rows if row[1] == provider]
    grants = [grant_of(row[2:]) for row in own]
    return _with_filing(transaction, provider, grants, own[-1][0], account, at)


def _with_filing(
    transaction: Transaction, provider: str, grants: Sequence[Grant], jurisdiction: str, account: bytes, at: int
) -> _Labelled:
    logs = logs_of(transaction, jurisdiction, provider)
    rows: list[tuple[Any, ...]] = transaction.execute(
        f"SELECT display_name, organisation_name, action FROM filing {transaction.by_index('filing_account')}"  # noqa: S608
        f" WHERE jurisdiction IN ({marks(logs)}) AND provider = ? AND account_id = ? ORDER BY revision DESC LIMIT 1",
        (*logs, provider, account),
    )
    if not rows:
        return _Labelled(provider, grants)
    display_name, subject_name, action = rows[0]
    history = read_histories(transaction, jurisdiction, provider, [account]).get(id_text(account))
    gone = action == FilingAction.WITHDRAW or (history is not None and history.closed_at(at))
    return _Labelled(provider, grants, display_name, subject_name, gone)
