"""Policy files: what is shown is read as the same policy, and a slip of the pen is named by its place."""

from __future__ import annotations

import dataclasses
import datetime
from importlib import resources

import pytest

from regulator_node.policy_file import read_policy, write_policy
from shared.errors import InvalidInput
from shared.provisions.policy import CalendarOverride, Period, PeriodUnit, Provenance, Route, Term, initial_policy


def test_the_initial_policy_file_is_read_as_the_initial_policy() -> None:
    """The file in the project is an example of the form that officers publish."""
    text = resources.files("shared.provisions").joinpath("initial_policy.toml").read_text("utf-8")
    assert initial_policy() == read_policy(text)


def test_a_policy_that_was_written_is_read_as_the_same() -> None:
    """Nothing is lost on the way out and in: overrides, statutory periods, quotes, Chinese."""
    policy = dataclasses.replace(
        initial_policy(),
        version=2,
        effective_time=datetime.datetime(2026, 3, 2, 8, 0, 0, 5, tzinfo=datetime.UTC),
        categories=(Term("other", '其他"\\\x7f', "Other"),),
        periods=(Period("filing_after_review", 10, PeriodUnit.WORKING_DAYS, Provenance.STATUTORY, "Art. 7(1)"),),
        calendar_overrides=(CalendarOverride(datetime.date(2026, 2, 15), True),),
        provider_licence_classes=frozenset({1, 3}),
        routes=(Route("provider/wave", "100000"),),
    )
    assert policy == read_policy(write_policy(policy))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("version = 1\neffective", "versoin = 1\neffective", "version"),
        ("effective_time = 2014-08-06T16:00:00Z", "effective_time = 2014-08-06", "effective_time"),
        ('unit = "working_days"', 'unit = "fortnights"', "periods.0.unit"),
        ("amount = 10", 'amount = "ten"', "periods.0.amount"),
        ('title_zh = "时政新闻", ', "", "categories.0.title_zh"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(old: str, new: str, place: str) -> None:
    """An officer is told the line's name and what it should be; nothing is guessed."""
    with pytest.raises(InvalidInput) as caught:
        read_policy(write_policy(initial_policy()).replace(old, new, 1))
    assert ("POLICY_FILE_WRONG", place) == (caught.value.reason, caught.value.violations[0].field)


def test_what_is_no_toml_is_refused() -> None:
    """A damaged file is said to be none."""
    with pytest.raises(InvalidInput) as caught:
        read_policy("version = ")
    assert "POLICY_FILE_WRONG" == caught.value.reason
