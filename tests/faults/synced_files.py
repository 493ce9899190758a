"""A program that makes nodes and files as the product does, and prints which of them a loss of power could take.

It is run by a test in a process of its own, because what watches it cannot be taken out again: Python's audit events
tell of what is opened, made, renamed and linked, and `os.fsync` of what is synced. After each call of the product's the
files have to be on the disk: their bytes, and their names in their folders. SQLite's own files are judged elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from provider_node.joining import join_provider
from provider_node.master_key import add_master_key_version
from provider_node.settings import ProviderSettings
from regulator_node.export_files import ExportForm, write_export
from regulator_node.founding import found_nation, join_province
from regulator_node.log_files import write_log
from regulator_node.secret_files import write_secret
from shared.alarms import LOG_FORKED, LOG_NOT_PROVEN, Alarms
from shared.client.log_calls import LogPage
from shared.errors import Unavailable
from shared.pb.filingnet.network.v1 import evidence_pb2
from shared.trust.tokens import parse_token
from tests.integration.regulators import (
    PROVIDER,
    Running,
    free_ports,
    made_up_licence,
    nation_settings,
    province_settings,
    serving,
    token_for,
)
from tests.integration.test_register_export import Source

_JUDGED_ELSEWHERE: Final = (".db", ".db-wal", ".db-shm", ".db-journal", "lock")
"""SQLite's files, which it syncs itself, and the file that only a lock is on."""


@dataclass
class SyncRecord:
    """What was made below a folder, and what of it is synced."""

    root: Path
    names: set[Path] = field(default_factory=set)
    synced: dict[int, str] = field(default_factory=dict)
    """The digest of each file's content when it was last synced, by its inode."""
    looked_at: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Is told of each audit event, before it happens."""
        if event == "open" and isinstance(arguments[0], str) and arguments[2] & os.O_CREAT:
            if not os.path.lexists(arguments[0]):
                self._named(arguments[0])
        elif event in ("os.rename", "os.link"):
            self._named(arguments[1])
        elif event == "os.mkdir":
            self._named(arguments[0])

    def fsync(self, file: int) -> None:
        """Is told of each sync, after it was done."""
        path, found = Path(os.readlink(f"/proc/self/fd/{file}")), os.fstat(file)
        if stat.S_ISDIR(found.st_mode):
            self.names = {name for name in self.names if name.parent != path}
        else:
            self.synced[found.st_ino] = _digest(path)

    def check(self, call: str) -> None:
        """Looks, after a call, at every file and folder that was made: a name may be lost, or bytes may."""
        for path in sorted(self.root.rglob("*")):
            if path.name.endswith(_JUDGED_ELSEWHERE) or not (path.is_file() or path.is_dir()):
                continue
            self.looked_at.add(str(path))
            if path in self.names:
                self.found.append(f"{call}: {path.relative_to(self.root)} is not in its folder for certain")
            if path.is_file() and self.synced.get(path.stat().st_ino) != _digest(path):
                self.found.append(f"{call}: {path.relative_to(self.root)} is not on the disk for certain")

    def _named(self, name: str) -> None:
        path = Path(os.path.abspath(os.fspath(name)))
        if path.is_relative_to(self.root):
            self.names.add(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def make_everything(root: Path, record: SyncRecord) -> None:
    """Makes a nation, a province and a provider, and the files that officers are given."""
    with free_ports() as ports:
        settings = nation_settings(root / "nation", ports)
        await found_nation(settings)
        record.check("found_nation")
        async with serving(settings) as nation:
            province = province_settings(root / "made" / "province", ports)
            await join_province(province, *parse_token(await token_for(nation, province.name)))
            record.check("join_province")
            await _make_provider(root, nation, record)
    write_secret(root / "officer.token", "made up\n")
    record.check("write_secret")
    _raise_alarms(Alarms(root / "alarmed"), record)
    await _export(root, record)


def _raise_alarms(alarms: Alarms, record: SyncRecord) -> None:
    """Raises alarms, one of which a proof joins later, and closes them."""
    alarms.raise_alarm(LOG_NOT_PROVEN, "330000", "made up")
    record.check("raise_alarm")
    alarms.raise_alarm(LOG_FORKED, "330000", "made up", b"heads")
    record.check("raise_alarm with heads")
    alarms.raise_alarm(LOG_FORKED, "330000", "made up, and proven", b"a proof of a fork", proven=True)
    record.check("raise_alarm with a proof")
    for alarm in alarms.open():
        alarms.close(alarm.name)
        record.check("close an alarm")


async def _export(root: Path, record: SyncRecord) -> None:
    """Exports a log, which is continued, and filings in each form, which are interrupted first."""
    for size in (1, 3):
        await write_log(partial(_runs, size), root / "exported.log", "330000")
        record.check(f"write_log to {size}")
    for form in ExportForm:
        source = Source(60, fail_before=(40,))
        target = root / f"exported.{form}"
        with suppress(Unavailable):
            await write_export(source.pages, target, form, export="all", settle_rows=20)
        record.check(f"write_export as {form}, interrupted")
        await write_export(source.pages, target, form, export="all", settle_rows=20)
        record.check(f"write_export as {form}")
    assert not source.fail_before


async def _runs(size: int, start: int) -> AsyncIterator[LogPage]:
    for index in range(start, size):
        run = evidence_pb2.Run(jurisdiction="330000", first_index=index, entries=[b"made up"])
        yield LogPage([run], size)


async def _make_provider(root: Path, nation: Running, record: SyncRecord) -> None:
    text = await token_for(nation, PROVIDER, jurisdiction="330000", licence=made_up_licence())
    folder = root / "provider"
    settings = ProviderSettings.create(
        folder, name=PROVIDER, jurisdiction="330000", backend_token_file=str(folder / "backend.token")
    )
    await join_provider(settings, *parse_token(text))
    record.check("join_provider")
    add_master_key_version(folder / "master.key")
    record.check("add_master_key_version")


def main() -> None:
    """Makes everything below the folder that is named, and prints what was looked at and what was found."""
    root = Path(sys.argv[1])
    record = SyncRecord(root)
    sync = os.fsync

    def told(file: Any) -> None:
        sync(file)
        record.fsync(file if isinstance(file, int) else file.fileno())

    os.fsync = told  # type: ignore[assignment]
    sys.addaudithook(record.hear)
    asyncio.run(make_everything(root, record))
    sys.stdout.write(f"{json.dumps({'looked_at': len(record.looked_at), 'found': record.found})}\n")


if __name__ == "__main__":
    main()
