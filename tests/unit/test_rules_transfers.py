"""Art. 3: which regulator takes a provider's entries before, during and after its transfer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FailedPrecondition
from shared.provisions.transfers import (
    DepartureRecord,
    Filer,
    Transfers,
    check_transfer,
    filer_at,
    judge_departure,
)

OLD, NEW, OTHER = "330000", "110000", "440000"
MOVED = Transfers(NEW, (OLD,), 1)
JURISDICTIONS = st.sampled_from([OLD, NEW, OTHER])


@pytest.mark.parametrize(
    ("regulator", "transfers", "departed", "expected"),
    [
        (OLD, Transfers(OLD), 0, Filer.HERE),
        (NEW, Transfers(OLD), 0, Filer.ELSEWHERE),
        (OLD, Transfers(OLD, (), 1), 0, Filer.UNHEARD),
        (NEW, Transfers(OLD, (), 1), 0, Filer.UNHEARD),
        (OLD, MOVED, 0, Filer.LEAVING),
        (OLD, MOVED, 1, Filer.ELSEWHERE),
        (NEW, MOVED, 0, Filer.AWAITED),
        (NEW, MOVED, 1, Filer.HERE),
        (OTHER, MOVED, 0, Filer.ELSEWHERE),
        (OLD, Transfers(OLD, (OLD, NEW), 2), 1, Filer.AWAITED),
        (OLD, Transfers(OLD, (OLD, NEW), 2), 2, Filer.HERE),
        (NEW, Transfers(OLD, (OLD, NEW), 1), 1, Filer.LEAVING),
    ],
)
def test_art_3_what_a_provider_is_to_a_regulator(
    regulator: str, transfers: Transfers, departed: int, expected: Filer
) -> None:
    """Art. 3: it files at one regulator; at the old one until its departure, at the new one from its departure on."""
    assert expected is filer_at(regulator, transfers, departed)


@given(st.lists(JURISDICTIONS, min_size=1, max_size=6), st.integers(0, 6))
def test_art_3_no_two_regulators_take_entries_at_once(stations: list[str], departed: int) -> None:
    """Art. 3: whatever the transfers and whatever departure everybody holds, at most one regulator takes entries."""
    transfers = Transfers(stations[-1], tuple(stations[:-1]), len(stations) - 1)
    takes = [
        place for place in (OLD, NEW, OTHER) if filer_at(place, transfers, departed) in (Filer.HERE, Filer.LEAVING)
    ]
    assert len(takes) <= 1


def test_art_3_a_departure_closes_the_newest_transfer_only() -> None:
    """Art. 3: nobody departs twice, elsewhere, or from a regulator that it does not leave."""
    assert judge_departure(DepartureRecord(1, NEW), MOVED, Filer.LEAVING) is None
    for record, filer in (
        (DepartureRecord(1, OTHER), Filer.LEAVING),
        (DepartureRecord(2, NEW), Filer.LEAVING),
        (DepartureRecord(1, NEW), Filer.HERE),
        (DepartureRecord(1, NEW), Filer.ELSEWHERE),
    ):
        refusal = judge_departure(record, MOVED, filer)
        assert refusal is not None
        assert "DEPARTURE_WRONG" == refusal.reason


@pytest.mark.parametrize(
    ("to", "departed", "reason"), [(NEW, 1, "FILES_THERE_ALREADY"), (OTHER, 0, "PROVIDER_MOVES"), (OTHER, 1, "")]
)
def test_art_3_one_transfer_at_a_time(to: str, departed: int, reason: str) -> None:
    """Art. 3: a provider whose history is still on its way is not transferred again."""
    if not reason:
        check_transfer("provider/wave", NEW, to, [OLD], departed)
        return
    with pytest.raises(FailedPrecondition) as refused:
        check_transfer("provider/wave", NEW, to, [OLD], departed)
    assert reason == refused.value.reason
