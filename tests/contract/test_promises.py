"""docs/promises.md says what the suites told, names tests that exist, and leaves no promise out."""

from __future__ import annotations

import pytest

from tests.contract.doc_pages import ROOT
from tests.promises import PAGE, PROMISES, page, rows


def test_the_page_is_what_the_suites_told() -> None:
    """Guards: nothing on the page is written by hand; `python -m tests.promises` writes it anew."""
    assert page(rows()) == PAGE.read_text("utf-8")


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_tried(promise: int) -> None:
    """Guards: each of the ten has at least one test that says what it tried."""
    assert [row for row in rows() if row["promise"] == promise]


def test_the_tests_exist() -> None:
    """Guards: a test that was renamed or taken away leaves the page."""
    for row in rows():
        path, _, name = row["test"].partition("[")[0].partition("::")
        assert f"def {name.rpartition('::')[2]}(" in (ROOT / path).read_text("utf-8"), row["test"]
