"""What has to hold of the disks of a simulated network, whatever happened.

Some of it at every moment (`at_any_time`), some once everything healed (`is_quiet`, `at_the_end`). Everything is read from
what is committed; each broken promise is a sentence.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from provider_node.filing_states import JOINS, STATE_SQL
from provider_node.final_receipts import receipt_of
from regulator_node.fsck import check_against
from regulator_node.settings import MIGRATIONS
from shared.database import Transaction
from shared.delivery.outbox import OutboxState
from shared.evidence.receipts import verify_receipt
from shared.identifiers import id_bytes
from tests.faults.simulation.disks import Disk, SimulatedDatabase, empty_image
from tests.faults.simulation.founded import NATION, founded
from tests.faults.simulation.nodes import Node, ProviderNode, RegulatorNode
from tests.faults.simulation.people import Ledger

_DELIVERED, _PARKED, _REJECTED = int(OutboxState.DELIVERED), int(OutboxState.PARKED), int(OutboxState.REJECTED)
_PROVIDER_STATES = {2: 1, 3: 1, 4: 2, 5: 3}
"""States of a filing at its provider (RECEIVED, FINAL, ACCEPTED, RETURNED), as its regulator's register numbers them."""

Entries = dict[int, bytes]


class Checks:
    """Checks one network.

    Args:
        nodes: by name.
        ledger: what people were told.
        chance: chooses the receipts that are verified.
    """

    def __init__(self, nodes: Mapping[str, Node], ledger: Ledger, chance: random.Random) -> None:
        self._regulators = {name: node for name, node in nodes.items() if isinstance(node, RegulatorNode)}
        self._providers = [node for node in nodes.values() if isinstance(node, ProviderNode)]
        self._nation = self._regulators[NATION]
        self._ledger = ledger
        self._chance = chance
        self.lost = 0
        """Acknowledged entries that are not where they belong."""
        self.twice = 0
        """Entries that are in a log once more than they were sent."""
        self.put_back: set[str] = set()
        """Regulators whose disk was put back, until that is mended: what counts is what the nation holds of theirs."""

    def at_any_time(self) -> Iterator[str]:
        """Checks what holds at every moment: what a provider believes delivered is in the log, and copies are prefixes."""
        for provider in self._providers:
            if provider.regulator in self.put_back:
                # What a log took in that forked is in no other.
                continue
            log = self._log(self._regulators[provider.regulator])
            for entry_id, entry, index in provider.disk.rows(
                "SELECT entry_id, entry, log_index FROM outbox WHERE state = ?", _DELIVERED
            ):
                if log.get(index) != entry:
                    yield f"{provider.name} holds an acknowledgement of {entry_id}, which is not in the log at {index}"
        for province in self._regulators.values():
            copy, log = self._log(self._nation, province.jurisdiction), self._log(province)
            if any(log.get(index) != entry for index, entry in copy.items()):
                yield f"the nation's copy of {province.name} is no prefix of its log"

    def is_quiet(self) -> str:
        """Returns what is still under way; empty where nothing is."""
        return next(self._under_way(), "")

    def _under_way(self) -> Iterator[str]:
        for province in self._regulators.values():
            ((size, cosigned),) = province.disk.rows(
                "SELECT size, cosigned_size FROM log WHERE jurisdiction = ?", province.jurisdiction
            )
            if cosigned != size:
                yield f"{province.name} is cosigned up to {cosigned} of {size}"
            held = self._nation.disk.rows("SELECT size FROM log WHERE jurisdiction = ?", province.jurisdiction)
            if (held[0][0] if held else 0) != size:
                yield f"the nation holds {held} of {size} of {province.name}"
            yield from self._region_under_way(province)
        for provider in self._providers:
            yield from self._provider_under_way(provider)

    def _region_under_way(self, province: RegulatorNode) -> Iterator[str]:
        fed = self._nation.disk.rows(
            "SELECT DISTINCT e.entry_id FROM region_feed f JOIN log_entry e ON e.jurisdiction = f.jurisdiction"
            " AND e.log_index = f.log_index WHERE f.region = ?",
            province.jurisdiction,
        )
        heard = province.disk.rows("SELECT entry_id FROM foreign_receipt")
        if sorted(heard) != sorted(fed):
            yield f"{province.name} heard of {len(heard)} of {len(fed)} entries for its region"

    def _provider_under_way(self, provider: ProviderNode) -> Iterator[str]:
        ((queued,),) = provider.disk.rows("SELECT COUNT(*) FROM outbox WHERE state = 0")
        if queued:
            yield f"{provider.name} has {queued} entries in its queue"
        regulator = self._regulators[provider.regulator]
        ((size,),) = regulator.disk.rows("SELECT size FROM log WHERE jurisdiction = ?", regulator.jurisdiction)
        rows = provider.disk.rows("SELECT final_size FROM destination WHERE name = ?", regulator.name)
        if (rows[0][0] if rows else 0) != size:
            yield f"{provider.name} knows {rows} of {size} to be final"
        ((unproven,),) = provider.disk.rows(
            "SELECT COUNT(*) FROM delivered_run d WHERE NOT EXISTS (SELECT 1 FROM final_run f"
            " WHERE f.destination = d.destination AND f.first_index = d.first_index)"
        )
        if unproven:
            yield f"{provider.name} has no proof that {unproven} runs are final"
        ((told,),) = regulator.disk.rows(
            "SELECT COUNT(*) FROM directive WHERE jurisdiction = ? AND addressee = ?",
            regulator.jurisdiction,
            provider.name,
        )
        ((heard,),) = provider.disk.rows("SELECT COUNT(*) FROM decision")
        if told != heard:
            yield f"{provider.name} heard {heard} of {told} decisions"

    async def at_the_end(self) -> Sequence[str]:
        """Checks everything, once the network is quiet."""
        found = [*self.at_any_time(), *self._told()]
        for provider in self._providers:
            found += [*self._exactly_once(provider), *self._stopped_alone(provider), *self._same_states(provider)]
            found += self._receipts(provider)
        for regulator in self._regulators.values():
            found += await self._replayed(regulator)
        return found

    def _log(self, holder: RegulatorNode, jurisdiction: str = "") -> Entries:
        if holder.name in self.put_back and holder is not self._nation:
            holder, jurisdiction = self._nation, holder.jurisdiction
        rows = holder.disk.rows(
            "SELECT log_index, entry FROM log_entry WHERE jurisdiction = ?", jurisdiction or holder.jurisdiction
        )
        return dict(rows)

    def _told(self) -> Iterator[str]:
        by_name = {provider.name: provider for provider in self._providers}
        for told in self._ledger.told:
            if not by_name[told.provider].disk.rows(
                "SELECT 1 FROM filing f JOIN outbox o ON o.entry_id = f.entry_id WHERE f.account_id = ? AND f.entry_id = ?",
                told.account_id,
                told.entry_id,
            ):
                yield f"{told.provider} acknowledged the filing {told.entry_id} and lost it"
        for (name, request), account_id in self._ledger.opened.items():
            if not by_name[name].disk.rows("SELECT 1 FROM account WHERE account_id = ?", account_id):
                yield f"{name} acknowledged the account {account_id} (request {request}) and lost it"
        for name, index in self._ledger.decided:
            regulator = self._regulators[name]
            if not regulator.disk.rows(
                "SELECT 1 FROM log_entry WHERE jurisdiction = ? AND log_index = ? AND origin = ?",
                regulator.jurisdiction,
                index,
                name,
            ):
                yield f"{name} told an officer of a decision at {index} and lost it"

    def _exactly_once(self, provider: ProviderNode) -> Iterator[str]:
        regulator = self._regulators[provider.regulator]
        own = "SELECT entry FROM log_entry WHERE jurisdiction = ? AND origin = ?"
        logged = Counter(entry for (entry,) in regulator.disk.rows(own, regulator.jurisdiction, provider.name))
        copied = Counter(entry for (entry,) in self._nation.disk.rows(own, regulator.jurisdiction, provider.name))
        sent = Counter(entry for (entry,) in provider.disk.rows("SELECT entry FROM outbox WHERE state = ?", _DELIVERED))
        for where, held in (("the log", logged), ("the nation's copy", copied)):
            lost, more = (sent - held).total(), (held - sent).total()
            self.lost, self.twice = self.lost + lost, self.twice + more
            if lost:
                yield f"{lost} acknowledged entries of {provider.name} are not in {where}"
            if more:
                yield f"{more} entries of {provider.name} are in {where} and were not sent, or are there twice"

    def _stopped_alone(self, provider: ProviderNode) -> Iterator[str]:
        waiting = provider.disk.rows(
            "SELECT DISTINCT account_id FROM outbox p WHERE state = ? AND NOT EXISTS (SELECT 1 FROM outbox r"
            " WHERE r.account_id = p.account_id AND r.state = ?)",
            _PARKED,
            _REJECTED,
        )
        for (account_id,) in waiting:
            yield f"{provider.name} holds up the account {account_id}, of which nothing was refused"
        for entry_id, reason in provider.disk.rows("SELECT entry_id, reason FROM outbox WHERE state = ?", _REJECTED):
            if reason != "TIME_IN_FUTURE":
                yield f"{provider.name} had {entry_id} refused by {reason}"
        ((conflicts,),) = provider.disk.rows("SELECT COUNT(*) FROM outbox WHERE state = ?", int(OutboxState.CONFLICT))
        if conflicts:
            yield f"{provider.name} has {conflicts} conflicts"

    def _same_states(self, provider: ProviderNode) -> Iterator[str]:
        regulator = self._regulators[provider.regulator]
        register = {
            (account, revision): (state, name, superseded is None)
            for account, revision, state, name, superseded in regulator.disk.rows(
                "SELECT account_id, revision, state, display_name, superseded_time FROM filing WHERE jurisdiction = ?"
                " AND provider = ?",
                regulator.jurisdiction,
                provider.name,
            )
        }
        rows = provider.disk.rows(
            f"SELECT f.account_id, f.revision, {STATE_SQL}, f.action FROM filing f {JOINS} WHERE o.state = ?"
            " ORDER BY f.revision",
            _DELIVERED,
        )
        newest = {account: revision for account, revision, *_ in rows}
        for account, revision, state, action in rows:
            theirs = register.pop((id_bytes(account), revision), None)
            if theirs is None:
                yield f"{provider.name} filed revision {revision} of {account}, which is not in the register"
                continue
            held, _, is_newest = theirs
            if is_newest != (newest[account] == revision):
                yield f"revision {revision} of {account} is the newest at one end alone"
            decided = {2: 4, 3: 5}.get(held)
            if (decided is not None and decided != state) or (decided is None and state in (4, 5) and is_newest):
                yield f"revision {revision} of {account} ({action}) is {state} at its provider and {held} at its regulator"
        if register:
            yield f"the register has {len(register)} filings that {provider.name} knows nothing of"

    def _receipts(self, provider: ProviderNode) -> Iterator[str]:
        delivered = provider.disk.rows("SELECT entry_id FROM outbox WHERE state = ? ORDER BY sequence", _DELIVERED)
        for (entry_id,) in self._chance.sample(delivered, min(len(delivered), 3)):
            receipt, final = _with_transaction(provider.disk, entry_id)
            proven = verify_receipt(receipt, founded().ring)
            if proven.entry.entry_id != entry_id or not final:
                yield f"the receipt of {entry_id} proves another entry, or not that it is final"

    async def _replayed(self, regulator: RegulatorNode) -> list[str]:
        chance = random.Random(0)
        scratch = SimulatedDatabase(Disk(empty_image(MIGRATIONS)), chance)
        findings = await check_against(SimulatedDatabase(regulator.disk, chance), scratch, founded().ring)
        return [f"{regulator.name}: {row}" for row in findings.rows()]


def _with_transaction(disk: Disk, entry_id: str) -> tuple[bytes, bool]:
    return receipt_of(_transaction(disk), entry_id)


def _transaction(disk: Disk) -> Transaction:
    return disk.connection.transaction()
