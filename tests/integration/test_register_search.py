"""Search of the register, compared with the same facts as plain Python values, on both databases."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import peewee
import pytest

from regulator_node.filing_filter import FilingFilter, Order, Selection
from regulator_node.filing_pages import FilingReader
from regulator_node.history import FilingHistory
from regulator_node.index_choice import IndexChoice
from regulator_node.paging import make_token, read_token
from regulator_node.queries import FilingQueries
from regulator_node.registered_filing import Position, RegisteredFiling
from shared.database import Transaction
from shared.errors import InvalidInput, NotFound
from shared.identifiers import id_text
from tests.integration.made_register import (
    CATEGORIES,
    JURISDICTIONS,
    PROVIDERS,
    REGIONS,
    SECOND,
    START,
    Fact,
    MadeRegister,
    made_register,
)


@pytest.fixture
async def register(database_url: str) -> AsyncIterator[MadeRegister]:
    """A register with some hundred revisions of some hundred accounts in three jurisdictions."""
    made = made_register(database_url)
    await made.fill(40)
    yield made
    await made.database.close()


def naive(facts: list[Fact], given: FilingFilter) -> list[Fact]:
    """Filters in plain Python, oldest first."""
    tests: list[Callable[[Fact], bool]] = [
        lambda fact: fact.jurisdiction == given.jurisdiction or not given.jurisdiction,
        lambda fact: fact.provider == given.provider or not given.provider,
        lambda fact: fact.category == given.category or not given.category,
        lambda fact: fact.subject_kind == given.subject_kind or not given.subject_kind,
        lambda fact: fact.subject_region == given.subject_region or not given.subject_region,
        lambda fact: fact.state_at(given.as_of) == given.state or not given.state,
        lambda fact: given.filed_from is None or fact.filed_time >= given.filed_from,
        lambda fact: given.filed_before is None or fact.filed_time < given.filed_before,
    ]
    return [fact for fact in facts if all(test(fact) for test in tests)]


def key_of(filing: RegisteredFiling | Fact) -> tuple[str, int, int, int]:
    """Returns what a row is recognised by, with its revision."""
    return (filing.jurisdiction, filing.log_index, filing.filed_time, filing.revision)


async def every_page(
    queries: FilingQueries, given: FilingFilter, order: Order = Order.NEWEST_FIRST, page_size: int = 7
) -> list[RegisteredFiling]:
    """Reads all pages."""
    found: list[RegisteredFiling] = []
    token = ""
    while True:
        page = await queries.search(given, order, page_size, token)
        found += page.filings
        if not page.next_token:
            return found
        assert len(page.filings) == page_size
        token = page.next_token


def some_filters(randomness: random.Random, now: int) -> list[FilingFilter]:
    """Returns every single filter, and many combinations."""
    choices: dict[str, tuple[str | int | None, ...]] = {
        "jurisdiction": JURISDICTIONS,
        "provider": PROVIDERS,
        "category": (*CATEGORIES, "nothing_has_it"),
        "subject_kind": (1, 2, 3, 4, 5),
        "subject_region": REGIONS,
        "state": (1, 2, 3, 4),
        "filed_from": (START, START + 20 * SECOND, now),
        "filed_before": (START + 9 * SECOND, now - 5 * SECOND, now + SECOND),
        "as_of": (START, START + 30 * SECOND, now - 30 * SECOND, now, now + 1000 * SECOND),
    }
    single = [replace(FilingFilter(), **{name: value}) for name, values in choices.items() for value in values]  # type: ignore[arg-type]
    mixed = []
    for _ in range(60):
        names = randomness.sample(sorted(choices), randomness.randint(2, 4))
        mixed.append(replace(FilingFilter(), **{name: randomness.choice(choices[name]) for name in names}))  # type: ignore[arg-type]
    return [FilingFilter(), *single, *mixed]


async def test_every_filter_gives_what_plain_python_gives(register: MadeRegister) -> None:
    """A search shows exactly the filings that match, each once, in the order of their filed time, now and as of."""
    queries = FilingQueries(register.database)
    for given in some_filters(register.randomness, register.now):
        expected = naive(register.shown(given.as_of), given)
        oldest_first = await every_page(queries, given, Order.OLDEST_FIRST)
        newest_first = await every_page(queries, given, Order.NEWEST_FIRST)
        assert [key_of(fact) for fact in expected] == [key_of(filing) for filing in oldest_first], given
        assert [key_of(fact) for fact in reversed(expected)] == [key_of(filing) for filing in newest_first], given
        assert [fact.state_at(given.as_of) for fact in expected] == [filing.state for filing in oldest_first], given


async def test_a_decision_after_the_time_is_not_shown(register: MadeRegister) -> None:
    """The register as of a time shows nothing that was decided or replaced later."""
    queries = FilingQueries(register.database)
    (filed,) = await register.file("330000", [register.new_account(effective_time=START)])
    before = register.now
    await register.decide(filed, 2)
    await register.file("330000", [register.next_revision(filed)])
    then = await queries.get("330000", filed.provider, filed.account_id, before)
    assert (1, None, "", "", "", None) == (
        then.state,
        then.decided_time,
        then.reason,
        then.fields,
        then.note,
        then.superseded_time,
    )
    now = await queries.get("330000", filed.provider, filed.account_id)
    assert 2 == now.revision
    first = (await FilingHistory(register.database).revisions("330000", filed.provider, filed.account_id)).filings[-1]
    assert (3, "other", "display_name", "改名") == (first.state, first.reason, first.fields, first.note)


async def test_pages_are_complete_while_filings_arrive(register: MadeRegister) -> None:
    """Who turns pages gets every account that was there at the first page exactly once, whatever is filed meanwhile."""
    queries = FilingQueries(register.database)
    for order in Order:
        expected = register.shown()
        found: list[RegisteredFiling] = []
        token = ""
        while True:
            page = await queries.search(FilingFilter(), order, 10, token)
            found += page.filings
            token = page.next_token
            if not token:
                break
            alive = [fact for fact in register.shown() if not fact.withdrawn and fact.jurisdiction == "330000"]
            amended = [register.next_revision(fact) for fact in register.randomness.sample(alive, 5)]
            await register.file("330000", [register.new_account(), *amended])
        got = sorted(found, key=lambda filing: filing.position)
        assert [key_of(fact) for fact in expected] == [key_of(filing) for filing in got]
        assert all(
            (earlier.position < later.position) == (order is Order.OLDEST_FIRST) for earlier, later in pairwise(found)
        )


async def test_a_token_of_another_query_is_refused(register: MadeRegister) -> None:
    """A page token goes on with its own filter and order only, and says so."""
    queries = FilingQueries(register.database)
    page = await queries.search(FilingFilter(), Order.NEWEST_FIRST, 5)
    wrong = [
        (FilingFilter(state=1), Order.NEWEST_FIRST, page.next_token),
        (FilingFilter(), Order.OLDEST_FIRST, page.next_token),
        (FilingFilter(), Order.NEWEST_FIRST, page.next_token[:-4]),
        (FilingFilter(), Order.NEWEST_FIRST, "A" + page.next_token[1:]),
        (FilingFilter(), Order.NEWEST_FIRST, "浙江"),
        (FilingFilter(), Order.NEWEST_FIRST, "!"),
    ]
    for given, order, token in wrong:
        with pytest.raises(InvalidInput) as refused:
            await queries.search(given, order, 5, token)
        assert "PAGE_TOKEN_WRONG" == refused.value.reason


def test_tokens_hold_what_was_put_in() -> None:
    """A token gives back its numbers, the outermost too."""
    numbers = (-(2**63), 0, 2**63 - 1)
    assert numbers == read_token(make_token(b"query", numbers), b"query", 3)


async def test_history_lists_every_revision(register: MadeRegister) -> None:
    """The history of an account is whole, newest first, over any number of pages."""
    (fact,) = await register.file("440000", [register.new_account()])
    for _ in range(11):
        following = replace(register.next_revision(fact), withdrawn=False)
        (fact,) = await register.file("440000", [following])
    history = FilingHistory(register.database)
    found: list[int] = []
    token = ""
    while True:
        page = await history.revisions("440000", fact.provider, fact.account_id, 5, token)
        found += [filing.revision for filing in page.filings]
        token = page.next_token
        if not token:
            break
    assert list(range(12, 0, -1)) == found
    with pytest.raises(NotFound) as unknown:
        await history.revisions("330000", fact.provider, fact.account_id)
    assert "FILING_UNKNOWN" == unknown.value.reason


async def test_art_7_1_one_filing_is_read_as_of_a_time(register: MadeRegister) -> None:
    """Reading one account as of any time gives the revision that held then, or says that none did."""
    queries = FilingQueries(register.database)
    for time in (None, START + 25 * SECOND, register.now - 20 * SECOND):
        held = {(fact.jurisdiction, fact.provider, fact.account_id): fact for fact in register.shown(time)}
        for fact in register.randomness.sample(register.facts, 40):
            key = (fact.jurisdiction, fact.provider, fact.account_id)
            if key in held:
                filing = await queries.get(*key, time)
                assert key_of(held[key]) == key_of(filing)
                assert (fact.account_id, held[key].state_at(time)) == (id_text(filing.account_id), filing.state)
            else:
                with pytest.raises(NotFound):
                    await queries.get(*key, time)


async def test_the_rarest_value_leads_on_sqlite(tmp_path: Path) -> None:
    """With several filters, the index of the rarest value is used; what was counted is used again for a while."""
    made = made_register(f"sqlite://{tmp_path / 'register.db'}")
    common = [made.new_account(provider="provider/wave", category="other", subject_region="330000") for _ in range(30)]
    await made.file("330000", [*common, made.new_account(provider="provider/rarely", category="other")])
    seconds = [0.0]
    choice = IndexChoice(lambda: seconds[0])

    async def chosen(**given: str | int) -> str:
        selection = Selection.of(FilingFilter(**given), None)  # type: ignore[arg-type]
        return await made.database.read(lambda transaction: choice.choose(transaction, selection))

    assert "filing_filed" == await chosen()
    assert "filing_category" == await chosen(category="other")
    assert "filing_provider" == await chosen(category="other", provider="provider/rarely")
    assert "filing_category" == await chosen(category="sports", provider="provider/wave")
    await made.file("330000", [made.new_account(provider="provider/wave", category="sports") for _ in range(50)])
    assert "filing_category" == await chosen(category="sports", provider="provider/rarely")
    seconds[0] = 100.0
    assert "filing_provider" == await chosen(category="sports", provider="provider/rarely")
    await made.database.close()


class ExplainedTransaction(Transaction):
    """Runs statements, and keeps how SQLite goes about them."""

    dialect = "sqlite"

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.plans: list[str] = []

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Explains, then runs."""
        plan = self._transaction.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        self.plans.append("; ".join(str(step[3]) for step in plan))
        return self._transaction.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Is not for reading."""
        raise AssertionError

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Is not for reading."""
        raise AssertionError

    def lock(self, name: str) -> None:
        """Is not for reading."""
        raise AssertionError

    def by_index(self, name: str) -> str:
        """Names the index."""
        return self._transaction.by_index(name)

    def query(self, query: peewee.Query) -> list[tuple[Any, ...]]:
        """Runs."""
        return self._transaction.query(query)

    def end(self) -> None:
        """Ends with the transaction it runs on."""


@pytest.mark.parametrize("order", Order)
async def test_no_filter_sorts_the_register(order: Order, tmp_path: Path) -> None:
    """Every single filter reads its page off an index that is in order: a page costs the same in a register of millions."""
    made = made_register(f"sqlite://{tmp_path / 'register.db'}")
    await made.fill(3)
    reader = FilingReader(IndexChoice())
    place = made.shown()[3].position

    def plans(given: FilingFilter) -> Callable[[Transaction], list[str]]:
        def work(transaction: Transaction) -> list[str]:
            explained = ExplainedTransaction(transaction)
            reader.read(explained, Selection.of(given, None), order, None, 2)
            reader.read(explained, Selection.of(given, made.now), order, Position(*place), 2)
            return explained.plans

        return work

    singles = {
        "filing_filed": FilingFilter(filed_from=START, filed_before=made.now),
        "filing_jurisdiction": FilingFilter(jurisdiction="330000"),
        "filing_provider": FilingFilter(provider="provider/wave"),
        "filing_category": FilingFilter(category="sports"),
        "filing_subject_kind": FilingFilter(subject_kind=1),
        "filing_subject_region": FilingFilter(subject_region="330000"),
        "filing_state": FilingFilter(state=1),
    }
    for index, given in singles.items():
        for at in (None, made.now):
            column = index if index != "filing_state" or at is None else "filing_filed"
            for plan in await made.database.read(plans(replace(given, as_of=at))):
                assert plan.startswith(f"SEARCH f USING INDEX {column} ("), plan
                assert "TEMP B-TREE" not in plan
    for plan in await made.database.read(plans(FilingFilter(text="新闻"))):
        assert plan.startswith(("SCAN t VIRTUAL TABLE INDEX", "SCAN filing_text VIRTUAL TABLE INDEX")), plan
    await made.database.close()
