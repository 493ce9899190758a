"""The CAs of the network and how one takes another's place, with overlap; and the denial of single certificates. The
nation's.

`add_next` makes a CA that the directory lists and that signs nothing: every node that hears of it trusts both. Once they
had the time to hear, `use_next` has it sign and puts it last in the directory, by which nodes know that their
certificates are by another and renew them. `retire` takes the CA before out of the directory once nobody needs it.
A node that was away all the while trusts none of it and joins again with a token, which brings the CAs of its day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

from regulator_node.issued_certificates import (
    HeldCertificate,
    certificates_of,
    claim_certificates,
    find_certificate,
    live_certificates,
)
from regulator_node.nation_documents import NationDocuments, newest
from shared.clock import Clock
from shared.database import Database, Transaction
from shared.errors import FailedPrecondition, NotFound
from shared.network import NetworkView
from shared.pb.filingnet.network.v1 import directory_pb2
from shared.trust.authority import Authority, authority_expire_time, authority_id
from shared.trust.authority_files import forget_authority, load_next_authority, make_next_authority, use_next_authority
from shared.trust.credentials import Credentials

OVERLAP_SHARE: Final = 1 / 30
"""How much of the life of a certificate the next CA is listed before it may sign: a day of thirty."""


class AuthorityState(Enum):
    """What a CA of the directory is for."""

    NEXT = 1
    IN_USE = 2
    FORMER = 3


@dataclass(frozen=True, slots=True)
class ListedAuthority:
    """A CA of the directory.

    Attributes:
        live: the certificates by it that somebody may still use.
    """

    authority_id: str
    state: AuthorityState
    expire_time: datetime
    live: tuple[HeldCertificate, ...]


class Authorities:
    """Replaces the CA, and says which one signs.

    Args:
        folder: holds the CA.
        in_use: the CA in it.
        database: the nation's register.
        view: the documents held.
        documents: states the directory.
        credentials: the nation's own.
        certificate_lifetime: how long a leaf holds.
        clock: tells the time.
        trust_clock: tells the machine's time, by which certificates hold.
    """

    def __init__(
        self,
        folder: Path,
        in_use: Authority,
        database: Database,
        view: NetworkView,
        documents: NationDocuments,
        credentials: Credentials,
        certificate_lifetime: timedelta,
        clock: Clock,
        trust_clock: Clock,
    ) -> None:
        self._folder = folder
        self._in_use = in_use
        self._database = database
        self._view = view
        self._documents = documents
        self._credentials = credentials
        self._overlap = certificate_lifetime * OVERLAP_SHARE
        self._clock = clock
        self._trust_clock = trust_clock

    @property
    def in_use(self) -> Authority:
        """The CA that signs.

        Raises:
            FailedPrecondition: AUTHORITY_RETIRED, the directory does not list it.
        """
        if self._in_use.certificate_pem not in self._view.directory.ca_certificates:
            message = "this process holds a CA that was retired: copy the folder ca of the nation's first process over"
            raise FailedPrecondition(message + ", and start it again", "AUTHORITY_RETIRED")
        return self._in_use

    async def listed(self) -> list[ListedAuthority]:
        """Lists the CAs of the directory, oldest first."""
        directory, now = self._view.directory, self._trust_clock()
        pems = sorted(directory.ca_certificates, key=authority_expire_time)
        return await self._database.read(
            lambda transaction: [self._read(transaction, directory.message, pem, now) for pem in pems]
        )

    async def add_next(self) -> tuple[ListedAuthority, int]:
        """Makes the next CA and lists it in the directory, or finds it there.

        Returns:
            The CA, and the directory version that lists it.

        Raises:
            FailedPrecondition: FORMER_AUTHORITY_LISTED, the last replacement is not finished.
            OSError: its files cannot be written.
        """
        directory = self._view.directory
        following = load_next_authority(self._folder)
        if following is None or following.certificate_pem not in directory.ca_certificates:
            if set(directory.ca_certificates) != {self._in_use.certificate_pem}:
                message = "the CA before is still listed: retire it with ca retire before there is another"
                raise FailedPrecondition(message, "FORMER_AUTHORITY_LISTED")
            following = make_next_authority(self._folder, self._trust_clock())
        pem = following.certificate_pem

        def add(message: directory_pb2.Directory) -> None:
            if pem not in message.ca_certificates:
                message.ca_certificates.insert(0, pem)

        return await self._changed(pem, add)

    async def use_next(self, *, force: bool) -> tuple[ListedAuthority, int]:
        """Has the next CA sign from now on.

        Args:
            force: whether also before every node had the time to hear of it.

        Raises:
            FailedPrecondition: NEXT_AUTHORITY_MISSING, AUTHORITY_TOO_NEW.
            OSError: its files cannot be written.
        """
        directory = self._view.directory
        following = load_next_authority(self._folder)
        if following is None and directory.ca_certificates[-1] != self._in_use.certificate_pem:
            # A crash came between the files and the directory.
            following = self._in_use
        if following is None or following.certificate_pem not in directory.ca_certificates:
            raise FailedPrecondition("there is no next CA: make one with ca next", "NEXT_AUTHORITY_MISSING")
        ready = following.begin_time + self._overlap
        if self._trust_clock() < ready and not force:
            raise FailedPrecondition(
                f"a node that has not heard of the next CA yet would be shut out: wait until {ready:%Y-%m-%d %H:%M:%S} UTC,"
                " or give --force",
                "AUTHORITY_TOO_NEW",
            )
        if following is not self._in_use:
            self._in_use = use_next_authority(self._folder)
        pem = self._in_use.certificate_pem

        def use(message: directory_pb2.Directory) -> None:
            message.ca_certificates.remove(pem)
            message.ca_certificates.append(pem)

        return await self._changed(pem, use)

    async def retire(self, retired: str, *, force: bool) -> tuple[ListedAuthority, int]:
        """Takes a CA that signs no more, or not yet, out of the directory, and deletes its key.

        Args:
            retired: its id.
            force: whether also while certificates by it are live.

        Raises:
            NotFound: AUTHORITY_UNKNOWN.
            FailedPrecondition: AUTHORITY_IN_USE, it signs, or signed the nation's own certificate; AUTHORITY_NEEDED.
        """
        found = [each for each in await self.listed() if each.authority_id == retired]
        if not found:
            raise NotFound(f"the directory lists no CA {retired}: see ca list", "AUTHORITY_UNKNOWN")
        pem = next(each for each in self._view.directory.ca_certificates if authority_id(each) == retired)
        if found[0].state is AuthorityState.IN_USE or self._credentials.is_signed_by(pem):
            message = (
                "it signs, or it signed the nation's own certificate: put the next one to use with ca use, and wait"
            )
            raise FailedPrecondition(message + " until the nation has renewed", "AUTHORITY_IN_USE")
        if found[0].live and not force:
            last = max(each.expire_time for each in found[0].live)
            raise FailedPrecondition(
                f"{len(found[0].live)} certificates by it are live, the last until {last:%Y-%m-%d %H:%M:%S} UTC: wait, or"
                " give --force and let those nodes join again",
                "AUTHORITY_NEEDED",
            )

        def take_out(message: directory_pb2.Directory) -> None:
            if pem in message.ca_certificates:
                message.ca_certificates.remove(pem)

        version = await self._state(take_out)
        forget_authority(self._folder, retired)
        return found[0], version

    async def certificates_of(self, holder: str) -> list[tuple[HeldCertificate, bool]]:
        """Lists the certificates of a holder that have not ended, newest first, and whether each is denied."""
        now = self._trust_clock()
        found = await self._database.read(lambda transaction: certificates_of(transaction, holder, now))
        return [(each, self._view.directory.denied(each.serial_number)) for each in found]

    async def deny(self, serial_number: str) -> tuple[HeldCertificate, int]:
        """Refuses a certificate from its next call on; the directory lists it until it would have ended.

        Raises:
            NotFound: CERTIFICATE_UNKNOWN; FailedPrecondition: CERTIFICATE_IN_USE, it is the nation's own.
        """
        found = await self._database.read(lambda transaction: find_certificate(transaction, serial_number))
        if found is None:
            message = "the nation signed no certificate of this number: see certificates list"
            raise NotFound(message, "CERTIFICATE_UNKNOWN")
        if serial_number == self._credentials.serial_number:
            raise FailedPrecondition("it is the nation's own certificate, and in use", "CERTIFICATE_IN_USE")

        def deny(message: directory_pb2.Directory) -> None:
            if all(each.serial_number != serial_number for each in message.denied_certificates):
                row = message.denied_certificates.add(serial_number=serial_number)
                row.expire_time.FromDatetime(found.expire_time)

        return found, await self._state(deny, denies=True)

    async def _changed(
        self, pem: str, change: Callable[[directory_pb2.Directory], None]
    ) -> tuple[ListedAuthority, int]:
        version = await self._state(change)
        return next(each for each in await self.listed() if each.authority_id == authority_id(pem)), version

    async def _state(self, change: Callable[[directory_pb2.Directory], None], *, denies: bool = False) -> int:
        """States the directory as changed; the one there is where nothing changes."""
        now, signer = self._clock(), self._in_use.authority_id

        def work(transaction: Transaction) -> int:
            claim_certificates(transaction, signer)
            held = newest(transaction, "directory").directory
            wanted = directory_pb2.Directory()
            wanted.CopyFrom(held)
            change(wanted)
            return held.version if wanted == held else self._documents.change(transaction, change, now, denies=denies)

        version = await self._database.write(work)
        await self._documents.changed()
        return version

    def _read(
        self, transaction: Transaction, directory: directory_pb2.Directory, pem: str, now: datetime
    ) -> ListedAuthority:
        identifier, following = authority_id(pem), load_next_authority(self._folder)
        state = AuthorityState.FORMER
        if pem == self._in_use.certificate_pem:
            state = AuthorityState.IN_USE
        elif following is not None and following.certificate_pem == pem:
            state = AuthorityState.NEXT
        out = {node.name for node in directory.nodes if node.state == directory_pb2.NODE_STATE_DENIED}
        denied = {row.serial_number for row in directory.denied_certificates}
        live = live_certificates(transaction, identifier, out, denied, now)
        if len(directory.ca_certificates) == 1:
            live += live_certificates(transaction, "", out, denied, now)
        return ListedAuthority(identifier, state, authority_expire_time(pem), tuple(live))
