"""Alarms: what a node found wrong with a log, kept as files in its data folder until a person closes them.

A file survives what a table does not: a database that is put back, is full or is damaged, which is just when alarms are
raised. Each alarm is one JSON file in `alarms/`, and beside it, where two signed heads were seen, a file that
`filing-verify fork` judges offline. The same trouble with the same log is one alarm, however often it is met; where a
proof is found later, it joins. Closing one moves its files to `alarms/closed/`: evidence is never deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from shared.durable_files import PRIVATE, make_folder, sync_folder, write_file
from shared.errors import InvalidInput, NotFound

LOG_FORKED: Final = "LOG_FORKED"
"""Two signed heads of a log cannot both be true."""

LOG_PUT_BACK: Final = "LOG_PUT_BACK"
"""A log has fewer entries than its regulator signed before."""

LOG_BEHIND: Final = "LOG_BEHIND"
"""The node's own log has fewer entries than were witnessed of it."""

LOG_NOT_PROVEN: Final = "LOG_NOT_PROVEN"
"""What a log shows does not verify, and no contradiction could be proven yet."""

REASONS: Final = (LOG_FORKED, LOG_PUT_BACK, LOG_BEHIND, LOG_NOT_PROVEN)

FOLDER: Final = "alarms"
CLOSED: Final = "closed"
PROOF: Final = ".fork"

MAX_DETAIL: Final = 200
"""Longest detail of an alarm, in characters."""

SEEN_AGAIN: Final = timedelta(minutes=1)
"""How often at most it is written down that the same trouble was met again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something wrong with a log.

    Attributes:
        reason: one of `REASONS`.
        jurisdiction: whose log.
        detail: what was met, without a value out of any entry.
        first_time: when it was first met, ISO 8601.
        last_time: when it was last met, to the minute or so.
        proof: name of the file with the two heads; empty where there is none.
        proven: whether that file proves by itself that the log has two histories.
    """

    reason: str
    jurisdiction: str
    detail: str
    first_time: str
    last_time: str
    proof: str = ""
    proven: bool = False

    @property
    def name(self) -> str:
        """What it is called: reason and log."""
        return f"{self.reason}-{self.jurisdiction}"

    @property
    def mend(self) -> str:
        """What is told in a status."""
        shown = f", {'proof' if self.proven else 'heads'} in {FOLDER}/{self.proof}" if self.proof else ""
        return f"log of {self.jurisdiction}: {self.detail}{shown}; docs/runbook.md says what to do"


class Alarms:
    """The alarms of one node.

    Args:
        data: the node's data folder.
        clock: tells the machine's time.
    """

    def __init__(self, data: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = data / FOLDER
        self._clock = clock

    def raise_alarm(
        self, reason: str, jurisdiction: str, detail: str, heads: bytes | None = None, *, proven: bool = False
    ) -> None:
        """Raises an alarm, or notes that it was met again. It never fails: what cannot be written is at least logged.

        Args:
            reason: one of `REASONS`.
            jurisdiction: whose log.
            detail: what was met; no value out of an entry.
            heads: the file with the two heads, if there is one; one that proves more replaces one that does not.
            proven: whether it proves by itself that the log has two histories.
        """
        now = self._clock()
        new = Alarm(reason, jurisdiction, detail[:MAX_DETAIL], _iso(now), _iso(now))
        try:
            held = self._read(new.name)
            news = held is None or (heads is not None and (proven > held.proven or not held.proof))
            if held is not None:
                if not news and now < datetime.fromisoformat(held.last_time) + SEEN_AGAIN:
                    return
                new = replace(held, last_time=_iso(now), detail=new.detail if news else held.detail)
            if heads is not None and news:
                new = replace(new, proof=f"{new.name}{PROOF}", proven=proven)
                self._write(new.proof, heads)
            self._write(f"{new.name}.json", json.dumps(asdict(new), ensure_ascii=False, indent=1).encode() + b"\n")
        except OSError as error:
            log.error("alarm_not_kept", alarm=new.name, problem=error.strerror or type(error).__name__)
            news = True
        # An alarm that stands is told again with each time that it is met, a minute apart.
        log.error("alarm", alarm=new.name, detail=new.detail, proof=new.proof, proven=new.proven, new=news)

    def open(self) -> list[Alarm]:
        """Reads the alarms that nobody closed yet, by name; one whose file is damaged stands all the same."""
        if not self._folder.is_dir():
            return []
        names = sorted(path.stem for path in self._folder.glob("*.json"))
        return [alarm for name in names if (alarm := self._read(name)) is not None]

    def close(self, name: str) -> Alarm:
        """Closes an alarm: its files are moved away, and the same trouble raises it anew.

        Args:
            name: the alarm's.

        Returns:
            The alarm.

        Raises:
            NotFound: ALARM_UNKNOWN.
            InvalidInput: ALARM_UNKNOWN, that is no name of an alarm.
        """
        if Path(name).name != name or not name:
            raise InvalidInput("that is no name of an alarm: list the alarms", "ALARM_UNKNOWN")
        alarm = self._read(name)
        if alarm is None:
            raise NotFound(f"there is no open alarm {name}: list the alarms", "ALARM_UNKNOWN")
        closed = self._folder / CLOSED
        closed.mkdir(mode=0o700, exist_ok=True)
        stamp = self._clock().strftime("%Y%m%dT%H%M%S%fZ")
        for file in (alarm.proof, f"{name}.json"):
            if file and (self._folder / file).exists():
                (self._folder / file).rename(closed / f"{stamp}-{file}")
        sync_folder(closed)
        sync_folder(self._folder)
        return alarm

    def _read(self, name: str) -> Alarm | None:
        try:
            return Alarm(**json.loads((self._folder / f"{name}.json").read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            reason, _, jurisdiction = name.partition("-")
            now = _iso(self._clock())
            return Alarm(reason, jurisdiction, "the alarm's own file is damaged", now, now)

    def _write(self, name: str, content: bytes) -> None:
        make_folder(self._folder)
        write_file(self._folder / name, content, PRIVATE)


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
