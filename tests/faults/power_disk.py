"""A disk that can lose its power: a SQLite VFS that records what is written and synced, and the states it may leave.

SQLite opens every file of a network's nodes through `PowerDisk`. It passes the calls on to the real files, so that the
nodes run as ever, and keeps each of them in one record. From that record `Replay` makes the files as they may stand after
the power went at any moment:

- what was synced is there, bytes and names;
- of every sector that was written and not synced, any version may be there, a torn or a garbled one as well, whatever
  became of its neighbours and of other files;
- a file may be shorter or longer than it was meant to be, with zeros or garbage at its end;
- a file that was made or removed may or may not be so, until its folder was synced.

What is outside of what was written is untouched, which is what SQLite is built on (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
The names are synced where SQLite's own layer does it: with the first sync of a journal that it made, and where it is
told so when it removes one.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import apsw

_VFS: Final = "power"
_ENCRYPTING: Final = f"multipleciphers-{_VFS}"
"""The layer above that encrypts what has a key: what is recorded is what a disk would see."""

_JOURNALS: Final = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_CHECKPOINTED: Final = apsw.SQLITE_OPEN_MAIN_DB
_SECTORS: Final = (512, 4096)


class Act(Enum):
    """What was done to a file."""

    FOUND = auto()
    MADE = auto()
    WRITTEN = auto()
    CUT_OFF = auto()
    SYNCED = auto()
    REMOVED = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """One call: what, to which file; and of what it needs: an offset or a size, the bytes, whether names are synced."""

    act: Act
    path: str
    at: int = 0
    data: bytes = b""
    names: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody was told, and how much was recorded by then: what is left of a cut after it has to hold it."""

    after: int
    what: str
    value: Any


@dataclass
class PowerDisk:
    """The record of everything below a folder.

    Args:
        root: the folder; each node's files are in a folder of its own in it.
        keeps_syncs: whether it does what it is told: a disk that does not is one under `PRAGMA synchronous=OFF`.
    """

    root: Path
    keeps_syncs: bool = True
    steps: list[Step] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    overwritten: list[int] = field(default_factory=list)
    """The steps that wrote into a database's own file: checkpoints of a log, commits by a journal."""
    begun: int = 0
    """How many steps only say what was there from before."""

    def tell(self, what: str, value: Any) -> None:
        """Keeps that somebody was told of something, now."""
        self.told.append(Told(len(self.steps), what, value))

    def record(self, step: Step, flags: int = 0) -> None:
        """Keeps one call."""
        with _recording:
            if step.act is Act.WRITTEN and flags & _CHECKPOINTED:
                self.overwritten.append(len(self.steps))
            self.steps.append(step)


class Replay:
    """Goes through a record once, and leaves files as they may be after any step on the way.

    Args:
        disk: with the record.
    """

    def __init__(self, disk: PowerDisk) -> None:
        self._disk = disk
        self._done = 0
        self._names = _Names()

    def advance(self, until: int) -> None:
        """Does the steps up to one, which is not before those that were done."""
        for step in self._disk.steps[self._done : until]:
            self._names.do(step, self._disk.keeps_syncs)
        self._done = until

    def leave(self, folder: Path, cut: Collection[str], randomness: random.Random) -> None:
        """Makes the files as they may be if the power goes now.

        Args:
            folder: where; it is made. The nodes' folders are in it as they are in the root.
            cut: the nodes' folders that lose their power; of the others everything is there.
            randomness: decides what is left.
        """
        root, damage = self._disk.root, _Damage(randomness)
        for path, file in self._names.left(cut, root, randomness).items():
            place = folder / Path(path).relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            lost = _node_of(path, root) in cut
            place.write_bytes(damage.left(file) if lost else file.whole())
            if lost and place.suffix == ".db" and randomness.random() < 0.5:
                # Nothing of the index of a log is ever synced; whoever comes first has to make it anew.
                place.with_name(f"{place.name}-shm").write_bytes(randomness.randbytes(32 * 1024))


@dataclass
class _File:
    """The content that is synced, and what was done since, in order."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[Step] = field(default_factory=list)
    makes_names_synced: bool = False

    def sync(self) -> None:
        for step in self.since:
            apply(self.synced, step)
        self.since.clear()

    def whole(self) -> bytes:
        content = bytearray(self.synced)
        for step in self.since:
            apply(content, step)
        return bytes(content)


def apply(content: bytearray, step: Step) -> None:
    """Does to some bytes what was done to a file."""
    if step.act is Act.CUT_OFF:
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
    else:
        content.extend(bytes(max(0, step.at - len(content))))
        content[step.at : step.at + len(step.data)] = step.data


class _Names:
    """Which names lead to which files: as it is synced, and each name's changes since."""

    def __init__(self) -> None:
        self._open: dict[str, _File] = {}
        self._synced: dict[str, _File] = {}
        self._since: dict[str, list[_File | None]] = {}

    def do(self, step: Step, keeps_syncs: bool) -> None:
        if step.act is Act.FOUND:
            self._change(step.path, _File(bytearray(step.data)))
            if step.names:
                self._synced[step.path] = self._since.pop(step.path)[-1] or _File()
        elif step.act is Act.MADE:
            self._change(step.path, _File(makes_names_synced=step.names))
        elif step.act is Act.REMOVED:
            self._change(step.path, None)
            if step.names and keeps_syncs:
                self._sync_folder(step.path)
        elif step.act is not Act.SYNCED:
            self._open[step.path].since.append(step)
        elif keeps_syncs:
            file = self._open[step.path]
            file.sync()
            if file.makes_names_synced:
                file.makes_names_synced = False
                self._sync_folder(step.path)

    def left(self, cut: Collection[str], root: Path, randomness: random.Random) -> dict[str, _File]:
        left = {}
        for path in sorted({*self._synced, *self._since}):
            versions = [self._synced.get(path), *self._since.get(path, ())]
            file = randomness.choice(versions) if _node_of(path, root) in cut else versions[-1]
            if file is not None:
                left[path] = file
        return left

    def _change(self, path: str, file: _File | None) -> None:
        self._since.setdefault(path, []).append(file)
        if file is None:
            self._open.pop(path, None)
        else:
            self._open[path] = file

    def _sync_folder(self, path: str) -> None:
        folder = Path(path).parent
        for name in [name for name in self._since if Path(name).parent == folder]:
            newest = self._since.pop(name)[-1]
            if newest is None:
                self._synced.pop(name, None)
            else:
                self._synced[name] = newest


class _Damage:
    """How badly it went this time: which part of what was not synced is there, which is garbled, how large sectors are."""

    def __init__(self, randomness: random.Random) -> None:
        self._random = randomness
        self._kept = randomness.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        self._garbled = randomness.choice((0.0, 0.0, 0.05, 0.3))
        self._sector = randomness.choice(_SECTORS)

    def left(self, file: _File) -> bytes:
        content = bytearray(file.synced)
        cut_off = False
        for step in file.since:
            if step.act is not Act.CUT_OFF:
                self._write(content, step)
            elif self._random.random() < self._kept:
                apply(content, step)
                cut_off = True
        meant = len(file.whole())
        if file.since and len(content) > len(file.synced) and not cut_off and self._random.random() < 0.3:
            del content[self._random.randint(len(file.synced), len(content)) :]
        if len(content) < meant and self._random.random() < 0.3:
            length = meant - len(content)
            content.extend(self._random.randbytes(length) if self._random.random() < 0.5 else bytes(length))
        return bytes(content)

    def _write(self, content: bytearray, step: Step) -> None:
        place = 0
        while place < len(step.data):
            length = min(self._sector - (step.at + place) % self._sector, len(step.data) - place)
            drawn = self._random.random()
            if drawn < self._kept:
                apply(content, Step(Act.WRITTEN, "", step.at + place, step.data[place : place + length]))
            elif drawn < self._kept + self._garbled:
                apply(content, Step(Act.WRITTEN, "", step.at + place, self._random.randbytes(length)))
            place += length


def _node_of(path: str, root: Path) -> str:
    return Path(path).relative_to(root).parts[0]


class _RecordedFile(apsw.VFSFile):
    def __init__(self, disk: PowerDisk, name: str | apsw.URIFilename, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._flags = flags[0]
        there = Path(self._path).exists()
        super().__init__("unix", name, flags)
        if not there:
            disk.record(Step(Act.MADE, self._path, names=bool(self._flags & _JOURNALS)))
        elif self._path not in _known(disk):
            disk.record(Step(Act.FOUND, self._path, data=Path(self._path).read_bytes()))
        _known(disk).add(self._path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.record(Step(Act.WRITTEN, self._path, offset, bytes(data)), self._flags)
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.record(Step(Act.CUT_OFF, self._path, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        # Not passed on: the power of the machine that runs the test stays.
        del flags
        self._disk.record(Step(Act.SYNCED, self._path))


class _RecordingVFS(apsw.VFS):
    """Records what is below the root of the disk in use, and passes everything else on."""

    def __init__(self) -> None:
        super().__init__(_VFS, "unix")
        self.disk: PowerDisk | None = None
        self.known: set[str] = set()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if name is None or path is None or not self._recorded(path):
            return apsw.VFSFile("unix", name, flags)
        assert self.disk is not None
        return _RecordedFile(self.disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        if self._recorded(filename):
            assert self.disk is not None
            self.disk.record(Step(Act.REMOVED, filename, names=syncdir))
            self.known.discard(filename)
        super().xDelete(filename, syncdir)

    def _recorded(self, path: str) -> bool:
        return self.disk is not None and Path(path).is_relative_to(self.disk.root)


_recording: Final = threading.Lock()
_vfs: list[_RecordingVFS] = []


def _known(_: PowerDisk) -> set[str]:
    return _vfs[0].known


@contextmanager
def in_use(disk: PowerDisk | None) -> Iterator[None]:
    """Has every database of this process opened through the recording layer until the end.

    Args:
        disk: records what is below its root; None to record nothing, and sync nothing either.
    """
    before = apsw.vfs_names()[0]
    if not _vfs:
        _vfs.append(_RecordingVFS())
        # The layer that encrypts is made above the one that it is named after, when it is first asked for.
        apsw.Connection(":memory:", vfs=_ENCRYPTING).close()
    _vfs[0].disk, _vfs[0].known = disk, set()
    if disk is not None:
        # What is there from before, is: the power may go again, and not take that.
        for path in sorted(path for path in disk.root.rglob("*") if path.is_file()):
            _vfs[0].known.add(str(path))
            disk.record(Step(Act.FOUND, str(path), data=path.read_bytes(), names=True))
        disk.begun = len(disk.steps)
    apsw.set_default_vfs(_ENCRYPTING)
    try:
        yield
    finally:
        apsw.set_default_vfs(before)
        _vfs[0].disk = None
