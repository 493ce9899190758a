"""The publication gate (Arts. 2, 4, 7(2), 8(1), answer 3): what is allowed, why, and until when the answer holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.provisions.account_history import Measure
from shared.provisions.labels import Grant, LabelBasis, LabelScope
from shared.provisions.measures import LADDER, Gravity, MeasureKind
from shared.provisions.provider_standing import LicenceSpan
from shared.provisions.publication import (
    AccountState,
    Answer,
    Audience,
    PublicationAct,
    PublicationForm,
    check_publication,
)
from shared.provisions.reasoning import Step
from shared.provisions.spans import FOREVER
from tests.unit.rule_samples import (
    AT,
    DAY,
    GRANT,
    HOUR,
    MEASURE,
    OTHER_GRANT,
    PUBLISHER,
    REPRINTER,
    SPAN,
    grant,
    measure,
)

PUBLISH, REPRINT, OTHER = PublicationAct.PUBLISH, PublicationAct.REPRINT, PublicationAct.OTHER
BOTH = LabelScope.PUBLISH_AND_REPRINT
REPRINT_ONLY = grant(basis=LabelBasis.LICENSED_NON_NEWS_UNIT, licence_number=REPRINTER, scope=LabelScope.REPRINT)


def ask(act: PublicationAct = PUBLISH, **changes: Any) -> Answer:
    """Asks whether a reviewed public account without grants and measures may publish news to the public, with changes."""
    values: dict[str, Any] = {
        "account": AccountState.REVIEWED,
        "act": act,
        "is_news": True,
        "audience": Audience.PUBLIC,
        "form": PublicationForm.PUBLIC_ACCOUNT,
        "grants": (),
        "measures": (),
        "licence": SPAN,
        "at": AT,
    }
    return check_publication(**{**values, **changes})


@pytest.mark.parametrize("form", PublicationForm)
@pytest.mark.parametrize("account", AccountState)
def test_answer_3_private_acts_are_nobodys_business(account: AccountState, form: PublicationForm) -> None:
    """Answer 3, Art. 2: in every form a private act is allowed, whatever the account, and the answer tells nothing of it."""
    closed = (measure(MeasureKind.CLOSE),)
    answer = ask(account=account, form=form, audience=Audience.PRIVATE, measures=closed, grants=(grant(),))
    step = Step("Art. 2", "audience", "", "PRIVATE")
    assert Answer(True, "PRIVATE", (step,), LabelScope.UNSPECIFIED, FOREVER) == answer


@pytest.mark.parametrize("form", [PublicationForm.GROUP, PublicationForm.MOMENTS, PublicationForm.PUBLIC_ACCOUNT])
def test_art_2_public_acts_come_under_the_rules_in_every_form(form: PublicationForm) -> None:
    """Art. 2: a public act in a group or in moments needs the same right as one of a public account."""
    assert "NO_RIGHT_TO_PUBLISH_NEWS" == ask(form=form).reason
    assert "UPDATES_SUSPENDED" == ask(form=form, measures=(measure(MeasureKind.SUSPEND_UPDATES),)).reason


@pytest.mark.parametrize(
    ("account", "form", "expected"),
    [
        (AccountState.UNKNOWN, PublicationForm.PUBLIC_ACCOUNT, "ACCOUNT_UNKNOWN"),
        (AccountState.UNREVIEWED, PublicationForm.PUBLIC_ACCOUNT, "ACCOUNT_NOT_REVIEWED"),
        (AccountState.WITHDRAWN, PublicationForm.PUBLIC_ACCOUNT, "ACCOUNT_WITHDRAWN"),
        (AccountState.UNKNOWN, PublicationForm.GROUP, "ACCOUNT_UNKNOWN"),
        (AccountState.WITHDRAWN, PublicationForm.MOMENTS, "ACCOUNT_WITHDRAWN"),
        (AccountState.UNREVIEWED, PublicationForm.GROUP, "NOT_NEWS"),
        (AccountState.REVIEWED, PublicationForm.PUBLIC_ACCOUNT, "NOT_NEWS"),
    ],
)
def test_art_7_1_public_account_is_reviewed_before_it_publishes(
    account: AccountState, form: PublicationForm, expected: str
) -> None:
    """Art. 7(1): a public account publishes once it was reviewed; the review is not asked of other forms."""
    answer = ask(account=account, form=form, is_news=False, grants=(grant(),))
    assert (expected == "NOT_NEWS", expected) == (answer.allowed, answer.reason)
    assert (BOTH if account is AccountState.REVIEWED else LabelScope.UNSPECIFIED) == answer.label


@pytest.mark.parametrize(
    ("act", "grants", "expected"),
    [
        (PUBLISH, (grant(),), "MAY_PUBLISH"),
        (REPRINT, (grant(),), "MAY_REPRINT"),
        (PUBLISH, (REPRINT_ONLY,), "NO_RIGHT_TO_PUBLISH_NEWS"),
        (REPRINT, (REPRINT_ONLY,), "MAY_REPRINT"),
        (PUBLISH, (), "NO_RIGHT_TO_PUBLISH_NEWS"),
        (REPRINT, (), "NO_RIGHT_TO_REPRINT_NEWS"),
        (PUBLISH, (grant(end_time=AT),), "NO_RIGHT_TO_PUBLISH_NEWS"),
        (REPRINT, (grant(start_time=AT + 1),), "NO_RIGHT_TO_REPRINT_NEWS"),
        (REPRINT, (grant(revoked_time=AT),), "NO_RIGHT_TO_REPRINT_NEWS"),
        (PUBLISH, (grant(licence_number="33320240001"),), "NO_RIGHT_TO_PUBLISH_NEWS"),
        (OTHER, (), "NEITHER_ACT"),
    ],
)
def test_art_7_2_news_needs_the_right(act: PublicationAct, grants: tuple[Grant, ...], expected: str) -> None:
    """Art. 7(2): news units publish and reprint, licensed others reprint, all others neither."""
    answer = ask(act, grants=grants)
    assert (not expected.startswith("NO_"), expected) == (answer.allowed, answer.reason)


def test_art_7_2_what_is_not_news_needs_no_right() -> None:
    """Art. 7(2) closes current-political news only, and whether something is that is the caller's word."""
    assert [True, True] == [ask(act, is_news=False).allowed for act in (PUBLISH, REPRINT)]


def test_art_7_2_chain_leads_to_the_grant() -> None:
    """Art. 7(2): the answer names the grant, and the class and jurisdiction of the licence behind it."""
    assert [
        ("Art. 2", "audience", "", "PUBLIC"),
        ("Art. 7(2)", "grant", GRANT, "MAY_PUBLISH_AND_REPRINT"),
        ("Art. 7(2)", "licence", PUBLISHER, "CLASS_1_OF_330000"),
    ] == list(ask(grants=(grant(),)).chain)
    assert ("Art. 7(2)", "grant", GRANT, "LAPSED") == ask(grants=(grant(end_time=AT),)).chain[-1]
    assert ("Art. 7(2)", "grant", "", "NONE") == ask().chain[-1]


def test_art_4_provider_without_licence_closes_all_news_rights() -> None:
    """Art. 4: when the provider's own licence ends, its accounts lose every label and news right in the same moment."""
    span = LicenceSpan(0, AT)
    before, after = (ask(grants=(grant(),), licence=span, at=at) for at in (AT - 1, AT))
    assert (True, BOTH, AT) == (before.allowed, before.label, before.holds_until)
    assert (False, "PROVIDER_LICENCE", LabelScope.UNSPECIFIED) == (after.allowed, after.reason, after.label)
    assert ("Art. 4", "provider_licence", "", "LICENCE_LAPSED") == after.chain[-1]
    assert ask(grants=(grant(),), licence=span, is_news=False).allowed


@pytest.mark.parametrize(
    ("kind", "plain", "news"),
    [
        (MeasureKind.WARN, "NOT_NEWS", "MAY_PUBLISH"),
        (MeasureKind.RESTRICT_PUBLISHING, "NOT_NEWS", "PUBLISHING_RESTRICTED"),
        (MeasureKind.SUSPEND_UPDATES, "UPDATES_SUSPENDED", "UPDATES_SUSPENDED"),
        (MeasureKind.CLOSE, "ACCOUNT_CLOSED", "ACCOUNT_CLOSED"),
    ],
)
def test_art_8_1_measure_closes_by_its_gravity(kind: MeasureKind, plain: str, news: str) -> None:
    """Art. 8(1): a warning closes nothing, a restriction news, a suspension everything, closing everything for ever."""
    answers = [ask(is_news=is_news, measures=(measure(kind),), grants=(grant(),)) for is_news in (False, True)]
    assert [plain, news] == [answer.reason for answer in answers]
    closes_news = kind is not MeasureKind.WARN
    assert (LabelScope.UNSPECIFIED if closes_news else BOTH) == answers[0].label
    assert closes_news == (("Art. 8(1)", "measure", MEASURE, news) in answers[1].chain)
    assert (kind is MeasureKind.CLOSE) == (answers[1].holds_until == FOREVER)


def test_art_8_1_restriction_closes_news_by_any_act() -> None:
    """Art. 8(1): a restriction reaches news also where it is neither published nor reprinted, as in a reply."""
    assert "PUBLISHING_RESTRICTED" == ask(OTHER, measures=(measure(MeasureKind.RESTRICT_PUBLISHING),)).reason


def test_art_8_1_gravest_measure_decides() -> None:
    """Art. 8(1): where measures overlap the gravest in force decides, and when it ends the next one."""
    restriction = measure(MeasureKind.RESTRICT_PUBLISHING, measure_id="restriction")
    suspension = measure(MeasureKind.SUSPEND_UPDATES, measure_id="suspension", end_time=AT + HOUR)
    answers = [ask(measures=(restriction, suspension), at=at) for at in (AT, AT + HOUR)]
    assert [("UPDATES_SUSPENDED", AT + HOUR), ("PUBLISHING_RESTRICTED", restriction.end_time)] == [
        (answer.reason, answer.holds_until) for answer in answers
    ]


def test_art_8_1_measure_expires_and_is_lifted_by_itself() -> None:
    """Art. 8(1): the gate opens at the moment a measure ends or was lifted, and closes at its start."""
    held = measure(MeasureKind.SUSPEND_UPDATES, start_time=AT, end_time=AT + DAY)
    allowed = [ask(is_news=False, measures=(held,), at=at).allowed for at in (AT - 1, AT, AT + DAY - 1, AT + DAY)]
    assert [True, False, False, True] == allowed
    assert ask(is_news=False, measures=(replace(held, stopped_time=AT + 1),), at=AT + 1).allowed


def test_answer_holds_through_what_does_not_change_it() -> None:
    """A grant that begins during a suspension changes no answer before the suspension ends."""
    suspension = measure(MeasureKind.SUSPEND_UPDATES, end_time=AT + DAY)
    answer = ask(measures=(suspension,), grants=(grant(start_time=AT + HOUR, end_time=AT + 9 * DAY),))
    assert ("UPDATES_SUSPENDED", AT + DAY) == (answer.reason, answer.holds_until)
    same = measure(MeasureKind.RESTRICT_PUBLISHING, start_time=AT + HOUR, end_time=AT + 2 * HOUR)
    assert FOREVER == ask(is_news=False, measures=(replace(same, kind=MeasureKind.WARN),)).holds_until


TIMES = st.integers(AT - 6, AT + 6)
ENDS = st.one_of(TIMES, st.just(FOREVER))
MEASURES = st.lists(
    st.builds(
        Measure,
        measure_id=st.sampled_from(["a", "b"]),
        kind=st.sampled_from(LADDER),
        baseline=st.just(1),
        reason=st.just("false_information"),
        gravity=st.just(int(Gravity.GRAVE)),
        start_time=TIMES,
        end_time=ENDS,
        stopped_time=st.one_of(st.just(FOREVER), TIMES),
    ),
    max_size=3,
)
GRANTS = st.lists(
    st.builds(
        Grant,
        grant_id=st.sampled_from([GRANT, OTHER_GRANT]),
        basis=st.integers(1, 4),
        licence_number=st.sampled_from([PUBLISHER, REPRINTER, ""]),
        scope=st.integers(1, 2),
        start_time=TIMES,
        end_time=TIMES,
        revoked_time=st.one_of(st.just(FOREVER), TIMES),
    ),
    max_size=2,
)
LICENCES = st.builds(LicenceSpan, TIMES, ENDS)
QUESTIONS = st.fixed_dictionaries(
    {
        "act": st.sampled_from([PUBLISH, REPRINT, OTHER]),
        "is_news": st.booleans(),
        "form": st.sampled_from([PublicationForm.PUBLIC_ACCOUNT, PublicationForm.GROUP]),
        "account": st.sampled_from([AccountState.REVIEWED, AccountState.UNREVIEWED]),
        "measures": MEASURES,
        "grants": GRANTS,
        "licence": LICENCES,
    }
)


def edges(question: dict[str, Any]) -> list[int]:
    """Every time in a question at which anything begins, ends or stops."""
    found = {time for each in question["measures"] for time in (each.start_time, each.end_time, each.stopped_time)}
    found |= {time for each in question["grants"] for time in (each.start_time, each.end_time, each.revoked_time)}
    return sorted(found | {question["licence"].start_time, question["licence"].end_time})


@settings(max_examples=500)
@given(QUESTIONS, TIMES)
def test_holds_until_is_the_first_moment_at_which_the_answer_is_another(question: dict[str, Any], at: int) -> None:
    """Compared with asking at every moment at which anything happens: never too late, and never too early."""
    answer = ask(**question, at=at)
    later = (time for time in edges(question) if at < time < FOREVER)
    changes = (time for time in later if ask(**question, at=time)[:4] != answer[:4])
    assert next(changes, FOREVER) == answer.holds_until


@settings(max_examples=300)
@given(QUESTIONS, TIMES)
def test_art_8_1_measure_in_force_always_closes_what_it_must(question: dict[str, Any], at: int) -> None:
    """Art. 8(1): no grant, form or act opens what a measure in force closes."""
    kinds = {each.kind for each in question["measures"] if each.in_force(at)}
    answer = ask(**question, at=at)
    if kinds & {MeasureKind.SUSPEND_UPDATES, MeasureKind.CLOSE}:
        assert (False, LabelScope.UNSPECIFIED) == (answer.allowed, answer.label)
    if MeasureKind.RESTRICT_PUBLISHING in kinds and question["is_news"]:
        assert not answer.allowed
    if not kinds - {MeasureKind.WARN} and not question["is_news"] and question["account"] is AccountState.REVIEWED:
        assert answer.allowed


@settings(max_examples=300)
@given(QUESTIONS, TIMES)
def test_art_7_3_label_shows_exactly_what_is_allowed(question: dict[str, Any], at: int) -> None:
    """Art. 7(3): the label follows the right at once: it says what the gate would allow in this very moment, and no more."""
    label = ask(**question, at=at).label
    asked = {name: value for name, value in question.items() if name not in ("act", "is_news")}
    publish, reprint = (ask(act, **asked, is_news=True, at=at).allowed for act in (PUBLISH, REPRINT))
    expected = BOTH if publish else LabelScope.REPRINT if reprint else LabelScope.UNSPECIFIED
    assert expected == label
