"""Alarms outlive the node, its database and a full disk, are told once, and end only by a person's hand."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from shared.alarm_commands import alarm_app
from shared.alarms import LOG_FORKED, LOG_PUT_BACK, Alarms
from shared.errors import InvalidInput, NotFound
from tests.captured_log import captured_log

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Moved:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_alarm_stays_until_it_is_closed(tmp_path: Path) -> None:
    """Promise 4: it is there after a restart, one for each log and reason; closing keeps the evidence."""
    Alarms(tmp_path).raise_alarm(LOG_FORKED, "330000", "two heads", b"{}", proven=True)
    Alarms(tmp_path).raise_alarm(LOG_FORKED, "440000", "two heads")
    Alarms(tmp_path).raise_alarm(LOG_FORKED, "330000", "two heads")
    alarms = Alarms(tmp_path)
    assert ["LOG_FORKED-330000", "LOG_FORKED-440000"] == [alarm.name for alarm in alarms.open()]
    first = alarms.open()[0]
    assert (b"{}", True) == ((tmp_path / "alarms" / first.proof).read_bytes(), first.proven)
    alarms.close(first.name)
    assert ["LOG_FORKED-440000"] == [alarm.name for alarm in alarms.open()]
    assert 2 == len(list((tmp_path / "alarms" / "closed").iterdir()))
    alarms.raise_alarm(LOG_FORKED, "330000", "again")
    assert 2 == len(alarms.open())


def test_a_proof_joins_and_is_never_replaced_by_less(tmp_path: Path) -> None:
    """Two heads that prove nothing yet give way to two that do, and not the other way round."""
    alarms = Alarms(tmp_path)
    alarms.raise_alarm(LOG_PUT_BACK, "330000", "smaller", b"heads")
    alarms.raise_alarm(LOG_PUT_BACK, "330000", "proven", b"proof", proven=True)
    alarms.raise_alarm(LOG_PUT_BACK, "330000", "smaller", b"heads")
    (alarm,) = alarms.open()
    assert ("proven", True) == (alarm.detail, alarm.proven)
    assert b"proof" == (tmp_path / "alarms" / alarm.proof).read_bytes()


def test_the_log_tells_it_once_a_minute_at_most(tmp_path: Path) -> None:
    """What is met with every heartbeat does not fill the log, and is not forgotten either."""
    clock = Moved()
    alarms = Alarms(tmp_path, clock)
    with captured_log() as stream:
        for seconds in (0, 10, 20, 70):
            clock.now = NOW + timedelta(seconds=seconds)
            alarms.raise_alarm(LOG_PUT_BACK, "330000", "smaller")
    assert [True, False] == [line["new"] for line in told(stream) if line["event"] == "alarm"]
    assert {"error"} == {line["level"] for line in told(stream)}
    assert "2026-03-02T08:01:10+00:00" == alarms.open()[0].last_time


def test_what_cannot_be_written_is_told_all_the_same(tmp_path: Path) -> None:
    """A full or broken disk does not swallow an alarm, and does not stop the node."""
    (tmp_path / "alarms").write_text("in the way")
    with captured_log() as stream:
        Alarms(tmp_path).raise_alarm(LOG_FORKED, "330000", "two heads", b"{}")
    assert ["alarm_not_kept", "alarm"] == [line["event"] for line in told(stream)]


def test_an_alarm_whose_file_is_damaged_stands(tmp_path: Path) -> None:
    """Whoever spoils the file does not end the alarm."""
    Alarms(tmp_path).raise_alarm(LOG_FORKED, "330000", "two heads")
    (tmp_path / "alarms" / "LOG_FORKED-330000.json").write_text("{")
    assert ["LOG_FORKED-330000"] == [alarm.name for alarm in Alarms(tmp_path).open()]


@pytest.mark.parametrize(
    ("name", "error"), [("LOG_FORKED-330000", NotFound), ("../x", InvalidInput), ("", InvalidInput)]
)
def test_only_an_open_alarm_is_closed(tmp_path: Path, name: str, error: type[Exception]) -> None:
    """A name that is none leads out of no folder."""
    with pytest.raises(error):
        Alarms(tmp_path).close(name)


def test_monitoring_reads_the_exit_code(tmp_path: Path) -> None:
    """`alarm list` ends with 1 while an alarm is open, and with 0 once it is closed."""
    app, run = alarm_app("regulator-node", "zhejiang"), CliRunner().invoke
    data = ["--data", str(tmp_path)]
    assert 0 == run(app, ["list", *data]).exit_code
    Alarms(tmp_path).raise_alarm(LOG_FORKED, "330000", "two heads", b"{}", proven=True)
    listed = run(app, ["list", *data, "--json"])
    assert (1, "LOG_FORKED-330000") == (listed.exit_code, json.loads(listed.stdout)[0]["name"])
    assert 0 == run(app, ["close", *data, "LOG_FORKED-330000"]).exit_code
    assert 0 == run(app, ["list", *data]).exit_code
