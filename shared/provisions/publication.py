"""The publication gate (Arts. 2, 4, 7(2), 8(1), answer 3): may this account do this now, why, and until when it holds.

It is asked on the path of every post, so it reads no text and decides from what the node holds: whether something is
current-political news is the caller's word. Whether the provisions reach an act is decided by its audience and nothing
else: a private act is allowed, and nothing of it is looked at, so that there is nothing to record. The answer names its
reasons step by step and the first moment at which it will be another by itself; until then, and until the account, a
grant, a measure or the provider's licence is changed, it may be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from shared.provisions.account_history import Measure
from shared.provisions.label_rights import ARTICLE, Grant, LabelScope, Rights, grant_rights
from shared.provisions.measure_kinds import MeasureKind
from shared.provisions.provider_standing import LicenceSpan
from shared.provisions.reasoning import Step
from shared.provisions.spans import FOREVER, next_edge


class PublicationAct(IntEnum):
    """What an account is about to do, with the numbers of the provider's contract."""

    UNSPECIFIED = 0
    PUBLISH = 1
    REPRINT = 2
    OTHER = 3


class Audience(IntEnum):
    """Who will see it (Art. 2, answer 3), with the numbers of the provider's contract."""

    UNSPECIFIED = 0
    PUBLIC = 1
    PRIVATE = 2


class PublicationForm(IntEnum):
    """By which form (Art. 2), with the numbers of the provider's contract."""

    UNSPECIFIED = 0
    PUBLIC_ACCOUNT = 1
    GROUP = 2
    MOMENTS = 3


class AccountState(IntEnum):
    """Where an account stands at its provider. Whether a measure closes it is told by the measures."""

    UNKNOWN = 0
    UNREVIEWED = 1
    REVIEWED = 2
    WITHDRAWN = 3


class Effect(IntEnum):
    """What a measure closes (Art. 8(1)): nothing, current-political news, or all public acts."""

    NOTHING = 0
    NEWS = 1
    ALL = 2


EFFECTS: Final[dict[int, Effect]] = {
    MeasureKind.WARN: Effect.NOTHING,
    MeasureKind.RESTRICT_PUBLISHING: Effect.NEWS,
    MeasureKind.SUSPEND_UPDATES: Effect.ALL,
    MeasureKind.CLOSE: Effect.ALL,
}
"""What each measure closes. Closing does it for ever, because it has no end."""


class Answer(NamedTuple):
    """The gate's answer.

    Attributes:
        allowed: whether the account may.
        reason: why, as a stable code.
        chain: from the articles to the grant or the measure that decides.
        label: the mark to show with it (Art. 7(3)): what the account may do with current-political news at this moment.
        holds_until: the first moment, in microseconds, at which the answer is another one by itself; FOREVER where
        never.
    """

    allowed: bool
    reason: str
    chain: tuple[Step, ...]
    label: LabelScope
    holds_until: int


def check_publication(
    account: AccountState,
    act: PublicationAct,
    is_news: bool,
    audience: Audience,
    form: PublicationForm,
    grants: Sequence[Grant],
    measures: Sequence[Measure],
    licence: LicenceSpan,
    at: int,
) -> Answer:
    """Answers whether an account may do something at a moment.

    Args:
        account: where the account stands.
        act: what it is about to do.
        is_news: whether that is current-political news, by the caller's word.
        audience: who will see it.
        form: by which form.
        grants: the account's grants, those that ended included or not.
        measures: the account's measures, likewise.
        licence: when the provider's own licence holds.
        at: the moment, in microseconds.

    Returns:
        The answer. Reasons to allow: PRIVATE (Art. 2), NOT_NEWS, MAY_PUBLISH, MAY_REPRINT (Art. 7(2)), and
        NEITHER_ACT, for what neither publishes nor reprints. Reasons to refuse: ACCOUNT_UNKNOWN, ACCOUNT_NOT_REVIEWED,
        ACCOUNT_WITHDRAWN (Art. 7(1)), ACCOUNT_CLOSED, UPDATES_SUSPENDED, PUBLISHING_RESTRICTED (Art. 8(1)),
        PROVIDER_LICENCE (Art. 4), NO_RIGHT_TO_PUBLISH_NEWS, NO_RIGHT_TO_REPRINT_NEWS (Art. 7(2)).
    """
    if audience == _PRIVATE:
        return _PRIVATE_ANSWER
    if account != _REVIEWED:
        # Art. 7(1) asks for a review of public accounts only; what is unknown or given up publishes in no form.
        if account != _UNREVIEWED or form == _PUBLIC_ACCOUNT:
            return _ACCOUNT_ANSWERS.get(account, _UNKNOWN_ANSWER)
        grants = ()
    if not measures and not grants:
        return _NOT_NEWS_ANSWER if not is_news else _without_right(act)
    answer = _decide(act, is_news, grants, measures, licence, at)
    until = answer.holds_until
    if answer.label and len(grants) == 1:
        # Whatever comes next, the grant's end, the licence's or a measure, it takes the label away.
        return answer
    # An edge need not change the answer: a grant may begin while the account is suspended. Edges are few.
    while until != FOREVER:
        later = _decide(act, is_news, grants, measures, licence, until)
        if later[:4] != answer[:4]:
            break
        until = later.holds_until
    return answer if until == answer.holds_until else answer._replace(holds_until=until)


# Plain numbers: comparing an int with an int is what makes the usual answer cheap.
_PRIVATE: Final = int(Audience.PRIVATE)
_PUBLIC_ACCOUNT: Final = int(PublicationForm.PUBLIC_ACCOUNT)
_REVIEWED: Final = int(AccountState.REVIEWED)
_UNREVIEWED: Final = int(AccountState.UNREVIEWED)
_REPRINT: Final = int(PublicationAct.REPRINT)
_OTHER: Final = int(PublicationAct.OTHER)
_WARN: Final = int(MeasureKind.WARN)

_NO_LABEL: Final = LabelScope.UNSPECIFIED
_REACHED: Final = (Step("Art. 2", "audience", "", "PUBLIC"),)
_NO_GRANT: Final = Step(ARTICLE, "grant", "", "NONE")
_PRIVATE_ANSWER: Final = Answer(True, "PRIVATE", (Step("Art. 2", "audience", "", "PRIVATE"),), _NO_LABEL, FOREVER)
_NOT_NEWS_ANSWER: Final = Answer(True, "NOT_NEWS", _REACHED, _NO_LABEL, FOREVER)
_NEITHER_ANSWER: Final = Answer(True, "NEITHER_ACT", _REACHED, _NO_LABEL, FOREVER)
_NO_PUBLISHING: Final = Answer(False, "NO_RIGHT_TO_PUBLISH_NEWS", (*_REACHED, _NO_GRANT), _NO_LABEL, FOREVER)
_NO_REPRINTING: Final = Answer(False, "NO_RIGHT_TO_REPRINT_NEWS", (*_REACHED, _NO_GRANT), _NO_LABEL, FOREVER)


def _account_answer(finding: str) -> Answer:
    step = Step("Art. 7(1)", "account", "", finding)
    return Answer(False, f"ACCOUNT_{finding}", (*_REACHED, step), _NO_LABEL, FOREVER)


_UNKNOWN_ANSWER: Final = _account_answer("UNKNOWN")
_ACCOUNT_ANSWERS: Final[dict[int, Answer]] = {
    AccountState.UNREVIEWED: _account_answer("NOT_REVIEWED"),
    AccountState.WITHDRAWN: _account_answer("WITHDRAWN"),
}
_MEASURE_REASONS: Final[dict[int, str]] = {
    MeasureKind.RESTRICT_PUBLISHING: "PUBLISHING_RESTRICTED",
    MeasureKind.SUSPEND_UPDATES: "UPDATES_SUSPENDED",
    MeasureKind.CLOSE: "ACCOUNT_CLOSED",
}


def _without_right(act: int) -> Answer:
    # An act that this version does not know is taken for publishing: it needs the most.
    if act == _OTHER:
        return _NEITHER_ANSWER
    return _NO_REPRINTING if act == _REPRINT else _NO_PUBLISHING


def _decide(
    act: int, is_news: bool, grants: Sequence[Grant], measures: Sequence[Measure], licence: LicenceSpan, at: int
) -> Answer:
    """Answers for one moment; holds_until is the next edge of anything that was looked at."""
    gravest, until = _gravest(measures, at)
    if gravest is not None:
        reason = _MEASURE_REASONS[gravest.kind]
        chain: tuple[Step, ...] = (*_REACHED, Step("Art. 8(1)", "measure", gravest.measure_id, reason))
        if is_news or EFFECTS[gravest.kind] is Effect.ALL:
            return Answer(False, reason, chain, _NO_LABEL, until)
        return Answer(True, "NOT_NEWS", chain, _NO_LABEL, until)
    if not grants:
        answer = _NOT_NEWS_ANSWER if not is_news else _without_right(act)
        return answer._replace(holds_until=until)
    until = min(until, next_edge(licence.start_time, licence.end_time, at))
    rights = _widest_rights(grants, licence, at)
    until = min(until, rights.until)
    label = rights.scope
    if not is_news:
        return Answer(True, "NOT_NEWS", (*_REACHED, *rights.chain) if label else _REACHED, label, until)
    chain = (*_REACHED, *rights.chain)
    if act == _OTHER:
        return Answer(True, "NEITHER_ACT", chain, label, until)
    if act == _REPRINT:
        return Answer(*_news_reason("REPRINT", rights.may_reprint, rights), chain, label, until)
    return Answer(*_news_reason("PUBLISH", rights.may_publish, rights), chain, label, until)


def _gravest(measures: Sequence[Measure], at: int) -> tuple[Measure | None, int]:
    gravest, until = None, FOREVER
    for measure in measures:
        if measure.kind == _WARN:
            continue
        end = min(measure.end_time, measure.stopped_time)
        until = min(until, next_edge(measure.start_time, end, at))
        if measure.start_time <= at < end and (gravest is None or measure.kind > gravest.kind):
            gravest = measure
    return gravest, until


def _widest_rights(grants: Sequence[Grant], licence: LicenceSpan, at: int) -> Rights:
    finding = licence.finding_at(at)
    if finding:
        return Rights(False, False, FOREVER, (Step("Art. 4", "provider_licence", "", finding),))
    widest = grant_rights(grants[0], at)
    until = widest.until
    for grant in grants[1:]:
        rights = grant_rights(grant, at)
        until = min(until, rights.until)
        if (rights.may_publish, rights.may_reprint) >= (widest.may_publish, widest.may_reprint):
            widest = rights
    return widest if until == widest.until else widest._replace(until=until)


def _news_reason(act: str, may: bool, rights: Rights) -> tuple[bool, str]:
    if may:
        return True, f"MAY_{act}"
    unlicensed = rights.chain[0].kind == "provider_licence"
    return False, "PROVIDER_LICENCE" if unlicensed else f"NO_RIGHT_TO_{act}_NEWS"
