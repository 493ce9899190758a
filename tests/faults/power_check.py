"""What has to hold on what a cut of the power left: all that callers were told is there, nothing is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw

from regulator_node.fsck import check_register
from regulator_node.settings import MIGRATIONS
from shared.cluster.made_up import person
from shared.database import Database
from shared.delivery.outbox import OutboxState
from shared.errors import FilingnetError, NotFound
from shared.evidence.hashing import ProofError
from shared.pb.filingnet.network.v1 import entry_pb2
from tests.faults.power_disk import PowerDisk, Told
from tests.faults.power_network import (
    NATION_FOLDER,
    OFFICER,
    PROVIDER_FOLDER,
    PROVINCE_FOLDER,
    Keys,
    PoweredNetwork,
    Taken,
    powered,
    taken_of,
)
from tests.integration.filing_samples import JURISDICTION, PROVIDER
from tests.integration.test_vault import opened_files

_GOING_ON: Final = 1_000_000
"""Number of the person who registers afterwards, whom nobody knows yet."""


@dataclass
class Cut:
    """What was found wrong after one cut, each in a few words; nothing where all is well."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """All of it."""
        return [*self.lost, *self.twice, *self.damaged]


async def check_what_is_left(
    root: Path, keys: Keys, told: Sequence[Told], *, deeply: bool, disk: PowerDisk | None = None
) -> Cut:
    """Opens the nodes on what a cut left, looks for all that was told, and has them go on.

    Args:
        root: the nodes' folders.
        keys: of the nodes.
        told: what callers were told before the cut.
        deeply: whether the registers are also replayed from their logs.
        disk: told of what callers are told while the nodes go on.

    Returns:
        What is wrong.
    """
    cut = Cut()
    facts: dict[str, list[Any]] = {}
    for fact in told:
        facts.setdefault(fact.what, []).append(fact.value)
    try:
        check_vault_files(root, cut)
        async with powered(root, keys, disk) as network:
            await _check_files(network, cut)
            await _check_provider(network, facts, cut)
            await _check_province(network, facts, cut)
            await _check_nation(network, facts, cut)
            await _check_nothing_twice(network, cut)
            await _check_it_goes_on(network, cut)
            if deeply:
                await _check_registers(network, cut)
    except (FilingnetError, ProofError, apsw.Error) as error:
        cut.damaged.append(f"{type(error).__name__}: {error}")
    return cut


def check_vault_files(root: Path, cut: Cut) -> None:
    """Checks the two files of the vault, where they were made."""
    folder = root / PROVIDER_FOLDER / "vault"
    if (folder / "vault.db").exists():
        files = opened_files(folder)
        for schema in ("main", "vault"):
            cut.damaged += [
                f"{schema}: {row}" for (row,) in files.execute(f"PRAGMA {schema}.integrity_check") if row != "ok"
            ]
        files.close()


async def _check_files(network: PoweredNetwork, cut: Cut) -> None:
    for folder, database in network.databases.items():
        rows = await _rows(database, "PRAGMA integrity_check")
        cut.damaged += [f"{folder}: {row}" for (row,) in rows if row != "ok"]


async def _check_provider(network: PoweredNetwork, facts: dict[str, list[Any]], cut: Cut) -> None:
    provider = network.provider
    for reference in facts.get("identity read", ()):
        trail = await provider.vault.audit_trail(reference)
        cut.lost += [] if any(line.action == "read" for line in trail) else ["that an identity was read"]
    asked, deleted = set(facts.get("deletion asked", ())), set(facts.get("deleted", ()))
    for reference, number in facts.get("subject", ()):
        try:
            found = await provider.subjects.read_identity(reference, "account_recovery", "desk-3")
        except NotFound:
            if reference not in asked:
                cut.lost.append(f"subject {number}")
            continue
        if reference in deleted:
            cut.lost.append(f"the deletion of subject {number}")
        elif found != person(number):
            cut.damaged.append(f"subject {number} is somebody else")
    for account in facts.get("account", ()):
        filed = await _rows(
            provider.database, "SELECT state FROM outbox WHERE account_id = ? AND body = 'filing'", account
        )
        cut.lost += [] if filed else [f"the filing of {account}"]
        cut.twice += [f"the filing of {account}"] if len(filed) > 1 else []
    reports = {row[0] for row in await _rows(provider.database, "SELECT report_id FROM report")}
    cut.lost += [f"report {report}" for report in facts.get("report", ()) if report not in reports]
    cursor = await provider.directives.cursor()
    cut.lost += [f"directives to {told}" for told in facts.get("directives heard", ()) if cursor < told]


async def _check_province(network: PoweredNetwork, facts: dict[str, list[Any]], cut: Cut) -> None:
    taken: list[Taken] = facts.get("taken", [])
    if taken:
        entries = [each.entry for each in taken]
        for first, again in zip(taken, taken_of(entries, await network.register.submit(*entries)), strict=True):
            cut.lost += [] if first == again else [f"entry {first.log_index} or its acknowledgement"]
    for request_id, verdicts, results in facts.get("decided", ()):
        answer = await network.review.decide(request_id, OFFICER, verdicts)
        cut.lost += [] if answer == results else [f"the decisions of {request_id}"]
    size = await _cosigned_size(network.register.database)
    cut.lost += [f"cosignature of {told}" for told in facts.get("cosignature taken", ()) if size < told]


async def _check_nation(network: PoweredNetwork, facts: dict[str, list[Any]], cut: Cut) -> None:
    held = await network.copy.size()
    cut.lost += [f"copy up to {told}" for told in facts.get("copied", ()) if held < told]
    cosigned = await _cosigned_size(network.nation)
    cut.lost += [f"own cosignature of {told}" for told in facts.get("cosigned", ()) if cosigned < told]
    own, copied = await _log(network.register.database), await _log(network.nation)
    if own[: len(copied)] != copied or cosigned < await _cosigned_size(network.register.database):
        cut.lost.append("what the nation has of the province's log")
    outbox = {bytes(row[0]) for row in await _rows(network.provider.database, "SELECT entry FROM outbox")}
    sent = [entry for entry in own if entry_pb2.Entry.FromString(entry).origin == PROVIDER]
    cut.lost += ["what the provider sent"] if not outbox.issuperset(sent) else []


async def _check_nothing_twice(network: PoweredNetwork, cut: Cut) -> None:
    for folder, entries in (
        (
            PROVIDER_FOLDER,
            [bytes(row[0]) for row in await _rows(network.provider.database, "SELECT entry FROM outbox")],
        ),
        (PROVINCE_FOLDER, await _log(network.register.database)),
        (NATION_FOLDER, await _log(network.nation)),
    ):
        ids = Counter(entry_pb2.Entry.FromString(entry).entry_id for entry in entries)
        cut.twice += [f"{folder}: entry {entry_id}" for entry_id, count in ids.items() if count > 1]


async def _check_it_goes_on(network: PoweredNetwork, cut: Cut) -> None:
    await network.register_and_file(_GOING_ON + await _registered(network))
    await network.deliver()
    await network.decide()
    await network.hear_directives()
    await network.replicate()
    rows = await _rows(network.provider.database, "SELECT entry, state FROM outbox")
    log = Counter(await _log(network.register.database))
    for entry, state in rows:
        if state != OutboxState.DELIVERED or log[bytes(entry)] != 1:
            cut.lost.append(f"an entry in state {state}, {log[bytes(entry)]} times in the log")
    if await _log(network.nation) != await _log(network.register.database):
        cut.lost.append("the nation did not follow on")
    await _check_nothing_twice(network, cut)


async def _registered(network: PoweredNetwork) -> int:
    return int((await _rows(network.provider.database, "SELECT COUNT(*) FROM subject"))[0][0])


async def _check_registers(network: PoweredNetwork, cut: Cut) -> None:
    for folder, database in ((PROVINCE_FOLDER, network.register.database), (NATION_FOLDER, network.nation)):
        found = await check_register(database, MIGRATIONS, network.keys.ring)
        cut.damaged += [f"{folder}: {row}" for row in found.rows()]


async def _rows(database: Database, sql: str, *values: object) -> list[tuple[Any, ...]]:
    return await database.read(lambda transaction: transaction.execute(sql, values))


async def _log(database: Database) -> list[bytes]:
    rows = await _rows(database, "SELECT entry FROM log_entry WHERE jurisdiction = ? ORDER BY log_index", JURISDICTION)
    return [bytes(entry) for (entry,) in rows]


async def _cosigned_size(database: Database) -> int:
    rows = await _rows(database, "SELECT cosigned_size FROM log WHERE jurisdiction = ?", JURISDICTION)
    return int(rows[0][0]) if rows else 0
