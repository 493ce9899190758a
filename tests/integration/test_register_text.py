"""Search by text, compared with plain Python over the same names, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from regulator_node.filing_filter import FilingFilter, Order
from regulator_node.queries import FilingQueries
from regulator_node.registered_filing import RegisteredFiling
from regulator_node.statistics import Dimension, FilingStatistics
from regulator_node.text_index import parse_query
from regulator_node.text_search import FEW_MATCHES
from shared.errors import InvalidInput
from tests.integration.made_register import JURISDICTIONS, SECOND, Fact, MadeRegister, made_register

QUERIES = (
    "新闻",
    "闻新",
    "新闻新",
    "浙江新闻",
    "杭州 新闻",
    "市政府",
    "有限公司",
    "公司 有限 杭州",
    "a新",
    "深圳A股市",
    "west",
    "west lake",
    "La",
    "ake",
    "24小时",
    "2024",
    "20",
    "1号",
    "海淀news",
    "没有的",
    "晚报晚",
)


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[MadeRegister]:
    """A register in which some texts have a few matches and one has more than are fetched at once."""
    made = made_register(database_url, seed=11)
    await made.fill(25)
    for number in range(15):
        jurisdiction = JURISDICTIONS[number % 3]
        batch = [made.new_account(display_name=f"浙江新闻{place}频道") for place in range(36)]
        filed = await made.file(jurisdiction, batch)
        await made.file(jurisdiction, [made.next_revision(fact) for fact in filed[:3]])
    yield made
    await made.database.close()


def naive(facts: list[Fact], text: str) -> list[Fact]:
    """Filters by the rule itself, without any index."""
    query = parse_query(text)
    return [fact for fact in facts if query.matches(fact.display_name, fact.organisation_name)]


def keys(rows: list[RegisteredFiling] | list[Fact]) -> list[tuple[str, int]]:
    """Returns what rows are recognised by."""
    return [(row.jurisdiction, row.log_index) for row in rows]


async def every_page(queries: FilingQueries, given: FilingFilter, order: Order, size: int) -> list[RegisteredFiling]:
    """Reads all pages."""
    found: list[RegisteredFiling] = []
    token = ""
    while True:
        page = await queries.search(given, order, size, token)
        found += page.filings
        token = page.next_token
        if not token:
            return found


@pytest.mark.parametrize("order", Order)
async def test_a_text_finds_exactly_the_names_that_have_it(register: MadeRegister, order: Order) -> None:
    """Every page of a search by text, common or rare, in order, is what a walk through all names gives."""
    queries = FilingQueries(register.database)
    assert len(naive(register.facts, "新闻")) > FEW_MATCHES
    for text in QUERIES:
        expected = naive(register.shown(), text)
        if order is Order.NEWEST_FIRST:
            expected.reverse()
        assert keys(expected) == keys(await every_page(queries, FilingFilter(text=text), order, 23)), text


async def test_a_text_goes_with_the_other_filters(register: MadeRegister) -> None:
    """A text narrows what the other filters select, and as of a time it finds the names that held then."""
    queries = FilingQueries(register.database)
    middle = register.now - 14 * SECOND
    for text in ("新闻", "浙江", "有限公司"):
        for as_of in (None, middle):
            shown = naive(register.shown(as_of), text)
            cases: list[tuple[FilingFilter, list[Fact]]] = [
                (FilingFilter(text=text, as_of=as_of), shown),
                (
                    FilingFilter(text=text, as_of=as_of, jurisdiction="440000"),
                    [fact for fact in shown if fact.jurisdiction == "440000"],
                ),
                (
                    FilingFilter(text=text, as_of=as_of, filed_from=middle, category="sports"),
                    [fact for fact in shown if fact.filed_time >= middle and fact.category == "sports"],
                ),
                (
                    FilingFilter(text=text, as_of=as_of, filed_before=middle, state=3),
                    [fact for fact in shown if fact.filed_time < middle and fact.state_at(as_of) == 3],
                ),
            ]
            for given, expected in cases:
                assert keys(expected) == keys(await every_page(queries, given, Order.OLDEST_FIRST, 31)), given


async def test_pages_of_a_text_are_complete_while_filings_arrive(register: MadeRegister) -> None:
    """Who turns pages of a search by text gets each account that was there at first, once."""
    queries = FilingQueries(register.database)
    expected = naive(register.shown(), "浙江新闻")
    found: list[RegisteredFiling] = []
    token = ""
    while True:
        page = await queries.search(FilingFilter(text="浙江新闻"), Order.NEWEST_FIRST, 100, token)
        found += page.filings
        token = page.next_token
        if not token:
            break
        alive = [fact for fact in register.shown() if not fact.withdrawn and fact.jurisdiction == "330000"]
        amended = [register.next_revision(fact) for fact in register.randomness.sample(alive, 8)]
        await register.file("330000", [register.new_account(display_name="浙江新闻"), *amended])
    assert keys(expected) == list(reversed(keys(found)))


async def test_statistics_of_a_text_count_what_the_search_finds(register: MadeRegister) -> None:
    """Counting by text counts each filing that the search would show."""
    counts = await FilingStatistics(register.database).count(FilingFilter(text="新闻"), [Dimension.JURISDICTION])
    shown = naive(register.shown(), "新闻")
    expected = [
        ((jurisdiction,), sum(fact.jurisdiction == jurisdiction for fact in shown))
        for jurisdiction in sorted(JURISDICTIONS)
    ]
    assert expected == [(row.keys, row.count) for row in counts]


async def test_too_short_a_text_is_refused(register: MadeRegister) -> None:
    """A single Chinese character would be most of the register: it is refused before anything is read."""
    with pytest.raises(InvalidInput) as refused:
        await FilingQueries(register.database).search(FilingFilter(text="新"), Order.NEWEST_FIRST)
    assert "TEXT_TOO_SHORT" == refused.value.reason
