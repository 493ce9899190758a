"""Simulated time moves at once for whoever asks and wakes whoever sleeps; and what is no offset is never taken for one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from shared.clock import system_clock
from shared.cluster.simulated_time import FILE_NAME, SimulatedTime
from shared.errors import FailedPrecondition, InvalidInput
from shared.simulated_clock import SimulatedClock, clock_from, read_offset, simulated_time, write_offset

DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that moves the time by nothing."""
    write_offset(tmp_path / FILE_NAME, timedelta(0))
    return tmp_path / FILE_NAME


def test_the_time_is_the_machines_until_it_is_moved_and_then_moves_at_once(path: Path) -> None:
    """Each time told is read from the file as it is then, however often it was replaced before."""
    clock = SimulatedClock(path)
    for days in (0, 3, 40, 41):
        write_offset(path, days * DAY)
        begin = system_clock()
        assert begin + days * DAY <= clock() <= system_clock() + days * DAY


def test_a_node_without_the_setting_is_on_the_machines_time(path: Path) -> None:
    """Only a node that was told so simulates its time, and only such a node says so."""
    assert clock_from("") is system_clock
    assert simulated_time(clock_from("")) is None
    write_offset(path, DAY)
    told = simulated_time(clock_from(str(path)))
    assert told is not None
    assert told > system_clock() + DAY - timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e400", "三"])
def test_what_is_no_offset_is_refused(path: Path, text: str) -> None:
    """A node neither starts nor goes on by a file that holds no number of seconds."""
    clock = SimulatedClock(path)
    path.with_name("other").write_text(text, "utf-8")
    path.with_name("other").replace(path)
    for act in (lambda: SimulatedClock(path), clock, lambda: read_offset(path)):
        with pytest.raises(FailedPrecondition) as refused:
            act()
        assert "SIMULATED_TIME_WRONG" == refused.value.reason


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A node that was told to follow a file does not take the machine's time instead."""
    with pytest.raises(FailedPrecondition) as refused:
        clock_from(str(tmp_path / "nowhere"))
    assert "SIMULATED_TIME_WRONG" == refused.value.reason


async def test_who_sleeps_is_told_of_every_move(path: Path) -> None:
    """A waiter hears of a move without asking; nothing is told while nothing moves."""
    moves: asyncio.Queue[timedelta] = asyncio.Queue()
    clock = SimulatedClock(path)
    watch = asyncio.create_task(clock.watch(lambda: moves.put_nowait(clock.offset())))
    for days in (1, 30):
        # Let the watcher see the state before, then move.
        await asyncio.sleep(0)
        write_offset(path, days * DAY)
        assert days * DAY == await moves.get()
    assert moves.empty()
    watch.cancel()


def test_a_cluster_moves_its_time_forward_only_and_only_where_that_was_wanted(tmp_path: Path) -> None:
    """The harness refuses what its nodes could not follow, and goes on from where a folder was left."""
    machine = SimulatedTime(tmp_path, wanted=False)
    assert {} == machine.environment()
    with pytest.raises(FailedPrecondition) as refused:
        machine.advance(DAY)
    assert "TIME_NOT_SIMULATED" == refused.value.reason
    moved = SimulatedTime(tmp_path, wanted=True)
    assert {"FILINGNET_SIMULATED_TIME_FILE": str(tmp_path / FILE_NAME)} == moved.environment()
    assert moved.advance(DAY) >= system_clock() + DAY - timedelta(minutes=1)
    with pytest.raises(InvalidInput) as refused_back:
        moved.advance(-DAY)
    assert "TIME_GOES_BACK" == refused_back.value.reason
    again = SimulatedTime(tmp_path, wanted=False)
    assert again.simulated
    again.advance(DAY)
    assert 2 * DAY == read_offset(tmp_path / FILE_NAME)
