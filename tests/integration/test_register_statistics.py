"""Statistics of the register, compared with a plain count of the same facts, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations

import pytest

from regulator_node.filing_filter import FilingFilter
from regulator_node.statistics import Dimension, FilingStatistics
from shared.clock import from_micros, micros
from shared.errors import Exhausted
from tests.integration.made_register import SECOND, START, Fact, MadeRegister, made_register

STATES = {1: "filed", 2: "accepted", 3: "returned", 4: "withdrawn"}
KINDS = {1: "person", 2: "party_or_government", 3: "enterprise", 4: "public_institution", 5: "peoples_organisation"}


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[MadeRegister]:
    """A register whose filings fall into two months."""
    made = made_register(database_url, seed=3)
    await made.fill(15)
    made.now += 40 * 86_400 * SECOND
    await made.fill(15)
    yield made
    await made.database.close()


def key_of(fact: Fact, dimension: Dimension, as_of: int | None) -> str:
    """Says what a fact counts under."""
    values: dict[Dimension, Callable[[], str]] = {
        Dimension.JURISDICTION: lambda: fact.jurisdiction,
        Dimension.PROVIDER: lambda: fact.provider,
        Dimension.CATEGORY: lambda: fact.category,
        Dimension.SUBJECT_KIND: lambda: KINDS[fact.subject_kind],
        Dimension.SUBJECT_REGION: lambda: fact.subject_region,
        Dimension.STATE: lambda: STATES[fact.state_at(as_of)],
        Dimension.FILED_MONTH: lambda: (
            from_micros(fact.filed_time).astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m")
        ),
    }
    return values[dimension]()


async def test_counts_are_those_of_a_plain_count(register: MadeRegister) -> None:
    """Every one and every two dimensions count what the search shows, now and as of a time, with and without a filter."""
    counted = FilingStatistics(register.database)
    dimensions = [(each,) for each in Dimension] + list(permutations(Dimension, 2))
    for as_of in (None, START + 30 * SECOND):
        for given in (FilingFilter(as_of=as_of), FilingFilter(as_of=as_of, provider="provider/wave", state=1)):
            shown = [
                fact
                for fact in register.shown(as_of)
                if not given.provider or (fact.provider == given.provider and fact.state_at(as_of) == 1)
            ]
            for asked in dimensions:
                expected = Counter(tuple(key_of(fact, each, as_of) for each in asked) for fact in shown)
                rows = await counted.count(given, asked)
                assert sorted(expected.items()) == [(row.keys, row.count) for row in rows], (given, asked)


async def test_art_7_4_subject_kinds_are_counted_apart(register: MadeRegister) -> None:
    """Art. 7(4): accounts of party and government bodies, enterprises, institutions and organisations, each by its kind."""
    rows = await FilingStatistics(register.database).count(FilingFilter(), [Dimension.SUBJECT_KIND])
    expected = Counter(KINDS[fact.subject_kind] for fact in register.shown(None))
    assert expected == {row.keys[0]: row.count for row in rows}
    assert {"party_or_government", "enterprise", "public_institution", "peoples_organisation"} <= set(expected)


async def test_a_month_begins_at_midnight_in_china(register: MadeRegister) -> None:
    """A filing of the evening of the 31st by Greenwich counts in the month that it already is in China."""
    register.now = micros(datetime(2024, 7, 31, 15, 59, 58, tzinfo=UTC))
    for _ in range(2):
        await register.file("330000", [register.new_account(category="moved")])
    rows = await FilingStatistics(register.database).count(FilingFilter(category="moved"), [Dimension.FILED_MONTH])
    assert [(("2024-07",), 1), (("2024-08",), 1)] == [(row.keys, row.count) for row in rows]


async def test_too_many_rows_are_refused(register: MadeRegister) -> None:
    """An answer that would not fit into a message is refused with the mend."""
    with pytest.raises(Exhausted) as refused:
        await FilingStatistics(register.database, max_rows=3).count(FilingFilter(), [Dimension.SUBJECT_KIND])
    assert "STATISTICS_TOO_LARGE" == refused.value.reason
    assert "narrow the filter" in refused.value.message


async def test_an_empty_register_counts_nothing(register: MadeRegister) -> None:
    """What nothing matches has no rows."""
    nothing = replace(FilingFilter(), category="nothing_has_it")
    assert [] == await FilingStatistics(register.database).count(nothing, [Dimension.STATE])
